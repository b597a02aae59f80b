package subscription_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/call"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/subscription"
	"stoa/shared/subscription/subscriptiontest"
)

// seats asks for 25 seats in the store and gives the operation.
func seats(t *testing.T, w *subscriptiontest.World, id string) string {
	t.Helper()
	o, err := w.Service.ChangeByBuyer(ctx, subscriptiontest.Ada, id, subscription.Target{Seats: subscription.Seats{Given: true, Count: 25}})
	require.NoError(t, err)
	return o.ID
}

func TestChangeIsTakenThroughTheWebhook(t *testing.T) {
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	sub := w.Active("silver", 20)
	id := seats(t, w, sub.ID)
	require.Equal(t, subscription.NotStarted, w.Operation(sub.ID, id).Status)
	require.Equal(t, "Conflict Conflict operationId", kindOf(w.Service.Acknowledge(ctx, w.Read(sub.ID), id, "Success")), "FUL-71")
	w.Hook.Answer(func(call.Request) (call.Reply, error) {
		stored := w.Operation(sub.ID, id) // FUL-74: readable before the call
		require.Equal(t, []any{subscription.InProgress, 25}, []any{stored.Status, stored.Quantity})
		return call.Reply{Status: 204}, nil // FUL-75: any 2xx
	})
	w.Work()
	require.Len(t, w.Hook.Calls(), 1)
	c := w.Hook.Calls()[0]
	require.Equal(t, "https://contoso.com/hook", c.URL)
	require.Equal(t, "Bearer jwt-for-"+subscriptiontest.App.TenantID+"-"+subscriptiontest.App.AppID, c.Header["Authorization"], "FUL-81")
	require.NotEmpty(t, c.Header["x-ms-requestid"])
	require.NotEmpty(t, c.Header["x-ms-correlationid"])
	body := w.Hook.Bodies(t)[0]
	require.NotEmpty(t, body["activityId"])
	delete(body, "activityId")
	require.Equal(t, map[string]any{ // FUL-73, FUL-83: nothing else under profile guide
		"id": id, "subscriptionId": sub.ID, "publisherId": "contoso", "offerId": "offer1", "planId": "silver", "quantity": "25",
		"timeStamp": "2019-05-31T10:00:00.0000000Z", "action": "ChangeQuantity", "status": "InProgress",
	}, body)
	require.Equal(t, 20, w.Read(sub.ID).Quantity, "FUL-55")
	w.Advance(3 * time.Second)
	require.NoError(t, w.Service.Acknowledge(ctx, w.Read(sub.ID), id, "Success"))
	require.Equal(t, 25, w.Read(sub.ID).Quantity)                                                                                  // FUL-69
	require.Equal(t, "Conflict Conflict operationId", kindOf(w.Service.Acknowledge(ctx, w.Read(sub.ID), id, "Success")), "FUL-70") // the same again
	require.Equal(t, "Invalid InvalidValue status", kindOf(w.Service.Acknowledge(ctx, w.Read(sub.ID), id, "success")), "FUL-68")   // exact spelling
	require.Equal(t, []string{"term:s:1", "term:s:1:" + id}, terms(t, w), "FUL-58 the ledger looks at the term again, and there is no new one")
	require.Equal(t, subscription.Subscribed, w.Read(sub.ID).Status)
}

func TestFailureKeepsThePlan(t *testing.T) { // FUL-69
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	sub := w.Active("silver", 20)
	o, err := w.Service.Change(ctx, sub, subscription.Target{PlanID: "gold"})
	require.NoError(t, err)
	w.Work()
	require.NoError(t, w.Service.Acknowledge(ctx, w.Read(sub.ID), o.ID, "Failure"))
	s, stored := w.Read(sub.ID), w.Operation(sub.ID, o.ID)
	require.Equal(t, []any{"silver", "", subscription.Failed, "PublisherRejected"}, []any{s.PlanID, s.PendingOp, stored.Status, stored.ErrorCode})
}

func TestAcknowledgeInsideTheCall(t *testing.T) { // FUL-72
	t.Parallel()
	for _, status := range []int{200, 500} {
		w := subscriptiontest.New(t, subscription.Guide)
		sub := w.Active("silver", 20)
		id := seats(t, w, sub.ID)
		w.Hook.Answer(func(call.Request) (call.Reply, error) {
			require.NoError(t, w.Service.Acknowledge(ctx, w.Read(sub.ID), id, "Success"))
			return call.Reply{Status: status}, nil
		})
		w.Work()
		require.Equal(t, 25, w.Read(sub.ID).Quantity)
		w.Advance(time.Hour)
		require.Len(t, w.Hook.Calls(), 1, "acknowledged means arrived")
	}
}

