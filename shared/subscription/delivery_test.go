package subscription_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/call"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/offer"
	"stoa/shared/store"
	"stoa/shared/subscription"
	"stoa/shared/subscription/subscriptiontest"
)

// logged is a world whose webhook calls are logged.
type logged struct {
	*subscriptiontest.World
	log   *store.Deliveries
	calls *subscription.Deliveries
}

func newLogged(t *testing.T, profile subscription.Profile) *logged {
	t.Helper()
	w := subscriptiontest.New(t, profile)
	log := store.NewDeliveries(w.DB)
	calls, err := subscription.NewDeliveries(w.Service, log)
	require.NoError(t, err)
	return &logged{w, log, calls}
}

// work works the queue until it is empty.
func (w *logged) work() {
	w.T.Helper()
	for msgs := w.Outbox.Take(message.Webhooks); len(msgs) > 0 || w.Pay(); msgs = w.Outbox.Take(message.Webhooks) {
		for _, m := range msgs {
			var work subscription.Work
			require.NoError(w.T, json.Unmarshal(m.Body, &work))
			require.NoError(w.T, w.calls.Work(ctx, work))
		}
	}
}

// pass moves the clock on and works what is due then.
func (w *logged) pass(d time.Duration) {
	w.T.Helper()
	w.SetClock(w.Now().Add(d))
	w.Outbox.Advance(w.Now())
	w.work()
}

// list is the whole log of the publisher.
func (w *logged) list(f subscription.DeliveryFilter) (all []subscription.DeliveryAttempt) {
	w.T.Helper()
	f.PublisherID, f.Limit = "contoso", 50
	for {
		found, next, err := w.calls.List(ctx, f)
		require.NoError(w.T, err)
		all = append(all, found...)
		if f.After = next; next == "" {
			return all
		}
	}
}

func TestEveryAttemptIsLogged(t *testing.T) {
	t.Parallel()
	w := newLogged(t, subscription.Guide)
	sub := w.Active("silver", 20)
	begun := w.Now()
	answers := []func(call.Request) (call.Reply, error){
		func(call.Request) (call.Reply, error) {
			return call.Reply{Status: 500, Body: []byte("oops \xff" + strings.Repeat("x", 5000)), Elapsed: 30 * time.Millisecond}, nil
		},
		func(call.Request) (call.Reply, error) {
			return call.Reply{}, fault.New(fault.Unavailable, "CallTimeout", "", "too late")
		},
		func(call.Request) (call.Reply, error) { return call.Reply{Status: 200, Body: []byte("ok")}, nil },
	}
	w.Hook.Answer(answers[0])
	id := seats(t, w.World, sub.ID)
	w.work()
	for _, a := range answers[1:] {
		w.Hook.Answer(a)
		w.pass(57600 * time.Millisecond)
	}
	all := w.list(subscription.DeliveryFilter{})
	require.Len(t, all, 3)
	slices.Reverse(all) // the newest is first
	const every = 57600 * time.Millisecond
	for i, a := range all {
		require.Equal(t, begun.Add(time.Duration(i)*every), a.At)
		require.Equal(t, []any{i + 1, id, sub.ID, "offer1", subscription.ActionChangeQuantity, subscription.DeliveryByQueue},
			[]any{a.Attempt, a.OperationID, a.SubscriptionID, a.OfferID, a.Action, a.Kind})
	}
	require.Equal(t, []any{500, 30 * time.Millisecond, "", subscription.DeliveryWaiting, begun.Add(every)},
		[]any{all[0].Status, all[0].Latency, all[0].ErrorCode, all[0].Outcome, all[0].NextAt})
	require.True(t, strings.HasPrefix(all[0].Answer, "oops \ufffdxxx"))
	require.Len(t, all[0].Answer, 1024-1+len("\ufffd"), "the first 1,024 bytes")
	require.Equal(t, []any{0, "CallTimeout", "too late", subscription.DeliveryWaiting}, []any{all[1].Status, all[1].ErrorCode, all[1].ErrorMessage, all[1].Outcome})
	require.Equal(t, []any{200, "ok", subscription.DeliveryAccepted, time.Time{}}, []any{all[2].Status, all[2].Answer, all[2].Outcome, all[2].NextAt})
}

