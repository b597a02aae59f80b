// Package demo walks one SaaS product through its whole life over public HTTP, against a running local stack.
//
// `make demo` prints each request, its status and the interesting part of the answer; a stack test runs the same
// walk silently. The first answer that is not the expected one ends it.
package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"stoa/infra/local/stack"
)

// Walk is one walk. Make it with New.
type Walk struct {
	stack  *stack.Stack
	base   string // where the marketplace answers
	out    io.Writer
	client *http.Client

	publisher, operator, customer string // bearer tokens
	metered, trial                string // subscriptions
}

// New prepares a walk against a stack. Output goes to out.
func New(s *stack.Stack, out io.Writer) *Walk {
	return &Walk{stack: s, base: s.URL(), out: out, client: &http.Client{Timeout: 30 * time.Second}}
}

// object is a JSON object.
type object = map[string]any

// request is one call and what it must answer.
type request struct {
	method, path string // an absolute URL, or a path of the marketplace
	token        string
	body         any // JSON; []byte and string go as they are
	header       map[string]string
	want         int
	show         []string // members of the answer to print
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	raw    []byte
	json   object
}

// text finds a member by a dotted path, such as "subscription.term.startDate", as text.
func (a answer) text(path string) string {
	var v any = a.json
	for _, name := range strings.Split(path, ".") {
		m, ok := v.(object)
		if !ok {
			return ""
		}
		v = m[name]
	}
	if v == nil {
		return ""
	}
	if s, ok := v.(string); ok {
		return s
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(raw)
}

func (w *Walk) url(path string) string {
	if strings.HasPrefix(path, "http") {
		return path
	}
	return w.base + path
}

// try sends the request and returns whatever came back.
func (w *Walk) try(ctx context.Context, r request) (answer, error) {
	var body io.Reader
	switch b := r.body.(type) {
	case nil:
	case []byte:
		body = bytes.NewReader(b)
	case string:
		body = strings.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			return answer{}, err
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, w.url(r.path), body)
	if err != nil {
		return answer{}, err
	}
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range r.header {
		req.Header.Set(name, value)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, header: resp.Header}
	if a.raw, err = io.ReadAll(io.LimitReader(resp.Body, 8<<20)); err != nil {
		return answer{}, err
	}
	// Not every answer is an object; those that are can be looked into.
	_ = json.Unmarshal(a.raw, &a.json)
	return a, nil
}

// must sends the request, prints it, and fails unless the status is the expected one.
func (w *Walk) must(ctx context.Context, r request) (answer, error) {
	a, err := w.try(ctx, r)
	if err != nil {
		return a, fmt.Errorf("%s %s: %w", r.method, r.path, err)
	}
	fmt.Fprintf(w.out, "  %-6s %s → %d\n", r.method, clip(r.path, 100), a.status)
	for _, path := range r.show {
		fmt.Fprintf(w.out, "         %s: %s\n", path, clip(a.text(path), 120))
	}
	if a.status != r.want {
		return a, fmt.Errorf("%s %s = %d, want %d: %s", r.method, r.path, a.status, r.want, clip(string(a.raw), 2000))
	}
	return a, nil
}

// until repeats the request until its answer is as wanted: work behind queues takes a moment.
func (w *Walk) until(ctx context.Context, r request, what string, done func(answer) bool) (answer, error) {
	deadline := time.Now().Add(60 * time.Second)
	for {
		a, err := w.try(ctx, r)
		if err == nil && a.status == r.want && done(a) {
			fmt.Fprintf(w.out, "  %-6s %s → %d  (%s)\n", r.method, clip(r.path, 100), a.status, what)
			return a, nil
		}
		if time.Now().After(deadline) {
			return a, fmt.Errorf("%s %s: not %s after a minute: %v %d %s", r.method, r.path, what, err, a.status, clip(string(a.raw), 2000))
		}
		select {
		case <-ctx.Done():
			return a, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// wait polls until something has happened.
func (w *Walk) wait(ctx context.Context, what string, happened func() bool) error {
	deadline := time.Now().Add(time.Minute)
	for !happened() {
		if time.Now().After(deadline) {
			return fmt.Errorf("no %s after a minute", what)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	fmt.Fprintf(w.out, "         %s\n", what)
	return nil
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + "…"
}

// token asks the issuer, with the form the public documentation gives.
func (w *Walk) token(ctx context.Context, tenant string, form url.Values) (string, error) {
	form.Set("resource", w.stack.Fixtures.Resource)
	a, err := w.must(ctx, request{
		method: http.MethodPost, path: w.stack.Identity.URL() + "/" + tenant + "/oauth2/token", body: form.Encode(),
		header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, want: http.StatusOK,
	})
	return a.text("access_token"), err
}

func (w *Walk) appToken(ctx context.Context, tenant, app, secret string) (string, error) {
	return w.token(ctx, tenant, url.Values{"grant_type": {"client_credentials"}, "client_id": {app}, "client_secret": {secret}})
}

func (w *Walk) userToken(ctx context.Context, tenant, upn, password string) (string, error) {
	return w.token(ctx, tenant, url.Values{"grant_type": {"password"}, "client_id": {"stoa-local"}, "username": {upn}, "password": {password}})
}
