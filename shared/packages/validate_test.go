package packages_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/packages"
	"stoa/shared/packages/finding"
)

const goodTemplate = `{
  "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
  "contentVersion": "1.0.0.0",
  "parameters": {"location": {"type": "string", "metadata": {"description": "where"}}},
  "resources": [{"type": "Microsoft.Storage/storageAccounts", "apiVersion": "2024-01-01", "name": "n", "location": "[parameters('location')]"}]
}`

const goodUI = `{"$schema": "https://schema.management.azure.com/schemas/0.1.2-preview/CreateUIDefinition.MultiVm.json#",
 "handler": "Microsoft.Azure.CreateUIDef", "version": "0.1.2-preview",
 "parameters": {"basics": [], "steps": [], "outputs": {"location": "[location()]"}}}`

type file struct{ name, text string }

func good(more ...file) []file {
	return append([]file{{"mainTemplate.json", goodTemplate}, {"createUiDefinition.json", goodUI}}, more...)
}

func zipOf(t testing.TB, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		method := zip.Deflate
		if f.text == "" {
			method = zip.Store // a compressor per empty entry is slow
		}
		e, err := w.CreateHeader(&zip.FileHeader{Name: f.name, Method: method})
		require.NoError(t, err)
		_, err = io.WriteString(e, f.text)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

func validate(t testing.TB, name string, content []byte) *finding.Report {
	t.Helper()
	report, err := packages.Validate(context.Background(), "", packages.Package{Name: name, Bytes: bytes.NewReader(content), Size: int64(len(content))}, packages.Options{})
	require.NoError(t, err)
	return report
}

func codesOf(r *finding.Report) []string {
	out := []string{}
	for _, f := range r.Findings {
		out = append(out, f.Code)
	}
	return out
}

func TestGoodPackage(t *testing.T) {
	t.Parallel()
	report := validate(t, "app.ZIP", zipOf(t, good(file{"scripts/run.sh", "x"})...))
	require.Equal(t, &finding.Report{Type: "AzureApplication", Files: 3, Findings: []finding.Finding{}}, report)
}

func TestFindings(t *testing.T) {
	t.Parallel()
	link := func() []byte {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		h := &zip.FileHeader{Name: "link"}
		h.SetMode(fs.ModeSymlink | 0o777)
		_, err := w.CreateHeader(h)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		return b.Bytes()
	}()
	damaged := zipOf(t, good()...)
	damaged[60] ^= 0xff
	replaced := func(old, with string) []byte {
		return zipOf(t, file{"mainTemplate.json", strings.Replace(goodTemplate, old, with, 1)}, file{"createUiDefinition.json", goodUI})
	}
	for _, row := range []struct {
		name    string
		content []byte
		codes   []string
	}{
		{"AZA-101 empty", nil, []string{"PKG_EMPTY"}},
		{"AZA-101 no zip", []byte("hello"), []string{"PKG_NOT_ZIP"}},
		{"AZA-105 leaves the archive", zipOf(t, file{`a\..\..\b`, ""}), []string{"PKG_UNSAFE_PATH"}},
		{"AZA-105 absolute", zipOf(t, file{"/etc/passwd", ""}), []string{"PKG_UNSAFE_PATH"}},
		{"AZA-105 drive", zipOf(t, file{"c:x", ""}), []string{"PKG_UNSAFE_PATH"}},
		{"AZA-105 link", link, []string{"PKG_UNSAFE_PATH"}},
		{"AZA-105 same name in another case", zipOf(t, good(file{"MAINtemplate.json", "{}"})...), []string{"PKG_DUPLICATE_ENTRY"}},
		{"AZA-105 damaged", damaged, []string{"PKG_CORRUPT_ENTRY"}},
		{"AZA-104 ratio", zipOf(t, file{"zeros", strings.Repeat("\x00", 11<<20)}), []string{"PKG_BOMB"}},
		{"AZA-110 both missing", zipOf(t, file{"a.txt", ""}), []string{"APP_MAIN_TEMPLATE_MISSING", "APP_UI_DEFINITION_MISSING"}},
		{"AZA-111 in a folder", zipOf(t, file{"app/mainTemplate.json", "{}"}, file{"app/createUiDefinition.json", "{}"}),
			[]string{"APP_WRAPPED_IN_FOLDER", "arm-ttk/DeploymentTemplate-Schema-Is-Correct"}},
		{"AZA-112 case", zipOf(t, file{"MainTemplate.json", goodTemplate}, file{"createUiDefinition.json", goodUI}), []string{"APP_FILE_NAME_CASE"}},
		{"AZA-113 other kind", zipOf(t, file{"azuredeploy.json", strings.Replace(goodTemplate, `"name": "n", `, ``, 1)}, file{"createUiDefinition.json", goodUI}),
			[]string{"APP_WRONG_TEMPLATE_NAME", "APP_RESOURCE_FIELDS"}},
		{"AZA-114 not UTF-8", zipOf(t, good(file{"x.json", "\"\xff\""})...), []string{"APP_ENCODING"}},
		{"AZA-114 byte-order mark", zipOf(t, good(file{"x.json", "\xef\xbb\xbf{}"})...), []string{}},
		{"AZA-115 unreferred file", zipOf(t, good(file{"x.json", "{"})...), []string{"APP_JSON_INVALID"}},
		{"AZA-116 later stages still run", replaced(`"contentVersion": "1.0.0.0"`, `/* c */ "contentVersion": "1"`), []string{"APP_CONTENT_VERSION", "APP_JSON_COMMENT"}},
		{"AZA-117", replaced(`"contentVersion"`, `"ContentVersion": 1, "contentVersion"`), []string{"APP_JSON_DUPLICATE_KEY", "APP_CONTENT_VERSION"}},
		{"AZA-118 junk is no JSON", zipOf(t, good(file{"__MACOSX/._mainTemplate.json", "\x00"})...), []string{"APP_JUNK_ENTRY"}},
		{"AZA-120", replaced(`"resources"`, `"resource"`), []string{"APP_TEMPLATE_ROOT"}},
		{"AZA-121", replaced(`"type": "string"`, `"type": "text"`), []string{"APP_TEMPLATE_SECTION_TYPE", "arm-ttk/Location-Should-Not-Be-Hardcoded"}},
		{"AZA-123", replaced(`"name": "n", `, ``), []string{"APP_RESOURCE_FIELDS"}},
		{"AZA-239 AZA-246", replaced(`"parameters": {`, `"parameters": {"pw": {"type": "secureString", "defaultValue": "x", "metadata": {"description": "d"}}, `),
			[]string{"arm-ttk/Parameters-Must-Be-Referenced", "arm-ttk/Secure-String-Parameters-Cannot-Have-Default"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			require.ElementsMatch(t, row.codes, codesOf(validate(t, "app.zip", row.content)))
		})
	}
	require.Equal(t, []string{"PKG_WRONG_EXTENSION"}, codesOf(validate(t, "app.tar", zipOf(t, good()...))))
}

// TestEntries is AZA-104 at its border.
func TestEntries(t *testing.T) {
	t.Parallel()
	many := func(n int) []byte {
		files := good()
		for i := len(files); i < n; i++ {
			files = append(files, file{fmt.Sprintf("f%05d", i), ""})
		}
		return zipOf(t, files...)
	}
	require.Empty(t, validate(t, "app.zip", many(10_000)).Findings)
	require.Equal(t, []string{"PKG_BOMB"}, codesOf(validate(t, "app.zip", many(10_001))))
}

type broken struct{}

func (broken) ReadAt([]byte, int64) (int, error) { return 0, errors.New("away") }

func TestStoreFailureIsNoFinding(t *testing.T) {
	t.Parallel()
	_, err := packages.Validate(t.Context(), "", packages.Package{Name: "app.zip", Bytes: broken{}, Size: 1000}, packages.Options{})
	require.Error(t, err)
}

func FuzzValidate(f *testing.F) {
	f.Add(zipOf(f, good()...))
	f.Add(zipOf(f, file{"app/mainTemplate.json", "{}"}))
	f.Add([]byte("PK\x05\x06"))
	f.Fuzz(func(t *testing.T, content []byte) {
		first, second := validate(t, "app.zip", content), validate(t, "app.zip", content)
		require.Equal(t, first, second)
		for _, finding := range first.Findings {
			require.NotContains(t, finding.File, "\x00")
		}
	})
}

func described(r *finding.Report) []string {
	out := []string{}
	for _, f := range r.Findings {
		out = append(out, strings.TrimSpace(f.Code+" "+f.File+" "+f.Path))
	}
	return out
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
		report, err := packages.Validate(context.Background(), "", packages.Package{Name: "app.zip", Bytes: nothing{}, Size: size}, packages.Options{})
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
