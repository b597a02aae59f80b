package subscription_test

import (
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"stoa/shared/message"
	"stoa/shared/offer"
	"stoa/shared/subscription"
	"stoa/shared/subscription/subscriptiontest"
)

func versionOf(c offer.Content) offer.Version {
	return offer.Version{Slot: offer.Production, Number: 2, Content: c}
}

func instant(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return t
}

func lastTerm(s subscription.Subscription) [2]string {
	t, _ := s.CurrentTerm()
	return [2]string{t.StartDate, t.EndDate}
}

func TestRenewal(t *testing.T) { // FUL-88, FUL-89, walk 6
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	sub := w.Active("silver", 20)
	w.AdvanceTo(instant("2019-06-29T23:59:59.999Z"))
	require.Equal(t, [2]string{"2019-05-31", "2019-06-29"}, lastTerm(w.Read(sub.ID)))
	c := subscriptiontest.Content()
	c.Plans[0].Terms[0].PriceUSD = decimal.NewFromInt(11)
	w.Offers.Put(versionOf(c))
	w.AdvanceTo(instant("2019-06-30T00:00:00Z"))
	s := w.Read(sub.ID)
	require.Equal(t, [2]string{"2019-06-30", "2019-07-30"}, lastTerm(s))
	require.Equal(t, "10", s.Terms[0].UnitPrice.String())
	require.Equal(t, "11", s.Terms[1].UnitPrice.String(), "a renewal takes the price of its day")
	require.Equal(t, []string{"term:s:1", "term:s:2"}, terms(t, w))
	body := w.Hook.Bodies(t)[0]
	require.Equal(t, []any{"Renew", "Success", "20"}, []any{body["action"], body["status"], body["quantity"]})

	require.NoError(t, w.Service.SetAutoRenew(ctx, subscriptiontest.Ada, sub.ID, false))
	w.AdvanceTo(instant("2019-07-31T00:00:00Z"))
	require.Equal(t, subscription.Unsubscribed, w.Read(sub.ID).Status)
	require.Equal(t, []string{"Renew", "Unsubscribe"}, w.Hook.Actions(t))
	require.Len(t, terms(t, w), 2)
}

func TestMissedRenewalsCatchUp(t *testing.T) { // FUL-92
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	sub := w.Active("silver", 20)
	w.AdvanceTo(instant("2019-09-15T00:00:00Z"))
	for range 4 {
		w.Advance(time.Second)
	}
	require.Equal(t, [2]string{"2019-08-31", "2019-09-29"}, lastTerm(w.Read(sub.ID)))
	require.Equal(t, []string{"Renew", "Renew", "Renew"}, w.Hook.Actions(t))
	require.Equal(t, []string{"term:s:1", "term:s:2", "term:s:3", "term:s:4"}, terms(t, w))
	require.NoError(t, w.Service.Work(ctx, subscription.Work{SubscriptionID: sub.ID, Kind: subscription.TermEnd}))
	require.Len(t, w.Read(sub.ID).Terms, 4)
}

func TestRenewalWithAPendingChange(t *testing.T) { // FUL-91
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	sub := w.Active("silver", 20)
	w.AdvanceTo(instant("2019-06-29T23:59:55Z"))
	id := seats(t, w, sub.ID)
	w.Work()
	w.AdvanceTo(instant("2019-06-30T00:00:01Z"))
	require.Equal(t, 20, w.Read(sub.ID).Terms[1].Quantity)
	require.NoError(t, w.Service.Acknowledge(ctx, w.Read(sub.ID), id, "Success"))
	require.Equal(t, 25, w.Read(sub.ID).Quantity)
	require.Equal(t, 20, w.Read(sub.ID).Terms[1].Quantity)
}

func TestNonPayment(t *testing.T) { // FUL-84 to FUL-86, walk 5
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	sub := w.Active("silver", 20)
	w.AdvanceTo(instant("2019-06-10T00:00:00Z"))
	change := seats(t, w, sub.ID)
	_, err := w.Service.Suspend(ctx, sub.ID)
	require.NoError(t, err)
	require.Equal(t, subscription.Suspended, w.Read(sub.ID).Status)
	require.Equal(t, "Suspended", w.Operation(sub.ID, change).ErrorCode)
	w.Work()
	require.Equal(t, []string{"Suspend"}, w.Hook.Actions(t))
	_, err = w.Service.Suspend(ctx, sub.ID)
	require.Equal(t, "Conflict Conflict saasSubscriptionStatus", kindOf(err), "FUL-84")

	w.AdvanceTo(instant("2019-06-20T00:00:00Z"))
	o, err := w.Service.Reinstate(ctx, sub.ID)
	require.NoError(t, err)
	w.Work()
	require.Equal(t, subscription.Suspended, w.Read(sub.ID).Status)
	w.Advance(time.Minute) // FUL-77: no automatic success after ten seconds
	require.Equal(t, subscription.InProgress, w.Operation(sub.ID, o.ID).Status)
	require.NoError(t, w.Service.Acknowledge(ctx, w.Read(sub.ID), o.ID, "Success"))
	require.Equal(t, subscription.Subscribed, w.Read(sub.ID).Status)

	_, err = w.Service.Suspend(ctx, sub.ID) // 2019-06-20T00:01:00
	require.NoError(t, err)
	w.AdvanceTo(instant("2019-07-20T00:00:59Z"))
	require.Equal(t, subscription.Suspended, w.Read(sub.ID).Status)
	w.AdvanceTo(instant("2019-07-20T00:01:00Z"))
	require.Equal(t, subscription.Unsubscribed, w.Read(sub.ID).Status) // FUL-85
	require.Equal(t, []string{"Suspend", "Reinstate", "Suspend", "Unsubscribe"}, w.Hook.Actions(t))
	_, err = w.Service.Reinstate(ctx, sub.ID)
	require.Equal(t, "Conflict Conflict saasSubscriptionStatus", kindOf(err), "FUL-87")
}

