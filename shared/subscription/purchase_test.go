package subscription_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/account"
	"stoa/shared/call"
	"stoa/shared/offer"
	"stoa/shared/publish"
	"stoa/shared/subscription"
	"stoa/shared/subscription/subscriptiontest"
)

// preview puts a preview of the offer that Ada may buy, with technical data of its own.
func preview(w *subscriptiontest.World, offerID string, change func(*offer.Content)) {
	c := subscriptiontest.Content()
	c.OfferID, c.PreviewAudience = offerID, []string{"ADA@adatum.example"}
	c.Technical.LandingPageURL, c.Technical.ConnectionWebhook = "https://preview.contoso.com/signup", "https://preview.contoso.com/hook"
	change(&c)
	w.Offers.Put(offer.Version{Slot: offer.Preview, Content: c})
	w.SetClock(w.Now().Add(3 * time.Second)) // what is known of an offer is at most two seconds old
}

func order(plan, offerID string) subscription.Order {
	o := subscriptiontest.Order(plan, 5)
	o.OfferID = offerID
	return o
}

func TestPreviewPurchases(t *testing.T) {
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	preview(w, "offer2", func(c *offer.Content) { c.TestOffer = true })
	sub := w.BuyOrder(order("silver", "offer2"))
	require.True(t, sub.Preview, "SAS-57 a test offer is bought in its preview")
	w.Activate(sub.ID)
	require.Equal(t, []string{"term:s:1"}, terms(t, w), "SAS-60 a purchase from the preview is charged")
	preview(w, "offer3", func(*offer.Content) {})
	w.Activate(w.BuyOrder(order("silver", "offer3")).ID)
	require.Equal(t, []string{"term:s:1", "term:s:1"}, terms(t, w), "SAS-60 that of an offer for production as well")
	require.True(t, w.BuyOrder(order("platinum", "offer2")).Preview, "SAS-28 who sees the preview sees private plans")
	tim := order("silver", "offer2")
	tim.Buyer = subscriptiontest.Tim
	_, err := w.Service.Purchase(ctx, tim)
	require.Equal(t, "NotFound EntityNotFound offerId", kindOf(err), "SAS-28 nobody outside of the audience")
	tim.Buyer.UPN = ""
	_, err = w.Service.Purchase(ctx, tim)
	require.Equal(t, "NotFound EntityNotFound offerId", kindOf(err), "SAS-28 nor who has no name")
	_, err = w.Service.Purchase(ctx, order("tin", "offer2"))
	require.Equal(t, "NotFound EntityNotFound planId", kindOf(err))
}

// Certification sees what the publisher's application did for purchases from the preview (SAS-66).
func TestCallsForPreviewsAreNoted(t *testing.T) {
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	preview(w, "offer2", func(*offer.Content) {})
	seen := func() publish.Calls {
		calls, err := w.Store.PreviewCalls(ctx, "contoso", "offer2")
		require.NoError(t, err)
		return calls
	}
	resolve := func(sub subscription.Subscription) {
		address, err := w.Service.Landing(ctx, subscriptiontest.Ada, sub.ID, subscription.ReasonConfigure)
		require.NoError(t, err)
		u, err := url.Parse(address)
		require.NoError(t, err)
		_, err = w.Service.Resolve(ctx, subscriptiontest.App, u.Query().Get("token"))
		require.NoError(t, err)
	}
	sub := w.BuyOrder(order("silver", "offer2"))
	require.Equal(t, publish.Calls{}, seen())
	require.Error(t, w.Service.Activate(ctx, sub, subscription.Activation{PlanID: "gold"}))
	require.Equal(t, publish.Calls{}, seen(), "a refused call proves nothing")
	for range 2 {
		resolve(sub)
	}
	require.Equal(t, publish.Calls{Resolved: true}, seen())
	w.Activate(sub.ID)
	require.Equal(t, publish.Calls{Resolved: true, Activated: true}, seen())

	live := w.Buy("silver", 5)
	resolve(live)
	w.Activate(live.ID)
	calls, err := w.Store.PreviewCalls(ctx, "contoso", live.OfferID)
	require.NoError(t, err)
	require.Equal(t, publish.Calls{}, calls, "what is bought live proves nothing")
}

