package web

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// depth is how many lists and objects of a JSON text are open at once at most. It reads no further than it must.
func depth(body []byte) int {
	deepest, open := 0, 0
	inText := false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inText && c == '\\':
			i++
		case c == '"':
			inText = !inText
		case inText:
		case c == '{' || c == '[':
			open++
			deepest = max(deepest, open)
		case c == '}' || c == ']':
			open--
		}
	}
	return deepest
}

// pathAt is the path of the value that begins last before an offset of a JSON text: plans[2].price.
func pathAt(body []byte, offset int64) string {
	found := ""
	walk(body, func(path string, start int64, _ json.Token) bool {
		if start >= offset {
			return false
		}
		found = path
		return true
	})
	return found
}

// pathOf is the path of the first string of a JSON text that reads so.
func pathOf(body []byte, text string) string {
	found := ""
	walk(body, func(path string, _ int64, value json.Token) bool {
		if s, ok := value.(string); ok && s == text {
			found = path
			return false
		}
		return true
	})
	return found
}

// level is an object or list that the walk is inside of.
type level struct {
	list  bool
	index int    // of the current item
	name  string // of the current member
	value bool   // the next token of an object is a value
}

// walk visits the values of a JSON text in order, with path and a place between its predecessor and itself,
// until visit returns false or the text ends or breaks.
func walk(body []byte, visit func(path string, start int64, value json.Token) bool) {
	dec := json.NewDecoder(bytes.NewReader(body))
	var levels []level
	for {
		start := dec.InputOffset()
		token, err := dec.Token()
		if err != nil {
			return
		}
		if d, ok := token.(json.Delim); ok && (d == '}' || d == ']') {
			levels = levels[:len(levels)-1]
			leave(levels)
			continue
		}
		if n := len(levels); n > 0 && !levels[n-1].list && !levels[n-1].value {
			levels[n-1].name, _ = token.(string)
			levels[n-1].value = true
			continue
		}
		if !visit(pathText(levels), start, token) {
			return
		}
		if d, ok := token.(json.Delim); ok {
			levels = append(levels, level{list: d == '['})
			continue
		}
		leave(levels)
	}
}

// leave moves the innermost level past a value.
func leave(levels []level) {
	if n := len(levels); n > 0 {
		levels[n-1].index++
		levels[n-1].value = false
	}
}

func pathText(levels []level) string {
	var b strings.Builder
	for _, l := range levels {
		switch {
		case l.list:
			b.WriteString("[" + strconv.Itoa(l.index) + "]")
		default:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(l.name)
		}
	}
	return b.String()
}
