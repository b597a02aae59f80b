package packages_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	packagesfn "stoa/functions/packages"
	"stoa/shared/blobs/blobstest"
	"stoa/shared/fault"
	"stoa/shared/functionshost/functionshosttest"
	"stoa/shared/packages"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
)

// uploads opens packages of the twin, and fails when told to.
type uploads struct {
	blobs  *blobstest.Account
	opened func()
	err    error
}

func (u *uploads) OpenPackage(ctx context.Context, name string) (packages.Upload, error) {
	if u.err != nil {
		return packages.Upload{}, u.err
	}
	b, err := u.blobs.Open(ctx, "packages", name)
	if err != nil {
		return packages.Upload{}, err
	}
	if u.opened != nil {
		u.opened()
	}
	return packages.Upload{ReaderAt: b, Size: b.Size, ETag: b.ETag, Close: b.Close}, nil
}

func (u *uploads) PutPackage(ctx context.Context, name string, content []byte) error {
	return u.blobs.Put(ctx, "packages", name, bytes.NewReader(content), "")
}

// azureApplications says that every offer is one.
type azureApplications struct{}

func (azureApplications) PackageType(_ context.Context, publisherID, offerID string) (string, string, error) {
	return "AzureApplication", "pid-" + publisherID + "-" + offerID + "-partnercenter", nil
}

type bench struct {
	*packagesfn.Handler
	service *packages.Service
	blobs   *blobstest.Account
	uploads *uploads
	now     time.Time
}

