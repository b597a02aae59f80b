package subscription_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/call"
	"stoa/shared/fault"
	"stoa/shared/offer"
	"stoa/shared/subscription"
	"stoa/shared/subscription/subscriptiontest"
)

// kept are the members of a payload whose values are compared; of the others the form is.
var kept = map[string]bool{
	"action": true, "status": true, "publisherId": true, "offerId": true, "operationRequestSource": true, "saasSubscriptionStatus": true,
	"allowedCustomerOperations": true, "isTest": true, "isFreeTrial": true, "termUnit": true, "purchaseToken": true, "autoRenew": true,
}

// form is a payload with every letter and digit of its other values alike, names of things left out.
func form(name string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, inner := range v {
			out[k] = form(k, inner)
		}
		return out
	case string:
		switch {
		case kept[name]:
			return v
		case name == "planId" || name == "name" || name == "emailId" || name == "quantity":
			return "text"
		}
		return strings.Map(func(r rune) rune {
			if strings.ContainsRune("0123456789abcdef", r) {
				return '0'
			}
			return r
		}, v)
	case float64:
		return "number"
	}
	return v
}

// calls makes a real call of every action happen.
func realCalls(t *testing.T, w *logged) map[string]call.Request {
	t.Helper()
	sub := w.Active("silver", 20)
	step := func(err error) {
		t.Helper()
		require.NoError(t, err)
		w.work()
		w.pass(time.Minute)
	}
	_, err := w.Service.ChangeByBuyer(ctx, subscriptiontest.Ada, sub.ID, subscription.Target{PlanID: "gold"})
	step(err)
	_, err = w.Service.ChangeByBuyer(ctx, subscriptiontest.Ada, sub.ID, subscription.Target{Seats: subscription.Seats{Given: true, Count: 25}})
	step(err)
	w.pass(32 * 24 * time.Hour) // Renew
	_, err = w.Service.Suspend(ctx, sub.ID)
	step(err)
	_, err = w.Service.Reinstate(ctx, sub.ID)
	step(err)
	_, err = w.Service.CancelByBuyer(ctx, subscriptiontest.Ada, sub.ID)
	step(err)
	out := map[string]call.Request{}
	for i, c := range w.Hook.Calls() {
		out[w.Hook.Actions(t)[i]] = c
	}
	require.Len(t, out, 6)
	return out
}

// A sample differs from a real call in nothing but what it is about (FUL-73, FUL-81, FUL-83).
func TestASampleIsLikeARealCall(t *testing.T) {
	t.Parallel()
	for _, profile := range []subscription.Profile{subscription.Guide, subscription.Current} {
		w := newLogged(t, profile)
		real := realCalls(t, w)
		bodies := map[string]any{}
		for i, b := range w.Hook.Bodies(t) {
			bodies[w.Hook.Actions(t)[i]] = form("", b)
		}
		for action, c := range real {
			t.Run(string(profile)+" "+action, func(t *testing.T) {
				entry, err := w.calls.Test(ctx, subscription.WebhookTest{PublisherID: "contoso", OfferID: "offer1", Action: subscription.Action(action)})
				require.NoError(t, err)
				require.Equal(t, []any{subscription.DeliveryTest, 200, subscription.DeliveryAccepted}, []any{entry.Kind, entry.Status, entry.Outcome})
				got := w.Hook.Calls()[len(w.Hook.Calls())-1]
				body := w.Hook.Bodies(t)[len(w.Hook.Calls())-1]
				require.Equal(t, bodies[action], form("", body))
				require.Equal(t, []string{c.Method, c.URL, c.Header["Authorization"], c.Header["Content-Type"]},
					[]string{got.Method, got.URL, got.Header["Authorization"], got.Header["Content-Type"]})
				require.Len(t, got.Header, len(c.Header))
				require.Equal(t, []any{entry.OperationID, entry.SubscriptionID}, []any{body["id"], body["subscriptionId"]})
				_, err = w.calls.Redeliver(ctx, "contoso", entry.OperationID)
				require.Equal(t, "NotFound NotFound operationId", kindOf(err), "a sample is no operation")
			})
		}
		require.Len(t, w.list(subscription.DeliveryFilter{}), len(w.Hook.Calls()))
	}
}

func TestWhatASampleAsksFor(t *testing.T) {
	t.Parallel()
	w := newLogged(t, subscription.Current)
	last := func(plan string, a subscription.Action) map[string]any {
		t.Helper()
		_, err := w.calls.Test(ctx, subscription.WebhookTest{PublisherID: "contoso", OfferID: "offer1", PlanID: plan, Action: a})
		require.NoError(t, err)
		return w.Hook.Bodies(t)[len(w.Hook.Calls())-1]
	}
	b := last("gold", subscription.ActionChangePlan)
	require.Equal(t, "gold", b["planId"], "the plan that is asked for")
	require.NotEqual(t, "gold", b["subscription"].(map[string]any)["planId"], "the plan it has")
	b = last("silver", subscription.ActionChangeQuantity)
	require.Equal(t, []any{2.0, 1.0}, []any{b["quantity"], b["subscription"].(map[string]any)["quantity"]})
	b = last("annual", subscription.ActionRenew)
	require.Equal(t, "P1Y", b["subscription"].(map[string]any)["term"].(map[string]any)["termUnit"])
}

