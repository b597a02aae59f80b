package packages_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/fault"
	"stoa/shared/packages"
)

const trackingID = "pid-contoso-app-partnercenter"

// shelf is everything around the service, in memory.
type shelf struct {
	offerType string
	upload    []byte
	reports   map[string][]byte
	processed map[string][]byte
	records   map[string]packages.Record
}

func newShelf(offerType string, upload []byte) *shelf {
	return &shelf{offerType: offerType, upload: upload, reports: map[string][]byte{}, processed: map[string][]byte{}, records: map[string]packages.Record{}}
}

func (s *shelf) PackageType(context.Context, string, string) (string, string, error) {
	return s.offerType, trackingID, nil
}

func (s *shelf) OpenPackage(context.Context, string) (packages.Upload, error) {
	return packages.Upload{ReaderAt: bytes.NewReader(s.upload), Size: int64(len(s.upload)), ETag: "v1", Close: func() error { return nil }}, nil
}

func (s *shelf) PutPackage(_ context.Context, _ string, content []byte) error {
	s.upload = content
	return nil
}

func (s *shelf) PutReport(_ context.Context, name string, report []byte) error {
	s.reports[name] = report
	return nil
}

func (s *shelf) Report(_ context.Context, name string) ([]byte, error) { return s.reports[name], nil }

func (s *shelf) PutProcessed(_ context.Context, name string, write func(io.Writer) error) error {
	var b bytes.Buffer
	err := write(&b)
	s.processed[name] = b.Bytes()
	return err
}

func (s *shelf) SavePackage(_ context.Context, r packages.Record) error {
	s.records[r.Name] = r
	return nil
}

func (s *shelf) Package(_ context.Context, _, _, name string) (packages.Record, error) {
	r, ok := s.records[name]
	if !ok {
		return r, fault.New(fault.NotFound, "NotFound", "name", "no")
	}
	return r, nil
}

func (s *shelf) Packages(context.Context, string, string) ([]packages.Record, error) {
	return slices.Collect(maps.Values(s.records)), nil
}

// scanner finds malware in what holds the word evil, and takes 10 MB.
type scanner struct{ away bool }

func (s scanner) Scan(_ context.Context, r io.Reader) (string, error) {
	text, err := io.ReadAll(r)
	switch {
	case err != nil:
		return "", err
	case s.away:
		return "", errors.New("away")
	case bytes.Contains(text, []byte("evil")):
		return "Test.Evil", nil
	case bytes.Contains(text, []byte("endless")):
		return "", fault.New(fault.TooLarge, "TooLargeToScan", "", "no")
	}
	return "", nil
}

func (s *shelf) service(scan packages.Scanner) *packages.Service {
	return &packages.Service{
		Uploads: s, Reports: s, Store: s, Offers: s, Processed: s, Scanner: scan,
		Now: func() time.Time { return time.Date(2024, 6, 1, 0, 0, 0, 0, time.UTC) },
	}
}

func read(t *testing.T, content []byte, name string) string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	require.NoError(t, err)
	f, err := z.Open(name)
	require.NoError(t, err)
	text, err := io.ReadAll(f)
	require.NoError(t, err)
	return string(text)
}

// The stored package has the tracking ID; what the publisher uploaded is not touched (CUA-4, CUA-10).
func TestStampedPackage(t *testing.T) {
	t.Parallel()
	s := newShelf("AzureApplication", zipOf(t, good(file{"scripts/run.sh", "echo"})...))
	record, err := s.service(nil).Run(t.Context(), "contoso", "app", "app.zip")
	require.NoError(t, err)
	require.False(t, record.Blocking, "%s", s.reports[record.Report])
	require.Equal(t, trackingID, record.TrackingID)
	require.NotEmpty(t, record.Processed)
	stamped := s.processed[record.Processed]
	require.Contains(t, read(t, stamped, "mainTemplate.json"), trackingID, "CUA-4")
	require.Equal(t, "echo", read(t, stamped, "scripts/run.sh"))
	require.NotContains(t, read(t, s.upload, "mainTemplate.json"), trackingID)

	again := newShelf("AzureApplication", stamped)
	record, err = again.service(nil).Run(t.Context(), "contoso", "app", "app.zip")
	require.NoError(t, err)
	require.Equal(t, trackingID, record.TrackingID)
	require.Empty(t, record.Processed, "CUA-4: processing the result again changes nothing")

	broken := newShelf("AzureApplication", zipOf(t, file{"mainTemplate.json", goodTemplate}))
	record, err = broken.service(nil).Run(t.Context(), "contoso", "app", "app.zip")
	require.NoError(t, err)
	require.True(t, record.Blocking)
	require.Empty(t, broken.processed, "what blocks is not stored as processed")
}

