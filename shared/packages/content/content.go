// Package content is what a package holds once it is open: its files, and those of them that are JSON with the place
// of every value (rules AZA-114 to AZA-117). Validators work on a Tree and do not know whether it is an archive in
// blob storage or a folder.
package content

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"stoa/shared/packages/finding"
	"stoa/shared/packages/jsondoc"
)

// MaxInMemory is how many bytes of one file are held at once (AZA-100).
const MaxInMemory = 8 << 20

// ErrTooLong says that a file is longer than may be held.
var ErrTooLong = errors.New("the file is too long to be held in memory")

// File is one file of a package. Name is its path, with slashes; Size its length in bytes, as counted.
type File struct {
	Name   string
	Size   int64
	SHA256 string // of its bytes, in hexadecimal; empty when they were not read yet
	Open   func() (io.ReadCloser, error)
}

// Read reads the whole file. ErrTooLong when it has more than MaxInMemory bytes.
func (f *File) Read() ([]byte, error) {
	if f.Size > MaxInMemory {
		return nil, ErrTooLong
	}
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", f.Name, err)
	}
	defer r.Close()
	text := bytes.NewBuffer(make([]byte, 0, f.Size+bytes.MinRead))
	if _, err := text.ReadFrom(io.LimitReader(r, MaxInMemory+1)); err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Name, err)
	}
	if text.Len() > MaxInMemory {
		return nil, ErrTooLong
	}
	return text.Bytes(), nil
}

// Base is the name without its folder.
func (f *File) Base() string { return path.Base(f.Name) }

// Has reports whether the name ends in one of the extensions, case aside.
func (f *File) Has(extensions ...string) bool {
	return slices.ContainsFunc(extensions, func(e string) bool { return strings.EqualFold(path.Ext(f.Name), e) })
}

// Tree is the files of a package.
type Tree struct {
	files  []*File
	byName map[string]*File
}

// NewTree is a tree of files whose names differ.
func NewTree(files []*File) *Tree {
	t := &Tree{files: slices.Clone(files), byName: make(map[string]*File, len(files))}
	slices.SortFunc(t.files, func(a, b *File) int { return cmp.Compare(a.Name, b.Name) })
	for _, f := range t.files {
		t.byName[f.Name] = f
	}
	return t
}

// Files are the files, sorted by name.
func (t *Tree) Files() []*File { return t.files }

// File is the file of exactly this name, nil when there is none.
func (t *Tree) File(name string) *File { return t.byName[name] }

// Fold is the first file of this name, case aside; nil when there is none.
func (t *Tree) Fold(name string) *File {
	for _, f := range t.files {
		if strings.EqualFold(f.Name, name) {
			return f
		}
	}
	return nil
}

// Document is a readable JSON file.
type Document struct {
	File string
	Text []byte // without a byte-order mark
	Root *jsondoc.Node

	marked sync.Once
	lines  jsondoc.Lines
}

// Parse reads the text of a JSON file. The document is nil after a finding that leaves nothing to read.
func Parse(name string, text []byte, report *finding.Report) *Document {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) // AZA-114
	if !utf8.Valid(text) {
		report.Add("APP_ENCODING", finding.Place{File: name}, "The file is not UTF-8.")
		return nil
	}
	doc := &Document{File: name, Text: text}
	root, problems := jsondoc.Parse(text)
	for _, p := range problems {
		if report.Full() { // what is dropped needs no place
			report.Put(finding.Finding{Code: codeOf[p.Kind]})
			continue
		}
		report.Add(codeOf[p.Kind], doc.At("", p.Offset), "%s", p.Message)
	}
	if doc.Root = root; root == nil {
		return nil
	}
	return doc
}

var codeOf = map[jsondoc.ProblemKind]string{
	jsondoc.Invalid: "APP_JSON_INVALID", jsondoc.Slip: "APP_JSON_INVALID", jsondoc.Comment: "APP_JSON_COMMENT", jsondoc.Duplicate: "APP_JSON_DUPLICATE_KEY",
}

// At is the place of a JSON pointer and a byte of the document. Many places are found in little more time than one.
func (d *Document) At(pointer string, offset int) finding.Place {
	d.marked.Do(func() { d.lines = jsondoc.LinesOf(d.Text) })
	line, column := d.lines.Position(d.Text, offset)
	return finding.Place{File: d.File, Path: pointer, Line: line, Column: column}
}

// Place is the place of a node, or of the document's root when it is nil.
func (d *Document) Place(pointer string, n *jsondoc.Node) finding.Place {
	if n == nil {
		n = d.Root
	}
	return d.At(pointer, n.Offset)
}

// Pointer escapes a key for a JSON pointer.
func Pointer(key string) string { return pointerEscapes.Replace(key) }

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")
