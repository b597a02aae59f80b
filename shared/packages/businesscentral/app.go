package businesscentral

import (
	"bytes"
	"context"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"stoa/shared/packages/archive"
	"stoa/shared/packages/content"
	"stoa/shared/packages/finding"
)

// The layout of an .app file: a header, the content that is a zip archive, and perhaps a block with a signature.
const (
	headerSize   = 40
	maxSignature = 1 << 20 // bytes of the block
	blockEnds    = 12      // bytes of the block that are no signature: a mark before it, offset and mark behind it
)

var (
	headerMark    = []byte("NAVX")
	signatureMark = []byte("NXSB")
	runtimeMark   = []byte(".NEA")
	signedData    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
)

// source is where an .app file is read from.
type source struct {
	path   string // in findings
	bytes  io.ReaderAt
	size   int64
	depth  int                    // archives it lies in
	digest func() (string, error) // SHA-256 of the file that was given, in hexadecimal
	inner  bool                   // it is the content of another .app file, which is signed
	tests  bool                   // it tests an extension and is not for customers
}

func (s source) at() finding.Place { return finding.Place{File: s.path} }

// read reads a range that lies in the file.
func (s source) read(at, length int64) ([]byte, error) {
	out := make([]byte, length)
	n, err := s.bytes.ReadAt(out, at)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read %s: %w", s.path, err)
	}
	return out[:n], nil
}

// readApp reads an .app file down to its manifest; nil after a finding that leaves nothing to read.
func (v *validation) readApp(ctx context.Context, s source) (*app, error) {
	length, ok, err := v.readHeader(s)
	if err != nil || !ok {
		return nil, err
	}
	if !s.inner && !s.tests {
		if err := v.checkSignature(s, headerSize+length); err != nil {
			return nil, err
		}
	}
	start, err := s.read(headerSize, min(length, int64(len(runtimeMark))))
	if err != nil {
		return nil, err
	}
	if bytes.Equal(start, runtimeMark) {
		v.report.Add("AVS0104", s.at(), "The file is a runtime package: its content begins with %s at byte %d.", runtimeMark, headerSize)
		return nil, nil
	}
	tree, err := v.nest.Open(ctx, io.NewSectionReader(s.bytes, headerSize, length), length, s.path, v.report)
	if err != nil || tree == nil {
		return nil, err
	}
	if f := tree.Fold(manifestName); f != nil {
		return v.readManifest(s, tree, f)
	}
	if inside := apps(tree); len(inside) == 1 && !s.inner { // the form in which extensions are distributed
		s.path, s.depth, s.inner = archive.Join(s.path, inside[0].Name), s.depth+1, true
		return v.readEntry(ctx, inside[0], s)
	}
	v.report.Add("AVS0001", s.at(), "The extension has no %s.", manifestName)
	return nil, nil
}

// readEntry reads an .app file that lies in an archive, as what the source says.
func (v *validation) readEntry(ctx context.Context, f *content.File, s source) (*app, error) {
	held, err := v.nest.Bytes(f, s.path, s.depth, v.report)
	if err != nil || held == nil {
		return nil, err
	}
	s.bytes, s.size = held, held.Size()
	return v.readApp(ctx, s)
}

func apps(tree *content.Tree) []*content.File {
	var out []*content.File
	for _, f := range tree.Files() {
		if f.Has(".app") {
			out = append(out, f)
		}
	}
	return out
}

// readHeader gives the length of the content, all of which is in the file.
func (v *validation) readHeader(s source) (length int64, ok bool, err error) {
	head, err := s.read(0, min(s.size, headerSize))
	if err != nil {
		return 0, false, err
	}
	if len(head) < headerSize {
		v.report.Add("BC_HEADER_INVALID", s.at(), "The file has %d bytes; the header alone has %d.", len(head), headerSize)
		return 0, false, nil
	}
	for _, at := range []int{0, headerSize - len(headerMark)} {
		if !bytes.Equal(head[at:at+len(headerMark)], headerMark) {
			v.report.Add("BC_HEADER_INVALID", s.at(), "The bytes at %d are % x; they must be % x, which is %s.", at, head[at:at+len(headerMark)], headerMark, headerMark)
			return 0, false, nil
		}
	}
	if n := binary.LittleEndian.Uint32(head[4:]); n != headerSize {
		v.report.Add("BC_HEADER_INVALID", s.at(), "The header says that it has %d bytes; it must have %d.", n, headerSize)
		return 0, false, nil
	}
	n := binary.LittleEndian.Uint64(head[28:])
	if n > uint64(s.size-headerSize) {
		v.report.Add("BC_HEADER_SIZE", s.at(), "The header says that %d bytes follow it; the file has %d.", n, s.size-headerSize)
		return 0, false, nil
	}
	return int64(n), true, nil
}

// checkSignature looks at the block behind the content.
func (v *validation) checkSignature(s source, at int64) error {
	length := s.size - at
	if length == 0 {
		v.report.Add("BC_UNSIGNED", s.at(), "The file ends with its content, without a signature.")
		return nil
	}
	if length > maxSignature {
		v.report.Add("BC_UNSIGNED", s.at(), "%d bytes follow the content; a signature has at most %d.", length, maxSignature)
		return nil
	}
	block, err := s.read(at, length)
	if err != nil {
		return err
	}
	if why := signatureProblem(block, at); why != "" {
		v.report.Add("BC_UNSIGNED", s.at(), "What follows the content is no signature: %s.", why)
	}
	return nil
}

// signatureProblem says what is wrong with the form of a signature block that stands at an offset.
func signatureProblem(block []byte, at int64) string {
	end := len(block) - len(signatureMark)
	switch {
	case len(block) < blockEnds || !bytes.HasPrefix(block, signatureMark) || !bytes.Equal(block[end:], signatureMark):
		return fmt.Sprintf("it is not between two marks %s", signatureMark)
	case int64(binary.LittleEndian.Uint32(block[end-4:])) != at:
		return fmt.Sprintf("it says that it stands at %d; it stands at %d", binary.LittleEndian.Uint32(block[end-4:]), at)
	}
	var message struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"explicit,tag:0"`
	}
	if _, err := asn1.Unmarshal(block[len(signatureMark):end-4], &message); err != nil || !message.Type.Equal(signedData) {
		return "it is no signed data of CMS"
	}
	return ""
}
