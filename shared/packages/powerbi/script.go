package powerbi

import (
	"slices"

	"github.com/tdewolff/parse/v2"
	"github.com/tdewolff/parse/v2/js"
)

// forbiddenCalls are those of the names that a script calls, constructs or uses as a member, sorted. Inside a string
// or a comment a name does not count.
func forbiddenCalls(script string, names []string) []string {
	lexer := js.NewLexer(parse.NewInputString(script))
	found := map[string]bool{}
	var last, name string // the token before, and a name that counts when a parenthesis or a dot follows
	for {
		kind, raw := lexer.Next()
		switch kind {
		case js.ErrorToken:
			return sorted(found)
		case js.WhitespaceToken, js.LineTerminatorToken, js.CommentToken, js.CommentLineTerminatorToken:
			continue
		case js.DivToken, js.DivEqToken:
			if !endsValue(last) {
				kind, raw = lexer.RegExp()
			}
		}
		token := string(raw)
		if name != "" && (token == "(" || token == "." || token == "?." || token == "`") {
			found[name] = true
		}
		name = ""
		if js.IsIdentifierName(kind) && slices.Contains(names, token) {
			name = token
			if last == "new" || last == "." || last == "?." {
				found[token] = true
			}
		}
		last = token
		if kind == js.RegExpToken || kind == js.StringToken || js.IsNumeric(kind) {
			last = ")" // a value has ended: what follows divides it
		}
	}
}

// endsValue reports whether a slash behind the token divides, and does not begin a regular expression.
func endsValue(token string) bool {
	if token == "" {
		return false
	}
	switch token {
	case "return", "typeof", "case", "in", "of", "delete", "void", "throw", "new", "else", "do", "instanceof", "yield", "await":
		return false
	case ")", "]", "}":
		return true
	}
	c := token[len(token)-1]
	return c == '_' || c == '$' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80 || c == '`'
}

func sorted(set map[string]bool) []string {
	out := make([]string, 0, len(set))
	for name := range set {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
