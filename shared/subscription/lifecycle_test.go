package subscription_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/offer"
	"stoa/shared/subscription"
	"stoa/shared/subscription/subscriptiontest"
)

var ctx = context.Background()

func kindOf(err error) string {
	if err == nil {
		return "ok"
	}
	f := fault.As(err)
	return fmt.Sprintf("%s %s %s", f.Kind, f.Code, f.Target)
}

// terms are the terms the ledger was told of.
func terms(t *testing.T, w *subscriptiontest.World) []string { return told(t, w, "term") }

// told are the messages of a kind that the ledger got.
func told(t *testing.T, w *subscriptiontest.World, kind string) []string {
	t.Helper()
	var out []string
	for _, m := range w.Outbox.Messages(message.LedgerEvents) {
		var body struct {
			Kind, SubscriptionID string
			Term                 int
		}
		require.NoError(t, json.Unmarshal(m.Body, &body))
		if body.Kind == kind {
			out = append(out, strings.ReplaceAll(m.ID, body.SubscriptionID, "s"))
		}
	}
	return out
}

func TestPurchaseChecks(t *testing.T) {
	t.Parallel()
	ordered := func(change func(*subscription.Order)) subscription.Order {
		o := subscriptiontest.Order("silver", 20)
		change(&o)
		return o
	}
	reseller := func(o *subscription.Order) {
		o.Store, o.Buyer = subscription.StorePartnerCenter, subscriptiontest.Tim
		o.Beneficiary = &subscription.Party{TenantID: subscriptiontest.Ada.TenantID, ObjectID: subscriptiontest.Ada.ObjectID}
	}
	for _, tc := range []struct {
		name string
		in   subscription.Order
		want string
	}{
		{"FUL-15 good", ordered(func(*subscription.Order) {}), "ok"},
		{"FUL-15 most seats", ordered(func(o *subscription.Order) { o.Seats.Count = 50 }), "ok"},
		{"FUL-15 a seat too many", ordered(func(o *subscription.Order) { o.Seats.Count = 51 }), "Invalid InvalidValue quantity"},
		{"FUL-15 no seats", ordered(func(o *subscription.Order) { o.Seats = subscription.Seats{} }), "Invalid RequiredField quantity"},
		{"FUL-15 zero seats", ordered(func(o *subscription.Order) { o.Seats.Count = 0 }), "Invalid InvalidValue quantity"},
		{"FUL-15 offer unknown", ordered(func(o *subscription.Order) { o.OfferID = "offer9" }), "NotFound EntityNotFound offerId"},
		{"FUL-15 plan unknown", ordered(func(o *subscription.Order) { o.PlanID = "tin" }), "NotFound EntityNotFound planId"},
		{"FUL-15 plan stopped", ordered(func(o *subscription.Order) { o.PlanID = "stopped" }), "Invalid InvalidValue planId"},
		{"FUL-15 market", ordered(func(o *subscription.Order) { o.Market = "FR" }), "Invalid InvalidValue market"},
		{"FUL-15 term", ordered(func(o *subscription.Order) { o.PlanID = "annual" }), "Invalid InvalidValue termUnit"},
		{"FUL-15 private, not invited", ordered(func(o *subscription.Order) { o.PlanID = "platinum" }), "NotFound EntityNotFound planId"},
		{"FUL-15 private, invited", ordered(func(o *subscription.Order) { o.PlanID, o.Buyer = "platinum", subscriptiontest.Tim }), "ok"},
		{"FUL-15 private through CSP", ordered(func(o *subscription.Order) { reseller(o); o.PlanID = "platinum" }), "NotFound EntityNotFound planId"},
		{"FUL-15 private through CSP, the customer invited", ordered(func(o *subscription.Order) {
			reseller(o)
			o.PlanID, o.Beneficiary.TenantID = "platinum", subscriptiontest.Tim.TenantID
		}), "Invalid InvalidValue planId"},
		{"FUL-15 CSP", ordered(reseller), "ok"},
		{"FUL-15 terms not accepted", ordered(func(o *subscription.Order) { o.AcceptedTerms = nil }), "Invalid TermsNotAccepted acceptedTerms"},
		{"SAS-19 other terms accepted", ordered(func(o *subscription.Order) { o.AcceptedTerms = []string{"", " ", "StandardContract"} }), "Invalid TermsNotAccepted acceptedTerms"},
		{"SAS-19 a trial without terms", ordered(func(o *subscription.Order) { o.PlanID, o.AcceptedTerms = "trial", nil }), "Invalid TermsNotAccepted acceptedTerms"},
		{"SAS-51 AppSource, card", ordered(func(o *subscription.Order) { o.Store = subscription.StoreAppSource }), "ok"},
		{"SAS-51 AppSource, invoice", ordered(func(o *subscription.Order) { o.Store, o.PaymentMethod = subscription.StoreAppSource, "invoice" }), "Invalid PaymentMethodNotSupported payment.method"},
		{"SAS-53 a trial without payment data", ordered(func(o *subscription.Order) { o.PlanID, o.PaymentMethod = "trial", "" }), "Invalid RequiredField payment.method"},
		{"FUL-15 no payment", ordered(func(o *subscription.Order) { o.PaymentMethod = "" }), "Invalid RequiredField payment.method"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := subscriptiontest.New(t, subscription.Guide)
			sub, err := w.Service.Purchase(ctx, tc.in)
			require.Equal(t, tc.want, kindOf(err))
			if err == nil {
				require.Equal(t, subscription.PendingFulfillmentStart, sub.Status) // FUL-14
				w.Work()
				require.Empty(t, w.Hook.Calls()) // FUL-17
				require.Len(t, w.Outbox.Messages(message.Notifications), 1, "FUL-16")
			}
		})
	}
}