func TestAPreviewPurchaseLivesByThePreview(t *testing.T) { // SAS-32, FUL-4
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	preview(w, "offer2", func(c *offer.Content) { c.Technical.AppID = "c0c0c0c0-0000-4000-8000-0000000000a2" })
	sub := w.Activate(w.BuyOrder(order("silver", "offer2")).ID)
	address, err := w.Service.Landing(ctx, subscriptiontest.Ada, sub.ID, subscription.ReasonManage)
	require.NoError(t, err)
	require.Contains(t, address, "https://preview.contoso.com/signup?token=")
	_, err = w.Service.Owned(ctx, subscriptiontest.App, sub.ID)
	require.Equal(t, "Forbidden Forbidden ", kindOf(err))
	_, err = w.Service.Suspend(ctx, sub.ID)
	require.NoError(t, err)
	w.Work()
	require.Equal(t, "https://preview.contoso.com/hook", w.Hook.Calls()[0].URL)
}

func TestEditsOfALiveOfferAreInvisible(t *testing.T) { // SAS-65
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	preview(w, "offer1", func(c *offer.Content) {
		c.Plans[0].Markets = []string{"FR"}
		c.Plans = append(c.Plans, c.Plans[1])
		c.Plans[len(c.Plans)-1].ID = "coming"
	})
	sub := w.BuyOrder(order("silver", "offer1"))
	require.False(t, sub.Preview, "what is live is bought live, by the preview audience too")
	fr := order("silver", "offer1")
	fr.Market = "FR"
	_, err := w.Service.Purchase(ctx, fr)
	require.Equal(t, "Invalid InvalidValue market", kindOf(err))
	require.True(t, w.BuyOrder(order("coming", "offer1")).Preview)
	coming := order("coming", "offer1")
	coming.Buyer = subscriptiontest.Tim
	_, err = w.Service.Purchase(ctx, coming)
	require.Equal(t, "NotFound EntityNotFound planId", kindOf(err))
	plans, err := w.Service.AvailablePlans(ctx, subscriptiontest.App, w.Activate(sub.ID).ID)
	require.NoError(t, err)
	require.NotContains(t, ids(plans), "coming")
}

// A tenant that is no longer invited keeps what it has, and gets no more of it (SAS-46).
func TestATenantThatLeavesTheAudience(t *testing.T) {
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	o := order("platinum", "offer1")
	o.Buyer = subscriptiontest.Tim
	kept := w.Activate(w.BuyOrder(o).ID)
	o.PlanID = "silver"
	other := w.Activate(w.BuyOrder(o).ID)
	c := subscriptiontest.Content()
	c.Plans[2].PrivateAudience = []string{subscriptiontest.Ada.TenantID}
	w.Offers.Put(versionOf(c))
	w.SetClock(w.Now().Add(3 * time.Second))
	require.Equal(t, subscription.Subscribed, w.Read(kept.ID).Status)
	_, err := w.Service.Change(ctx, kept, subscription.Target{Seats: subscription.Seats{Given: true, Count: 7}})
	require.NoError(t, err, "its seats are its own to change")
	_, err = w.Service.Change(ctx, other, subscription.Target{PlanID: "platinum"})
	require.Equal(t, "Invalid InvalidValue planId", kindOf(err))
	o.PlanID = "platinum"
	_, err = w.Service.Purchase(ctx, o)
	require.Equal(t, "NotFound EntityNotFound planId", kindOf(err))
}

func ids(a subscription.Available) []string {
	var all []string
	for _, p := range a.Plans {
		all = append(all, p.ID)
	}
	return all
}

