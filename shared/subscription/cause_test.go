package subscription_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/message"
	"stoa/shared/subscription"
	"stoa/shared/subscription/subscriptiontest"
)

// caused is a context of a request.
func caused(name string) (context.Context, message.Cause) {
	c := message.Cause{RequestID: "request " + name, CorrelationID: "correlation " + name}
	return message.WithCause(context.Background(), c), c
}

// Every message of a request carries both its ids, for every queue, at once or later; what is done when one is worked
// off has the same cause (FUL-8).
func TestBothIDsGoWithEveryMessage(t *testing.T) {
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	bought, buying := caused("purchase")
	sub, err := w.Service.Purchase(bought, subscriptiontest.Order("silver", 20))
	require.NoError(t, err)
	activated, activating := caused("activation")
	require.NoError(t, w.Service.Activate(activated, w.Read(sub.ID), subscription.Activation{PlanID: "silver"}))
	changed, changing := caused("change")
	o, err := w.Service.Change(changed, w.Read(sub.ID), subscription.Target{PlanID: "gold"})
	require.NoError(t, err)
	require.Equal(t, changing, message.Cause{RequestID: o.RequestID, CorrelationID: o.CorrelationID})

	require.Equal(t, []message.Cause{buying}, causesOf(w.Outbox.Messages(message.Notifications)))
	require.Equal(t, []message.Cause{activating}, causesOf(w.Outbox.Messages(message.LedgerEvents)))
	require.Equal(t, []message.Cause{changing}, causesOf(w.Outbox.Messages(message.Webhooks)))
	w.Work()
	require.Equal(t, changing.CorrelationID, w.Hook.Calls()[0].Header["x-ms-correlationid"])

	w.SetClock(w.Now().Add(11 * time.Second))
	w.Outbox.Advance(w.Now())
	require.Equal(t, []message.Cause{changing}, causesOf(w.Outbox.Messages(message.Webhooks)), "the deadline of the change")
	w.Work()
	require.Equal(t, changing, causesOf(w.Outbox.Messages(message.LedgerEvents))[1], "what the deadline causes has the same cause")
	w.AdvanceTo(time.Date(2019, 6, 30, 0, 0, 0, 0, time.UTC))
	_, ops, _, err := w.Store.Scan(ctx, "", 100)
	require.NoError(t, err)
	renewed := false
	for _, o := range ops {
		if o.Action == subscription.ActionRenew {
			renewed = true
			require.Equal(t, activating, message.Cause{RequestID: o.RequestID, CorrelationID: o.CorrelationID}, "the term began with the activation")
		}
	}
	require.True(t, renewed)
}

func causesOf(msgs []message.Message) []message.Cause {
	var all []message.Cause
	for _, m := range msgs {
		all = append(all, m.Cause())
	}
	return all
}

// A webhook call is a request of our own, with an id for each attempt; the correlation id stays that of the request
// that caused it (FUL-8, FUL-81).
func TestEveryAttemptIsARequestOfItsOwn(t *testing.T) {
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	sub := w.Active("silver", 20)
	changed, changing := caused("change")
	_, err := w.Service.Change(changed, sub, subscription.Target{PlanID: "gold"})
	require.NoError(t, err)
	w.Hook.Status(500)
	w.Work()
	w.Advance(time.Minute)
	calls := w.Hook.Calls()
	require.Len(t, calls, 2)
	ids := map[string]bool{changing.RequestID: true}
	for _, c := range calls {
		require.Equal(t, changing.CorrelationID, c.Header["x-ms-correlationid"])
		require.False(t, ids[c.Header["x-ms-requestid"]])
		ids[c.Header["x-ms-requestid"]] = true
	}
}
