package managedservice_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/packages/content"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/managedservice"
	"stoa/shared/packages/packagestest"
)

func TestCorpus(t *testing.T) {
	t.Parallel()
	cases := packagestest.Corpus(t, "testdata/corpus")
	for _, c := range cases {
		t.Run(c.Title, func(t *testing.T) {
			t.Parallel()
			report := finding.New("ManagedService")
			doc := content.Parse(c.Files[0].Name, []byte(c.Files[0].Text), report)
			require.NotNil(t, doc)
			managedservice.Validate(doc, managedservice.Options{Published: c.Options["published"]}, report)
			require.ElementsMatch(t, c.Findings, packagestest.Described(report))
			for _, f := range report.Findings {
				require.Positive(t, f.Line)
				require.True(t, strings.HasPrefix(c.Title, f.Rule) || len(report.Findings) > 1, "%s is found under %s", c.Title, f.Rule)
			}
		})
	}
	packagestest.Breaks(t, cases, "MSO-12", "MSO-14", "MSO-15", "MSO-16", "MSO-17", "MSO-19", "MSO-20", "MSO-21", "MSO-23")
	packagestest.Covers(t, cases, func(c finding.Code) bool { return strings.HasPrefix(c.Code, "MSO_") })
}

func FuzzValidate(f *testing.F) {
	for _, c := range packagestest.Corpus(f, "testdata/corpus") {
		f.Add([]byte(c.Files[0].Text), c.Options["published"])
	}
	f.Fuzz(func(t *testing.T, text []byte, published string) {
		report := finding.New("")
		if doc := content.Parse("manifest.json", text, report); doc != nil {
			managedservice.Validate(doc, managedservice.Options{Published: published}, report)
		}
	})
}
