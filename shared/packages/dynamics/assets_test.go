package dynamics_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/packages/dynamics"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/packagestest"
)

// plain is a text, or bytes when it begins with "hex ".
func plain(t testing.TB, text string) string {
	t.Helper()
	digits, isHex := strings.CutPrefix(text, "hex ")
	if !isHex {
		return text
	}
	raw, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
	require.NoError(t, err)
	return string(raw)
}

// asset is the file of a case: an archive of its files, or the bytes of the option raw. The option size lies about
// its length.
func asset(t testing.TB, c packagestest.Case) dynamics.File {
	t.Helper()
	raw, isRaw := c.Options["raw"]
	content := []byte(plain(t, raw))
	if !isRaw {
		var list []packagestest.File
		for _, f := range c.Files {
			list = append(list, packagestest.File{Name: f.Name, Text: plain(t, f.Text)})
		}
		content = packagestest.Packed(t, list)
	}
	f := dynamics.File{Name: c.Options["name"], Bytes: bytes.NewReader(content), Size: int64(len(content))}
	if f.Name == "" {
		f.Name = "assets.zip"
	}
	if size := c.Options["size"]; size != "" {
		var err error
		f.Size, err = strconv.ParseInt(size, 10, 64)
		require.NoError(t, err)
	}
	return f
}

func TestAssets(t *testing.T) {
	t.Parallel()
	cases := packagestest.Corpus(t, "testdata/assets")
	packagestest.Breaks(t, cases, "DYN-43")
	for _, c := range cases {
		report := finding.New("Dynamics365Operations")
		_, err := dynamics.ValidateAssets(context.Background(), asset(t, c), report)
		require.NoError(t, err, c.Name)
		require.ElementsMatch(t, c.Findings, packagestest.Described(report), "%s %s", c.Name, c.Title)
		for _, f := range report.Findings {
			require.Contains(t, c.Title, f.Rule)
		}
	}
}

// TestAssetCounts is what an archive is said to hold.
func TestAssetCounts(t *testing.T) {
	t.Parallel()
	for _, c := range packagestest.Corpus(t, "testdata/assets") {
		if c.Name == "good-zip.txt" {
			found, err := dynamics.ValidateAssets(context.Background(), asset(t, c), finding.New(""))
			require.NoError(t, err)
			require.Equal(t, dynamics.Assets{Reports: 2, Texts: 1, Documents: 3, Images: 2}, found)
		}
	}
}

func TestFunctional(t *testing.T) {
	t.Parallel()
	sections := []string{
		"bpm-project-library", "package-overview", "solution-approvers", "package-contents-model", "package-contents-software-deployable-package",
		"database-backup", "bpm-artifact", "process-data-package", "solution-license-agreement-and-privacy-policy",
	}
	for _, row := range []struct {
		name  string
		e     dynamics.Evidence
		found bool
	}{
		{"DYN-44 nothing", dynamics.Evidence{}, true},
		{"DYN-44 live before", dynamics.Evidence{WasLive: true}, false},
		{"DYN-44 a call", dynamics.Evidence{CallSlots: 1}, false},
		{"DYN-44 a video alone", dynamics.Evidence{DemoVideo: true}, true},
		{"DYN-44 screenshots alone", dynamics.Evidence{Screenshots: sections}, true},
		{"DYN-47 a video and all sections that are needed", dynamics.Evidence{DemoVideo: true, Screenshots: sections}, false},
		{"DYN-47 a section is missing", dynamics.Evidence{DemoVideo: true, Screenshots: sections[1:]}, true},
		{"DYN-47 an optional section does not stand in for one", dynamics.Evidence{DemoVideo: true, Screenshots: append([]string{"ger-configuration"}, sections[1:]...)}, true},
		{"DYN-47 access instead of screenshots", dynamics.Evidence{DemoVideo: true, LCSAccess: true}, false},
		{"DYN-44 access alone", dynamics.Evidence{LCSAccess: true}, true},
		{"DYN-44 a text and images among the assets", dynamics.Evidence{Assets: dynamics.Assets{Reports: 1, Texts: 1, Images: 1}}, false},
		{"DYN-44 a document among the assets", dynamics.Evidence{Assets: dynamics.Assets{Reports: 1, Documents: 1}}, false},
		{"DYN-47 a text without images among the assets", dynamics.Evidence{Assets: dynamics.Assets{Reports: 1, Texts: 1}}, true},
	} {
		report := finding.New("")
		dynamics.CheckFunctional(row.e, report)
		require.Equal(t, row.found, report.Blocking, row.name)
		for _, f := range report.Findings {
			require.Equal(t, "OPS_FUNCTIONAL_MISSING functionalValidation", f.Code+" "+f.File, row.name)
		}
	}
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	const ole = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
	docx := string(packagestest.Packed(t, []packagestest.File{{Name: "word/document.xml", Text: "x"}}))
	xlsx := string(packagestest.Packed(t, []packagestest.File{{Name: "xl/workbook.xml", Text: "x"}}))
	for _, row := range []struct {
		name, file, text string
		pdf, any         []string // found when only a PDF is allowed, and when Word is as well
	}{
		{"DYN-25 a PDF", "a.PDF", "%PDF-1.4", nil, nil},
		{"DYN-25 a PDF that begins at byte 1,019", "a.pdf", strings.Repeat(" ", 1019) + "%PDF-", nil, nil},
		{"DYN-25 a PDF that begins at byte 1,020", "a.pdf", strings.Repeat(" ", 1020) + "%PDF-", []string{"DOC_NOT_PDF a.pdf"}, []string{"DOC_NOT_PDF a.pdf"}},
		{"DYN-25 a text named .pdf", "a.pdf", "text", []string{"DOC_NOT_PDF a.pdf"}, []string{"DOC_NOT_PDF a.pdf"}},
		{"an old Word document", "a.doc", ole, []string{"PKG_WRONG_EXTENSION a.doc"}, nil},
		{"a Word document", "a.docx", docx, []string{"PKG_WRONG_EXTENSION a.docx"}, nil},
		{"a text named .doc", "a.doc", "text", []string{"PKG_WRONG_EXTENSION a.doc"}, []string{"DOC_NOT_WORD a.doc"}},
		{"a text named .docx", "a.docx", "text", []string{"PKG_WRONG_EXTENSION a.docx"}, []string{"DOC_NOT_WORD a.docx"}},
		{"a table named .docx", "a.docx", xlsx, []string{"PKG_WRONG_EXTENSION a.docx"}, []string{"DOC_NOT_WORD a.docx"}},
		{"an empty PDF", "a.pdf", "", []string{"PKG_EMPTY a.pdf"}, []string{"PKG_EMPTY a.pdf"}},
	} {
		f := dynamics.File{Name: row.file, Bytes: strings.NewReader(row.text), Size: int64(len(row.text))}
		report := finding.New("")
		require.NoError(t, dynamics.CheckPDF(f, report), row.name)
		require.ElementsMatch(t, row.pdf, packagestest.Described(report), row.name)
		report = finding.New("")
		require.NoError(t, dynamics.CheckDocument(context.Background(), f, report), row.name)
		require.ElementsMatch(t, row.any, packagestest.Described(report), row.name)
	}
	report := finding.New("")
	require.NoError(t, dynamics.CheckPDF(dynamics.File{Name: "a.pdf", Size: 50<<20 + 1}, report))
	require.Equal(t, []string{"PKG_TOO_LARGE a.pdf"}, packagestest.Described(report))
}
