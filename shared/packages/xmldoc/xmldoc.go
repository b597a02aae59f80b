// Package xmldoc reads XML of strangers with the place of every element (the common part of package validation).
//
// Depth and number of elements are limited, a document type declaration is refused, and no entity but the five of
// XML itself is known. A text is UTF-8 or UTF-16: the byte-order mark is believed first, then zero bytes, then the
// declaration, since files that declare UTF-16 are often UTF-8 in truth.
package xmldoc

import (
	"fmt"
	"slices"
	"strings"

	"stoa/shared/packages/finding"
	"stoa/shared/packages/jsondoc"
)

// Document is a readable XML file.
type Document struct {
	File string
	Text []byte // as UTF-8, without a byte-order mark
	Root *Element
}

// Element is an element. Names are without their namespace.
type Element struct {
	Name     string
	Attrs    []Attr
	Text     string // its own, without blanks at the ends
	Children []*Element
	Offset   int // of its start in the text

	parent *Element
	text   []byte // while it is read
}

// Attr is an attribute.
type Attr struct{ Name, Value string }

// Problem says why a text cannot be read, and where.
type Problem struct {
	Message string
	Place   finding.Place
}

// Attr is the value of an attribute, without blanks at the ends; "" when there is none.
func (e *Element) Attr(name string) string {
	if e == nil {
		return ""
	}
	for _, a := range e.Attrs {
		if a.Name == name {
			return strings.TrimSpace(a.Value)
		}
	}
	return ""
}

// All are the children of a name.
func (e *Element) All(name string) []*Element {
	if e == nil {
		return nil
	}
	var out []*Element
	for _, c := range e.Children {
		if c.Name == name {
			out = append(out, c)
		}
	}
	return out
}

// Child is the first child of a name, nil when there is none or no element.
func (e *Element) Child(name string) *Element {
	if e == nil {
		return nil
	}
	for _, c := range e.Children {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// Content is the text of the first child of a name, "" when there is none.
func (e *Element) Content(name string) string {
	if c := e.Child(name); c != nil {
		return c.Text
	}
	return ""
}

// Values are all attribute values and texts of the element and what is below it that are not empty.
func (e *Element) Values() []string {
	var out []string
	for _, a := range e.Attrs {
		if v := strings.TrimSpace(a.Value); v != "" {
			out = append(out, v)
		}
	}
	if e.Text != "" {
		out = append(out, e.Text)
	}
	for _, c := range e.Children {
		out = append(out, c.Values()...)
	}
	return out
}

// path leads from the root to the element; of elements with one name it tells which.
func (e *Element) path() string {
	var steps []string
	for ; e != nil; e = e.parent {
		step := e.Name
		if e.parent != nil {
			if same := e.parent.All(e.Name); len(same) > 1 {
				step = fmt.Sprintf("%s[%d]", step, slices.Index(same, e)+1)
			}
		}
		steps = append(steps, step)
	}
	slices.Reverse(steps)
	return "/" + strings.Join(steps, "/")
}

// Place is where an element stands, or the root when it is nil; of an attribute when one is named.
func (d *Document) Place(e *Element, attr string) finding.Place {
	if e == nil {
		e = d.Root
	}
	at := d.at(e.Offset)
	at.Path = e.path()
	if attr != "" {
		at.Path += "/@" + attr
	}
	return at
}

func (d *Document) at(offset int) finding.Place {
	line, column := jsondoc.Position(d.Text, offset)
	return finding.Place{File: d.File, Line: line, Column: column}
}
