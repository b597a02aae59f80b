package vmimage_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/packages/finding"
	"stoa/shared/packages/vmimage"
)

var (
	now    = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	clouds = vmimage.Suffixes{"blob.core.windows.net", "blob.core.usgovcloudapi.net"}
)

const goodLink = "https://contoso.blob.core.windows.net/vhds/os.vhd?sv=2020-08-04&st=2026-02-28T12%3A00%3A00Z&se=2026-03-22T12%3A00%3A00Z&sr=c&sp=rl&sig=c2VjcmV0"

// links changes one thing of a good link in each row.
func links(t *testing.T) {
	for _, row := range []struct {
		name, old, with string
		want            []string
	}{
		{"VMO-66 good", "", "", []string{}},
		{"VMO-66 no query", goodLink[strings.Index(goodLink, "?"):], "", []string{"SAS-QUERY"}},
		{"VMO-66 empty query", goodLink[strings.Index(goodLink, "?"):], "?", []string{"SAS-QUERY"}},
		{"VMO-67 no start", "&st=2026-02-28T12%3A00%3A00Z", "", []string{"SAS-TIMES"}},
		{"VMO-67 empty expiry", "se=2026-03-22T12%3A00%3A00Z", "se=", []string{"SAS-TIMES"}},
		{"VMO-67 a stored policy", "&st=2026-02-28T12%3A00%3A00Z&se=2026-03-22T12%3A00%3A00Z", "&si=policy", []string{"SAS-TIMES"}},
		{"VMO-68 read alone", "sp=rl", "sp=r", []string{"SAS-PERM"}},
		{"VMO-68 in any order", "sp=rl", "sp=lr", []string{}},
		{"VMO-69 a blank", "os.vhd", "o%20s.vhd", []string{"SAS-SPACE"}},
		{"VMO-69 a plus is a plus", "os.vhd", "o+s.vhd", []string{}},
		{"VMO-71 date only", "se=2026-03-22T12%3A00%3A00Z", "se=2026-03-22", []string{"SAS-DATEFORM"}},
		{"VMO-71 minutes only", "st=2026-02-28T12%3A00%3A00Z", "st=2026-02-28T12%3A00Z", []string{"SAS-DATEFORM"}},
		{"VMO-71 month first", "st=2026-02-28T12%3A00%3A00Z", "st=02%2F28%2F2026", []string{"SAS-DATEFORM"}},
		{"VMO-71 fractions", "st=2026-02-28T12%3A00%3A00Z", "st=2026-02-28T11:59:59.123Z", []string{}},
		{"VMO-72 write as well", "sp=rl", "sp=rwl", []string{"SAS-PERM-EXTRA"}},
		{"VMO-73 of the blob", "sr=c", "sr=b", []string{"SAS-CONTAINER"}},
		{"VMO-73 of the account", "sr=c", "ss=b&srt=sco", []string{"SAS-CONTAINER"}},
		{"VMO-74 the container alone", "vhds/os.vhd", "vhds", []string{"SAS-VHDNAME"}},
		{"VMO-74 vhdx", "os.vhd", "os.vhdx", []string{"SAS-VHDNAME"}},
		{"VMO-74 only an ending", "os.vhd", ".vhd", []string{"SAS-VHDNAME"}},
		{"VMO-74 any container, any case", "vhds/os.vhd", "test/sub/OS.VHD", []string{}},
		{"VMO-75 a second less than 21 days", "se=2026-03-22T12%3A00%3A00Z", "se=2026-03-22T11%3A59%3A59Z", []string{"SAS-EXPIRY"}},
		{"VMO-75 expired", "2026-03-22T12%3A00%3A00Z", "2026-03-01T12%3A00%3A00Z", []string{"SAS-EXPIRED"}},
		{"VMO-76 from now", "st=2026-02-28T12%3A00%3A00Z", "st=2026-03-01T12%3A00%3A00Z", []string{"SAS-START-SKEW"}},
		{"VMO-76 in the future", "st=2026-02-28T12%3A00%3A00Z", "st=2026-03-01T12%3A00%3A01Z", []string{"SAS-START"}},
		{"VMO-76 ends before it begins", "se=2026-03-22T12%3A00%3A00Z", "se=2026-02-28T12%3A00%3A00Z", []string{"SAS-ORDER"}},
		{"VMO-77 http", "https:", "http:", []string{"SAS-HTTP"}},
		{"VMO-77 ftp", "https:", "ftp:", []string{"SAS-HOST"}},
		{"VMO-77 another host", "contoso.blob.core.windows.net", "contoso.blob.core.windows.net.evil.example", []string{"SAS-HOST"}},
		{"VMO-77 no account", "contoso.blob", "blob", []string{"SAS-HOST"}},
		{"VMO-77 this machine", "contoso.blob.core.windows.net", "169.254.169.254", []string{"SAS-HOST"}},
		{"VMO-77 the other cloud", "core.windows.net", "core.usgovcloudapi.net", []string{}},
		{"VMO-77 a user", "//contoso", "//me@contoso", []string{"SAS-HOST"}},
		{"VMO-77 a port", "windows.net/", "windows.net:8443/", []string{"SAS-HOST"}},
		{"VMO-77 the port of the scheme", "windows.net/", "windows.net:443/", []string{}},
		{"VMO-78 a quotation mark", "os.vhd", "o%22s.vhd", []string{"SAS-NAMECHARS"}},
		{"VMO-78 a percent sign", "os.vhd", "o%25s.vhd", []string{"SAS-NAMECHARS"}},
		{"VMO-79 no signature", "&sig=c2VjcmV0", "", []string{"SAS-SIG"}},
		{"VMO-79 no version", "sv=2020-08-04&", "", []string{"SAS-SIG"}},
		{"VMO-79 twice", "sp=rl", "sp=rl&sp=rwl", []string{"SAS-DATEFORM"}},
		{"a broken escape", "sv=", "x=%zz&sv=", []string{"SAS-HOST"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			uri := strings.Replace(goodLink, row.old, row.with, 1)
			require.True(t, row.old == "" || uri != goodLink)
			report := finding.New("")
			clouds.CheckLink("os", vmimage.Link{URI: uri, Recorded: now}, now, report)
			require.Equal(t, row.want, codes(report), "%+v", report.Findings)
			for _, f := range report.Findings {
				require.NotContains(t, f.Message+f.Fix, "c2VjcmV0", "VMO-62")
			}
		})
	}
}

