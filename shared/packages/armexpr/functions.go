package armexpr

import (
	"net/url"
	"strconv"
	"strings"

	"stoa/shared/packages/jsondoc"
)

// functions are those whose value depends on their arguments alone. A value is nil where the arguments do not fit.
var functions = map[string]func(args []*jsondoc.Node) *jsondoc.Node{
	"concat":      concat,
	"format":      format,
	"uri":         uri,
	"string":      one(func(s string) string { return s }),
	"tolower":     one(strings.ToLower),
	"toupper":     one(strings.ToUpper),
	"trim":        one(strings.TrimSpace),
	"replace":     replace,
	"substring":   substring,
	"first":       first,
	"last":        last,
	"join":        join,
	"split":       split,
	"createarray": func(args []*jsondoc.Node) *jsondoc.Node { return &jsondoc.Node{Kind: jsondoc.Array, Items: args} },
	"true":        func([]*jsondoc.Node) *jsondoc.Node { return boolean(true) },
	"false":       func([]*jsondoc.Node) *jsondoc.Node { return boolean(false) },
	"empty":       empty,
	"equals":      equals,
	"not":         not,
	"and":         logic(true),
	"or":          logic(false),
	"json":        parseJSON,
}

func boolean(v bool) *jsondoc.Node {
	return &jsondoc.Node{Kind: jsondoc.Bool, Text: strconv.FormatBool(v)}
}

// plain reports whether a value can stand in a text.
func plain(v *jsondoc.Node) bool { return v.Kind == jsondoc.String || v.Kind == jsondoc.Number }

func one(of func(string) string) func([]*jsondoc.Node) *jsondoc.Node {
	return func(args []*jsondoc.Node) *jsondoc.Node {
		if len(args) != 1 || !plain(args[0]) {
			return nil
		}
		return text(of(args[0].Text))
	}
}

func concat(args []*jsondoc.Node) *jsondoc.Node {
	if len(args) > 0 && args[0].Kind == jsondoc.Array {
		out := &jsondoc.Node{Kind: jsondoc.Array}
		for _, a := range args {
			if a.Kind != jsondoc.Array || len(out.Items)+len(a.Items) > maxText {
				return nil
			}
			out.Items = append(out.Items, a.Items...)
		}
		return out
	}
	return joined(args, "")
}

func joined(parts []*jsondoc.Node, between string) *jsondoc.Node {
	var b strings.Builder
	for i, p := range parts {
		if !plain(p) || b.Len() > maxText {
			return nil
		}
		if i > 0 {
			b.WriteString(between)
		}
		b.WriteString(p.Text)
	}
	return text(b.String())
}

// format replaces {0}, {1} and so on. Other forms of placeholders, such as {0:N}, are not computed.
func format(args []*jsondoc.Node) *jsondoc.Node {
	if len(args) == 0 || args[0].Kind != jsondoc.String {
		return nil
	}
	var b strings.Builder
	for rest := args[0].Text; rest != ""; {
		i := strings.IndexAny(rest, "{}")
		if i < 0 {
			b.WriteString(rest)
			break
		}
		b.WriteString(rest[:i])
		if doubled := rest[i : i+1]; strings.HasPrefix(rest[i+1:], doubled) {
			b.WriteString(doubled)
			rest = rest[i+2:]
			continue
		}
		number, after, closed := strings.Cut(rest[i+1:], "}")
		n, err := strconv.Atoi(number)
		if !closed || err != nil || n < 0 || n+1 >= len(args) || !plain(args[n+1]) || b.Len() > maxText {
			return nil
		}
		b.WriteString(args[n+1].Text)
		rest = after
	}
	return text(b.String())
}

// uri joins a base and what is relative to it.
func uri(args []*jsondoc.Node) *jsondoc.Node {
	if len(args) != 2 || args[0].Kind != jsondoc.String || args[1].Kind != jsondoc.String {
		return nil
	}
	base, err := url.Parse(args[0].Text)
	if err != nil {
		return nil
	}
	joined, err := base.Parse(args[1].Text)
	if err != nil {
		return nil
	}
	out, err := url.PathUnescape(joined.String())
	if err != nil {
		return nil
	}
	return text(out)
}

