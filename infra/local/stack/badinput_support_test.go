package stack_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// bad is a way in which a request can be bad.
type bad string

// The kinds of badness.
const (
	missingToken   bad = "missing token"
	invalidToken   bad = "invalid token"
	foreign        bad = "foreign caller" // one of another kind, or for whom the resource is somebody else's
	missingVersion bad = "missing api-version"
	wrongVersion   bad = "wrong api-version"
	unknownID      bad = "unknown id"
	longID         bad = "over-long id"
	malformed      bad = "malformed JSON"
	wrongType      bad = "wrong type"
	overLong       bad = "over-long value"
	tooLarge       bad = "over-long body"
	chunked        bad = "chunked body"
	mediaType      bad = "unsupported media type"
	invalid        bad = "value that is not allowed"
)

// want is how a bad request is refused: the code and target of the error, and where the API has details, those of
// the first detail.
type want struct {
	status       int
	code, target string
}

// row is one bad request to an endpoint. What it does not say is that of the good request.
type row struct {
	bad    bad
	name   string
	values map[string]string // other path values
	query  string
	header map[string]string
	who    string // another caller; "-" sends no token
	body   string
	want   want
	long   string // of an unknown id: the over-long one, where not any text is an id
}

// endpoint is a route with its good request and the bad ones that are its own. The others are made from what its
// API says of them.
type endpoint struct {
	method, pattern string
	who             string            // who may
	query           string            // of the good request
	header          map[string]string // of the good request
	body            string            // of the good request
	file            bool              // the body is a file and not JSON; what is bad about it is in rows
	bodiless        bool              // a POST, PUT or PATCH that takes no body
	optionalBody    bool              // a request without a body is good, so a chunked one looks good
	noText          bool              // no member of the body is a text that is kept
	anyID           bool              // what is not there is answered like what is empty
	values          map[string]string // path values of the good request that are not the world's
	foreign         *want             // of a caller who is not the owner, where it is not the API's
	rows            []row
}

// api is what the endpoints of one API have in common.
type api struct {
	name      string
	query     string
	read      func(body []byte) (code, target string)
	refusals  map[bad]want      // of what is bad everywhere in the same way; an absent kind is no badness here
	strangers map[string]string // who is foreign, by the access of the route
	endpoints []endpoint
}

// long is a text of n characters.
func long(n int) string { return strings.Repeat("x", n) }

// long9 is a number of n digits.
func long9(n int) string { return strings.Repeat("9", n) }

func quoted(s string) string { return `"` + s + `"` }

// set is a JSON object with another value at a dotted path; a number in the path is the place in a list.
func set(t *testing.T, body, path, value string) string {
	t.Helper()
	var doc any
	require.NoError(t, json.Unmarshal([]byte(body), &doc), body)
	require.True(t, json.Valid([]byte(value)), value)
	raw, err := json.Marshal(put(doc, strings.Split(path, "."), json.RawMessage(value)))
	require.NoError(t, err)
	return string(raw)
}

func put(doc any, path []string, value json.RawMessage) any {
	if len(path) == 0 {
		return value
	}
	switch doc := doc.(type) {
	case []any:
		at, _ := strconv.Atoi(path[0])
		doc[at] = put(doc[at], path[1:], value)
		return doc
	case map[string]any:
		doc[path[0]] = put(doc[path[0]], path[1:], value)
		return doc
	}
	return map[string]any{path[0]: put(nil, path[1:], value)}
}

var placeholder = regexp.MustCompile(`\{(\w+)\}`)

// placeholders are the names of a pattern's path values.
func placeholders(pattern string) (names []string) {
	for _, m := range placeholder.FindAllStringSubmatch(pattern, -1) {
		names = append(names, m[1])
	}
	return names
}