// A link that is not changed was recorded when it was first given (VMO-75).
func TestRecorded(t *testing.T) {
	t.Parallel()
	report := finding.New("")
	clouds.CheckLink("os", vmimage.Link{URI: goodLink, Recorded: now}, now.Add(20*24*time.Hour), report)
	require.Empty(t, report.Findings)
}

func link(name string) vmimage.Link {
	return vmimage.Link{URI: strings.Replace(goodLink, "os.vhd", name+".vhd", 1), Recorded: now}
}

func dataDisks(n int) []vmimage.DataDisk {
	out := make([]vmimage.DataDisk, n)
	for i := range out {
		out[i] = vmimage.DataDisk{LUN: i, Link: link(strings.Repeat("d", i+1))}
	}
	return out
}

func setsOfDisks(t *testing.T) {
	image := func(version string, data ...vmimage.DataDisk) vmimage.Image {
		return vmimage.Image{Generation: 1, Version: version, OS: link("os"), Data: data}
	}
	gallery := vmimage.Image{Version: "3", Gallery: "/subscriptions/s", Data: dataDisks(1)}
	for _, row := range []struct {
		name   string
		images []vmimage.Image
		want   []string
	}{
		{"VMO-61 none", nil, []string{"CFG-NOIMAGE"}},
		{"VMO-52 sixteen", []vmimage.Image{image("1", dataDisks(16)...)}, []string{}},
		{"VMO-52 seventeen", []vmimage.Image{image("1", dataDisks(17)...)}, []string{"CFG-DISKMAX"}},
		{"VMO-52 unlike", []vmimage.Image{image("1"), image("2", dataDisks(1)...)}, []string{"CFG-DISKCOUNT"}},
		{"VMO-53 a gap", []vmimage.Image{image("1", vmimage.DataDisk{LUN: 0, Link: link("a")}, vmimage.DataDisk{LUN: 2, Link: link("b")})}, []string{"CFG-LUN"}},
		{"VMO-53 twice", []vmimage.Image{image("1", vmimage.DataDisk{Link: link("a")}, vmimage.DataDisk{Link: link("b")})}, []string{"CFG-LUN"}},
		{"VMO-54 links beside a gallery", []vmimage.Image{gallery}, []string{"CFG-SOURCE"}},
		{"VMO-54 none beside a link", []vmimage.Image{image("1", vmimage.DataDisk{})}, []string{"CFG-SOURCE"}},
		{"VMO-89 the system's blob again", []vmimage.Image{image("1", vmimage.DataDisk{Link: link("os")})}, []string{"CFG-REUSE"}},
		{"VMO-89 a data disk's blob again", []vmimage.Image{image("1", vmimage.DataDisk{Link: link("a")}, vmimage.DataDisk{LUN: 1, Link: link("a")})}, []string{"CFG-REUSE"}},
	} {
		report := finding.New("")
		plan := vmimage.Plan{ID: "gold", Images: row.images}
		plan.CheckDisks(report)
		require.Equal(t, row.want, codes(report), row.name)
	}
	report := finding.New("")
	(&vmimage.Plan{ID: "gold"}).CheckDisks(report)
	require.Equal(t, "No virtual machine image was found for the plan gold.", report.Findings[0].Message, "VMO-61")
	plan := vmimage.Plan{ID: "gold", Images: []vmimage.Image{image("1.0.1", vmimage.DataDisk{LUN: 0, Link: vmimage.Link{URI: strings.Replace(goodLink, "sp=rl", "sp=r", 1), Recorded: now}})}}
	report = finding.New("")
	plan.CheckLinks(clouds, now, report)
	require.Equal(t, "plans[gold].images[1.0.1].dataDisks[0]", report.Findings[0].File, "VMO-80")
}