func replace(args []*jsondoc.Node) *jsondoc.Node {
	if len(args) != 3 || !plain(args[0]) || !plain(args[1]) || !plain(args[2]) || args[1].Text == "" {
		return nil
	}
	if strings.Count(args[0].Text, args[1].Text)*len(args[2].Text) > maxText {
		return nil
	}
	return text(strings.ReplaceAll(args[0].Text, args[1].Text, args[2].Text))
}

func substring(args []*jsondoc.Node) *jsondoc.Node {
	if len(args) < 2 || len(args) > 3 || args[0].Kind != jsondoc.String {
		return nil
	}
	runes := []rune(args[0].Text)
	start, err := strconv.Atoi(args[1].Text)
	length := len(runes) - start
	if len(args) == 3 && err == nil {
		length, err = strconv.Atoi(args[2].Text)
	}
	if err != nil || start < 0 || length < 0 || start > len(runes) || length > len(runes)-start {
		return nil
	}
	return text(string(runes[start : start+length]))
}

func first(args []*jsondoc.Node) *jsondoc.Node { return end(args, true) }
func last(args []*jsondoc.Node) *jsondoc.Node  { return end(args, false) }

// end is the first or the last item of a list or character of a text.
func end(args []*jsondoc.Node, begin bool) *jsondoc.Node {
	if len(args) != 1 {
		return nil
	}
	if items := args[0].Items; len(items) > 0 {
		if begin {
			return items[0]
		}
		return items[len(items)-1]
	}
	runes := []rune(args[0].Text)
	if args[0].Kind != jsondoc.String || len(runes) == 0 {
		return nil
	}
	if begin {
		return text(string(runes[0]))
	}
	return text(string(runes[len(runes)-1]))
}

func join(args []*jsondoc.Node) *jsondoc.Node {
	if len(args) != 2 || args[0].Kind != jsondoc.Array || args[1].Kind != jsondoc.String {
		return nil
	}
	for _, item := range args[0].Items {
		if Is(item.Text) { // it is not computed yet
			return nil
		}
	}
	return joined(args[0].Items, args[1].Text)
}

func split(args []*jsondoc.Node) *jsondoc.Node {
	if len(args) != 2 || args[0].Kind != jsondoc.String || args[1].Kind != jsondoc.String || args[1].Text == "" {
		return nil
	}
	out := &jsondoc.Node{Kind: jsondoc.Array}
	for _, part := range strings.Split(args[0].Text, args[1].Text) {
		out.Items = append(out.Items, text(part))
	}
	return out
}

func empty(args []*jsondoc.Node) *jsondoc.Node {
	if len(args) != 1 {
		return nil
	}
	a := args[0]
	return boolean(len(a.Items) == 0 && len(a.Members) == 0 && (a.Kind != jsondoc.String || a.Text == ""))
}

func equals(args []*jsondoc.Node) *jsondoc.Node {
	if len(args) != 2 || args[0].Kind == jsondoc.Array || args[0].Kind == jsondoc.Object {
		return nil
	}
	return boolean(args[0].Kind == args[1].Kind && args[0].Text == args[1].Text)
}

func not(args []*jsondoc.Node) *jsondoc.Node {
	if len(args) != 1 || args[0].Kind != jsondoc.Bool {
		return nil
	}
	return boolean(args[0].Text != "true")
}

func logic(all bool) func([]*jsondoc.Node) *jsondoc.Node {
	return func(args []*jsondoc.Node) *jsondoc.Node {
		out := all
		for _, a := range args {
			if a.Kind != jsondoc.Bool {
				return nil
			}
			if (a.Text == "true") != all {
				out = !all
			}
		}
		return boolean(out)
	}
}

func parseJSON(args []*jsondoc.Node) *jsondoc.Node {
	if len(args) != 1 || args[0].Kind != jsondoc.String || len(args[0].Text) > maxText {
		return nil
	}
	out, problems := jsondoc.Parse([]byte(args[0].Text))
	if len(problems) > 0 {
		return nil
	}
	return out
}
