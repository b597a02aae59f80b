package uidefinition

import (
	"strings"

	"stoa/shared/packages/armexpr"
)

// Reference is what an expression reads of a control: steps('step').first.rest or basics('first').rest.
type Reference struct {
	Step string   // "" on the first page
	Path []string // of steps what is taken of them; of the first page the control and what is taken of it
}

// References are the references in an expression, in the order of the text. An expression that cannot be read, such
// as one with a lambda, has none.
func References(text string) []Reference {
	n, err := armexpr.Parse(text)
	if err != nil {
		return nil
	}
	out := []Reference{}
	n.Walk(func(n *armexpr.Node) bool {
		taken := []string{}
		target := n
		for ; target.Kind == armexpr.Member || target.Kind == armexpr.Index; target = target.Args[0] {
			name := target.Text
			if target.Kind == armexpr.Index {
				name = target.Args[1].Text
			}
			taken = append([]string{name}, taken...)
		}
		name, plain := target.Argument(0)
		if !plain || !target.Calls("basics", "steps") {
			return true
		}
		if target.Calls("basics") {
			out = append(out, Reference{Path: append([]string{name}, taken...)})
		} else {
			out = append(out, Reference{Step: name, Path: taken})
		}
		return false
	})
	return out
}

// To reports whether the reference reads the element or a part of what it gives.
func (r Reference) To(e *Element) bool {
	if !strings.EqualFold(r.Step, e.Step) || len(r.Path) < len(e.Path) {
		return false
	}
	for i, name := range e.Path {
		if !strings.EqualFold(name, r.Path[i]) {
			return false
		}
	}
	return true
}
