package toolkit_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/packages/content"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/packagestest"
	"stoa/shared/packages/toolkit"
)

// rule is the rule that the name of a corpus file begins with.
func rule(name string) string { return strings.ToUpper(name[:min(len(name), len("aza-000"))]) }

// TestUICorpus is AZA-201 to AZA-217: the names of the files say which rule they are for. A file finds what it says of
// its rule, and the good one finds nothing of any.
func TestUICorpus(t *testing.T) {
	t.Parallel()
	cases := packagestest.Corpus(t, "testdata/ui")
	for _, c := range cases {
		t.Run(c.Name+" "+c.Title, func(t *testing.T) {
			t.Parallel()
			good := c.Name == "good.txt"
			found := finding.New("AzureApplication")
			for _, f := range run(t, filesOf(c)).Findings {
				if userInterface(f.Rule) && (good || f.Rule == rule(c.Name)) {
					found.Findings = append(found.Findings, f)
				}
			}
			require.ElementsMatch(t, c.Findings, packagestest.Described(found))
			for _, f := range found.Findings {
				code, _ := finding.Lookup(f.Code)
				if c.Options["severity"] != "" {
					code.Severity = finding.Severity(c.Options["severity"])
				}
				require.Equal(t, code.Severity, f.Severity)
				require.True(t, strings.HasPrefix(c.Title, f.Rule+" "), "%s is found under %s", f.Rule, c.Title)
				require.NotEmpty(t, f.Message)
				require.Positive(t, f.Line)
				require.Positive(t, f.Column)
			}
		})
	}
	packagestest.Covers(t, cases, func(c finding.Code) bool { return c.Test != "" && userInterface(c.Rule) })
}

// TestUIBothSides: each rule has files that break it and files that just keep it.
func TestUIBothSides(t *testing.T) {
	t.Parallel()
	broken, kept := map[string]bool{}, map[string]bool{}
	for _, c := range packagestest.Corpus(t, "testdata/ui") {
		broken[rule(c.Name)] = broken[rule(c.Name)] || len(c.Findings) > 0
		kept[rule(c.Name)] = kept[rule(c.Name)] || len(c.Findings) == 0
	}
	for _, r := range []string{
		"AZA-201", "AZA-202", "AZA-203", "AZA-204", "AZA-205", "AZA-206", "AZA-207", "AZA-208", "AZA-209",
		"AZA-210", "AZA-211", "AZA-212", "AZA-213", "AZA-214", "AZA-215", "AZA-216", "AZA-217",
	} {
		require.True(t, broken[r] && kept[r], "%s: broken %t, kept %t", r, broken[r], kept[r])
	}
}

func filesOf(c packagestest.Case) [][2]string {
	out := [][2]string{}
	for _, f := range c.Files {
		out = append(out, [2]string{f.Name, f.Text})
	}
	return out
}

// TestUIPlaces: a finding about what is missing stands where its object begins.
func TestUIPlaces(t *testing.T) {
	t.Parallel()
	report := run(t, [][2]string{{"createUiDefinition.json", "{\n \"handler\": \"x\",\n  \"parameters\": {\"Basics\": [\n   {\"type\": \"Microsoft.Common.TextBox\"}]}}"}})
	places := map[string][2]int{}
	for _, f := range report.Findings {
		places[f.Path] = [2]int{f.Line, f.Column}
	}
	for path, want := range map[string][2]int{
		"/$schema": {1, 1}, "/handler": {2, 2}, "/parameters/outputs/location": {3, 3}, "/parameters/Basics/0/toolTip": {4, 4},
	} {
		require.Equal(t, want, places[path], path)
	}
}

// TestUIHostile: many controls, outputs and long texts take no time that grows with their product.
func TestUIHostile(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1<<20)
	const control = `{"name": "c", "type": "Microsoft.Compute.SizeSelector", "constraints": {"allowedValues": ["a"]}},`
	outputs := []string{}
	for i := range 5_000 {
		outputs = append(outputs, fmt.Sprintf("\"o%d\": \"[steps('d').c]\"", i))
	}
	ui := `{"parameters": {"basics": [` + strings.Repeat(control, 20_000) + `{}], "outputs": {` + strings.Join(outputs, ",\n") + `, "z": "[basics('c')]"}}}`
	main := `{"parameters": {"z": {"defaultValue": "` + long + `"}, "` + long + `": {}}, "resources": []}`
	start := time.Now()
	report := run(t, [][2]string{{"createUiDefinition.json", ui}, {"mainTemplate.json", main}})
	require.Less(t, time.Since(start), 30*time.Second)
	require.True(t, report.Blocking)
}

// FuzzUI: any two texts give a report, and the same one twice.
func FuzzUI(f *testing.F) {
	for _, c := range packagestest.Corpus(f, "testdata/ui") {
		texts := map[string]string{"mainTemplate.json": "{}"}
		for _, one := range c.Files {
			texts[one.Name] = one.Text
		}
		f.Add(texts["createUiDefinition.json"], texts["mainTemplate.json"])
	}
	f.Fuzz(func(t *testing.T, ui, main string) {
		once := func() *finding.Report {
			report := finding.New("")
			docs := []*content.Document{}
			texts := map[string]string{"createUiDefinition.json": ui, "mainTemplate.json": main}
			for _, name := range slices.Sorted(maps.Keys(texts)) {
				if doc := content.Parse(name, []byte(texts[name]), report); doc != nil {
					docs = append(docs, doc)
				}
			}
			toolkit.Run(toolkit.NewInput(docs, today), report)
			report.Sort()
			return report
		}
		first := once()
		require.Equal(t, first, once())
		for _, found := range first.Findings {
			require.True(t, found.Path == "" || strings.HasPrefix(found.Path, "/"), "%q is a pointer", found.Path)
			require.LessOrEqual(t, found.Line, strings.Count(ui, "\n")+strings.Count(main, "\n")+1)
		}
	})
}