// Five hundred attempts are five hundred rows; the last says that the delivery is given up (FUL-75).
func TestTheLogOfAnAbandonedDelivery(t *testing.T) {
	t.Parallel()
	w := newLogged(t, subscription.Guide)
	sub := w.Active("silver", 20)
	w.Hook.Status(503)
	id := seats(t, w.World, sub.ID)
	w.work()
	for range 501 {
		w.pass(57600 * time.Millisecond)
	}
	all := w.list(subscription.DeliveryFilter{OperationID: id})
	require.Len(t, all, 501)
	require.Equal(t, []any{501, subscription.DeliveryAbandoned, time.Time{}}, []any{all[0].Attempt, all[0].Outcome, all[0].NextAt})
	require.Equal(t, []any{1, subscription.DeliveryWaiting}, []any{all[500].Attempt, all[500].Outcome})
	require.Len(t, w.list(subscription.DeliveryFilter{From: all[10].At}), 11)
	require.Empty(t, w.list(subscription.DeliveryFilter{SubscriptionID: "other"}))
}

// What became of a delivery during a call is what the log says, not what would have followed.
func TestTheLogKnowsWhatHappenedDuringACall(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		during func(w *logged, sub, op string) error
		want   subscription.DeliveryState
	}{
		"FUL-72 acknowledged": {func(w *logged, sub, op string) error {
			return w.Service.Acknowledge(ctx, w.Read(sub), op, "Success")
		}, subscription.DeliveryAccepted},
		"FUL-79 superseded": {func(w *logged, sub, _ string) error {
			_, err := w.Service.Cancel(ctx, w.Read(sub))
			return err
		}, subscription.DeliverySuperseded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newLogged(t, subscription.Guide)
			sub := w.Active("silver", 20)
			id := seats(t, w.World, sub.ID)
			w.Hook.Answer(func(call.Request) (call.Reply, error) {
				w.Hook.Status(200)
				require.NoError(t, tc.during(w, sub.ID, id))
				return call.Reply{Status: 500}, nil
			})
			w.work()
			all := w.list(subscription.DeliveryFilter{OperationID: id})
			require.Len(t, all, 1)
			require.Equal(t, []any{500, tc.want, time.Time{}}, []any{all[0].Status, all[0].Outcome, all[0].NextAt})
		})
	}
}

// forgetful is a log that cannot be written.
type forgetful struct{ subscription.DeliveryLog }

func (forgetful) Record(context.Context, subscription.DeliveryAttempt) error {
	return errors.New("away")
}

func TestNoAttemptCountsThatIsNotLogged(t *testing.T) {
	t.Parallel()
	w := newLogged(t, subscription.Guide)
	sub := w.Active("silver", 20)
	id := seats(t, w.World, sub.ID)
	calls, err := subscription.NewDeliveries(w.Service, forgetful{w.log})
	require.NoError(t, err)
	require.Error(t, calls.Work(ctx, subscription.Work{SubscriptionID: sub.ID, OperationID: id, Attempt: 1}))
	require.Zero(t, w.Operation(sub.ID, id).Delivery.Attempts)
}