func TestPurchaseFromThePreview(t *testing.T) { // FUL-15
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	c := subscriptiontest.Content()
	c.OfferID, c.PreviewAudience = "offer2", []string{"ADA@adatum.example"}
	w.Offers.Put(offer.Version{Slot: offer.Preview, Content: c})
	o := subscriptiontest.Order("silver", 1)
	o.OfferID = "offer2"
	require.True(t, w.BuyOrder(o).Preview)
	o.Buyer = subscriptiontest.Tim
	_, err := w.Service.Purchase(ctx, o)
	require.Equal(t, "NotFound EntityNotFound offerId", kindOf(err))
}

func TestPurchaseKeyMeetsItself(t *testing.T) { // FUL-14
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	o := subscriptiontest.Order("silver", 20)
	o.Key = "k1"
	first := w.BuyOrder(o)
	w.SetClock(w.Now().Add(time.Minute))
	c := subscriptiontest.Content()
	c.Plans[0].Stopped = true
	w.Offers.Put(versionOf(c))
	require.Equal(t, first.ID, w.BuyOrder(o).ID, "whatever became of the offer")
	w.Offers.Put(versionOf(subscriptiontest.Content()))
	w.SetClock(w.Now().Add(time.Minute))
	o.Seats.Count = 21
	_, err := w.Service.Purchase(ctx, o)
	require.Equal(t, "Conflict Conflict Idempotency-Key", kindOf(err))
	w.Activate(first.ID)
	_, err = w.Service.ChangeByBuyer(ctx, subscriptiontest.Ada, first.ID, subscription.Target{Seats: subscription.Seats{Given: true, Count: 21}})
	require.NoError(t, err)
	w.Work()
	require.NoError(t, w.Service.Acknowledge(ctx, w.Read(first.ID), w.Read(first.ID).PendingOp, subscription.AckedSuccess))
	_, err = w.Service.Purchase(ctx, o)
	require.Equal(t, "Conflict Conflict Idempotency-Key", kindOf(err), "what was ordered counts, not what it was changed to")
	o.Seats.Count = 20
	require.Equal(t, first.ID, w.BuyOrder(o).ID)
	o.Key, o.Seats.Count = "", 21
	require.NotEqual(t, first.ID, w.BuyOrder(o).ID)
	subs, next, err := w.Service.List(ctx, subscriptiontest.App, "")
	require.NoError(t, err)
	require.Len(t, subs, 2, "an index row of a repeated order is no second subscription")
	require.Empty(t, next)
}

func TestLandingAddress(t *testing.T) { // FUL-18
	t.Parallel()
	for address, want := range map[string]string{
		"https://contoso.com/signup":         "https://contoso.com/signup?token=ab%2Bcd%2Fef",
		"https://contoso.com/signup?a=1":     "https://contoso.com/signup?a=1&token=ab%2Bcd%2Fef",
		"https://contoso.com/signup?a=1&":    "https://contoso.com/signup?a=1&token=ab%2Bcd%2Fef",
		"https://contoso.com/signup?":        "https://contoso.com/signup?token=ab%2Bcd%2Fef",
		"https://contoso.com/signup?a=1#top": "https://contoso.com/signup?a=1&token=ab%2Bcd%2Fef#top",
	} {
		require.Equal(t, want, subscription.WithToken(address, "ab+cd/ef"))
	}
}

