package web_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"stoa/shared/fault"
	"stoa/shared/web"
)

type color string

func (c *color) UnmarshalJSON(b []byte) error {
	if string(b) != `"red"` {
		return fault.New(fault.Invalid, "InvalidColor", "color", "must be red")
	}
	*c = "red"
	return nil
}

type odd struct{}

func (*odd) UnmarshalJSON([]byte) error { return errors.New("odd") }

type order struct {
	Name     string
	Quantity int
	Small    int8
	Price    float64
	Trial    *bool
	Data     []byte
	When     time.Time
	Color    color
	Odd      *odd
	Plans    []struct {
		ID    string
		Price struct{ Amount int }
	}
	Tags map[string]string
	Any  any
}

func nested(levels int) string {
	return `{"any":` + strings.Repeat("[", levels-1) + strings.Repeat("]", levels-1) + "}"
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	const missing, malformed, wrongType = "MissingBody", "MalformedJson", "InvalidType"
	for _, row := range []struct{ name, body, code, target, says string }{
		{"HST-12 no body", "", missing, "", "Content-Length"},
		{"white space", " \n", missing, "", "chunked"},
		{"a byte order mark alone", "\xef\xbb\xbf", missing, "", "chunked"},
		{"CPP-8 single quotes", `{'name':1}`, malformed, "", "offset 2"},
		{"a trailing comma", `{"name":"x",}`, malformed, "", "offset"},
		{"cut off", `{"name":"x"`, malformed, "", "ends too early"},
		{"cut off in a string", `{"name":"x`, malformed, "", "ends too early"},
		{"two values", `{} {}`, malformed, "", "one JSON value"},
		{"something after it", `{}x`, malformed, "", "one JSON value"},
		{"not UTF-8", "{\"name\":\"\xff\"}", malformed, "", "UTF-8"},
		{"64 levels and one", nested(65), malformed, "", "64 levels"},
		{"deep and malformed", strings.Repeat("[", 100_000), malformed, "", "64 levels"},
		{"not an object", `[]`, wrongType, "", "must be an object, found a list"},
		{"a string for a number", `{"quantity":"7"}`, wrongType, "quantity", "must be a number, found a string"},
		{"a fraction", `{"quantity":1.5}`, wrongType, "quantity", "must be a whole number in range, found 1.5"},
		{"out of range", `{"small":128}`, wrongType, "small", "must be a whole number in range, found 128"},
		{"a number for a string", `{"name":7}`, wrongType, "name", "must be a string, found a number"},
		{"a list for a string", `{"name":[]}`, wrongType, "name", "must be a string"},
		{"an object for a string", `{ "name" : {"a":1} }`, wrongType, "name", "must be a string, found an object"},
		{"a string for a price", `{"price":"x"}`, wrongType, "price", "must be a number"},
		{"a string for a switch", `{"trial":"yes"}`, wrongType, "trial", "true or false"},
		{"an object for a list", `{"plans":{}}`, wrongType, "plans", "must be a list"},
		{"inside a list", `{"plans":[{"id":"a"},{"price":{"amount":true}}]}`, wrongType, "plans[1].price.amount", "must be a number, found true or false"},
		{"an item", `{"any":[1,{"x":2}],"plans":[{},3]}`, wrongType, "plans[1]", "must be an object"},
		{"a member of a map", `{"tags":{"a":"b","c":1}}`, wrongType, "tags.c", "must be a string"},
		{"a number for bytes", `{"data":1}`, wrongType, "data", "base64"},
		{"a date", `{"name":"x","when":"yesterday"}`, wrongType, "when", `2021-10-31T09:00:00Z, found "yesterday"`},
		{"a number for a date", `{"name":"x","when":5}`, wrongType, "when", `2021-10-31T09:00:00Z`},
		{"the domain's own fault", `{"color":"blue"}`, "InvalidColor", "color", "red"},
		{"the domain's own error", `{"odd":1}`, wrongType, "", "acceptable"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var v order
			err := web.Decode(httptest.NewRequest("POST", "/", strings.NewReader(row.body)), &v)
			f := fault.As(err)
			require.Equal(t, fault.Invalid, f.Kind, "%v", err)
			require.Equal(t, row.code, f.Code)
			require.Equal(t, row.target, f.Target)
			require.Contains(t, f.Message, row.says)
		})
	}
}

