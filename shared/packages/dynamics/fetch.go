package dynamics

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"stoa/shared/packages/archive"
	"stoa/shared/packages/finding"
)

const (
	maxPackage = 1 << 30
	copyBuffer = 1 << 20 // bytes that are asked for in one call while a package is copied
	forbidden  = 403     // what storage answers when a signature is not good, or no longer
)

// Links opens files by the links that publishers give. An *Unreachable error says that the file cannot be had; the
// reader's errors do so as well.
type Links interface {
	OpenPackage(ctx context.Context, link string) (Linked, error)
}

// Linked is a file behind a link, read by ranges.
type Linked struct {
	io.ReaderAt
	Size int64
}

// Unreachable is why a file behind a link cannot be read. Why goes on after "The storage".
type Unreachable struct {
	Status int // of the last answer; 0 without one
	Why    string
}

// Error implements error.
func (u *Unreachable) Error() string { return "the storage " + u.Why }

// Fetched is a package behind a link, opened and not yet read.
type Fetched struct {
	File
	Expires time.Time // when the link does; zero when it does not tell
	policy  bool      // the link names a stored access policy and no expiry
}

// Fetch opens the package behind a link: first the link is looked at, then its storage is asked (DYN-37). Nil after a
// finding that blocks. The error is that of the context.
func Fetch(ctx context.Context, from Links, link string, now time.Time, report *finding.Report) (*Fetched, error) {
	looked := finding.New(report.Type)
	f := &Fetched{Expires: CheckLink(link, now, looked)}
	pass(looked, report)
	if looked.Blocking {
		return nil, nil
	}
	u, values, _ := parseLink(link) // CheckLink took it
	f.Name = u.Path
	f.policy = values.Get("si") != "" && values.Get("se") == ""
	file, err := from.OpenPackage(ctx, link)
	if err != nil {
		return nil, f.blame(err, report)
	}
	f.Bytes, f.Size = file.ReaderAt, file.Size
	if !f.check(maxPackage, report, ".zip") {
		return nil, nil
	}
	return f, nil
}

// blame turns what kept a package from being read into a finding; any other error stays one. A signature whose expiry
// lies in a stored access policy has expired when storage says no.
func (f *Fetched) blame(err error, report *finding.Report) error {
	var away *Unreachable
	at := finding.Place{File: linkField}
	switch {
	case !errors.As(err, &away):
		return err
	case away.Status == forbidden && f.policy:
		report.Add("CE_SAS_EXPIRED", at, "The storage answers %d: the stored access policy has expired or is gone.", away.Status)
	default:
		report.Add("PKG_FETCH_FAILED", at, "The storage %s.", away.Why)
	}
	return nil
}

// Validate looks at the package where it lies. The error is that of the context.
func (f *Fetched) Validate(ctx context.Context, o Options, report *finding.Report) ([]Package, error) {
	inside := finding.New(report.Type)
	tree, err := archive.Open(ctx, f.Bytes, f.Size, inside)
	var found []Package
	if err == nil && tree != nil {
		found, err = Validate(ctx, tree, o, inside)
	}
	if err != nil {
		return nil, f.blame(err, report) // what was found in half a package says nothing
	}
	pass(inside, report)
	return found, nil
}

// pass adds the findings of a report to another one.
func pass(from, to *finding.Report) {
	for _, f := range from.Findings {
		to.Put(f)
	}
	to.Blocking = to.Blocking || from.Blocking // the ones that were dropped as well
}

// Copy writes the package and returns its SHA-256, so that later steps work on the copy (DYN-38). The sum is empty
// after a finding. The error is that of the writer or of the context.
func (f *Fetched) Copy(ctx context.Context, w io.Writer, report *finding.Report) (sum string, err error) {
	digest := sha256.New()
	buffer := make([]byte, min(f.Size, copyBuffer))
	for at := int64(0); at < f.Size; at += int64(len(buffer)) {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		buffer = buffer[:min(f.Size-at, int64(len(buffer)))]
		if n, err := f.Bytes.ReadAt(buffer, at); n < len(buffer) {
			return "", f.blame(err, report)
		}
		_, _ = digest.Write(buffer) // a hash takes everything
		if _, err := w.Write(buffer); err != nil {
			return "", fmt.Errorf("copy the package: %w", err)
		}
	}
	return hex.EncodeToString(digest.Sum(nil)), nil
}
