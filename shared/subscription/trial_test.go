package subscription_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/offer"
	"stoa/shared/subscription"
	"stoa/shared/subscription/subscriptiontest"
)

// trialist is a world on 2019-06-01 and the subscription with a running trial in it.
func trialist(t *testing.T) (*subscriptiontest.World, subscription.Subscription) {
	t.Helper()
	w := subscriptiontest.New(t, subscription.Guide)
	w.SetClock(instant("2019-06-01T10:00:00Z"))
	sub := w.Active("trial", 20)
	require.True(t, sub.FreeTrial)
	return w, sub
}

func cancel(t *testing.T, w *subscriptiontest.World, id string) {
	t.Helper()
	_, err := w.Service.CancelByBuyer(ctx, subscriptiontest.Ada, id)
	require.NoError(t, err)
}

func TestTheDaysOfATrialCarryOver(t *testing.T) { // SAS-53
	t.Parallel()
	w, sub := trialist(t)
	w.AdvanceTo(instant("2019-06-16T00:00:00Z"))
	for _, plan := range []string{"trial2", "trial", "trial2"} {
		_, err := w.Service.ChangeByBuyer(ctx, subscriptiontest.Ada, sub.ID, subscription.Target{PlanID: plan})
		require.NoError(t, err)
		w.Work()
		w.Advance(11 * time.Second)
		s := w.Read(sub.ID)
		require.Equal(t, []any{plan, true, [2]string{"2019-06-01", "2019-06-30"}}, []any{s.PlanID, s.FreeTrial, lastTerm(s)})
	}
	require.Empty(t, terms(t, w), "nothing is charged until the conversion")
	w.AdvanceTo(instant("2019-07-01T00:00:00Z"))
	s := w.Read(sub.ID)
	require.Equal(t, []any{"trial2", false, [2]string{"2019-07-01", "2019-07-31"}}, []any{s.Terms[1].PlanID, s.FreeTrial, lastTerm(s)}, "SAS-54 the plan held at the end is converted")
	require.Equal(t, []string{"term:s:1"}, terms(t, w))
}

func TestATrialIsNotEndedEarly(t *testing.T) { // SAS-54
	t.Parallel()
	w, sub := trialist(t)
	_, err := w.Service.ChangeByBuyer(ctx, subscriptiontest.Ada, sub.ID, subscription.Target{PlanID: "trial"})
	require.Equal(t, "Invalid TrialNotEnded planId", kindOf(err))
	_, err = w.Service.Change(ctx, sub, subscription.Target{PlanID: "trial"})
	require.Equal(t, "Invalid InvalidValue planId", kindOf(err), "the publisher's contract has no such word")
	require.True(t, w.Read(sub.ID).FreeTrial)
}

// A change to a plan without trial that succeeds behind the trial's end, before that end was worked: the paid term
// follows the trial on the plan that was held then, and the change is one inside it (BIL-53).
func TestALateChangeOutOfATrial(t *testing.T) { // FUL-91, FUL-92
	t.Parallel()
	w, sub := trialist(t)
	w.AdvanceTo(instant("2019-06-30T23:59:55Z"))
	o, err := w.Service.Change(ctx, sub, subscription.Target{PlanID: "gold"})
	require.NoError(t, err)
	w.Work()
	w.SetClock(instant("2019-07-03T00:00:00Z"))
	require.NoError(t, w.Service.Work(ctx, subscription.Work{SubscriptionID: sub.ID, OperationID: o.ID, Kind: subscription.AckDeadline}))
	w.Advance(0)
	s := w.Read(sub.ID)
	require.Equal(t, []any{"gold", false, [2]string{"2019-07-01", "2019-07-31"}}, []any{s.PlanID, s.FreeTrial, lastTerm(s)})
	require.Equal(t, []any{"trial", "10", "20"}, []any{s.Terms[1].PlanID, s.Terms[1].UnitPrice.String(), s.UnitPrice.String()})
	require.Equal(t, []string{"term:s:1", "term:s:1:" + o.ID}, terms(t, w))
}

