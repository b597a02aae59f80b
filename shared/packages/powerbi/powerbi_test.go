package powerbi_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"stoa/shared/packages/archive"
	"stoa/shared/packages/content"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/packagestest"
	"stoa/shared/packages/powerbi"
)

func tree(files ...packagestest.File) *content.Tree {
	list := make([]*content.File, len(files))
	for i, f := range files {
		list[i] = &content.File{Name: f.Name, Size: int64(len(f.Text)), Open: func() (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(f.Text)), nil
		}}
	}
	return content.NewTree(list)
}

func options(c packagestest.Case) powerbi.VisualOptions {
	o := powerbi.VisualOptions{Certification: c.Options["certification"] != "", SameBytes: c.Options["sameBytes"] != "", TakenBy: c.Options["taken"]}
	if guid, version, found := strings.Cut(c.Options["published"], " "); found {
		o.Published = &powerbi.Visual{GUID: guid, Version: version}
	}
	return o
}

var covered = map[string]bool{}

func visuals(t *testing.T) {
	cases := packagestest.Corpus(t, "testdata/corpus")
	packagestest.Breaks(t, cases, "PBV-17", "PBV-18", "PBV-19", "PBV-20", "PBV-25")
	for _, c := range cases {
		report := finding.New("PowerBIVisual")
		_, err := powerbi.ValidateVisual(tree(c.Files...), options(c), report)
		require.NoError(t, err, c.Name)
		require.ElementsMatch(t, c.Findings, packagestest.Described(report), "%s %s", c.Name, c.Title)
		require.False(t, c.Options["warnings"] != "" && report.Blocking, c.Title)
		for _, f := range report.Findings {
			covered[f.Code] = true
			require.Contains(t, c.Title, f.Rule, c.Name)
		}
	}
}

// sample is a clean report whose parts a row replaces; an empty text removes one.
func sample(t *testing.T, parts map[string]string) *content.Tree {
	t.Helper()
	all := map[string]string{
		"[Content_Types].xml": "<Types/>", "Version": utf16le("1.28"), "DataModel": "opaque",
		"Report/Layout": utf16le(`{"sections":[]}`),
		"Report/CustomVisuals/Radar/package.json": `{"visual":{"guid":"radar1","version":"1.0.0.0"}}`,
		"Connections": `{"Version":1,"Connections":[{"Name":"a","ConnectionString":"x","ConnectionType":"import"}]}`,
		"DataMashup":  mashup(t, `section Section1; shared T = #table({"a"}, {{1}});`),
	}
	maps.Copy(all, parts)
	var files []packagestest.File
	for name, text := range all {
		if text != "" {
			files = append(files, packagestest.File{Name: name, Text: text})
		}
	}
	return tree(files...)
}

func utf16le(s string) string {
	var b bytes.Buffer
	for _, u := range utf16.Encode([]rune(s)) {
		_ = binary.Write(&b, binary.LittleEndian, u)
	}
	return b.String()
}

// mashup is the part that holds queries.
func mashup(t *testing.T, query string) string {
	t.Helper()
	var inner bytes.Buffer
	w := zip.NewWriter(&inner)
	e, err := w.Create("Formulas/Section1.m")
	require.NoError(t, err)
	_, err = io.WriteString(e, query)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	var b bytes.Buffer
	_ = binary.Write(&b, binary.LittleEndian, []uint32{0, uint32(inner.Len())})
	b.Write(inner.Bytes())
	return b.String() + "permissions"
}

