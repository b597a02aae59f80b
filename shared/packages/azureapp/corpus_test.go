package azureapp_test

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/packages/azureapp"
	"stoa/shared/packages/content"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/packagestest"
)

var today = time.Date(2025, time.December, 31, 0, 0, 0, 0, time.UTC)

const goodUI = `{"$schema": "https://schema.management.azure.com/schemas/0.1.2-preview/CreateUIDefinition.MultiVm.json#",
 "handler": "Microsoft.Azure.CreateUIDef", "version": "0.1.2-preview",
 "parameters": {"basics": [], "steps": [], "outputs": {"location": "[location()]"}}}`

// corpus are the cases of files, templates and artifacts by their names. The UI definition is a good one where it is not
// given, unless an option says that the files are bare.
func corpus(t testing.TB) map[string]packagestest.Case {
	t.Helper()
	out := map[string]packagestest.Case{}
	for _, c := range packagestest.Corpus(t, "testdata/corpus") {
		given := func(f packagestest.File) bool { return f.Name == "createUiDefinition.json" }
		if c.Options["bare"] == "" && !slices.ContainsFunc(c.Files, given) {
			c.Files = append(c.Files, packagestest.File{Name: "createUiDefinition.json", Text: goodUI})
		}
		out[strings.TrimSuffix(c.Name, ".txt")] = c
	}
	return out
}

type file struct{ name, text string }

func filesOf(c packagestest.Case) []file {
	out := []file{}
	for _, f := range c.Files {
		out = append(out, file{f.Name, f.Text})
	}
	return out
}

func treeOf(files ...file) *content.Tree {
	list := []*content.File{}
	for _, f := range files {
		list = append(list, &content.File{Name: f.name, Size: int64(len(f.text)), Open: func() (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(f.text)), nil
		}})
	}
	return content.NewTree(list)
}

func validate(t testing.TB, options azureapp.Options, files ...file) *finding.Report {
	t.Helper()
	report := finding.New("AzureApplication")
	_, err := azureapp.Validate(context.Background(), treeOf(files...), options, report)
	require.NoError(t, err)
	report.Sort()
	return report
}

// described are the findings of the rules of templates; those of the UI definition have a corpus of their own.
func described(r *finding.Report) []string {
	out := []string{}
	for _, f := range r.Findings {
		if f.File != "createUiDefinition.json" {
			out = append(out, strings.TrimSpace(strings.Join([]string{f.Code, f.File, f.Path, strings.Join(f.PlanTypes, ",")}, " ")))
		}
	}
	for i := range out {
		out[i] = strings.ReplaceAll(out[i], "  ", " ")
	}
	return out
}

// rules are the rules of files, templates and artifacts.
var rules = []string{
	"AZA-107", "AZA-110", "AZA-111", "AZA-112", "AZA-113", "AZA-114", "AZA-115", "AZA-116", "AZA-117", "AZA-119",
	"AZA-120", "AZA-121", "AZA-122", "AZA-123", "AZA-124", "AZA-125", "AZA-126", "AZA-130", "AZA-131", "AZA-132",
	"AZA-133", "AZA-134", "AZA-135", "AZA-140", "AZA-141", "AZA-142", "AZA-143",
}

// TestEveryRule: each rule has a file that breaks it.
func TestEveryRule(t *testing.T) {
	t.Parallel()
	broken := map[string]bool{}
	for _, c := range corpus(t) {
		for _, rule := range rules {
			if strings.Contains(c.Title, rule+" ") && len(c.Findings) > 0 {
				broken[rule] = true
			}
		}
	}
	for _, rule := range rules {
		require.True(t, broken[rule], "%s is broken by no file", rule)
	}
}

// TestCorpus: each file finds what it says; the titles of the files name the rules.
func TestCorpus(t *testing.T) {
	t.Parallel()
	for name, c := range corpus(t) {
		t.Run(name+" "+c.Title, func(t *testing.T) {
			t.Parallel()
			report := validate(t, azureapp.Options{PlanType: c.Options["plan"], Now: today}, filesOf(c)...)
			require.ElementsMatch(t, c.Findings, described(report))
			for _, f := range report.Findings {
				if f.File == "createUiDefinition.json" {
					continue
				}
				require.NotEmpty(t, f.Message)
				require.NotEmpty(t, f.Fix)
				if strings.HasPrefix(f.Code, "APP_") {
					require.Contains(t, c.Title, f.Rule+" ")
				}
				require.Equal(t, f.Path != "", f.Path != "" && f.Line > 0 && f.Column > 0, "what stands in a text has a line and a column")
			}
		})
	}
}

