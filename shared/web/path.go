package web

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// segment is one part of a pattern: a fixed word in lower case, or a value.
type segment struct {
	word  string
	value string // name of the path value, empty for a word
	rest  bool   // takes all segments that are left
}

// parsePattern reads "/api/saas/subscriptions/{id}".
func parsePattern(pattern string) ([]segment, error) {
	parts, ok := split(pattern)
	if !ok || len(parts) == 0 {
		return nil, errors.New("must be a path without empty segments")
	}
	path := make([]segment, len(parts))
	for i, part := range parts {
		name, open := strings.CutPrefix(part, "{")
		if !open {
			if strings.ContainsAny(part, "{}") {
				return nil, errors.New("a path value takes a whole segment")
			}
			path[i] = segment{word: strings.ToLower(part)}
			continue
		}
		name, closed := strings.CutSuffix(name, "}")
		name, rest := strings.CutSuffix(name, "...")
		if !closed || name == "" || strings.ContainsAny(name, "{}") {
			return nil, errors.New("a path value is written {name}")
		}
		if rest && i < len(parts)-1 {
			return nil, errors.New("{name...} stands only at the end")
		}
		path[i] = segment{value: name, rest: rest}
	}
	return path, nil
}

// muxPattern is the pattern as the mux knows it: values are named by position, so that the routes of one path
// may name theirs differently.
func muxPattern(path []segment) string {
	var b strings.Builder
	for i, s := range path {
		b.WriteByte('/')
		switch {
		case s.value == "":
			b.WriteString(url.PathEscape(s.word))
		case s.rest:
			b.WriteString("{p" + strconv.Itoa(i) + "...}")
		default:
			b.WriteString("{p" + strconv.Itoa(i) + "}")
		}
	}
	return b.String()
}

// muxURL is a request's path as the mux is asked for it: lower-cased, so that fixed words match in any case.
func muxURL(path []string) *url.URL {
	plain, escaped := make([]string, len(path)), make([]string, len(path))
	for i, part := range path {
		plain[i] = strings.ToLower(part)
		escaped[i] = url.PathEscape(plain[i])
	}
	return &url.URL{Path: "/" + strings.Join(plain, "/"), RawPath: "/" + strings.Join(escaped, "/")}
}

// setValues gives the handler the path values as they were sent, in their own case of letters.
func setValues(r *http.Request, pattern []segment, path []string) {
	for i, s := range pattern {
		switch {
		case s.rest:
			r.SetPathValue(s.value, strings.Join(path[i:], "/"))
		case s.value != "":
			r.SetPathValue(s.value, path[i])
		}
	}
}

// split cuts an escaped path into its decoded segments. One trailing slash is ignored (CPP-9); empty segments,
// dots and control characters match nothing.
func split(escaped string) (path []string, ok bool) {
	rest, rooted := strings.CutPrefix(escaped, "/")
	if !rooted {
		return nil, false
	}
	rest = strings.TrimSuffix(rest, "/")
	if rest == "" {
		return nil, escaped == "/"
	}
	path, ok = strings.Split(rest, "/"), true
	for i, part := range path {
		plain, err := url.PathUnescape(part)
		if err != nil {
			ok = false
			continue
		}
		path[i] = plain
		if plain == "" || plain == "." || plain == ".." || !utf8.ValidString(plain) ||
			strings.ContainsFunc(plain, unicode.IsControl) {
			ok = false
		}
	}
	return path, ok
}

// under reports whether a path lies below a prefix of lower-cased words, or is it.
func under(path, prefix []string) bool {
	if len(path) < len(prefix) {
		return false
	}
	for i, word := range prefix {
		if strings.ToLower(path[i]) != word {
			return false
		}
	}
	return true
}

// fixedWords are the words of a pattern, with "{}" where a value stands.
func fixedWords(path []segment) []string {
	words := make([]string, len(path))
	for i, s := range path {
		words[i] = s.word
		if s.value != "" {
			words[i] = "{}"
		}
	}
	return words
}

func names(path []segment, value string) bool {
	for _, s := range path {
		if s.value == value {
			return true
		}
	}
	return false
}