func reports(t *testing.T) {
	const visual = "Report/CustomVisuals/Radar/package.json"
	for _, row := range []struct {
		name  string
		parts map[string]string
		want  []string
	}{
		{"PBV-22 clean", nil, []string{}},
		{"PBV-17 a layout in UTF-8", map[string]string{"Report/Layout": "", "Report/definition/report.json": `{}`}, []string{}},
		{"PBV-17 no content types", map[string]string{"[Content_Types].xml": ""}, []string{"PBIX_INVALID ."}},
		{"PBV-17 no version", map[string]string{"Version": ""}, []string{"PBIX_INVALID ."}},
		{"PBV-17 no layout", map[string]string{"Report/Layout": ""}, []string{"PBIX_INVALID ."}},
		{"PBV-21 not embedded", map[string]string{visual: ""}, []string{"PBIX_VISUAL_MISSING ."}},
		{"PBV-21 another visual", map[string]string{visual: `{"visual":{"guid":"radar2","version":"1.0.0.0"}}`}, []string{"PBIX_VISUAL_MISSING ."}},
		{"PBV-21 another version", map[string]string{visual: `{"visual":{"guid":"radar1","version":"1.1.0.0"}}`}, []string{"PBIX_VISUAL_VERSION " + visual + " /visual/version"}},
		{"PBV-21 the folder's name does not count", map[string]string{visual: "", "Report/CustomVisuals/x/package.json": `{"visual":{"guid":"radar1","version":"1.0.0.0"}}`}, []string{}},
		{"PBV-22 from the store", map[string]string{visual: "", "Report/Layout": utf16le(`{"publicCustomVisuals":["radar1"]}`)}, []string{"PBIX_VISUAL_FROM_STORE Report/Layout"}},
		{"PBV-22 from the store, in a text", map[string]string{visual: "", "Report/Layout": utf16le(`{"config":"{\"publicCustomVisuals\":[\"radar1\"]}"}`)}, []string{"PBIX_VISUAL_FROM_STORE Report/Layout"}},
		{"PBV-22 another one from the store", map[string]string{"Report/Layout": utf16le(`{"publicCustomVisuals":["other"]}`)}, []string{}},
		{"PBV-22 live", map[string]string{"Connections": `{"Connections":[{"ConnectionType":"pbiServiceLive"}]}`}, []string{"PBIX_EXTERNAL_CONNECTION Connections /Connections/0"}},
		{"PBV-22 no connections", map[string]string{"Connections": ""}, []string{}},
		{"PBV-22 no model", map[string]string{"DataModel": ""}, []string{"PBIX_NO_MODEL ."}},
		{"PBV-22 a query of the web", map[string]string{"DataMashup": mashup(t, `shared T = Web.Contents("https://a.example");`)}, []string{"PBIX_EXTERNAL_QUERY DataMashup /Formulas/Section1.m"}},
		{"PBV-22 a mashup that cannot be read", map[string]string{"DataMashup": "\x00\x00\x00\x00\xff\xff\xff\xff"}, []string{}},
	} {
		report := finding.New("PowerBIVisual")
		require.NoError(t, powerbi.ValidateReport(sample(t, row.parts), powerbi.Visual{GUID: "radar1", Version: "1.0.0.0"}, report))
		require.ElementsMatch(t, row.want, packagestest.Described(report), row.name)
		for _, f := range report.Findings {
			covered[f.Code] = true
			require.Contains(t, row.name, f.Rule)
		}
	}
}

func installerLinks(t *testing.T) {
	const id = "11111111-1111-4111-8111-111111111111"
	const good = "https://app.powerbi.com/Redirect?action=InstallApp&appId=" + id + "&packageKey=k&ownerId=" + id + "&buildVersion=3"
	for _, row := range []struct{ name, old, with string }{
		{"", "", ""},
		{"", "/Redirect", "/redirect"},
		{"http", "https:", "http:"},
		{"another host", "app.powerbi.com", "app.powerbi.example"},
		{"another path", "/Redirect", "/Redirect/x"},
		{"another action", "InstallApp", "installapp"},
		{"no app", "appId=" + id + "&", ""},
		{"no key", "packageKey=k&", ""},
		{"an owner that is no GUID", "ownerId=" + id, "ownerId=me"},
		{"a broken query", "&buildVersion=3", "&x=%zz"},
		{"no address", "https:", ":"},
	} {
		report := finding.New("PowerBIApp")
		powerbi.CheckInstallerLink(strings.Replace(good, row.old, row.with, 1), report)
		require.Equal(t, row.name != "", report.Blocking, "PBA-5 %s", row.name)
		for _, f := range report.Findings {
			covered[f.Code] = true
		}
	}
}

func listingImages(t *testing.T) {
	encoded := func(w, h int) []byte {
		var b bytes.Buffer
		require.NoError(t, png.Encode(&b, image.NewGray(image.Rect(0, 0, w, h))))
		return b.Bytes()
	}
	var photo bytes.Buffer
	require.NoError(t, jpeg.Encode(&photo, image.NewGray(image.Rect(0, 0, 300, 300)), nil))
	for _, row := range []struct {
		name string
		raw  []byte
		slot powerbi.Slot
		want []string
	}{
		{"an icon", encoded(300, 300), powerbi.Icon, nil},
		{"a screenshot", encoded(1366, 768), powerbi.Screenshot, nil},
		{"another size", encoded(300, 301), powerbi.Icon, []string{"IMG_SIZE a.png"}},
		{"a photo", photo.Bytes(), powerbi.Icon, []string{"IMG_NOT_PNG a.png"}},
		{"cut off", encoded(300, 300)[:60], powerbi.Icon, []string{"IMG_NOT_PNG a.png"}},
		{"1,048,577 bytes", append(encoded(1366, 768), make([]byte, 1<<20)...)[:1<<20+1], powerbi.Screenshot, []string{"IMG_TOO_LARGE a.png"}},
		{"1,048,576 bytes", append(encoded(1366, 768), make([]byte, 1<<20)...)[:1<<20], powerbi.Screenshot, nil},
	} {
		report := finding.New("")
		powerbi.CheckImage("a.png", row.raw, row.slot, report)
		require.ElementsMatch(t, row.want, packagestest.Described(report), "PBV-9 %s", row.name)
		for _, f := range report.Findings {
			covered[f.Code] = true
		}
	}
}

