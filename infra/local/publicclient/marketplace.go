package publicclient

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// MarketplaceApp is the application the marketplace is: the resource of its API, and the caller of webhooks.
const MarketplaceApp = "20e940b3-4c77-4b0b-9a53-9e16a1b010a7"

const (
	apiVersion  = "?api-version=2018-08-31"
	tooLarge    = 8 << 20
	tokenMargin = 5 * time.Minute // a token is renewed so long before it expires
)

// Marketplace is a client of the fulfillment API. It is safe for concurrent use.
type Marketplace struct {
	URL          string // without a closing slash
	TokenURL     string
	Resource     string
	ClientID     string
	ClientSecret string
	HTTP         *http.Client
	Now          func() time.Time

	mu      sync.Mutex
	token   string
	expires time.Time
}

// StatusError is an answer that is not the one the documentation gives for success.
type StatusError struct {
	Method, URL string
	Status      int
	RequestID   string
	Body        string
}

// Error says what was asked and answered.
func (e *StatusError) Error() string {
	return fmt.Sprintf("%s %s = %d (request %s): %s", e.Method, e.URL, e.Status, e.RequestID, e.Body)
}

// Quantity is a number of seats: the documentation has printed it as text and as a number. Empty is no seats.
type Quantity string

// UnmarshalJSON reads text, a number or null.
func (q *Quantity) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	text := string(data)
	if data[0] == '"' {
		if err := json.Unmarshal(data, &text); err != nil {
			return err
		}
	}
	*q = Quantity(text)
	return nil
}

// Party is who bought, or for whom.
type Party struct {
	EmailID  string `json:"emailId"`
	ObjectID string `json:"objectId"`
	TenantID string `json:"tenantId"`
}

// Term is the term that is running.
type Term struct {
	StartDate string `json:"startDate"`
	EndDate   string `json:"endDate"`
	TermUnit  string `json:"termUnit"`
}

// Subscription is a purchased plan.
type Subscription struct {
	ID                        string   `json:"id"`
	Name                      string   `json:"name"`
	PublisherID               string   `json:"publisherId"`
	OfferID                   string   `json:"offerId"`
	PlanID                    string   `json:"planId"`
	Quantity                  Quantity `json:"quantity"`
	Beneficiary               Party    `json:"beneficiary"`
	Purchaser                 Party    `json:"purchaser"`
	AllowedCustomerOperations []string `json:"allowedCustomerOperations"`
	SaasSubscriptionStatus    string   `json:"saasSubscriptionStatus"`
	IsFreeTrial               bool     `json:"isFreeTrial"`
	IsTest                    bool     `json:"isTest"`
	Term                      Term     `json:"term"`
}

// Resolved is what a purchase token stands for.
type Resolved struct {
	ID               string       `json:"id"`
	SubscriptionName string       `json:"subscriptionName"`
	OfferID          string       `json:"offerId"`
	PlanID           string       `json:"planId"`
	Quantity         Quantity     `json:"quantity"`
	Subscription     Subscription `json:"subscription"`
}

// Plan is one a subscription may change to.
type Plan struct {
	PlanID      string `json:"planId"`
	DisplayName string `json:"displayName"`
	IsPrivate   bool   `json:"isPrivate"`
}

// Operation is a change of a subscription.
type Operation struct {
	ID             string   `json:"id"`
	ActivityID     string   `json:"activityId"`
	SubscriptionID string   `json:"subscriptionId"`
	PublisherID    string   `json:"publisherId"`
	OfferID        string   `json:"offerId"`
	PlanID         string   `json:"planId"`
	Quantity       Quantity `json:"quantity"`
	Action         string   `json:"action"`
	TimeStamp      string   `json:"timeStamp"`
	Status         string   `json:"status"`
}

// Resolve exchanges the purchase token, decoded, for the subscription.
func (m *Marketplace) Resolve(ctx context.Context, token string) (r Resolved, err error) {
	_, err = m.do(ctx, call{method: http.MethodPost, path: "/resolve", token: token, want: http.StatusOK, into: &r})
	return r, err
}

// Activate says that the subscription is set up, from when on it is billed.
func (m *Marketplace) Activate(ctx context.Context, id, planID string, quantity Quantity) error {
	body := map[string]string{"planId": planID, "quantity": string(quantity)}
	_, err := m.do(ctx, call{method: http.MethodPost, path: "/" + id + "/activate", body: body, want: http.StatusOK})
	return err
}

// Subscription reads one.
func (m *Marketplace) Subscription(ctx context.Context, id string) (s Subscription, err error) {
	_, err = m.do(ctx, call{method: http.MethodGet, path: "/" + id, want: http.StatusOK, into: &s})
	return s, err
}

// Raw reads one as it is written.
func (m *Marketplace) Raw(ctx context.Context, id string) (raw map[string]any, err error) {
	_, err = m.do(ctx, call{method: http.MethodGet, path: "/" + id, want: http.StatusOK, into: &raw})
	return raw, err
}

// Subscriptions reads all, page by page, following the links as they are.
func (m *Marketplace) Subscriptions(ctx context.Context) (all []Subscription, pages int, err error) {
	for next := m.address(""); next != ""; pages++ {
		var page struct {
			Subscriptions []Subscription `json:"subscriptions"`
			NextLink      string         `json:"@nextLink"`
		}
		if _, err := m.do(ctx, call{method: http.MethodGet, url: next, want: http.StatusOK, into: &page}); err != nil {
			return nil, pages, err
		}
		all, next = append(all, page.Subscriptions...), page.NextLink
	}
	return all, pages, nil
}