func TestTheAudienceThatWasSynced(t *testing.T) { // FUL-45, walk 8
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	sub := w.Active("silver", 20)
	invite := func(c *offer.Content) { c.Plans[2].PrivateAudience = []string{subscriptiontest.Ada.TenantID} }
	preview(w, "offer1", func(c *offer.Content) { c.PreviewAudience = nil; invite(c) })
	closed := func(why string) {
		t.Helper()
		plans, err := w.Service.AvailablePlans(ctx, subscriptiontest.App, sub.ID)
		require.NoError(t, err)
		require.NotContains(t, ids(plans), "platinum", why)
		_, err = w.Service.Change(ctx, w.Read(sub.ID), subscription.Target{PlanID: "platinum"})
		require.Equal(t, "Invalid InvalidValue planId", kindOf(err), why)
		_, err = w.Service.Purchase(ctx, order("platinum", "offer1"))
		require.Equal(t, "NotFound EntityNotFound planId", kindOf(err), why)
	}
	closed("invited in what is not live")
	live := subscriptiontest.Content()
	invite(&live)
	w.Offers.Put(versionOf(live))
	w.SetClock(w.Now().Add(3 * time.Second))
	plans, err := w.Service.AvailablePlans(ctx, subscriptiontest.App, sub.ID)
	require.NoError(t, err)
	require.Contains(t, ids(plans), "platinum")
	bought := w.BuyOrder(order("platinum", "offer1"))
	o, err := w.Service.Change(ctx, w.Read(sub.ID), subscription.Target{PlanID: "platinum"})
	require.NoError(t, err)
	w.Offers.Put(versionOf(subscriptiontest.Content())) // the tenant leaves the audience
	w.SetClock(w.Now().Add(3 * time.Second))
	w.Work()
	require.Equal(t, subscription.Failed, w.Operation(sub.ID, o.ID).Status, "5.2 the audience was lost before the change began")
	closed("no longer invited")
	require.Equal(t, subscription.Subscribed, w.Activate(bought.ID).Status, "what was bought stays")
}

func TestConfigureLater(t *testing.T) { // FUL-14, FUL-18, FUL-93
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	sub := w.Buy("silver", 20)
	w.Advance(29 * 24 * time.Hour)
	require.Empty(t, w.Hook.Calls(), "FUL-17 the publisher knows nothing")
	_, err := w.Service.Landing(ctx, subscriptiontest.Ada, sub.ID, subscription.ReasonConfigure)
	require.NoError(t, err)
	active := w.Activate(sub.ID)
	require.Equal(t, [2]string{"2019-06-29", "2019-07-28"}, lastTerm(active), "FUL-32 terms begin with the activation")
	w.Advance(2 * 24 * time.Hour)
	require.Equal(t, subscription.Subscribed, w.Read(sub.ID).Status, "thirty days after the purchase")

	late := w.Buy("silver", 20)
	w.Advance(30 * 24 * time.Hour)
	require.Equal(t, subscription.Unsubscribed, w.Read(late.ID).Status)
	_, err = w.Service.Landing(ctx, subscriptiontest.Ada, late.ID, subscription.ReasonConfigure)
	require.Equal(t, "Invalid SubscriptionUnsubscribed saasSubscriptionStatus", kindOf(err))
	require.Equal(t, "NotFound EntityNotFound saasSubscriptionStatus", kindOf(w.Service.Activate(ctx, w.Read(late.ID), subscription.Activation{PlanID: "silver"})))
}

func TestResellersAndTheirCustomersOpenTheLandingPage(t *testing.T) { // FUL-20
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	o := subscriptiontest.Order("silver", 20)
	o.Store, o.Buyer = subscription.StorePartnerCenter, subscriptiontest.Ada
	o.Beneficiary = &subscription.Party{TenantID: subscriptiontest.Tim.TenantID, ObjectID: subscriptiontest.Tim.ObjectID}
	sub := w.BuyOrder(o)
	for _, tc := range []struct {
		who  string
		oid  string
		of   account.Caller
		want string
	}{
		{"the reseller", subscriptiontest.Ada.ObjectID, subscriptiontest.Ada, "ok"},
		{"a colleague of the reseller", "adadadad-0000-4000-8000-0000000000b9", subscriptiontest.Ada, "ok"},
		{"the customer", subscriptiontest.Tim.ObjectID, subscriptiontest.Tim, "ok"},
		{"a colleague of the customer", "77777777-0000-4000-8000-0000000000b9", subscriptiontest.Tim, "Forbidden Forbidden "},
	} {
		caller := tc.of
		caller.ObjectID = tc.oid
		_, err := w.Service.Landing(ctx, caller, sub.ID, subscription.ReasonConfigure)
		require.Equal(t, tc.want, kindOf(err), tc.who)
	}
}

