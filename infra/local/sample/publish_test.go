package sample_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/infra/local/sample"
)

// portal is a marketplace's portal for one offer, which goes from step to step when it is looked at.
type portal struct {
	mu     sync.Mutex
	there  bool
	status []string // one after the other
	done   []string
	refuse string // a path that is refused
	bodies map[string]string
}

func (p *portal) connect(t *testing.T) sample.Marketplace {
	t.Helper()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	mux.HandleFunc("POST /own/oauth2/token", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"access_token":"T"}`) })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		path := strings.TrimPrefix(r.URL.Path, "/portal/v1/publishers/contoso/offers")
		body, _ := io.ReadAll(r.Body)
		if p.bodies == nil {
			p.bodies = map[string]string{}
		}
		p.bodies[path] = string(body)
		switch {
		case p.refuse != "" && path == p.refuse:
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		case (path == "" || strings.HasSuffix(path, "/plans")) && p.there:
			w.WriteHeader(http.StatusConflict)
			return
		case strings.HasSuffix(path, "/overview"):
			json.NewEncoder(w).Encode(map[string]string{"status": p.status[0]})
			if len(p.status) > 1 {
				p.status = p.status[1:]
			}
			return
		case strings.HasSuffix(path, "/uploads"):
			json.NewEncoder(w).Encode(map[string]string{"file": "f", "uploadUrl": server.URL + "/blob"})
		}
		p.done = append(p.done, r.Method+" "+path)
	})
	return sample.Marketplace{URL: server.URL, TokenURL: server.URL + "/{tenantId}/oauth2/token", Apps: []sample.App{{PublisherID: "contoso", TenantID: "own", AppID: "app"}}}
}

func TestPublish(t *testing.T) {
	t.Parallel()
	p := &portal{status: []string{"Draft", "Preview", "Preview", "Live"}}
	s := start(t, sample.Options{})
	s.Connect(p.connect(t))
	status, body := call(t, "POST", s.URL()+"/offer", "")
	require.Equal(t, 200, status, body)
	require.JSONEq(t, `{"publisherId":"contoso","offerId":"sample-saas","landingPageUrl":"`+s.URL()+`/landing","connectionWebhook":"`+s.URL()+`/webhook"}`, body)
	last := p.done[len(p.done)-3:]
	require.Equal(t, []string{"PUT /sample-saas/pages/technicalConfiguration", "POST /sample-saas/publish", "POST /sample-saas/golive"}, last)
	require.Contains(t, p.bodies["/sample-saas/pages/technicalConfiguration"], `"aadApplicationId":"app"`)

	broken := &portal{there: true, status: []string{"Draft", "Preview", "Live"}}
	s.Connect(broken.connect(t))
	_, err := s.Publish(t.Context(), sample.Offer{})
	require.NoError(t, err)
	require.Contains(t, broken.done, "PUT /sample-saas/listing/assets", "a draft whose making broke off is made to the end")

	metered := &portal{status: []string{"Draft", "Preview", "Live"}}
	s.Connect(metered.connect(t))
	status, body = call(t, "POST", s.URL()+"/offer", `{"metered":true}`)
	require.Equal(t, 200, status, body)
	require.Contains(t, metered.bodies["/sample-metered/plans"], `"dimensionId":"email"`)

	again := &portal{there: true, status: []string{"Live", "Preview", "Live"}}
	s.Connect(again.connect(t))
	got, err := s.Publish(t.Context(), sample.Offer{OfferID: "mine", LandingPageURL: "http://127.0.0.1:1/"})
	require.NoError(t, err)
	require.Equal(t, "http://127.0.0.1:1/", got.LandingPageURL)
	require.Equal(t, []string{"PUT /mine/pages/technicalConfiguration", "POST /mine/publish", "POST /mine/golive"}, again.done, "it is there")
}

func TestPublishProblems(t *testing.T) {
	t.Parallel()
	s := start(t, sample.Options{})
	_, err := s.Publish(t.Context(), sample.Offer{})
	require.ErrorIs(t, err, sample.ErrNotConnected)
	status, body := call(t, "POST", s.URL()+"/offer", "{}")
	require.Equal(t, 502, status, body)
	for _, refused := range []string{"/sample-saas/plans", "/sample-saas/uploads", "/sample-saas/publish"} {
		p := &portal{refuse: refused, status: []string{"Draft", "Preview"}}
		s.Connect(p.connect(t))
		status, body = call(t, "POST", s.URL()+"/offer", "")
		require.Equal(t, 502, status)
		require.Contains(t, body, refused)
	}
	_, err = s.Publish(t.Context(), sample.Offer{PublisherID: "fabrikam"})
	require.ErrorContains(t, err, "fabrikam")
	for _, bad := range []string{`{`, `[]`, `{"offer":"x"}`} {
		status, _ = call(t, "POST", s.URL()+"/offer", bad)
		require.Equal(t, 400, status, bad)
	}
}
