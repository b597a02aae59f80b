package host

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// route is one HTTP function's template, compiled (HST-14).
type route struct {
	function *function
	segments []segment
	methods  map[string]bool // nil is any
}

// segment is one part of a template between slashes.
type segment struct {
	literal  string
	pattern  *regexp.Regexp // of a segment that holds more than one part
	names    []string       // parameters of pattern, in order
	param    string
	optional bool
	catchAll bool
	fallback *string
	checks   []func(string) bool
}

// rank is ASP.NET's precedence digit: lower is more specific.
func (s segment) rank() int {
	switch {
	case s.catchAll && len(s.checks) > 0:
		return 4
	case s.catchAll:
		return 5
	case s.param == "" && s.pattern == nil:
		return 1
	case s.pattern != nil || len(s.checks) > 0:
		return 2
	default:
		return 3
	}
}

// router finds the function of a request.
type router struct{ routes []route }

func newRouter(prefix string, functions []function) (*router, map[string]error) {
	r := &router{}
	faults := map[string]error{}
	for i := range functions {
		f := &functions[i]
		if f.trigger.kind() != triggerHTTP || f.disabled {
			continue
		}
		template := f.name
		if f.trigger.Route != nil && *f.trigger.Route != "" {
			template = *f.trigger.Route
		}
		segments, err := parseTemplate(strings.Trim(prefix+"/"+strings.Trim(template, "/"), "/"))
		if err != nil {
			faults[f.name] = fmt.Errorf("%s/function.json: route: %w", f.name, err)
			continue
		}
		rt := route{function: f, segments: segments}
		if len(f.trigger.Methods) > 0 {
			rt.methods = map[string]bool{}
			for _, m := range f.trigger.Methods {
				rt.methods[strings.ToUpper(m)] = true
			}
		}
		r.routes = append(r.routes, rt)
	}
	sort.SliceStable(r.routes, func(i, j int) bool { return moreSpecific(r.routes[i].segments, r.routes[j].segments) })
	return r, faults
}

func moreSpecific(a, b []segment) bool {
	for i := 0; i < len(a) || i < len(b); i++ {
		var x, y int
		if i < len(a) {
			x = a[i].rank()
		}
		if i < len(b) {
			y = b[i].rank()
		}
		if x != y {
			return x < y
		}
	}
	return false
}

// find returns the function a request belongs to and its route parameters.
func (r *router) find(req *http.Request) (*function, map[string]string) {
	parts := splitPath(req.URL.EscapedPath())
	for _, rt := range r.routes {
		if rt.methods != nil && !rt.methods[req.Method] {
			continue
		}
		if params, ok := match(rt.segments, parts); ok {
			return rt.function, params
		}
	}
	return nil, nil
}

// splitPath cuts a path at its slashes and decodes each part, but for encoded slashes, which stay encoded.
func splitPath(escaped string) []string {
	trimmed := strings.TrimSuffix(strings.TrimPrefix(escaped, "/"), "/")
	if trimmed == "" {
		return nil
	}
	parts := strings.Split(trimmed, "/")
	for i, p := range parts {
		parts[i] = decodePath(p)
	}
	return parts
}

var encodedSlash = regexp.MustCompile(`(?i)%2f`)

func decodePath(text string) string {
	if !strings.Contains(text, "%") {
		return text
	}
	if decoded, err := url.PathUnescape(encodedSlash.ReplaceAllString(text, "%252F")); err == nil {
		return decoded
	}
	return text
}

func match(segments []segment, parts []string) (map[string]string, bool) {
	params := map[string]string{}
	for i, s := range segments {
		switch {
		case s.catchAll:
			value := ""
			if i < len(parts) {
				value = strings.Join(parts[i:], "/")
			} else if s.fallback != nil {
				value = *s.fallback
			}
			if value != "" && !s.accepts(value) {
				return nil, false
			}
			if value != "" {
				params[s.param] = value
			}
			return params, true
		case i >= len(parts):
			if s.fallback != nil {
				params[s.param] = *s.fallback
			} else if !s.optional {
				return nil, false
			}
		case !s.take(parts[i], params):
			return nil, false
		}
	}
	return params, len(parts) <= len(segments)
}

// take matches one part of a path and stores the parameters it holds.
func (s segment) take(part string, params map[string]string) bool {
	switch {
	case s.pattern != nil:
		m := s.pattern.FindStringSubmatch(part)
		if m == nil {
			return false
		}
		for i, name := range s.names {
			params[name] = m[i+1]
		}
		return true
	case s.param == "":
		return strings.EqualFold(s.literal, part)
	case part == "" || !s.accepts(part):
		return false
	default:
		params[s.param] = part
		return true
	}
}

func (s segment) accepts(value string) bool {
	for _, check := range s.checks {
		if !check(value) {
			return false
		}
	}
	return true
}

func parseTemplate(template string) ([]segment, error) {
	var segments []segment
	if template == "" {
		return nil, nil
	}
	for i, text := range splitTemplate(template) {
		if len(segments) > 0 && segments[i-1].catchAll {
			return nil, fmt.Errorf("%q: a catch-all parameter can only be the last segment", template)
		}
		s, err := parseSegment(text)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", template, err)
		}
		segments = append(segments, s)
	}
	return segments, nil
}

