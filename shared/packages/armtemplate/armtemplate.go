// Package armtemplate is the model of a Resource Manager template that the rules of packages look at (AZA-120 to
// AZA-143 and the toolkit rules): its values with their places, its resources with their whole types, and its
// expressions, each parsed once.
//
// A nested template whose expressions are evaluated in its own scope is cut out of its parent and is a template of its
// own; one that is evaluated in the scope of its parent is part of the parent. Templates are not changed after New and
// may be read concurrently.
package armtemplate

import (
	"strings"

	"stoa/shared/packages/armexpr"
	"stoa/shared/packages/content"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/jsondoc"
)

// Template is one template: a file, or a nested template with a scope of its own.
type Template struct {
	Doc       *content.Document // the file it stands in
	Root      *Value
	Main      bool       // it is mainTemplate.json of the package's root, or was cut out of that
	Outer     *Template  // of a nested template what it was cut out of
	Cut       *Value     // of a nested template the value of the outer one in whose place it stands
	Values    []*Value   // all values, the root first, in the order of the text
	Resources []Resource // all resources, those inside of resources and of nested templates included
	Uses      []Use      // all places in texts that name a parameter or a variable
	// Expressions are all expressions, those of names of members included.
	Expressions []Expression

	byKey map[string][]*Value
	loops map[string]bool // the names, in lower case, of the variables that copy loops make
}

// Value is one value of a template.
type Value struct {
	*jsondoc.Node
	Key     string // the name of a member, "" of an item of a list
	Begin   int    // the byte at which the member or the item begins
	Parent  *Value
	Below   []*Value      // the members or items
	Section string        // the section of the template that it stands in, in lower case; "" of the root
	Expr    *armexpr.Node // the expression that it is, nil when it is none or cannot be read
	KeyExpr *armexpr.Node // the expression that its name is

	index int               // its place in the list
	base  string            // of a root its JSON pointer
	names map[string]*Value // of an object with many members, these by their names in lower case
}

// Expression is an expression and the value that it is, or whose name it is. Texts that are the same share it.
type Expression struct {
	At *Value
	*armexpr.Node
}

// New reads the templates of a file: that of the file, and behind it those that are cut out of it.
func New(doc *content.Document, main bool) []*Template {
	b := &builder{doc: doc, main: main, lower: map[string]string{}, exprs: map[string]*armexpr.Node{}, named: map[string][]Use{}}
	b.template(nil, nil, doc.Root)
	for i := 0; i < len(b.cuts); i++ {
		b.template(b.cuts[i].outer, b.cuts[i].value, b.cuts[i].value.Node)
	}
	return b.out
}

// Find is every value of this name, case aside, in the order of the text.
func (t *Template) Find(name string) []*Value { return t.byKey[strings.ToLower(name)] }

// Parameter is the declaration of a parameter, nil when there is none.
func (t *Template) Parameter(name string) *Value { return t.Root.Member("parameters").Member(name) }

// Parameters are the declarations of the parameters.
func (t *Template) Parameters() []*Value { return t.Root.Member("parameters").objects() }

// Variables are the variables, those that a copy loop makes left out.
func (t *Template) Variables() []*Value {
	out := []*Value{}
	for _, v := range t.Root.Member("variables").objects() {
		if !strings.EqualFold(v.Key, "copy") {
			out = append(out, v)
		}
	}
	return out
}

// Loops are the copy loops that make variables.
func (t *Template) Loops() []*Value {
	if loops := t.Root.At("variables", "copy"); loops != nil {
		return loops.Below
	}
	return nil
}

// Looped reports whether a copy loop makes the variable.
func (t *Template) Looped(variable string) bool { return t.loops[strings.ToLower(variable)] }

// Bicep reports whether the template was compiled from Bicep.
func (t *Template) Bicep() bool {
	name := t.Root.Member("metadata").Member("_generator").Member("name")
	return name.Is(jsondoc.String) && strings.EqualFold(name.Text, "bicep")
}

// Folder computes constants of the template from its variables. Parameters are given from outside; those that are
// not are not constant.
func (t *Template) Folder(given func(call *armexpr.Node) *jsondoc.Node) *armexpr.Folder {
	variables := t.Root.Member("variables")
	return &armexpr.Folder{Value: func(call *armexpr.Node) *jsondoc.Node {
		if name, plain := call.Argument(0); plain && call.Calls("variables") && len(call.Args) == 1 {
			if v := variables.Member(name); v != nil {
				return v.Node
			}
			return nil
		}
		if given != nil {
			return given(call)
		}
		return nil
	}}
}

// Member is a member by its name, case aside; nil when there is none.
func (v *Value) Member(name string) *Value {
	if v == nil || v.Kind != jsondoc.Object {
		return nil
	}
	if v.names != nil {
		return v.names[strings.ToLower(name)]
	}
	for _, m := range v.Below {
		if strings.EqualFold(m.Key, name) {
			return m
		}
	}
	return nil
}

// At follows members by their names.
func (v *Value) At(names ...string) *Value {
	for _, name := range names {
		v = v.Member(name)
	}
	return v
}

func (v *Value) objects() []*Value {
	if v == nil || v.Kind != jsondoc.Object {
		return nil
	}
	return v.Below
}

// Is reports whether the value is there and of the kind.
func (v *Value) Is(k jsondoc.Kind) bool { return v != nil && v.Kind == k }

// Word is the text of a string without blanks around it, "" of everything else.
func (v *Value) Word() string {
	if !v.Is(jsondoc.String) {
		return ""
	}
	return strings.TrimSpace(v.Text)
}

// Pointer is the JSON pointer of the value in its file.
func (v *Value) Pointer() string {
	parts := []string{}
	for ; v.Parent != nil; v = v.Parent {
		parts = append(parts, v.step())
	}
	var b strings.Builder
	b.WriteString(v.base)
	for i := len(parts) - 1; i >= 0; i-- {
		b.WriteString("/" + parts[i])
	}
	return b.String()
}

// Place is where the value stands in its file.
func (t *Template) Place(v *Value) finding.Place {
	return t.Doc.At(v.Pointer(), v.Begin)
}

// PlaceOf is the place where a member of a value would stand, or stands.
func (t *Template) PlaceOf(v *Value, name string) finding.Place {
	if m := v.Member(name); m != nil {
		return t.Place(m)
	}
	at := t.Place(v)
	at.Path += "/" + content.Pointer(name)
	return at
}
