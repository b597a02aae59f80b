package azureapp_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/packages/azureapp"
	"stoa/shared/packages/content"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/packagestest"
)

const plainTemplate = `{"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
 "contentVersion": "1.0.0.0", "parameters": {"location": {"type": "string"}}, "resources": []}`

// interfaces are the codes of UI and view definitions.
func interfaces(code string) bool {
	return strings.HasPrefix(code, "APP_UI_") && code != "APP_UI_DEFINITION_MISSING" ||
		strings.HasPrefix(code, "APP_VIEW_") || strings.HasPrefix(code, "APP_JIT_")
}

// TestUICorpus is AZA-150 to AZA-163: the titles of the files name the rules. A file with the option jit is compared
// with the flag of a plan, the others are looked at with the package.
func TestUICorpus(t *testing.T) {
	t.Parallel()
	cases := packagestest.Corpus(t, "testdata/ui")
	for _, c := range cases {
		t.Run(c.Name+" "+c.Title, func(t *testing.T) {
			t.Parallel()
			found := finding.New("AzureApplication")
			for _, f := range reportOf(t, c).Findings {
				if interfaces(f.Code) {
					found.Findings = append(found.Findings, f)
				}
			}
			require.ElementsMatch(t, c.Findings, packagestest.Described(found))
			for _, f := range found.Findings {
				require.Contains(t, c.Title, f.Rule+" ")
				require.NotEmpty(t, f.Message)
				require.Positive(t, f.Line)
				require.Positive(t, f.Column)
			}
		})
	}
	packagestest.Covers(t, cases, func(c finding.Code) bool { return interfaces(c.Code) })
}

// TestUIBothSides: each rule has files that break it and files that just keep it.
func TestUIBothSides(t *testing.T) {
	t.Parallel()
	rules := []string{"AZA-150", "AZA-151", "AZA-152", "AZA-153", "AZA-154", "AZA-155", "AZA-160", "AZA-161", "AZA-162", "AZA-163"}
	broken, kept := map[string]bool{}, map[string]bool{}
	for _, c := range packagestest.Corpus(t, "testdata/ui") {
		for _, r := range rules {
			if strings.Contains(c.Title, r) {
				broken[r] = broken[r] || len(c.Findings) > 0
				kept[r] = kept[r] || len(c.Findings) == 0
			}
		}
	}
	for _, r := range rules {
		require.True(t, broken[r] && kept[r], "%s: broken %t, kept %t", r, broken[r], kept[r])
	}
}

func reportOf(t testing.TB, c packagestest.Case) *finding.Report {
	t.Helper()
	files := []file{}
	for _, f := range c.Files {
		files = append(files, file{f.Name, f.Text})
	}
	if flag := c.Options["jit"]; flag != "" {
		report := finding.New("")
		doc := content.Parse(files[0].name, []byte(files[0].text), report)
		require.NotNil(t, doc)
		azureapp.CheckJIT(doc, flag == "true", report)
		return report
	}
	if files[0].name != "mainTemplate.json" {
		files = append(files, file{"mainTemplate.json", plainTemplate})
	}
	return validate(t, azureapp.Options{PlanType: c.Options["plan"], Now: today}, files...)
}

// TestViewPlanTypes is AZA-107 and AZA-160: the warning about a view concerns solution templates alone.
func TestViewPlanTypes(t *testing.T) {
	t.Parallel()
	files := []file{{"mainTemplate.json", plainTemplate}, {"createUiDefinition.json", goodUI}, {"viewDefinition.json", "{}"}}
	for plan, want := range map[string][]string{"": {azureapp.SolutionTemplate}, azureapp.SolutionTemplate: nil} {
		report := validate(t, azureapp.Options{PlanType: plan, Now: today}, files...)
		i := slices.IndexFunc(report.Findings, func(f finding.Finding) bool { return f.Code == "APP_VIEW_IN_SOLUTION_TEMPLATE" })
		require.GreaterOrEqual(t, i, 0)
		require.Equal(t, want, report.Findings[i].PlanTypes)
		require.Equal(t, finding.Warning, report.Findings[i].Severity)
	}
	nested := []file{files[0], files[1], {"views/viewDefinition.json", "{}"}}
	for _, f := range validate(t, azureapp.Options{Now: today}, nested...).Findings {
		require.NotContains(t, f.Code, "APP_VIEW_", "only the root has a view definition")
	}
}

// FuzzViews changes the texts of the UI and of the view definition.
func FuzzViews(f *testing.F) {
	for _, c := range packagestest.Corpus(f, "testdata/ui") {
		texts := map[string]string{}
		for _, one := range c.Files {
			texts[one.Name] = one.Text
		}
		f.Add(texts["createUiDefinition.json"], texts["viewDefinition.json"])
	}
	f.Fuzz(func(t *testing.T, ui, view string) {
		files := []file{{"mainTemplate.json", plainTemplate}, {"createUiDefinition.json", ui}, {"viewDefinition.json", view}}
		first := validate(t, azureapp.Options{Now: today}, files...)
		require.Equal(t, first, validate(t, azureapp.Options{Now: today}, files...))
		report := finding.New("")
		if doc := content.Parse("createUiDefinition.json", []byte(ui), report); doc != nil {
			azureapp.CheckJIT(doc, true, report)
			azureapp.CheckJIT(doc, false, report)
		}
		for _, found := range append(first.Findings, report.Findings...) {
			require.True(t, found.Path == "" || strings.HasPrefix(found.Path, "/"), "%q is a pointer", found.Path)
		}
	})
}
