package offer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"stoa/shared/account"
)

// Finding is one thing that is wrong or missing on a page.
type Finding struct {
	Page      string
	Field     string // path as in JSON, such as plans[0].name
	Code      string
	Message   string
	Malformed bool // can never be right as it stands: refused when saved
}

// Codes of findings.
const (
	CodeRequired = "Required"
	CodeInvalid  = "InvalidValue"
	CodeLimit    = "LimitExceeded"
)

// distinct leaves out what is found of a field that is malformed already.
func distinct(findings []Finding) []Finding {
	seen := map[string]bool{}
	return slices.DeleteFunc(findings, func(f Finding) bool {
		key := f.Page + " " + f.Field
		twice := seen[key]
		seen[key] = twice || f.Malformed
		return twice
	})
}

// document is the content as decoded JSON, the form the engine reads.
func document(c *Content) map[string]any {
	d := json.NewDecoder(strings.NewReader(canonical(c)))
	d.UseNumber()
	var doc map[string]any
	if err := d.Decode(&doc); err != nil {
		panic(fmt.Sprintf("offer content: %v", err)) // it was marshalled a line above
	}
	return doc
}

// value is one place that a path leads to.
type value struct {
	path    string // as shown to the caller
	value   any
	present bool
	element map[string]any // innermost list element on the way
}

var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// resolve finds the places a path leads to. A list or map on the way multiplies them; a member that is not
// there is one place without a value.
func resolve(doc map[string]any, path string) []value {
	places := []value{{value: doc, present: true}}
	for _, segment := range strings.Split(path, "/") {
		var next []value
		for _, at := range places {
			next = append(next, step(at, segment)...)
		}
		places = next
	}
	return places
}

func step(at value, segment string) []value {
	if segment == "*" {
		return elements(at)
	}
	m, _ := at.value.(map[string]any)
	v, ok := m[segment]
	name := segment
	switch {
	case !plainName.MatchString(segment):
		name = at.path + "[" + strconv.Quote(segment) + "]"
	case at.path != "":
		name = at.path + "." + segment
	}
	return []value{{path: name, value: v, present: ok, element: at.element}}
}

func elements(at value) []value {
	var out []value
	switch list := at.value.(type) {
	case []any:
		for i, v := range list {
			element, ok := v.(map[string]any)
			if !ok {
				element = at.element
			}
			out = append(out, value{path: fmt.Sprintf("%s[%d]", at.path, i), value: v, present: true, element: element})
		}
	case map[string]any:
		names := make([]string, 0, len(list))
		for name := range list {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			out = append(out, value{path: at.path + "." + name, value: list[name], present: true, element: at.element})
		}
	}
	return out
}

func lookup(doc map[string]any, path string) any {
	var at any = doc
	for _, segment := range strings.Split(path, "/") {
		m, _ := at.(map[string]any)
		at = m[segment]
	}
	return at
}

// holds reports whether one of the conditions holds; none at all always does.
func holds(conditions []condition, doc, element map[string]any) bool {
	if len(conditions) == 0 {
		return true
	}
	return slices.ContainsFunc(conditions, func(c condition) bool {
		from, path := doc, c.Path
		if rest, ok := strings.CutPrefix(path, "./"); ok {
			from, path = element, rest
		}
		v := lookup(from, path)
		if c.Present {
			return v != nil
		}
		return v != nil && slices.Contains(c.In, fmt.Sprint(v))
	})
}

func isEmpty(v any, alsoEmpty []string) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return strings.TrimSpace(v) == "" || slices.Contains(alsoEmpty, v)
	case bool:
		return !v
	case json.Number:
		n, err := decimal.NewFromString(v.String())
		return err == nil && n.IsZero()
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// malformedFields is what can never be right on any page of the offer's type, also on those that the offer does
// not have as it is set up now.
func malformedFields(offerType string, doc map[string]any) []Finding {
	t, _ := TypeOf(offerType)
	var out []Finding
	for _, id := range t.Pages {
		for _, f := range pageFindings(rules.page(id), offerType, doc) {
			if f.Malformed {
				out = append(out, f)
			}
		}
	}
	return out
}

// engineFindings interprets the fields of the pages the offer has.
func engineFindings(c *Content, doc map[string]any) []Finding {
	var out []Finding
	for _, p := range pagesOf(c, doc) {
		out = append(out, pageFindings(p, c.OfferType, doc)...)
	}
	return out
}

func pageFindings(p *page, offerType string, doc map[string]any) []Finding {
	var out []Finding
	for _, f := range p.Fields {
		if f.OfferType != "" && f.OfferType != offerType {
			continue
		}
		for _, v := range resolve(doc, f.Path) {
			if isEmpty(v.value, f.Empty) {
				if f.Required && holds(f.When, doc, v.element) {
					out = append(out, Finding{Page: p.ID, Field: v.path, Code: CodeRequired, Message: f.words("A value is required.")})
				}
				if v.value == nil || v.value == "" {
					continue
				}
			}
			if words := f.check(v.value); words != "" {
				code := f.Code
				if code == "" {
					code = CodeInvalid
				}
				out = append(out, Finding{Page: p.ID, Field: v.path, Code: code, Message: f.words(words), Malformed: true})
			}
		}
	}
	return out
}

