package publicclient

import (
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Answer is how the publisher takes a call that waits for an acknowledgement.
type Answer int

// The ways to take a call.
const (
	Agree  Answer = iota // acknowledge Success before the call is answered
	Refuse               // acknowledge Failure
	Later                // answer 200 and acknowledge nothing yet
	Reject               // answer 400
)

// Notice is a webhook call that was found to be genuine.
type Notice struct {
	Operation
	Raw map[string]any // the body as it is written
}

// Publisher is the publisher's site: a landing page at /landing and a webhook at /webhook.
type Publisher struct {
	Marketplace *Marketplace
	Caller      *Caller // who webhook calls must be of

	mu       sync.Mutex
	answer   Answer
	resolved map[string]Resolved // purchases whose customer was on the landing page
	notices  []Notice
	refused  []error // calls that were not answered 200
}

// Answers sets how further calls are taken.
func (p *Publisher) Answers(a Answer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = a
}

// Notices are the genuine calls about a subscription, in the order they came in.
func (p *Publisher) Notices(subscriptionID string) []Notice {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []Notice
	for _, n := range p.notices {
		if n.SubscriptionID == subscriptionID {
			all = append(all, n)
		}
	}
	return all
}

// Refused are the reasons of calls that were not taken.
func (p *Publisher) Refused() []error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]error(nil), p.refused...)
}

// Handler serves the site.
func (p *Publisher) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /landing", p.landing)
	mux.HandleFunc("POST /activate", p.activate)
	mux.HandleFunc("POST /webhook", p.webhook)
	return mux
}

var page = template.Must(template.New("landing").Parse(`<!doctype html><title>Welcome</title>
<p>{{.SubscriptionName}}: plan {{.PlanID}}, {{.Quantity}} seats, {{.Subscription.SaasSubscriptionStatus}}</p>
<form method="post" action="/activate"><input type="hidden" name="id" value="{{.ID}}"><button>Activate</button></form>
`))

// landing resolves the purchase token of the address, decoded as a browser's server decodes a query.
func (p *Publisher) landing(w http.ResponseWriter, r *http.Request) {
	purchase, err := p.Marketplace.Resolve(r.Context(), r.URL.Query().Get("token"))
	if err != nil {
		http.Error(w, "We couldn't identify this purchase. "+err.Error(), http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	if p.resolved == nil {
		p.resolved = map[string]Resolved{}
	}
	p.resolved[purchase.ID] = purchase
	p.mu.Unlock()
	// The customer may have gone; there is nobody left to tell.
	_ = page.Execute(w, purchase)
}

// activate sets the purchase up as it was resolved.
func (p *Publisher) activate(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	purchase, known := p.resolved[r.FormValue("id")]
	p.mu.Unlock()
	if !known {
		http.Error(w, "unknown purchase", http.StatusNotFound)
		return
	}
	if err := p.Marketplace.Activate(r.Context(), purchase.ID, purchase.PlanID, purchase.Quantity); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
	}
}

// webhook takes a call: it is the marketplace's, it is about an operation that stands there as it is said, and
// when it waits for an acknowledgement it gets one.
func (p *Publisher) webhook(w http.ResponseWriter, r *http.Request) {
	status, err := p.take(r)
	if err != nil {
		p.mu.Lock()
		p.refused = append(p.refused, err)
		p.mu.Unlock()
		http.Error(w, err.Error(), status)
	}
}

// patience bounds what the webhook does before it answers.
const patience = 8 * time.Second

func (p *Publisher) take(r *http.Request) (status int, err error) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return http.StatusUnauthorized, fmt.Errorf("a call without a bearer token")
	}
	if err := p.Caller.Verify(ctx, bearer); err != nil {
		return http.StatusUnauthorized, fmt.Errorf("a call that is not the marketplace's: %w", err)
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, tooLarge))
	if err != nil {
		return http.StatusBadRequest, err
	}
	var n Notice
	if err := json.Unmarshal(raw, &n.Operation); err != nil {
		return http.StatusBadRequest, fmt.Errorf("a call that is no operation: %w", err)
	}
	if err := json.Unmarshal(raw, &n.Raw); err != nil {
		return http.StatusBadRequest, err
	}
	if err := p.check(ctx, n.Operation); err != nil {
		return http.StatusInternalServerError, err
	}
	p.mu.Lock()
	known := false
	for _, before := range p.notices {
		known = known || before.ID == n.ID // a call may come again
	}
	if !known {
		p.notices = append(p.notices, n)
	}
	answer := p.answer
	p.mu.Unlock()
	return p.respond(ctx, n, answer)
}

// check compares a call with the operation it is about.
func (p *Publisher) check(ctx context.Context, told Operation) error {
	stands, err := p.Marketplace.Operation(ctx, told.SubscriptionID, told.ID)
	if err != nil {
		return err
	}
	if stands.Action != told.Action || stands.PlanID != told.PlanID || stands.Quantity != told.Quantity || stands.OfferID != told.OfferID {
		return fmt.Errorf("the call says %+v, the operation is %+v", told, stands)
	}
	return nil
}

func (p *Publisher) respond(ctx context.Context, n Notice, answer Answer) (int, error) {
	if n.Status != "InProgress" { // it has happened
		return http.StatusOK, nil
	}
	var err error
	switch answer {
	case Agree:
		err = p.Marketplace.Acknowledge(ctx, n.Operation, "Success")
	case Refuse:
		err = p.Marketplace.Acknowledge(ctx, n.Operation, "Failure")
	case Reject:
		return http.StatusBadRequest, fmt.Errorf("%s of %s is rejected", n.Action, n.SubscriptionID)
	}
	if err != nil {
		return http.StatusInternalServerError, err
	}
	return http.StatusOK, nil
}