func TestReinstateAfterTheTermEnd(t *testing.T) { // FUL-90
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	sub := w.Active("silver", 20)
	w.AdvanceTo(instant("2019-06-29T00:00:00Z"))
	_, err := w.Service.Suspend(ctx, sub.ID)
	require.NoError(t, err)
	w.AdvanceTo(instant("2019-07-02T00:00:00Z"))
	require.Len(t, w.Read(sub.ID).Terms, 1)
	o, err := w.Service.Reinstate(ctx, sub.ID)
	require.NoError(t, err)
	w.Work()
	w.Advance(8 * time.Hour) // FUL-77
	require.Equal(t, subscription.Succeeded, w.Operation(sub.ID, o.ID).Status)
	require.Equal(t, [2]string{"2019-06-30", "2019-07-30"}, lastTerm(w.Read(sub.ID)))
	require.Equal(t, []string{"term:s:1", "term:s:2"}, terms(t, w))
	w.AdvanceTo(instant("2019-07-31T00:00:00Z"))
	require.Equal(t, [2]string{"2019-07-31", "2019-08-30"}, lastTerm(w.Read(sub.ID)), "the new term renews")
}

func TestGraceWaitsForAPendingReinstate(t *testing.T) { // FUL-86
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	sub := w.Active("silver", 20)
	_, err := w.Service.Suspend(ctx, sub.ID)
	require.NoError(t, err)
	w.Work()
	w.Advance(30*24*time.Hour - time.Minute)
	o, err := w.Service.Reinstate(ctx, sub.ID)
	require.NoError(t, err)
	w.Work()
	w.Advance(2 * time.Minute)
	require.Equal(t, subscription.Suspended, w.Read(sub.ID).Status)
	require.NoError(t, w.Service.Acknowledge(ctx, w.Read(sub.ID), o.ID, "Failure"))
	w.Work()
	w.Advance(0)
	require.Equal(t, subscription.Unsubscribed, w.Read(sub.ID).Status)
}

func TestPaymentAfterTheGracePeriod(t *testing.T) { // FUL-87
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	sub := w.In(subscription.Suspended)
	w.SetClock(w.Now().Add(30 * 24 * time.Hour)) // the deadline was not worked yet
	_, err := w.Service.Reinstate(ctx, sub.ID)
	require.Equal(t, "Conflict Conflict ", kindOf(err))
}

func TestReinstateIsToldOnlyUnderCurrent(t *testing.T) {
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Current)
	sub := w.In(subscription.Suspended)
	_, err := w.Service.Reinstate(ctx, sub.ID)
	require.NoError(t, err)
	require.Equal(t, subscription.Subscribed, w.Read(sub.ID).Status)
	w.Work()
	require.Equal(t, []string{"Suspend", "Reinstate"}, w.Hook.Actions(t))
	require.Equal(t, "Succeeded", w.Hook.Bodies(t)[1]["status"])
}

func TestPendingForThirtyDays(t *testing.T) { // FUL-93
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	sub := w.Buy("silver", 20)
	w.Advance(30*24*time.Hour - time.Nanosecond)
	require.Equal(t, subscription.PendingFulfillmentStart, w.Read(sub.ID).Status)
	w.Advance(time.Nanosecond)
	require.Equal(t, subscription.Unsubscribed, w.Read(sub.ID).Status)
	require.Empty(t, w.Hook.Calls())
	require.Empty(t, terms(t, w))
}

func TestFreeWindow(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		profile subscription.Profile
		unit    string
		after   time.Duration
		waived  bool
	}{
		{"FUL-61 a month, the last instant", subscription.Guide, subscription.Monthly, 24 * time.Hour, true},
		{"FUL-61 a month, an instant later", subscription.Guide, subscription.Monthly, 24*time.Hour + 1, false},
		{"FUL-61 a year, the last instant", subscription.Guide, subscription.Annual, 14 * 24 * time.Hour, true},
		{"FUL-61 a year, an instant later", subscription.Guide, subscription.Annual, 14*24*time.Hour + 1, false},
		{"6.1 current, a month, the last instant", subscription.Current, subscription.Monthly, 72 * time.Hour, true},
		{"6.1 current, a year, an instant later", subscription.Current, subscription.Annual, 72*time.Hour + 1, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := subscriptiontest.New(t, tc.profile)
			o := subscriptiontest.Order("silver", 20)
			o.TermUnit = tc.unit
			id := w.BuyOrder(o).ID
			w.SetClock(w.Now().Add(5 * 24 * time.Hour)) // counted from activation, not from purchase
			sub := w.Activate(id)
			w.SetClock(w.Now().Add(tc.after))
			_, err := w.Service.Cancel(ctx, sub)
			require.NoError(t, err)
			require.Equal(t, tc.waived, w.Read(id).Waived)
			require.Equal(t, tc.waived, len(terms(t, w)) == 2, "the ledger is told again")
			require.Equal(t, []string{"ended:s"}, told(t, w, "ended"))
		})
	}
}

