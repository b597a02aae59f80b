package fulfillment_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stoa/functions/fulfillment"
	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/subscription"
	"stoa/shared/subscription/subscriptiontest"
	"stoa/shared/web"
)

var ctx = context.Background()

// tokens knows callers by their token.
type tokens map[string]account.Caller

func (t tokens) Verify(_ context.Context, bearer string, _ []string) (account.Caller, error) {
	c, ok := t[bearer]
	if !ok {
		return c, fault.New(fault.Unauthenticated, "InvalidToken", "authorization", "no")
	}
	return c, nil
}

var callers = tokens{
	"app": subscriptiontest.App, "other": subscriptiontest.OtherApp, "ada": subscriptiontest.Ada, "tim": subscriptiontest.Tim,
	"operator": {Kind: account.App, AppID: "operator"},
	"sibling":  {Kind: account.App, TenantID: subscriptiontest.App.TenantID, AppID: "c0c0c0c0-0000-4000-8000-0000000000a2"},
}

type staff struct{}

func (staff) Allow(context.Context, account.Caller, string, account.Permission) error {
	return fault.New(fault.Forbidden, "Forbidden", "", "no")
}
func (staff) Operator(c account.Caller) bool { return c.AppID == "operator" }

// bench is the API over a world; every call of the API is checked against the description.
type bench struct {
	*subscriptiontest.World
	t      *testing.T
	router http.Handler
	routes routers.Router // nil: answers are not checked, the description is that of profile guide
	logs   *strings.Builder
}

func newBench(t *testing.T, profile subscription.Profile) *bench {
	t.Helper()
	w := subscriptiontest.New(t, profile)
	logs := &strings.Builder{}
	rt, err := web.New(web.Deps{
		Verifier: callers, Accounts: staff{}, Now: w.Now, NewID: uuid.NewString, Log: slog.New(slog.NewJSONHandler(logs, nil)),
	})
	require.NoError(t, err)
	h, err := fulfillment.New(fulfillment.Deps{
		Subscriptions: w.Service, Pages: web.Pages{Key: []byte("0123456789abcdef")}, Audiences: []string{"a"},
		PublicURL: "https://stoa.example", Profile: profile,
	})
	require.NoError(t, err)
	h.Routes(rt)
	h.Storefront(rt.API(web.API{Prefix: "/storefront/v1", Audiences: []string{"a"}}))
	h.Operator(rt.API(web.API{Prefix: "/operator/v1", Audiences: []string{"a"}}))
	b := &bench{World: w, t: t, router: rt, logs: logs}
	if profile != subscription.Guide {
		return b
	}
	doc, err := openapi3.NewLoader().LoadFromData(fulfillment.OpenAPI)
	require.NoError(t, err)
	require.NoError(t, doc.Validate(ctx))
	b.routes, err = gorillamux.NewRouter(doc)
	require.NoError(t, err)
	return b
}

// request is one call; the zero values are those of a good caller.
type request struct {
	method, path string
	body         string
	token        string // "app" when empty, "-" for none
	version      string // the good one when empty, "-" for none
	header       map[string]string
	wrong        bool // the request itself breaks the description
}

type answer struct {
	status int
	header http.Header
	body   string
}

// request is the HTTP request of a call.
func (q request) request() *http.Request {
	address := q.path
	if q.version != "-" && !strings.Contains(address, "api-version=") {
		separator := "?"
		if strings.Contains(address, "?") {
			separator = "&"
		}
		version := q.version
		if version == "" {
			version = fulfillment.Version
		}
		address += separator + "api-version=" + version
	}
	r := httptest.NewRequest(q.method, address, strings.NewReader(q.body))
	r.Header.Set("Content-Type", "application/json")
	if q.token == "" {
		q.token = "app"
	}
	if q.token != "-" {
		r.Header.Set("Authorization", "bearer "+q.token)
	}
	for k, v := range q.header {
		r.Header.Set(k, v)
		if v == "" {
			r.Header.Del(k)
		}
	}
	return r
}

// serve calls and checks nothing, so that it may be done many times at once.
func (b *bench) serve(q request) answer {
	rec := httptest.NewRecorder()
	b.router.ServeHTTP(rec, q.request())
	return answer{rec.Code, rec.Header(), rec.Body.String()}
}

// do calls and checks both sides against the description.
func (b *bench) do(q request) answer {
	b.t.Helper()
	a, asked := b.serve(q), q.request()
	if b.routes != nil && strings.HasPrefix(q.path, "/api/") && a.status != http.StatusMethodNotAllowed {
		b.check(asked, q, a)
	}
	return a
}

func (b *bench) check(r *http.Request, q request, a answer) {
	b.t.Helper()
	r.URL.Path = strings.TrimSuffix(r.URL.Path, "/")
	route, params, err := b.routes.FindRoute(r)
	require.NoError(b.t, err, q.path)
	in := &openapi3filter.RequestValidationInput{
		Request: r, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true},
	}
	if err := openapi3filter.ValidateRequest(ctx, in); !q.wrong {
		require.NoError(b.t, err, "%s %s", q.method, q.path)
	}
	require.NoError(b.t, openapi3filter.ValidateResponse(ctx, &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: a.status, Header: a.header, Body: io.NopCloser(bytes.NewBufferString(a.body)), Options: in.Options,
	}), "%s %s: %s", q.method, q.path, a.body)
}

