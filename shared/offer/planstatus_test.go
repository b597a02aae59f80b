package offer_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/fault"
	"stoa/shared/offer"
)

// published is an offer of three plans that went live: a public, a private and another public one.
func published(t *testing.T, s shelf) offer.Offer {
	t.Helper()
	o := s.create(t, "contoso", "app", false, func(c *offer.Content) {
		p := plan("private")
		p.Private, p.PrivateAudience = true, []string{someGUID}
		c.Plans = []offer.Plan{plan("basic"), p, plan("gold")}
	})
	o.Production, o.Status, o.Published = &offer.Frozen{Submission: 1}, offer.StatusLive, offer.PublishedFacts(nil, o.Content)
	require.NoError(t, s.store.Save(t.Context(), o))
	_, err := s.Edit(t.Context(), ref("app"), func(c *offer.Content) error { c.Plans = append(c.Plans, plan("new")); return nil })
	require.NoError(t, err)
	return o
}

func statuses(o *offer.Offer) map[string]offer.PlanStatus {
	out := map[string]offer.PlanStatus{}
	for _, p := range o.Plans {
		out[p.ID] = o.PlanStatus(p)
	}
	return out
}

// What can be done to a plan hangs on whether it is live (SAS-47, PUB-47).
func TestPlanActions(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	published(t, s)
	_, err := s.StopPlan(t.Context(), ref("app"), "gold")
	require.NoError(t, err)
	o, err := s.store.Offer(t.Context(), "contoso", "app")
	require.NoError(t, err)
	actions := func() map[string][]string {
		out := map[string][]string{}
		for _, p := range o.Plans {
			out[p.ID] = o.PlanActions(p)
		}
		return out
	}
	require.Equal(t, map[string][]string{
		"basic": {offer.ActionStop}, "private": {offer.ActionStop, offer.ActionSync}, "gold": {offer.ActionResume}, "new": {offer.ActionDeleteDraft},
	}, actions(), "SAS-47 PUB-47")
	o.Status = offer.StatusPendingStopDistribution
	require.Equal(t, map[string][]string{"basic": {}, "private": {}, "gold": {}, "new": {offer.ActionDeleteDraft}}, actions())
	o.Status, o.Withdrawn = offer.StatusNotAvailable, true
	require.Equal(t, offer.PlanNotAvailable, statuses(&o)["basic"])
}

// A plan's stop waits for the next go live, and can be withdrawn until then (PUB-51, PUB-52, SAS-48).
func TestStopAndResumeOfPlans(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	published(t, s)
	stop := func(id string) error { _, err := s.StopPlan(t.Context(), ref("app"), id); return err }
	resume := func(id string) error { _, err := s.ResumePlan(t.Context(), ref("app"), id); return err }
	status := func(id string) offer.PlanStatus {
		o, err := s.store.Offer(t.Context(), "contoso", "app")
		require.NoError(t, err)
		return statuses(&o)[id]
	}
	refused(t, stop("nothing"), fault.NotFound, "NotFound")
	refused(t, stop("new"), fault.Conflict, "InvalidPlanState") // SAS-47: it was never live
	refused(t, resume("basic"), fault.Conflict, "InvalidPlanState")
	require.NoError(t, stop("basic"))
	require.Equal(t, offer.PlanPendingStop, status("basic"), "PUB-51")
	refused(t, stop("basic"), fault.Conflict, "InvalidPlanState")
	require.NoError(t, resume("basic"))
	require.Equal(t, offer.PlanLive, status("basic"), "PUB-52")
	require.NoError(t, stop("basic"))
	require.NoError(t, stop("gold"))
	refused(t, stop("private"), fault.Conflict, "LastPlan") // SAS-48 PUB-51
	_, err := s.SavePlan(t.Context(), ref("app"), "private", map[string]any{"stopped": true})
	refused(t, err, fault.Invalid, offer.CodeInvalid)

	o, err := s.store.Offer(t.Context(), "contoso", "app") // it goes live
	require.NoError(t, err)
	o.Published = offer.PublishedFacts(o.Published, o.Content)
	require.NoError(t, s.store.Save(t.Context(), o))
	require.Equal(t, offer.PlanNotAvailable, status("basic"), "PUB-51")
	refused(t, resume("basic"), fault.Conflict, "InvalidPlanState") // PUB-52
	_, err = s.SavePlan(t.Context(), ref("app"), "basic", map[string]any{"stopped": false})
	require.NoError(t, err, "PUB-52 it is updated and published again")
	require.Equal(t, offer.PlanNotAvailable, status("basic"))

	events, _, err := s.store.History(t.Context(), "contoso", "app", "", 20)
	require.NoError(t, err)
	var labels []string
	for _, e := range events[:4] {
		labels = append(labels, e.Label)
	}
	require.Equal(t, []string{"Initiated plan Stop distribution: gold", "Initiated plan Stop distribution: basic", "Resume distribution: basic",
		"Initiated plan Stop distribution: basic"}, labels)
}