func TestATrialWithoutRenewalEnds(t *testing.T) { // FUL-89, BIL-42
	t.Parallel()
	w, sub := trialist(t)
	require.NoError(t, w.Service.SetAutoRenew(ctx, subscriptiontest.Ada, sub.ID, false))
	w.AdvanceTo(instant("2019-06-30T23:59:59Z"))
	require.Equal(t, subscription.Subscribed, w.Read(sub.ID).Status)
	w.AdvanceTo(instant("2019-07-01T00:00:00Z"))
	require.Equal(t, subscription.Unsubscribed, w.Read(sub.ID).Status)
	require.Empty(t, terms(t, w))
	require.False(t, w.Active("trial2", 1).FreeTrial, "the whole trial was used")
}

func TestAStoppedTrialLeavesItsRest(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name           string
		stop, again    string
		plan           string
		trial          bool
		start, end     string
		paid, paidEnds string
	}{
		{"SAS-55 ten days used", "2019-06-10T09:00:00Z", "2019-08-01T10:00:00Z", "trial2", true, "2019-08-01", "2019-08-20", "2019-08-21", "2019-09-20"},
		{"SAS-55 the first day is used", "2019-06-01T11:00:00Z", "2019-06-01T12:00:00Z", "trial", true, "2019-06-01", "2019-06-29", "2019-06-30", "2019-07-29"},
		{"SAS-55 one day is left", "2019-06-29T23:59:59Z", "2019-07-31T10:00:00Z", "trial2", true, "2019-07-31", "2019-07-31", "2019-08-01", "2019-08-31"},
		{"SAS-55 none is left", "2019-06-30T00:00:00Z", "2019-07-31T10:00:00Z", "trial2", false, "2019-07-31", "2019-08-30", "2019-08-31", "2019-09-29"},
		{"SAS-55 a plan without a trial", "2019-06-10T09:00:00Z", "2019-08-01T10:00:00Z", "gold", false, "2019-08-01", "2019-08-31", "2019-09-01", "2019-09-30"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w, sub := trialist(t)
			w.AdvanceTo(instant(tc.stop))
			cancel(t, w, sub.ID)
			w.AdvanceTo(instant(tc.again))
			next := w.Active(tc.plan, 5)
			require.Equal(t, []any{tc.trial, [2]string{tc.start, tc.end}}, []any{next.FreeTrial, lastTerm(next)})
			require.Equal(t, !tc.trial, len(terms(t, w)) == 1, "FUL-34 a trial is not charged")
			w.AdvanceTo(instant(tc.paid + "T00:00:00Z"))
			s := w.Read(next.ID)
			require.Equal(t, []any{false, [2]string{tc.paid, tc.paidEnds}}, []any{s.FreeTrial, lastTerm(s)})
		})
	}
}

func TestTheRestOfATrialIsUsedOnce(t *testing.T) { // SAS-55, 5.5
	t.Parallel()
	w, sub := trialist(t)
	w.AdvanceTo(instant("2019-06-10T09:00:00Z")) // 20 days left
	cancel(t, w, sub.ID)
	second := w.Active("trial2", 5)
	require.True(t, second.FreeTrial)
	require.False(t, w.Active("trial", 5).FreeTrial, "another one at the same time")
	cancelledBefore := w.Buy("trial", 5)
	cancel(t, w, cancelledBefore.ID)
}

func TestTheRestOfARestGoesOn(t *testing.T) { // 5.5
	t.Parallel()
	w, sub := trialist(t)
	w.AdvanceTo(instant("2019-06-10T09:00:00Z")) // 20 days left
	cancel(t, w, sub.ID)
	second := w.Active("trial2", 5)
	w.AdvanceTo(instant("2019-06-14T09:00:00Z")) // 15 days left
	cancel(t, w, second.ID)
	never := w.Buy("trial", 5)
	cancel(t, w, never.ID)
	w.AdvanceTo(instant("2019-07-01T09:00:00Z"))
	third := w.Active("trial", 5)
	require.Equal(t, []any{true, [2]string{"2019-07-01", "2019-07-15"}}, []any{third.FreeTrial, lastTerm(third)})
	require.Empty(t, terms(t, w))
}

