// Package billingtest is a small world for tests of billing and what builds on it: the service over the twin of
// the store, subscriptions and resources in memory, a clock that is moved, and a pump that delivers messages.
package billingtest

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"stoa/shared/billing"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/metering"
	"stoa/shared/offer"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
	"stoa/shared/subscription"
)

// World is the service and everything under it.
type World struct {
	DB      *store.DB
	Outbox  *storetest.Outbox
	Ledger  *store.Ledger
	Usage   *store.Usage
	Cards   *store.Instruments // of the customers
	Billing *billing.Service

	mu            sync.Mutex
	now           time.Time
	subscriptions map[string]subscription.Subscription
	price         decimal.Decimal // of the dimension email
}

// New makes a world whose clock stands at now.
func New(t testing.TB, now time.Time) *World {
	t.Helper()
	w := &World{now: now, subscriptions: map[string]subscription.Subscription{}, price: decimal.New(1, -1)}
	w.DB, w.Outbox = storetest.NewTwin(w.Now)
	w.Ledger, w.Usage, w.Cards = store.NewLedger(w.DB), store.NewUsage(w.DB), store.NewInstruments(w.DB)
	var err error
	w.Billing, err = billing.New(billing.Deps{
		Ledger: w.Ledger, Subscriptions: w, Resources: w, Usage: w.Usage, Rates: w.Ledger, Instrument: w.Cards, Now: w.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// Now is the world's clock.
func (w *World) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// Set moves the clock and releases what is due then.
func (w *World) Set(now time.Time) {
	w.mu.Lock()
	w.now = now
	w.mu.Unlock()
	w.Outbox.Advance(now)
}

// Subscription implements billing.Subscriptions.
func (w *World) Subscription(_ context.Context, id string) (subscription.Subscription, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	sub, ok := w.subscriptions[id]
	if !ok {
		return sub, fault.New(fault.NotFound, "NotFound", "", "there is no subscription %s", id)
	}
	return sub, nil
}

// Price changes what a unit of the dimension email costs from now on, in USD.
func (w *World) Price(perUnit string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.price = decimal.RequireFromString(perUnit)
}

// Resource implements metering.Resources: every plan has the dimension email, at 0.10 USD unless that was changed.
func (w *World) Resource(ctx context.Context, ref string) (metering.Resource, error) {
	sub, err := w.Subscription(ctx, ref)
	if err != nil {
		return metering.Resource{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	meters := []offer.Meter{{DimensionID: "email", Enabled: true, PricePerUnitUSD: w.price}}
	return metering.ResourceOf(sub, offer.Version{Content: offer.Content{
		Technical:  offer.Technical{TenantID: "t1", AppID: "a1"},
		Dimensions: []offer.Dimension{{ID: "email"}},
		Plans:      []offer.Plan{{ID: "basic", Meters: meters}, {ID: "gold", Meters: meters}},
	}}), nil
}

// Subscribe adds a subscription of publisher contoso that was activated now, with its first monthly term.
func (w *World) Subscribe(id, price, currency string) subscription.Subscription {
	w.mu.Lock()
	defer w.mu.Unlock()
	sub := subscription.Subscription{
		ID: id, PublisherID: "contoso", OfferID: "cns", PlanID: "basic", Status: subscription.Subscribed, TermUnit: "P1M",
		Purchaser: subscription.Party{TenantID: "adatum"}, Market: "US", Currency: currency, ActivatedAt: w.now,
		Terms: []subscription.Term{{
			Number: 1, Unit: "P1M", StartDate: w.now.Format(time.DateOnly), EndDate: w.now.AddDate(0, 1, -1).Format(time.DateOnly),
			PlanID: "basic", UnitPrice: decimal.RequireFromString(price), Currency: currency,
		}},
	}
	w.subscriptions[id] = sub
	return sub
}

// Save replaces a subscription.
func (w *World) Save(sub subscription.Subscription) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.subscriptions[sub.ID] = sub
}

// Use accepts usage of the dimension email of a resource, on a plan.
func (w *World) Use(t testing.TB, id, plan, quantity string, at time.Time) {
	t.Helper()
	outcome := w.Usage.Add(t.Context(), []metering.Usage{{
		EventID: id + at.String(), ResourceID: id, PublisherID: "contoso", OfferID: "cns", Dimension: "email", PlanID: plan,
		Quantity: quantity, EffectiveStart: at.Format(time.RFC3339), Effective: at, AcceptedAt: w.Now(),
		Owner: metering.Owner{TenantID: "t1", AppID: "a1"},
	}})[0]
	if outcome.Err != nil || !outcome.Added {
		t.Fatalf("use %s: %+v", id, outcome)
	}
	if err := w.Usage.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Charge tells the ledger of a term.
func (w *World) Charge(t testing.TB, id string, term int) {
	t.Helper()
	m := message.New("term:"+id, message.LedgerEvents, billing.Signal{Kind: billing.SignalTerm, SubscriptionID: id, Term: term})
	if err := w.DB.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}

// Pump delivers messages until there are none, shuffled and each up to three times when random is not nil. A
// message that comes too early comes back in the next round. It returns the faults that will never go away.
func (w *World) Pump(t testing.TB, random *rand.Rand) []*fault.Error {
	t.Helper()
	var refused []*fault.Error
	var early []message.Message
	for range 100 {
		batch := append(early, w.Outbox.Take(message.LedgerEvents)...)
		if len(batch) == 0 {
			return refused
		}
		early = nil
		if random != nil {
			for _, m := range batch {
				for range random.IntN(3) {
					batch = append(batch, m)
				}
			}
			random.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
		}
		for _, m := range batch {
			var s billing.Signal
			if err := json.Unmarshal(m.Body, &s); err != nil {
				t.Fatal(err)
			}
			err := w.Billing.Handle(t.Context(), s)
			switch f := fault.As(err); {
			case err == nil:
			case !f.Kind.Transient():
				refused = append(refused, f)
			case f.Kind == fault.Internal:
				t.Fatal(err)
			default:
				early = append(early, m)
			}
		}
	}
	t.Fatal("messages keep coming")
	return nil
}

// Balances are debit minus credit of the accounts that have postings in the currency. Together they must be zero.
func (w *World) Balances(t testing.TB, currency string, accounts ...string) map[string]int64 {
	t.Helper()
	found := map[string]int64{}
	for _, account := range accounts {
		s, err := w.Billing.Account(t.Context(), strings.ReplaceAll(account, "{p}", "contoso"), currency, "", 1)
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if balance := s.Debit - s.Credit; balance != 0 {
			found[account] = balance
		}
	}
	return found
}

// Accounts are all those that a sale and its payout touch.
var Accounts = []string{
	"customer:adatum:unbilled", "customer:adatum:receivable", "customer:adatum:credit",
	"publisher:{p}:accrued", "publisher:{p}:escrow", "publisher:{p}:payable", "publisher:{p}:inpayment",
	"platform:revenue:storeFee", "platform:cash", "platform:payoutTransit", "platform:fx",
}

// Sub is a subscription as it was saved.
func (w *World) Sub(t testing.TB, id string) subscription.Subscription {
	t.Helper()
	sub, err := w.Subscription(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

// Decline lets the card of the customer decline the next so many captures.
func (w *World) Decline(t testing.TB, times int) {
	t.Helper()
	next := make([]billing.CardState, times)
	for i := range next {
		next[i] = billing.CardDeclined
	}
	if err := w.Cards.SetCard(t.Context(), "adatum", billing.Card{State: billing.CardValid, Next: next}); err != nil {
		t.Fatal(err)
	}
}

// Answers takes what the ledger tells subscriptions of charges: type and term.
func (w *World) Answers(t testing.TB) []string {
	t.Helper()
	var told []string
	for _, m := range w.Outbox.Take(message.Webhooks) {
		var work subscription.Work
		if err := json.Unmarshal(m.Body, &work); err != nil {
			t.Fatal(err)
		}
		told = append(told, fmt.Sprintf("%s %d", work.Payment.Type, work.Payment.Term))
	}
	return told
}