func newBench() *bench {
	b := &bench{blobs: &blobstest.Account{}, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	b.uploads = &uploads{blobs: b.blobs}
	clock := func() time.Time { return b.now }
	db, _ := storetest.NewTwin(clock)
	offers := store.NewOffers(db, store.NewSnapshots(b.blobs))
	b.service = &packages.Service{
		Uploads: b.uploads, Reports: store.NewReports(b.blobs), Store: offers, Offers: azureApplications{}, Processed: store.NewProcessed(b.blobs), Now: clock,
	}
	b.Handler = &packagesfn.Handler{Packages: b.service}
	return b
}

func (b *bench) put(t *testing.T, name string, content []byte) {
	t.Helper()
	require.NoError(t, b.blobs.Put(t.Context(), "packages", name, bytes.NewReader(content), "application/zip"))
}

// arrive tells of a blob as the host does: its content is not what counts (HST-25).
func (b *bench) arrive(t *testing.T, publisher, offer, name string) error {
	t.Helper()
	return b.Run(t.Context(), functionshosttest.Blob(t, "packages", "package", map[string]string{"publisher": publisher, "offer": offer, "name": name}))
}

func good(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, text := range map[string]string{
		"mainTemplate.json": `{"$schema":"https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#","contentVersion":"1.0.0.0",
			"parameters":{"location":{"type":"string","metadata":{"description":"where"}}},
			"resources":[{"type":"a/b","apiVersion":"2024-01-01","name":"n","location":"[parameters('location')]"}]}`,
		"createUiDefinition.json": `{"$schema":"https://schema.management.azure.com/schemas/0.1.2-preview/CreateUIDefinition.MultiVm.json#",
			"handler":"Microsoft.Azure.CreateUIDef","version":"0.1.2-preview","parameters":{"basics":[],"steps":[],"outputs":{"location":"[location()]"}}}`,
	} {
		e, err := w.Create(name)
		require.NoError(t, err)
		_, err = e.Write([]byte(text))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

// The report says what the bytes are, however damaged; the event is settled.
func TestUploads(t *testing.T) {
	t.Parallel()
	whole := good(t)
	flipped := bytes.Clone(whole)
	flipped[60] ^= 0xff
	for _, row := range []struct {
		name     string
		file     string
		content  []byte
		blocking bool
		code     string
	}{
		{"good", "app.zip", whole, false, ""},
		{"AZA-101 empty", "app.zip", nil, true, "PKG_EMPTY"},
		{"AZA-101 text", "app.zip", []byte("hello"), true, "PKG_NOT_ZIP"},
		{"AZA-101 cut off", "app.zip", whole[:len(whole)/2], true, "PKG_NOT_ZIP"},
		{"AZA-105 a flipped byte", "app.zip", flipped, true, "PKG_CORRUPT_ENTRY"},
		{"AZA-101 another ending", "app.tar.gz", whole, true, "PKG_WRONG_EXTENSION"},
		{"a name that is hard on keys", "a b+c%.zip", whole, false, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			b := newBench()
			b.put(t, "contoso/app/"+row.file, row.content)
			require.NoError(t, b.arrive(t, "contoso", "app", row.file))
			record, report, err := b.service.Report(t.Context(), "contoso", "app", row.file)
			require.NoError(t, err)
			require.Equal(t, row.blocking, record.Blocking)
			_, why, err := b.service.Accepted(t.Context(), "contoso", "app", row.file)
			require.NoError(t, err)
			require.Equal(t, row.blocking, why != "")
			if row.code != "" {
				require.Equal(t, row.code, report.Findings[0].Code)
			}
		})
	}
}

// A second delivery writes the same report under the same name; another upload has its own.
func TestRedelivery(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.put(t, "contoso/app/app.zip", good(t))
	var records []packages.Record
	for range 3 {
		require.NoError(t, b.arrive(t, "contoso", "app", "app.zip"))
		record, _, err := b.service.Report(t.Context(), "contoso", "app", "app.zip")
		require.NoError(t, err)
		records = append(records, record)
	}
	require.Equal(t, records[0], records[1])
	require.Equal(t, records[0], records[2])

	b.put(t, "contoso/app/app.zip", []byte("hello"))
	_, why, err := b.service.Accepted(t.Context(), "contoso", "app", "app.zip")
	require.NoError(t, err)
	require.NotEmpty(t, why, "the new upload was not looked at yet")
	require.NoError(t, b.arrive(t, "contoso", "app", "app.zip"))
	record, report, err := b.service.Report(t.Context(), "contoso", "app", "app.zip")
	require.NoError(t, err)
	require.NotEqual(t, records[0].Report, record.Report)
	require.Equal(t, "PKG_NOT_ZIP", report.Findings[0].Code)
}

// What no later delivery would change is settled.
func TestSettled(t *testing.T) {
	t.Parallel()
	b := newBench()
	for name, at := range map[string][3]string{
		"deleted in between":   {"contoso", "app", "gone.zip"},
		"no offer in the path": {"contoso", "", "app.zip"},
		"no publisher":         {"", "app", "app.zip"},
		"no name":              {"contoso", "app", ""},
		"a folder below":       {"contoso", "app", "sub/app.zip"},
	} {
		require.NoError(t, b.arrive(t, at[0], at[1], at[2]), name)
	}
	_, err := b.service.Store.Package(t.Context(), "contoso", "app", "gone.zip")
	require.True(t, fault.Is(err, fault.NotFound))
}

// The package of an offer that does not exist has its report and no other effect: an offer that is created later
// finds it.
func TestUnknownOffer(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.put(t, "contoso/none/app.zip", good(t))
	require.NoError(t, b.arrive(t, "contoso", "none", "app.zip"))
	offers := b.service.Store.(*store.Offers)
	_, err := offers.Offer(t.Context(), "contoso", "none")
	require.True(t, fault.Is(err, fault.NotFound))
	list, _, err := offers.Offers(t.Context(), "contoso", "", 10)
	require.NoError(t, err)
	require.Empty(t, list)
	_, err = offers.Package(t.Context(), "contoso", "none", "app.zip")
	require.NoError(t, err)
}

// What may succeed later comes back, and is no finding: the store is away, or the blob is overwritten while it is
// read.
func TestComesBack(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.put(t, "contoso/app/app.zip", good(t))
	b.uploads.err = errors.New("away")
	require.Error(t, b.arrive(t, "contoso", "app", "app.zip"))
	b.uploads.err = nil
	b.uploads.opened = func() { b.put(t, "contoso/app/app.zip", []byte("another")) }
	err := b.arrive(t, "contoso", "app", "app.zip")
	require.True(t, fault.Is(err, fault.StaleETag), "%v", err)
	_, err = b.service.Store.Package(t.Context(), "contoso", "app", "app.zip")
	require.True(t, fault.Is(err, fault.NotFound), "nothing was recorded")
	b.uploads.opened = nil
	require.NoError(t, b.arrive(t, "contoso", "app", "app.zip"))
}
