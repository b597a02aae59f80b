package subscription_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"stoa/shared/fault"
	"stoa/shared/subscription"
	"stoa/shared/subscription/subscriptiontest"
)

var states = []subscription.Status{
	subscription.PendingFulfillmentStart, subscription.Subscribed, subscription.Suspended, subscription.Unsubscribed,
}

// Every event has a cell in every state, and FUL-62 nothing leads out of Unsubscribed.
func TestTheTableIsComplete(t *testing.T) {
	t.Parallel()
	for event, from := range subscription.Cells() {
		require.ElementsMatch(t, states, from, event)
		m, _ := subscription.Step(subscription.Unsubscribed, event)
		require.Equal(t, subscription.Unsubscribed, m.To, event)
	}
}

// action is one thing that can be done to a subscription, with the event of the table that it is; none for what only
// lets time pass.
type action struct {
	event subscription.Event
	do    func(w *subscriptiontest.World, sub subscription.Subscription) error
}

// acted is an act without its operation.
func acted[T any](_ T, err error) error { return err }

var actions = map[string]action{
	"activate": {subscription.Activate, func(w *subscriptiontest.World, sub subscription.Subscription) error {
		return w.Service.Activate(ctx, sub, subscription.Activation{PlanID: sub.PlanID})
	}},
	"plan": {subscription.ChangePlanByPublisher, func(w *subscriptiontest.World, sub subscription.Subscription) error {
		return acted(w.Service.Change(ctx, sub, subscription.Target{PlanID: "gold"}))
	}},
	"back": {subscription.ChangePlanByCustomer, func(w *subscriptiontest.World, sub subscription.Subscription) error {
		return acted(w.Service.ChangeByBuyer(ctx, subscriptiontest.Ada, sub.ID, subscription.Target{PlanID: "silver"}))
	}},
	"other trial": {subscription.ChangePlanByCustomer, func(w *subscriptiontest.World, sub subscription.Subscription) error {
		return acted(w.Service.ChangeByBuyer(ctx, subscriptiontest.Ada, sub.ID, subscription.Target{PlanID: "trial2"}))
	}},
	"seats": {subscription.ChangeQuantityByPublisher, func(w *subscriptiontest.World, sub subscription.Subscription) error {
		return acted(w.Service.Change(ctx, sub, subscription.Target{Seats: subscription.Seats{Given: true, Count: sub.Quantity%40 + 1}}))
	}},
	"more seats": {subscription.ChangeQuantityByCustomer, func(w *subscriptiontest.World, sub subscription.Subscription) error {
		to := subscription.Target{Seats: subscription.Seats{Given: true, Count: sub.Quantity%45 + 2}}
		return acted(w.Service.ChangeByBuyer(ctx, subscriptiontest.Ada, sub.ID, to))
	}},
	"success": {subscription.AckSuccess, func(w *subscriptiontest.World, sub subscription.Subscription) error {
		return w.Service.Acknowledge(ctx, sub, sub.PendingOp, subscription.AckedSuccess)
	}},
	"failure": {"Operation.AckFailure", func(w *subscriptiontest.World, sub subscription.Subscription) error {
		return w.Service.Acknowledge(ctx, sub, sub.PendingOp, subscription.AckedFailure)
	}},
	"suspend": {subscription.PaymentFailed, func(w *subscriptiontest.World, sub subscription.Subscription) error {
		return acted(w.Service.Suspend(ctx, sub.ID))
	}},
	"reinstate": {subscription.PaymentRecovered, func(w *subscriptiontest.World, sub subscription.Subscription) error {
		return acted(w.Service.Reinstate(ctx, sub.ID))
	}},
	"renewal off": {subscription.AutoRenewSet, func(w *subscriptiontest.World, sub subscription.Subscription) error {
		return w.Service.SetAutoRenew(ctx, subscriptiontest.Ada, sub.ID, false)
	}},
	"renewal on": {subscription.AutoRenewSet, func(w *subscriptiontest.World, sub subscription.Subscription) error {
		return w.Service.SetAutoRenew(ctx, subscriptiontest.Ada, sub.ID, true)
	}},
	"cancel": {subscription.CancelByPublisher, func(w *subscriptiontest.World, sub subscription.Subscription) error {
		return acted(w.Service.Cancel(ctx, sub))
	}},
	"cancel in the store": {subscription.CancelByCustomer, func(w *subscriptiontest.World, sub subscription.Subscription) error {
		return acted(w.Service.CancelByBuyer(ctx, subscriptiontest.Ada, sub.ID))
	}},
	"configure": {subscription.IssueLandingToken, func(w *subscriptiontest.World, sub subscription.Subscription) error {
		return acted(w.Service.Landing(ctx, subscriptiontest.Ada, sub.ID, subscription.ReasonConfigure))
	}},
	"payment failed": {"", func(w *subscriptiontest.World, sub subscription.Subscription) error {
		return w.Service.Payment(ctx, subscription.PaymentEvent{ID: w.Now().String() + "-", SubscriptionID: sub.ID, Type: subscription.EventPaymentFailed})
	}},
	"paid": {"", func(w *subscriptiontest.World, sub subscription.Subscription) error {
		return w.Service.Payment(ctx, subscription.PaymentEvent{ID: w.Now().String() + "+", SubscriptionID: sub.ID, Type: subscription.EventPaymentSucceeded})
	}},
	"work":        {"", func(w *subscriptiontest.World, _ subscription.Subscription) error { w.Work(); return nil }},
	"eleven secs": {"", passing(11 * time.Second)},
	"eight hours": {"", passing(8*time.Hour + time.Second)},
	"next month":  {"", passing(31 * 24 * time.Hour)},
	"a lost month": {"", func(w *subscriptiontest.World, _ subscription.Subscription) error {
		w.SetClock(w.Now().Add(31 * 24 * time.Hour))
		return nil
	}},
	"deaf":    {"", func(w *subscriptiontest.World, _ subscription.Subscription) error { w.Hook.Status(500); return nil }},
	"refuses": {"", func(w *subscriptiontest.World, _ subscription.Subscription) error { w.Hook.Status(400); return nil }},
	"hears":   {"", func(w *subscriptiontest.World, _ subscription.Subscription) error { w.Hook.Status(200); return nil }},
}

