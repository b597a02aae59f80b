// Package subscriptiontest is a small world for tests of subscriptions: a publisher with one offer, a customer, a
// clock that is moved by hand, the store's twin, and a webhook receiver that does as it is told.
package subscriptiontest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"stoa/shared/account"
	"stoa/shared/call"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/offer"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
	"stoa/shared/subscription"
)

// The people of the world: the publisher's application, that of somebody else, customers and a reseller.
var (
	App      = account.Caller{Kind: account.App, TenantID: "c0c0c0c0-0000-4000-8000-000000000001", AppID: "c0c0c0c0-0000-4000-8000-0000000000a1"}
	OtherApp = account.Caller{Kind: account.App, TenantID: "fabfabfa-0000-4000-8000-000000000002", AppID: "fabfabfa-0000-4000-8000-0000000000a1"}
	Ada      = account.Caller{Kind: account.User, TenantID: "adadadad-0000-4000-8000-000000000003", ObjectID: "adadadad-0000-4000-8000-0000000000b1", UPN: "ada@adatum.example"}
	Tim      = account.Caller{Kind: account.User, TenantID: "77777777-0000-4000-8000-000000000004", ObjectID: "77777777-0000-4000-8000-0000000000b1", UPN: "tim@tailspin.example"}
)

// World is one test's world.
type World struct {
	T       testing.TB
	Service *subscription.Service
	Store   *store.Subscriptions
	DB      *store.DB
	Outbox  *storetest.Outbox
	Offers  *Offers
	Hook    *Hook

	mu       sync.Mutex
	now      time.Time
	declines bool            // renewals are not paid
	asked    map[string]bool // requests for terms that were answered
}

// New makes a world on 2019-05-31 at 10:00, with settings of its service changed.
func New(t testing.TB, profile subscription.Profile, settings ...func(*subscription.Deps)) *World {
	w := &World{T: t, now: time.Date(2019, 5, 31, 10, 0, 0, 0, time.UTC), Offers: &Offers{}, Hook: &Hook{}}
	w.Offers.Put(offer.Version{Slot: offer.Production, Number: 1, Content: Content()})
	w.DB, w.Outbox = storetest.NewTwin(w.Now)
	w.Store = store.NewSubscriptions(w.DB)
	deps := subscription.Deps{
		Store: w.Store, Offers: w.Offers, Publishers: Publishers{}, Calls: w.Hook, Random: rand.Reader,
		Sign: func(_ context.Context, app, tenant string) (string, error) {
			return "jwt-for-" + tenant + "-" + app, nil
		},
		Now: w.Now, NewID: uuid.NewString, Profile: profile,
	}
	for _, set := range settings {
		set(&deps)
	}
	var err error
	w.Service, err = subscription.New(deps)
	require.NoError(t, err)
	return w
}

// Now is the world's clock.
func (w *World) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// SetClock moves the clock and works nothing.
func (w *World) SetClock(to time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = to
}

// Work works the queue webhooks until it is empty, and pays for the terms that are asked for.
func (w *World) Work() {
	w.T.Helper()
	for {
		msgs := w.Outbox.Take(message.Webhooks)
		if len(msgs) == 0 && !w.Pay() {
			return
		}
		for _, m := range msgs {
			var work subscription.Work
			require.NoError(w.T, json.Unmarshal(m.Body, &work))
			require.NoError(w.T, w.Service.Work(message.WithCause(context.Background(), m.Cause()), work))
		}
	}
}

// Advance moves the clock on, releases what is due then, and works it.
func (w *World) Advance(d time.Duration) {
	w.T.Helper()
	w.SetClock(w.Now().Add(d))
	w.Outbox.Advance(w.Now())
	w.Work()
}

// AdvanceTo is Advance to an instant.
func (w *World) AdvanceTo(to time.Time) {
	w.T.Helper()
	w.Advance(to.Sub(w.Now()))
}

// Order is a good order of the plan for a month.
func Order(plan string, seats int) subscription.Order {
	return subscription.Order{
		Buyer: Ada, PublisherID: "contoso", OfferID: "offer1", PlanID: plan, TermUnit: subscription.Monthly,
		Seats: subscription.Seats{Given: seats > 0, Count: seats}, Market: "US", Store: "AdminCenter", Name: "Contoso Cloud Solution",
		PaymentMethod: "card", AcceptedTerms: []string{subscription.StandardContract}, AutoRenew: true,
	}
}

// Buy buys the plan.
func (w *World) Buy(plan string, seats int) subscription.Subscription {
	w.T.Helper()
	return w.BuyOrder(Order(plan, seats))
}

// BuyOrder places an order.
func (w *World) BuyOrder(o subscription.Order) subscription.Subscription {
	w.T.Helper()
	sub, err := w.Service.Purchase(context.Background(), o)
	require.NoError(w.T, err)
	return sub
}

// Activate activates what was bought.
func (w *World) Activate(id string) subscription.Subscription {
	w.T.Helper()
	sub := w.Read(id)
	require.NoError(w.T, w.Service.Activate(context.Background(), sub, subscription.Activation{PlanID: sub.PlanID}))
	return w.Read(id)
}

// Active buys and activates.
func (w *World) Active(plan string, seats int) subscription.Subscription {
	w.T.Helper()
	return w.Activate(w.Buy(plan, seats).ID)
}