// elsewhere are the codes of the table that other packages find.
var elsewhere = []string{"APP_TRACKING_", "APP_VERSION_", "APP_UI_", "APP_VIEW_", "APP_JIT_", "APP_JUNK", "APP_MALWARE", "APP_ENTRY"}

// TestEveryCode: each code of templates is found by a file of the corpus.
func TestEveryCode(t *testing.T) {
	t.Parallel()
	cases := []packagestest.Case{}
	for _, c := range corpus(t) {
		cases = append(cases, c)
	}
	packagestest.Covers(t, cases, func(c finding.Code) bool {
		other := func(prefix string) bool { return strings.HasPrefix(c.Code, prefix) }
		return strings.HasPrefix(c.Code, "APP_") && !slices.ContainsFunc(elsewhere, other)
	})
}

// TestPlanTypes is AZA-107 and AZA-131: a finding that depends on the type of the plan blocks when that is known.
func TestPlanTypes(t *testing.T) {
	t.Parallel()
	cluster := filesOf(corpus(t)["aza-107"])
	for plan, blocks := range map[string]bool{"": false, azureapp.SolutionTemplate: true, azureapp.ManagedApplication: false} {
		require.Equal(t, blocks, validate(t, azureapp.Options{PlanType: plan, Now: today}, cluster...).Blocking, plan)
	}
	registry := validate(t, azureapp.Options{PlanType: azureapp.SolutionTemplate, Now: today}, filesOf(corpus(t)["aza-131-registry"])...)
	require.False(t, registry.Blocking)
	require.Equal(t, finding.Warning, registry.Findings[0].Severity)
}

// TestRootLimit is AZA-122 at its border, and AZA-100: other files that are too long to be held are read through.
func TestRootLimit(t *testing.T) {
	t.Parallel()
	good := filesOf(corpus(t)["good"])
	padded := func(text string, size int) string { return text + strings.Repeat(" ", size-len(text)) }
	at := file{good[0].name, padded(good[0].text, 4<<20)}
	require.Empty(t, described(validate(t, azureapp.Options{Now: today}, at, good[1])))
	over := file{good[0].name, padded(good[0].text, 4<<20+1)}
	require.Equal(t, []string{"APP_TEMPLATE_LIMIT mainTemplate.json"}, described(validate(t, azureapp.Options{Now: today}, over, good[1])))
	long := file{"data/long.json", padded(`{"a": [1, "ü\u00e4", {}]}`, 9<<20)}
	require.Empty(t, described(validate(t, azureapp.Options{Now: today}, append([]file{long}, good...)...)))
	long.name = "long.json"
	require.Equal(t, []string{"APP_TEMPLATE_LIMIT long.json"}, described(validate(t, azureapp.Options{Now: today}, append([]file{long}, good...)...)))
	linked := file{"nestedtemplates/a.json", padded(good[0].text, 4<<20+1)}
	require.Equal(t, []string{"APP_TEMPLATE_LIMIT nestedtemplates/a.json"}, described(validate(t, azureapp.Options{Now: today}, append([]file{linked}, good...)...)))
	broken := file{"data/long.json", padded("{\n \"ü\": tru}", 9<<20)}
	report := validate(t, azureapp.Options{Now: today}, append([]file{broken}, good...)...)
	require.Equal(t, []string{"APP_JSON_INVALID data/long.json"}, described(report))
	require.Equal(t, []int{2, 7}, []int{report.Findings[0].Line, report.Findings[0].Column})
}

// TestCancelled: the error is that of the context.
func TestCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := azureapp.Validate(ctx, treeOf(filesOf(corpus(t)["good"])...), azureapp.Options{}, finding.New(""))
	require.ErrorIs(t, err, context.Canceled)
}

// FuzzTemplates changes the texts of the main and of a linked template.
func FuzzTemplates(f *testing.F) {
	for _, c := range corpus(f) {
		f.Add([]byte(c.Files[0].Text), []byte(c.Files[min(1, len(c.Files)-1)].Text))
	}
	f.Fuzz(func(t *testing.T, main, linked []byte) {
		files := []file{
			{"mainTemplate.json", string(main)}, {"nestedtemplates/a.json", string(linked)}, {"createUiDefinition.json", goodUI},
		}
		first, second := validate(t, azureapp.Options{Now: today}, files...), validate(t, azureapp.Options{Now: today}, files...)
		require.Equal(t, first, second)
		for _, found := range first.Findings {
			require.True(t, found.Path == "" || strings.HasPrefix(found.Path, "/"), "%q is a pointer", found.Path)
		}
	})
}
