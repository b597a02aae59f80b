package billing_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"stoa/shared/billing"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/metering"
	"stoa/shared/offer"
	"stoa/shared/store"
	"stoa/shared/subscription"
	"stoa/shared/subscription/subscriptiontest"
)

// walk is the real subscriptions and the real billing over one store: what one tells the other is delivered.
type walk struct {
	*subscriptiontest.World
	ledger  *store.Ledger
	cards   *store.Instruments
	broken  *breaking // the ledger as billing sees it, behind steps
	steps   *overtaken
	billing *billing.Service
	second  *billing.Service                                                  // in another process
	meets   func(now billing.Signal, left []message.Message) []billing.Signal // what the second one does at a step
	late    []message.Message                                                 // came too early and come back
}

const customer = "adadadad-0000-4000-8000-000000000003"

func newWalk(t *testing.T, at string) *walk {
	t.Helper()
	w := &walk{World: subscriptiontest.New(t, subscription.Guide)}
	w.SetClock(instant(at))
	w.ledger, w.cards = store.NewLedger(w.DB), store.NewInstruments(w.DB)
	w.broken = &breaking{Ledger: w.ledger}
	w.steps = &overtaken{Ledger: w.broken}
	w.billing, w.second = w.over(w.steps), w.over(w.ledger)
	return w
}

func (w *walk) over(ledger billing.Ledger) *billing.Service {
	s, err := billing.New(billing.Deps{
		Ledger: ledger, Subscriptions: w.Store, Resources: w, Usage: store.NewUsage(w.DB), Rates: w.ledger, Instrument: w.cards, Now: w.Now,
	})
	require.NoError(w.T, err)
	return s
}

// handle does what a signal asks for, and lets the second service meet it.
func (w *walk) handle(s billing.Signal, left []message.Message) error {
	w.steps.then = nil
	if w.meets != nil {
		w.steps.then = func() {
			for _, other := range w.meets(s, left) {
				if err := w.second.Handle(context.Background(), other); err != nil {
					require.True(w.T, fault.As(err).Kind.Transient(), "%+v: %v", other, err)
				}
			}
		}
	}
	return w.billing.Handle(context.Background(), s)
}

func signalOf(t testing.TB, m message.Message) (s billing.Signal) {
	t.Helper()
	require.NoError(t, json.Unmarshal(m.Body, &s))
	return s
}

// Resource implements metering.Resources: nothing is metered here.
func (w *walk) Resource(context.Context, string) (metering.Resource, error) {
	return metering.Resource{}, fault.New(fault.NotFound, "NotFound", "", "no")
}

// pump delivers until nothing is left but what is due later. A delivery that fails for now is made again.
func (w *walk) pump() {
	w.T.Helper()
	for range 200 {
		hooks, events := w.Outbox.Take(message.Webhooks), append(w.late, w.Outbox.Take(message.LedgerEvents)...)
		if w.late = nil; len(hooks)+len(events) == 0 {
			return
		}
		for _, m := range hooks {
			var work subscription.Work
			require.NoError(w.T, json.Unmarshal(m.Body, &work))
			require.NoError(w.T, w.Service.Work(context.Background(), work))
		}
		for i, m := range events {
			s := signalOf(w.T, m)
			if err := w.handle(s, events[i+1:]); err != nil {
				require.True(w.T, fault.As(err).Kind.Transient(), "%+v: %v", s, err)
				w.late = append(w.late, m)
			}
		}
	}
	w.T.Fatal("messages keep coming")
}

// to moves the clock to an instant, by days, and delivers what is due on the way.
func (w *walk) to(at string) {
	w.T.Helper()
	for end := instant(at); w.Now().Before(end); {
		next := w.Now().Truncate(24 * time.Hour).Add(24 * time.Hour)
		if next.After(end) {
			next = end
		}
		w.SetClock(next)
		w.Outbox.Advance(next)
		w.pump()
	}
}

// lines are the lines of the terms of a subscription that are in the ledger: state and net.
func (w *walk) lines(id string, number ...int) []string {
	w.T.Helper()
	var out []string
	for _, n := range number {
		l, err := w.ledger.Line(context.Background(), "contoso", billing.LineID(fmt.Sprintf("term:%s:%d:seats", id, n)))
		if fault.Is(err, fault.NotFound) {
			out = append(out, "none")
			continue
		}
		require.NoError(w.T, err)
		out = append(out, fmt.Sprintf("%s %s %d", l.State, l.ChargeType, l.Net))
	}
	return out
}

func (w *walk) balance(account string) int64 {
	w.T.Helper()
	s, err := w.billing.Account(context.Background(), strings.ReplaceAll(account, "{b}", customer), "USD", "", 1)
	if fault.Is(err, fault.NotFound) {
		return 0
	}
	require.NoError(w.T, err)
	return s.Debit - s.Credit
}

// sound checks that the ledger holds its invariants, and that the card was charged what it says.
func (w *walk) sound() {
	w.T.Helper()
	paid, err := w.cards.Payments(context.Background(), customer)
	require.NoError(w.T, err)
	require.Equal(w.T, paid["USD"], w.balance("platform:cash"))
	sum := int64(0)
	for _, account := range []string{
		"customer:{b}:unbilled", "customer:{b}:receivable", "customer:{b}:credit", "publisher:contoso:accrued", "publisher:contoso:escrow",
		"publisher:contoso:payable", "platform:revenue:storeFee", "platform:cash",
	} {
		sum += w.balance(account)
	}
	require.Zero(w.T, sum)
	require.LessOrEqual(w.T, w.balance("customer:{b}:credit"), int64(0), "BIL-99")
	breaches, err := w.billing.Check(context.Background(), "contoso")
	require.NoError(w.T, err)
	require.Empty(w.T, breaches, "BIL-97")
	v, err := w.billing.Verify(context.Background(), "platform:cash", "USD")
	require.True(w.T, err == nil && v.Break == nil || fault.Is(err, fault.NotFound), "BIL-98 %+v %v", v.Break, err)
}

func (w *walk) card(state billing.CardState, next ...billing.CardState) {
	w.T.Helper()
	require.NoError(w.T, w.cards.SetCard(context.Background(), customer, billing.Card{State: state, Next: next}))
}

// price changes what the plan silver costs from now on.
func (w *walk) price(usd int64) {
	c := subscriptiontest.Content()
	c.Plans[0].Terms[0].PriceUSD = decimal.NewFromInt(usd)
	w.Offers.Put(offer.Version{Slot: offer.Production, Number: 2, Content: c})
}

// ack acknowledges the pending operation.
func (w *walk) ack(id, status string) {
	w.T.Helper()
	sub := w.Read(id)
	require.NotEmpty(w.T, sub.PendingOp)
	require.NoError(w.T, w.Service.Acknowledge(context.Background(), sub, sub.PendingOp, status))
	w.pump()
}

func dates(s subscription.Subscription) [2]string {
	t, _ := s.CurrentTerm()
	return [2]string{t.StartDate, t.EndDate}
}