func TestNoTrialAfterAPaidTerm(t *testing.T) { // SAS-55
	t.Parallel()
	t.Run("converted", func(t *testing.T) {
		t.Parallel()
		w, sub := trialist(t)
		w.AdvanceTo(instant("2019-07-01T00:00:00Z"))
		cancel(t, w, sub.ID)
		next := w.Active("trial2", 5)
		require.False(t, next.FreeTrial)
		require.Equal(t, []string{"term:s:1", "term:s:1"}, terms(t, w), "it is charged at its activation")
	})
	t.Run("another subscription was paid", func(t *testing.T) {
		t.Parallel()
		w, sub := trialist(t)
		w.Active("gold", 5)
		w.Advance(2 * time.Minute)
		cancel(t, w, sub.ID)
		require.False(t, w.Active("trial2", 5).FreeTrial)
	})
	t.Run("paid and cancelled a moment ago", func(t *testing.T) {
		t.Parallel()
		w := subscriptiontest.New(t, subscription.Guide)
		cancel(t, w, w.Active("gold", 5).ID)
		require.False(t, w.Active("trial", 5).FreeTrial)
	})
	t.Run("paid before the offer had trials", func(t *testing.T) {
		t.Parallel()
		w := subscriptiontest.New(t, subscription.Guide)
		c := subscriptiontest.Content()
		for i := range c.Plans {
			c.Plans[i].FreeTrial = false
		}
		w.Offers.Put(versionOf(c))
		w.Active("silver", 5)
		w.Offers.Put(versionOf(subscriptiontest.Content()))
		w.Advance(2 * time.Minute)
		require.False(t, w.Active("trial", 5).FreeTrial)
	})
	t.Run("the change of a paid one to a plan with trial", func(t *testing.T) {
		t.Parallel()
		w := subscriptiontest.New(t, subscription.Guide)
		sub := w.Active("silver", 5)
		_, err := w.Service.Change(ctx, sub, subscription.Target{PlanID: "trial"})
		require.NoError(t, err)
		w.Work()
		w.Advance(11 * time.Second)
		require.Equal(t, []any{"trial", false}, []any{w.Read(sub.ID).PlanID, w.Read(sub.ID).FreeTrial})
	})
	t.Run("of another tenant or on another offer there is one", func(t *testing.T) {
		t.Parallel()
		w := subscriptiontest.New(t, subscription.Guide)
		w.Active("gold", 5)
		o := subscriptiontest.Order("trial", 5)
		o.Buyer = subscriptiontest.Tim
		require.True(t, w.Activate(w.BuyOrder(o).ID).FreeTrial)
		c := subscriptiontest.Content()
		c.OfferID = "offer2"
		w.Offers.Put(versionOf(c))
		o = subscriptiontest.Order("trial", 5)
		o.OfferID = "offer2"
		require.True(t, w.Activate(w.BuyOrder(o).ID).FreeTrial)
	})
}

// 5.5: of many that ask for the rest of a stopped trial at once, one gets it.
func TestParallelHeirsOfATrial(t *testing.T) {
	t.Parallel()
	w, sub := trialist(t)
	w.AdvanceTo(instant("2019-06-10T09:00:00Z"))
	cancel(t, w, sub.ID)
	var ids []string
	for range 8 {
		ids = append(ids, w.Buy("trial", 1).ID)
	}
	errs := make(chan error, len(ids))
	for _, id := range ids {
		sub := w.Read(id)
		go func() { errs <- w.Service.Activate(ctx, sub, subscription.Activation{PlanID: "trial"}) }()
	}
	for range ids {
		require.NoError(t, <-errs)
	}
	free := 0
	for _, id := range ids {
		if w.Read(id).FreeTrial {
			free++
		}
	}
	require.Equal(t, 1, free)
}

func TestListOnlyTrialsMakeNoSubscription(t *testing.T) { // SAS-56
	t.Parallel()
	for _, option := range []string{offer.FreeTrial, offer.GetItNowFree, offer.ContactMe} {
		w := subscriptiontest.New(t, subscription.Guide)
		c := subscriptiontest.Content()
		c.ListingOption, c.TrialURL = option, "https://contoso.com/trial"
		w.Offers.Put(versionOf(c))
		_, err := w.Service.Purchase(ctx, subscriptiontest.Order("trial", 5))
		require.Equal(t, "Invalid InvalidValue offerId", kindOf(err), option)
		subs, _, err := w.Service.ListBought(ctx, subscriptiontest.Ada, "")
		require.NoError(t, err)
		require.Empty(t, subs)
		w.Advance(40 * 24 * time.Hour)
		require.Empty(t, w.Hook.Calls())
		require.Empty(t, terms(t, w))
	}
}