func TestRedeliveryLeavesTheOperationAlone(t *testing.T) {
	t.Parallel()
	w := newLogged(t, subscription.Guide)
	sub := w.Active("silver", 20)
	id := seats(t, w.World, sub.ID)
	w.work()
	first := w.Hook.Bodies(t)[0]
	w.pass(time.Minute) // completed by the 10 s of FUL-76
	before := w.Operation(sub.ID, id)
	require.Equal(t, subscription.Succeeded, before.Status)
	w.Hook.Status(418)
	a, err := w.calls.Redeliver(ctx, "contoso", strings.ToUpper(id))
	require.NoError(t, err)
	require.Equal(t, []any{subscription.DeliveryByHand, 0, 418, subscription.DeliveryFailed, id}, []any{a.Kind, a.Attempt, a.Status, a.Outcome, a.OperationID})
	require.Equal(t, first, w.Hook.Bodies(t)[1], "FUL-80: the same call, with the same id and time")
	require.Equal(t, before, w.Operation(sub.ID, id))
	require.Equal(t, []subscription.DeliveryKind{subscription.DeliveryByHand, subscription.DeliveryByQueue}, kinds(w.list(subscription.DeliveryFilter{})))
	w.pass(time.Hour)
	require.Len(t, w.Hook.Calls(), 2, "nothing follows")

	for _, who := range []struct{ publisher, operation string }{{"fabrikam", id}, {"contoso", sub.ID}, {"contoso", "lunch"}, {"contoso", ""}} {
		_, err := w.calls.Redeliver(ctx, who.publisher, who.operation)
		require.Equal(t, "NotFound NotFound operationId", kindOf(err))
	}
	w.Hook.Answer(busy)
	_, err = w.calls.Redeliver(ctx, "contoso", id)
	require.True(t, fault.Is(err, fault.Throttled))
	require.Len(t, w.list(subscription.DeliveryFilter{}), 2, "no call, no entry")
}

// A delivery that waits is not shortened by a call by hand: its next attempt comes when it is due.
func TestRedeliveryOfADeliveryThatWaits(t *testing.T) {
	t.Parallel()
	w := newLogged(t, subscription.Guide)
	sub := w.Active("silver", 20)
	w.Hook.Status(500)
	id := seats(t, w.World, sub.ID)
	w.work()
	before := w.Operation(sub.ID, id)
	w.SetClock(w.Now().Add(20 * time.Second))
	w.Hook.Status(200)
	a, err := w.calls.Redeliver(ctx, "contoso", id)
	require.NoError(t, err)
	require.Equal(t, subscription.DeliveryAccepted, a.Outcome)
	require.Equal(t, before, w.Operation(sub.ID, id))
	w.pass(40 * time.Second)
	require.Len(t, w.Hook.Calls(), 3)
	require.Equal(t, subscription.DeliveryAccepted, w.Operation(sub.ID, id).Delivery.State)
}

func kinds(all []subscription.DeliveryAttempt) (out []subscription.DeliveryKind) {
	for _, a := range all {
		out = append(out, a.Kind)
	}
	return out
}

func busy(call.Request) (call.Reply, error) {
	f := fault.New(fault.Throttled, "ReceiverBusy", "url", "later")
	f.RetryAfter = 2 * time.Second
	return call.Reply{}, f
}

// A receiver that has as many calls as it may have gets the call later: no attempt, no worker that waits.
func TestABusyReceiverPutsTheCallOff(t *testing.T) {
	t.Parallel()
	w := newLogged(t, subscription.Guide)
	sub := w.Active("silver", 20)
	id := seats(t, w.World, sub.ID)
	w.Hook.Answer(busy)
	w.work()
	for range 10 {
		w.pass(4 * time.Second) // the hint and as much again at most
	}
	require.Len(t, w.Hook.Calls(), 11, "each time once")
	require.Zero(t, w.Operation(sub.ID, id).Delivery.Attempts)
	require.Empty(t, w.list(subscription.DeliveryFilter{}))
	w.Hook.Status(200)
	w.pass(4 * time.Second)
	o := w.Operation(sub.ID, id)
	require.Equal(t, []any{1, subscription.DeliveryAccepted}, []any{o.Delivery.Attempts, o.Delivery.State})
}

