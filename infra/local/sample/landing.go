package sample

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// expiredText is what a customer is told whose token cannot be resolved (FUL-26).
const expiredText = `We couldn't identify this purchase. Please reopen this SaaS subscription in the Azure portal ` +
	`or in Microsoft 365 Admin Center and select "Configure Account" or "Manage Account" again.`

var (
	//go:embed landing.html
	landingHTML string
	//go:embed overview.html
	overviewHTML []byte

	landingPage = template.Must(template.New("landing").Parse(landingHTML))
)

// landingView is what the landing page shows.
type landingView struct {
	Token    string
	Problem  string // in place of everything else
	Resolved string // the answer of the marketplace, indented; empty when nobody was asked
}

// landing shows the purchase that the token stands for (FUL-18).
func (s *Server) landing(r *http.Request, q Request) answer {
	view, status := landingView{Token: q.Token}, http.StatusOK
	switch {
	case q.Token == "":
		view.Problem, status = expiredText, http.StatusBadRequest
	case s.options.Marketplace != nil:
		resolved, err := s.options.Marketplace.resolve(r.Context(), q.Token)
		switch {
		case errors.Is(err, errUnknownPurchase):
			view.Problem, status = expiredText, http.StatusBadRequest
		case err != nil:
			s.options.Log.WarnContext(r.Context(), "resolve a landing token", "error", err)
			view.Problem, status = "The marketplace did not answer. Please try again.", http.StatusBadGateway
		default:
			view.Resolved = resolved
		}
	}
	var page bytes.Buffer
	if err := landingPage.Execute(&page, view); err != nil {
		return answer{status: http.StatusInternalServerError}
	}
	return answer{status: status, contentType: "text/html; charset=utf-8", body: page.Bytes()}
}

// overview shows what arrives while it arrives.
func overview(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	// The caller may have gone; there is nobody left to tell.
	_, _ = w.Write(overviewHTML)
}

// Marketplace is where the landing page resolves its token, and the application it does so as.
type Marketplace struct {
	ResolveURL string       // …/saas/subscriptions/resolve?api-version=2018-08-31
	TokenURL   string       // …/{tenantId}/oauth2/token
	Resource   string       // audience of the marketplace APIs
	AppID      string       // of the publisher
	Secret     string       // of the application
	Client     *http.Client // nil takes one with a time limit
}

// errUnknownPurchase is the marketplace's answer to a token that is unknown or expired.
var errUnknownPurchase = errors.New("the marketplace does not know this token")

// callTimeout bounds one call to the marketplace.
const callTimeout = 10 * time.Second

// resolve exchanges a landing token for the subscription, as indented JSON.
func (m *Marketplace) resolve(ctx context.Context, token string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {m.AppID}, "client_secret": {m.Secret}, "resource": {m.Resource},
	}
	ask, err := http.NewRequestWithContext(ctx, http.MethodPost, m.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return "", fmt.Errorf("ask for a token: %w", err)
	}
	ask.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var access struct {
		AccessToken string `json:"access_token"`
	}
	if _, err := m.call(ask, &access); err != nil {
		return "", fmt.Errorf("ask for a token: %w", err)
	}
	resolve, err := http.NewRequestWithContext(ctx, http.MethodPost, m.ResolveURL, http.NoBody)
	if err != nil {
		return "", fmt.Errorf("resolve: %w", err)
	}
	resolve.Header.Set("Authorization", "Bearer "+access.AccessToken)
	resolve.Header.Set("x-ms-marketplace-token", token)
	var subscription json.RawMessage
	status, err := m.call(resolve, &subscription)
	if status == http.StatusBadRequest {
		return "", errUnknownPurchase // FUL-22
	}
	if err != nil {
		return "", fmt.Errorf("resolve: %w", err)
	}
	var text bytes.Buffer
	if err := json.Indent(&text, subscription, "", "  "); err != nil {
		return "", fmt.Errorf("resolve: %w", err)
	}
	return text.String(), nil
}

// call sends a request and reads the JSON of a 200. It gives the status of any answer.
func (m *Marketplace) call(r *http.Request, into any) (int, error) {
	client := m.Client
	if client == nil {
		client = &http.Client{Timeout: callTimeout}
	}
	reply, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		return reply.StatusCode, fmt.Errorf("%s %s: %s", r.Method, r.URL.Path, reply.Status)
	}
	if err := json.NewDecoder(io.LimitReader(reply.Body, maxBody)).Decode(into); err != nil {
		return reply.StatusCode, fmt.Errorf("%s %s: %w", r.Method, r.URL.Path, err)
	}
	return reply.StatusCode, nil
}
