package functionshost_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/fault"
	"stoa/shared/functionshost"
)

const teapot = http.StatusTeapot // what the HTTP side answers in these tests

func newMux(logs io.Writer, run functionshost.Trigger, limit time.Duration) *functionshost.Mux {
	m := &functionshost.Mux{
		HTTP: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(teapot) }),
		Log:  slog.New(slog.NewJSONHandler(logs, nil)),
	}
	m.Mount("leads", run, limit)
	return m
}

func invoke(m http.Handler, change func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/leads", strings.NewReader(queueEnvelope))
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	r.Header.Set("X-Azure-Functions-InvocationId", "i-1")
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	m.ServeHTTP(w, r)
	return w
}

func TestWhatIsAnInvocation(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		status int
		change func(*http.Request)
	}{
		{"HST-20 an invocation", 200, nil},
		{"no invocation id", teapot, func(r *http.Request) { r.Header.Del("X-Azure-Functions-InvocationId") }},
		{"another method", teapot, func(r *http.Request) { r.Method = "PUT" }},
		{"another function", teapot, func(r *http.Request) { r.URL.Path = "/webhooks" }},
		{"another case of letters", teapot, func(r *http.Request) { r.URL.Path = "/Leads" }},
		{"a trailing slash", teapot, func(r *http.Request) { r.URL.Path = "/leads/" }},
		{"a deeper path", teapot, func(r *http.Request) { r.URL.Path = "/portal/v1/leads" }},
		{"an encoded path", teapot, func(r *http.Request) { r.URL.RawPath = "/%6ceads" }},
		{"the root", teapot, func(r *http.Request) { r.URL.Path = "/" }},
		{"a query", teapot, func(r *http.Request) { r.URL.RawQuery = "a=b" }},
		{"another content type", teapot, func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }},
		{"no content type", teapot, func(r *http.Request) { r.Header.Del("Content-Type") }},
		{"a forwarded body", 500, func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(`{"planId":"gold"}`)) }},
		{"too large by its own word", 500, func(r *http.Request) { r.ContentLength = functionshost.MaxBody + 1 }},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			ran := false
			w := invoke(newMux(io.Discard, func(context.Context, functionshost.Invocation) error { ran = true; return nil }, 0), row.change)
			require.Equal(t, row.status, w.Code)
			require.Equal(t, row.status == 200, ran)
		})
	}
	bare := &functionshost.Mux{}
	bare.Mount("leads", func(context.Context, functionshost.Invocation) error { return nil }, 0)
	require.Equal(t, 200, invoke(bare, nil).Code)
	require.Equal(t, 404, invoke(bare, func(r *http.Request) { r.Method = "GET" }).Code)
}

// HST-26: every reply is a JSON object, whatever the trigger does.
func TestReplies(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		run    functionshost.Trigger
		status int
		level  string
	}{
		{"settled", func(context.Context, functionshost.Invocation) error { return nil }, 200, "INFO"},
		{"an error", func(context.Context, functionshost.Invocation) error { return errors.New("secret") }, 500, "ERROR"},
		{"a fault", func(context.Context, functionshost.Invocation) error {
			return fault.New(fault.Unavailable, "Busy", "", "busy").Because(errors.New("secret"))
		}, 500, "WARN"},
		{"a panic", func(context.Context, functionshost.Invocation) error { panic("secret") }, 500, "ERROR"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var logs bytes.Buffer
			w := invoke(newMux(&logs, row.run, 0), nil)
			require.Equal(t, row.status, w.Code)
			require.Equal(t, "application/json", w.Header().Get("Content-Type"))
			var reply map[string]any
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &reply))
			require.NotNil(t, reply)
			require.NotContains(t, w.Body.String(), "secret")
			var line map[string]any
			require.NoError(t, json.Unmarshal(logs.Bytes(), &line))
			require.Equal(t, row.level, line["level"])
			for name, want := range map[string]any{
				"function": "leads", "invocationId": "i-1", "messageId": "m-1", "deliveryCount": 3.0, "requestId": "r-1", "correlationId": "c-1",
			} {
				require.Equal(t, want, line[name], name)
			}
			require.Equal(t, row.status == 500, strings.Contains(logs.String(), "error"))
			require.NotContains(t, logs.String(), "leadId", "no content")
		})
	}
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	wait := func(ctx context.Context, _ functionshost.Invocation) error {
		<-ctx.Done()
		return ctx.Err()
	}
	require.Equal(t, 500, invoke(newMux(io.Discard, wait, time.Millisecond), nil).Code)
	free := func(ctx context.Context, _ functionshost.Invocation) error {
		if _, limited := ctx.Deadline(); limited {
			return errors.New("limited")
		}
		return nil
	}
	require.Equal(t, 200, invoke(newMux(io.Discard, free, 0), nil).Code)
}

func TestContext(t *testing.T) {
	t.Parallel()
	type key struct{}
	m := newMux(io.Discard, func(ctx context.Context, _ functionshost.Invocation) error {
		require.Equal(t, "c-1", ctx.Value(key{}))
		return nil
	}, 0)
	m.Context = func(ctx context.Context, in functionshost.Invocation) context.Context {
		return context.WithValue(ctx, key{}, in.CorrelationID())
	}
	require.Equal(t, 200, invoke(m, nil).Code)
}

func TestMountPanics(t *testing.T) {
	t.Parallel()
	run := func(context.Context, functionshost.Invocation) error { return nil }
	m := newMux(io.Discard, run, 0)
	for _, name := range []string{"leads", "Leads", "lead-s", "a/b", "", "7up"} {
		require.Panics(t, func() { m.Mount(name, run, 0) }, name)
	}
	require.Panics(t, func() { m.Mount("fresh", nil, 0) })
}
