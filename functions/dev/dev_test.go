package dev_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/functions/dev"
	"stoa/shared/account"
	"stoa/shared/web"
)

type nobody struct{}

func (nobody) Verify(context.Context, string, []string) (account.Caller, error) {
	return account.Caller{}, errors.New("no token is read here")
}

func (nobody) Allow(context.Context, account.Caller, string, account.Permission) error { return nil }

func (nobody) Operator(account.Caller) bool { return false }

type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func (c *clock) Advance(by time.Duration) (time.Time, error) {
	c.now = c.now.Add(by)
	return c.now, nil
}

type registrar struct{ seen []account.Publisher }

func (r *registrar) Register(_ context.Context, p account.Publisher) error {
	r.seen = append(r.seen, p)
	return nil
}

func serve(t *testing.T, h *dev.Handler, method, path, body string) (int, string) {
	t.Helper()
	rt, err := web.New(web.Deps{Verifier: nobody{}, Accounts: nobody{}, Now: time.Now, NewID: func() string { return "id" }})
	require.NoError(t, err)
	h.Routes(rt)
	w := httptest.NewRecorder()
	rt.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	return w.Code, w.Body.String()
}

func TestClock(t *testing.T) {
	t.Parallel()
	for advance, want := range map[string]string{
		"P31D": "2026-03-03T10:00:00Z", "PT1H": "2026-01-31T11:00:00Z", "P2W": "2026-02-14T10:00:00Z", "P1M": "2026-02-28T10:00:00Z",
		"P1Y": "2027-01-31T10:00:00Z", "P13M": "2027-02-28T10:00:00Z", "P1M1D": "2026-03-01T10:00:00Z", "P1DT2H3M4S": "2026-02-01T12:03:04Z",
		"PT0S": "2026-01-31T10:00:00Z",
		"":     "", "P": "", "PT": "", "P1DT": "", "-P1D": "", "P-1D": "", "1D": "", "P1H": "", "PT1D": "", "P1D2M": "", "P101Y": "",
	} {
		c := &clock{time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)}
		moved := 0
		h := &dev.Handler{Clock: c, Moved: func(context.Context) error { moved++; return nil }}
		status, body := serve(t, h, "POST", "/dev/clock", `{"advance":"`+advance+`"}`)
		if want == "" {
			require.Equal(t, http.StatusBadRequest, status, advance)
			require.Equal(t, 10, c.now.Hour(), "the clock stands")
			require.Zero(t, moved)
			continue
		}
		require.Equal(t, http.StatusOK, status, advance)
		require.JSONEq(t, `{"now":"`+want+`"}`, body, advance)
		require.Equal(t, 1, moved)
		_, body = serve(t, h, "GET", "/dev/clock", "")
		require.JSONEq(t, `{"now":"`+want+`"}`, body)
	}
}

func TestMail(t *testing.T) {
	t.Parallel()
	h := &dev.Handler{Mail: func(_ context.Context, limit int) ([]dev.Letter, error) {
		return []dev.Letter{{ID: "n1", To: []string{"a@b.example"}, Subject: "s", Body: "b"}}[:min(limit, 1)], nil
	}}
	status, body := serve(t, h, "GET", "/dev/mail", "")
	require.Equal(t, http.StatusOK, status)
	require.JSONEq(t, `{"value":[{"id":"n1","kind":"","to":["a@b.example"],"subject":"s","body":"b","at":"0001-01-01T00:00:00Z"}]}`, body)
	status, _ = serve(t, h, "GET", "/dev/mail?top=0", "")
	require.Equal(t, http.StatusBadRequest, status)
}

func TestSeed(t *testing.T) {
	t.Parallel()
	r := &registrar{}
	status, body := serve(t, &dev.Handler{Accounts: r}, "POST", "/dev/seed", `{"authority":"x","publishers":[{"publisherId":"contoso","tenantId":"t",
		"apps":[{"appId":"a","secret":"s","use":"Production","roles":["Manager"]}],"users":[{"upn":"u","objectId":"o","roles":["Owner"]}]}],"customers":[]}`)
	require.Equal(t, http.StatusOK, status)
	var out map[string][]string
	require.NoError(t, json.Unmarshal([]byte(body), &out))
	require.Equal(t, []string{"contoso"}, out["publishers"])
	require.Equal(t, []account.Publisher{{
		ID: "contoso", TenantID: "t", Apps: []account.AppGrant{{AppID: "a", Use: "Production", Roles: []string{"Manager"}}},
		Users: []account.UserGrant{{ObjectID: "o", UPN: "u", Roles: []string{"Owner"}}},
	}}, r.seen)
}
