package uidefinition

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
)

// CheckRegex says what is wrong with a regular expression by the grammar of JavaScript, without flags and with the
// permissive rules that browsers follow (ECMA-262, annex B): the portal hands it to the browser as it is. Nothing is
// ever matched, and the text is read once.
func CheckRegex(pattern string) error {
	p := &regex{text: utf16.Encode([]rune(pattern)), names: map[string]bool{}}
	for p.at < len(p.text) {
		if err := p.term(); err != nil {
			return fmt.Errorf("at character %d: %w", p.at+1, err)
		}
	}
	if len(p.open) > 0 {
		return errors.New("a group is not closed")
	}
	for _, name := range p.uses {
		if len(p.names) > 0 && !p.names[name] { // without named groups \k stands for a k
			return fmt.Errorf("\\k refers to no group of the name %q", name)
		}
	}
	return nil
}

// regex reads a pattern as the code units that JavaScript sees.
type regex struct {
	text       []uint16
	at         int
	open       []bool // of the groups that are open, whether they may be repeated
	repeatable bool   // whether the last term may be repeated
	names      map[string]bool
	uses       []string // what \k refers to, "" where it has no name
}

var (
	errNothing = errors.New("there is nothing to repeat")
	errOrder   = errors.New("the ends of a range or of a count are in the wrong order")
	errEnd     = errors.New("a backslash ends the pattern")
)

func (p *regex) term() error {
	c := p.text[p.at]
	switch c {
	case '(':
		return p.group()
	case ')':
		if len(p.open) == 0 {
			return errors.New("a closing parenthesis has no opening one")
		}
		p.repeatable = p.open[len(p.open)-1]
		p.open = p.open[:len(p.open)-1]
	case '^', '$', '|':
		p.repeatable = false
	case '*', '+', '?':
		return p.repeat(p.at + 1)
	case '{':
		end, err := p.count()
		if err != nil {
			return err
		}
		if end > 0 {
			return p.repeat(end)
		}
		p.repeatable = true
	case '[':
		return p.class()
	case '\\':
		return p.escape()
	default:
		p.repeatable = true
	}
	p.at++
	return nil
}

// repeat takes a quantifier that ends there, and the question mark that makes it lazy.
func (p *regex) repeat(end int) error {
	if !p.repeatable {
		return errNothing
	}
	p.repeatable = false
	if p.at = end; p.peek("?") {
		p.at++
	}
	return nil
}

// count is the end of a quantifier in braces, 0 where the brace stands for itself.
func (p *regex) count() (int, error) {
	least, at := p.digits(p.at + 1)
	most := least
	if least == "" || at >= len(p.text) {
		return 0, nil
	}
	bounded := true
	if p.text[at] == ',' {
		most, at = p.digits(at + 1)
		bounded = most != ""
	}
	if at >= len(p.text) || p.text[at] != '}' {
		return 0, nil
	}
	if bounded && (len(most) < len(least) || len(most) == len(least) && most < least) {
		return 0, errOrder
	}
	return at + 1, nil
}

// digits are the digits from there on without zeros in front, and where they end.
func (p *regex) digits(at int) (string, int) {
	var b strings.Builder
	for ; at < len(p.text) && p.text[at] >= '0' && p.text[at] <= '9'; at++ {
		b.WriteByte(byte(p.text[at]))
	}
	if number := strings.TrimLeft(b.String(), "0"); number != "" || b.Len() == 0 {
		return number, at
	}
	return "0", at
}

// group takes what opens a group. Look-ahead may be repeated, look-behind may not.
func (p *regex) group() error {
	p.at++
	repeatable := true
	if p.peek("?") {
		p.at++
		switch {
		case p.skip(":"), p.skip("="), p.skip("!"):
		case p.skip("<="), p.skip("<!"):
			repeatable = false
		case p.skip("<"):
			name, ok := p.name()
			if !ok || p.names[name] {
				return errors.New("the name of a group is not valid or stands twice")
			}
			p.names[name] = true
		case !p.modifiers():
			return errors.New("there is no such kind of group")
		}
	}
	p.open = append(p.open, repeatable)
	p.repeatable = false
	return nil
}

// modifiers takes the flags of a group, such as (?i:…) and (?s-m:…).
func (p *regex) modifiers() bool {
	seen, minus := map[uint16]bool{}, false
	for ; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; c {
		case 'i', 'm', 's':
			if seen[c] {
				return false
			}
			seen[c] = true
		case '-':
			if minus {
				return false
			}
			minus = true
		case ':':
			p.at++
			return len(seen) > 0
		default:
			return false
		}
	}
	return false
}

