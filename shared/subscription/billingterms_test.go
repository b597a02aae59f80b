package subscription_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"stoa/shared/message"
	"stoa/shared/subscription"
	"stoa/shared/subscription/subscriptiontest"
)

// silverAt is the offer with another price of the plan silver.
func silverAt(w *subscriptiontest.World, usd int64) {
	c := subscriptiontest.Content()
	c.Plans[0].Terms[0].PriceUSD = decimal.NewFromInt(usd)
	w.Offers.Put(versionOf(c))
}

func TestADeclinedRenewalSuspends(t *testing.T) { // FUL-88, BIL-61
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	sub := w.Active("silver", 20)
	w.Decline(true)
	w.AdvanceTo(instant("2019-06-30T00:00:00Z"))
	s := w.Read(sub.ID)
	require.Equal(t, []any{subscription.Suspended, 1, [2]string{"2019-05-31", "2019-06-29"}}, []any{s.Status, len(s.Terms), lastTerm(s)}, "BIL-36: no term begins")
	require.Equal(t, []string{"term:s:1"}, terms(t, w))
	require.Len(t, told(t, w, "request"), 1)
	silverAt(w, 99)
	w.AdvanceTo(instant("2019-07-10T00:00:00Z"))
	require.Len(t, told(t, w, "request"), 1, "BIL-65: a suspended one is asked for nothing")
	event := subscription.PaymentEvent{ID: subscription.AttemptID(9), SubscriptionID: sub.ID, Type: subscription.EventPaymentSucceeded}
	require.NoError(t, w.Service.Payment(ctx, event))
	require.NoError(t, w.Service.Work(ctx, subscription.Work{SubscriptionID: sub.ID, OperationID: w.Read(sub.ID).PendingOp, Attempt: 1}))
	require.NoError(t, w.Service.Acknowledge(ctx, w.Read(sub.ID), w.Read(sub.ID).PendingOp, subscription.AckedSuccess))
	s = w.Read(sub.ID)
	require.Equal(t, []any{subscription.Subscribed, [2]string{"2019-06-30", "2019-07-30"}, "10"}, []any{s.Status, lastTerm(s), s.Terms[1].UnitPrice.String()}, "BIL-64: at the price of its start")
	require.Equal(t, []string{"term:s:1", "term:s:2"}, terms(t, w))
}

// An answer is for a term and for an attempt; one that is past changes nothing.
func TestAnswersOfThePast(t *testing.T) {
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	sub := w.Active("silver", 20)
	hear := func(attempt, term int, kind string) subscription.Subscription {
		t.Helper()
		event := subscription.PaymentEvent{ID: subscription.AttemptID(attempt), SubscriptionID: sub.ID, Type: kind, Term: term}
		require.NoError(t, w.Service.Work(ctx, subscription.Work{SubscriptionID: sub.ID, Kind: subscription.PaymentHeard, Payment: &event}))
		return w.Read(sub.ID)
	}
	require.Len(t, hear(1, 2, subscription.EventPaymentSucceeded).Terms, 1, "FUL-88: before its time no term begins")
	w.SetClock(instant("2019-06-30T00:00:00Z"))
	require.Len(t, hear(2, 3, subscription.EventPaymentSucceeded).Terms, 1, "nor one that is not the next")
	require.Len(t, hear(3, 2, subscription.EventPaymentSucceeded).Terms, 2)
	for _, attempt := range []int{3, 4} {
		require.Len(t, hear(attempt, 2, subscription.EventPaymentSucceeded).Terms, 2, "FUL-92: told again")
	}
	require.Equal(t, subscription.Subscribed, hear(5, 2, subscription.EventPaymentFailed).Status, "FUL-92: of a term that has begun")
	require.Equal(t, subscription.Subscribed, hear(2, 0, subscription.EventPaymentFailed).Status, "BIL-13: heard before")
	hear(8, 0, subscription.EventPaymentSucceeded)
	require.Equal(t, subscription.Subscribed, hear(7, 0, subscription.EventPaymentFailed).Status, "BIL-11: overtaken by a later attempt")
	require.Equal(t, subscription.Suspended, hear(9, 0, subscription.EventPaymentFailed).Status)
	require.Equal(t, "Invalid InvalidValue payment", kindOf(w.Service.Work(ctx, subscription.Work{SubscriptionID: sub.ID, Kind: subscription.PaymentHeard})))
}

// Seats that change before the price of the running term was fixed have that price too.
func TestSeatsHaveThePriceOfTheirTerm(t *testing.T) {
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	sub := w.Active("silver", 20)
	silverAt(w, 12)
	w.AdvanceTo(instant("2019-06-29T23:59:55Z"))
	id := seats(t, w, sub.ID)
	w.Work()
	w.SetClock(instant("2019-06-30T00:00:03Z")) // the end of the term was not worked yet
	require.NoError(t, w.Service.Acknowledge(ctx, w.Read(sub.ID), id, subscription.AckedSuccess))
	w.Advance(0)
	s := w.Read(sub.ID)
	require.Equal(t, []any{20, "12"}, []any{s.Terms[1].Quantity, s.Terms[1].UnitPrice.String()}, "BIL-21")
	last := s.Plans[len(s.Plans)-1]
	require.Equal(t, []any{id, 25, "12", "12"}, []any{last.Operation, last.Quantity, last.UnitPrice.String(), s.UnitPrice.String()}, "BIL-22")
	require.Equal(t, []string{"term:s:1", "term:s:2", "term:s:2:" + id}, terms(t, w), "BIL-53: told of in the new term")
	w.AdvanceTo(instant("2019-07-10T00:00:00Z"))
	silverAt(w, 50)
	o, err := w.Service.Change(ctx, s, subscription.Target{Seats: subscription.Seats{Given: true, Count: 30}})
	require.NoError(t, err)
	w.Work()
	require.NoError(t, w.Service.Acknowledge(ctx, w.Read(sub.ID), o.ID, subscription.AckedSuccess))
	s = w.Read(sub.ID)
	require.Equal(t, "12", s.Plans[len(s.Plans)-1].UnitPrice.String(), "BIL-22: whatever the plan costs now")
}

// A change reaches the ledger with its operation and its time, in the act that applies it.
func TestWhatTheLedgerIsToldOfAChange(t *testing.T) {
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	sub := w.Active("silver", 20)
	w.Advance(48 * time.Hour)
	id := seats(t, w, sub.ID)
	w.Work()
	require.NoError(t, w.Service.Acknowledge(ctx, w.Read(sub.ID), id, subscription.AckedSuccess))
	msgs := w.Outbox.Messages(message.LedgerEvents)
	require.JSONEq(t, `{"kind":"term","subscriptionId":"`+sub.ID+`","term":1,"operationId":"`+id+`","at":"2019-06-02T10:00:00Z"}`,
		string(msgs[len(msgs)-1].Body), "FUL-58")
	var signal map[string]any
	require.NoError(t, json.Unmarshal(msgs[0].Body, &signal))
	require.Equal(t, "2019-05-31T10:00:00Z", signal["at"], "BIL-11: with its business time")
}
