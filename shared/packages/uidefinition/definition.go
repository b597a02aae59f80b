// Package uidefinition is the model of a UI definition, the createUiDefinition.json of a package, that the rules look
// at (AZA-150 to AZA-155 and AZA-201 to AZA-217): its objects with their places, its basics, steps, elements and
// outputs, what expressions refer to, and the grammar of its regular expressions.
//
// The model takes any JSON and leaves out what is not of the form that it looks for; saying so is left to the rules.
// Names compare without regard to case. Definitions are not changed after New and may be read concurrently.
package uidefinition

import (
	"strconv"
	"strings"

	"stoa/shared/packages/content"
	"stoa/shared/packages/jsondoc"
)

// Definition is one UI definition.
type Definition struct {
	Doc        *content.Document
	Root       *Object
	Objects    []*Object  // every object in the order of the text
	Parameters *Object    // the section parameters, nil when it is no object
	Basics     []*Element // the elements of the first page
	Steps      []*Step
	Outputs    []Output
}

// Object is an object of the definition, or an item of a list that should be one.
type Object struct {
	*jsondoc.Node
	Key    string  // the member of the object around it through which it is reached
	Begin  int     // the byte at which the member or the item begins
	Parent *Object // the object around it, nil of the root

	indexes []int // its places in the lists between the member and it
}

// Step is one step of the definition.
type Step struct {
	*Object
	Name     string
	Elements []*Element
}

// Element is one control. What it shows is read as basics('first').rest or steps('step').first.rest.
type Element struct {
	*Object
	Name     string
	Type     string
	Step     string     // the name of its step, "" on the first page
	Path     []string   // the names of the sections that it stands in, and its own
	Elements []*Element // of a section those inside of it
}

// Output is one output: the template parameter that it feeds, and from what.
type Output struct {
	Name  string
	Value *jsondoc.Node
	Begin int
}

// New reads a definition.
func New(doc *content.Document) *Definition {
	r := &reader{d: &Definition{Doc: doc}, known: map[*jsondoc.Node]*Object{}}
	r.d.Root = &Object{Node: doc.Root, Begin: doc.Root.Offset}
	r.object(r.d.Root)
	parameters := doc.Root.Get("parameters")
	if !parameters.Is(jsondoc.Object) {
		return r.d
	}
	r.d.Parameters = r.known[parameters]
	r.d.Basics = r.elements(r.d.Parameters, "basics", "", nil)
	for _, o := range r.list(r.d.Parameters, "steps") {
		step := &Step{Object: o, Name: o.Word("name")}
		step.Elements = r.elements(o, "elements", step.Name, nil)
		r.d.Steps = append(r.d.Steps, step)
	}
	if outputs := parameters.Get("outputs"); outputs != nil {
		for _, m := range outputs.Members {
			r.d.Outputs = append(r.d.Outputs, Output{Name: m.Key, Value: m.Value, Begin: m.Offset})
		}
	}
	return r.d
}

type reader struct {
	d     *Definition
	known map[*jsondoc.Node]*Object
}

// object reads an object and those below it.
func (r *reader) object(o *Object) {
	if o.Kind == jsondoc.Object {
		r.d.Objects = append(r.d.Objects, o)
		r.known[o.Node] = o
	}
	for _, m := range o.Members {
		r.below(Object{Node: m.Value, Key: m.Key, Begin: m.Offset, Parent: o})
	}
	if o.Parent == nil && o.Kind == jsondoc.Array {
		r.below(*o)
	}
}

// below reads a value that may be an object or hold some in lists.
func (r *reader) below(v Object) {
	switch v.Kind {
	case jsondoc.Object:
		r.object(&v)
	case jsondoc.Array:
		for i, item := range v.Items {
			if item.Kind == jsondoc.Object || item.Kind == jsondoc.Array {
				r.below(v.item(i, item))
			}
		}
	}
}

func (o *Object) item(i int, node *jsondoc.Node) Object {
	indexes := append(append([]int(nil), o.indexes...), i)
	return Object{Node: node, Key: o.Key, Begin: node.Offset, Parent: o.Parent, indexes: indexes}
}

// list are the items of a list, whether or not they are objects.
func (r *reader) list(in *Object, key string) []*Object {
	out := []*Object{}
	for _, m := range in.Members {
		if !strings.EqualFold(m.Key, key) || m.Value.Kind != jsondoc.Array {
			continue
		}
		at := Object{Key: m.Key, Parent: in}
		for i, item := range m.Value.Items {
			o := r.known[item]
			if o == nil {
				plain := at.item(i, item)
				o = &plain
			}
			out = append(out, o)
		}
		break
	}
	return out
}

func (r *reader) elements(in *Object, key, step string, sections []string) []*Element {
	out := []*Element{}
	for _, o := range r.list(in, key) {
		e := &Element{Object: o, Name: o.Word("name"), Type: o.Word("type"), Step: step}
		e.Path = append(append([]string(nil), sections...), e.Name)
		e.Elements = r.elements(o, "elements", step, e.Path)
		out = append(out, e)
	}
	return out
}

// All are the elements and those inside of their sections, in the order of the text.
func All(elements []*Element) []*Element {
	out := []*Element{}
	for _, e := range elements {
		out = append(append(out, e), All(e.Elements)...)
	}
	return out
}

// Elements are all elements of the first page and of the steps.
func (d *Definition) Elements() []*Element {
	out := All(d.Basics)
	for _, s := range d.Steps {
		out = append(out, All(s.Elements)...)
	}
	return out
}

// Word is the text of a member that is a string, "" of every other.
func (o *Object) Word(key string) string {
	if v := o.Get(key); v.Is(jsondoc.String) {
		return v.Text
	}
	return ""
}

// Member is a member with the place of its key, nil when there is none.
func (o *Object) Member(key string) *jsondoc.Member {
	for i := range o.Members {
		if strings.EqualFold(o.Members[i].Key, key) {
			return &o.Members[i]
		}
	}
	return nil
}

// Up is the object around it, or the one so many further up; nil when there is none.
func (o *Object) Up(more int) *Object {
	for o = o.Parent; o != nil && more > 0; more-- {
		o = o.Parent
	}
	return o
}

// Pointer is the JSON pointer of the object.
func (o *Object) Pointer() string {
	if o.Parent == nil {
		return o.rest()
	}
	return o.Parent.Pointer() + "/" + content.Pointer(o.Key) + o.rest()
}

func (o *Object) rest() string {
	var b strings.Builder
	for _, i := range o.indexes {
		b.WriteString("/" + strconv.Itoa(i))
	}
	return b.String()
}
