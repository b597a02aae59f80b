package dynamics_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/packages/dynamics"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/packagestest"
)

// fuzzed are the files of a package that are read, beside the archives themselves.
var fuzzed = []string{
	"input.xml", "[Content_Types].xml", "package.zip!/PkgFolder/ImportConfig.xml",
	"package.zip!/PkgFolder/Contoso_F365_managed.zip!/solution.xml", "package.zip!/PkgFolder/Contoso_F365_managed.zip!/customizations.xml",
}

// FuzzTexts validates packages with these texts in place of the clean ones.
func FuzzTexts(f *testing.F) {
	clean := base(f)
	for _, c := range packagestest.Corpus(f, "testdata/corpus") {
		if c.Options["wrap"]+c.Options["empty"]+c.Options["folder"] != "" {
			continue
		}
		texts := map[string]string{}
		for _, file := range files(f, clean, c) {
			texts[file.Name] = file.Text
		}
		f.Add(texts[fuzzed[0]], texts[fuzzed[1]], texts[fuzzed[2]], texts[fuzzed[3]], texts[fuzzed[4]])
	}
	f.Fuzz(func(t *testing.T, input, types, config, solution, customizations string) {
		own := []packagestest.File{}
		for i, text := range []string{input, types, config, solution, customizations} {
			if !strings.HasPrefix(text, "image ") {
				own = append(own, packagestest.File{Name: fuzzed[i], Text: text})
			}
		}
		raw := packagestest.Packed(t, files(t, clean, packagestest.Case{Files: own}))
		_, report := validate(t, raw, dynamics.Options{
			Now: time.Date(2026, 1, 15, 0, 0, 0, 0, time.UTC), Markets: []string{"US", "FR"},
			Live: []dynamics.Solution{{UniqueName: "ContosoF365", Version: "1.2"}}, License: &dynamics.License{ServiceIDs: []string{"contoso.f365.gold"}, InstallWithout: true},
		})
		for _, found := range report.Findings {
			require.NotEmpty(t, found.Message)
			require.True(t, found.Path == "" || found.Line > 0)
		}
	})
}

// FuzzPackage validates archives whatever their bytes are.
func FuzzPackage(f *testing.F) {
	clean := base(f)
	for _, name := range []string{"good", "ce-multiple", "pkg-too-deep", "lic-good"} {
		for _, c := range packagestest.Corpus(f, "testdata/corpus") {
			if c.Name == name+".txt" {
				f.Add(packagestest.Packed(f, files(f, clean, c)))
			}
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		validate(t, raw, dynamics.Options{Multiple: true})
		_, err := dynamics.ValidateAssets(context.Background(), dynamics.File{Name: "a.zip", Bytes: bytes.NewReader(raw), Size: int64(len(raw))}, finding.New(""))
		require.NoError(t, err)
	})
}

func FuzzLink(f *testing.F) {
	for _, row := range linkRows {
		f.Add(row.link)
	}
	f.Fuzz(func(t *testing.T, link string) {
		report := finding.New("")
		expires := dynamics.CheckLink(link, time.Date(2026, 1, 15, 0, 0, 0, 0, time.UTC), report)
		for _, found := range report.Findings {
			require.False(t, found.Code == "CE_SAS_EXPIRY_UNKNOWN" && !expires.IsZero())
		}
	})
}

func FuzzDocument(f *testing.F) {
	f.Add("a.pdf", []byte("%PDF-1.4"))
	f.Add("a.doc", []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"))
	f.Add("a.docx", packagestest.Zip(f, map[string]string{"word/document.xml": "x"}))
	f.Fuzz(func(t *testing.T, name string, raw []byte) {
		file := dynamics.File{Name: name, Bytes: bytes.NewReader(raw), Size: int64(len(raw))}
		report := finding.New("")
		require.NoError(t, dynamics.CheckPDF(file, report))
		require.NoError(t, dynamics.CheckDocument(t.Context(), file, report))
		require.LessOrEqual(t, len(report.Findings), 2)
	})
}
