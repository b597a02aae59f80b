package blobs

import (
	"errors"
	"io"
	"os"
	"sync"
)

const (
	window  = 256 << 10 // bytes read at a time
	windows = 4         // kept: readers of archives go to and fro between directory and entries
)

// Blob is a blob that is read by ranges, with a small cache that reads ahead. It implements io.ReaderAt.
type Blob struct {
	Size int64  // bytes
	ETag string // of the version that is read

	fetch func(p []byte, offset int64) error

	mu     sync.Mutex
	closed bool
	cache  []piece // most lately used last
}

type piece struct {
	offset int64
	data   []byte
}

// NewBlob makes a blob on a function that fills p from the offset on; it is never asked beyond the size.
func NewBlob(size int64, etag string, fetch func(p []byte, offset int64) error) *Blob {
	return &Blob{Size: size, ETag: etag, fetch: fetch}
}

// ReadAt implements io.ReaderAt. Reads that are larger than the cache's pieces go past it.
func (b *Blob) ReadAt(p []byte, offset int64) (int, error) {
	if offset < 0 {
		return 0, errors.New("read blob: negative offset")
	}
	if offset >= b.Size {
		return 0, io.EOF
	}
	var end error
	if int64(len(p)) > b.Size-offset {
		p, end = p[:b.Size-offset], io.EOF
	}
	if len(p) >= window {
		if b.isClosed() {
			return 0, os.ErrClosed
		}
		if err := b.fetch(p, offset); err != nil {
			return 0, err
		}
		return len(p), end
	}
	n := 0
	for n < len(p) {
		at := offset + int64(n)
		data, err := b.piece(at / window * window)
		if err != nil {
			return n, err
		}
		n += copy(p[n:], data[at%window:])
	}
	return n, end
}

func (b *Blob) isClosed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

// piece gives the piece that begins at the offset. Readers wait for each other, so that none is fetched twice.
func (b *Blob) piece(offset int64) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, os.ErrClosed
	}
	for i, p := range b.cache {
		if p.offset == offset {
			b.cache = append(append(b.cache[:i:i], b.cache[i+1:]...), p)
			return p.data, nil
		}
	}
	data := make([]byte, min(window, b.Size-offset))
	if err := b.fetch(data, offset); err != nil {
		return nil, err
	}
	if len(b.cache) == windows {
		b.cache = b.cache[1:]
	}
	b.cache = append(b.cache, piece{offset, data})
	return data, nil
}

// Close frees the cache; later reads fail with os.ErrClosed. It may be called more than once.
func (b *Blob) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed, b.cache = true, nil
	return nil
}