func TestTrial(t *testing.T) { // FUL-34, FUL-95, 5.5, walk 10
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	w.SetClock(instant("2019-06-01T10:00:00Z"))
	sub := w.Active("trial", 20)
	require.True(t, sub.FreeTrial)
	require.Equal(t, [2]string{"2019-06-01", "2019-06-30"}, lastTerm(sub))
	require.Empty(t, terms(t, w))
	w.AdvanceTo(instant("2019-06-16T00:00:00Z"))
	_, err := w.Service.Change(ctx, sub, subscription.Target{PlanID: "trial2"})
	require.NoError(t, err)
	w.Work()
	w.Advance(11 * time.Second)
	require.Equal(t, []any{"trial2", true, [2]string{"2019-06-01", "2019-06-30"}}, []any{w.Read(sub.ID).PlanID, w.Read(sub.ID).FreeTrial, lastTerm(w.Read(sub.ID))})
	w.AdvanceTo(instant("2019-07-01T00:00:00Z"))
	s := w.Read(sub.ID)
	require.Equal(t, []any{false, [2]string{"2019-07-01", "2019-07-31"}, "15"}, []any{s.FreeTrial, lastTerm(s), s.Terms[1].UnitPrice.String()})
	require.Equal(t, []string{"term:s:1"}, terms(t, w))
	require.Equal(t, []string{"ChangePlan", "Renew"}, w.Hook.Actions(t))
	require.False(t, w.Active("trial", 1).FreeTrial, "one trial for a tenant and offer")
}

func TestTrialEndsOnAPlanWithoutOne(t *testing.T) { // SAS-54, 5.5
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	sub := w.Active("trial", 20)
	w.AdvanceTo(instant("2019-06-10T10:00:00Z"))
	_, err := w.Service.Change(ctx, sub, subscription.Target{PlanID: "gold"})
	require.NoError(t, err)
	w.Work()
	w.Advance(11 * time.Second)
	s := w.Read(sub.ID)
	require.Equal(t, []any{false, [2]string{"2019-06-10", "2019-07-09"}, "20"}, []any{s.FreeTrial, lastTerm(s), s.UnitPrice.String()})
	require.Equal(t, []string{"term:s:1"}, terms(t, w))
	w.AdvanceTo(instant("2019-06-30T00:00:00Z"))
	require.Len(t, w.Read(sub.ID).Terms, 2, "the end of the trial that is over does nothing")
}

func TestCancelInTheTrial(t *testing.T) { // FUL-95
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	sub := w.Active("trial", 20)
	_, err := w.Service.CancelByBuyer(ctx, subscriptiontest.Ada, sub.ID)
	require.NoError(t, err)
	w.AdvanceTo(instant("2019-07-02T00:00:00Z"))
	require.Empty(t, terms(t, w))
}

func TestCatchUpFindsWhatWasLost(t *testing.T) { // FUL-92
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	active, pending, suspended := w.Active("silver", 20), w.Buy("silver", 20), w.In(subscription.Suspended)
	changing := w.Active("silver", 20)
	id := seats(t, w, changing.ID)
	w.Outbox.Take(message.Webhooks) // lost
	lose := func(to time.Time) {
		w.SetClock(to)
		w.Outbox.Advance(to)
		w.Outbox.Take(message.Webhooks)
	}
	catchUp := func() int {
		n, err := w.Service.CatchUp(ctx, 10_000)
		require.NoError(t, err)
		w.Work()
		return n
	}
	lose(w.Now().Add(subscription.Lateness))
	require.Zero(t, catchUp(), "not late enough")
	lose(w.Now().Add(time.Second))
	require.Equal(t, 2, catchUp(), "the calls of the change and of the suspension")
	require.Equal(t, subscription.InProgress, w.Operation(changing.ID, id).Status)
	lose(w.Now().Add(15 * time.Minute))
	require.Equal(t, 1, catchUp(), "the acknowledgement")
	require.Equal(t, 25, w.Read(changing.ID).Quantity)
	lose(instant("2019-07-01T00:00:00Z"))
	require.Positive(t, catchUp())
	require.Len(t, w.Read(active.ID).Terms, 2)
	require.Equal(t, subscription.Unsubscribed, w.Read(pending.ID).Status)
	require.Equal(t, subscription.Unsubscribed, w.Read(suspended.ID).Status)
}
