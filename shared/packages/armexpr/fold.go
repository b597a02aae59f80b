package armexpr

import (
	"strconv"
	"strings"

	"stoa/shared/packages/jsondoc"
)

// Budget is how many steps the foldings of a package may take in all.
const Budget = 500_000

// Limits of one folding: its steps, bytes a text may grow to, values that lead to values.
const (
	maxSteps  = 5_000
	maxText   = 64 << 10
	maxValues = 32
)

// Folder computes what is constant in the expressions of a template. It is not safe for concurrent use.
type Folder struct {
	// Value is the value of a call that depends on the template, such as parameters('x') and variables('x'), as it
	// stands there: its strings may be expressions. Nil when it is not known.
	Value func(call *Node) *jsondoc.Node
	// Left are the steps that may still be taken; folders may share them. Behind them nothing is constant. Nil is no
	// limit but that of each folding.
	Left *int

	steps, deep int
}

// Text is the constant that a string of a template stands for, when it is a text.
func (f *Folder) Text(text string) (string, bool) {
	return textOf(f.Fold(&jsondoc.Node{Kind: jsondoc.String, Text: text}))
}

// Expression is the constant that an expression stands for, when it is a text.
func (f *Folder) Expression(n *Node) (string, bool) {
	f.steps, f.deep = 0, 0
	return textOf(f.node(n))
}

// Fold is the constant that a value of a template stands for, nil when it is none. The strings inside of an object
// or a list stay as they are.
func (f *Folder) Fold(v *jsondoc.Node) *jsondoc.Node {
	f.steps, f.deep = 0, 0
	return f.value(v)
}

func (f *Folder) value(v *jsondoc.Node) *jsondoc.Node {
	if !v.Is(jsondoc.String) {
		return v
	}
	f.spend(len(v.Text) / 50)
	if !Is(v.Text) {
		return text(Literal(v.Text))
	}
	if f.deep++; f.deep > maxValues {
		return nil
	}
	defer func() { f.deep-- }()
	n, err := Parse(v.Text)
	if err != nil {
		return nil
	}
	return f.node(n)
}

func (f *Folder) spend(steps int) {
	f.steps += steps
	if f.Left != nil {
		*f.Left -= steps
	}
}

func (f *Folder) node(n *Node) *jsondoc.Node {
	if f.spend(1); n == nil || f.steps > maxSteps || f.Left != nil && *f.Left <= 0 {
		return nil
	}
	switch n.Kind {
	case String:
		return text(n.Text)
	case Number:
		return &jsondoc.Node{Kind: jsondoc.Number, Text: n.Text}
	case Member:
		return f.member(f.node(n.Args[0]), n.Text)
	case Index:
		return f.index(f.node(n.Args[0]), f.node(n.Args[1]))
	default:
		return f.call(n)
	}
}

func (f *Folder) member(target *jsondoc.Node, name string) *jsondoc.Node {
	if target == nil {
		return nil
	}
	f.spend(len(target.Members) / 8)
	return f.value(target.Get(name))
}

func (f *Folder) index(target, index *jsondoc.Node) *jsondoc.Node {
	if target == nil || index == nil {
		return nil
	}
	if index.Is(jsondoc.String) {
		return f.member(target, index.Text)
	}
	i, err := strconv.Atoi(index.Text)
	if err != nil || i < 0 || i >= len(target.Items) {
		return nil
	}
	return f.value(target.Items[i])
}

func (f *Folder) call(n *Node) *jsondoc.Node {
	if n.Calls("if") && len(n.Args) == 3 { // the branch that is not taken need not be known
		switch condition := f.node(n.Args[0]); {
		case !condition.Is(jsondoc.Bool):
			return nil
		case condition.Text == "true":
			return f.node(n.Args[1])
		default:
			return f.node(n.Args[2])
		}
	}
	if f.Value != nil {
		if v := f.Value(n); v != nil {
			return f.value(v)
		}
	}
	compute, known := functions[strings.ToLower(n.Text)]
	if !known {
		return nil
	}
	args := make([]*jsondoc.Node, len(n.Args))
	for i, a := range n.Args {
		if args[i] = f.node(a); args[i] == nil {
			return nil
		}
	}
	out := compute(args)
	if n.Calls("first", "last") { // an item of a list stands there as it was written
		out = f.value(out)
	}
	if out == nil || len(out.Text) > maxText {
		return nil
	}
	return out
}

func text(s string) *jsondoc.Node { return &jsondoc.Node{Kind: jsondoc.String, Text: s} }

func textOf(v *jsondoc.Node) (string, bool) {
	if !v.Is(jsondoc.String) {
		return "", false
	}
	return v.Text, true
}
