package remoteblob_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/stretchr/testify/require"

	"stoa/infra/local/azurite/azuritetest"
	"stoa/shared/packages/vmimage"
	"stoa/shared/remoteblob"
)

func TestMain(m *testing.M) { azuritetest.Main(m) }

// uploaded puts a page blob into real storage and gives its container and the query of a link to it.
func uploaded(t *testing.T, content []byte, until time.Time) (*container.Client, string) {
	t.Helper()
	storage, err := service.NewClientFromConnectionString(azuritetest.Storage(t).ConnectionString(), nil)
	require.NoError(t, err)
	vhds := storage.NewContainerClient("vhds")
	_, err = vhds.Create(t.Context(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = vhds.Delete(t.Context(), nil) })
	pages := vhds.NewPageBlobClient("os.vhd")
	_, err = pages.Create(t.Context(), int64(len(content)), nil)
	require.NoError(t, err)
	_, err = pages.UploadPages(t.Context(), streaming.NopCloser(bytes.NewReader(content)), blobRange(len(content)), nil)
	require.NoError(t, err)
	_, err = vhds.NewBlockBlobClient("block.vhd").Upload(t.Context(), streaming.NopCloser(bytes.NewReader(content)), nil)
	require.NoError(t, err)
	link, err := vhds.GetSASURL(sas.ContainerPermissions{Read: true, List: true}, until, nil)
	require.NoError(t, err)
	return vhds, link[len(vhds.URL()):]
}

func TestStorage(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 64)
	vhds, query := uploaded(t, content, time.Now().Add(time.Hour))
	reader := remoteblob.WithoutPause(remoteblob.New(http.DefaultTransport))
	blob, err := reader.OpenLink(t.Context(), vhds.URL()+"/os.vhd"+query)
	require.NoError(t, err)
	require.True(t, blob.PageBlob)
	require.EqualValues(t, 1024, blob.Length)
	got := make([]byte, 100)
	n, err := blob.ReadAt(got, 515)
	require.NoError(t, err)
	require.Equal(t, content[515:615], got[:n])
	n, err = blob.ReadAt(got, 1000)
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, content[1000:], got[:n])
	_, err = blob.ReadAt(got, 1024)
	require.ErrorIs(t, err, io.EOF)
	_, err = blob.ReadAt(got, 1025)
	require.Error(t, err)
	block, err := reader.OpenLink(t.Context(), vhds.URL()+"/block.vhd"+query)
	require.NoError(t, err)
	require.False(t, block.PageBlob, "VMO-82")

	var refused *vmimage.Refused
	_, err = reader.OpenLink(t.Context(), vhds.URL()+"/other.vhd"+query)
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "DL-NOTFOUND", refused.Code, "VMO-82")
	_, err = reader.OpenLink(t.Context(), vhds.URL()+"/os.vhd"+query[:len(query)-8]+"AAAAAA%3D")
	require.ErrorAs(t, err, &refused)
	require.Contains(t, []string{"SAS-AUTH", "DL-SIG"}, refused.Code, "VMO-70")
}

// Answers that the stand-in does not give.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		status int
		reason string
		code   string // empty: storage's own fault
		calls  int32
	}{
		{"VMO-70 401", 401, "", "SAS-AUTH", 1},
		{"VMO-70 403", 403, "AuthorizationPermissionMismatch", "SAS-AUTH", 1},
		{"VMO-82 a wrong signature", 403, "AuthenticationFailed", "DL-SIG", 1},
		{"VMO-82 404", 404, "BlobNotFound", "DL-NOTFOUND", 1},
		{"VMO-82 400", 400, "InvalidUri", "DL-BADURL", 1},
		{"VMO-82 leased, tried again", 412, "LeaseIdMissing", "DL-INUSE", 3},
		{"VMO-82 leased otherwise", 409, "LeaseAlreadyPresent", "DL-INUSE", 3},
		{"VMO-82 a condition", 412, "ConditionNotMet", "DL-COND", 1},
		{"VMO-77 a redirect is not followed", 302, "", "DL-BADURL", 1},
		{"busy", 503, "ServerBusy", "", 3},
		{"too many", 429, "", "", 3},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				w.Header().Set("x-ms-error-code", row.reason)
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(row.status)
			}))
			defer s.Close()
			_, err := remoteblob.WithoutPause(remoteblob.New(http.DefaultTransport)).OpenLink(t.Context(), s.URL+"/vhds/os.vhd?sig=secret")
			require.Error(t, err)
			var refused *vmimage.Refused
			if row.code == "" {
				require.False(t, errors.As(err, &refused))
			} else {
				require.ErrorAs(t, err, &refused)
				require.Equal(t, row.code, refused.Code)
			}
			require.Equal(t, row.calls, calls.Load())
			require.NotContains(t, err.Error(), "secret", "VMO-62")
		})
	}
	s := httptest.NewServer(nil)
	s.Close()
	_, err := remoteblob.WithoutPause(remoteblob.New(http.DefaultTransport)).OpenLink(t.Context(), s.URL+"/os.vhd?sig=secret")
	require.Error(t, err)
	require.NotContains(t, err.Error(), "secret", "VMO-62")
}

// The query goes out as it was given (VMO-79).
func TestQueryUnchanged(t *testing.T) {
	t.Parallel()
	const query = "sv=2020&st=2016-06-25T18%3a30%3A00Z&sp=rl&sig=a%2Bb%2fc%3D"
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "512")
		if r.URL.RawQuery != query {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	defer s.Close()
	_, err := remoteblob.New(http.DefaultTransport).OpenLink(t.Context(), s.URL+"/vhds/a.vhd?"+query)
	require.NoError(t, err)
}

func blobRange(n int) (r azblob.HTTPRange) {
	r.Count = int64(n)
	return r
}
