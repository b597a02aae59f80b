package subscription_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/subscription"
	"stoa/shared/subscription/subscriptiontest"
)

func TestPaymentEvents(t *testing.T) { // FUL-84, FUL-86, 6.16
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	sub := w.Active("silver", 20)
	hear := func(id, kind string) {
		t.Helper()
		require.NoError(t, w.Service.Payment(ctx, subscription.PaymentEvent{ID: id, SubscriptionID: sub.ID, Type: kind}))
		w.Work()
	}
	hear("p0", subscription.EventPaymentSucceeded)
	require.Equal(t, subscription.Subscribed, w.Read(sub.ID).Status, "a payment in time changes nothing")
	hear("p1", subscription.EventPaymentFailed)
	require.Equal(t, subscription.Suspended, w.Read(sub.ID).Status)
	suspended := w.Read(sub.ID).SuspendedAt
	w.Advance(time.Hour)
	hear("p2", subscription.EventPaymentFailed)
	require.Equal(t, suspended, w.Read(sub.ID).SuspendedAt, "a second failure does not restart the clock")
	hear("p3", subscription.EventPaymentSucceeded)
	hear("p4", subscription.EventPaymentSucceeded)
	op := w.Read(sub.ID).PendingOp
	require.NotEmpty(t, op)
	require.NoError(t, w.Service.Acknowledge(ctx, w.Read(sub.ID), op, subscription.AckedSuccess))
	for _, again := range []string{"p1", "p2"} {
		hear(again, subscription.EventPaymentFailed)
	}
	require.Equal(t, subscription.Subscribed, w.Read(sub.ID).Status, "an event that was heard before does nothing")
	require.Equal(t, []string{"Suspend", "Reinstate"}, w.Hook.Actions(t))
	for i := range 100 {
		hear(fmt.Sprintf("q%d", i), subscription.EventPaymentSucceeded)
	}
	require.LessOrEqual(t, len(w.Read(sub.ID).Payments), 32)
}

func TestPaymentEventsThatCannotBe(t *testing.T) {
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	sub := w.Active("silver", 20)
	for _, tc := range []struct {
		in   subscription.PaymentEvent
		want string
	}{
		{subscription.PaymentEvent{SubscriptionID: sub.ID, Type: subscription.EventPaymentFailed}, "Invalid RequiredField id"},
		{subscription.PaymentEvent{ID: strings.Repeat("x", 129), SubscriptionID: sub.ID, Type: subscription.EventPaymentFailed}, "Invalid InvalidValue id"},
		{subscription.PaymentEvent{ID: "p", Type: subscription.EventPaymentFailed}, "Invalid RequiredField subscriptionId"},
		{subscription.PaymentEvent{ID: "p", SubscriptionID: "42", Type: subscription.EventPaymentFailed}, "NotFound EntityNotFound subscriptionId"},
		{subscription.PaymentEvent{ID: "p", SubscriptionID: sub.ID}, "Invalid RequiredField type"},
		{subscription.PaymentEvent{ID: "p", SubscriptionID: sub.ID, Type: "Refunded"}, "Invalid InvalidValue type"},
		{subscription.PaymentEvent{}, "Invalid BadRequest "},
	} {
		require.Equal(t, tc.want, kindOf(w.Service.Payment(ctx, tc.in)), "%+v", tc.in)
	}
}

func TestASucceededChangeReachesTheLedger(t *testing.T) { // FUL-58
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	sub := w.Active("silver", 20)
	dates := lastTerm(sub)
	change := func(to subscription.Target, ack string) string {
		t.Helper()
		w.Advance(24 * time.Hour)
		o, err := w.Service.Change(ctx, w.Read(sub.ID), to)
		require.NoError(t, err)
		w.Work()
		require.NoError(t, w.Service.Acknowledge(ctx, w.Read(sub.ID), o.ID, ack))
		return o.ID
	}
	refused := change(subscription.Target{PlanID: "gold"}, subscription.AckedFailure)
	plan := change(subscription.Target{PlanID: "gold"}, subscription.AckedSuccess)
	seats := change(subscription.Target{Seats: subscription.Seats{Given: true, Count: 25}}, subscription.AckedSuccess)
	s := w.Read(sub.ID)
	require.Equal(t, dates, lastTerm(s), "the dates of the term stay")
	require.Len(t, s.Terms, 1)
	require.Equal(t, []any{"silver", 20}, []any{s.Terms[0].PlanID, s.Terms[0].Quantity}, "what was charged stays")
	require.Equal(t, []string{"term:s:1", "term:s:1:" + plan, "term:s:1:" + seats}, terms(t, w))
	require.NotContains(t, strings.Join(terms(t, w), " "), refused, "BIL-52 a failed change changes no money")
	var spans []string
	for _, p := range s.Plans {
		spans = append(spans, fmt.Sprintf("%s %d %s %s %s", p.PlanID, p.Quantity, p.UnitPrice, p.From.Format("01-02"), p.Operation))
	}
	require.Equal(t, []string{"silver 20 10 05-31 ", "gold 20 20 06-02 " + plan, "gold 25 20 06-03 " + seats}, spans,
		"which plan, seats and price held from when on, and by which operation")
}