// A sample goes to the technical configuration of its slot.
func TestTheSlotOfASample(t *testing.T) {
	t.Parallel()
	w := newLogged(t, subscription.Guide)
	only := func(id string, slots ...offer.Slot) {
		for _, slot := range slots {
			c := subscriptiontest.Content()
			c.OfferID = id
			c.Technical.ConnectionWebhook = fmt.Sprintf("https://contoso.com/%s/%s", id, slot)
			w.Offers.Put(offer.Version{Slot: slot, Content: c})
		}
	}
	only("both", offer.Production, offer.Preview)
	only("shown", offer.Preview)
	for _, tc := range []struct{ offer, slot, want string }{
		{"both", "", "https://contoso.com/both/" + string(offer.Production)},
		{"both", "live", "https://contoso.com/both/" + string(offer.Production)},
		{"both", "preview", "https://contoso.com/both/" + string(offer.Preview)},
		{"shown", "", "https://contoso.com/shown/" + string(offer.Preview)},
		{"shown", "preview", "https://contoso.com/shown/" + string(offer.Preview)},
		{"shown", "live", "NotFound NotFound offerId"},
	} {
		_, err := w.calls.Test(ctx, subscription.WebhookTest{PublisherID: "contoso", OfferID: tc.offer, Slot: tc.slot, Action: "Renew"})
		if err != nil {
			require.Equal(t, tc.want, kindOf(err))
			continue
		}
		require.Equal(t, tc.want, w.Hook.Calls()[len(w.Hook.Calls())-1].URL)
	}
}

func TestSamplesThatCannotBe(t *testing.T) {
	t.Parallel()
	w := newLogged(t, subscription.Guide)
	flat := subscriptiontest.Content()
	flat.OfferID = "flat"
	for i := range flat.Plans {
		flat.Plans[i].PricingModel = offer.FlatRate
	}
	listed := subscriptiontest.Content()
	listed.OfferID, listed.Technical, listed.Plans = "listed", offer.Technical{}, nil
	w.Offers.Put(versionOf(flat))
	w.Offers.Put(versionOf(listed))
	good := subscription.WebhookTest{PublisherID: "contoso", OfferID: "offer1", Action: "Renew"}
	for name, tc := range map[string]struct {
		change func(*subscription.WebhookTest)
		want   string
	}{
		"no offer":           {func(q *subscription.WebhookTest) { q.OfferID = "" }, "Invalid RequiredField offerId"},
		"unknown offer":      {func(q *subscription.WebhookTest) { q.OfferID = "nothing" }, "NotFound NotFound offerId"},
		"somebody's offer":   {func(q *subscription.WebhookTest) { q.PublisherID = "fabrikam" }, "NotFound NotFound offerId"},
		"no webhook":         {func(q *subscription.WebhookTest) { q.OfferID = "listed" }, "Conflict NoWebhook offerId"},
		"no action":          {func(q *subscription.WebhookTest) { q.Action = "" }, "Invalid RequiredField action"},
		"unknown action":     {func(q *subscription.WebhookTest) { q.Action = "Transfer" }, "Invalid InvalidValue action"},
		"action in capitals": {func(q *subscription.WebhookTest) { q.Action = "RENEW" }, "Invalid InvalidValue action"},
		"unknown plan":       {func(q *subscription.WebhookTest) { q.PlanID = "nothing" }, "Invalid InvalidValue planId"},
		"unknown slot":       {func(q *subscription.WebhookTest) { q.Slot = "draft" }, "Invalid InvalidValue slot"},
		"seats of flat rate": {func(q *subscription.WebhookTest) { q.OfferID, q.Action = "flat", "ChangeQuantity" }, "Conflict NoPlan action"},
	} {
		q := good
		tc.change(&q)
		_, err := w.calls.Test(ctx, q)
		require.Equal(t, tc.want, kindOf(err), name)
	}
	_, err := w.calls.Test(ctx, subscription.WebhookTest{})
	f := fault.As(err)
	require.Equal(t, []string{"offerId", "action"}, []string{f.Details[0].Target, f.Details[1].Target})
	_, err = w.calls.Test(ctx, subscription.WebhookTest{OfferID: "x", Action: "x"})
	require.Contains(t, fault.As(err).Message, "ChangePlan, ChangeQuantity, Renew, Suspend, Unsubscribe, Reinstate")
	w.Hook.Answer(busy)
	_, err = w.calls.Test(ctx, good)
	require.True(t, fault.Is(err, fault.Throttled))
	require.Empty(t, w.list(subscription.DeliveryFilter{}))
}
