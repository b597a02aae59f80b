package archive

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"stoa/shared/packages/content"
	"stoa/shared/packages/finding"
)

const (
	// MaxDepth is how many archives may lie inside one another below the package.
	MaxDepth = 3

	// Bytes of an inner archive, which is held in memory while it is read, together with those it lies in.
	maxHeld     = 256 << 20 // directly in the package
	maxHeldDeep = 128 << 20 // in another inner archive
)

// Nest opens the archives inside one package, all of them within one budget of inflated bytes, so that archives of
// archives come to no more than one package may. Not safe for concurrent use.
type Nest struct{ limit bounds }

// NewNest is the budget of one package.
func NewNest() *Nest { return &Nest{limit: bounds{entry: maxEntry, total: maxInflated}} }

// Join names a file of an inner archive: the archive's own name, "!/" and the file's. The package itself has the
// name "".
func Join(path, name string) string {
	switch {
	case path == "":
		return name
	case name == "" || name == ".":
		return path
	}
	return path + "!/" + name
}

// Bytes reads a file that is to be opened as an archive into memory. The path names it in findings; depth is 1 for
// what lies in the package itself. Nil after a finding.
func (n *Nest) Bytes(f *content.File, path string, depth int, report *finding.Report) (*bytes.Reader, error) {
	at, most := finding.Place{File: path}, int64(maxHeld)
	if depth > 1 {
		most = maxHeldDeep
	}
	switch {
	case depth > MaxDepth:
		report.Add("PKG_TOO_DEEP", at, "%d archives lie inside one another to here; at most %d are opened.", depth, MaxDepth)
		return nil, nil
	case f.Size > most:
		report.Add("PKG_TOO_LARGE", at, "The archive inside the package has %d bytes; at most %d are allowed.", f.Size, most)
		return nil, nil
	case f.Size > n.limit.total:
		report.Add("PKG_BOMB", at, "The archives inside the package inflate to more than %d bytes.", int64(maxInflated))
		return nil, nil
	}
	n.limit.total -= f.Size
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	defer r.Close()
	held := bytes.NewBuffer(make([]byte, 0, f.Size+bytes.MinRead))
	if _, err := held.ReadFrom(io.LimitReader(r, f.Size)); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return bytes.NewReader(held.Bytes()), nil
}

// Open opens an archive inside the package like Open does with the package; findings name its files below the path.
func (n *Nest) Open(ctx context.Context, r io.ReaderAt, size int64, path string, report *finding.Report) (*content.Tree, error) {
	inner := finding.New(report.Type)
	tree, err := open(ctx, r, size, &n.limit, inner)
	for _, f := range inner.Findings {
		f.File = Join(path, f.File)
		report.Put(f)
	}
	return tree, err
}