func passing(d time.Duration) func(*subscriptiontest.World, subscription.Subscription) error {
	return func(w *subscriptiontest.World, _ subscription.Subscription) error { w.Advance(d); return nil }
}

// What ever happens in whatever order: every step is one of the table, refusals are faults of the caller, and the
// aggregate stays sound (5.1, 5.2).
func TestAnySequenceFollowsTheTable(t *testing.T) {
	t.Parallel()
	names := slices.Sorted(maps.Keys(actions))
	rapid.Check(t, func(rt *rapid.T) {
		profile := rapid.SampledFrom([]subscription.Profile{subscription.Guide, subscription.Current}).Draw(rt, "profile")
		w := subscriptiontest.New(t, profile)
		id := w.Buy(rapid.SampledFrom([]string{"silver", "trial"}).Draw(rt, "plan"), 20).ID
		if rapid.Bool().Draw(rt, "active") {
			w.Activate(id)
		}
		ended := map[string]subscription.OperationStatus{}
		for range rapid.IntRange(1, 16).Draw(rt, "steps") {
			before := w.Read(id)
			name := rapid.SampledFrom(names).Draw(rt, "action")
			err := actions[name].do(w, before)
			after := w.Read(id)
			follows(rt, actions[name].event, before, after, err, profile)
			sound(rt, before, after)
			operations(rt, w, after, ended)
		}
	})
}

