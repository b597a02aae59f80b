package businesscentral_test

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/packages/businesscentral"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/packagestest"
)

var fuzzOptions = businesscentral.Options{
	Name: "Contoso Rental", Publisher: "Contoso", AppVersion: "1.2.3.4", LiveID: "44444444-4444-4444-8444-444444444444", Markets: []string{"US"},
	Published: []businesscentral.Published{{ID: "11111111-1111-4111-8111-111111111111", Version: "1.2.3.4", Markets: []string{"US"}}},
}

func uploaded(name string, raw []byte) *businesscentral.File {
	return &businesscentral.File{Name: name, Bytes: bytes.NewReader(raw), Size: int64(len(raw))}
}

// FuzzExtension validates .app files whatever their bytes are.
func FuzzExtension(f *testing.F) {
	clean := base(f)
	for _, c := range packagestest.Corpus(f, "testdata/corpus") {
		if main := slots(f, clean, c)["main.app"]; main != nil && main.Size < 1<<16 {
			raw, err := io.ReadAll(io.NewSectionReader(main.Bytes, 0, main.Size))
			require.NoError(f, err)
			f.Add(raw)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		s := businesscentral.Submission{Main: uploaded("main.app", raw), Library: uploaded("library.zip", raw), Tests: uploaded("tests.app", raw)}
		_, err := businesscentral.Validate(context.Background(), s, fuzzOptions, finding.New(""))
		require.NoError(t, err)
	})
}

// FuzzManifest validates a submission with these manifests in place of the clean ones.
func FuzzManifest(f *testing.F) {
	clean := base(f)
	for _, c := range packagestest.Corpus(f, "testdata/corpus") {
		main, library := clean[0].Text, clean[2].Text
		for _, own := range c.Files {
			switch own.Name {
			case clean[0].Name:
				main = own.Text
			case clean[2].Name:
				library = own.Text
			}
		}
		f.Add(main, library)
	}
	f.Fuzz(func(t *testing.T, main, library string) {
		c := packagestest.Case{Files: []packagestest.File{{Name: clean[0].Name, Text: main}, {Name: clean[2].Name, Text: library}}}
		report := finding.New("")
		_, err := businesscentral.Validate(context.Background(), submission(slots(t, clean, c)), fuzzOptions, report)
		require.NoError(t, err)
		for _, found := range report.Findings {
			require.True(t, found.Path == "" || found.Line > 0)
		}
	})
}
