package armtemplate

import "strings"

// Use is a place in a text that names a parameter or a variable: parameters('x') or variables('x').
type Use struct {
	Value      *Value
	Function   string // parameters or variables
	Name       string // in lower case
	Expression bool   // it stands behind the bracket that opens an expression
}

// uses looks through a text, whether or not it can be read as an expression: workflows and scripts name parameters
// inside of other languages.
func (b *builder) uses(v *Value, text string) {
	if strings.IndexByte(text, '(') < 0 {
		return
	}
	named, known := b.named[text]
	if !known {
		named = usesIn(text)
		b.named[text] = named
	}
	for _, use := range named {
		use.Value = v
		b.t.Uses = append(b.t.Uses, use)
	}
}

func usesIn(text string) (out []Use) {
	opening := map[string]int{ // workflows open expressions with @
		"parameters": firstOf(text, "[@"), "variables": firstOf(text, "["),
	}
	for at := 0; ; at++ {
		open := strings.IndexByte(text[at:], '(')
		if open < 0 {
			return out
		}
		at += open
		before := strings.TrimRight(text[:at], " \t\r\n")
		function := suffix(before, "parameters", "variables")
		if function == "" {
			continue
		}
		name, ok := quoted(text[at+1:])
		if !ok {
			continue
		}
		out = append(out, Use{Function: function, Name: strings.ToLower(name), Expression: opening[function] < len(before)-len(function)})
	}
}

// firstOf is where one of the characters stands first, or the end.
func firstOf(text, characters string) int {
	if at := strings.IndexAny(text, characters); at >= 0 {
		return at
	}
	return len(text)
}

func suffix(text string, words ...string) string {
	for _, w := range words {
		if len(text) >= len(w) && strings.EqualFold(text[len(text)-len(w):], w) {
			return w
		}
	}
	return ""
}

// quoted is the text in quotes that fills a pair of parentheses.
func quoted(text string) (string, bool) {
	rest, ok := strings.CutPrefix(strings.TrimLeft(text, " \t\r\n"), "'")
	if !ok {
		return "", false
	}
	name, rest, ok := strings.Cut(rest, "'")
	return name, ok && strings.HasPrefix(strings.TrimLeft(rest, " \t\r\n"), ")")
}
