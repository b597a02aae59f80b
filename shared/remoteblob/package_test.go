package remoteblob_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/stretchr/testify/require"

	"stoa/infra/local/azurite/azuritetest"
	"stoa/shared/outbound"
	"stoa/shared/packages/dynamics"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/packagestest"
	"stoa/shared/remoteblob"
)

// shop is a real storage with a package behind https, as publishers have it.
type shop struct {
	blob  *blockblob.Client
	links func(name string, p sas.ContainerPermissions, until time.Time) string
	read  *remoteblob.Reader
}

func openShop(t *testing.T, content []byte) shop {
	t.Helper()
	storage, err := service.NewClientFromConnectionString(azuritetest.Storage(t).ConnectionString(), nil)
	require.NoError(t, err)
	crm := storage.NewContainerClient("crm")
	_, err = crm.Create(t.Context(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = crm.Delete(context.WithoutCancel(t.Context()), nil) })
	s := shop{blob: crm.NewBlockBlobClient("crm.zip")}
	s.put(t, content)
	inside, err := url.Parse(crm.URL())
	require.NoError(t, err)
	front := httptest.NewTLSServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = inside.Scheme, inside.Host, inside.Host
	}})
	t.Cleanup(front.Close)
	s.links = func(name string, p sas.ContainerPermissions, until time.Time) string {
		return front.URL + inside.Path + "/" + name + query(t, crm, p, until)
	}
	s.read = remoteblob.WithoutPause(remoteblob.New(front.Client().Transport))
	return s
}

func query(t *testing.T, of *container.Client, p sas.ContainerPermissions, until time.Time) string {
	t.Helper()
	link, err := of.GetSASURL(p, until, nil)
	require.NoError(t, err)
	return link[strings.Index(link, "?"):]
}

func (s shop) put(t *testing.T, content []byte) {
	t.Helper()
	_, err := s.blob.Upload(t.Context(), streaming.NopCloser(bytes.NewReader(content)), nil)
	require.NoError(t, err)
}

func describe(r *finding.Report) []string { return packagestest.Described(r) }

const failed = "PKG_FETCH_FAILED packageLocationUrl"

// TestPackage reads a package of a real storage through its link (DYN-37) and copies it (DYN-38).
func TestPackage(t *testing.T) {
	clean := packagestest.Packed(t, packagestest.Base(t, "../packages/dynamics/testdata/base.txt"))
	s := openShop(t, clean)
	now, later := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC), time.Now().AddDate(0, 2, 0)
	readOnly := sas.ContainerPermissions{Read: true}
	good := s.links("crm.zip", readOnly, later)
	fetch := func(link string) (*dynamics.Fetched, *finding.Report) {
		report := finding.New("Dynamics365CustomerEngagement")
		f, err := dynamics.Fetch(t.Context(), s.read, link, now, report)
		require.NoError(t, err)
		return f, report
	}
	validate := func(f *dynamics.Fetched, report *finding.Report) []string {
		_, err := f.Validate(t.Context(), dynamics.Options{Now: now}, report)
		require.NoError(t, err)
		return describe(report)
	}
	f, report := fetch(good)
	require.Empty(t, validate(f, report))
	var copied bytes.Buffer
	_, err := f.Copy(t.Context(), &copied, report)
	require.NoError(t, err)
	require.Equal(t, clean, copied.Bytes(), "DYN-38")

	for _, row := range []struct {
		name, link string
		says       string
	}{
		{"no such blob", s.links("other.zip", readOnly, later), "404"},
		{"expired in truth, whatever the link says", strings.Replace(s.links("crm.zip", readOnly, time.Now().Add(-time.Hour)), "se=20", "se=21", 1), "403"},
		{"another signature", good[:len(good)-8] + "AAAAAA%3D", "403"},
	} {
		f, report := fetch(row.link)
		require.Nil(t, f, row.name)
		require.Equal(t, []string{failed}, describe(report), "DYN-37 %s", row.name)
		require.Contains(t, report.Findings[0].Message, row.says, "DYN-37 %s: the last status is in the message", row.name)
		require.NotContains(t, report.Findings[0].Message, "sig=")
	}

	f, report = fetch(good)
	s.put(t, append([]byte("PK"), clean...)) // between opening and reading
	require.Equal(t, []string{failed}, validate(f, report), "DYN-37 it changes while it is read")
	require.Contains(t, report.Findings[0].Message, "another file")
	s.put(t, []byte("text"))
	f, report = fetch(good)
	require.Equal(t, []string{"PKG_NOT_ZIP ."}, validate(f, report), "DYN-40")
	s.put(t, nil)
	f, report = fetch(good)
	require.Nil(t, f)
	require.Equal(t, []string{"PKG_EMPTY crm.zip"}, describe(report))
}