func TestActivate(t *testing.T) {
	t.Parallel()
	seats := func(n int) subscription.Seats { return subscription.Seats{Given: true, Count: n} }
	for _, tc := range []struct {
		name  string
		state subscription.Status
		in    subscription.Activation
		want  string
	}{
		{"FUL-27 plan and seats", subscription.PendingFulfillmentStart, subscription.Activation{PlanID: "silver", Seats: seats(20)}, "ok"},
		{"FUL-29 seats absent", subscription.PendingFulfillmentStart, subscription.Activation{PlanID: "silver"}, "ok"},
		{"FUL-29 other seats", subscription.PendingFulfillmentStart, subscription.Activation{PlanID: "silver", Seats: seats(21)}, "Invalid InvalidValue quantity"},
		{"FUL-29 zero seats", subscription.PendingFulfillmentStart, subscription.Activation{PlanID: "silver", Seats: seats(0)}, "Invalid InvalidValue quantity"},
		{"FUL-28 plan missing", subscription.PendingFulfillmentStart, subscription.Activation{}, "Invalid RequiredField planId"},
		{"FUL-28 other case of letters", subscription.PendingFulfillmentStart, subscription.Activation{PlanID: "Silver"}, "Invalid InvalidValue planId"},
		{"FUL-30 Subscribed", subscription.Subscribed, subscription.Activation{PlanID: "silver"}, "Invalid BadRequest saasSubscriptionStatus"},
		{"FUL-30 Suspended", subscription.Suspended, subscription.Activation{PlanID: "silver"}, "Invalid BadRequest saasSubscriptionStatus"},
		{"FUL-30 Unsubscribed", subscription.Unsubscribed, subscription.Activation{PlanID: "silver"}, "NotFound EntityNotFound saasSubscriptionStatus"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := subscriptiontest.New(t, subscription.Guide)
			sub := w.In(tc.state)
			require.Equal(t, tc.want, kindOf(w.Service.Activate(ctx, sub, tc.in)))
			if tc.want != "ok" {
				require.Equal(t, sub.ETag, w.Read(sub.ID).ETag, "FUL-11 nothing was saved")
				return
			}
			s := w.Read(sub.ID)
			require.Equal(t, subscription.Subscribed, s.Status)
			term, _ := s.CurrentTerm()
			require.Equal(t, []any{1, "2019-05-31", "2019-06-29", "10"}, []any{term.Number, term.StartDate, term.EndDate, term.UnitPrice.String()})
			require.Equal(t, []string{"term:s:1"}, terms(t, w))
		})
	}
}

func TestParallelActivatesHaveOneWinner(t *testing.T) { // FUL-31
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	sub := w.Buy("silver", 20)
	sub = w.Read(sub.ID)
	won, lost := race(func() error {
		return w.Service.Activate(ctx, sub, subscription.Activation{PlanID: "silver"})
	})
	require.Equal(t, []int{1, 99}, []int{won, lost})
	require.Equal(t, []string{"term:s:1"}, terms(t, w))
}

func TestParallelChangesHaveOneWinner(t *testing.T) { // FUL-54
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	sub := w.Active("silver", 20)
	won, lost := race(func() error {
		_, err := w.Service.Change(ctx, sub, subscription.Target{PlanID: "gold"})
		return err
	})
	require.Equal(t, []int{1, 99}, []int{won, lost})
}

func race(do func() error) (won, lost int) {
	var wins, losses atomic.Int64
	var group sync.WaitGroup
	for range 100 {
		group.Go(func() {
			switch err := do(); {
			case err == nil:
				wins.Add(1)
			case fault.Is(err, fault.Invalid):
				losses.Add(1)
			}
		})
	}
	group.Wait()
	return int(wins.Load()), int(losses.Load())
}