const root = "/api/saas/subscriptions"

func at(id string) string { return root + "/" + id }

func TestOrderOfChecks(t *testing.T) { // FUL-3 to FUL-6
	t.Parallel()
	b := newBench(t, subscription.Guide)
	id, unknown := b.In(subscription.Subscribed).ID, uuid.NewString()
	for _, tc := range []struct {
		name string
		q    request
		want int
		code string
	}{
		{"FUL-5 missing", request{method: "GET", path: at(unknown), version: "-", token: "-", wrong: true}, 400, `{"Error":{"Code":"ApiVersionUnspecified"`},
		{"FUL-5 other", request{method: "GET", path: at(unknown), version: "2017-04-15", wrong: true}, 400, `{"Error":{"Code":"UnsupportedApiVersion"`},
		{"FUL-5 name in capitals", request{method: "GET", path: at(id) + "?API-Version=2018-08-31", version: "-", wrong: true}, 200, `"id"`},
		{"FUL-3 no token", request{method: "GET", path: at(unknown), token: "-"}, 403, `"code":"Forbidden"`},
		{"FUL-3 bad token", request{method: "GET", path: at(unknown), token: "nonsense"}, 403, `"code":"Forbidden"`},
		{"FUL-2 a person's token", request{method: "GET", path: at(id), token: "ada"}, 403, `"code":"Forbidden"`},
		{"FUL-6 unknown before foreign", request{method: "GET", path: at(unknown), token: "other"}, 404, `"code":"EntityNotFound"`},
		{"FUL-6 no GUID", request{method: "GET", path: at("42")}, 404, `"code":"EntityNotFound"`},
		{"FUL-4 foreign", request{method: "GET", path: at(id), token: "other"}, 403, `"code":"Forbidden"`},
		{"FUL-4 another application of the publisher", request{method: "GET", path: at(id), token: "sibling"}, 403, `"code":"Forbidden"`},
		{"FUL-6 foreign before the operation", request{method: "GET", path: at(id) + "/operations/" + unknown, token: "other"}, 403, `"code":"Forbidden"`},
		{"FUL-6 foreign before the body", request{method: "PATCH", path: at(id), token: "other", body: "{", wrong: true}, 403, `"code":"Forbidden"`},
		{"FUL-6 operation before the body", request{method: "PATCH", path: at(id) + "/operations/" + unknown, body: "{", wrong: true}, 404, `"code":"EntityNotFound"`},
		{"FUL-9 unparsable", request{method: "PATCH", path: at(id), body: "{", wrong: true}, 400, `"code":"BadRequest"`},
		{"FUL-44 plans of an unknown one", request{method: "GET", path: at(unknown) + "/listAvailablePlans"}, 200, `{"plans":[]}`},
		{"a closing slash", request{method: "GET", path: at(id) + "/"}, 200, `"id"`},
		{"an id in capitals", request{method: "GET", path: at(strings.ToUpper(id))}, 200, `"id"`},
	} {
		a := b.do(tc.q)
		require.Equal(t, tc.want, a.status, "%s: %s", tc.name, a.body)
		require.Contains(t, a.body, tc.code, tc.name)
		require.NotEmpty(t, a.header.Get("x-ms-requestid"), tc.name)
	}
}

func TestIdsAreEchoed(t *testing.T) { // FUL-7
	t.Parallel()
	b := newBench(t, subscription.Guide)
	for _, token := range []string{"app", "-"} {
		a := b.do(request{method: "GET", path: at(uuid.NewString()), token: token, header: map[string]string{"x-ms-requestid": "r 1", "x-ms-correlationid": "c1"}})
		require.Equal(t, []string{"r 1", "c1"}, []string{a.header.Get("x-ms-requestid"), a.header.Get("x-ms-correlationid")})
	}
}

func TestOtherMethods(t *testing.T) { // FUL-10, FUL-12
	t.Parallel()
	b := newBench(t, subscription.Guide)
	for _, tc := range []struct{ method, path, allow string }{
		{"OPTIONS", at("x"), "DELETE, GET, HEAD, PATCH"}, {"PUT", root, "GET, HEAD"}, {"GET", at("x") + "/activate", "POST"},
	} {
		a := b.do(request{method: tc.method, path: tc.path, token: "-"})
		require.Equal(t, http.StatusMethodNotAllowed, a.status)
		require.Equal(t, tc.allow, a.header.Get("Allow"))
		require.Contains(t, a.body, `"details":[]`)
		require.Empty(t, a.header.Get("Access-Control-Allow-Origin"))
	}
}

