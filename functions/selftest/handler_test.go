package selftest_test

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/stretchr/testify/require"

	selftestfn "stoa/functions/selftest"
	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/selftest"
	"stoa/shared/selftest/selftesttest"
	"stoa/shared/web"
)

const (
	tenant   = "72f988bf-86f1-41af-91ab-2d7cd011db47"
	app      = "249ab54b-983d-4ed2-bafe-f4095b3f6f43"
	password = "SECURE_PASSWORD_FOR_THE_SSH_INTO_VM"
)

// tokens knows callers by their token, for the audience of the self-test only.
type tokens struct{}

func (tokens) Verify(_ context.Context, bearer string, audiences []string) (account.Caller, error) {
	caller, known := map[string]account.Caller{
		"app":    {Kind: account.App, TenantID: tenant, AppID: app},
		"person": {Kind: account.User, TenantID: tenant, AppID: app, ObjectID: "o"},
		"other":  {Kind: account.App, TenantID: tenant, AppID: "11111111-1111-4111-8111-111111111111"},
	}[bearer]
	if !known || len(audiences) != 1 || audiences[0] != "https://management.core.windows.net" {
		return account.Caller{}, fault.New(fault.Unauthenticated, "InvalidToken", "authorization", "no")
	}
	return caller, nil
}

// accounts is not asked.
type accounts struct{}

func (accounts) Allow(context.Context, account.Caller, string, account.Permission) error { return nil }
func (accounts) Operator(account.Caller) bool                                            { return false }

func router(t *testing.T, machines selftest.Dialer, limits selftest.Limits, log io.Writer) *web.Router {
	t.Helper()
	runs, err := selftest.New(selftest.Deps{
		Machines: machines, Limits: limits, NewID: func() string { return "9bffc887-dd1d-40dd-a8a2-34cee4f4c4c3" },
		Now: func() time.Time { return time.Date(2020, 9, 8, 1, 13, 47, 0, time.UTC) },
	})
	require.NoError(t, err)
	rt, err := web.New(web.Deps{
		Verifier: tokens{}, Accounts: accounts{}, Now: time.Now, NewID: func() string { return "id" }, Log: slog.New(slog.NewJSONHandler(log, nil)),
	})
	require.NoError(t, err)
	h, err := selftestfn.New(runs)
	require.NoError(t, err)
	h.Routes(rt)
	return rt
}

// body is the published request, with members put over it as JSON.
func body(t *testing.T, over string) string {
	t.Helper()
	members := map[string]any{
		"DNSName": "avvm1.eastus.cloudapp.azure.com", "UserName": "azureuser", "Password": password, "OS": "Linux", "PortNo": "22",
		"CompanyName": "COMPANY_NAME", "AppId": app, "TenantId": tenant,
	}
	require.NoError(t, json.Unmarshal([]byte(over), &members))
	for name, value := range members {
		if value == nil {
			delete(members, name)
		}
	}
	text, err := json.Marshal(members)
	require.NoError(t, err)
	return string(text)
}

//go:embed openapi.json
var description []byte

// post sends a request and holds the answer against the description of the API; that of a good request is as well.
func post(t *testing.T, rt *web.Router, token, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest("POST", "/selftest-vm", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	rt.ServeHTTP(w, r)
	described(t, r, body, w)
	return w
}

func described(t *testing.T, r *http.Request, body string, w *httptest.ResponseRecorder) {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(description)
	require.NoError(t, err)
	require.NoError(t, doc.Validate(t.Context()))
	paths, err := gorillamux.NewRouter(doc)
	require.NoError(t, err)
	route, params, err := paths.FindRoute(r)
	require.NoError(t, err)
	r.Body = io.NopCloser(strings.NewReader(body))
	sent := &openapi3filter.RequestValidationInput{
		Request: r, PathParams: params, Route: route, Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	}
	if w.Code == http.StatusOK && strings.Contains(body, `"AppId"`) {
		require.NoError(t, openapi3filter.ValidateRequest(t.Context(), sent))
	}
	got := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: sent, Status: w.Code, Header: w.Header(), Options: &openapi3filter.Options{IncludeResponseStatus: true},
	}
	require.NoError(t, openapi3filter.ValidateResponse(t.Context(), got.SetBodyBytes(w.Body.Bytes())), w.Body.String())
	if w.Code != http.StatusOK {
		return
	}
	var answer struct{ Response string }
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
	var report any
	require.NoError(t, json.Unmarshal([]byte(answer.Response), &report))
	require.NoError(t, doc.Components.Schemas["Report"].Value.VisitJSON(report))
}