func TestChangeChecks(t *testing.T) {
	t.Parallel()
	plan := func(id string) subscription.Target { return subscription.Target{PlanID: id} }
	seats := func(n int) subscription.Target {
		return subscription.Target{Seats: subscription.Seats{Given: true, Count: n}}
	}
	for _, tc := range []struct {
		name  string
		state subscription.Status
		to    subscription.Target
		want  string
	}{
		{"FUL-46 neither", subscription.Subscribed, subscription.Target{}, "Invalid BadRequest subscriptionRequest"},
		{"FUL-46 both", subscription.Subscribed, subscription.Target{PlanID: "gold", Seats: subscription.Seats{Given: true, Count: 3}}, "Invalid BadRequest subscriptionRequest"},
		{"FUL-47 pending", subscription.PendingFulfillmentStart, plan("gold"), "Invalid BadRequest saasSubscriptionStatus"},
		{"FUL-47 suspended", subscription.Suspended, seats(3), "Invalid BadRequest saasSubscriptionStatus"},
		{"FUL-47 unsubscribed", subscription.Unsubscribed, plan("gold"), "Invalid BadRequest saasSubscriptionStatus"},
		{"FUL-49 the same plan", subscription.Subscribed, plan("silver"), "Invalid InvalidValue planId"},
		{"FUL-49 unknown plan", subscription.Subscribed, plan("tin"), "Invalid InvalidValue planId"},
		{"FUL-49 private plan", subscription.Subscribed, plan("platinum"), "Invalid InvalidValue planId"},
		{"FUL-49 stopped plan", subscription.Subscribed, plan("stopped"), "Invalid InvalidValue planId"},
		{"FUL-49 good", subscription.Subscribed, plan("gold"), "ok"},
		{"FUL-50 the same seats", subscription.Subscribed, seats(20), "Invalid InvalidValue quantity"},
		{"FUL-50 none", subscription.Subscribed, seats(0), "Invalid InvalidValue quantity"},
		{"FUL-50 the most", subscription.Subscribed, seats(50), "ok"},
		{"FUL-50 one more", subscription.Subscribed, seats(51), "Invalid InvalidValue quantity"},
		{"FUL-52 not sold for the month", subscription.Subscribed, plan("annual"), "Invalid InvalidValue planId"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := subscriptiontest.New(t, subscription.Guide)
			_, err := w.Service.Change(ctx, w.In(tc.state), tc.to)
			require.Equal(t, tc.want, kindOf(err))
		})
	}
}

func TestSeatsMustFitTheNewPlan(t *testing.T) { // FUL-51
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	_, err := w.Service.Change(ctx, w.Active("gold", 51), subscription.Target{PlanID: "silver"})
	require.Equal(t, "Invalid InvalidValue planId", kindOf(err))
}

func TestResellersCustomer(t *testing.T) { // FUL-42, FUL-43, FUL-48, FUL-60
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	o := subscriptiontest.Order("silver", 20)
	o.Buyer, o.Store = subscriptiontest.Ada, subscription.StorePartnerCenter
	o.Beneficiary = &subscription.Party{TenantID: subscriptiontest.Tim.TenantID, ObjectID: subscriptiontest.Tim.ObjectID}
	sub := w.Activate(w.BuyOrder(o).ID)
	require.Equal(t, []string{"Read"}, sub.Allowed())
	_, err := w.Service.Change(ctx, sub, subscription.Target{PlanID: "gold"})
	require.Equal(t, "Invalid BadRequest allowedCustomerOperations", kindOf(err))
	_, err = w.Service.Cancel(ctx, sub)
	require.Equal(t, "Invalid BadRequest allowedCustomerOperations", kindOf(err))
	_, err = w.Service.ChangeByBuyer(ctx, subscriptiontest.Tim, sub.ID, subscription.Target{PlanID: "gold"})
	require.Equal(t, "Forbidden Forbidden ", kindOf(err))
	colleague := subscriptiontest.Ada
	colleague.ObjectID = "adadadad-0000-4000-8000-0000000000b9"
	_, err = w.Service.ChangeByBuyer(ctx, colleague, sub.ID, subscription.Target{PlanID: "gold"})
	require.Equal(t, "ok", kindOf(err))
	plans, err := w.Service.AvailablePlans(ctx, subscriptiontest.App, sub.ID)
	require.NoError(t, err)
	for _, p := range plans.Plans {
		require.False(t, p.Private)
	}
}

func TestWhoMayOpenTheLandingPage(t *testing.T) {
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	colleague := subscriptiontest.Ada
	colleague.ObjectID = "adadadad-0000-4000-8000-0000000000b9"
	for _, tc := range []struct {
		name   string
		state  subscription.Status
		caller account.Caller
		want   string
	}{
		{"FUL-20 the purchaser", subscription.PendingFulfillmentStart, subscriptiontest.Ada, "ok"},
		{"FUL-20 a stranger", subscription.PendingFulfillmentStart, subscriptiontest.Tim, "Forbidden Forbidden "},
		{"FUL-20 a colleague of a direct purchaser", subscription.PendingFulfillmentStart, colleague, "Forbidden Forbidden "},
		{"FUL-21 subscribed", subscription.Subscribed, subscriptiontest.Ada, "ok"},
		{"FUL-21 suspended", subscription.Suspended, subscriptiontest.Ada, "ok"},
		{"FUL-21 unsubscribed", subscription.Unsubscribed, subscriptiontest.Ada, "Invalid SubscriptionUnsubscribed saasSubscriptionStatus"},
	} {
		_, err := w.Service.Landing(ctx, tc.caller, w.In(tc.state).ID, subscription.ReasonManage)
		require.Equal(t, tc.want, kindOf(err), tc.name)
	}
}
