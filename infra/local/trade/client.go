// Package trade does what customers, publishers' systems and staff do, as careful clients do it: a request that got
// no answer, or a 5xx, is sent again, the same, until there is an answer or the context ends.
//
// It is for tests that disturb the marketplace and then ask whether anything was lost or doubled: what an act returns
// was acknowledged, and the books (accounts, cycles, dead letters, traces of unfinished acts) can be read back.
// Nothing here knows how the marketplace does its work, but for Traces, which look into its tables. A Client is safe
// for concurrent use.
package trade

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"stoa/infra/local/stack"
)

// Role is who sends a request.
type Role int

// The roles, each one person or application of the fixtures.
const (
	Nobody    Role = iota
	Customer       // a user of the first customer
	Publisher      // the application of contoso
	Operator       // staff
)

// PublisherID is the publisher that trades.
const PublisherID = "contoso"

const (
	again      = 25 * time.Millisecond // before a request is repeated
	oneTry     = 30 * time.Second
	tooLong    = 8 << 20
	mostTokens = 5 // that are refused in a row
)

// Client sends requests.
type Client struct {
	stack *stack.Stack
	base  string
	http  *http.Client

	mu     sync.Mutex
	tokens map[Role]string
}

// New makes a client of the stack's marketplace, with connections enough for that many callers.
func New(s *stack.Stack, callers int) *Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 2 * callers
	return &Client{stack: s, base: s.Settings["STOA_PUBLIC_URL"], http: &http.Client{Transport: transport, Timeout: oneTry, CheckRedirect: stay}, tokens: map[Role]string{}}
}

// Through makes a client that sends to another address of the same marketplace, such as a handler without a host.
func (c *Client) Through(url string) *Client {
	return &Client{stack: c.stack, base: url, http: c.http, tokens: map[Role]string{}}
}

// Request is one request. Header may be nil, Body is sent as JSON unless it is nil.
type Request struct {
	As           Role
	Method, Path string // an absolute URL, or a path of the marketplace
	Header       map[string]string
	Body         any // sent as JSON, or as it is when it is bytes
}

// Answer is what came back. Repeated says that an earlier try of the request got no answer, so that it may have been
// done already.
type Answer struct {
	Status   int
	Body     []byte
	Location string // where a redirect, which is not followed, leads
	Repeated bool
}

// stay keeps a client from following redirects: a link to storage carries its own rights, and not our token.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Decode reads the answer's JSON.
func (a Answer) Decode(v any) error {
	if err := json.Unmarshal(a.Body, v); err != nil {
		return fmt.Errorf("read the answer %.200q: %w", a.Body, err)
	}
	return nil
}

// UnexpectedAnswer is the error of an answer that is none of those expected.
type UnexpectedAnswer struct {
	Request Request
	Answer  Answer
}

// Error says what was asked and answered.
func (e *UnexpectedAnswer) Error() string {
	return fmt.Sprintf("%s %s = %d: %.1000s", e.Request.Method, e.Request.Path, e.Answer.Status, e.Answer.Body)
}

// Do sends a request until it is answered. An answer that is none of those wanted is an *UnexpectedAnswer.
func (c *Client) Do(ctx context.Context, r Request, want ...int) (Answer, error) {
	repeated, tokens := false, 0
	for {
		a, err := c.once(ctx, r)
		switch {
		case err == nil && a.refused() && tokens < mostTokens && r.As != Nobody:
			// Tokens live an hour, and clocks are moved here: one has run out, for which fulfillment answers 403,
			// or a part of the stack that sees the new time a moment later takes the new one for too young.
			tokens++
			c.forget(r.As)
		case err == nil && a.final():
			a.Repeated = repeated
			if !slices.Contains(want, a.Status) {
				return a, &UnexpectedAnswer{r, a}
			}
			return a, nil
		default:
			repeated, tokens = true, 0
		}
		select {
		case <-ctx.Done():
			if err == nil {
				err = &UnexpectedAnswer{r, a}
			}
			return a, fmt.Errorf("%s %s was never answered: %w", r.Method, r.Path, err)
		case <-time.After(again):
		}
	}
}

func (a Answer) refused() bool {
	return a.Status == http.StatusUnauthorized || a.Status == http.StatusForbidden
}

func (a Answer) final() bool { return a.Status < 500 && a.Status != http.StatusTooManyRequests }

func (c *Client) once(ctx context.Context, r Request) (Answer, error) {
	var body io.Reader
	if raw, asItIs := r.Body.([]byte); asItIs {
		body = bytes.NewReader(raw)
	} else if r.Body != nil {
		raw, err := json.Marshal(r.Body)
		if err != nil {
			return Answer{}, err
		}
		body = bytes.NewReader(raw)
	}
	address := r.Path
	if !strings.HasPrefix(address, "http") {
		address = c.base + address
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, address, body)
	if err != nil {
		return Answer{}, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.As != Nobody {
		token, err := c.token(ctx, r.As)
		if err != nil {
			return Answer{}, err
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for name, value := range r.Header {
		req.Header.Set(name, value)
	}
	return c.send(req)
}

func (c *Client) send(req *http.Request) (Answer, error) {
	resp, err := c.http.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, tooLong))
	if err != nil {
		return Answer{}, err
	}
	return Answer{Status: resp.StatusCode, Body: raw, Location: resp.Header.Get("Location")}, nil
}

func (c *Client) forget(role Role) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.tokens, role)
}

// token is the role's bearer token; the issuer is asked when there is none.
func (c *Client) token(ctx context.Context, role Role) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if token := c.tokens[role]; token != "" {
		return token, nil
	}
	tenant, form := c.credentials(role)
	form.Set("resource", c.stack.Fixtures.Resource)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.stack.Identity.URL()+"/"+tenant+"/oauth2/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a, err := c.send(req)
	if err != nil {
		return "", fmt.Errorf("sign in: %w", err)
	}
	var got struct {
		Token string `json:"access_token"`
	}
	if err := a.Decode(&got); err != nil || got.Token == "" {
		return "", fmt.Errorf("sign in: %d %.500s", a.Status, a.Body)
	}
	c.tokens[role] = got.Token
	return got.Token, nil
}

func (c *Client) credentials(role Role) (tenant string, form url.Values) {
	switch role {
	case Customer:
		customer := c.stack.Fixtures.Customers[0]
		user := customer.Users[0]
		return customer.TenantID, url.Values{"grant_type": {"password"}, "client_id": {"stoa-local"}, "username": {user.UPN}, "password": {user.Password}}
	case Operator:
		app := c.stack.Fixtures.Operators[0]
		return app.TenantID, url.Values{"grant_type": {"client_credentials"}, "client_id": {app.AppID}, "client_secret": {app.Secret}}
	}
	publisher, _ := c.stack.Fixtures.Publisher(PublisherID)
	app := publisher.Apps[0]
	return publisher.TenantID, url.Values{"grant_type": {"client_credentials"}, "client_id": {app.AppID}, "client_secret": {app.Secret}}
}
