package subscription_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/account"
	"stoa/shared/offer"
	"stoa/shared/subscription"
	"stoa/shared/subscription/subscriptiontest"
)

// sells puts an offer live in a version of its own, with own terms or without.
func sells(w *subscriptiontest.World, offerID, submission, terms string) {
	c := subscriptiontest.Content()
	c.OfferID, c.Listing.Terms = offerID, terms
	w.Offers.Put(offer.Version{Slot: offer.Production, Number: 3, Submission: submission, Content: c})
	w.SetClock(w.Now().Add(3 * time.Second)) // what is known of an offer is at most two seconds old
}

// buys says what becomes of an order that accepts the documents.
func buys(w *subscriptiontest.World, buyer account.Caller, plan, offerID string, accepts ...string) string {
	w.T.Helper()
	o := order(plan, offerID)
	o.Buyer, o.AcceptedTerms = buyer, accepts
	_, err := w.Service.Purchase(ctx, o)
	return kindOf(err)
}

const notAccepted = "Invalid TermsNotAccepted acceptedTerms"

func TestTheStandardContractIsAcceptedOnce(t *testing.T) { // SAS-19
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	sells(w, "offer2", "s1", "")
	colleague := subscriptiontest.Ada
	colleague.ObjectID, colleague.TenantID = "adadadad-0000-4000-8000-0000000000b2", "ADADADAD-0000-4000-8000-000000000003"
	require.Equal(t, notAccepted, buys(w, subscriptiontest.Ada, "trial", "offer1"), "a trial included")
	require.Equal(t, "Invalid InvalidValue quantity", func() string {
		o := order("gold", "offer1")
		o.Seats.Count = 501
		_, err := w.Service.Purchase(ctx, o)
		return kindOf(err)
	}())
	require.Equal(t, notAccepted, buys(w, subscriptiontest.Ada, "silver", "offer1"), "a purchase that is refused accepts nothing")
	require.Equal(t, "ok", buys(w, subscriptiontest.Ada, "silver", "offer1", subscription.StandardContract))
	for _, buyer := range []account.Caller{subscriptiontest.Ada, colleague} {
		require.Equal(t, "ok", buys(w, buyer, "silver", "offer1"), "remembered for the tenant")
		require.Equal(t, "ok", buys(w, buyer, "trial", "offer2"), "remembered over offers")
	}
	require.Equal(t, notAccepted, buys(w, subscriptiontest.Tim, "silver", "offer1"), "another tenant did not")
}

func TestOwnTermsAreAcceptedForEachVersion(t *testing.T) { // SAS-19
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	sells(w, "offer2", "s1", "Be kind.")
	sells(w, "offer3", "s1", "Be kind.")
	first := subscription.OwnTerms + ":s1"
	require.Equal(t, notAccepted, buys(w, subscriptiontest.Ada, "silver", "offer2", subscription.StandardContract), "the standard contract is another text")
	require.Equal(t, "ok", buys(w, subscriptiontest.Ada, "silver", "offer2", first))
	require.Equal(t, "ok", buys(w, subscriptiontest.Ada, "trial", "offer2"), "remembered")
	require.Equal(t, notAccepted, buys(w, subscriptiontest.Ada, "silver", "offer3"), "of that offer only")
	require.Equal(t, notAccepted, buys(w, subscriptiontest.Ada, "silver", "offer1"), "nor is it the standard contract")
	sells(w, "offer2", "s2", "Be kind.")
	require.Equal(t, notAccepted, buys(w, subscriptiontest.Ada, "trial", "offer2", first), "of that version only")
	require.Equal(t, "ok", buys(w, subscriptiontest.Ada, "trial", "offer2", subscription.OwnTerms+":s2"))
	require.Equal(t, notAccepted, buys(w, subscriptiontest.Tim, "silver", "offer2"))
}

