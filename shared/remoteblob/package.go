package remoteblob

import (
	"context"
	"errors"
	"fmt"

	"stoa/shared/blobs"
	"stoa/shared/packages/dynamics"
)

// OpenPackage implements dynamics.Links. It asks for the file's properties; its bytes are read later, with ctx, some
// ahead of what is asked for.
func (r *Reader) OpenPackage(ctx context.Context, link string) (dynamics.Linked, error) {
	b, _, err := r.open(ctx, link)
	if err != nil {
		return dynamics.Linked{}, unreachable(ctx, err)
	}
	ahead := blobs.NewBlob(b.length, b.version, func(p []byte, at int64) error {
		return unreachable(ctx, r.fill(b, p, at))
	})
	return dynamics.Linked{ReaderAt: ahead, Size: b.length}, nil
}

// fill reads bytes that the file has, and again when storage breaks off. Calls that fail were repeated before.
func (r *Reader) fill(b *blob, p []byte, at int64) error {
	var err error
	for range r.tries {
		if _, err = b.ReadAt(p, at); !errors.Is(err, errCut) {
			return err
		}
	}
	return err
}

// unreachable says why a package cannot be had; what ends the caller's own context stays what it is.
func unreachable(ctx context.Context, err error) error {
	var no *refusal
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("read a linked package: %w", ctx.Err())
	case errors.As(err, &no):
		return &dynamics.Unreachable{Status: no.status, Why: no.why()}
	case errors.Is(err, errNoLength):
		return &dynamics.Unreachable{Why: "does not say how long the file is"}
	case errors.Is(err, errNoRanges):
		return &dynamics.Unreachable{Why: "does not give parts of the file"}
	case errors.Is(err, errCut):
		return &dynamics.Unreachable{Why: "breaks off while the file is read"}
	case errors.Is(err, errChanged):
		return &dynamics.Unreachable{Why: "has another file than when it was opened; it must not change while it is read"}
	}
	return &dynamics.Unreachable{Why: "does not answer, or lies at an address that is not read from"}
}
