package packages_test

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/fault"
	"stoa/shared/packages"
	"stoa/shared/packages/packagestest"
)

// shop is a shelf with several uploads, and a clock that goes on.
type shop struct {
	*shelf
	uploads map[string][]byte
	now     time.Time
}

func newShop() *shop {
	return &shop{newShelf("", nil), map[string][]byte{}, time.Date(2024, 6, 1, 0, 0, 0, 0, time.UTC)}
}

func (s *shop) OpenPackage(_ context.Context, blob string) (packages.Upload, error) {
	content, found := s.uploads[blob]
	if !found {
		return packages.Upload{}, fault.New(fault.NotFound, "NotFound", "name", "no")
	}
	return packages.Upload{ReaderAt: bytes.NewReader(content), Size: int64(len(content)), ETag: string(content), Close: func() error { return nil }}, nil
}

// upload puts a file into a slot and validates it as the trigger does.
func (s *shop) upload(t *testing.T, slot packages.Slot, file string, content []byte) {
	t.Helper()
	s.now = s.now.Add(time.Minute)
	name, err := packages.UploadName(slot, file)
	require.NoError(t, err)
	s.uploads["contoso/app/"+name] = content
	service := s.service(nil)
	service.Uploads, service.Now = s, func() time.Time { return s.now }
	_, err = service.Run(t.Context(), "contoso", "app", name)
	require.NoError(t, err)
}

// found are the codes of the last report on a package.
func (s *shop) found(t *testing.T, name string) []string {
	t.Helper()
	var stored packages.Stored
	require.NoError(t, json.Unmarshal(s.reports[s.records[name].Report], &stored))
	out := []string{}
	for _, f := range stored.Findings {
		out = append(out, f.Code)
	}
	return out
}

// Chapter 04, walk 7: an extension is validated with its library, whichever comes first.
func TestExtensionWithItsLibrary(t *testing.T) {
	t.Parallel()
	core := packagestest.Identity{ID: "22222222-2222-4222-8222-222222222222", Name: "Contoso Core", Version: "1.0.0.0"}
	sales := packagestest.Identity{ID: "11111111-1111-4111-8111-111111111111", Name: "Contoso Sales", Version: "1.2.0.0"}
	tests := packagestest.Identity{ID: "33333333-3333-4333-8333-333333333333", Name: "Tests", Version: "1.0.0.0"}
	extension, library := packagestest.Extension(t, sales, core), packagestest.Extension(t, core)

	s := newShop()
	s.upload(t, packages.Extension, "sales.app", extension)
	const name = "bcExtension@sales.app"
	require.Equal(t, []string{"AVS0108"}, s.found(t, name), "DYN-52: nothing has the library")
	first := s.records[name].Report
	s.upload(t, packages.Library, "core.zip", packagestest.Zip(t, map[string]string{"core.app": string(library)}))
	require.Empty(t, s.found(t, name), "DYN-52: the library came, and the extension is validated again")
	require.NotEqual(t, first, s.records[name].Report, "a report is written once")
	require.Empty(t, s.found(t, "bcLibrary@core.zip"), "a library by itself")

	s.upload(t, packages.Tests, "tests.app", packagestest.Extension(t, tests))
	require.Equal(t, []string{"BC_TEST_APP_UNRELATED"}, s.found(t, name))
	s.upload(t, packages.Tests, "tests2.app", packagestest.Extension(t, tests, sales))
	require.Empty(t, s.found(t, name), "the newest upload of a slot counts")

	s = newShop()
	s.upload(t, packages.Library, "core.app", library)
	s.upload(t, "", "sales.app", extension)
	require.Empty(t, s.found(t, "sales.app"), "an extension without a slot is the main one")
	require.Equal(t, "Dynamics365BusinessCentral", s.records["sales.app"].Type)
}

// Chapter 04, walk 10: the sample report shows the visual of the offer, and is looked at again when that changes.
func TestSampleReportWithItsVisual(t *testing.T) {
	t.Parallel()
	s := newShop()
	s.upload(t, packages.VisualPackage, "radar.pbiviz", packagestest.Visual(t, "radarABC123", "1.0.0.0"))
	s.upload(t, packages.SampleReport, "radar.pbix", packagestest.SampleReport(t, "radarABC123", "1.0.0.0"))
	require.Empty(t, s.found(t, "pbix@radar.pbix"), "PBV-21")
	s.upload(t, packages.VisualPackage, "radar.pbiviz", packagestest.Visual(t, "radarABC123", "1.1.0.0"))
	require.Equal(t, []string{"PBIX_VISUAL_VERSION"}, s.found(t, "pbix@radar.pbix"), "PBV-21")
	require.True(t, s.records["pbix@radar.pbix"].Blocking)
	s.upload(t, packages.SampleReport, "radar.pbix", packagestest.SampleReport(t, "radarABC123", "1.1.0.0"))
	require.Empty(t, s.found(t, "pbix@radar.pbix"), "PBV-21")
}

// A slot takes what it is for.
func TestSlots(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		slot       packages.Slot
		file, name string
		kind       fault.Kind
		code       string
	}{
		{"", "app.zip", "app.zip", 0, ""},
		{packages.Library, "core.zip", "bcLibrary@core.zip", 0, ""},
		{packages.Library, "CORE.APP", "bcLibrary@CORE.APP", 0, ""},
		{packages.Extension, "core.zip", "", fault.Invalid, "PKG_WRONG_EXTENSION"},
		{packages.SampleReport, "a.pbiviz", "", fault.Invalid, "PKG_WRONG_EXTENSION"},
		{packages.ValidationAssets, "car.xlsx", "opsValidationAssets@car.xlsx", 0, ""},
		{"bcDependency", "a.app", "", fault.Gone, "DependencyPackageRetired"}, // DYN-53
		{"other", "a.app", "", fault.Invalid, "InvalidValue"},
	} {
		name, err := packages.UploadName(row.slot, row.file)
		require.Equal(t, row.name, name, row)
		if row.code != "" {
			require.True(t, fault.Is(err, row.kind), row)
			require.Equal(t, row.code, fault.As(err).Code, row)
		}
	}
	report, err := packages.Validate(t.Context(), "AzureApplication", packages.Package{Name: "a.app", Slot: packages.Extension, Bytes: bytes.NewReader([]byte("x")), Size: 1}, packages.Options{})
	require.NoError(t, err)
	require.Equal(t, "AzureApplication", report.Type, "the offer's own type decides")
	require.Contains(t, described(report), "PKG_WRONG_EXTENSION .")
}