// splitTemplate cuts at the slashes that stand outside of braces.
func splitTemplate(template string) []string {
	var parts []string
	depth, start := 0, 0
	for i, c := range template {
		switch c {
		case '{':
			depth++
		case '}':
			depth--
		case '/':
			if depth == 0 {
				parts = append(parts, template[start:i])
				start = i + 1
			}
		}
	}
	return append(parts, template[start:])
}

var placeholder = regexp.MustCompile(`\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}`)

func parseSegment(text string) (segment, error) {
	found := placeholder.FindAllStringIndex(text, -1)
	switch {
	case text == "":
		return segment{}, fmt.Errorf("a segment is empty")
	case len(found) == 0 && strings.ContainsAny(text, "{}?"):
		return segment{}, fmt.Errorf("segment %q is malformed", text)
	case len(found) == 0:
		return segment{literal: text}, nil
	case len(found) == 1 && found[0][0] == 0 && found[0][1] == len(text):
		return parseParameter(text[1 : len(text)-1])
	}
	return parseMixed(text, found)
}

// parseMixed compiles a segment like {name}.zip.
func parseMixed(text string, found [][]int) (segment, error) {
	var s segment
	pattern, end := "(?is)^", 0
	for _, f := range found {
		p, err := parseParameter(text[f[0]+1 : f[1]-1])
		if err != nil {
			return s, err
		}
		if p.catchAll {
			return s, fmt.Errorf("segment %q mixes a catch-all with text", text)
		}
		pattern += regexp.QuoteMeta(text[end:f[0]]) + "(.+)"
		s.names = append(s.names, p.param)
		end = f[1]
	}
	s.pattern = regexp.MustCompile(pattern + regexp.QuoteMeta(text[end:]) + "$")
	return s, nil
}

func parseParameter(text string) (segment, error) {
	var s segment
	if strings.HasPrefix(text, "*") {
		s.catchAll = true
		text = strings.TrimLeft(text, "*")
	}
	name, rest, constrained := strings.Cut(text, ":")
	last := &name
	if constrained {
		last = &rest
	}
	if i := strings.IndexByte(*last, '='); i >= 0 && !strings.Contains(*last, "regex(") {
		value := (*last)[i+1:]
		s.fallback = &value
		*last = (*last)[:i]
	}
	if strings.HasSuffix(*last, "?") {
		s.optional = true
		*last = strings.TrimSuffix(*last, "?")
	}
	if name == "" || strings.ContainsAny(name, "/{}?*") {
		return s, fmt.Errorf("parameter name %q is invalid", name)
	}
	s.param = name
	if !constrained {
		return s, nil
	}
	for _, c := range splitConstraints(rest) {
		check, err := constraint(c)
		if err != nil {
			return s, err
		}
		s.checks = append(s.checks, check)
	}
	return s, nil
}

func splitConstraints(text string) []string {
	if strings.HasPrefix(text, "regex(") {
		return []string{text}
	}
	return strings.Split(text, ":")
}

var alphabetic = regexp.MustCompile(`^[A-Za-z]*$`)

// constraint returns the check of one inline constraint.
func constraint(text string) (func(string) bool, error) {
	name, argument, _ := strings.Cut(strings.TrimSuffix(text, ")"), "(")
	switch name {
	case "guid":
		return func(v string) bool { _, err := uuid.Parse(v); return err == nil }, nil
	case "int":
		return func(v string) bool { _, err := strconv.ParseInt(v, 10, 32); return err == nil }, nil
	case "long":
		return func(v string) bool { _, err := strconv.ParseInt(v, 10, 64); return err == nil }, nil
	case "bool":
		return func(v string) bool { return strings.EqualFold(v, "true") || strings.EqualFold(v, "false") }, nil
	case "alpha":
		return alphabetic.MatchString, nil
	case "required":
		return func(v string) bool { return v != "" }, nil
	case "regex":
		re, err := regexp.Compile("(?i)" + strings.NewReplacer("{{", "{", "}}", "}").Replace(argument))
		if err != nil {
			return nil, fmt.Errorf("constraint %q: %w", text, err)
		}
		return re.MatchString, nil
	case "length", "minlength", "maxlength", "min", "max", "range":
		return numericConstraint(name, argument)
	}
	return nil, fmt.Errorf("constraint %q is unknown", text)
}

func numericConstraint(name, argument string) (func(string) bool, error) {
	first, second, two := strings.Cut(argument, ",")
	a, err := strconv.ParseInt(strings.TrimSpace(first), 10, 64)
	b := a
	if err == nil && two {
		b, err = strconv.ParseInt(strings.TrimSpace(second), 10, 64)
	}
	if err != nil {
		return nil, fmt.Errorf("constraint %s(%s): %w", name, argument, err)
	}
	value := func(v string) (int64, bool) { n, err := strconv.ParseInt(v, 10, 64); return n, err == nil }
	length := func(v string) int64 { return int64(len([]rune(v))) }
	switch name {
	case "length":
		return func(v string) bool { return length(v) >= a && length(v) <= b }, nil
	case "minlength":
		return func(v string) bool { return length(v) >= a }, nil
	case "maxlength":
		return func(v string) bool { return length(v) <= a }, nil
	case "min":
		return func(v string) bool { n, ok := value(v); return ok && n >= a }, nil
	case "max":
		return func(v string) bool { n, ok := value(v); return ok && n <= a }, nil
	default:
		return func(v string) bool { n, ok := value(v); return ok && n >= a && n <= b }, nil
	}
}