// storage gives blobs by the name of their file.
type storage map[string]func() (vmimage.Blob, error)

func (s storage) OpenLink(_ context.Context, uri string) (vmimage.Blob, error) {
	name, _, _ := strings.Cut(uri[strings.LastIndex(uri, "/")+1:], "?")
	return s[name]()
}

func files(t *testing.T) {
	refused := func(code string) func() (vmimage.Blob, error) {
		return func() (vmimage.Blob, error) { return vmimage.Blob{}, &vmimage.Refused{Code: code} }
	}
	block := func() (vmimage.Blob, error) { return vmimage.Blob{ReaderAt: bytes.NewReader(nil)}, nil }
	plan := vmimage.Plan{ID: "gold", Family: vmimage.Linux}
	image := &vmimage.Image{Version: "1", OS: link("os"), Data: []vmimage.DataDisk{{Link: link("data")}}}
	for _, row := range []struct {
		name     string
		os, data func() (vmimage.Blob, error)
		want     []string
	}{
		{"VMO-70 no right", refused("SAS-AUTH"), refused("SAS-AUTH"), []string{"SAS-AUTH", "SAS-AUTH"}},
		{"VMO-82 gone", refused("DL-NOTFOUND"), refused("DL-NOTFOUND"), []string{"DL-NOTFOUND", "DL-DATADISK"}},
		{"VMO-82 leased", refused("DL-INUSE"), refused("DL-INUSE"), []string{"DL-INUSE", "DL-INUSE"}},
		{"VMO-82 no address", refused("DL-BADURL"), refused("DL-SIG"), []string{"DL-BADURL", "DL-SIG"}},
		{"VMO-82 a condition", refused("DL-COND"), refused("DL-COND"), []string{"DL-COND", "DL-COND"}},
		{"VMO-82 block blobs", block, block, []string{"DL-BLOBTYPE", "DL-BLOBTYPE"}},
	} {
		report := finding.New("")
		require.NoError(t, plan.CheckFiles(t.Context(), storage{"os.vhd": row.os, "data.vhd": row.data}, image, report), row.name)
		require.Equal(t, row.want, codes(report), row.name)
	}
	away := func() (vmimage.Blob, error) { return vmimage.Blob{}, errors.New("away") }
	require.ErrorContains(t, plan.CheckFiles(t.Context(), storage{"os.vhd": away}, image, finding.New("")), "away")
}

