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
		_, err := b.ReadAt(p, at) // never beyond the end
		return unreachable(ctx, err)
	})
	return dynamics.Linked{ReaderAt: ahead, Size: b.length}, nil
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
	case errors.Is(err, errChanged):
		return &dynamics.Unreachable{Why: "has another file than when it was opened; it must not change while it is read"}
	}
	return &dynamics.Unreachable{Why: "does not answer, or lies at an address that is not read from"}
}
