package uidefinition

import (
	"strconv"
	"strings"

	"stoa/shared/packages/content"
	"stoa/shared/packages/jsondoc"
)

// Spot is a place in the definition: what the names, or the numbers of items, lead to from an object, whether or not
// it is there.
type Spot struct {
	Object *Object
	Names  []string
}

// At is what the names lead to from the object.
func (o *Object) At(names ...string) Spot { return Spot{o, names} }

// Place is the JSON pointer of a spot, and the byte at which it, or the last on the way that is there, begins.
func (s Spot) Place() (pointer string, begin int) {
	pointer, begin = s.Object.Pointer(), s.Object.Begin
	node := s.Object.Node
	for _, name := range s.Names {
		var offset int
		if node, name, offset = follow(node, name); node != nil {
			begin = offset
		}
		pointer += "/" + content.Pointer(name)
	}
	return pointer, begin
}

// follow is the member or the item of a value, its name as it is written, and where it begins.
func follow(n *jsondoc.Node, name string) (*jsondoc.Node, string, int) {
	if n == nil {
		return nil, name, 0
	}
	if i, err := strconv.Atoi(name); err == nil && n.Kind == jsondoc.Array && i >= 0 && i < len(n.Items) {
		return n.Items[i], name, n.Items[i].Offset
	}
	for _, m := range n.Members {
		if strings.EqualFold(m.Key, name) {
			return m.Value, m.Key, m.Offset
		}
	}
	return nil, name, 0
}
