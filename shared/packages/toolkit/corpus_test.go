package toolkit_test

import (
	"os"
	"regexp"
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

// today is when the corpus is judged: ages of API versions count back from here.
var today = time.Date(2025, time.December, 31, 0, 0, 0, 0, time.UTC)

// corpus are the cases of templates, parameter files and all files.
func corpus(t testing.TB) []packagestest.Case { return packagestest.Corpus(t, "testdata/corpus") }

func run(t testing.TB, files [][2]string) *finding.Report {
	t.Helper()
	report := finding.New("AzureApplication")
	docs := []*content.Document{}
	for _, f := range files {
		doc := content.Parse(f[0], []byte(f[1]), report)
		require.NotNil(t, doc, "%s can be read", f[0])
		docs = append(docs, doc)
	}
	toolkit.Run(toolkit.NewInput(docs, today), report)
	report.Sort()
	return report
}

// notes are the rows whose findings do not block although the test does, or are no more than a note.
var notes = map[string]finding.Severity{
	"aza-218-form": finding.Warning, "aza-221-expression": finding.Warning,
	"aza-224-unknown": finding.Info, "aza-224-provider": finding.Info, "aza-231-old": finding.Info,
}

// rules are the rules of templates, parameter files and all files.
var rules = []string{
	"AZA-200", "AZA-218", "AZA-219", "AZA-220", "AZA-221", "AZA-222", "AZA-223", "AZA-224", "AZA-225", "AZA-226",
	"AZA-227", "AZA-228", "AZA-229", "AZA-230", "AZA-231", "AZA-232", "AZA-233", "AZA-234", "AZA-235", "AZA-236",
	"AZA-237", "AZA-238", "AZA-239", "AZA-240", "AZA-241", "AZA-242", "AZA-243", "AZA-244", "AZA-245", "AZA-246",
	"AZA-247", "AZA-248", "AZA-249", "AZA-250", "AZA-251", "AZA-252",
}

// TestEveryRule: each rule has a file that breaks it and one that keeps it, but for those that are switched off.
func TestEveryRule(t *testing.T) {
	t.Parallel()
	broken, kept := map[string]bool{"AZA-244": true, "AZA-251": true}, map[string]bool{}
	for _, c := range corpus(t) {
		for _, rule := range rules {
			switch {
			case !strings.Contains(c.Title, rule+" "):
			case len(c.Findings) == 0:
				kept[rule] = true
			default:
				broken[rule] = true
			}
		}
	}
	for _, rule := range rules {
		require.True(t, broken[rule], "%s is broken by no file", rule)
		require.True(t, kept[rule], "%s is kept by no file", rule)
	}
}

// TestCorpus: each file finds what it says, with the severity of the test.
func TestCorpus(t *testing.T) {
	t.Parallel()
	for _, c := range corpus(t) {
		name := strings.TrimSuffix(c.Name, ".txt")
		t.Run(name+" "+c.Title, func(t *testing.T) {
			t.Parallel()
			report := run(t, filesOf(c))
			require.ElementsMatch(t, c.Findings, packagestest.Described(report))
			for _, f := range report.Findings {
				code, _ := finding.Lookup(f.Code)
				want := code.Severity
				if noted, ok := notes[name]; ok {
					want = noted
				}
				require.Equal(t, want, f.Severity)
				require.Contains(t, c.Title, f.Rule+" ")
				require.NotEmpty(t, f.Message)
				require.NotEmpty(t, f.Fix)
				require.Positive(t, f.Line)
				require.Positive(t, f.Column)
			}
		})
	}
}

// TestEveryTest: the table of codes and the functions name the same tests, and each is found by a file of the corpus
// unless it is switched off.
func TestEveryTest(t *testing.T) {
	t.Parallel()
	templates := func(c finding.Code) bool { return strings.HasPrefix(c.Code, "arm-ttk/") && !userInterface(c.Rule) }
	packagestest.Covers(t, corpus(t), templates)
	names := toolkit.Names()
	for _, c := range finding.Codes() {
		if templates(c) {
			require.Contains(t, names, c.Test)
		}
	}
	for _, name := range names {
		c, ok := finding.Lookup("arm-ttk/" + name)
		require.True(t, ok, name)
		require.Equal(t, name, c.Test)
	}
	require.True(t, slices.IsSorted(names))
}

// userInterface reports whether a rule is one of UI definitions, whose corpus is its own.
func userInterface(rule string) bool { return rule >= "AZA-201" && rule <= "AZA-217" }

// FuzzRun: any JSON gives a report, and the same one twice.
func FuzzRun(f *testing.F) {
	for _, c := range corpus(f) {
		f.Add(c.Files[0].Text, c.Files[len(c.Files)-1].Text)
	}
	f.Fuzz(func(t *testing.T, main, linked string) {
		reports := [2]*finding.Report{}
		for i := range reports {
			report := finding.New("AzureApplication")
			docs := []*content.Document{}
			for name, text := range map[string]string{"mainTemplate.json": main, "nestedtemplates/linked.json": linked, "x.parameters.json": linked} {
				if doc := content.Parse(name, []byte(text), report); doc != nil {
					docs = append(docs, doc)
				}
			}
			toolkit.Run(toolkit.NewInput(docs, today), report)
			report.Sort()
			reports[i] = report
		}
		require.Equal(t, reports[0].Findings, reports[1].Findings)
		for _, found := range reports[0].Findings {
			require.True(t, found.Path == "" || strings.HasPrefix(found.Path, "/"), "%q is a pointer", found.Path)
		}
	})
}

// TestParityTable: PARITY.md has one row for each test.
func TestParityTable(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("PARITY.md")
	require.NoError(t, err)
	var named []string
	for _, row := range regexp.MustCompile(`(?m)^\| (AZA-\d+) \| ([\w-]+) \| \d+ \| \d+ \| (?:same|differs)\b`).FindAllStringSubmatch(string(raw), -1) {
		code, known := finding.Lookup("arm-ttk/" + row[2])
		require.True(t, known && code.Rule == row[1], "%s %s", row[1], row[2])
		named = append(named, row[2])
	}
	require.ElementsMatch(t, toolkit.Names(), named)
}