// gallery gives one image, or fails.
type gallery struct {
	image vmimage.GalleryImage
	err   error
}

func (g gallery) GalleryImage(context.Context, string) (vmimage.GalleryImage, error) {
	return g.image, g.err
}

func galleries(t *testing.T) {
	const id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/galleries/g/images/i/versions/1.0.0"
	good := vmimage.GalleryImage{TenantID: "T", Role: "contributor", Generalized: true, Family: vmimage.Linux, Generation: 1}
	plan := vmimage.Plan{ID: "gold", Family: vmimage.Linux}
	with := func(change func(*vmimage.GalleryImage)) gallery {
		g := gallery{image: good}
		change(&g.image)
		return g
	}
	for _, row := range []struct {
		name string
		from gallery
		want []string
	}{
		{"VMO-63 the account's tenant", gallery{image: good}, []string{}},
		{"VMO-63 another tenant", with(func(g *vmimage.GalleryImage) { g.TenantID = "other" }), []string{"CFG-GALLERY-TENANT"}},
		{"VMO-64 an owner", with(func(g *vmimage.GalleryImage) { g.Role = "Owner" }), []string{}},
		{"VMO-64 a reader", with(func(g *vmimage.GalleryImage) { g.Role = "Reader" }), []string{"CFG-GALLERY-ACCESS"}},
		{"VMO-64 no role", with(func(g *vmimage.GalleryImage) { g.Role = "" }), []string{"CFG-GALLERY-ACCESS"}},
		{"VMO-64 a reader, with the provider", with(func(g *vmimage.GalleryImage) { g.Role, g.IngestionRegistered = "Reader", true }), []string{}},
		{"VMO-65 specialized", with(func(g *vmimage.GalleryImage) { g.Generalized = false }), []string{"CFG-GENERALIZED"}},
		{"VMO-65 another system", with(func(g *vmimage.GalleryImage) { g.Family = vmimage.Windows }), []string{"CFG-OSMAP"}},
		{"VMO-65 another generation", with(func(g *vmimage.GalleryImage) { g.Generation = 2 }), []string{"CFG-GENERATION"}},
		{"VMO-64 no access at all", gallery{err: &vmimage.Refused{Code: "CFG-GALLERY-ACCESS"}}, []string{"CFG-GALLERY-ACCESS"}},
	} {
		report := finding.New("")
		require.NoError(t, plan.CheckGallery(t.Context(), row.from, "t", &vmimage.Image{Generation: 1, Version: "1.0.0", Gallery: id}, report), row.name)
		require.Equal(t, row.want, codes(report), row.name)
	}
	away := gallery{err: errors.New("away")}
	require.ErrorContains(t, plan.CheckGallery(t.Context(), away, "t", &vmimage.Image{Gallery: id}, finding.New("")), "away")
	require.NoError(t, plan.CheckGallery(t.Context(), away, "t", &vmimage.Image{OS: link("os")}, finding.New("")), "an image behind a link is not asked for")
}

// FuzzLink: any text gives findings and no panic.
func FuzzLink(f *testing.F) {
	f.Add(goodLink)
	f.Add(strings.Replace(goodLink, "sp=rl", "sp=rwl&sp=r", 1))
	f.Add("https://contoso.blob.core.windows.net?x")
	f.Fuzz(func(t *testing.T, uri string) {
		report := finding.New("")
		clouds.CheckLink("os", vmimage.Link{URI: uri, Recorded: now}, now, report)
		plan := vmimage.Plan{ID: "gold", Images: []vmimage.Image{{OS: vmimage.Link{URI: uri}, Data: []vmimage.DataDisk{{Link: vmimage.Link{URI: uri}}}}}}
		plan.CheckDisks(report)
		for _, found := range report.Findings {
			require.NotEmpty(t, found.Message)
		}
	})
}