// request is the good request of the endpoint with what is bad in the row.
func (w *world) request(a *api, e *endpoint, r *row) request {
	value := func(name string) string {
		for _, from := range []map[string]string{r.values, e.values, w.values} {
			if v, ok := from[name]; ok {
				return v
			}
		}
		return ""
	}
	path := placeholder.ReplaceAllStringFunc(e.pattern, func(m string) string { return url.PathEscape(value(m[1 : len(m)-1])) })
	var query []string
	for _, q := range []string{a.query, e.query, r.query} {
		if q != "" && !(q == a.query && (r.bad == missingVersion || r.bad == wrongVersion)) && !(q == e.query && r.query != "") {
			query = append(query, q)
		}
	}
	if len(query) > 0 {
		path += "?" + strings.Join(query, "&")
	}
	q := request{method: e.method, path: path, body: e.body, header: map[string]string{}, chunked: r.bad == chunked}
	if r.body != "" {
		q.body = r.body
	}
	who := e.who
	if r.who != "" {
		who = r.who
	}
	if token := w.tokens[who]; token != "" {
		q.header["Authorization"] = "Bearer " + token
	}
	for _, h := range []map[string]string{e.header, r.header} {
		for name, v := range h {
			q.header[name] = v
		}
	}
	return q
}

// rowsOf are the rows of an endpoint: its own, and those that are made for every route of its access and body.
func (a *api) rowsOf(e *endpoint, access string) []row {
	var rows []row
	add := func(b bad, r row) {
		if refusal, ok := a.refusals[b]; ok {
			r.bad, r.want = b, refusal
			rows = append(rows, r)
		}
	}
	add(missingVersion, row{})
	add(wrongVersion, row{query: "api-version=2000-01-01"})
	if access != "Open" {
		add(missingToken, row{who: "-"})
		add(invalidToken, row{name: "garbage", header: map[string]string{"Authorization": "Bearer garbage"}})
		add(invalidToken, row{name: "another scheme", header: map[string]string{"Authorization": "Basic YTpi"}})
		add(invalidToken, row{name: "another signature", who: forged})
		add(invalidToken, row{name: "another audience", who: elsewhere})
		add(foreign, row{who: a.strangers[access]})
		if e.foreign != nil {
			rows[len(rows)-1].want = *e.foreign
		}
	}
	if e.body != "" && !e.file {
		add(malformed, row{body: `{"a":`})
		add(wrongType, row{name: "a list", body: `[]`})
		add(tooLarge, row{body: `{"a":"` + long(1<<20) + `"}`})
		add(mediaType, row{header: map[string]string{"Content-Type": "text/plain"}})
		if !e.optionalBody {
			add(chunked, row{})
		}
	}
	for _, r := range e.rows {
		rows = append(rows, r)
		if r.bad == unknownID { // as bad, and longer than a key of storage may be
			far := r
			far.bad, far.values = longID, map[string]string{}
			for name := range r.values {
				far.values[name] = cmp.Or(r.long, long(2000))
			}
			rows = append(rows, far)
		}
	}
	return rows
}

// lacks are the kinds of badness that apply to the endpoint and that no row has.
func (a *api) lacks(e *endpoint, access string) (out []bad) {
	has := map[bad]bool{}
	for _, r := range a.rowsOf(e, access) {
		has[r.bad] = true
	}
	needs := []bad{}
	if access != "Open" {
		needs = append(needs, missingToken, invalidToken, foreign)
	}
	if a.query != "" {
		needs = append(needs, missingVersion, wrongVersion)
	}
	for _, name := range placeholders(e.pattern) {
		if !e.anyID && (name != "publisherId" || access == "Open") { // an unknown publisher is a foreign one
			needs = append(needs, unknownID, longID)
		}
	}
	if e.body != "" {
		needs = append(needs, malformed, wrongType, tooLarge)
		if !e.noText {
			needs = append(needs, overLong)
		}
		if !e.optionalBody {
			needs = append(needs, chunked)
		}
		if _, checked := a.refusals[mediaType]; checked {
			needs = append(needs, mediaType)
		}
	} else if e.method != http.MethodGet && e.method != http.MethodDelete && !e.bodiless {
		out = append(out, "good body, or the word that it takes none")
	}
	for _, b := range needs {
		if !has[b] {
			out = append(out, b)
		}
	}
	return out
}

// m is a member of a good body with a value that is bad. The target of its refusal is the member.
type m struct {
	bad         bad
	path, value string
	code        string
}

// members are the rows of bad members of a body.
func members(t *testing.T, body string, list ...m) []row {
	t.Helper()
	rows := make([]row, len(list))
	for i, m := range list {
		rows[i] = row{bad: m.bad, name: m.path, body: set(t, body, m.path, m.value), want: want{400, m.code, m.path}}
	}
	return rows
}

// many is a JSON list's inside: n values of a format with a number in it.
func many(n int, format string) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(format, i)
	}
	return strings.Join(list, ",")
}
