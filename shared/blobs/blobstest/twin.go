// Package blobstest holds the in-memory twin of Blob storage and the behaviour suite that the twin and the real
// store both pass.
package blobstest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/url"
	"sync"
	"time"

	"stoa/shared/blobs"
	"stoa/shared/fault"
)

// Account is an account in memory. Its containers need not be created. The zero value is ready, and safe for
// concurrent use.
type Account struct {
	mu      sync.Mutex
	version int
	content map[[2]string]content
}

type content struct {
	data        []byte
	etag        string
	contentType string
}

// Put writes a blob.
func (a *Account) Put(_ context.Context, container, name string, r io.Reader, contentType string) error {
	if err := blobs.CheckName(container, name); err != nil {
		return err
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("write blob %s/%s: %w", container, name, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.write(container, name, data, contentType)
	return nil
}

// PutNew writes a blob that must not exist.
func (a *Account) PutNew(_ context.Context, container, name string, data []byte, contentType string) error {
	if err := blobs.CheckName(container, name); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, ok := a.content[[2]string{container, name}]; ok {
		return fault.New(fault.Conflict, "AlreadyExists", "", "It exists already.")
	}
	a.write(container, name, bytes.Clone(data), contentType)
	return nil
}

func (a *Account) write(container, name string, data []byte, contentType string) {
	if a.content == nil {
		a.content = map[[2]string]content{}
	}
	a.version++
	a.content[[2]string{container, name}] = content{data, fmt.Sprintf(`"0x%X"`, a.version), contentType}
}

func (a *Account) find(container, name string) (content, error) {
	if err := blobs.CheckName(container, name); err != nil {
		return content{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	c, ok := a.content[[2]string{container, name}]
	if !ok {
		return content{}, fault.New(fault.NotFound, "NotFound", "", "It does not exist.")
	}
	return c, nil
}

// Read reads a whole blob of at most limit bytes.
func (a *Account) Read(_ context.Context, container, name string, limit int64) ([]byte, error) {
	c, err := a.find(container, name)
	if err != nil {
		return nil, err
	}
	if int64(len(c.data)) > limit {
		return nil, blobs.TooLarge(limit)
	}
	return bytes.Clone(c.data), nil
}

// ContentType is the content type a blob was written with, empty when there is no such blob.
func (a *Account) ContentType(container, name string) string {
	c, err := a.find(container, name)
	if err != nil {
		return ""
	}
	return c.contentType
}

// Open opens a blob for reading by ranges.
func (a *Account) Open(ctx context.Context, container, name string) (*blobs.Blob, error) {
	opened, err := a.find(container, name)
	if err != nil {
		return nil, err
	}
	return blobs.NewBlob(int64(len(opened.data)), opened.etag, func(p []byte, offset int64) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		c, err := a.find(container, name)
		if err != nil {
			return err
		}
		if c.etag != opened.etag {
			return fault.New(fault.StaleETag, "PreconditionFailed", "If-Match", "It was changed in between. Read it again.")
		}
		copy(p, c.data[offset:])
		return nil
	}), nil
}

// UploadLink gives an address that tells where it leads and leads nowhere.
func (a *Account) UploadLink(container, name string, life time.Duration) (string, error) {
	return link(container, name, life, "cw")
}

// DownloadLink gives an address that tells where it leads and leads nowhere.
func (a *Account) DownloadLink(container, name string, life time.Duration) (string, error) {
	return link(container, name, life, "r")
}

func link(container, name string, life time.Duration, may string) (string, error) {
	if err := blobs.CheckName(container, name); err != nil {
		return "", err
	}
	if err := blobs.CheckLife(life); err != nil {
		return "", err
	}
	address := url.URL{Scheme: "https", Host: "blobs.invalid", Path: "/" + container + "/" + name}
	address.RawQuery = url.Values{"sp": {may}, "life": {life.String()}}.Encode()
	return address.String(), nil
}
