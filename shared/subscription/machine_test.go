package subscription_test

import (
	"context"
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

// call is one thing that can be done to a subscription.
type action func(w *subscriptiontest.World, sub subscription.Subscription) error

var actions = map[string]action{
	"activate": func(w *subscriptiontest.World, sub subscription.Subscription) error {
		return w.Service.Activate(context.Background(), sub, subscription.Activation{PlanID: sub.PlanID})
	},
	"plan": func(w *subscriptiontest.World, sub subscription.Subscription) error {
		_, err := w.Service.Change(context.Background(), sub, subscription.Target{PlanID: "gold"})
		return err
	},
	"back": func(w *subscriptiontest.World, sub subscription.Subscription) error {
		_, err := w.Service.ChangeByBuyer(context.Background(), subscriptiontest.Ada, sub.ID, subscription.Target{PlanID: "silver"})
		return err
	},
	"seats": func(w *subscriptiontest.World, sub subscription.Subscription) error {
		_, err := w.Service.Change(context.Background(), sub, subscription.Target{Seats: subscription.Seats{Given: true, Count: sub.Quantity%40 + 1}})
		return err
	},
	"success": func(w *subscriptiontest.World, sub subscription.Subscription) error {
		return w.Service.Acknowledge(context.Background(), sub, sub.PendingOp, subscription.AckedSuccess)
	},
	"failure": func(w *subscriptiontest.World, sub subscription.Subscription) error {
		return w.Service.Acknowledge(context.Background(), sub, sub.PendingOp, subscription.AckedFailure)
	},
	"suspend": func(w *subscriptiontest.World, sub subscription.Subscription) error {
		_, err := w.Service.Suspend(context.Background(), sub.ID)
		return err
	},
	"reinstate": func(w *subscriptiontest.World, sub subscription.Subscription) error {
		_, err := w.Service.Reinstate(context.Background(), sub.ID)
		return err
	},
	"renewOff": func(w *subscriptiontest.World, sub subscription.Subscription) error {
		return w.Service.SetAutoRenew(context.Background(), subscriptiontest.Ada, sub.ID, false)
	},
	"cancel": func(w *subscriptiontest.World, sub subscription.Subscription) error {
		_, err := w.Service.Cancel(context.Background(), sub)
		return err
	},
	"work": func(w *subscriptiontest.World, _ subscription.Subscription) error { w.Work(); return nil },
	"later": func(w *subscriptiontest.World, _ subscription.Subscription) error {
		w.Advance(11 * time.Second)
		return nil
	},
	"next month": func(w *subscriptiontest.World, _ subscription.Subscription) error {
		w.Advance(31 * 24 * time.Hour)
		return nil
	},
	"deaf":  func(w *subscriptiontest.World, _ subscription.Subscription) error { w.Hook.Status(500); return nil },
	"hears": func(w *subscriptiontest.World, _ subscription.Subscription) error { w.Hook.Status(200); return nil },
}

// What ever happens in whatever order: refusals are faults of the caller, and the aggregate stays sound.
func TestAnySequenceKeepsTheAggregateSound(t *testing.T) {
	t.Parallel()
	names := []string{}
	for name := range actions {
		names = append(names, name)
	}
	slices.Sort(names)
	rapid.Check(t, func(rt *rapid.T) {
		w := subscriptiontest.New(t, rapid.SampledFrom([]subscription.Profile{subscription.Guide, subscription.Current}).Draw(rt, "profile"))
		id := w.Buy(rapid.SampledFrom([]string{"silver", "trial"}).Draw(rt, "plan"), 20).ID
		for range rapid.IntRange(1, 14).Draw(rt, "steps") {
			before := w.Read(id)
			name := rapid.SampledFrom(names).Draw(rt, "action")
			err := actions[name](w, before)
			if err != nil {
				require.Contains(rt, []fault.Kind{fault.Invalid, fault.NotFound, fault.Conflict}, fault.As(err).Kind, "%s: %v", name, err)
			}
			sound(rt, w, before, w.Read(id))
		}
	})
}

func sound(t require.TestingT, w *subscriptiontest.World, before, s subscription.Subscription) {
	if before.Status == subscription.Unsubscribed { // FUL-62
		require.Equal(t, subscription.Unsubscribed, s.Status)
		require.Equal(t, before.PlanID, s.PlanID)
	}
	require.Equal(t, s.Status, s.History[len(s.History)-1].Status)
	require.Equal(t, s.Status == subscription.Suspended, s.Status != subscription.Unsubscribed && !s.SuspendedAt.IsZero())
	require.Equal(t, s.Status == subscription.PendingFulfillmentStart || s.ActivatedAt.IsZero(), len(s.Terms) == 0)
	require.Equal(t, s.Status == subscription.Unsubscribed, !s.EndedAt.IsZero())
	require.GreaterOrEqual(t, len(s.Terms), len(before.Terms)) // history is never rewritten
	for i := 1; i < len(s.Terms); i++ {
		require.Equal(t, s.Terms[i-1].Number+1, s.Terms[i].Number)
		require.False(t, s.Terms[i].Trial)
	}
	if s.PendingOp != "" {
		o, err := w.Store.Operation(context.Background(), s.ID, s.PendingOp)
		require.NoError(t, err)
		require.True(t, o.Pending())
		if o.Action == subscription.ActionReinstate {
			require.Equal(t, subscription.Suspended, s.Status)
		} else {
			require.Equal(t, subscription.Subscribed, s.Status)
		}
	}
	if before.PendingOp != "" && s.PendingOp != before.PendingOp { // FUL-67
		o, err := w.Store.Operation(context.Background(), s.ID, before.PendingOp)
		require.NoError(t, err)
		require.False(t, o.Pending())
	}
}
