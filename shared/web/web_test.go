package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/web"
)

// tokens is a verifier that knows callers by their token.
type tokens map[string]account.Caller

func (t tokens) Verify(_ context.Context, bearer string, audiences []string) (account.Caller, error) {
	c, ok := t[bearer]
	if !ok || len(audiences) == 0 {
		return account.Caller{}, fault.New(fault.Unauthenticated, "InvalidToken", "authorization", "no")
	}
	return c, nil
}

// grants allows one publisher and permission to applications.
type grants struct{}

func (grants) Allow(_ context.Context, c account.Caller, publisherID string, p account.Permission) error {
	if c.Kind == account.App && publisherID == "contoso" && p == "offer.read" {
		return nil
	}
	return fault.New(fault.Forbidden, "Forbidden", "", "no")
}

func (grants) Operator(c account.Caller) bool { return c.AppID == "op" }

var known = tokens{
	"app":      {Kind: account.App, TenantID: "t1", AppID: "a1", ObjectID: "o1"},
	"user":     {Kind: account.User, TenantID: "t1", ObjectID: "o2"},
	"identity": {Kind: account.ManagedIdentity, TenantID: "t1", AppID: "m1"},
	"operator": {Kind: account.App, TenantID: "t0", AppID: "op"},
}

func newRouter(t *testing.T, logs io.Writer) *web.Router {
	t.Helper()
	n := 0
	rt, err := web.New(web.Deps{
		Verifier: known, Accounts: grants{}, Now: time.Now,
		NewID: func() string { n++; return fmt.Sprintf("id-%d", n) },
		Log:   slog.New(slog.NewJSONHandler(logs, nil)),
	})
	require.NoError(t, err)
	return rt
}

func flat(w http.ResponseWriter, _ *http.Request, f *fault.Error) {
	_ = web.WriteJSON(w, f.Kind.Status(), map[string]string{"flat": f.Code})
}

// echo answers with the path values and the caller.
func echo(values ...string) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		out := map[string]string{"caller": string(web.Caller(r.Context()).Kind)}
		for _, v := range values {
			out[v] = r.PathValue(v)
		}
		return web.WriteJSON(w, http.StatusOK, out)
	}
}

func newAPI(t *testing.T, logs io.Writer) *web.Router {
	t.Helper()
	rt := newRouter(t, logs)
	saas := rt.API(web.API{Prefix: "/api/saas", Write: flat, Audiences: []string{"m"}, Before: func(r *http.Request) error {
		if r.URL.Query().Get("api-version") == "bad" {
			return fault.New(fault.Invalid, "UnsupportedApiVersion", "api-version", "no")
		}
		return nil
	}})
	saas.Handle("GET", "/api/saas/subscriptions", web.App(), echo())
	saas.Handle("GET", "/api/saas/subscriptions/{id}", web.App(), echo("id"))
	saas.Handle("PATCH", "/api/saas/subscriptions/{subscriptionId}", web.App(), echo("subscriptionId"))
	saas.Handle("POST", "/api/saas/subscriptions/Resolve", web.App(), echo())
	saas.Handle("GET", "/api/saas/files/{name...}", web.Open(), echo("name"))
	deeper := rt.API(web.API{Prefix: "/api/saas/inner", Audiences: []string{"m"}, CorrelationHeader: "x-ms-correlation-request-id"})
	deeper.Handle("GET", "/api/saas/inner/open", web.Open(), echo())
	deeper.Handle("GET", "/api/saas/inner/customer", web.Customer(), echo())
	deeper.Handle("GET", "/api/saas/inner/metering", web.AppOrIdentity(), echo())
	deeper.Handle("GET", "/api/saas/inner/operator", web.Operator(), echo())
	deeper.Handle("GET", "/api/saas/inner/publishers/{publisherId}", web.Publisher("offer.read"), echo("publisherId"))
	deeper.Handle("GET", "/api/saas/inner/panic", web.Open(), func(http.ResponseWriter, *http.Request) error { panic("secret") })
	deeper.Handle("GET", "/api/saas/inner/error", web.Open(), func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Length", "999")
		web.SetETag(w, `"of an answer that did not come"`)
		return errors.New("secret")
	})
	deeper.Handle("GET", "/api/saas/inner/busy", web.Open(), func(http.ResponseWriter, *http.Request) error {
		f := fault.New(fault.Throttled, "TooManyRequests", "", "slow down")
		f.RetryAfter = 1500 * time.Millisecond
		return fmt.Errorf("wrapped: %w", f)
	})
	deeper.Handle("GET", "/api/saas/inner/half", web.Open(), func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusAccepted)
		return errors.New("too late")
	})
	return rt
}