// follows checks one act against its cell of the table.
func follows(t require.TestingT, e subscription.Event, before, after subscription.Subscription, err error, profile subscription.Profile) {
	if err != nil {
		require.Contains(t, []fault.Kind{fault.Invalid, fault.NotFound, fault.Conflict}, fault.As(err).Kind, "%s: %v", e, err)
	}
	if e == "" {
		require.NoError(t, err)
		return
	}
	m, refused := subscription.Step(before.Status, e)
	acknowledges := e == subscription.AckSuccess || e == "Operation.AckFailure"
	switch {
	case refused != nil && acknowledges:
		require.Error(t, err, "%s in %s", e, before.Status) // there is no operation to name
	case refused != nil:
		require.Equal(t, kindOf(refused), kindOf(err), "%s in %s", e, before.Status)
	case err != nil: // something else stands against it
		if !(acknowledges && before.PendingOp != "") { // which a late one completes as its deadline would
			require.Equal(t, before.Status, after.Status, e)
		}
	case e == subscription.PaymentRecovered && profile == subscription.Current:
		require.Equal(t, subscription.Subscribed, after.Status)
	default:
		require.Equal(t, m.To, after.Status, "%s in %s", e, before.Status)
	}
}

// sound checks what holds for a subscription whatever was done to it.
func sound(t require.TestingT, before, s subscription.Subscription) {
	if before.Status == subscription.Unsubscribed { // FUL-62: final is final
		require.Equal(t, []any{before.Status, before.PlanID, before.Quantity, before.Terms, before.Plans, before.History, before.EndedAt},
			[]any{s.Status, s.PlanID, s.Quantity, s.Terms, s.Plans, s.History, s.EndedAt})
		require.Empty(t, s.PendingOp)
	}
	require.Equal(t, s.Status, s.History[len(s.History)-1].Status)
	require.Equal(t, s.Status == subscription.Suspended, s.Status != subscription.Unsubscribed && !s.SuspendedAt.IsZero())
	require.Equal(t, s.Status == subscription.PendingFulfillmentStart || s.ActivatedAt.IsZero(), len(s.Terms) == 0)
	require.Equal(t, s.Status == subscription.Unsubscribed, !s.EndedAt.IsZero())
	require.Equal(t, before.History, s.History[:len(before.History)], "history is never rewritten")
	for i := 1; i < len(s.History); i++ {
		from, to := s.History[i-1], s.History[i]
		require.False(t, to.At.Before(from.At), "history goes on")
		require.True(t, edge(from.Status, to.Status), "%s to %s", from.Status, to.Status)
	}
	for i := range before.Terms {
		require.Equal(t, before.Terms[i], s.Terms[i], "a term is never rewritten")
	}
	for i := 1; i < len(s.Terms); i++ {
		was, is := s.Terms[i-1], s.Terms[i]
		require.Equal(t, was.Number+1, is.Number)
		require.False(t, is.Trial)
		if next := date(was.EndDate).AddDate(0, 0, 1); was.Trial { // 5.5: a trial may end early
			require.False(t, date(is.StartDate).After(next))
		} else {
			require.Equal(t, next, date(is.StartDate), "FUL-32 terms are seamless")
		}
	}
	for i := 1; i < len(s.Plans); i++ {
		require.False(t, s.Plans[i].From.Before(s.Plans[i-1].From))
		require.NotEmpty(t, s.Plans[i].Operation)
	}
}

// edge reports whether an event of the table leads from one state to the other.
func edge(from, to subscription.Status) bool {
	for e := range subscription.Cells() {
		if m, err := subscription.Step(from, e); err == nil && m.To == to {
			return true
		}
	}
	return false
}

// operations checks those of the subscription: at most one is pending, and what has ended stays so (FUL-54, FUL-67).
func operations(t require.TestingT, w *subscriptiontest.World, s subscription.Subscription, ended map[string]subscription.OperationStatus) {
	_, ops, _, err := w.Store.Scan(ctx, "", 1000)
	require.NoError(t, err)
	pending := ""
	for _, o := range ops {
		if was, ok := ended[o.ID]; ok {
			require.Equal(t, was, o.Status)
		}
		if !o.Pending() {
			ended[o.ID] = o.Status
			require.False(t, o.EndedAt.IsZero())
			continue
		}
		require.Empty(t, pending, "two pending operations")
		pending = o.ID
		if o.Action == subscription.ActionReinstate {
			require.Equal(t, subscription.Suspended, s.Status)
		} else {
			require.Equal(t, subscription.Subscribed, s.Status)
		}
	}
	require.Equal(t, s.PendingOp, pending)
}
