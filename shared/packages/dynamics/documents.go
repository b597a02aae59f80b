package dynamics

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"stoa/shared/packages/archive"
	"stoa/shared/packages/finding"
)

const (
	maxDocument = 50 << 20
	headBytes   = 1024 // that a signature is looked for in
)

// What files begin with.
var (
	compoundFile = []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") // documents of older versions of Office
	zipEntry     = []byte("PK\x03\x04")
	jpegStart    = []byte("\xff\xd8\xff")
	pdfMark      = []byte("%PDF-")
)

// File is a file that is looked at by its bytes.
type File struct {
	Name  string
	Bytes io.ReaderAt
	Size  int64
}

// CheckPDF looks at a document that must be a PDF, by what it begins with (DYN-25).
func CheckPDF(f File, report *finding.Report) error {
	if !f.check(maxDocument, report, ".pdf") {
		return nil
	}
	return f.checkPDF(report)
}

// CheckDocument looks at a document that may be a PDF or one of Word.
func CheckDocument(ctx context.Context, f File, report *finding.Report) error {
	if !f.check(maxDocument, report, ".pdf", ".doc", ".docx") {
		return nil
	}
	switch f.extension() {
	case ".pdf":
		return f.checkPDF(report)
	case ".docx":
		ok, err := f.hasPart(ctx, "word/document.xml")
		if err == nil && !ok {
			report.Add("DOC_NOT_WORD", f.at(), "The file is no zip archive with a part word/document.xml.")
		}
		return err
	}
	head, err := f.head()
	if err == nil && !bytes.HasPrefix(head, compoundFile) {
		report.Add("DOC_NOT_WORD", f.at(), "The file begins with % x; a .doc begins with % x.", head[:min(len(head), len(compoundFile))], compoundFile)
	}
	return err
}

func (f File) checkPDF(report *finding.Report) error {
	head, err := f.head()
	if err == nil && !bytes.Contains(head, pdfMark) {
		report.Add("DOC_NOT_PDF", f.at(), "%s is not in the first %d bytes of the file.", pdfMark, headBytes)
	}
	return err
}

// check looks at what is known without the bytes: whether it has some, not too many, and one of the extensions.
func (f File) check(most int64, report *finding.Report, extensions ...string) bool {
	switch {
	case f.Size == 0:
		report.Add("PKG_EMPTY", f.at(), "The file is empty.")
	case f.Size > most:
		report.Add("PKG_TOO_LARGE", f.at(), "The file has %d bytes; at most %d are allowed.", f.Size, most)
	default:
		for _, e := range extensions {
			if e == f.extension() {
				return true
			}
		}
		report.Add("PKG_WRONG_EXTENSION", f.at(), "The name ends in %s; it must end in %s.", quoted(path.Ext(f.Name)), strings.Join(extensions, " or "))
	}
	return false
}

func (f File) extension() string { return strings.ToLower(path.Ext(f.Name)) }

func (f File) at() finding.Place { return finding.Place{File: path.Base(f.Name)} }

// head is what the file begins with.
func (f File) head() ([]byte, error) {
	out := make([]byte, min(f.Size, headBytes))
	n, err := f.Bytes.ReadAt(out, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read %s: %w", f.Name, err)
	}
	return out[:n], nil
}

// hasPart reports whether the file is an archive that holds a part.
func (f File) hasPart(ctx context.Context, name string) (bool, error) {
	tree, err := archive.Open(ctx, f.Bytes, f.Size, finding.New(""))
	return tree != nil && tree.Fold(name) != nil, err
}