func TestRecordsStay(t *testing.T) { // FUL-64, FUL-35
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	sub := w.Active("silver", 20)
	o, err := w.Service.Cancel(ctx, sub)
	require.NoError(t, err)
	w.Work()
	before := w.Read(sub.ID)
	for range 10 {
		w.Advance(366 * 24 * time.Hour)
		_, err := w.Service.CatchUp(ctx, 10_000)
		require.NoError(t, err)
		w.Work()
	}
	require.Equal(t, before, w.Read(sub.ID))
	subs, _, err := w.Service.List(ctx, subscriptiontest.App, "")
	require.NoError(t, err)
	require.Len(t, subs, 1)
	got, err := w.Service.OperationOf(ctx, &before, o.ID)
	require.NoError(t, err)
	require.Equal(t, subscription.ActionUnsubscribe, got.Action)
}

func TestChangesFromTheStore(t *testing.T) { // FUL-56
	t.Parallel()
	type change func(*subscriptiontest.World, subscription.Subscription, subscription.Target) (subscription.Operation, error)
	byPublisher := func(w *subscriptiontest.World, sub subscription.Subscription, to subscription.Target) (subscription.Operation, error) {
		return w.Service.Change(ctx, sub, to)
	}
	byBuyer := func(w *subscriptiontest.World, sub subscription.Subscription, to subscription.Target) (subscription.Operation, error) {
		return w.Service.ChangeByBuyer(ctx, subscriptiontest.Ada, sub.ID, to)
	}
	seats := func(n int) subscription.Target {
		return subscription.Target{Seats: subscription.Seats{Given: true, Count: n}}
	}
	for _, to := range []subscription.Target{
		{PlanID: "silver"}, {PlanID: "tin"}, {PlanID: "platinum"}, {PlanID: "stopped"}, {PlanID: "annual"}, {}, seats(0), seats(20), seats(51), seats(1_000_001),
	} {
		w := subscriptiontest.New(t, subscription.Guide)
		sub := w.Active("silver", 20)
		_, publisher := byPublisher(w, sub, to)
		_, buyer := byBuyer(w, sub, to)
		require.Error(t, buyer)
		require.Equal(t, kindOf(publisher), kindOf(buyer), "the same checks: %+v", to)
	}
	for source, do := range map[subscription.Source]change{subscription.FromPartner: byPublisher, subscription.FromAzure: byBuyer} {
		for _, to := range []subscription.Target{{PlanID: "gold"}, seats(25)} {
			w := subscriptiontest.New(t, subscription.Guide)
			sub := w.Active("silver", 20)
			o, err := do(w, sub, to)
			require.NoError(t, err)
			require.Equal(t, source, w.Operation(sub.ID, o.ID).Source)
			w.Hook.Answer(func(call.Request) (call.Reply, error) {
				require.Equal(t, []any{"silver", 20}, []any{w.Read(sub.ID).PlanID, w.Read(sub.ID).Quantity}, "FUL-55 it waits for the acknowledgement")
				return call.Reply{Status: 200}, nil
			})
			w.Work()
			require.Equal(t, []string{string(o.Action)}, w.Hook.Actions(t), "the webhook is called")
			require.Equal(t, subscription.InProgress, w.Operation(sub.ID, o.ID).Status)
			require.NoError(t, w.Service.Acknowledge(ctx, w.Read(sub.ID), o.ID, subscription.AckedFailure))
			require.Equal(t, []any{"silver", 20}, []any{w.Read(sub.ID).PlanID, w.Read(sub.ID).Quantity})
		}
	}
}
