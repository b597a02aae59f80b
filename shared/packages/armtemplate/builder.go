package armtemplate

import (
	"strconv"
	"strings"

	"stoa/shared/packages/armexpr"
	"stoa/shared/packages/content"
	"stoa/shared/packages/jsondoc"
)

// step is the part of a JSON pointer that leads to the value.
func (v *Value) step() string {
	if v.Parent.Kind == jsondoc.Array {
		return strconv.Itoa(v.index)
	}
	return content.Pointer(v.Key)
}

// manyMembers is how many members are found faster by a map than one after the other.
const manyMembers = 16

// builder reads the templates of one file.
type builder struct {
	doc   *content.Document
	main  bool
	out   []*Template
	cuts  []cutOut
	lower map[string]string        // names in lower case
	exprs map[string]*armexpr.Node // the expressions of texts that occur again and again
	named map[string][]Use         // what such texts name
	slab  []Value                  // room for the next values
	below []*Value                 // room for the next lists of values
	t     *Template                // the template that is being read
}

// cutOut is a nested template that is read by itself, in the place of a value of the outer one.
type cutOut struct {
	outer *Template
	value *Value
}

func (b *builder) template(outer *Template, at *Value, root *jsondoc.Node) {
	b.t = &Template{Doc: b.doc, Main: b.main, Outer: outer, Cut: at, byKey: map[string][]*Value{}}
	b.t.Root = &Value{Node: root, Begin: root.Offset}
	if at != nil {
		b.t.Root.base, b.t.Root.Begin = at.Pointer(), at.Begin
	}
	b.read(b.t.Root, false)
	b.t.loops = map[string]bool{}
	for _, loop := range b.t.Loops() {
		b.t.loops[strings.ToLower(loop.Member("name").Word())] = true
	}
	b.t.resources(b.t.Root.Member("resources"), nil)
	b.out = append(b.out, b.t)
}

// read reads a value and what is below it. In the rule of a policy every template is one of its own.
func (b *builder) read(v *Value, policy bool) {
	b.t.Values = append(b.t.Values, v)
	switch v.Kind {
	case jsondoc.String:
		if v.Expr = b.expression(v.Text); v.Expr != nil {
			b.t.Expressions = append(b.t.Expressions, Expression{v, v.Expr})
		}
		b.uses(v, v.Text)
	case jsondoc.Array:
		var slab []Value
		v.Below, slab = b.room(len(v.Items))
		for i, item := range v.Items {
			slab[i] = Value{Node: item, Begin: item.Offset, Parent: v, Section: v.Section, index: i}
			v.Below[i] = &slab[i]
			b.read(&slab[i], policy)
		}
	case jsondoc.Object:
		b.object(v, policy)
	}
}

func (b *builder) object(v *Value, policy bool) {
	var slab []Value
	v.Below, slab = b.room(len(v.Members))
	if len(v.Members) > manyMembers {
		v.names = make(map[string]*Value, len(v.Members))
	}
	scope := v.Get("expressionEvaluationOptions").Get("scope")
	inner := scope.Is(jsondoc.String) && strings.EqualFold(scope.Text, "inner")
	for i, m := range v.Members {
		key := b.lowered(m.Key)
		one := &slab[i]
		*one = Value{Node: m.Value, Key: m.Key, Begin: m.Offset, Parent: v, Section: v.Section}
		if v.Parent == nil {
			one.Section = key
		}
		v.Below[i] = one
		b.t.byKey[key] = append(b.t.byKey[key], one)
		if _, twice := v.names[key]; v.names != nil && !twice {
			v.names[key] = one
		}
		if one.KeyExpr = b.expression(m.Key); one.KeyExpr != nil {
			b.t.Expressions = append(b.t.Expressions, Expression{one, one.KeyExpr})
		}
		b.uses(one, m.Key)
		if key == "template" && m.Value.Is(jsondoc.Object) && (inner || policy) {
			b.t.Values = append(b.t.Values, one)
			b.cuts = append(b.cuts, cutOut{b.t, one})
			continue
		}
		b.read(one, policy || key == "policyrule")
	}
}

func (b *builder) lowered(key string) string {
	low, ok := b.lower[key]
	if !ok {
		low = strings.ToLower(key)
		b.lower[key] = low
	}
	return low
}

// room gives n values and a list for them.
func (b *builder) room(n int) ([]*Value, []Value) {
	const chunk = 512
	if len(b.slab) < n {
		b.slab, b.below = make([]Value, max(n, chunk)), make([]*Value, max(n, chunk))
	}
	below, slab := b.below[:n:n], b.slab[:n:n]
	b.below, b.slab = b.below[n:], b.slab[n:]
	return below, slab
}

func (b *builder) expression(text string) *armexpr.Node {
	if !armexpr.Is(text) {
		return nil
	}
	n, known := b.exprs[text]
	if !known {
		n, _ = armexpr.Parse(text) // nil for what cannot be read
		b.exprs[text] = n
	}
	return n
}
