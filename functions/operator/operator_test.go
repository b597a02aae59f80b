package operator_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/functions/operator"
	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/web"
)

type staff struct{}

func (staff) Verify(_ context.Context, bearer string, _ []string) (account.Caller, error) {
	return account.Caller{Kind: account.App, AppID: bearer}, nil
}

func (staff) Allow(context.Context, account.Caller, string, account.Permission) error { return nil }

func (staff) Operator(c account.Caller) bool { return c.AppID == "staff" }

// letters are three dead letters, listed one by one.
type letters struct{}

func (letters) List(_ context.Context, queue, after string, limit int) ([]operator.DeadLetter, string, error) {
	n := len(after)
	if n == 2 {
		return []operator.DeadLetter{{ID: "2", Queue: queue, Body: "not json"}}, "", nil
	}
	return []operator.DeadLetter{{ID: fmt.Sprint(n), Queue: queue, Body: `{"a":1}`, Reason: fmt.Sprint("limit ", limit)}}, after + "x", nil
}

func (letters) Replay(_ context.Context, id string) (operator.DeadLetter, error) {
	if id != "0" {
		return operator.DeadLetter{}, fault.New(fault.NotFound, "NotFound", "id", "no")
	}
	return operator.DeadLetter{ID: id, Body: "{}", Replays: 1}, nil
}

func call(t *testing.T, as, method, path string) *httptest.ResponseRecorder {
	t.Helper()
	rt, err := web.New(web.Deps{Verifier: staff{}, Accounts: staff{}, Now: time.Now, NewID: func() string { return "id" }})
	require.NoError(t, err)
	h := &operator.Handler{DeadLetters: letters{}, Pages: web.Pages{Key: []byte("0123456789abcdef")}}
	h.Operator(rt.API(web.API{Prefix: "/operator/v1"}))
	q := httptest.NewRequest(method, path, nil)
	q.Header.Set("Authorization", "Bearer "+as)
	w := httptest.NewRecorder()
	rt.ServeHTTP(w, q)
	return w
}

func TestDeadLetters(t *testing.T) {
	t.Parallel()
	pages := web.Pages{Key: []byte("0123456789abcdef")}
	first := call(t, "staff", "GET", "/operator/v1/deadletters?queue=leads&top=7")
	next := pages.Encode("deadletters|leads", "x")
	require.JSONEq(t, `{"value":[{"id":"0","queue":"leads","messageId":"","reason":"limit 7","body":{"a":1},"parkedAt":"0001-01-01T00:00:00Z","replays":0}],"continuation":"`+next+`"}`, first.Body.String())
	last := call(t, "staff", "GET", "/operator/v1/deadletters?queue=leads&continuation="+pages.Encode("deadletters|leads", "xx"))
	require.JSONEq(t, `{"value":[{"id":"2","queue":"leads","messageId":"","reason":"","body":"not json","parkedAt":"0001-01-01T00:00:00Z","replays":0}]}`, last.Body.String())
	require.Equal(t, http.StatusAccepted, call(t, "staff", "POST", "/operator/v1/deadletters/0/replay").Code)
	for path, status := range map[string]int{
		"/operator/v1/deadletters?top=0": http.StatusBadRequest, "/operator/v1/deadletters?top=201": http.StatusBadRequest,
		"/operator/v1/deadletters?queue=webhooks&continuation=" + next: http.StatusBadRequest,
	} {
		require.Equal(t, status, call(t, "staff", "GET", path).Code, path)
	}
	require.Equal(t, http.StatusNotFound, call(t, "staff", "POST", "/operator/v1/deadletters/9/replay").Code)
	require.Equal(t, http.StatusForbidden, call(t, "other", "GET", "/operator/v1/deadletters").Code)
}
