package web_test

import (
	"encoding/json"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/fault"
	"stoa/shared/web"
)

// A refusal says what was expected and what was found, and never shows what may be a secret.
func TestRefusalsSayWhatWasFound(t *testing.T) {
	t.Parallel()
	rt := newAPI(t, io.Discard)
	const inner = "/api/saas/inner/"
	for name, row := range map[string]struct {
		method, path, authorization string
		status                      int
		words                       []string
	}{
		"no header":       {"GET", inner + "customer", "", 401, []string{"Bearer", "no such header"}},
		"another scheme":  {"GET", inner + "customer", "Basic c2VjcmV0", 401, []string{"Bearer", "the scheme Basic"}},
		"a bare token":    {"GET", inner + "customer", "c2VjcmV0", 401, []string{"another scheme"}},
		"a bare pair":     {"GET", inner + "customer", "c2VjcmV0 x", 401, []string{"another scheme"}},
		"no token":        {"GET", inner + "customer", "Bearer ", 401, []string{"Bearer without a token"}},
		"two tokens":      {"GET", inner + "customer", "Bearer c2VjcmV0 x", 401, []string{"more than one token"}},
		"an application":  {"GET", inner + "customer", "Bearer app", 403, []string{"only a signed-in person", "an application"}},
		"a person":        {"GET", inner + "metering", "Bearer user", 403, []string{"application or managed identity", "a signed-in person"}},
		"no staff":        {"GET", inner + "operator", "Bearer app", 403, []string{"tid", `\"t1\"`, "appid", `\"a1\"`}},
		"another method":  {"PUT", inner + "open", "", 405, []string{"PUT", "GET, HEAD"}},
		"another request": {"GET", "/api/saas/subscriptions?api-version=bad", "", 400, []string{"UnsupportedApiVersion"}},
	} {
		r := httptest.NewRequest(row.method, row.path, nil)
		r.Header.Set("Authorization", row.authorization)
		w := httptest.NewRecorder()
		rt.ServeHTTP(w, r)
		require.Equal(t, row.status, w.Code, name)
		for _, word := range row.words {
			require.Contains(t, w.Body.String(), word, name)
		}
		require.NotContains(t, w.Body.String(), "c2VjcmV0", name)
		require.True(t, json.Valid(w.Body.Bytes()), name)
		require.NotEmpty(t, w.Header().Get("x-ms-requestid"), name)
		require.NotEmpty(t, w.Header().Get("x-ms-correlationid"), name)
	}
	var v struct{}
	large := httptest.NewRequest("POST", "/", strings.NewReader(strings.Repeat(" ", 50)))
	require.Contains(t, fault.As(web.DecodeLimit(large, &v, 10)).Message, "10 bytes at most, found 50")
	typed := httptest.NewRequest("POST", "/", strings.NewReader("{}"))
	typed.Header.Set("Content-Type", "text/"+strings.Repeat("x", 500))
	f := fault.As(web.Decode(typed, &v))
	require.Contains(t, f.Message, `application/json, found "text/xxx`)
	require.Less(t, len(f.Message), 200)
}