// name takes the name of a group and the bracket behind it. It reads no further than what can be a name.
func (p *regex) name() (string, bool) {
	var name []rune
	for at := p.at; at < len(p.text); at++ {
		r := rune(p.text[at])
		if utf16.IsSurrogate(r) && at+1 < len(p.text) {
			r = utf16.DecodeRune(r, rune(p.text[at+1]))
			at++
		}
		switch {
		case r == '>' && len(name) > 0:
			p.at = at + 1
			return string(name), true
		case r != '$' && r != '_' && !unicode.IsLetter(r) && (len(name) == 0 || !unicode.In(r, unicode.Nd, unicode.Mn, unicode.Mc, unicode.Pc)):
			return "", false
		}
		name = append(name, r)
	}
	return "", false
}

func (p *regex) escape() error {
	p.at++
	if p.at >= len(p.text) {
		return errEnd
	}
	c := p.text[p.at]
	p.repeatable = c != 'b' && c != 'B'
	p.at++
	if c == 'k' {
		back, name := p.at, ""
		if p.skip("<") {
			name, _ = p.name()
		}
		if name == "" {
			p.at = back
		}
		p.uses = append(p.uses, name)
	}
	return nil
}

// What stands in front of a hyphen in a class when it is no single character.
const (
	several = -1 // a class such as \d: it may stand at the end of a range, which then has no order
	nothing = -2
)

// class takes a class of characters.
func (p *regex) class() error {
	p.at++
	p.skip("^")
	last, inRange := nothing, false // the code of the character in front
	for p.at < len(p.text) {
		if p.text[p.at] == ']' {
			p.at++
			p.repeatable = true
			return nil
		}
		if p.text[p.at] == '-' && last != nothing && !inRange && p.at+1 < len(p.text) && p.text[p.at+1] != ']' {
			p.at++
			inRange = true
			continue
		}
		code, err := p.classAtom()
		if err != nil {
			return err
		}
		if inRange && code != several && code < last {
			return errOrder
		}
		if last = code; inRange {
			last, inRange = nothing, false
		}
	}
	return errors.New("a class of characters is not closed")
}

// classAtom takes one character of a class and gives its code.
func (p *regex) classAtom() (int, error) {
	c := p.text[p.at]
	p.at++
	if c != '\\' {
		return int(c), nil
	}
	if p.at >= len(p.text) {
		return 0, errEnd
	}
	c = p.text[p.at]
	p.at++
	switch c {
	case 'd', 'D', 'w', 'W', 's', 'S':
		return several, nil
	case 'k':
		p.uses = append(p.uses, "")
	case 'x':
		return p.hex(2, 'x'), nil
	case 'u':
		return p.hex(4, 'u'), nil
	case 'c':
		return p.control(), nil
	case '0', '1', '2', '3', '4', '5', '6', '7':
		return p.octal(int(c - '0')), nil
	}
	if i := strings.IndexByte("btnvfr", byte(c)); i >= 0 && c < 128 {
		return int("\b\t\n\v\f\r"[i]), nil
	}
	return int(c), nil
}

// hex takes that many digits; without them the letter stands for itself.
func (p *regex) hex(digits int, letter int) int {
	if p.at+digits > len(p.text) {
		return letter
	}
	value := 0
	for _, c := range p.text[p.at : p.at+digits] {
		i := strings.IndexRune("0123456789abcdef", unicode.ToLower(rune(c)))
		if i < 0 {
			return letter
		}
		value = value<<4 | i
	}
	p.at += digits
	return value
}

// control takes the letter of a control character; without one the backslash stands for itself.
func (p *regex) control() int {
	if p.at < len(p.text) {
		c := p.text[p.at]
		if lower := c | 0x20; lower >= 'a' && lower <= 'z' || c >= '0' && c <= '9' || c == '_' {
			p.at++
			return int(c) % 32
		}
	}
	p.at--
	return '\\'
}

// octal takes up to two more digits of a character's octal code.
func (p *regex) octal(value int) int {
	for range 2 {
		if p.at >= len(p.text) || p.text[p.at] < '0' || p.text[p.at] > '7' || value<<3 > 0o377 {
			break
		}
		value = value<<3 | int(p.text[p.at]-'0')
		p.at++
	}
	return value
}

func (p *regex) peek(word string) bool {
	for i := range len(word) {
		if p.at+i >= len(p.text) || p.text[p.at+i] != uint16(word[i]) {
			return false
		}
	}
	return true
}

func (p *regex) skip(word string) bool {
	if !p.peek(word) {
		return false
	}
	p.at += len(word)
	return true
}
