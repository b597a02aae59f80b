package azureapp

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"stoa/shared/packages/jsondoc"
)

// scanner reads the syntax of JSON without holding it. It stops at the first fault and knows where that is.
type scanner struct {
	r            *bufio.Reader
	line, column int
	fault        string
	open         []byte // the closing brackets that are still to come
}

// scan reads the whole text. The error is that of the source; what is wrong with the text is the fault.
func (s *scanner) scan() error {
	if mark, _ := s.r.Peek(3); string(mark) == "\xef\xbb\xbf" { // AZA-114
		if _, err := s.r.Discard(3); err != nil {
			return err
		}
	}
	err := s.value()
	for err == nil && s.fault == "" && len(s.open) > 0 {
		err = s.follow()
	}
	if err == nil && s.fault == "" {
		var c byte
		if c, err = s.next(); err == nil {
			s.fail("%q follows the end of the value", c)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
	}
	if errors.Is(err, io.EOF) {
		s.fail("the text ends too early")
		return nil
	}
	return err
}

func (s *scanner) fail(format string, args ...any) {
	if s.fault == "" {
		s.fault = fmt.Sprintf(format, args...)
	}
}

// byte is the next byte. Columns count characters.
func (s *scanner) byte() (byte, error) {
	c, err := s.r.ReadByte()
	switch {
	case err != nil:
	case c == '\n':
		s.line, s.column = s.line+1, 0
	case utf8.RuneStart(c):
		s.column++
	}
	return c, err
}

// next is the next byte that is no blank.
func (s *scanner) next() (byte, error) {
	for {
		c, err := s.byte()
		if err != nil || strings.IndexByte(" \t\r\n", c) < 0 {
			return c, err
		}
	}
}

// value reads the begin of a value: all of it, or the bracket that opens it.
func (s *scanner) value() error {
	c, err := s.next()
	if err != nil {
		return err
	}
	return s.valueFrom(c)
}

func (s *scanner) valueFrom(c byte) error {
	switch {
	case c == '{' || c == '[':
		return s.opened(c)
	case c == '"':
		return s.text()
	case c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z':
		return s.word(c)
	default:
		s.fail("%q does not begin a value", c)
		return nil
	}
}

func (s *scanner) opened(c byte) error {
	if len(s.open) > jsondoc.MaxDepth {
		s.fail("values are nested more than %d deep", jsondoc.MaxDepth)
		return nil
	}
	closing := c + 2 // } is two behind {, and ] behind [
	first, err := s.next()
	switch {
	case err != nil || first == closing:
		return err
	case c == '[':
		s.open = append(s.open, closing)
		return s.valueFrom(first)
	default:
		s.open = append(s.open, closing)
		return s.member(first)
	}
}

// member reads a name, the colon and the begin of the value.
func (s *scanner) member(c byte) error {
	if c != '"' {
		s.fail("a key in double quotes is missing")
		return nil
	}
	if err := s.text(); err != nil || s.fault != "" {
		return err
	}
	c, err := s.next()
	if err == nil && c != ':' {
		s.fail("a colon is missing behind the key")
	}
	if err != nil || s.fault != "" {
		return err
	}
	return s.value()
}

// follow reads what comes behind a value inside of brackets: a comma and the next value, or the closing bracket.
func (s *scanner) follow() error {
	closing := s.open[len(s.open)-1]
	c, err := s.next()
	switch {
	case err != nil:
		return err
	case c == closing:
		s.open = s.open[:len(s.open)-1]
		return nil
	case c != ',':
		s.fail("%q stands where a comma or %q should", c, closing)
		return nil
	case closing == ']':
		return s.value()
	}
	if c, err = s.next(); err != nil {
		return err
	}
	return s.member(c)
}

// text reads a string behind its first quote.
func (s *scanner) text() error {
	for {
		c, err := s.byte()
		switch {
		case err != nil:
			return err
		case c == '"':
			return nil
		case c < ' ':
			s.fail("the string holds a character that is not allowed")
			return nil
		case c == '\\':
			if c, err = s.byte(); err == nil && strings.IndexByte(`"\/bfnrtu`, c) < 0 {
				s.fail("the string holds an escape that is not allowed")
			}
			if err != nil || s.fault != "" {
				return err
			}
		}
	}
}

// word reads a number, true, false or null.
func (s *scanner) word(first byte) error {
	const longest = 64
	word, column := []byte{first}, s.column
	for {
		next, err := s.r.Peek(1)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if len(next) == 0 || strings.IndexByte("+-.0123456789abcdefghijklmnopqrstuvwxyzE", next[0]) < 0 || len(word) > longest {
			break
		}
		c, err := s.byte()
		if err != nil {
			return err
		}
		word = append(word, c)
	}
	if root, _ := jsondoc.Parse(word); root == nil {
		s.column = column
		s.fail("%.20q is not a value", word)
	}
	return nil
}
