package blobstest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/blobs"
	"stoa/shared/fault"
)

// Store is what the suite holds to its word.
type Store interface {
	Put(ctx context.Context, container, name string, r io.Reader, contentType string) error
	PutNew(ctx context.Context, container, name string, data []byte, contentType string) error
	Read(ctx context.Context, container, name string, limit int64) ([]byte, error)
	Open(ctx context.Context, container, name string) (*blobs.Blob, error)
	UploadLink(container, name string, life time.Duration) (string, error)
	DownloadLink(container, name string, life time.Duration) (string, error)
}

var (
	_ Store = (*Account)(nil)
	_ Store = (*blobs.Account)(nil)
)

const (
	container = "reports"
	plain     = "text/plain"
)

// Suite is the behaviour every store of blobs has, in a container "reports" of its own.
func Suite(t *testing.T, s Store) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Store){
		"put writes and overwrites":                putOverwrites,
		"put new writes once":                      putNewOnce,
		"of many new ones one wins":                oneWins,
		"a reader that fails changes nothing":      failedPut,
		"read keeps its limit":                     limits,
		"ranges give what the blob holds":          ranges,
		"an overwritten blob is not read on":       overwritten,
		"a closed blob is not read on":             closed,
		"what is not there is not found":           notFound,
		"names that are none are refused":          names,
		"links have a life and names are checked":  links,
		"odd names and empty content come through": odd,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, s)
		})
	}
}

func requireKind(t *testing.T, err error, kind fault.Kind) {
	t.Helper()
	require.Truef(t, fault.Is(err, kind), "got %v, want a fault of kind %s", err, kind)
}

func put(t *testing.T, s Store, name string, data []byte) {
	t.Helper()
	require.NoError(t, s.Put(t.Context(), container, name, bytes.NewReader(data), plain))
}

func read(t *testing.T, s Store, name string) string {
	t.Helper()
	data, err := s.Read(t.Context(), container, name, 1<<20)
	require.NoError(t, err)
	return string(data)
}

func putOverwrites(t *testing.T, s Store) {
	put(t, s, "a/over", []byte("first"))
	require.Equal(t, "first", read(t, s, "a/over"))
	put(t, s, "a/over", []byte("second"))
	require.Equal(t, "second", read(t, s, "a/over"))
}

func putNewOnce(t *testing.T, s Store) {
	require.NoError(t, s.PutNew(t.Context(), container, "new", []byte("1"), plain))
	requireKind(t, s.PutNew(t.Context(), container, "new", []byte("2"), plain), fault.Conflict)
	require.Equal(t, "1", read(t, s, "new"))
}

func oneWins(t *testing.T, s Store) {
	var won, lost atomic.Int32
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			switch err := s.PutNew(context.Background(), container, "race", []byte{byte(i)}, plain); {
			case err == nil:
				won.Add(1)
			case fault.Is(err, fault.Conflict):
				lost.Add(1)
			}
		})
	}
	group.Wait()
	require.EqualValues(t, 1, won.Load())
	require.EqualValues(t, 7, lost.Load())
}

func failedPut(t *testing.T, s Store) {
	put(t, s, "kept", []byte("old"))
	broken := errors.New("the source broke")
	source := io.MultiReader(strings.NewReader("new"), iotest.ErrReader(broken))
	require.ErrorIs(t, s.Put(t.Context(), container, "kept", source, plain), broken)
	require.Equal(t, "old", read(t, s, "kept"))
}

func limits(t *testing.T, s Store) {
	put(t, s, "limited", []byte("12345"))
	for limit, fits := range map[int64]bool{4: false, 5: true, 6: true, 0: false} {
		data, err := s.Read(t.Context(), container, "limited", limit)
		if !fits {
			requireKind(t, err, fault.TooLarge)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, "12345", string(data))
	}
}