// Where an offer is found hangs on its plans and its categories (SAS-50, SAS-49, PUB-25).
func TestStores(t *testing.T) {
	t.Parallel()
	const market, portal, source = offer.AzureMarketplace, offer.AzurePortal, offer.AppSource
	type in = []offer.Storefront
	private := func(p offer.Plan) offer.Plan { p.Private = true; return p }
	metered := func(p offer.Plan) offer.Plan { p.Meters = []offer.Meter{{DimensionID: "d", Enabled: true}}; return p }
	stopped := func(p offer.Plan) offer.Plan { p.Stopped = true; return p }
	for _, row := range []struct {
		name       string
		option     string
		categories []string
		plans      []offer.Plan
		want       in
		private    in
	}{
		{"SAS-50 metered, public", offer.SellThroughMicrosoft, nil, []offer.Plan{metered(plan("a"))}, in{market, portal}, nil},
		{"SAS-50 one metered is enough", offer.SellThroughMicrosoft, nil, []offer.Plan{plan("b"), metered(plan("a"))}, in{market, portal}, nil},
		{"SAS-50 a stopped one does not count", offer.SellThroughMicrosoft, []string{"as:sales"}, []offer.Plan{plan("b"), stopped(metered(plan("a")))}, in{source}, nil},
		{"SAS-50 metered, public and private", offer.SellThroughMicrosoft, nil, []offer.Plan{metered(plan("a")), private(plan("b"))}, in{market, portal}, in{portal, source}},
		{"SAS-50 metered, private only", offer.SellThroughMicrosoft, nil, []offer.Plan{metered(private(plan("a")))}, in{portal}, in{portal}},
		{"SAS-49 SAS-50 private only", offer.SellThroughMicrosoft, []string{"amp:web"}, []offer.Plan{private(plan("a"))}, in{portal, source}, in{portal, source}},
		{"SAS-50 SAS-16 by its category", offer.SellThroughMicrosoft, []string{"amp:web"}, []offer.Plan{plan("a")}, in{market}, nil},
		{"SAS-50 SAS-16 of both stores", offer.SellThroughMicrosoft, []string{"amp:web", "as:sales"}, []offer.Plan{plan("a")}, in{market, source}, nil},
		{"SAS-16 listed only", offer.ContactMe, []string{"as:sales"}, nil, in{source}, nil},
		{"PUB-25 a part of a category", offer.ContactMe, []string{"amp:analytics/big-data"}, nil, in{market}, nil},
		{"PUB-25 a category of both stores", offer.ContactMe, []string{"analytics"}, nil, in{market, source}, nil},
		{"PUB-25 no category that is known", offer.ContactMe, []string{"other"}, nil, in{market, source}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c := offer.Content{OfferType: "SaaS", ListingOption: row.option, Plans: row.plans, Listing: offer.Listing{Categories: row.categories}}
			require.Equal(t, row.want, c.Stores())
			for _, p := range row.plans {
				if p.Private {
					require.Equal(t, row.private, c.PlanStores(p))
				}
			}
		})
	}
	require.Equal(t, in{market}, (&offer.Content{OfferType: "VirtualMachine"}).Stores())
}

// Filters of the history hold together, the values of one for each other (PUB-61, PUB-62).
func TestHistoryFilter(t *testing.T) {
	t.Parallel()
	day := func(d int) time.Time { return time.Date(2026, 1, d, 12, 0, 0, 0, time.UTC) }
	submitted := offer.NewEvent(offer.SubmittedToPreview, "eva", "", day(2))
	submitted.Pages = []string{"offerSetup", "offerListing"}
	events := []offer.Event{
		offer.NewEvent(offer.OfferCreated, "eva", "", day(1)), submitted, {Kind: "offerValidation", At: day(3), Pages: nil}, offer.NewEvent(offer.SignedOff, "adam", "", day(4)),
	}
	for _, row := range []struct {
		name   string
		filter offer.HistoryFilter
		want   []int
	}{
		{"PUB-61 none", offer.HistoryFilter{}, []int{0, 1, 2, 3}},
		{"PUB-61 one kind or another", offer.HistoryFilter{Events: []offer.EventKind{"signedOff", "offerValidation"}}, []int{2, 3}},
		{"PUB-61 a user, in other letters", offer.HistoryFilter{Users: []string{"EVA"}}, []int{0, 1}},
		{"PUB-61 a user and a kind", offer.HistoryFilter{Users: []string{"eva"}, Events: []offer.EventKind{"signedOff"}}, nil},
		{"PUB-61 from and to, both included", offer.HistoryFilter{From: day(2), To: day(3)}, []int{1, 2}},
		{"PUB-62 a page that changed", offer.HistoryFilter{Pages: []string{"offerListing", "properties"}}, []int{1}},
		{"PUB-62 a page that did not", offer.HistoryFilter{Pages: []string{"properties"}}, nil},
		{"PUB-61 PUB-62 a page and a user", offer.HistoryFilter{Pages: []string{"offerSetup"}, Users: []string{"adam"}}, nil},
	} {
		var got []int
		for i, e := range events {
			if row.filter.Matches(e) {
				got = append(got, i)
			}
		}
		require.Equal(t, row.want, got, row.name)
	}
}