func TestAckWindow(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		after  time.Duration
		timer  bool
		status subscription.OperationStatus
		plan   string
		want   string
	}{
		{"FUL-76 in time", 9999 * time.Millisecond, false, subscription.Failed, "silver", "ok"},
		{"FUL-76 at the limit the first write wins", 10 * time.Second, false, subscription.Failed, "silver", "ok"},
		{"FUL-76 too late, before the timer", 10001 * time.Millisecond, false, subscription.Succeeded, "gold", "Conflict Conflict operationId"},
		{"FUL-76 too late, after the timer", 11 * time.Second, true, subscription.Succeeded, "gold", "Conflict Conflict operationId"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := subscriptiontest.New(t, subscription.Guide)
			sub := w.Active("silver", 20)
			o, err := w.Service.ChangeByBuyer(ctx, subscriptiontest.Ada, sub.ID, subscription.Target{PlanID: "gold"})
			require.NoError(t, err)
			w.Work()
			if tc.timer {
				w.Advance(9 * time.Second)
				require.Equal(t, "silver", w.Read(sub.ID).PlanID)
				w.Advance(tc.after - 9*time.Second)
			} else {
				w.SetClock(w.Now().Add(tc.after))
			}
			require.Equal(t, tc.want, kindOf(w.Service.Acknowledge(ctx, w.Read(sub.ID), o.ID, "Failure")))
			require.Equal(t, tc.status, w.Operation(sub.ID, o.ID).Status)
			require.Equal(t, tc.plan, w.Read(sub.ID).PlanID)
		})
	}
}

func TestRetriesOfACall(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		answer func(call.Request) (call.Reply, error)
	}{
		{"FUL-75 500", func(call.Request) (call.Reply, error) { return call.Reply{Status: 500}, nil }},
		{"FUL-78 400 under guide", func(call.Request) (call.Reply, error) { return call.Reply{Status: 400}, nil }},
		{"FUL-82 redirect", func(call.Request) (call.Reply, error) { return call.Reply{Status: 302}, nil }},
		{"FUL-75 no answer", func(call.Request) (call.Reply, error) {
			return call.Reply{}, fault.New(fault.Unavailable, "CallTimeout", "", "no")
		}},
		{"FUL-82 address refused", func(call.Request) (call.Reply, error) {
			return call.Reply{}, fault.New(fault.Invalid, "AddressNotAllowed", "", "no")
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := subscriptiontest.New(t, subscription.Guide)
			sub := w.Active("silver", 20)
			w.Hook.Answer(tc.answer)
			id := seats(t, w, sub.ID)
			w.Work()
			for range 500 {
				require.Equal(t, subscription.InProgress, w.Operation(sub.ID, id).Status)
				w.Advance(57600 * time.Millisecond)
			}
			o, s := w.Operation(sub.ID, id), w.Read(sub.ID)
			require.Equal(t, []any{subscription.Failed, "WebhookDeliveryFailed", subscription.DeliveryAbandoned}, []any{o.Status, o.ErrorCode, o.Delivery.State})
			require.Equal(t, []any{20, "", 0}, []any{s.Quantity, s.PendingOp, len(s.Outgoing)})
			require.Len(t, w.Hook.Calls(), 501)
			for _, body := range w.Hook.Bodies(t) { // FUL-80, FUL-73
				require.Equal(t, []any{id, "2019-05-31T10:00:00.0000000Z"}, []any{body["id"], body["timeStamp"]})
			}
			w.Advance(time.Hour)
			require.Len(t, w.Hook.Calls(), 501)
		})
	}
}

func TestEightHoursEndTheRetries(t *testing.T) { // FUL-75: whichever limit comes first
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	sub := w.Active("silver", 20)
	w.Hook.Status(503)
	id := seats(t, w, sub.ID)
	w.Work()
	for range 470 {
		w.Advance(62 * time.Second)
	}
	require.Equal(t, subscription.Failed, w.Operation(sub.ID, id).Status)
	require.Less(t, len(w.Hook.Calls()), 501)
}

func TestNotificationsStandWhenUndelivered(t *testing.T) { // FUL-75
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	sub := w.Active("silver", 20)
	w.Hook.Status(500)
	o, err := w.Service.Suspend(ctx, sub.ID)
	require.NoError(t, err)
	w.Work()
	for range 500 {
		w.Advance(57600 * time.Millisecond)
	}
	stored := w.Operation(sub.ID, o.ID)
	require.Equal(t, []any{subscription.Succeeded, subscription.DeliveryAbandoned}, []any{stored.Status, stored.Delivery.State})
	require.Equal(t, subscription.Suspended, w.Read(sub.ID).Status)
	require.Equal(t, "Invalid BadRequest operationId", kindOf(w.Service.Acknowledge(ctx, w.Read(sub.ID), o.ID, "Success")), "FUL-71")
}

