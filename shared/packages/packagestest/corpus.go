// Package packagestest reads the corpora of broken packages: data files, each with what is to be found in it.
//
// A file begins with a title that names the rule, then lines "finding: CODE FILE POINTER" for what is to be found
// and lines "option: name=value" for what is known beside the package, then the files of the package, each below a
// line "-- name --".
package packagestest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/packages/finding"
)

// Case is one file of a corpus.
type Case struct {
	Name     string
	Title    string
	Findings []string // code, file and pointer, separated by blanks
	Options  map[string]string
	Files    []File
}

// File is one file of a case's package.
type File struct{ Name, Text string }

// Corpus reads all files of a folder, sorted by name. A line of the head that is neither of the two kinds fails.
func Corpus(t testing.TB, dir string) []Case {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	require.NoError(t, err)
	require.NotEmpty(t, paths, "no corpus in %s", dir)
	slices.Sort(paths)
	out := make([]Case, len(paths))
	for i, path := range paths {
		raw, err := os.ReadFile(path)
		require.NoError(t, err)
		out[i] = parse(t, filepath.Base(path), string(raw))
	}
	return out
}

func parse(t testing.TB, name, text string) Case {
	t.Helper()
	parts := strings.Split("\n"+text, "\n-- ")
	lines := strings.Split(strings.TrimSpace(parts[0]), "\n")
	c := Case{Name: name, Title: lines[0], Findings: []string{}, Options: map[string]string{}}
	for _, line := range lines[1:] {
		found, isFinding := strings.CutPrefix(line, "finding: ")
		option, isOption := strings.CutPrefix(line, "option: ")
		require.True(t, isFinding || isOption, "%s: %q", name, line)
		if isFinding {
			c.Findings = append(c.Findings, found)
			continue
		}
		key, value, _ := strings.Cut(option, "=")
		c.Options[key] = value
	}
	for _, part := range parts[1:] {
		file, body, found := strings.Cut(part, " --\n")
		require.True(t, found, "%s: a section without a name", name)
		c.Files = append(c.Files, File{file, strings.TrimSuffix(body, "\n")})
	}
	return c
}

// Described are the findings of a report as a corpus writes them.
func Described(r *finding.Report) []string {
	out := []string{}
	for _, f := range r.Findings {
		out = append(out, strings.TrimSpace(f.Code+" "+f.File+" "+f.Path))
	}
	return out
}

// Covers fails unless every code that the filter takes is found by a case, or is named as covered elsewhere; and
// unless some case finds nothing.
func Covers(t testing.TB, cases []Case, takes func(finding.Code) bool, elsewhere ...string) {
	t.Helper()
	found, clean := map[string]bool{}, false
	for _, code := range elsewhere {
		found[code] = true
	}
	for _, c := range cases {
		clean = clean || len(c.Findings) == 0
		for _, f := range c.Findings {
			code, _, _ := strings.Cut(f, " ")
			found[code] = true
		}
	}
	require.True(t, clean, "no clean package in the corpus")
	for _, code := range finding.Codes() {
		if takes(code) && !code.Off {
			require.True(t, found[code.Code], "%s is found by no case", code.Code)
			require.NotEmpty(t, code.Fix, "%s has no advice", code.Code)
			require.NotEmpty(t, code.Rule, "%s has no rule", code.Code)
		}
	}
}

// Breaks fails unless each of the rules is the first word of a case that finds something under it.
func Breaks(t testing.TB, cases []Case, rules ...string) {
	t.Helper()
	for _, rule := range rules {
		require.True(t, slices.ContainsFunc(cases, func(c Case) bool {
			code, _, _ := strings.Cut(strings.Join(c.Findings, " "), " ")
			found, known := finding.Lookup(code)
			return strings.HasPrefix(c.Title, rule+" ") && known && found.Rule == rule
		}), "no case breaks %s", rule)
	}
}
