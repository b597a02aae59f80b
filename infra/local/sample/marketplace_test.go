package sample_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/infra/local/sample"
)

// shelf is a marketplace with one purchase, of the publisher whose directory is own.
type shelf struct {
	mu       sync.Mutex
	status   string
	quantity string // as JSON
	calls    []string
	fail     int // status of the next activation
}

func (s *shelf) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{tenant}/oauth2/token", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("client_secret") != "secret" || r.FormValue("resource") != "res" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		io.WriteString(w, `{"access_token":"of-`+r.PathValue("tenant")+`"}`)
	})
	mux.HandleFunc("/api/saas/subscriptions/", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		body, _ := io.ReadAll(r.Body)
		token := r.Header.Get("x-ms-marketplace-token")
		switch {
		case r.URL.Query().Get("api-version") != "2018-08-31" || r.Header.Get("Authorization") != "Bearer of-own":
			w.WriteHeader(http.StatusForbidden)
		case token == "a+b":
			io.WriteString(w, `{"id":"sub-1","subscriptionName":"<b>","planId":"silver","quantity":`+s.quantity+`,
				"subscription":{"saasSubscriptionStatus":"`+s.status+`","beneficiary":{"emailId":"ada@adatum.example"}}}`)
		case token != "":
			w.WriteHeader(http.StatusBadRequest)
		case s.fail != 0:
			w.WriteHeader(s.fail)
			io.WriteString(w, `{"code":"BadRequest","message":"not now"}`)
		default:
			s.calls = append(s.calls, r.Method+" "+r.URL.Path+" "+string(body))
			s.status = "Subscribed"
		}
	})
	return mux
}

// marketplace serves the shelf; the first application known there is another publisher's.
func (s *shelf) marketplace(t *testing.T) sample.Marketplace {
	t.Helper()
	server := httptest.NewServer(s.handler())
	t.Cleanup(server.Close)
	return sample.Marketplace{URL: server.URL, TokenURL: server.URL + "/{tenantId}/oauth2/token", Resource: "res", Apps: []sample.App{
		{PublisherID: "fabrikam", TenantID: "other", AppID: "x", Secret: "secret"},
		{PublisherID: "contoso", TenantID: "own", AppID: "app", Secret: "secret"},
	}}
}

const button = "<button>Activate</button>"

func TestLandingResolvesAndActivates(t *testing.T) {
	t.Parallel()
	for quantity, seats := range map[string]string{`"20"`: "20", `1000000`: "1000000", `""`: "", `null`: ""} {
		shelf := &shelf{status: "PendingFulfillmentStart", quantity: quantity}
		s := start(t, sample.Options{})
		s.Connect(shelf.marketplace(t))
		token := url.QueryEscape("a+b")
		status, page := call(t, "GET", s.URL()+"/landing?token="+token, "")
		require.Equal(t, 200, status)
		require.Contains(t, page, "sub-1")
		require.Contains(t, page, "ada@adatum.example")
		require.Contains(t, page, button)
		require.NotContains(t, page, "<b>")

		reply, err := http.PostForm(s.URL()+"/activate", url.Values{"token": {"a+b"}, "planId": {"gold"}, "quantity": {"1"}})
		require.NoError(t, err)
		after, err := io.ReadAll(reply.Body)
		reply.Body.Close()
		require.NoError(t, err)
		require.Equal(t, 200, reply.StatusCode)
		require.Contains(t, string(after), "Subscribed")
		require.NotContains(t, string(after), button)
		require.Len(t, shelf.calls, 1, "as it was resolved, whatever the form says")
		require.Equal(t, `POST /api/saas/subscriptions/sub-1/activate {"planId":"silver","quantity":"`+seats+`"}`, shelf.calls[0])
	}
}

func TestLandingProblems(t *testing.T) {
	t.Parallel()
	shelf := &shelf{status: "PendingFulfillmentStart", quantity: `""`}
	m := shelf.marketplace(t)
	s := start(t, sample.Options{Marketplace: &m})
	status, page := call(t, "GET", s.URL()+"/landing?token=old", "")
	require.Equal(t, 400, status)
	require.Contains(t, page, expired) // FUL-26
	for _, form := range []url.Values{{}, {"token": {"old"}}} {
		reply, err := http.PostForm(s.URL()+"/activate", form)
		require.NoError(t, err)
		text, err := io.ReadAll(reply.Body)
		reply.Body.Close()
		require.NoError(t, err)
		require.Equal(t, 400, reply.StatusCode)
		require.Contains(t, string(text), expired) // FUL-26
	}
	shelf.fail = 400
	reply, err := http.PostForm(s.URL()+"/activate", url.Values{"token": {"a+b"}})
	require.NoError(t, err)
	text, err := io.ReadAll(reply.Body)
	reply.Body.Close()
	require.NoError(t, err)
	require.Equal(t, 502, reply.StatusCode)
	require.Contains(t, string(text), "not now", "the page says what the marketplace said")

	for name, apps := range map[string][]sample.App{
		"a wrong secret": {{TenantID: "own", Secret: "wrong"}}, "another publisher": m.Apps[:1], "none": nil,
	} {
		wrong := m
		wrong.Apps = apps
		s.Connect(wrong)
		status, page = call(t, "GET", s.URL()+"/landing?token=old", "")
		require.Equal(t, 502, status, name)
		require.NotContains(t, page, "identify this purchase", name)
	}
}

func TestAcknowledge(t *testing.T) {
	t.Parallel()
	const change = `{"id":"op-1","subscriptionId":"sub-1","publisherId":"contoso","action":"ChangePlan","status":"InProgress"}`
	shelf := &shelf{}
	s := start(t, sample.Options{})
	tell := func(body string) sample.Request {
		status, _ := call(t, "POST", s.URL()+"/webhook", body)
		require.Equal(t, 200, status)
		all := s.Received("/webhook")
		return all[len(all)-1]
	}
	require.NoError(t, s.Behave(sample.Behaviour{Path: "/webhook", Acknowledge: "Success"}))
	require.Contains(t, tell(change).Acknowledged, "no marketplace")
	s.Connect(shelf.marketplace(t))

	require.NoError(t, s.Behave(
		sample.Behaviour{Path: "/webhook", Acknowledge: "Success", Times: 1}, sample.Behaviour{Path: "/webhook", Acknowledge: "Failure", Times: 4}))
	require.Equal(t, "Success", tell(change).Acknowledged)
	require.Equal(t, "Failure", tell(change).Acknowledged)
	require.Empty(t, tell(`{"id":"op-2","subscriptionId":"sub-1","publisherId":"contoso","action":"Suspend","status":"Success"}`).Acknowledged)
	require.Empty(t, tell(`no JSON`).Acknowledged)
	require.Contains(t, tell(`{"id":"op-3","subscriptionId":"sub-9","publisherId":"fabrikam","status":"InProgress"}`).Acknowledged, "403")
	require.Empty(t, tell(change).Acknowledged, "never, unless told to")
	require.Equal(t, []string{
		`PATCH /api/saas/subscriptions/sub-1/operations/op-1 {"status":"Success"}`, `PATCH /api/saas/subscriptions/sub-1/operations/op-1 {"status":"Failure"}`,
	}, shelf.calls)

	_, body := call(t, "GET", s.URL()+"/received?path=/webhook", "")
	var list []map[string]any
	require.NoError(t, json.Unmarshal([]byte(body), &list))
	require.Equal(t, "Success", list[1]["acknowledged"])
}