func TestDecodeAccepts(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"plain":             `{"name":"x","quantity":2}`,
		"members in a case": `{"NAME":"x","Quantity":2}`,
		"unknown members":   `{"name":"x","more":{"a":[]},"quantity":2}`,
		"the last one wins": `{"name":"y","quantity":1,"name":"x","quantity":2}`,
		"a byte order mark": "\xef\xbb\xbf{\"name\":\"x\",\"quantity\":2}\n",
		"brackets in text":  `{"name":"x","quantity":2,"any":"` + strings.Repeat(`[\"`, 100) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var v order
			require.NoError(t, web.Decode(httptest.NewRequest("POST", "/", strings.NewReader(body)), &v))
			require.Equal(t, "x", v.Name)
			require.Equal(t, 2, v.Quantity)
		})
	}
	var v order
	require.NoError(t, web.Decode(httptest.NewRequest("POST", "/", strings.NewReader(nested(64))), &v))
}

func TestDecodeLimits(t *testing.T) {
	t.Parallel()
	exact := `"` + strings.Repeat("x", 8) + `"`
	var s string
	require.NoError(t, web.DecodeLimit(httptest.NewRequest("POST", "/", strings.NewReader(exact)), &s, 10))
	require.True(t, fault.Is(web.DecodeLimit(httptest.NewRequest("POST", "/", strings.NewReader(exact)), &s, 9), fault.TooLarge))
	chunked := httptest.NewRequest("POST", "/", io.MultiReader(strings.NewReader(exact)))
	require.True(t, fault.Is(web.DecodeLimit(chunked, &s, 9), fault.TooLarge), "without a length")
	big := httptest.NewRequest("POST", "/", strings.NewReader(strings.Repeat(" ", 1<<20)+"1"))
	require.True(t, fault.Is(web.Decode(big, &s), fault.TooLarge))
}

func TestDecodeContentType(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]fault.Kind{
		"": -1, "application/json": -1, "Application/JSON; charset=utf-8": -1, "application/merge-patch+json": -1, "text/json": -1,
		"application/json; charset": -1,
		"text/plain":                fault.UnsupportedType, "application/x-www-form-urlencoded": fault.UnsupportedType, "json": fault.UnsupportedType,
	} {
		r := httptest.NewRequest("POST", "/", strings.NewReader("1"))
		r.Header.Set("Content-Type", header)
		var n int
		err := web.Decode(r, &n)
		if want == -1 {
			require.NoError(t, err, header)
			continue
		}
		require.True(t, fault.Is(err, want), header)
	}
	// FUL-9: an API may take what parses.
	rt := newRouter(t, io.Discard)
	rt.API(web.API{Prefix: "/x", AnyContentType: true}).Handle("POST", "/x", web.Open(), func(_ http.ResponseWriter, r *http.Request) error {
		var n int
		return web.Decode(r, &n)
	})
	r := httptest.NewRequest("POST", "/x", strings.NewReader("1"))
	r.Header.Set("Content-Type", "text/plain")
	w := httptest.NewRecorder()
	rt.ServeHTTP(w, r)
	require.Equal(t, 200, w.Code)
}

func TestDecodeOptional(t *testing.T) {
	t.Parallel()
	v := order{Name: "kept"}
	require.NoError(t, web.DecodeOptional(httptest.NewRequest("POST", "/", nil), &v), "CPP-8")
	require.Equal(t, "kept", v.Name)
	require.Error(t, web.DecodeOptional(httptest.NewRequest("POST", "/", strings.NewReader("{")), &v))
}

func TestDecodeBlamesTheProgramForItsOwnMistake(t *testing.T) {
	t.Parallel()
	err := web.Decode(httptest.NewRequest("POST", "/", strings.NewReader("{}")), order{})
	require.Equal(t, fault.Internal, fault.As(err).Kind)
}

// Whatever arrives, Decode answers with a value or a fault of the caller whose words are text.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"planId":"gold","quantity":"5","plans":[{"id":"a","price":{"amount":1}}]}`))
	f.Add([]byte(`{"name":"x","plans":[{"id":1}]}`))
	f.Add([]byte(`{"when":"2021-10-31T09:00:00Z","tags":{"a":"b"},"any":[[[]]]}`))
	f.Add([]byte("\xef\xbb\xbf{'name':1}"))
	f.Fuzz(func(t *testing.T, body []byte) {
		var v order
		err := web.Decode(httptest.NewRequest("POST", "/", strings.NewReader(string(body))), &v)
		if err == nil {
			return
		}
		e := fault.As(err)
		require.Contains(t, []fault.Kind{fault.Invalid, fault.TooLarge}, e.Kind, "%v", err)
		require.True(t, utf8.ValidString(e.Message+e.Target))
	})
}
