package health_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/functions/health"
	"stoa/shared/account"
	"stoa/shared/web"
)

type nobody struct{}

func (nobody) Verify(context.Context, string, []string) (account.Caller, error) {
	return account.Caller{}, errors.New("no token is read here")
}

func (nobody) Allow(context.Context, account.Caller, string, account.Permission) error { return nil }

func (nobody) Operator(account.Caller) bool { return false }

func TestHealthz(t *testing.T) {
	t.Parallel()
	well := health.PingFunc(func(context.Context) error { return nil })
	ill := health.PingFunc(func(context.Context) error { return errors.New("secret") })
	for _, row := range []struct {
		name   string
		bus    health.Pinger
		status int
		body   string
	}{
		{"all well", well, http.StatusOK, `{"status":"ok","checks":{"blob":"ok","bus":"ok","table":"ok"}}`},
		{"one is not", ill, http.StatusServiceUnavailable, `{"status":"failed","checks":{"blob":"ok","bus":"failed","table":"ok"}}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			rt, err := web.New(web.Deps{Verifier: nobody{}, Accounts: nobody{}, Now: time.Now, NewID: func() string { return "id" }})
			require.NoError(t, err)
			(&health.Handler{Checks: map[string]health.Pinger{"table": well, "blob": well, "bus": row.bus}}).Routes(rt)
			w := httptest.NewRecorder()
			rt.ServeHTTP(w, httptest.NewRequest("GET", "/healthz", nil))
			require.Equal(t, row.status, w.Code)
			require.Equal(t, row.body, w.Body.String())
		})
	}
}

func TestHealthzDoesNotWaitForLong(t *testing.T) {
	t.Parallel()
	rt, err := web.New(web.Deps{Verifier: nobody{}, Accounts: nobody{}, Now: time.Now, NewID: func() string { return "id" }})
	require.NoError(t, err)
	stuck := make(chan struct{})
	defer close(stuck)
	(&health.Handler{Checks: map[string]health.Pinger{"bus": health.PingFunc(func(context.Context) error { <-stuck; return nil })}}).Routes(rt)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	rt.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/healthz", nil))
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
}