func (f *field) words(otherwise string) string {
	if f.Message != "" {
		return f.Message
	}
	return otherwise
}

// check says what is wrong with a value, "" when nothing is.
func (f *field) check(v any) string {
	switch v := v.(type) {
	case string:
		if f.Minimum != nil || f.Maximum != nil {
			return f.checkNumber(v)
		}
		return f.checkText(v)
	case json.Number:
		return f.checkNumber(v.String())
	case []any:
		if f.MaxItems > 0 && len(v) > f.MaxItems {
			return fmt.Sprintf("At most %d values are allowed.", f.MaxItems)
		}
		if f.Distinct && repeated(v) {
			return "Each value may stand once."
		}
	case map[string]any:
		if words := f.checkNames(v); words != "" {
			return words
		}
	}
	if v != nil && (f.Minimum != nil || f.Maximum != nil) {
		return "The value must be a number."
	}
	return ""
}

// maxName bounds the names in an object whose names the publisher chooses.
const maxName = 100

func (f *field) checkNames(values map[string]any) string {
	if f.MaxItems > 0 && len(values) > f.MaxItems {
		return fmt.Sprintf("At most %d values are allowed.", f.MaxItems)
	}
	for name := range values {
		if utf8.RuneCountInString(name) > maxName {
			return fmt.Sprintf("A name may have at most %d characters.", maxName)
		}
	}
	return ""
}

func (f *field) checkText(s string) string {
	switch {
	case f.MaxLength > 0 && utf8.RuneCountInString(s) > f.MaxLength: // SAS-20: length in code points
		return fmt.Sprintf("At most %d characters are allowed.", f.MaxLength)
	case f.pattern != nil && !f.pattern.MatchString(s):
		return "The value does not have the required form."
	case len(f.Enum) > 0 && !slices.Contains(f.Enum, s):
		return "The value must be one of " + strings.Join(f.Enum, ", ") + "."
	case f.List != "" && !slices.Contains(rules.Lists[f.List], s):
		return "The value must be one of the " + f.List + "."
	case f.Format != "":
		return formats[f.Format](s)
	}
	return ""
}

// Limits of a number. One with more digits would be a burden to compute with, and is no price and no count.
const (
	maxDigits = 30
	maxScale  = 15
)

func (f *field) checkNumber(text string) string {
	if f.Minimum == nil && f.Maximum == nil {
		return ""
	}
	n, err := decimal.NewFromString(text)
	switch {
	case err != nil || len(text) > 2*maxDigits:
		return "The value must be a number."
	case n.Exponent() > maxScale || n.Exponent() < -maxScale || n.NumDigits() > maxDigits:
		return fmt.Sprintf("The value may have at most %d digits and %d decimals.", maxDigits, maxScale)
	case f.Minimum != nil && n.LessThan(*f.Minimum):
		return "The value must be at least " + f.Minimum.String() + "."
	case f.Maximum != nil && n.GreaterThan(*f.Maximum):
		return "The value must be at most " + f.Maximum.String() + "."
	}
	return ""
}

func repeated(list []any) bool {
	seen := map[string]bool{}
	for _, v := range list {
		key := strings.ToLower(fmt.Sprint(v))
		if seen[key] {
			return true
		}
		seen[key] = true
	}
	return false
}

// formats say what is wrong with a text of a known form.
var formats = map[string]func(string) string{
	"url":       func(s string) string { return checkURL(s, false) },
	"url-https": func(s string) string { return checkURL(s, true) },
	"guid": func(s string) string {
		if account.GUID(s) == "" {
			return "The value must be a GUID."
		}
		return ""
	},
	"email": func(s string) string {
		if !account.IsMail(s) {
			return "The value must be an e-mail address."
		}
		return ""
	},
}

// checkURL wants an absolute address; https unless it is the local machine's (3.7).
func checkURL(s string, secure bool) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return "The value must be an absolute address that begins with http:// or https://."
	}
	host := u.Hostname()
	if secure && u.Scheme != "https" && host != "localhost" && host != "127.0.0.1" && host != "::1" {
		return "The address must begin with https://."
	}
	return ""
}

// merge applies a JSON merge patch (RFC 7396) to a document.
func merge(into map[string]any, patch map[string]any) map[string]any {
	if into == nil {
		into = map[string]any{}
	}
	for name, v := range patch {
		switch v := v.(type) {
		case nil:
			delete(into, name)
		case map[string]any:
			at, _ := into[name].(map[string]any)
			into[name] = merge(at, v)
		default:
			into[name] = v
		}
	}
	return into
}

// decodeContent reads a document back into a content; the error names the member of a wrong type.
func decodeContent(doc map[string]any) (Content, error) {
	var c Content
	raw, err := json.Marshal(doc)
	if err != nil {
		return c, fmt.Errorf("offer content: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if err := d.Decode(&c); err != nil {
		return c, err
	}
	return c, nil
}
