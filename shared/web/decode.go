package web

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"stoa/shared/fault"
)

const (
	bodyLimit = 1 << 20 // bytes of a body that Decode reads
	maxDepth  = 64      // levels of a body
)

// Decode reads the JSON body of a request into v: at most 1 MiB, member names in any case of letters, unknown
// members ignored, the last of two members wins. Each way of being wrong has its own fault, whose target is the
// path of the field: MissingBody, MalformedJson, InvalidType, BodyTooLarge, UnsupportedMediaType. A fault from
// an UnmarshalJSON method comes back as it is.
func Decode(r *http.Request, v any) error { return DecodeLimit(r, v, bodyLimit) }

// DecodeOptional is Decode for a route that may be called without a body, which leaves v as it is (CPP-8).
func DecodeOptional(r *http.Request, v any) error {
	err := Decode(r, v)
	if f := (*fault.Error)(nil); errors.As(err, &f) && f.Code == codeMissing {
		return nil
	}
	return err
}

// DecodeLimit is Decode with another limit on the size of the body, in bytes.
func DecodeLimit(r *http.Request, v any, limit int64) error {
	if err := checkContentType(r); err != nil {
		return err
	}
	body, err := readBody(r, limit)
	if err != nil {
		return err
	}
	return decode(body, v)
}

// The codes of Decode.
const (
	codeMissing   = "MissingBody"
	codeMalformed = "MalformedJson"
	codeType      = "InvalidType"
)

// checkContentType refuses a body that says it is not JSON. One that says nothing is taken for JSON.
func checkContentType(r *http.Request) error {
	given := r.Header.Get("Content-Type")
	if s := stateOf(r.Context()); given == "" || s != nil && s.api.AnyContentType {
		return nil
	}
	media, _, err := mime.ParseMediaType(given)
	if errors.Is(err, mime.ErrInvalidMediaParameter) {
		err = nil // the media type itself is good
	}
	if err == nil && (media == "application/json" || media == "text/json" || strings.HasSuffix(media, "+json")) {
		return nil
	}
	return fault.New(fault.UnsupportedType, "UnsupportedMediaType", "Content-Type", "the body must be application/json, found %q", clip(given))
}

func readBody(r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, fault.New(fault.TooLarge, "BodyTooLarge", "", "the body may have %d bytes at most, found %d", limit, r.ContentLength)
	}
	if r.Body == nil {
		return nil, missingBody()
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	switch {
	case err != nil:
		return nil, fault.New(fault.Invalid, "IncompleteBody", "", "the body broke off").Because(err)
	case int64(len(body)) > limit:
		return nil, fault.New(fault.TooLarge, "BodyTooLarge", "", "the body may have %d bytes at most, found more", limit)
	}
	return body, nil
}

// missingBody names chunked encoding, because the host swallows a chunked body (HST-12).
func missingBody() error {
	return fault.New(fault.Invalid, codeMissing, "", "no body arrived; send Content-Length, a chunked body does not reach us")
}

func decode(body []byte, v any) error {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")) // a byte order mark, which some clients send
	if len(bytes.TrimSpace(body)) == 0 {
		return missingBody()
	}
	if !utf8.Valid(body) {
		return fault.New(fault.Invalid, codeMalformed, "", "the body is not UTF-8")
	}
	if depth(body) > maxDepth {
		return fault.New(fault.Invalid, codeMalformed, "", "the body has more than %d levels", maxDepth)
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	if err := dec.Decode(v); err != nil {
		return wrong(body, v, err)
	}
	if rest := bytes.TrimSpace(body[dec.InputOffset():]); len(rest) > 0 {
		return fault.New(fault.Invalid, codeMalformed, "", "the body must be one JSON value; more follows at offset %d", dec.InputOffset())
	}
	return nil
}

// wrong says what is the matter with a body that did not decode.
func wrong(body []byte, v any, err error) error {
	var (
		own    *fault.Error
		syntax *json.SyntaxError
		typed  *json.UnmarshalTypeError
		moment *time.ParseError
	)
	switch {
	case errors.As(err, &own):
		return err
	case errors.As(err, &syntax):
		return fault.New(fault.Invalid, codeMalformed, "", "the body is not JSON: %s at offset %d", syntax.Error(), syntax.Offset)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fault.New(fault.Invalid, codeMalformed, "", "the body is not JSON: it ends too early, at offset %d", len(body))
	case errors.As(err, &typed):
		return fault.New(fault.Invalid, codeType, pathAt(body, typed.Offset), "%s, found %s", wanted(typed), clip(found(typed)))
	case errors.As(err, &moment):
		return fault.New(fault.Invalid, codeType, pathOf(body, moment.Value), "must be a date and time such as 2021-10-31T09:00:00Z, found %q", clip(moment.Value))
	}
	var invalid *json.InvalidUnmarshalError
	if errors.As(err, &invalid) {
		return err // the program's mistake, not the caller's
	}
	if name := noMoment(body, reflect.TypeOf(v)); name != "" {
		return fault.New(fault.Invalid, codeType, name, "must be a date and time such as 2021-10-31T09:00:00Z").Because(err)
	}
	return fault.New(fault.Invalid, codeType, "", "a value of the body is not acceptable").Because(err)
}

// noMoment is the member of a body that should be a time and is not even a text, of which the library does not say
// which one it is. Empty when there is none on the first level.
func noMoment(body []byte, into reflect.Type) string {
	var members map[string]json.RawMessage
	for into != nil && into.Kind() == reflect.Pointer {
		into = into.Elem()
	}
	if into == nil || into.Kind() != reflect.Struct || json.Unmarshal(body, &members) != nil {
		return ""
	}
	for _, field := range reflect.VisibleFields(into) {
		if field.Type != reflect.TypeFor[time.Time]() && field.Type != reflect.TypeFor[*time.Time]() {
			continue
		}
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		for member, value := range members {
			if strings.EqualFold(member, cmp.Or(name, field.Name)) && value[0] != '"' && string(value) != "null" {
				return member
			}
		}
	}
	return ""
}

// maxShown is how much of what a caller sent a refusal shows.
const maxShown = 64

func clip(value string) string {
	if r := []rune(value); len(r) > maxShown {
		return string(r[:maxShown]) + "…"
	}
	return value
}

// found is what stands where a value of another type is wanted: its kind, and the number that does not fit.
func found(e *json.UnmarshalTypeError) string {
	if number, ok := strings.CutPrefix(e.Value, "number "); ok {
		return number
	}
	if kind, ok := map[string]string{
		"number": "a number", "string": "a string", "bool": "true or false", "array": "a list", "object": "an object",
	}[e.Value]; ok {
		return kind
	}
	return e.Value
}

// wanted is what a value of the wrong type must be.
func wanted(e *json.UnmarshalTypeError) string {
	t := e.Type
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Bool:
		return "must be true or false"
	case reflect.String:
		return "must be a string"
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return "must be a base64 string"
		}
		return "must be a list"
	case reflect.Struct, reflect.Map:
		return "must be an object"
	case reflect.Float32, reflect.Float64:
		return "must be a number"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if strings.HasPrefix(e.Value, "number") {
			return "must be a whole number in range"
		}
		return "must be a number"
	}
	return "is of the wrong type"
}