func TestPublishedRequest(t *testing.T) {
	t.Parallel()
	sample, err := os.ReadFile(filepath.Join("..", "..", "shared", "selftest", "testdata", "sample.json"))
	require.NoError(t, err)
	var compact bytes.Buffer
	require.NoError(t, json.Compact(&compact, sample))
	want, err := json.Marshal(compact.String())
	require.NoError(t, err)
	want = bytes.ReplaceAll(want, []byte(`\u003e`), []byte(">"))
	for name, text := range map[string]string{
		"AppId": body(t, `{}`), "AppID": body(t, `{"AppId":null,"AppID":"`+app+`"}`), "members nobody knows": body(t, `{"x":[1]}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := post(t, router(t, &selftesttest.Dialer{Table: selftesttest.Ubuntu()}, selftest.Limits{}, io.Discard), "app", text)
			require.Equal(t, 200, w.Code, w.Body.String())
			require.Equal(t, "application/json; charset=utf-8", w.Header().Get("Content-Type"))
			require.Equal(t, `{"TrackingId":"9bffc887-dd1d-40dd-a8a2-34cee4f4c4c3","Response":`+string(want)+`}`, w.Body.String())
		})
	}
}

// refusal reads an error: exactly a code and a message.
func refusal(t *testing.T, w *httptest.ResponseRecorder) (code, message string) {
	t.Helper()
	var got map[string]map[string]string
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got), w.Body.String())
	require.Len(t, got, 1)
	require.Len(t, got["error"], 2)
	require.NotEmpty(t, got["error"]["message"])
	return got["error"]["code"], got["error"]["message"]
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	denied := &selftesttest.Dialer{Dials: func(context.Context, selftest.Target) error { return selftest.AccessDenied("no") }}
	away := &selftesttest.Dialer{Dials: func(context.Context, selftest.Target) error { return selftest.Unreachable("no") }}
	slow := &selftesttest.Dialer{Dials: func(ctx context.Context, _ selftest.Target) error { <-ctx.Done(); return ctx.Err() }}
	good := &selftesttest.Dialer{Table: selftesttest.Ubuntu()}
	full := selftest.Limits{PerTenant: 0, Connect: time.Minute, Run: time.Minute}
	brief := selftest.Limits{PerTenant: 1, Connect: time.Minute, Run: time.Millisecond}
	for name, row := range map[string]struct {
		machines *selftesttest.Dialer
		limits   selftest.Limits
		token    string
		body     string
		status   int
		code     string
		field    string // that the message names
	}{
		"no token":                 {good, selftest.Limits{}, "", body(t, `{}`), 401, "Unauthorized", ""},
		"a token nobody knows":     {good, selftest.Limits{}, "x", body(t, `{}`), 401, "Unauthorized", ""},
		"a person":                 {good, selftest.Limits{}, "person", body(t, `{}`), 403, "Forbidden", ""},
		"VMO-103 another's token":  {good, selftest.Limits{}, "other", body(t, `{}`), 403, "TenantOrAppMismatch", "AppId"},
		"VMO-103 another's tenant": {good, selftest.Limits{}, "app", body(t, `{"TenantId":"x"}`), 403, "TenantOrAppMismatch", "TenantId"},
		"no JSON":                  {good, selftest.Limits{}, "app", "{", 400, "BadArgument", ""},
		"no body":                  {good, selftest.Limits{}, "app", "", 400, "BadArgument", ""},
		"a list":                   {good, selftest.Limits{}, "app", "[]", 400, "BadArgument", ""},
		"port that is no string":   {good, selftest.Limits{}, "app", body(t, `{"PortNo":22}`), 400, "BadArgument", "PortNo"},
		"port that is no number":   {good, selftest.Limits{}, "app", body(t, `{"PortNo":"ssh"}`), 400, "BadArgument", "PortNo"},
		"VMO-104 an address":       {good, selftest.Limits{}, "app", body(t, `{"DNSName":"10.0.0.4"}`), 400, "BadArgument", "DNSName"},
		"password that is no text": {good, selftest.Limits{}, "app", body(t, `{"Password":5}`), 400, "BadArgument", "Password"},
		"no password":              {good, selftest.Limits{}, "app", body(t, `{"Password":null}`), 400, "BadArgument", "Password"},
		"too large":                {good, selftest.Limits{}, "app", body(t, `{"Password":"`+strings.Repeat("x", 128<<10)+`"}`), 413, "BodyTooLarge", ""},
		"too many runs":            {good, full, "app", body(t, `{}`), 429, "TooManyRuns", ""},
		"nobody answers":           {away, selftest.Limits{}, "app", body(t, `{}`), 422, "VmUnreachable", ""},
		"refused":                  {denied, selftest.Limits{}, "app", body(t, `{}`), 422, "VmAccessDenied", ""},
		"too slow":                 {slow, brief, "app", body(t, `{}`), 504, "SelfTestTimeout", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			w := post(t, router(t, row.machines, row.limits, &log), row.token, row.body)
			require.Equal(t, row.status, w.Code, w.Body.String())
			code, message := refusal(t, w)
			require.Equal(t, row.code, code)
			require.Contains(t, message, row.field)
			require.NotContains(t, w.Body.String()+log.String(), password, "VMO-102")
			if row.status == 429 {
				require.NotEmpty(t, w.Header().Get("Retry-After"))
			}
		})
	}
}

// VMO-102: what a machine repeats of the password comes neither into the answer nor into the log.
func TestVMO102SecretStaysInMemory(t *testing.T) {
	t.Parallel()
	echo := selftesttest.Ubuntu().With("/etc/waagent.conf", "AutoUpdate.Enabled="+password)
	var log bytes.Buffer
	w := post(t, router(t, &selftesttest.Dialer{Table: echo}, selftest.Limits{}, &log), "app", body(t, `{}`))
	require.Equal(t, 200, w.Code)
	require.Contains(t, w.Body.String(), "AutoUpdate.Enabled=***")
	require.NotContains(t, w.Body.String()+log.String(), password)
	require.NotEmpty(t, log.String())
}

func TestOtherMethodsAndPaths(t *testing.T) {
	t.Parallel()
	rt := router(t, &selftesttest.Dialer{}, selftest.Limits{}, io.Discard)
	for target, want := range map[string]struct {
		method, code string
		status       int
	}{
		"/selftest-vm":      {"GET", "MethodNotAllowed", 405},
		"/selftest-vm/runs": {"POST", "NotFound", 404},
	} {
		w := httptest.NewRecorder()
		rt.ServeHTTP(w, httptest.NewRequest(want.method, target, nil))
		require.Equal(t, want.status, w.Code)
		code, _ := refusal(t, w)
		require.Equal(t, want.code, code)
	}
	_, err := selftestfn.New(nil)
	require.Error(t, err)
}
