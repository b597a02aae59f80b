// Package jsondoc reads JSON of package files with what a plain decoder hides: where each value stands, comments,
// and keys that stand twice (rules AZA-115 to AZA-117).
//
// Comments are findings and not failures: the text is read on as if they were blanks. Depth is limited, so that
// hostile text cannot exhaust the stack. Nodes are not changed after Parse and may be read concurrently.
package jsondoc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxDepth is how deep values may be nested.
const MaxDepth = 200

// MaxNodes is how many values a document may hold.
const MaxNodes = 500_000

// Kind is the kind of a value.
type Kind int

// The kinds.
const (
	Null Kind = iota
	Bool
	Number
	String
	Array
	Object
)

// Node is one value of a document.
type Node struct {
	Kind    Kind
	Offset  int    // byte at which the value begins
	Text    string // of a string its value, of a number or a bool its literal
	Items   []*Node
	Members []Member
}

// Member is one member of an object.
type Member struct {
	Key    string
	Offset int // byte at which the key begins
	Value  *Node
}

// ProblemKind is what is wrong with a text.
type ProblemKind int

// The kinds of problem.
const (
	Invalid   ProblemKind = iota // not JSON; nothing behind it was read
	Slip                         // not JSON, but what is meant is clear: read on as if it were
	Comment                      // a comment, read as blanks
	Duplicate                    // a key stands twice, compared without case
)

// Problem is one thing that is wrong with a text.
type Problem struct {
	Kind    ProblemKind
	Offset  int
	Message string
}

// Get finds a member by its name without regard to case, nil when there is none.
func (n *Node) Get(key string) *Node {
	if n == nil {
		return nil
	}
	for _, m := range n.Members {
		if strings.EqualFold(m.Key, key) {
			return m.Value
		}
	}
	return nil
}

// Is reports whether the node is there and of the kind.
func (n *Node) Is(k Kind) bool { return n != nil && n.Kind == k }

// Walk visits the node and everything below it.
func (n *Node) Walk(visit func(*Node)) {
	if n == nil {
		return
	}
	visit(n)
	for _, item := range n.Items {
		item.Walk(visit)
	}
	for _, m := range n.Members {
		m.Value.Walk(visit)
	}
}

// Position is the line and the column of an offset, both from 1; columns count characters.
func Position(text []byte, offset int) (line, column int) {
	before := text[:min(max(offset, 0), len(text))]
	line = bytes.Count(before, []byte("\n")) + 1
	column = utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
	return line, column
}

// Parse reads a text. The node is nil when the text is not JSON, slips and comments aside.
func Parse(text []byte) (*Node, []Problem) {
	p := &parser{text: text}
	root := p.value(0)
	if root != nil {
		p.blanks()
		if p.at < len(text) {
			p.fail("something follows the end of the value")
			root = nil
		}
	}
	if p.failed {
		root = nil
	}
	return root, p.problems
}

type parser struct {
	text     []byte
	at       int
	nodes    int
	spare    []Node   // allocated by the hundred, since a document has many
	items    []*Node  // of the arrays that are being read, the innermost one's last
	members  []Member // of the objects that are being read
	problems []Problem
	failed   bool
}

const spareNodes = 256

func (p *parser) node() *Node {
	if len(p.spare) == 0 {
		p.spare = make([]Node, spareNodes)
	}
	n := &p.spare[0]
	p.spare = p.spare[1:]
	n.Offset = p.at
	return n
}

func (p *parser) fail(format string, args ...any) {
	if !p.failed {
		p.failed = true
		p.problems = append(p.problems, Problem{Kind: Invalid, Offset: p.at, Message: fmt.Sprintf(format, args...)})
	}
}

// slip notes what is no JSON and can be read all the same.
func (p *parser) slip(at int, message string) {
	p.problems = append(p.problems, Problem{Kind: Slip, Offset: at, Message: message})
}

// blanks skips blanks and comments.
func (p *parser) blanks() {
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			p.at++
		case c == '/':
			if !p.comment() {
				return
			}
		default:
			return
		}
	}
}

func (p *parser) comment() bool {
	rest := p.text[p.at:]
	var length int
	switch {
	case bytes.HasPrefix(rest, []byte("//")):
		if length = bytes.IndexByte(rest, '\n'); length < 0 {
			length = len(rest)
		}
	case bytes.HasPrefix(rest, []byte("/*")):
		end := bytes.Index(rest[2:], []byte("*/"))
		if end < 0 {
			p.fail("the comment does not end")
			return false
		}
		length = end + 4
	default:
		return false
	}
	p.problems = append(p.problems, Problem{Kind: Comment, Offset: p.at, Message: "comments are not allowed in JSON"})
	p.at += length
	return true
}

func (p *parser) value(depth int) *Node {
	p.blanks()
	if p.at >= len(p.text) {
		p.fail("a value is missing at the end of the text")
		return nil
	}
	if depth > MaxDepth {
		p.fail("values are nested more than %d deep", MaxDepth)
		return nil
	}
	if p.nodes++; p.nodes > MaxNodes {
		p.fail("the document holds more than %d values", MaxNodes)
		return nil
	}
	n := p.node()
	switch c := p.text[p.at]; {
	case c == '{':
		n.Kind = Object
		return p.object(n, depth)
	case c == '[':
		n.Kind = Array
		return p.array(n, depth)
	case c == '"':
		n.Kind = String
		text, ok := p.str()
		n.Text = text
		return keep(n, ok)
	case c == '-' || c >= '0' && c <= '9':
		n.Kind = Number
		return p.literal(n)
	case c == 't' || c == 'f':
		n.Kind = Bool
		return p.literal(n)
	case c == 'n':
		return p.literal(n)
	default:
		p.fail("%q does not begin a value", rune(c))
		return nil
	}
}

