package xmldoc

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
)

const (
	maxDepth    = 100
	maxElements = 100_000 // that are kept, attributes among them
	maxToken    = 4 << 20 // bytes of one tag or one text
)

// Reasons to refuse a text that are none of the reader's.
var (
	errDirective = errors.New("it has a document type declaration, which is not allowed")
	errDepth     = errors.New("its elements lie more than 100 deep")
	errToken     = errors.New("a tag or a text of it has more than 4194304 bytes")
	errElements  = errors.New("it has more than 100000 elements")
	errRoots     = errors.New("it has more than one root element, or text beside it")
	errNoRoot    = errors.New("it has no element")
	errTwice     = errors.New("an attribute stands twice in one element")
)

// Parse reads a text. With parts, only elements of these names, letter case aside, and what is in them are kept:
// they are the root's children, wherever they stand. The document is nil when there is a problem.
func Parse(file string, raw []byte, parts ...string) (*Document, *Problem) {
	doc := &Document{File: file}
	text, why := decode(raw)
	if doc.Text = text; why != "" {
		return nil, &Problem{Message: why, Place: doc.at(0)}
	}
	source := &source{text: text}
	d := xml.NewDecoder(source)
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil } // it is UTF-8 by now
	b := &builder{parts: parts}
	for {
		offset := int(d.InputOffset())
		source.end = offset + maxToken
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = b.take(token, offset)
		}
		if err != nil {
			return nil, &Problem{Message: reason(err), Place: doc.at(min(int(d.InputOffset()), len(text)))}
		}
	}
	if doc.Root = b.root; doc.Root == nil {
		return nil, &Problem{Message: errNoRoot.Error(), Place: doc.at(0)}
	}
	return doc, nil
}

// source reads a text up to the end of what one token may have, since the decoder itself knows no limit.
type source struct {
	text    []byte
	at, end int
}

// ReadByte reads a byte.
func (s *source) ReadByte() (byte, error) {
	switch {
	case s.at == len(s.text):
		return 0, io.EOF
	case s.at >= s.end:
		return 0, errToken
	}
	s.at++
	return s.text[s.at-1], nil
}

// Read reads one byte; the decoder calls ReadByte instead.
func (s *source) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	b, err := s.ReadByte()
	if err != nil {
		return 0, err
	}
	p[0] = b
	return 1, nil
}

// reason is what the reader says, without the line, which is told apart.
func reason(err error) string {
	var syntax *xml.SyntaxError
	message := err.Error()
	if errors.As(err, &syntax) {
		message = syntax.Msg
	}
	if len(message) > 200 {
		message = strings.ToValidUTF8(message[:200], "") + "…"
	}
	return message
}

// builder makes the tree.
type builder struct {
	parts []string
	root  *Element
	open  *Element // innermost element that is open
	depth int
	kept  int      // elements
	part  *Element // outermost open one of the parts
}

func (b *builder) take(token xml.Token, offset int) error {
	switch t := token.(type) {
	case xml.StartElement:
		return b.start(t, offset)
	case xml.EndElement:
		b.end()
	case xml.CharData:
		switch {
		case b.open != nil && b.keeps():
			b.open.text = append(b.open.text, t...)
		case b.open == nil && len(bytes.TrimSpace(t)) > 0:
			return errRoots
		}
	case xml.Directive:
		return errDirective
	}
	return nil
}

// keeps reports whether what is open now is kept.
func (b *builder) keeps() bool { return len(b.parts) == 0 || b.part != nil }

func (b *builder) start(t xml.StartElement, offset int) error {
	if b.depth++; b.depth > maxDepth {
		return errDepth
	}
	if b.open == nil && b.root != nil {
		return errRoots
	}
	e := &Element{Name: t.Name.Local, Offset: offset, parent: b.open}
	isPart := b.part == nil && slices.ContainsFunc(b.parts, func(p string) bool { return strings.EqualFold(p, e.Name) })
	if isPart {
		b.part = e
	}
	switch {
	case b.root == nil:
		b.root = e
	case isPart:
		b.root.Children = append(b.root.Children, e)
	case b.keeps():
		b.open.Children = append(b.open.Children, e)
	}
	b.open = e
	if twice(t.Attr) {
		return errTwice
	}
	if !b.keeps() {
		return nil
	}
	if b.kept += 1 + len(t.Attr); b.kept > maxElements {
		return errElements
	}
	for _, a := range t.Attr {
		e.Attrs = append(e.Attrs, Attr{a.Name.Local, a.Value})
	}
	return nil
}

func (b *builder) end() {
	b.open.Text, b.open.text = string(bytes.TrimSpace(b.open.text)), nil
	if b.part == b.open {
		b.part = nil
	}
	b.open = b.open.parent
	b.depth--
}

// twice reports whether two attributes have one name.
func twice(attrs []xml.Attr) bool {
	if len(attrs) < 2 {
		return false
	}
	seen := make(map[xml.Name]bool, len(attrs))
	for _, a := range attrs {
		if seen[a.Name] {
			return true
		}
		seen[a.Name] = true
	}
	return false
}