func ranges(t *testing.T, s Store) {
	data := make([]byte, 1<<20+12345)
	for i := range data {
		data[i] = byte(i * 7 >> 3)
	}
	put(t, s, "ranges", data)
	b, err := s.Open(t.Context(), container, "ranges")
	require.NoError(t, err)
	require.EqualValues(t, len(data), b.Size)
	require.NotEmpty(t, b.ETag)
	for _, c := range []struct{ offset, size int }{
		{0, 0}, {0, 1}, {256<<10 - 1, 2}, {256 << 10, 256 << 10}, {100, 700 << 10}, {len(data) - 5, 5}, {len(data) - 5, 6}, {len(data) - 300<<10, 400 << 10}, {0, len(data)},
	} {
		p := make([]byte, c.size)
		n, err := b.ReadAt(p, int64(c.offset))
		want := data[c.offset:min(c.offset+c.size, len(data))]
		require.Equal(t, len(want), n)
		require.True(t, bytes.Equal(want, p[:n]), "%+v", c)
		if c.offset+c.size > len(data) {
			require.Equal(t, io.EOF, err)
		} else {
			require.NoError(t, err)
		}
	}
	whole, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size))
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, whole))
	_, err = b.ReadAt(make([]byte, 1), b.Size)
	require.Equal(t, io.EOF, err)
	_, err = b.ReadAt(make([]byte, 1), -1)
	require.Error(t, err)
}

func overwritten(t *testing.T, s Store) {
	put(t, s, "moving", []byte("first"))
	b, err := s.Open(t.Context(), container, "moving")
	require.NoError(t, err)
	put(t, s, "moving", []byte("other"))
	_, err = b.ReadAt(make([]byte, 5), 0)
	requireKind(t, err, fault.StaleETag)
}

func closed(t *testing.T, s Store) {
	put(t, s, "closed", bytes.Repeat([]byte("x"), 600<<10))
	b, err := s.Open(t.Context(), container, "closed")
	require.NoError(t, err)
	require.NoError(t, b.Close())
	require.NoError(t, b.Close())
	for _, size := range []int{1, 600 << 10} {
		_, err = b.ReadAt(make([]byte, size), 0)
		require.ErrorIs(t, err, os.ErrClosed)
	}
}

func notFound(t *testing.T, s Store) {
	_, err := s.Read(t.Context(), container, "none", 10)
	requireKind(t, err, fault.NotFound)
	_, err = s.Open(t.Context(), container, "none")
	requireKind(t, err, fault.NotFound)
}

func names(t *testing.T, s Store) {
	for _, at := range [][2]string{
		{"", "a"}, {"Reports", "a"}, {"re/ports", "a"}, {container, ""}, {container, "/a"}, {container, "a/"}, {container, "a//b"},
		{container, "."}, {container, ".."}, {container, "a/../b"}, {container, "a."}, {container, `a\b`}, {container, "a\nb"},
		{container, strings.Repeat("x", 1025)},
	} {
		requireKind(t, s.Put(t.Context(), at[0], at[1], strings.NewReader("x"), plain), fault.Invalid)
		requireKind(t, s.PutNew(t.Context(), at[0], at[1], nil, plain), fault.Invalid)
		_, err := s.Read(t.Context(), at[0], at[1], 1)
		requireKind(t, err, fault.Invalid)
		_, err = s.Open(t.Context(), at[0], at[1])
		requireKind(t, err, fault.Invalid)
		_, err = s.UploadLink(at[0], at[1], time.Hour)
		requireKind(t, err, fault.Invalid)
	}
}

func links(t *testing.T, s Store) {
	for _, c := range []struct {
		life time.Duration
		fine bool
	}{{0, false}, {-1, false}, {time.Second, true}, {blobs.MaxLink, true}, {blobs.MaxLink + 1, false}} {
		up, err := s.UploadLink(container, "a/b c", c.life)
		if !c.fine {
			requireKind(t, err, fault.Invalid)
			continue
		}
		require.NoError(t, err)
		down, err := s.DownloadLink(container, "a/b c", c.life)
		require.NoError(t, err)
		require.NotEqual(t, up, down)
		address, err := url.Parse(down)
		require.NoError(t, err)
		require.True(t, strings.HasSuffix(address.Path, "/"+container+"/a/b c"), down)
	}
}

func odd(t *testing.T, s Store) {
	for _, name := range []string{"a b", "ü/日本", "100%", "a?b#c", "a+b&c=d", "a'b", strings.Repeat("x", 200)} {
		put(t, s, name, nil)
		require.Empty(t, read(t, s, name))
		b, err := s.Open(t.Context(), container, name)
		require.NoError(t, err)
		require.Zero(t, b.Size)
		_, err = b.ReadAt(make([]byte, 1), 0)
		require.Equal(t, io.EOF, err)
	}
}