func TestBodies(t *testing.T) {
	t.Parallel()
	b := newBench(t, subscription.Guide)
	for _, tc := range []struct {
		name, method, path, body string
		state                    subscription.Status
		want                     int
		detail                   string
	}{
		{"FUL-29 a number", "POST", "/activate", `{"planId":"silver","quantity":20}`, subscription.PendingFulfillmentStart, 200, ""},
		{"FUL-29 empty", "POST", "/activate", `{"planId":"silver","quantity":""}`, subscription.PendingFulfillmentStart, 200, ""},
		{"FUL-29 null", "POST", "/activate", `{"PlanId":"silver","quantity":null}`, subscription.PendingFulfillmentStart, 200, ""},
		{"FUL-29 a fraction", "POST", "/activate", `{"planId":"silver","quantity":20.5}`, subscription.PendingFulfillmentStart, 400, "InvalidValue quantity"},
		{"FUL-29 words", "POST", "/activate", `{"planId":"silver","quantity":"many"}`, subscription.PendingFulfillmentStart, 400, "InvalidValue quantity"},
		{"FUL-28 null plan", "POST", "/activate", `{"planId":null}`, subscription.PendingFulfillmentStart, 400, "RequiredField planId"},
		{"FUL-28 no body", "POST", "/activate", ``, subscription.PendingFulfillmentStart, 400, "RequiredField "},
		{"FUL-46 both", "PATCH", "", `{"planId":"gold","quantity":5}`, subscription.Subscribed, 400, "BadRequest subscriptionRequest"},
		{"FUL-46 neither", "PATCH", "", `{}`, subscription.Subscribed, 400, "BadRequest subscriptionRequest"},
		{"FUL-46 null counts as absent", "PATCH", "", `{"planId":"gold","quantity":null}`, subscription.Subscribed, 202, ""},
		{"FUL-41 text", "PATCH", "", `{"quantity":"5","more":[]}`, subscription.Subscribed, 202, ""},
		{"FUL-50 negative", "PATCH", "", `{"quantity":-1}`, subscription.Subscribed, 400, "InvalidValue quantity"},
		{"FUL-50 a very long number", "PATCH", "", `{"quantity":99999999999999999999}`, subscription.Subscribed, 400, "InvalidValue quantity"},
	} {
		a := b.do(request{method: tc.method, path: at(b.In(tc.state).ID) + tc.path, body: tc.body, wrong: true})
		require.Equal(t, tc.want, a.status, "%s: %s", tc.name, a.body)
		if code, target, _ := strings.Cut(tc.detail, " "); code != "" {
			require.Contains(t, a.body, fmt.Sprintf(`"target":"%s","code":"%s"}]`, target, code), tc.name)
		}
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	b := newBench(t, subscription.Guide)
	sub := b.Buy("silver", 20)
	token := b.landing(sub.ID)
	resolve := func(caller, token string) answer {
		return b.do(request{method: "POST", path: root + "/resolve", token: caller, header: map[string]string{"x-ms-marketplace-token": token}, wrong: true})
	}
	for range 2 { // FUL-19: any number of times
		a := resolve("app", " "+token+" ") // FUL-22: trimmed
		require.Equal(t, 200, a.status, a.body)
		require.Contains(t, a.body, `"quantity":"20","subscription":{"id":"`+sub.ID)
		require.Contains(t, a.body, `"term":{"termUnit":"P1M"}`) // FUL-33
	}
	for _, tc := range []struct {
		name, caller, token string
		want                int
		code                string
	}{
		{"FUL-22 missing", "app", "", 400, "HeaderNotPresent"},
		{"FUL-22 malformed", "app", "abc", 400, "InvalidToken"},
		{"FUL-22 still percent-encoded", "app", strings.NewReplacer("+", "%2B", "/", "%2F", "=", "%3D").Replace(token), 400, "InvalidToken"},
		{"FUL-22 unknown", "app", strings.Repeat("A", 43) + "=", 400, "InvalidToken"},
		{"FUL-23 of another publisher", "other", token, 403, "Forbidden"},
	} {
		a := resolve(tc.caller, tc.token)
		require.Equal(t, tc.want, a.status, tc.name)
		require.Contains(t, a.body, `"code":"`+tc.code+`"`, tc.name)
	}
	require.Equal(t, 202, b.do(request{method: "DELETE", path: at(sub.ID)}).status)
	require.Contains(t, resolve("app", token).body, "Unsubscribed") // FUL-24
	issued := b.Now()
	b.SetClock(issued.Add(24*60*60*1e9 - 1))
	require.Equal(t, 200, resolve("app", token).status)
	b.SetClock(issued.Add(24 * 60 * 60 * 1e9)) // FUL-19: refused from this instant on
	require.Contains(t, resolve("app", token).body, `"code":"TokenExpired"`)
}

// landing presses Configure and gives the decoded token.
func (b *bench) landing(id string) string {
	b.t.Helper()
	a := b.do(request{method: "POST", path: "/storefront/v1/subscriptions/" + id + "/configure", token: "ada"})
	require.Equal(b.t, 200, a.status, a.body)
	_, query, found := strings.Cut(strings.TrimSuffix(a.body, `"}`), "https://contoso.com/signup?token=")
	require.True(b.t, found, a.body)
	require.NotContains(b.t, query, "+")
	require.NotContains(b.t, query, "/")
	return strings.NewReplacer("%2B", "+", "%2F", "/", "%3D", "=").Replace(query)
}