func TestCurrentProfile4xxRejectsAChange(t *testing.T) { // FUL-78, FUL-83
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Current)
	sub := w.Active("silver", 20)
	w.Hook.Status(409)
	id := seats(t, w, sub.ID)
	w.Work()
	require.Equal(t, subscription.Failed, w.Operation(sub.ID, id).Status)
	body := w.Hook.Bodies(t)[0]
	require.Equal(t, []any{25.0, "Azure"}, []any{body["quantity"], body["operationRequestSource"]})
	require.Contains(t, body, "purchaseToken")
	require.Equal(t, 20.0, body["subscription"].(map[string]any)["quantity"])
}

func TestCallsGoOutInOrder(t *testing.T) { // FUL-79
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	sub := w.Active("silver", 20)
	w.Hook.Status(500)
	_, err := w.Service.Suspend(ctx, sub.ID)
	require.NoError(t, err)
	w.Work()
	o, err := w.Service.Reinstate(ctx, sub.ID)
	require.NoError(t, err)
	w.Work()
	require.NoError(t, w.Service.Work(ctx, subscription.Work{SubscriptionID: sub.ID, OperationID: o.ID, Attempt: 1}))
	require.Equal(t, []string{"Suspend"}, w.Hook.Actions(t), "Reinstate waits for Suspend")
	w.Hook.Status(200)
	w.Advance(time.Minute)
	require.Equal(t, []string{"Suspend", "Suspend", "Reinstate"}, w.Hook.Actions(t))
}

func TestCancelOvertakesAPendingChange(t *testing.T) { // FUL-59, FUL-63, FUL-79
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	sub := w.Active("silver", 20)
	w.Hook.Status(500)
	id := seats(t, w, sub.ID)
	w.Work()
	cancelled, err := w.Service.Cancel(ctx, w.Read(sub.ID))
	require.NoError(t, err)
	require.Equal(t, subscription.Succeeded, cancelled.Status)
	o := w.Operation(sub.ID, id)
	require.Equal(t, []any{subscription.Failed, "Cancelled", subscription.DeliverySuperseded}, []any{o.Status, o.ErrorCode, o.Delivery.State})
	require.Equal(t, "Conflict Conflict operationId", kindOf(w.Service.Acknowledge(ctx, w.Read(sub.ID), id, "Success")))
	w.Hook.Status(200)
	w.Advance(2 * time.Minute)
	require.Equal(t, []string{"ChangeQuantity", "Unsubscribe"}, w.Hook.Actions(t))
	again, err := w.Service.Cancel(ctx, w.Read(sub.ID))
	require.NoError(t, err)
	require.Empty(t, again.ID, "FUL-60")
}

func TestChangeThatNoLongerMakesSense(t *testing.T) {
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	sub := w.Active("silver", 20)
	o, err := w.Service.Change(ctx, sub, subscription.Target{PlanID: "gold"})
	require.NoError(t, err)
	c := subscriptiontest.Content()
	c.Plans[1].Stopped = true // gold
	w.Offers.Put(versionOf(c))
	w.SetClock(w.Now().Add(3 * time.Second)) // FUL-13: what is known of an offer is at most two seconds old
	w.Work()
	stored := w.Operation(sub.ID, o.ID)
	require.Equal(t, []any{subscription.Failed, "ValidationFailed"}, []any{stored.Status, stored.ErrorCode})
	require.Empty(t, w.Hook.Calls())
}

func TestAMessageTwiceIsDoneOnce(t *testing.T) { // FUL-92
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	sub := w.Active("silver", 20)
	id := seats(t, w, sub.ID)
	w.Work()
	require.NoError(t, w.Service.Work(ctx, subscription.Work{SubscriptionID: sub.ID, OperationID: id, Attempt: 1}))
	require.Len(t, w.Hook.Calls(), 1)
}

func TestOurOwnTroubleIsNoFailedAttempt(t *testing.T) {
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	sub := w.Active("silver", 20)
	id := seats(t, w, sub.ID)
	w.Hook.Answer(func(call.Request) (call.Reply, error) { return call.Reply{}, errors.New("no file handles") })
	require.Error(t, w.Service.Work(ctx, subscription.Work{SubscriptionID: sub.ID, OperationID: id, Attempt: 1}))
	require.Zero(t, w.Operation(sub.ID, id).Delivery.Attempts)
	w.Outbox.Take(message.Webhooks)
}

func TestWorkThatCanNeverBeDone(t *testing.T) {
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	sub := w.Active("silver", 20)
	for _, work := range []subscription.Work{
		{}, {SubscriptionID: sub.ID}, {SubscriptionID: sub.ID, OperationID: "x", Attempt: 1}, {SubscriptionID: sub.ID, Kind: "lunch"},
		{SubscriptionID: "adadadad-0000-4000-8000-000000000000", Kind: subscription.TermEnd},
	} {
		require.False(t, fault.As(w.Service.Work(ctx, work)).Kind.Transient(), "%v", work)
	}
}