func send(t *testing.T, h http.Handler, method, target, token string, headers ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	if token != "" {
		r.Header.Set("Authorization", "bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func bodyOf(t *testing.T, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(b)
}

func TestRouting(t *testing.T) {
	t.Parallel()
	rt := newAPI(t, io.Discard)
	for _, row := range []struct {
		name, method, target, token string
		status                      int
		body                        string
	}{
		{"plain", "GET", "/api/saas/subscriptions/AbC", "app", 200, `{"caller":"app","id":"AbC"}`},
		{"CPP-9 fixed words in any case, values in theirs", "GET", "/API/SaaS/Subscriptions/AbC", "app", 200, `{"caller":"app","id":"AbC"}`},
		{"CPP-9 a trailing slash", "GET", "/api/saas/subscriptions/AbC/", "app", 200, `{"caller":"app","id":"AbC"}`},
		{"a trailing slash on the list", "GET", "/api/saas/subscriptions/?x=1", "app", 200, `{"caller":"app"}`},
		{"two trailing slashes", "GET", "/api/saas/subscriptions//", "app", 404, `{"flat":"NotFound"}`},
		{"a doubled slash", "GET", "/api/saas//subscriptions", "app", 404, `{"flat":"NotFound"}`},
		{"a word beats a value", "POST", "/api/saas/subscriptions/resolve", "app", 200, `{"caller":"app"}`},
		{"the names of values belong to the route", "PATCH", "/api/saas/subscriptions/X", "app", 200, `{"caller":"app","subscriptionId":"X"}`},
		{"an encoded slash stays in its segment", "GET", "/api/saas/subscriptions/a%2Fb", "app", 200, `{"caller":"app","id":"a/b"}`},
		{"an encoded fixed word", "POST", "/api/saas/subscriptions/%72esolve", "app", 200, `{"caller":"app"}`},
		{"umlauts", "GET", "/api/saas/subscriptions/%C3%9C", "app", 200, `{"caller":"app","id":"Ü"}`},
		{"encoded dots", "GET", "/api/saas/subscriptions/%2e%2e", "app", 404, `{"flat":"NotFound"}`},
		{"dots", "GET", "/api/saas/subscriptions/../x", "app", 404, `{"flat":"NotFound"}`},
		{"an encoded zero byte", "GET", "/api/saas/subscriptions/a%00", "app", 404, `{"flat":"NotFound"}`},
		{"not UTF-8", "GET", "/api/saas/subscriptions/%ff", "app", 404, `{"flat":"NotFound"}`},
		{"braces are characters", "GET", "/api/saas/subscriptions/%7Bid%7D", "app", 200, `{"caller":"app","id":"{id}"}`},
		{"the rest", "GET", "/api/saas/files/A/b%2Fc/D", "", 200, `{"caller":"","name":"A/b/c/D"}`},
		{"no rest", "GET", "/api/saas/files/", "", 404, `{"flat":"NotFound"}`},
		{"405 in the API's envelope", "DELETE", "/api/saas/subscriptions/x", "", 405, `{"flat":"MethodNotAllowed"}`},
		{"FUL-10 a preflight", "OPTIONS", "/api/saas/subscriptions/x", "", 405, `{"flat":"MethodNotAllowed"}`},
		{"404 in the API's envelope", "GET", "/api/saas/nothing", "", 404, `{"flat":"NotFound"}`},
		{"the longest prefix wins", "GET", "/Api/saas/INNER/nothing", "", 404, `{"error":{"code":"NotFound","message":"there is nothing at this path"}}`},
		{"a prefix ends with a word", "GET", "/api/saasy", "", 404, `{"error":{"code":"NotFound","message":"there is nothing at this path"}}`},
		{"outside every API", "GET", "/", "", 404, `{"error":{"code":"NotFound","message":"there is nothing at this path"}}`},
		{"asterisk", "OPTIONS", "*", "", 404, `{"error":{"code":"NotFound","message":"there is nothing at this path"}}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			resp := send(t, rt, row.method, row.target, row.token)
			require.Equal(t, row.status, resp.StatusCode)
			require.Equal(t, row.body, bodyOf(t, resp))
			require.NotEmpty(t, resp.Header.Get("x-ms-requestid"))
			require.NotEmpty(t, resp.Header.Get("x-ms-correlationid"))
		})
	}
	resp := send(t, rt, "DELETE", "/api/saas/subscriptions/x", "")
	require.Equal(t, "GET, HEAD, PATCH", resp.Header.Get("Allow"))
	require.Equal(t, 200, send(t, rt, "HEAD", "/api/saas/subscriptions/x", "app").StatusCode)
}

func TestAccess(t *testing.T) {
	t.Parallel()
	rt := newAPI(t, io.Discard)
	inner := "/api/saas/inner/"
	for _, row := range []struct {
		path  string
		allow string // tokens that are let in, the others are refused
	}{
		{inner + "open", "none app user identity operator"},
		{"/api/saas/subscriptions", "app operator"},
		{inner + "customer", "user"},
		{inner + "metering", "app identity operator"},
		{inner + "operator", "operator"},
		{inner + "publishers/contoso", "app operator"},
		{inner + "publishers/fabrikam", ""},
		{inner + "publishers/CONTOSO", ""},
	} {
		for _, token := range []string{"none", "app", "user", "identity", "operator", "forged"} {
			sent, want := token, http.StatusForbidden
			switch {
			case token == "none":
				sent, want = "", http.StatusUnauthorized
			case token == "forged":
				want = http.StatusUnauthorized
			}
			if bytes.Contains([]byte(row.allow), []byte(token)) || strings.HasPrefix(row.allow, "none") {
				want = http.StatusOK
			}
			resp := send(t, rt, "GET", row.path, sent)
			require.Equal(t, want, resp.StatusCode, "%s as %s", row.path, token)
			if want == http.StatusUnauthorized && strings.HasPrefix(row.path, inner) {
				require.Equal(t, "Bearer", resp.Header.Get("WWW-Authenticate"))
				require.Contains(t, bodyOf(t, resp), "InvalidToken")
			}
		}
	}
}

// FUL-6: the API's own check comes before the token, the token before the handler.
func TestOrderOfChecks(t *testing.T) {
	t.Parallel()
	rt := newAPI(t, io.Discard)
	resp := send(t, rt, "GET", "/api/saas/subscriptions?api-version=bad", "")
	require.Equal(t, `{"flat":"UnsupportedApiVersion"}`, bodyOf(t, resp))
	for _, header := range []string{"Basic app", "Bearer", "Bearer ", "app", "Bearer a b", "Bearer a,b"} {
		resp = send(t, rt, "GET", "/api/saas/subscriptions", "", "Authorization", header)
		require.Equal(t, `{"flat":"InvalidToken"}`, bodyOf(t, resp), header)
	}
	require.Equal(t, 200, send(t, rt, "GET", "/api/saas/subscriptions", "", "Authorization", "BEARER  app").StatusCode)
}

func TestMountPanics(t *testing.T) {
	t.Parallel()
	for name, mount := range map[string]func(rt *web.Router, g *web.Group){
		"no access":      func(_ *web.Router, g *web.Group) { g.Handle("GET", "/api/x", web.Access{}, echo()) },
		"no handler":     func(_ *web.Router, g *web.Group) { g.Handle("GET", "/api/x", web.Open(), nil) },
		"outside":        func(_ *web.Router, g *web.Group) { g.Handle("GET", "/apis/x", web.Open(), echo()) },
		"no publisherId": func(_ *web.Router, g *web.Group) { g.Handle("GET", "/api/{id}", web.Publisher("offer.read"), echo()) },
		"unknown permission": func(_ *web.Router, g *web.Group) {
			g.Handle("GET", "/api/{publisherId}", web.Publisher("offer.red"), echo())
		},
		"twice":                func(_ *web.Router, g *web.Group) { g.Handle("GET", "/api/Y/{b}", web.Open(), echo()) },
		"doubled slash":        func(_ *web.Router, g *web.Group) { g.Handle("GET", "/api//x", web.Open(), echo()) },
		"half a segment":       func(_ *web.Router, g *web.Group) { g.Handle("GET", "/api/x{id}", web.Open(), echo()) },
		"rest in the middle":   func(_ *web.Router, g *web.Group) { g.Handle("GET", "/api/{a...}/x", web.Open(), echo()) },
		"no name":              func(_ *web.Router, g *web.Group) { g.Handle("GET", "/api/{}", web.Open(), echo()) },
		"prefix twice":         func(rt *web.Router, _ *web.Group) { rt.API(web.API{Prefix: "/API/"}) },
		"prefix with a value":  func(rt *web.Router, _ *web.Group) { rt.API(web.API{Prefix: "/b/{c}"}) },
		"prefix of everything": func(rt *web.Router, _ *web.Group) { rt.API(web.API{Prefix: "/"}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rt := newRouter(t, io.Discard)
			g := rt.API(web.API{Prefix: "/api"})
			g.Handle("GET", "/api/y/{a}", web.Open(), echo())
			require.Panics(t, func() { mount(rt, g) })
		})
	}
	_, err := web.New(web.Deps{})
	require.Error(t, err)
}

func TestRequestIDs(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 257)
	for _, row := range []struct{ name, path, request, correlation, cpp, wantRequest, wantCorrelation string }{
		{"FUL-7 echoed", "/api/saas/inner/open", "any string", "c", "", "any string", "c"},
		{"FUL-7 echoed on errors", "/api/saas/nothing", "r", "c", "", "r", "c"},
		{"FUL-7 generated", "/api/saas/inner/open", "", "", "", "id-1", "id-2"},
		{"FUL-7 256 characters", "/api/saas/inner/open", long[1:], "c", "", long[1:], "c"},
		{"FUL-7 257 characters", "/api/saas/inner/open", long, "c", "", "id-1", "c"},
		{"CPP-11 the API's own name", "/api/saas/inner/open", "r", "", "cpp", "r", "cpp"},
		{"CPP-11 not that of another API", "/api/saas/nothing", "r", "", "cpp", "r", "id-1"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			rt := newAPI(t, io.Discard)
			resp := send(t, rt, "GET", row.path, "", "x-ms-requestid", row.request,
				"x-ms-correlationid", row.correlation, "x-ms-correlation-request-id", row.cpp)
			require.Equal(t, row.wantRequest, resp.Header.Get("x-ms-requestid"))
			require.Equal(t, row.wantCorrelation, resp.Header.Get("x-ms-correlationid"))
			if strings.Contains(row.path, "inner") {
				require.Equal(t, row.wantCorrelation, resp.Header.Get("x-ms-correlation-request-id"))
			}
		})
	}
	rt := newRouter(t, io.Discard)
	rt.API(web.API{Prefix: "/x"}).Handle("GET", "/x", web.Open(), func(_ http.ResponseWriter, r *http.Request) error {
		require.Equal(t, "c", message.Correlation(r.Context()))
		require.Equal(t, "r", web.RequestID(r.Context()))
		return nil
	})
	require.Equal(t, 200, send(t, rt, "GET", "/x", "", "x-ms-requestid", "r", "x-ms-correlationid", "c").StatusCode)
	require.Empty(t, web.RequestID(context.Background()))
	require.Empty(t, web.Caller(context.Background()))
}

func TestErrors(t *testing.T) {
	t.Parallel()
	var logs bytes.Buffer
	rt := newAPI(t, &logs)
	for _, path := range []string{"panic", "error"} {
		resp := send(t, rt, "GET", "/api/saas/inner/"+path, "")
		require.Equal(t, 500, resp.StatusCode)
		body := bodyOf(t, resp)
		require.NotContains(t, body, "secret")
		require.Equal(t, fmt.Sprint(len(body)), resp.Header.Get("Content-Length"))
		require.Empty(t, resp.Header.Get("ETag"))
		require.Contains(t, logs.String(), "secret", "the cause is in the log")
	}
	resp := send(t, rt, "GET", "/api/saas/inner/busy", "")
	require.Equal(t, 429, resp.StatusCode)
	require.Equal(t, "2", resp.Header.Get("Retry-After"), "CPP-10, rounded up")
	require.Equal(t, 202, send(t, rt, "GET", "/api/saas/inner/half", "").StatusCode)
}

// A panic in the middle of an answer breaks the connection: half an answer must not look like a whole one.
func TestPanicAfterTheAnswerBegan(t *testing.T) {
	t.Parallel()
	rt := newRouter(t, io.Discard)
	rt.API(web.API{Prefix: "/x"}).Handle("GET", "/x", web.Open(), func(w http.ResponseWriter, _ *http.Request) error {
		_, _ = io.WriteString(w, "half")
		require.NoError(t, http.NewResponseController(w).Flush())
		panic("oh")
	})
	server := httptest.NewServer(rt)
	defer server.Close()
	resp, err := http.Get(server.URL + "/x")
	require.NoError(t, err)
	defer resp.Body.Close()
	_, err = io.ReadAll(resp.Body)
	require.Error(t, err)
}

func TestLogLine(t *testing.T) {
	t.Parallel()
	var logs bytes.Buffer
	rt := newAPI(t, &logs)
	send(t, rt, "GET", "/api/saas/subscriptions/s1?sig=hush", "app", "x-ms-requestid", "r", "x-ms-correlationid", "c")
	var line map[string]any
	require.NoError(t, json.Unmarshal(logs.Bytes(), &line), "one line")
	for name, want := range map[string]any{
		"method": "GET", "route": "/api/saas/subscriptions/{id}", "status": 200.0, "requestId": "r", "correlationId": "c", "level": "INFO",
		"caller": map[string]any{"kind": "app", "tenantId": "t1", "appId": "a1", "objectId": "o1"},
	} {
		require.Equal(t, want, line[name], name)
	}
	require.NotContains(t, logs.String(), "hush")
	logs.Reset()
	send(t, rt, "GET", "/api/saas/subscriptions", "very-secret-token")
	require.Contains(t, logs.String(), "InvalidToken")
	require.NotContains(t, logs.String(), "very-secret-token")
}

func TestPortalErrors(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	f := fault.New(fault.NotReady, "C", "t", "a < b")
	f.Details = []fault.Detail{{Code: "D", Target: "x", Message: "m"}}
	f.Err = errors.New("hidden")
	web.PortalErrors(w, nil, f)
	require.Equal(t, 422, w.Code)
	require.Equal(t, `{"error":{"code":"C","message":"a < b","target":"t","details":[{"code":"D","message":"m","target":"x"}]}}`, w.Body.String())
	require.Equal(t, "application/json; charset=utf-8", w.Header().Get("Content-Type"))
}

func TestWriteJSONWritesNothingItCannotEncode(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	require.Error(t, web.WriteJSON(w, 200, func() {}))
	require.Empty(t, w.Header())
}

func TestETag(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	web.SetETag(w, `W/"datetime'2021'"`)
	r := httptest.NewRequest("GET", "/", nil)
	require.Empty(t, web.IfMatch(r))
	r.Header.Set("If-Match", " "+w.Header().Get("ETag"))
	require.Equal(t, `W/"datetime'2021'"`, web.IfMatch(r))
}

func TestBearer(t *testing.T) {
	t.Parallel()
	for header, token := range map[string]string{
		"Bearer abc": "abc", "bearer abc": "abc", "BEARER abc": "abc", "bEaReR   abc": "abc", " Bearer abc ": "abc", // FUL-3
		"": "", "Bearer": "", "Bearer ": "", "Basic abc": "", "abc": "", "Bearerabc": "", "Bearer a b": "",
		"Bearer a, Bearer b": "", "Bearer\tabc": "", "Bearer a\nb": "",
	} {
		got, ok := web.Bearer(header)
		require.Equal(t, token != "", ok, "%q", header)
		require.Equal(t, token, got, "%q", header)
	}
}
