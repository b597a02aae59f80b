package dynamics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"stoa/shared/packages/archive"
	"stoa/shared/packages/content"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/xmldoc"
)

const (
	maxXML  = 256 << 20 // bytes of XML that are parsed of one package
	maxFile = 64 << 20  // bytes of one XML file
)

// box is an open archive, and where it lies.
type box struct {
	tree  *content.Tree
	path  string // "" for the package itself
	depth int    // archives it lies in
	names map[string]*content.File
}

// newBox is a box of an open archive. Names are compared without letter case, as archives may not have two that
// differ in nothing else.
func newBox(tree *content.Tree, path string, depth int) *box {
	b := &box{tree: tree, path: path, depth: depth, names: make(map[string]*content.File, len(tree.Files()))}
	for _, f := range tree.Files() {
		b.names[strings.ToLower(f.Name)] = f
	}
	return b
}

// file is the file of a name, nil when there is none.
func (b *box) file(name string) *content.File {
	return b.names[strings.ToLower(strings.ReplaceAll(name, `\`, "/"))]
}

// rootFile is the file of a name that lies in no folder.
func (b *box) rootFile(name string) *content.File {
	if strings.ContainsAny(name, `/\`) {
		return nil
	}
	return b.file(name)
}

// rootFiles are the files with one of the extensions that lie in no folder.
func (b *box) rootFiles(extension string) []*content.File {
	var out []*content.File
	for _, f := range b.tree.Files() {
		if f.Has(extension) && !strings.Contains(f.Name, "/") {
			out = append(out, f)
		}
	}
	return out
}

// at is the place of a file in the box, or of the box.
func (b *box) at(name string) finding.Place {
	return finding.Place{File: archive.Join(b.path, name)}
}

// validation is one run over a package.
type validation struct {
	options Options
	report  *finding.Report
	nest    *archive.Nest
	xmlLeft int64 // bytes of XML that may still be parsed
	boxes   int   // AppSource packages found
	empty   []finding.Place
	found   []Package
}

// open opens an archive that lies in a box; nil after a finding.
func (v *validation) open(ctx context.Context, b *box, f *content.File) (*box, error) {
	path := archive.Join(b.path, f.Name)
	held, err := v.nest.Bytes(f, path, b.depth+1, v.report)
	if err != nil || held == nil {
		return nil, err
	}
	tree, err := v.nest.Open(ctx, held, held.Size(), path, v.report)
	if err != nil || tree == nil {
		return nil, err
	}
	return newBox(tree, path, b.depth+1), nil
}

// text reads an XML file, or says why it does not.
func (v *validation) text(b *box, f *content.File) (raw []byte, why string, err error) {
	switch {
	case f.Size > maxFile:
		return nil, fmt.Sprintf("it has %d bytes; at most %d are read", f.Size, int64(maxFile)), nil
	case f.Size > v.xmlLeft:
		return nil, fmt.Sprintf("the package has more than %d bytes of XML", int64(maxXML)), nil
	}
	v.xmlLeft -= f.Size
	r, err := f.Open()
	if err != nil {
		return nil, "", fmt.Errorf("open %s: %w", archive.Join(b.path, f.Name), err)
	}
	defer r.Close()
	raw = make([]byte, f.Size)
	if n, err := io.ReadFull(r, raw); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, "", fmt.Errorf("read %s: %w", archive.Join(b.path, f.Name), err)
	} else {
		raw = raw[:n]
	}
	return raw, "", nil
}

// document reads an XML file whose root has a name; nil after a finding under the code. With parts, only these are
// kept.
func (v *validation) document(b *box, f *content.File, code, root string, parts ...string) (*xmldoc.Document, error) {
	raw, why, err := v.text(b, f)
	if err != nil {
		return nil, err
	}
	if why != "" {
		v.report.Add(code, b.at(f.Name), "The file is not looked at: %s.", why)
		return nil, nil
	}
	doc, problem := xmldoc.Parse(archive.Join(b.path, f.Name), raw, parts...)
	if problem != nil {
		v.report.Add(code, problem.Place, "The file is no XML that can be read: %s.", problem.Message)
		return nil, nil
	}
	if doc.Root.Name != root {
		v.report.Add(code, doc.Place(nil, ""), "The root element is %s; it must be %s.", quoted(doc.Root.Name), root)
		return nil, nil
	}
	return doc, nil
}

// add records a finding at an element, or at an attribute of it. Its place is not looked up for a report that is full.
func (v *validation) add(code string, doc *xmldoc.Document, spot spot, format string, args ...any) {
	at := finding.Place{File: doc.File}
	if !v.report.Full() {
		at = doc.Place(spot.element, spot.attr)
	}
	v.report.Add(code, at, format, args...)
}

// spot is an element, or an attribute of it; the zero spot is the root.
type spot struct {
	element *xmldoc.Element
	attr    string
}