// FUL-75: the 8 hours end also while the receiver is busy.
func TestABusyReceiverDoesNotStretchTheEightHours(t *testing.T) {
	t.Parallel()
	w := newLogged(t, subscription.Guide)
	sub := w.Active("silver", 20)
	id := seats(t, w.World, sub.ID)
	w.Hook.Answer(busy)
	w.work()
	w.pass(8*time.Hour - 5*time.Second)
	require.Equal(t, subscription.InProgress, w.Operation(sub.ID, id).Status)
	w.pass(4 * time.Second)
	w.pass(4 * time.Second)
	o := w.Operation(sub.ID, id)
	require.Equal(t, []any{subscription.Failed, "WebhookDeliveryFailed", subscription.DeliveryAbandoned}, []any{o.Status, o.ErrorCode, o.Delivery.State})
	all := w.list(subscription.DeliveryFilter{})
	require.Len(t, all, 1)
	require.Equal(t, []any{"ReceiverBusy", subscription.DeliveryAbandoned}, []any{all[0].ErrorCode, all[0].Outcome})
	w.pass(time.Minute)
	require.Empty(t, w.Read(sub.ID).Outgoing)
}

// An offer that lost its technical configuration, or is gone, is no poison: the delivery fails like any other.
func TestAWebhookWithoutAnAddress(t *testing.T) {
	t.Parallel()
	w := newLogged(t, subscription.Guide)
	sub := w.Active("silver", 20)
	c := subscriptiontest.Content()
	c.Technical = offer.Technical{}
	w.Offers.Put(versionOf(c))
	w.SetClock(w.Now().Add(3 * time.Second)) // FUL-13: what is known of an offer is at most two seconds old
	o, err := w.Service.Suspend(ctx, sub.ID)
	require.NoError(t, err)
	w.work()
	stored := w.Operation(sub.ID, o.ID)
	require.Equal(t, []any{subscription.DeliveryWaiting, 1}, []any{stored.Delivery.State, stored.Delivery.Attempts})
	all := w.list(subscription.DeliveryFilter{})
	require.Len(t, all, 1)
	require.Equal(t, "NoTechnicalConfiguration", all[0].ErrorCode)
	require.Empty(t, w.Hook.Calls())
	_, err = w.calls.Redeliver(ctx, "contoso", o.ID)
	require.Equal(t, "NotReady NoTechnicalConfiguration connectionWebhook", kindOf(err))
}

// Attempts are kept for 30 days, whole days at a time, and then removed with all that points to them.
func TestOldAttemptsAreForgotten(t *testing.T) {
	t.Parallel()
	w := newLogged(t, subscription.Guide)
	sub := w.Active("silver", 20)
	old, err := w.Service.Suspend(ctx, sub.ID)
	require.NoError(t, err)
	w.work()
	w.SetClock(w.Now().Add(20 * 24 * time.Hour))
	young, err := w.Service.Cancel(ctx, w.Read(sub.ID))
	require.NoError(t, err)
	w.work()
	count := func(want int) {
		t.Helper()
		_, err := w.calls.CatchUp(ctx, 1000)
		require.NoError(t, err)
		require.Len(t, w.list(subscription.DeliveryFilter{}), want)
	}
	w.SetClock(w.Now().Add(10 * 24 * time.Hour))
	count(2)
	w.SetClock(w.Now().Add(24 * time.Hour))
	count(1)
	_, err = w.calls.Redeliver(ctx, "contoso", old.ID)
	require.Equal(t, "NotFound NotFound operationId", kindOf(err))
	_, err = w.calls.Redeliver(ctx, "contoso", young.ID)
	require.NoError(t, err)
	w.SetClock(w.Now().Add(21 * 24 * time.Hour))
	count(1) // the call by hand is younger
	_, err = w.calls.Redeliver(ctx, "contoso", young.ID)
	require.NoError(t, err, "its operation is known as long as a call is")
	w.SetClock(w.Now().Add(32 * 24 * time.Hour))
	count(0)
	n, err := w.log.Forget(ctx, w.Now(), 1000)
	require.NoError(t, err)
	require.Zero(t, n)
}

func TestDeliveriesNeedTheirParts(t *testing.T) {
	t.Parallel()
	w := newLogged(t, subscription.Guide)
	_, err := subscription.NewDeliveries(nil, w.log)
	require.Error(t, err)
	_, err = subscription.NewDeliveries(w.Service, nil)
	require.Error(t, err)
}