// In makes a subscription of silver with 20 seats in the state.
func (w *World) In(s subscription.Status) subscription.Subscription {
	w.T.Helper()
	sub := w.Buy("silver", 20)
	ctx := context.Background()
	var err error
	switch s {
	case subscription.Subscribed:
		w.Activate(sub.ID)
	case subscription.Suspended:
		w.Activate(sub.ID)
		_, err = w.Service.Suspend(ctx, sub.ID)
	case subscription.Unsubscribed:
		w.Activate(sub.ID)
		_, err = w.Service.Cancel(ctx, w.Read(sub.ID))
	}
	require.NoError(w.T, err)
	return w.Read(sub.ID)
}

// Read reads a subscription as it is stored.
func (w *World) Read(id string) subscription.Subscription {
	w.T.Helper()
	sub, err := w.Store.Subscription(context.Background(), id)
	require.NoError(w.T, err)
	return sub
}

// Operation reads an operation as it is stored.
func (w *World) Operation(subID, id string) subscription.Operation {
	w.T.Helper()
	o, err := w.Store.Operation(context.Background(), subID, id)
	require.NoError(w.T, err)
	return o
}

// Publishers knows the two applications.
type Publishers struct{}

// OfCaller implements subscription.Publishers.
func (Publishers) OfCaller(_ context.Context, c account.Caller) (string, error) {
	switch c {
	case App:
		return "contoso", nil
	case OtherApp:
		return "fabrikam", nil
	}
	return "", fault.New(fault.Forbidden, "Forbidden", "", "no")
}

// Offers are the versions of offers.
type Offers struct {
	mu       sync.Mutex
	versions map[string]offer.Version
}

// Put sets the version of its slot.
func (o *Offers) Put(v offer.Version) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.versions == nil {
		o.versions = map[string]offer.Version{}
	}
	o.versions[v.PublisherID+"|"+v.OfferID+"|"+string(v.Slot)] = v
}

func (o *Offers) read(publisherID, offerID string, slot offer.Slot) (offer.Version, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	v, ok := o.versions[publisherID+"|"+offerID+"|"+string(slot)]
	if !ok {
		return v, fault.New(fault.NotFound, "NotFound", "", "no such version")
	}
	return v, nil
}

// Live implements offer.Reader.
func (o *Offers) Live(_ context.Context, publisherID, offerID string) (offer.Version, error) {
	return o.read(publisherID, offerID, offer.Production)
}

// InPreview implements offer.Reader.
func (o *Offers) InPreview(_ context.Context, publisherID, offerID string) (offer.Version, error) {
	return o.read(publisherID, offerID, offer.Preview)
}

// Content is offer1 of contoso: per user, with the plans silver (1-50 seats), gold (1-500), platinum (private,
// for Tim's tenant), trial and trial2 (with a free trial), annual (P1Y only) and stopped.
func Content() offer.Content {
	plan := func(id string, seats int, usd int64) offer.Plan {
		return offer.Plan{
			ID: id, Name: "The " + id + " plan", PricingModel: offer.PerUser, Markets: []string{"US", "DE"}, SeatsMin: 1, SeatsMax: seats,
			Terms: []offer.PlanTerm{
				{Unit: subscription.Monthly, PriceUSD: decimal.NewFromInt(usd), Prices: map[string]decimal.Decimal{"DE": decimal.NewFromInt(usd - 1)}},
				{Unit: subscription.Annual, PriceUSD: decimal.NewFromInt(usd * 10)},
			},
		}
	}
	platinum, trial, trial2, annual, stopped := plan("platinum", 0, 30), plan("trial", 50, 10), plan("trial2", 50, 15), plan("annual", 50, 12), plan("stopped", 50, 9)
	platinum.Private, platinum.PrivateAudience = true, []string{Tim.TenantID}
	trial.FreeTrial, trial2.FreeTrial, stopped.Stopped = true, true, true
	annual.Terms = annual.Terms[1:]
	return offer.Content{
		PublisherID: "contoso", OfferID: "offer1", OfferType: offer.TypeSaaS, ListingOption: offer.SellThroughMicrosoft,
		Technical: offer.Technical{
			LandingPageURL: "https://contoso.com/signup", ConnectionWebhook: "https://contoso.com/hook", TenantID: App.TenantID, AppID: App.AppID,
		},
		Plans: []offer.Plan{plan("silver", 50, 10), plan("gold", 500, 20), platinum, trial, trial2, annual, stopped},
	}
}

// Hook receives webhook calls.
type Hook struct {
	mu     sync.Mutex
	calls  []call.Request
	answer func(call.Request) (call.Reply, error)
}

// Answer sets what is answered from now on; nil answers 200.
func (h *Hook) Answer(f func(call.Request) (call.Reply, error)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answer = f
}

// Status answers a status from now on.
func (h *Hook) Status(status int) {
	h.Answer(func(call.Request) (call.Reply, error) { return call.Reply{Status: status}, nil })
}

// Do implements call.Doer.
func (h *Hook) Do(_ context.Context, r call.Request) (call.Reply, error) {
	h.mu.Lock()
	h.calls = append(h.calls, r)
	answer := h.answer
	h.mu.Unlock()
	if answer == nil {
		return call.Reply{Status: 200}, nil
	}
	return answer(r)
}

// Calls are the calls received so far.
func (h *Hook) Calls() []call.Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]call.Request(nil), h.calls...)
}

// Bodies are the bodies of the calls received so far.
func (h *Hook) Bodies(t testing.TB) []map[string]any {
	t.Helper()
	var out []map[string]any
	for _, c := range h.Calls() {
		var body map[string]any
		require.NoError(t, json.Unmarshal(c.Body, &body))
		out = append(out, body)
	}
	return out
}

// Actions are the actions of the calls received so far.
func (h *Hook) Actions(t testing.TB) []string {
	t.Helper()
	var out []string
	for _, b := range h.Bodies(t) {
		out = append(out, b["action"].(string))
	}
	return out
}
