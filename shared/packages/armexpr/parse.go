package armexpr

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Error is what is wrong with an expression, and at which byte of its text.
type Error struct {
	Pos     int
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("at character %d: %s", e.Pos+1, e.Message) }

// Parse reads an expression with its brackets. The error is an *Error.
func Parse(text string) (*Node, error) {
	p := &parser{text: text}
	if utf8.RuneCountInString(text) > MaxLength {
		return nil, &Error{Message: fmt.Sprintf("the expression has more than %d characters", MaxLength)}
	}
	if !Is(text) {
		return nil, &Error{Message: "an expression stands in brackets"}
	}
	p.blanks()
	p.at++
	n := p.expression()
	p.blanks()
	if p.err == nil && !p.take("]") {
		p.fail("a closing bracket is missing; %s stands in its place", p.here())
	}
	p.blanks()
	if p.err == nil && p.at < len(text) {
		p.fail("%s follows the end of the expression", p.here())
	}
	if p.err != nil {
		return nil, p.err
	}
	return n, nil
}

type parser struct {
	text  string
	at    int
	depth int
	err   *Error
	nodes []Node // room for the next nodes
}

// node is a new node that begins here.
func (p *parser) node(k Kind) *Node {
	const room = 8
	if len(p.nodes) == 0 {
		p.nodes = make([]Node, room)
	}
	n := &p.nodes[0]
	p.nodes = p.nodes[1:]
	n.Kind, n.Pos = k, p.at
	return n
}

func (p *parser) fail(format string, args ...any) *Node {
	if p.err == nil {
		p.err = &Error{Pos: p.at, Message: fmt.Sprintf(format, args...)}
	}
	return nil
}

// here is what stands at the place of an error.
func (p *parser) here() string {
	if p.at >= len(p.text) {
		return "the end"
	}
	r, _ := utf8.DecodeRuneInString(p.text[p.at:])
	return fmt.Sprintf("%q", r)
}

func (p *parser) blanks() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

func (p *parser) take(s string) bool {
	if strings.HasPrefix(p.text[p.at:], s) {
		p.at += len(s)
		return true
	}
	return false
}

// expression reads a string, a number or a call, and what is taken of it.
func (p *parser) expression() *Node {
	if p.depth++; p.depth > MaxDepth {
		return p.fail("the expression is nested more than %d deep", MaxDepth)
	}
	defer func() { p.depth-- }()
	p.blanks()
	n := p.primary()
	if p.err == nil && n.Kind == Number { // has no members: 0.x is not x of 0
		return n
	}
	for links := 0; p.err == nil; links++ {
		if links+p.depth > MaxDepth {
			return p.fail("the expression is nested more than %d deep", MaxDepth)
		}
		next := p.access(n)
		if next == nil {
			return n
		}
		n = next
	}
	return nil
}

func (p *parser) primary() *Node {
	switch {
	case p.at >= len(p.text):
		return p.fail("a value is missing at the end")
	case p.text[p.at] == '\'':
		return p.str()
	case p.text[p.at] == '-' || digit(p.text[p.at]):
		return p.number()
	case letter(p.text[p.at]):
		return p.call()
	default:
		return p.fail("%s does not begin a value", p.here())
	}
}

func digit(c byte) bool  { return c >= '0' && c <= '9' }
func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c == '$' }

// str reads a string; two quotes in it are one.
func (p *parser) str() *Node {
	n := p.node(String)
	p.at++
	start, escaped := p.at, false
	for {
		end := strings.IndexByte(p.text[p.at:], '\'')
		if end < 0 {
			p.at = n.Pos
			return p.fail("the string does not end")
		}
		p.at += end + 1
		if !strings.HasPrefix(p.text[p.at:], "'") {
			break
		}
		p.at++
		escaped = true
	}
	n.Text, n.End = p.text[start:p.at-1], p.at
	if escaped {
		n.Text = strings.ReplaceAll(n.Text, "''", "'")
	}
	return n
}

func (p *parser) number() *Node {
	n := p.node(Number)
	p.take("-")
	if p.at >= len(p.text) || !digit(p.text[p.at]) {
		return p.fail("a digit is missing")
	}
	for p.at < len(p.text) && digit(p.text[p.at]) {
		p.at++
	}
	if p.at+1 < len(p.text) && p.text[p.at] == '.' && digit(p.text[p.at+1]) {
		for p.at++; p.at < len(p.text) && digit(p.text[p.at]); p.at++ {
		}
	}
	n.Text, n.End = p.text[n.Pos:p.at], p.at
	return n
}

// name reads a word; members may hold what functions do not, such as a hyphen.
func (p *parser) name(more string) string {
	start := p.at
	for p.at < len(p.text) {
		c := p.text[p.at]
		if !letter(c) && !digit(c) && strings.IndexByte(more, c) < 0 {
			break
		}
		p.at++
	}
	return p.text[start:p.at]
}

// call reads a call. The words true, false and null may stand without parentheses.
func (p *parser) call() *Node {
	n := p.node(Call)
	n.Text = p.name("")
	n.End = p.at
	p.blanks()
	for p.take(".") { // a function of the template: namespace.name()
		p.blanks()
		n.Text += "." + p.name("")
		p.blanks()
	}
	if !p.take("(") {
		if n.Calls("true", "false", "null") {
			p.at = n.End
			return n
		}
		return p.fail("the name %q is not followed by parentheses", n.Text)
	}
	p.blanks()
	if p.take(")") {
		n.End = p.at
		return n
	}
	for {
		arg := p.expression()
		if p.err != nil {
			return nil
		}
		n.Args = append(n.Args, arg)
		p.blanks()
		if p.take(")") {
			n.End = p.at
			return n
		}
		if !p.take(",") {
			return p.fail("%s stands where a comma or a closing parenthesis should", p.here())
		}
	}
}

// access reads one member or index of a target, nil when none follows.
func (p *parser) access(target *Node) *Node {
	back := p.at
	p.blanks()
	var n *Node
	switch {
	case p.take("."):
		n = p.node(Member)
		n.Args, n.Safe = []*Node{target}, p.take("?")
		p.blanks()
		if n.Text = p.name("-"); n.Text == "" {
			return p.fail("the name of a member is missing")
		}
	case p.take("["):
		n = p.node(Index)
		n.Safe = p.take("?")
		index := p.expression()
		if p.err != nil {
			return nil
		}
		n.Args = []*Node{target, index}
		p.blanks()
		if !p.take("]") {
			return p.fail("%s stands where the bracket of an index should close", p.here())
		}
	default:
		p.at = back
		return nil
	}
	n.Pos, n.End = target.Pos, p.at
	return n
}