// AvailablePlans lists the plans the subscription may change to, and its own.
func (m *Marketplace) AvailablePlans(ctx context.Context, id string) ([]Plan, error) {
	var got struct {
		Plans []Plan `json:"plans"`
	}
	_, err := m.do(ctx, call{method: http.MethodGet, path: "/" + id + "/listAvailablePlans", want: http.StatusOK, into: &got})
	return got.Plans, err
}

// ChangePlan asks for another plan and answers where the operation is.
func (m *Marketplace) ChangePlan(ctx context.Context, id, planID string) (string, error) {
	return m.change(ctx, call{method: http.MethodPatch, path: "/" + id, body: map[string]string{"planId": planID}})
}

// ChangeQuantity asks for other seats and answers where the operation is.
func (m *Marketplace) ChangeQuantity(ctx context.Context, id string, seats int) (string, error) {
	return m.change(ctx, call{method: http.MethodPatch, path: "/" + id, body: map[string]int{"quantity": seats}})
}

// Unsubscribe cancels and answers where the operation is.
func (m *Marketplace) Unsubscribe(ctx context.Context, id string) (string, error) {
	return m.change(ctx, call{method: http.MethodDelete, path: "/" + id})
}

func (m *Marketplace) change(ctx context.Context, c call) (string, error) {
	c.want = http.StatusAccepted
	header, err := m.do(ctx, c)
	if err != nil {
		return "", err
	}
	location := header.Get("Operation-Location")
	if location == "" {
		return "", fmt.Errorf("%s %s: there is no Operation-Location in %v", c.method, c.path, header)
	}
	return location, nil
}

// Outstanding lists the operations that wait for the publisher.
func (m *Marketplace) Outstanding(ctx context.Context, id string) ([]Operation, error) {
	var got struct {
		Operations []Operation `json:"operations"`
	}
	_, err := m.do(ctx, call{method: http.MethodGet, path: "/" + id + "/operations", want: http.StatusOK, into: &got})
	return got.Operations, err
}

// Operation reads one of a subscription's operations.
func (m *Marketplace) Operation(ctx context.Context, id, operationID string) (o Operation, err error) {
	_, err = m.do(ctx, call{method: http.MethodGet, path: "/" + id + "/operations/" + operationID, want: http.StatusOK, into: &o})
	return o, err
}

// At reads the operation at a location.
func (m *Marketplace) At(ctx context.Context, location string) (o Operation, err error) {
	_, err = m.do(ctx, call{method: http.MethodGet, url: location, want: http.StatusOK, into: &o})
	return o, err
}

// Acknowledge says Success or Failure of an operation.
func (m *Marketplace) Acknowledge(ctx context.Context, o Operation, status string) error {
	body := map[string]string{"planId": o.PlanID, "quantity": string(o.Quantity), "status": status}
	_, err := m.do(ctx, call{method: http.MethodPatch, path: "/" + o.SubscriptionID + "/operations/" + o.ID, body: body, want: http.StatusOK})
	return err
}

// call is one request of the API.
type call struct {
	method, path string
	url          string // in place of the path
	token        string // purchase token
	body, into   any    // JSON; nil is none
	want         int
}

func (m *Marketplace) address(path string) string {
	return m.URL + "/saas/subscriptions" + path + apiVersion
}

func (m *Marketplace) do(ctx context.Context, c call) (http.Header, error) {
	access, err := m.access(ctx)
	if err != nil {
		return nil, err
	}
	if c.url == "" {
		c.url = m.address(c.path)
	}
	var body io.Reader
	if c.body != nil {
		raw, err := json.Marshal(c.body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(ctx, c.method, c.url, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("content-type", "application/json")
	r.Header.Set("authorization", "Bearer "+access)
	if c.token != "" {
		r.Header.Set("x-ms-marketplace-token", c.token)
	}
	return send(m.HTTP, r, c.want, c.into)
}

// send sends a request and reads the JSON of the wanted answer. Any other one is a *StatusError.
func send(client *http.Client, r *http.Request, want int, into any) (http.Header, error) {
	reply, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer reply.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(reply.Body, tooLarge))
	if err != nil {
		return nil, err
	}
	if reply.StatusCode != want {
		return nil, &StatusError{Method: r.Method, URL: r.URL.String(), Status: reply.StatusCode, RequestID: reply.Header.Get("x-ms-requestid"), Body: string(raw)}
	}
	if into == nil {
		return reply.Header, nil
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return nil, fmt.Errorf("%s %s: %w in %s", r.Method, r.URL, err, raw)
	}
	return reply.Header, nil
}

// access is a token of the publisher's application, kept until shortly before it expires.
func (m *Marketplace) access(ctx context.Context) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.Now()
	if m.token != "" && now.Before(m.expires.Add(-tokenMargin)) {
		return m.token, nil
	}
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {m.ClientID}, "client_secret": {m.ClientSecret}, "resource": {m.Resource},
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, m.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	r.Header.Set("content-type", "application/x-www-form-urlencoded")
	var got struct { // all of it is text
		AccessToken string `json:"access_token"`
		ExpiresOn   string `json:"expires_on"`
	}
	if _, err := send(m.HTTP, r, http.StatusOK, &got); err != nil {
		return "", fmt.Errorf("get a token: %w", err)
	}
	expires, err := strconv.ParseInt(got.ExpiresOn, 10, 64)
	if err != nil {
		return "", fmt.Errorf("get a token: expires_on: %w", err)
	}
	m.token, m.expires = got.AccessToken, time.Unix(expires, 0)
	return m.token, nil
}
