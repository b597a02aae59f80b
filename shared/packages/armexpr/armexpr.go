// Package armexpr reads the expression language of Resource Manager templates: the text between the brackets of a
// string such as "[concat(parameters('prefix'), '-vm')]" (AZA-122, AZA-140, AZA-143 and the toolkit rules).
//
// Parse gives a tree whose nodes know where they stand, Walk visits it, String prints it, and a Folder computes what
// is constant. Text and depth are limited, so that hostile text cannot exhaust the stack. Trees are not changed after
// Parse and may be read concurrently.
package armexpr

import (
	"strconv"
	"strings"
)

// MaxLength is how many characters an expression may have (AZA-122).
const MaxLength = 24_576

// MaxDepth is how deep calls, members and indexes may be nested.
const MaxDepth = 200

// Kind is the kind of a node.
type Kind int

// The kinds.
const (
	String Kind = iota // 'text'
	Number             // 12, -1, 1.5
	Call               // name(arguments), namespace.name(arguments)
	Member             // target.name, target.?name
	Index              // target[index], target[?index]
)

// Node is one part of an expression.
type Node struct {
	Kind     Kind
	Text     string  // of a string its value, of a number its literal, of a call its name, of a member its name
	Args     []*Node // of a call its arguments; of a member its target; of an index its target and the index
	Safe     bool    // a member or an index that may be missing: .? and [?
	Pos, End int     // the bytes of the text that it covers
}

// Is reports whether a string of a template is an expression: it stands in brackets, blanks around them aside, and
// does not begin with the two brackets that stand for one.
func Is(text string) bool {
	text = strings.TrimSpace(text)
	return len(text) >= 2 && text[0] == '[' && text[1] != '[' && text[len(text)-1] == ']'
}

// Literal is what a string that is no expression stands for: two opening brackets at its begin are one.
func Literal(text string) string {
	if strings.HasPrefix(text, "[[") && strings.HasSuffix(text, "]") {
		return text[1:]
	}
	return text
}

// Calls reports whether the node is a call of one of the functions, case aside.
func (n *Node) Calls(names ...string) bool {
	if n == nil || n.Kind != Call {
		return false
	}
	for _, name := range names {
		if strings.EqualFold(n.Text, name) {
			return true
		}
	}
	return false
}

// Argument is the text of an argument that is a plain string.
func (n *Node) Argument(i int) (string, bool) {
	if n == nil || i >= len(n.Args) || n.Args[i].Kind != String {
		return "", false
	}
	return n.Args[i].Text, true
}

// Root is what members and indexes are taken of: the call at the begin of reference(x).a[0].
func (n *Node) Root() *Node {
	for n.Kind == Member || n.Kind == Index {
		n = n.Args[0]
	}
	return n
}

// Walk visits the node and everything below it, in the order of the text. It does not go below a node for which
// visit returns false.
func (n *Node) Walk(visit func(*Node) bool) {
	if n == nil || !visit(n) {
		return
	}
	for _, a := range n.Args {
		a.Walk(visit)
	}
}

// String prints the expression with its brackets; parsing that gives the same tree.
func (n *Node) String() string {
	var b strings.Builder
	b.WriteByte('[')
	n.print(&b)
	b.WriteByte(']')
	return b.String()
}

func (n *Node) print(b *strings.Builder) {
	switch n.Kind {
	case String:
		b.WriteString("'" + strings.ReplaceAll(n.Text, "'", "''") + "'")
	case Number:
		b.WriteString(n.Text)
	case Call:
		b.WriteString(n.Text + "(")
		for i, a := range n.Args {
			if i > 0 {
				b.WriteString(", ")
			}
			a.print(b)
		}
		b.WriteByte(')')
	case Member:
		n.Args[0].print(b)
		b.WriteString(map[bool]string{false: ".", true: ".?"}[n.Safe] + n.Text)
	case Index:
		n.Args[0].print(b)
		b.WriteString(map[bool]string{false: "[", true: "[?"}[n.Safe])
		n.Args[1].print(b)
		b.WriteByte(']')
	}
}

// Int is the value of a whole number.
func (n *Node) Int() (int, bool) {
	if n == nil || n.Kind != Number {
		return 0, false
	}
	v, err := strconv.Atoi(n.Text)
	return v, err == nil
}