func keep(n *Node, ok bool) *Node {
	if !ok {
		return nil
	}
	return n
}

// literal reads a number, true, false or null.
func (p *parser) literal(n *Node) *Node {
	end := p.at
	for end < len(p.text) && bytes.IndexByte([]byte("+-.0123456789abcdefghijklmnopqrstuvwxyzE"), p.text[end]) >= 0 {
		end++
	}
	word := p.text[p.at:end]
	if !plainWord(word) && !json.Valid(word) {
		p.fail("%.20q is not a value", word)
		return nil
	}
	n.Text = string(word)
	p.at = end
	return n
}

// plainWord reports whether a word is one of the frequent ones: true, false, null or a few digits.
func plainWord(word []byte) bool {
	switch string(word) {
	case "true", "false", "null":
		return true
	}
	if len(word) == 0 || word[0] == '0' && len(word) > 1 {
		return false
	}
	for _, c := range word {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// str reads a string and leaves decoding to the library, unless there is nothing to decode.
func (p *parser) str() (string, bool) {
	end, plain := p.at+1, true
	for end < len(p.text) && p.text[end] != '"' {
		c := p.text[end]
		plain = plain && c >= ' ' && c < utf8.RuneSelf && c != '\\'
		if c == '\\' {
			end++
		}
		end++
	}
	if end >= len(p.text) {
		p.fail("the string does not end")
		return "", false
	}
	if plain {
		s := string(p.text[p.at+1 : end])
		p.at = end + 1
		return s, true
	}
	raw := p.text[p.at : end+1]
	if at := bytes.IndexFunc(raw, control); at >= 0 {
		p.slip(p.at+at, "the string holds a line break or another control character; write it as an escape, such as \\n")
		raw = escapeControls(raw)
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		p.fail("the string holds an escape that is not allowed")
		return "", false
	}
	p.at = end + 1
	return s, true
}

func control(r rune) bool { return r < ' ' }

func escapeControls(raw []byte) []byte {
	var out bytes.Buffer
	for _, c := range raw {
		if control(rune(c)) {
			fmt.Fprintf(&out, `\u%04x`, c)
		} else {
			out.WriteByte(c)
		}
	}
	return out.Bytes()
}

// next moves over a comma, or over the end. It reports whether another element follows; none does behind a comma too
// many.
func (p *parser) next(end byte, what string) (more, ok bool) {
	p.blanks()
	if p.at >= len(p.text) {
		p.fail("the %s does not end", what)
		return false, false
	}
	switch c := p.text[p.at]; c {
	case ',':
		comma := p.at
		p.at++
		p.blanks()
		if p.at < len(p.text) && p.text[p.at] == end {
			p.slip(comma, "the comma behind the last element of the "+what+" is too many")
			p.at++
			return false, true
		}
		return true, true
	case end:
		p.at++
		return false, true
	default:
		p.fail("%q stands where a comma or the end of the %s should", rune(c), what)
		return false, false
	}
}

func (p *parser) array(n *Node, depth int) *Node {
	p.at++
	p.blanks()
	if p.at < len(p.text) && p.text[p.at] == ']' {
		p.at++
		return n
	}
	for first := len(p.items); ; {
		item := p.value(depth + 1)
		if item == nil {
			return nil
		}
		p.items = append(p.items, item)
		more, ok := p.next(']', "array")
		if !ok {
			return nil
		}
		if !more {
			n.Items = slices.Clone(p.items[first:])
			p.items = p.items[:first]
			return n
		}
	}
}

func (p *parser) object(n *Node, depth int) *Node {
	p.at++
	p.blanks()
	if p.at < len(p.text) && p.text[p.at] == '}' {
		p.at++
		return n
	}
	var seen keys
	for first := len(p.members); ; {
		m, ok := p.member(depth, &seen, first)
		if !ok {
			return nil
		}
		p.members = append(p.members, m)
		more, ok := p.next('}', "object")
		if !ok {
			return nil
		}
		if !more {
			n.Members = slices.Clone(p.members[first:])
			p.members = p.members[:first]
			return n
		}
	}
}

// keys finds keys that stand twice, case aside: by looking through the members while they are few.
type keys struct{ folded map[string]bool }

const fewMembers = 12

func (k *keys) has(key string, members []Member) bool {
	if len(members) < fewMembers {
		return slices.ContainsFunc(members, func(m Member) bool { return strings.EqualFold(m.Key, key) })
	}
	if k.folded == nil {
		k.folded = make(map[string]bool, 2*fewMembers)
		for _, m := range members {
			k.folded[fold(m.Key)] = true
		}
	}
	folded := fold(key)
	twice := k.folded[folded]
	k.folded[folded] = true
	return twice
}

// fold is the same for keys that strings.EqualFold takes for the same.
func fold(key string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, key)
}

// member reads a member of the object whose members so far begin at first.
func (p *parser) member(depth int, seen *keys, first int) (Member, bool) {
	p.blanks()
	if p.at >= len(p.text) || p.text[p.at] != '"' {
		p.fail("a key in double quotes is missing")
		return Member{}, false
	}
	m := Member{Offset: p.at}
	var ok bool
	if m.Key, ok = p.str(); !ok {
		return m, false
	}
	if seen.has(m.Key, p.members[first:]) {
		p.problems = append(p.problems, Problem{Kind: Duplicate, Offset: m.Offset, Message: fmt.Sprintf("the key %q stands twice", m.Key)})
	}
	p.blanks()
	if p.at >= len(p.text) || p.text[p.at] != ':' {
		p.fail("a colon is missing behind the key")
		return m, false
	}
	p.at++
	m.Value = p.value(depth + 1)
	return m, m.Value != nil
}
