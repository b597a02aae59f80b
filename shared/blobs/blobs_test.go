package blobs_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/infra/local/azurite"
	"stoa/infra/local/azurite/azuritetest"
	"stoa/shared/blobs"
	"stoa/shared/blobs/blobstest"
	"stoa/shared/fault"
)

func TestMain(m *testing.M) { azuritetest.Main(m) }

func open(t *testing.T) *blobs.Account {
	t.Helper()
	account, err := blobs.Open(blobs.Options{ConnectionString: azuritetest.Storage(t).ConnectionString()})
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, account.Create(t.Context(), "reports"), "creating twice is fine")
	}
	return account
}

func TestTwin(t *testing.T) {
	t.Parallel()
	blobstest.Suite(t, new(blobstest.Account))
}

func TestAzurite(t *testing.T) {
	t.Parallel()
	blobstest.Suite(t, open(t))
}

func request(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("x-ms-blob-type", "BlockBlob")
	reply, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	require.NoError(t, err)
	return reply.StatusCode, string(text)
}

// A link allows what it is for, for its blob, and nothing else.
func TestLinksWork(t *testing.T) {
	t.Parallel()
	account := open(t)
	up, err := account.UploadLink("reports", "linked/ü 1.txt", time.Hour)
	require.NoError(t, err)
	down, err := account.DownloadLink("reports", "linked/ü 1.txt", time.Hour)
	require.NoError(t, err)

	status, _ := request(t, http.MethodPut, up, "hello")
	require.Equal(t, http.StatusCreated, status)
	status, text := request(t, http.MethodGet, down, "")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "hello", text)

	for name, c := range map[string]struct{ method, url string }{
		"reading with the upload link":    {http.MethodGet, up},
		"writing with the download link":  {http.MethodPut, down},
		"deleting with the upload link":   {http.MethodDelete, up},
		"deleting with the download link": {http.MethodDelete, down},
		"another blob":                    {http.MethodPut, strings.Replace(up, "linked", "other", 1)},
		"no signature":                    {http.MethodGet, strings.Split(down, "?")[0]},
	} {
		status, _ := request(t, c.method, c.url, "x")
		require.Contains(t, []int{http.StatusForbidden, http.StatusNotFound}, status, name)
	}
	data, err := account.Read(t.Context(), "reports", "linked/ü 1.txt", 100)
	require.NoError(t, err)
	require.Equal(t, "hello", string(data))
}

func TestStorageAway(t *testing.T) {
	t.Parallel()
	account, err := blobs.Open(blobs.Options{ConnectionString: "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=" +
		azurite.AccountKey + ";BlobEndpoint=http://127.0.0.1:1/a"})
	require.NoError(t, err)
	_, err = account.Read(t.Context(), "reports", "x", 1)
	require.Truef(t, fault.Is(err, fault.Unavailable), "%v", err)
	_, err = blobs.Open(blobs.Options{ConnectionString: "nonsense"})
	require.Error(t, err)
}

// An archive is read to and fro in few requests.
func TestReadAhead(t *testing.T) {
	t.Parallel()
	const size = 3 << 20
	var fetched atomic.Int32
	b := blobs.NewBlob(size, "e", func(p []byte, offset int64) error {
		require.LessOrEqual(t, offset+int64(len(p)), int64(size))
		fetched.Add(1)
		return nil
	})
	small := make([]byte, 4096)
	for offset := int64(0); offset < 1<<20; offset += 4096 {
		_, err := b.ReadAt(small, offset)
		require.NoError(t, err)
		_, err = b.ReadAt(small, size-4096)
		require.NoError(t, err)
	}
	require.EqualValues(t, 5, fetched.Load(), "four pieces and the end")
}
