package store

import (
	"context"
	"errors"
	"fmt"
	"io"
)

const processedBlobs = "processed"

// Streams write blobs whose length is not known.
type Streams interface {
	Put(ctx context.Context, container, name string, r io.Reader, contentType string) error
}

// Processed keeps packages that were changed on their way, as blobs whose names are made of the version they were made of.
type Processed struct{ blobs Streams }

// NewProcessed keeps them over blobs.
func NewProcessed(blobs Streams) *Processed { return &Processed{blobs: blobs} }

// PutProcessed writes a package as it is made, without holding it. Again, it writes the same.
func (p *Processed) PutProcessed(ctx context.Context, name string, write func(io.Writer) error) error {
	r, w := io.Pipe()
	made := make(chan error, 1)
	go func() {
		err := write(w)
		_ = w.CloseWithError(err) // a nil one is the end
		made <- err
	}()
	err := p.blobs.Put(ctx, processedBlobs, name, r, "application/zip")
	_ = r.CloseWithError(io.ErrClosedPipe) // ends a writer that nobody reads any more
	if failed := <-made; failed != nil && !errors.Is(failed, io.ErrClosedPipe) {
		return fmt.Errorf("make %s: %w", name, failed)
	}
	return err
}
