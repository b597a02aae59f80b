package packages_test

import (
	"archive/zip"
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/packages"
	"stoa/shared/packages/finding"
)

// scenario is a file of the corpus: a title, what is to be found, and the files of the package. The two root files
// are good ones where they are not given, unless the head says bare.
type scenario struct {
	title    string
	findings []string // code, file and pointer
	files    []file
}

func readScenario(t testing.TB, path string) scenario {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	head, rest, _ := strings.Cut("\n"+string(raw), "\n-- ")
	lines := strings.Split(strings.TrimSpace(head), "\n")
	s := scenario{title: lines[0], findings: []string{}}
	bare := false
	for _, line := range lines[1:] {
		found, is := strings.CutPrefix(line, "finding: ")
		bare = bare || line == "bare"
		require.True(t, is || line == "bare", "%s: %q", path, line)
		if is {
			s.findings = append(s.findings, found)
		}
	}
	given := map[string]bool{}
	for _, part := range strings.Split(rest, "\n-- ") {
		if name, text, found := strings.Cut(part, " --\n"); found {
			s.files = append(s.files, file{name, strings.TrimSuffix(text, "\n")})
			given[name] = true
		}
	}
	if !bare {
		for _, f := range good() {
			if !given[f.name] {
				s.files = append(s.files, f)
			}
		}
	}
	return s
}

func corpus(t testing.TB) map[string]scenario {
	t.Helper()
	paths, err := filepath.Glob("testdata/corpus/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	out := map[string]scenario{}
	for _, path := range paths {
		out[filepath.Base(path)] = readScenario(t, path)
	}
	return out
}

func described(r *finding.Report) []string {
	out := []string{}
	for _, f := range r.Findings {
		out = append(out, strings.TrimSpace(f.Code+" "+f.File+" "+f.Path))
	}
	return out
}

func TestCorpus(t *testing.T) {
	t.Parallel()
	for name, s := range corpus(t) {
		t.Run(name+" "+s.title, func(t *testing.T) {
			t.Parallel()
			report := validate(t, "app.zip", zipOf(t, s.files...))
			require.ElementsMatch(t, s.findings, described(report))
			for _, f := range report.Findings {
				require.NotEmpty(t, f.Message)
				require.Equal(t, f.File != ".", f.Line > 0 || strings.HasPrefix(f.Code, "APP_JUNK") || strings.HasPrefix(f.Code, "APP_FILE") ||
					strings.HasPrefix(f.Code, "APP_WRONG"), "%s has a place", f.Code)
				if f.Rule != "" && strings.HasPrefix(s.title, "AZA-") && len(report.Findings) == 1 {
					require.True(t, strings.HasPrefix(s.title, f.Rule+" "), "%s is found by %s", s.title, f.Rule)
				}
			}
		})
	}
}

// encrypted is a package whose entry says that it is.
func encrypted(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	_, err := w.CreateRaw(&zip.FileHeader{Name: "secret.bin", Flags: 0x1})
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

// nothing is a source of zeros.
type nothing struct{}

func (nothing) ReadAt(p []byte, _ int64) (int, error) {
	clear(p)
	return len(p), nil
}

// TestArchiveLimits is AZA-102 at its border, and AZA-105 for what is encrypted.
func TestArchiveLimits(t *testing.T) {
	t.Parallel()
	for size, want := range map[int64]string{1 << 30: "PKG_NOT_ZIP .", 1<<30 + 1: "PKG_TOO_LARGE ."} {
		report, err := packages.Validate(context.Background(), "app.zip", nothing{}, size)
		require.NoError(t, err)
		require.Equal(t, []string{want}, described(report))
	}
	require.Equal(t, []string{"PKG_ENCRYPTED secret.bin"}, described(validate(t, "app.zip", encrypted(t))))
}

// TestEntryInMemory: a root file is held up to AZA-122's limit.
func TestEntryInMemory(t *testing.T) {
	t.Parallel()
	padded := func(size int) []file {
		text := goodTemplate + strings.Repeat(" ", size-len(goodTemplate))
		return []file{{"mainTemplate.json", text}, {"createUiDefinition.json", goodUI}}
	}
	require.Empty(t, validate(t, "app.zip", zipOf(t, padded(4<<20)...)).Findings)
	require.Equal(t, []string{"APP_TEMPLATE_LIMIT mainTemplate.json"}, described(validate(t, "app.zip", zipOf(t, padded(4<<20+1)...))))
}

// FuzzTemplate changes the texts of the two root files: the checks of templates and UI definitions meet any JSON.
func FuzzTemplate(f *testing.F) {
	for _, s := range corpus(f) {
		texts := map[string]string{"mainTemplate.json": goodTemplate, "createUiDefinition.json": goodUI}
		for _, one := range s.files {
			texts[one.name] = one.text
		}
		f.Add(texts["mainTemplate.json"], texts["createUiDefinition.json"])
	}
	f.Fuzz(func(t *testing.T, template, ui string) {
		content := stored(t, file{"mainTemplate.json", template}, file{"createUiDefinition.json", ui})
		report := validate(t, "app.zip", content)
		require.LessOrEqual(t, len(report.Findings), 1000)
		for _, finding := range report.Findings {
			require.NotEmpty(t, finding.Rule)
			require.True(t, finding.Path == "" || strings.HasPrefix(finding.Path, "/"), "%q is a pointer", finding.Path)
		}
		require.Equal(t, report, validate(t, "app.zip", content), "the same bytes, the same report")
	})
}

// stored is a zip without compression, which fuzzing has no time for.
func stored(t testing.TB, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		e, err := w.CreateHeader(&zip.FileHeader{Name: f.name, Method: zip.Store})
		require.NoError(t, err)
		_, err = io.WriteString(e, f.text)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}