// The amendments to the standard contract are accepted with it: that for all, and those that name the tenant.
func TestAmendmentsAreAccepted(t *testing.T) { // SAS-18, SAS-19
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	amended := func(submission, terms string) {
		c := subscriptiontest.Content()
		c.OfferID, c.Listing.Terms = "offer2", terms
		c.Legal = offer.Legal{Universal: "For all.", Custom: []offer.Amendment{
			{Terms: "For others.", Tenants: []offer.AmendmentTenant{{ID: "cccccccc-0000-4000-8000-000000000009"}}},
			{Terms: "For Ada.", Tenants: []offer.AmendmentTenant{{ID: "ADADADAD-0000-4000-8000-000000000003"}}},
		}}
		w.Offers.Put(offer.Version{Slot: offer.Production, Number: 3, Submission: submission, Content: c})
		w.SetClock(w.Now().Add(3 * time.Second))
	}
	amended("s1", "")
	shelf := subscription.Shelf{Buyer: subscriptiontest.Ada, PublisherID: "contoso", OfferID: "offer2"}
	docs, err := w.Service.Terms(ctx, shelf)
	require.NoError(t, err)
	universal, custom := subscription.UniversalAmendment+":s1", subscription.CustomAmendment+":s1:2"
	require.Equal(t, []subscription.Document{
		{ID: subscription.StandardContract, Kind: subscription.StandardContract},
		{ID: universal, Kind: subscription.UniversalAmendment, Version: 3, Text: "For all."},
		{ID: custom, Kind: subscription.CustomAmendment, Version: 3, Text: "For Ada."},
	}, docs, "SAS-18: nobody sees what is for others")
	require.Equal(t, notAccepted, buys(w, subscriptiontest.Ada, "silver", "offer2", subscription.StandardContract, universal))
	require.Equal(t, "ok", buys(w, subscriptiontest.Ada, "silver", "offer2", subscription.StandardContract, universal, custom))
	require.Equal(t, "ok", buys(w, subscriptiontest.Ada, "trial", "offer2"), "remembered")
	require.Equal(t, "ok", buys(w, subscriptiontest.Tim, "silver", "offer2", subscription.StandardContract, universal), "SAS-18: no amendment names this tenant")
	amended("s2", "")
	require.Equal(t, notAccepted, buys(w, subscriptiontest.Ada, "silver", "offer2"), "SAS-19: for each version")
	amended("s3", "Own terms.")
	require.Equal(t, "ok", buys(w, subscriptiontest.Ada, "silver", "offer2", subscription.OwnTerms+":s3"), "own terms have no amendments")
}

func TestTermsAreAcceptedBeforeThePurchase(t *testing.T) { // SAS-19
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	sells(w, "offer2", "s1", "Be kind.")
	shelf := subscription.Shelf{Buyer: subscriptiontest.Ada, PublisherID: "contoso", OfferID: "offer2"}
	own := subscription.OwnTerms + ":s1"
	docs, err := w.Service.Terms(ctx, shelf)
	require.NoError(t, err)
	require.Equal(t, []subscription.Document{{ID: own, Kind: subscription.OwnTerms, Version: 3, Text: "Be kind."}}, docs)
	for _, ids := range [][]string{nil, {}, {subscription.StandardContract}, {own, "more"}} {
		_, err = w.Service.Accept(ctx, shelf, ids)
		require.Error(t, err)
	}
	require.Equal(t, notAccepted, buys(w, subscriptiontest.Ada, "silver", "offer2"), "an acceptance that was refused accepts nothing")
	at := w.Now()
	for range 2 {
		docs, err = w.Service.Accept(ctx, shelf, []string{own})
		require.NoError(t, err)
		require.Equal(t, at, docs[0].AcceptedAt, "the first time stands")
		w.SetClock(w.Now().Add(time.Hour))
	}
	require.Equal(t, "ok", buys(w, subscriptiontest.Ada, "silver", "offer2"))
}

func TestTermsAreThoseOfTheVersionThatIsBought(t *testing.T) {
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	preview(w, "offer1", func(c *offer.Content) {
		c.Listing.Terms = "Be brave."
		c.Plans = append(c.Plans, c.Plans[1])
		c.Plans[len(c.Plans)-1].ID = "coming"
	})
	private := subscriptiontest.Content()
	private.OfferID, private.Plans = "offer4", private.Plans[2:3]
	w.Offers.Put(offer.Version{Slot: offer.Production, Content: private})
	listed := subscriptiontest.Content()
	listed.OfferID, listed.ListingOption = "offer5", offer.ContactMe
	w.Offers.Put(offer.Version{Slot: offer.Production, Content: listed})
	for _, tc := range []struct {
		buyer           account.Caller
		offerID, planID string
		want            string
	}{
		{subscriptiontest.Ada, "offer1", "", subscription.StandardContract},
		{subscriptiontest.Ada, "offer1", "silver", subscription.StandardContract},
		{subscriptiontest.Ada, "offer1", "coming", subscription.OwnTerms + ":"},
		{subscriptiontest.Tim, "offer1", "coming", "NotFound EntityNotFound planId"},
		{subscriptiontest.Ada, "offer9", "", "NotFound EntityNotFound offerId"},
		{subscriptiontest.Tim, "offer4", "", subscription.StandardContract},
		{subscriptiontest.Ada, "offer4", "", "NotFound EntityNotFound offerId"}, // SAS-49: of private plans only
		{subscriptiontest.Ada, "offer5", "", "Invalid InvalidValue offerId"},
	} {
		docs, err := w.Service.Terms(ctx, subscription.Shelf{Buyer: tc.buyer, PublisherID: "contoso", OfferID: tc.offerID, PlanID: tc.planID})
		got := kindOf(err)
		if err == nil {
			got = docs[0].ID
		}
		require.Equal(t, tc.want, got, "%+v", tc)
	}
}
