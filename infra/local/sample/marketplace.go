package sample

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Marketplace is where the sample publisher resolves, activates and acknowledges, and as whom.
type Marketplace struct {
	URL      string // without a closing slash; APIs are below it
	TokenURL string // of the issuer, with {tenantId} in place of the directory
	Resource string // audience of the marketplace APIs
	Apps     []App  // of the publishers whose offers lead here
	Client   *http.Client
}

// App is the application of a publisher.
type App struct {
	PublisherID string
	TenantID    string
	AppID       string
	Secret      string
}

var (
	// errUnknownPurchase is the marketplace's answer to a token that is unknown or expired.
	errUnknownPurchase = errors.New("the marketplace does not know this token")
	// errForeign is its answer to an application that has no part in the subscription.
	errForeign = errors.New("the subscription belongs to none of the applications known here")
)

// callTimeout bounds one call to the marketplace.
const callTimeout = 10 * time.Second

const apiVersion = "?api-version=2018-08-31"

// purchase is what a landing token stands for.
type purchase struct {
	ID           string          `json:"id"`
	Name         string          `json:"subscriptionName"`
	OfferID      string          `json:"offerId"`
	PlanID       string          `json:"planId"`
	Quantity     json.RawMessage `json:"quantity"` // text, a number or nothing
	Subscription struct {
		Status      string `json:"saasSubscriptionStatus"`
		FreeTrial   bool   `json:"isFreeTrial"`
		Beneficiary struct {
			EmailID string `json:"emailId"`
		} `json:"beneficiary"`
		Term struct {
			StartDate string `json:"startDate"`
			EndDate   string `json:"endDate"`
			TermUnit  string `json:"termUnit"`
		} `json:"term"`
	} `json:"subscription"`

	whole string // the answer, indented
	app   App    // whose it is
}

// Seats is the quantity as text, empty when the plan is not per seat.
func (p purchase) Seats() string {
	if string(p.Quantity) == "null" {
		return ""
	}
	return strings.Trim(string(p.Quantity), `"`)
}

// resolve exchanges a landing token for the purchase, as the application whose it is.
func (m *Marketplace) resolve(ctx context.Context, token string) (purchase, error) {
	for _, app := range m.Apps {
		var raw json.RawMessage
		status, err := m.call(ctx, app, call{method: http.MethodPost, path: "/resolve", token: token, into: &raw})
		switch {
		case status == http.StatusForbidden:
			continue
		case status == http.StatusBadRequest:
			return purchase{}, errUnknownPurchase // FUL-22
		case err != nil:
			return purchase{}, fmt.Errorf("resolve: %w", err)
		}
		p := purchase{app: app}
		var text bytes.Buffer
		if err := errors.Join(json.Unmarshal(raw, &p), json.Indent(&text, raw, "", "  ")); err != nil {
			return purchase{}, fmt.Errorf("resolve: %w", err)
		}
		p.whole = text.String()
		return p, nil
	}
	return purchase{}, fmt.Errorf("resolve: %w", errForeign)
}

// activate starts a purchase as it was resolved.
func (m *Marketplace) activate(ctx context.Context, p purchase) error {
	body := map[string]string{"planId": p.PlanID, "quantity": p.Seats()}
	_, err := m.call(ctx, p.app, call{method: http.MethodPost, path: "/" + url.PathEscape(p.ID) + "/activate", body: body})
	return err
}

// notice is what a webhook call says, as far as an acknowledgement needs it.
type notice struct {
	ID             string `json:"id"`
	SubscriptionID string `json:"subscriptionId"`
	PublisherID    string `json:"publisherId"`
	Status         string `json:"status"`
}

// acknowledge says Success or Failure of the operation a webhook call is about.
func (m *Marketplace) acknowledge(ctx context.Context, n notice, status string) error {
	for _, app := range m.Apps {
		if app.PublisherID != n.PublisherID {
			continue
		}
		path := "/" + url.PathEscape(n.SubscriptionID) + "/operations/" + url.PathEscape(n.ID)
		_, err := m.call(ctx, app, call{method: http.MethodPatch, path: path, body: map[string]string{"status": status}})
		return err
	}
	return errForeign
}

// call is one request.
type call struct {
	method, path string
	token        string // of the landing page
	body, into   any    // JSON; nil is none
}

// call sends a request of the fulfillment API. It gives the status of the answer; any but 2xx is an error.
func (m *Marketplace) call(ctx context.Context, app App, c call) (int, error) {
	c.path = "/api/saas/subscriptions" + c.path + apiVersion
	return m.ask(ctx, app, c)
}

// ask sends a request below the marketplace's URL, as an application.
func (m *Marketplace) ask(ctx context.Context, app App, c call) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	access, err := m.access(ctx, app)
	if err != nil {
		return 0, fmt.Errorf("ask for a token: %w", err)
	}
	var body io.Reader = http.NoBody
	if c.body != nil {
		raw, err := json.Marshal(c.body)
		if err != nil {
			return 0, err
		}
		body = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(ctx, c.method, m.URL+c.path, body)
	if err != nil {
		return 0, err
	}
	r.Header.Set("Authorization", "Bearer "+access)
	r.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		r.Header.Set("x-ms-marketplace-token", c.token)
	}
	return m.send(r, c.into)
}

func (m *Marketplace) access(ctx context.Context, app App) (string, error) {
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {app.AppID}, "client_secret": {app.Secret}, "resource": {m.Resource},
	}
	address := strings.ReplaceAll(m.TokenURL, "{tenantId}", url.PathEscape(app.TenantID))
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var got struct {
		AccessToken string `json:"access_token"`
	}
	_, err = m.send(r, &got)
	return got.AccessToken, err
}

// send sends a request and reads the JSON of a 2xx. The error of any other answer shows how it begins.
func (m *Marketplace) send(r *http.Request, into any) (int, error) {
	client := m.Client
	if client == nil {
		client = http.DefaultClient
	}
	reply, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	defer reply.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(reply.Body, maxBody))
	if err != nil {
		return reply.StatusCode, err
	}
	if reply.StatusCode < 200 || reply.StatusCode > 299 {
		return reply.StatusCode, fmt.Errorf("%s %s: %s: %.1000s", r.Method, r.URL.Path, reply.Status, raw)
	}
	if into == nil {
		return reply.StatusCode, nil
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return reply.StatusCode, fmt.Errorf("%s %s: %w", r.Method, r.URL.Path, err)
	}
	return reply.StatusCode, nil
}