// TestPackageAnswers are answers that the stand-in does not give.
func TestPackageAnswers(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		serve http.HandlerFunc
		want  string
		says  string
		calls int32 // the first for the properties; an archive is looked at twice before it is given up
	}{
		{"busy, three times", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, failed, "503", 3},
		{"an error code that is a text", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("x-ms-error-code", "<b>call me</b>")
			w.WriteHeader(404)
		}, failed, "answers 404.", 1},
		{"a redirect is not followed", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(302)
		}, failed, "302", 1},
		{"no length", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) }, failed, "how long", 1},
		{"1 GiB and a byte", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "1073741825") }, "PKG_TOO_LARGE crm.zip", "1073741825", 1},
		{"no ranges", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "307200")
			_, _ = io.WriteString(w, strings.Repeat("x", 300<<10))
		}, failed, "parts of the file", 3},
		{"less than it says", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
			if r.Method == http.MethodGet {
				w.Header().Set("Content-Length", "10")
				w.WriteHeader(http.StatusPartialContent)
				_, _ = io.WriteString(w, "0123456789")
			}
		}, failed, "breaks off", 7},
		{"it goes away after it was opened", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
			if r.Method == http.MethodGet {
				w.Header().Set("Content-Length", "0")
				w.WriteHeader(404)
			}
		}, failed, "404", 3},
	} {
		t.Run("DYN-37 "+row.name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				row.serve(w, r)
			}))
			defer s.Close()
			reader := remoteblob.WithoutPause(remoteblob.New(s.Client().Transport))
			report := fetchAndValidate(t, reader, s.URL)
			require.Equal(t, []string{row.want}, describe(report))
			require.Contains(t, report.Findings[0].Message, row.says)
			require.NotContains(t, report.Findings[0].Message, "secret")
			require.Equal(t, row.calls, calls.Load())
		})
	}
}

func fetchAndValidate(t *testing.T, from dynamics.Links, host string) *finding.Report {
	t.Helper()
	report := finding.New("")
	now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	f, err := dynamics.Fetch(t.Context(), from, host+"/crm/crm.zip?sp=r&se=2026-12-31&sig=secret", now, report)
	require.NoError(t, err)
	if f != nil {
		_, err = f.Validate(t.Context(), dynamics.Options{Now: now}, report)
		require.NoError(t, err)
	}
	return report
}

// TestPackageInside: a link does not lead to addresses inside, and a caller that gives up is no fault of the link.
func TestPackageInside(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("called") }))
	defer s.Close()
	guarded := remoteblob.WithoutPause(remoteblob.New(outbound.Transport(outbound.Options{})))
	for _, host := range []string{s.URL, "https://169.254.169.254", "https://10.0.0.1"} {
		require.Equal(t, []string{failed}, describe(fetchAndValidate(t, guarded, host)), "DYN-37 %s", host)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	report := finding.New("")
	_, err := dynamics.Fetch(ctx, guarded, s.URL+"/crm/crm.zip?sp=r&se=2126-12-31&sig=secret", time.Now(), report)
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, report.Findings)
}
