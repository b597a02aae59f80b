package dynamics_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"stoa/shared/packages/archive"
	"stoa/shared/packages/dynamics"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/packagestest"
)

// base is the clean package that the cases change.
func base(t testing.TB) []packagestest.File { return packagestest.Base(t, "testdata/base.txt") }

// files are the files of a case, with these options beside those of packagestest.Changed:
//
//	rename=OLD NEW           one that has another name
//	utf-16=NAME              one that is written in UTF-16
//	folder=NAME              everything lies in a folder
//	wrap=ARCHIVE…            everything lies in each of the archives, with the case's own files beside them
func files(t testing.TB, clean []packagestest.File, c packagestest.Case) []packagestest.File {
	t.Helper()
	var beside []packagestest.File
	if c.Options["wrap"] != "" {
		beside, c.Files = c.Files, nil
	}
	out := packagestest.Changed(t, clean, c)
	for i := range out {
		change(&out[i], c)
	}
	if c.Options["wrap"] == "" {
		return out
	}
	for _, archive := range strings.Fields(c.Options["wrap"]) {
		for _, f := range out {
			beside = append(beside, packagestest.File{Name: archive + "!/" + f.Name, Text: f.Text})
		}
	}
	return beside
}

func change(f *packagestest.File, c packagestest.Case) {
	if c.Options["utf-16"] == f.Name {
		f.Text = utf16le(f.Text)
	}
	if old, with, _ := strings.Cut(c.Options["rename"], " "); old == f.Name {
		f.Name = with
	}
	if folder := c.Options["folder"]; folder != "" {
		f.Name = folder + "/" + f.Name
	}
}

func utf16le(s string) string {
	var b bytes.Buffer
	for _, u := range utf16.Encode([]rune(s)) {
		_ = binary.Write(&b, binary.LittleEndian, u)
	}
	return b.String()
}

func options(t testing.TB, c packagestest.Case) dynamics.Options {
	t.Helper()
	o := dynamics.Options{Now: time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC), Multiple: c.Options["multiple"] != ""}
	if now := c.Options["now"]; now != "" {
		var err error
		o.Now, err = time.Parse(time.RFC3339, now)
		require.NoError(t, err)
	}
	if markets := c.Options["markets"]; markets != "" {
		o.Markets = strings.Split(markets, ",")
	}
	if name, version, found := strings.Cut(c.Options["live"], " "); found {
		o.Live = []dynamics.Solution{{UniqueName: name, Version: version}}
	}
	if ids := c.Options["license"]; ids != "" {
		o.License = &dynamics.License{ServiceIDs: strings.Fields(ids), InstallWithout: c.Options["installWithout"] != ""}
	}
	return o
}

// validate opens a package as the service does and validates it.
func validate(t testing.TB, raw []byte, o dynamics.Options) ([]dynamics.Package, *finding.Report) {
	t.Helper()
	report := finding.New("Dynamics365CustomerEngagement")
	tree, err := archive.Open(context.Background(), bytes.NewReader(raw), int64(len(raw)), report)
	require.NoError(t, err)
	if tree == nil {
		return nil, report
	}
	found, err := dynamics.Validate(context.Background(), tree, o, report)
	require.NoError(t, err)
	return found, report
}

// TestPackages finds in each case what it says. Each of several packages is validated by itself (DYN-40); plans are in
// the package and mapped (LIC-10), and leave an app free where the offer says so (LIC-11).
func TestPackages(t *testing.T) {
	t.Parallel()
	clean := base(t)
	for _, c := range packagestest.Corpus(t, "testdata/corpus") {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			_, report := validate(t, packagestest.Packed(t, files(t, clean, c)), options(t, c))
			require.ElementsMatch(t, c.Findings, packagestest.Described(report), c.Title)
			for _, f := range report.Findings {
				require.Contains(t, c.Title+" DYN-40", f.Rule)
				require.True(t, f.Path == "" || f.Line > 0 && f.Column > 0, "%s has no line", f.Code)
			}
		})
	}
}

// TestFacts is what a clean package says of itself.
func TestFacts(t *testing.T) {
	t.Parallel()
	found, report := validate(t, packagestest.Packed(t, files(t, base(t), packagestest.Case{})), dynamics.Options{Now: time.Date(2026, 1, 15, 0, 0, 0, 0, time.UTC)})
	require.Empty(t, report.Findings)
	require.Equal(t, []dynamics.Package{{
		ProviderName: "Contoso", Anchor: "Contoso_F365_managed.zip", SupportedCountries: []string{"US", "CA", "DE"}, Locales: []int{1033, 1031},
		Solutions: []dynamics.Solution{
			{File: "Contoso_Base_managed.zip", UniqueName: "ContosoBase", Version: "2.0", Managed: true},
			{File: "Contoso_F365_managed.zip", UniqueName: "ContosoF365", Version: "1.2.3.4", Managed: true},
		},
		AppModules: []string{"contoso_office", "contoso_sales"},
		StartDate:  time.Date(2021, 12, 1, 0, 0, 0, 0, time.UTC), EndDate: time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC),
	}}, found)
}

// TestPlaces is the line and the column of a finding.
func TestPlaces(t *testing.T) {
	t.Parallel()
	c := packagestest.Case{Options: map[string]string{"edit input.xml": `"1031" => "x"`, "utf-16": "input.xml"}}
	_, report := validate(t, packagestest.Packed(t, files(t, base(t), c)), options(t, c))
	require.Len(t, report.Findings, 1)
	require.Equal(t, []int{17, 5}, []int{report.Findings[0].Line, report.Findings[0].Column})
}

// TestSource tells a store that fails from a package that is broken.
func TestSource(t *testing.T) {
	t.Parallel()
	report := finding.New("")
	_, err := dynamics.ValidateAssets(context.Background(), dynamics.File{Name: "a.zip", Bytes: packagestest.Failing{}, Size: 10}, report)
	require.ErrorIs(t, err, io.ErrClosedPipe)
	require.Empty(t, report.Findings)
	raw := packagestest.Packed(t, files(t, base(t), packagestest.Case{}))
	tree, err := archive.Open(context.Background(), bytes.NewReader(raw), int64(len(raw)), report)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = dynamics.Validate(ctx, tree, dynamics.Options{}, report)
	require.ErrorIs(t, err, context.Canceled)
}