// elsewhere are the codes of the service around the validator, and those of links and of archives inside archives, which
// no package of a visual has.
var elsewhere = []string{"PKG_WRONG_EXTENSION", "PKG_PROCESSING_ERROR", "PKG_NOT_SCANNED", "PKG_INTERNAL", "PKG_FETCH_FAILED", "PKG_TOO_DEEP"}

// TestPowerBI goes through the corpus and the tables above, in which every code is found.
func TestPowerBI(t *testing.T) {
	t.Run("visuals", visuals)
	t.Run("reports", reports)
	t.Run("installer links", installerLinks)
	t.Run("images", listingImages)
	t.Run("archives", hostile)
	packagestest.Covers(t, []packagestest.Case{{}}, func(c finding.Code) bool {
		return strings.HasPrefix(c.Code, "PBV_") || strings.HasPrefix(c.Code, "PBIX_") || strings.HasPrefix(c.Code, "PBA_") || strings.HasPrefix(c.Code, "IMG_") ||
			strings.HasPrefix(c.Code, "PKG_")
	}, append(slices.Collect(maps.Keys(covered)), elsewhere...)...)
}

// hostile are archives that cannot be opened: nothing of a visual is looked at.
func hostile(t *testing.T) {
	for _, h := range packagestest.HostileArchives(t) {
		report := finding.New("PowerBIVisual")
		opened, err := archive.Open(t.Context(), bytes.NewReader(h.Bytes), h.Size, report)
		require.NoError(t, err)
		require.Equal(t, report.Blocking, opened == nil, h.Name)
		if opened != nil {
			_, err := powerbi.ValidateVisual(opened, powerbi.VisualOptions{}, report)
			require.NoError(t, err)
			require.NoError(t, powerbi.ValidateReport(opened, powerbi.Visual{}, report))
		}
		for _, f := range report.Findings {
			covered[f.Code] = true
		}
		require.True(t, slices.ContainsFunc(report.Findings, func(f finding.Finding) bool { return f.Code == h.Code }), h.Name)
	}
}

func FuzzVisual(f *testing.F) {
	for _, c := range packagestest.Corpus(f, "testdata/corpus") {
		if len(c.Files) == 2 {
			f.Add(c.Files[0].Text, c.Files[1].Text)
		}
	}
	f.Fuzz(func(t *testing.T, info, resource string) {
		files := tree(packagestest.File{Name: "package.json", Text: info}, packagestest.File{Name: "resources/radarABC123.pbiviz.json", Text: resource})
		_, err := powerbi.ValidateVisual(files, powerbi.VisualOptions{Certification: true}, finding.New(""))
		require.NoError(t, err)
	})
}

func FuzzReport(f *testing.F) {
	f.Add("{}", utf16le("{}"), "\x00\x00\x00\x00\x01\x00\x00\x00P")
	f.Fuzz(func(t *testing.T, connections, layout, mashup string) {
		files := []packagestest.File{{Name: "[Content_Types].xml", Text: "x"}, {Name: "Version", Text: "x"}, {Name: "Connections", Text: connections}, {Name: "Report/Layout", Text: layout}, {Name: "DataMashup", Text: mashup}}
		require.NoError(t, powerbi.ValidateReport(tree(files...), powerbi.Visual{GUID: "a"}, finding.New("")))
	})
}

func FuzzInstallerLink(f *testing.F) {
	f.Add("https://app.powerbi.com/Redirect?action=InstallApp&appId=11111111-1111-4111-8111-111111111111&packageKey=k&ownerId=11111111-1111-4111-8111-111111111111")
	f.Add("https://app.powerbi.com/Redirect?action=%zz")
	f.Fuzz(func(t *testing.T, link string) {
		report := finding.New("")
		powerbi.CheckInstallerLink(link, report)
		require.LessOrEqual(t, len(report.Findings), 1)
	})
}

func FuzzImage(f *testing.F) {
	var b bytes.Buffer
	require.NoError(f, png.Encode(&b, image.NewGray(image.Rect(0, 0, 300, 300))))
	f.Add(b.Bytes())
	f.Add(b.Bytes()[:60])
	f.Fuzz(func(t *testing.T, raw []byte) {
		report := finding.New("")
		powerbi.CheckImage("a.png", raw, powerbi.Icon, report)
		require.LessOrEqual(t, len(report.Findings), 1)
	})
}