// The record says what the scanner said (AZA-106).
func TestScannedPackage(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		more  string
		scan  packages.Scanner
		want  packages.Scan
		codes []string
	}{
		{"AZA-106 no scanner", "evil", nil, packages.NotScanned, []string{}},
		{"AZA-106 clean", "good", scanner{}, packages.Clean, []string{}},
		{"AZA-106 infected", "evil", scanner{}, packages.Infected, []string{"APP_MALWARE scripts/a"}},
		{"AZA-106 too long for it", "endless", scanner{}, packages.Clean, []string{"PKG_NOT_SCANNED scripts/a"}},
	} {
		s := newShelf("AzureApplication", zipOf(t, good(file{"scripts/a", row.more})...))
		record, err := s.service(row.scan).Run(t.Context(), "contoso", "app", "app.zip")
		require.NoError(t, err, row.name)
		require.Equal(t, row.want, record.Malware, row.name)
		var stored packages.Stored
		require.NoError(t, json.Unmarshal(s.reports[record.Report], &stored))
		require.Equal(t, row.codes, described(&stored.Report), row.name)
		require.Equal(t, row.want == packages.Infected, record.Blocking, row.name)
		require.Equal(t, row.want == packages.Infected, len(s.processed) == 0, row.name)
		require.Len(t, stored.Entries, 3)
		require.Len(t, stored.Entries[0].SHA256, 64)
	}
	s := newShelf("AzureApplication", zipOf(t, good()...))
	_, err := s.service(scanner{away: true}).Run(t.Context(), "contoso", "app", "app.zip")
	require.ErrorContains(t, err, "away")
	_, why, err := s.service(nil).Accepted(t.Context(), "contoso", "app", "app.zip")
	require.NoError(t, err)
	require.Equal(t, "it was not validated yet", why, "AZA-106: a package that could not be scanned waits")
	_, _, err = s.service(nil).Report(t.Context(), "contoso", "app", "app.zip")
	require.True(t, fault.Is(err, fault.NotFound))

	for offerType, row := range map[string]struct {
		name string
		most int
		code string
	}{"AzureApplication": {"app.zip", 5, "PKG_PROCESSING_ERROR ."}, "PowerBIVisual": {"a.pbiviz", 3, "PKG_INTERNAL ."}} {
		s := newShelf(offerType, zipOf(t, good()...))
		for range row.most - 1 {
			_, err = s.service(scanner{away: true}).Run(t.Context(), "contoso", "app", row.name)
			require.Error(t, err)
		}
		record, err := s.service(scanner{away: true}).Run(t.Context(), "contoso", "app", row.name)
		require.NoError(t, err, "5.1: this try is the last")
		require.True(t, record.Blocking)
		var stored packages.Stored
		require.NoError(t, json.Unmarshal(s.reports[record.Report], &stored))
		require.Equal(t, []string{row.code}, described(&stored.Report))
	}
}

// The type of the offer decides which rules apply; a type without packages goes by the name.
func TestTypes(t *testing.T) {
	t.Parallel()
	manifest := []byte(`{"version":"1.0.0"}`)
	for _, row := range []struct{ offerType, name, want string }{
		{"AzureApplication", "a.zip", "AzureApplication"},
		{"managedService", "manifest.json", "ManagedService"},
		{"SaaS", "a.pbiviz", "PowerBIVisual"},
		{"", "a.vhd", "VirtualMachine"},
		{"", "a.unknown", "AzureApplication"},
	} {
		report, err := packages.Validate(t.Context(), row.offerType, packages.Package{Name: row.name, Bytes: bytes.NewReader(manifest), Size: int64(len(manifest))}, packages.Options{})
		require.NoError(t, err)
		require.Equal(t, row.want, report.Type, row.name)
		require.True(t, report.Blocking)
		require.Equal(t, strings.HasSuffix(row.name, "unknown"), strings.Contains(strings.Join(described(report), " "), "PKG_WRONG_EXTENSION"), row.name)
	}
}
