package billing_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/billing"
	"stoa/shared/fault"
	"stoa/shared/subscription"
	"stoa/shared/subscription/subscriptiontest"
)

func TestRenewalIsACharge(t *testing.T) { // BIL-36, FUL-88
	t.Parallel()
	w := newWalk(t, "2022-01-10T10:00:00Z")
	sub := w.Active("silver", 10)
	w.to("2022-02-09T23:59:59Z")
	require.Equal(t, []string{"invoiced New 10000", "none"}, w.lines(sub.ID, 1, 2))
	w.price(11)
	w.to("2022-02-10T00:00:00Z")
	require.Equal(t, []string{"invoiced Renew 11000", "none"}, w.lines(sub.ID, 2, 3), "BIL-21: at the price of its day")
	require.Equal(t, [2]string{"2022-02-10", "2022-03-09"}, dates(w.Read(sub.ID)))
	require.Equal(t, []string{"Renew"}, w.Hook.Actions(t))
	for range 3 { // BIL-13: asked again, told the same
		require.NoError(t, w.billing.RequestTerm(t.Context(), sub.ID, 2))
	}
	w.pump()
	require.Equal(t, int64(21000), w.balance("platform:cash"))
	require.NoError(t, w.Service.SetAutoRenew(t.Context(), subscriptiontest.Ada, sub.ID, false))
	w.to("2022-03-12T00:00:00Z")
	require.Equal(t, subscription.Unsubscribed, w.Read(sub.ID).Status, "BIL-37")
	require.Equal(t, []string{"none"}, w.lines(sub.ID, 3), "BIL-37")
	w.sound()
}

func TestFailedRenewal(t *testing.T) { // walk 7
	t.Parallel()
	w := newWalk(t, "2022-02-01T10:00:00Z")
	sub := w.Active("silver", 10)
	w.to("2022-02-28T00:00:00Z")
	w.card(billing.CardDeclined)
	w.to("2022-03-01T00:00:00Z")
	require.Equal(t, subscription.Suspended, w.Read(sub.ID).Status, "BIL-61")
	require.Equal(t, []string{"Suspend"}, w.Hook.Actions(t))
	require.Equal(t, []string{"none"}, w.lines(sub.ID, 2), "BIL-36: failure posts nothing")
	require.Zero(t, w.balance("customer:{b}:receivable")+w.balance("customer:{b}:unbilled"))
	c, err := w.billing.Collection(t.Context(), sub.ID)
	require.NoError(t, err)
	require.Equal(t, []any{billing.Due, 2, int64(10000)}, []any{c.State, c.Bills[0].Term, c.Bills[0].Total}, "a due row is left")

	w.to("2022-03-10T09:00:00Z")
	w.card(billing.CardValid) // BIL-61: at once
	w.pump()
	require.Equal(t, []int64{20000, -10000}, []int64{w.balance("platform:cash"), w.balance("customer:{b}:credit")}, "BIL-100")
	require.Equal(t, []string{"none"}, w.lines(sub.ID, 2), "BIL-100: not before the Reinstate")
	require.Equal(t, subscription.Suspended, w.Read(sub.ID).Status, "FUL-86")
	w.ack(sub.ID, subscription.AckedSuccess)
	require.Equal(t, []string{"invoiced Renew 10000"}, w.lines(sub.ID, 2))
	require.Zero(t, w.balance("customer:{b}:credit"), "BIL-100")
	require.Equal(t, [2]string{"2022-03-01", "2022-03-31"}, dates(w.Read(sub.ID)), "BIL-61: the payment's date decides nothing about the term's")
	require.Equal(t, int64(20000), w.balance("platform:cash"))
	w.to("2022-04-01T00:00:00Z")
	require.Equal(t, []string{"invoiced Renew 10000"}, w.lines(sub.ID, 3))
	w.sound()
}

func TestRetriesOfARenewal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		declines int    // attempts that fail
		on       string // the day on which it is paid, empty when it never is
	}{
		{"BIL-61 the first, after a day", 1, "2022-03-02"},
		{"BIL-61 the second, after three", 2, "2022-03-04"},
		{"BIL-61 the third, after seven", 3, "2022-03-08"},
		{"BIL-61 the fourth, after fourteen", 4, "2022-03-15"},
		{"BIL-61 the fifth, after twenty-one", 5, "2022-03-22"},
		{"BIL-61 the last, after twenty-eight", 6, "2022-03-29"},
		{"BIL-63 none is left", 7, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWalk(t, "2022-02-01T10:00:00Z")
			sub := w.Active("silver", 10)
			w.to("2022-02-28T00:00:00Z")
			next := make([]billing.CardState, c.declines)
			for i := range next {
				next[i] = billing.CardDeclined
			}
			w.card(billing.CardValid, next...)
			paidOn := ""
			for day := instant("2022-03-01T00:00:00Z"); day.Before(instant("2022-04-02T00:00:00Z")); day = day.AddDate(0, 0, 1) {
				w.to(day.Format(time.RFC3339))
				if s := w.Read(sub.ID); paidOn == "" && s.PendingOp != "" {
					paidOn = day.Format(time.DateOnly)
					w.ack(sub.ID, subscription.AckedSuccess)
				}
			}
			require.Equal(t, c.on, paidOn)
			if c.on == "" {
				require.Equal(t, subscription.Unsubscribed, w.Read(sub.ID).Status, "FUL-85")
				require.Equal(t, []string{"none"}, w.lines(sub.ID, 2), "BIL-63: due rows lapse and were never posted")
				require.Zero(t, w.balance("customer:{b}:receivable"))
				left, err := w.billing.Collection(t.Context(), sub.ID)
				require.NoError(t, err)
				require.Empty(t, left.Bills)
			}
			w.sound()
		})
	}
}

// BIL-64: two terms were missed, the price changed between them.
func TestReinstatedAfterMissedTerms(t *testing.T) {
	t.Parallel()
	w := newWalk(t, "2022-01-01T10:00:00Z")
	sub := w.Active("silver", 10)
	w.to("2022-01-31T00:00:00Z")
	w.card(billing.CardDeclined)
	w.to("2022-02-20T00:00:00Z") // due since 02-01
	w.price(12)
	w.to("2022-03-02T12:00:00Z") // another since 03-01, at another price
	w.price(15)
	w.card(billing.CardValid)
	w.pump()
	require.Equal(t, -int64(10000+12000), w.balance("customer:{b}:credit"), "BIL-64: the sum is collected first")
	require.Equal(t, []string{"none", "none"}, w.lines(sub.ID, 2, 3))
	w.ack(sub.ID, subscription.AckedSuccess)
	require.Equal(t, []string{"invoiced Renew 10000", "invoiced Renew 12000", "none"}, w.lines(sub.ID, 2, 3, 4), "BIL-64: each at the price of its start")
	s := w.Read(sub.ID)
	require.Equal(t, [2]string{"2022-03-01", "2022-03-31"}, dates(s))
	require.Equal(t, []string{"10", "10", "12"}, []string{s.Terms[0].UnitPrice.String(), s.Terms[1].UnitPrice.String(), s.Terms[2].UnitPrice.String()})
	w.to("2022-04-01T00:00:00Z")
	require.Equal(t, []string{"invoiced Renew 15000"}, w.lines(sub.ID, 4))
	w.sound()
}

// BIL-100: when the publisher refuses the Reinstate and the subscription ends, the money goes back in full.
func TestMoneyOfARefusedReinstateGoesBack(t *testing.T) {
	t.Parallel()
	w := newWalk(t, "2022-02-01T10:00:00Z")
	sub := w.Active("silver", 10)
	w.to("2022-02-28T00:00:00Z")
	w.card(billing.CardValid, billing.CardDeclined)
	w.to("2022-03-02T00:00:00Z")
	require.Equal(t, int64(-10000), w.balance("customer:{b}:credit"))
	w.ack(sub.ID, subscription.AckedFailure)
	w.to("2022-03-20T00:00:00Z")
	require.Equal(t, []int64{20000, -10000}, []int64{w.balance("platform:cash"), w.balance("customer:{b}:credit")}, "it is not captured again")
	w.to("2022-04-01T00:00:00Z")
	require.Equal(t, subscription.Unsubscribed, w.Read(sub.ID).Status)
	require.Equal(t, []int64{10000, 0}, []int64{w.balance("platform:cash"), w.balance("customer:{b}:credit")}, "BIL-100")
	require.Equal(t, []string{"none"}, w.lines(sub.ID, 2))
	w.sound()
}

func TestTrialConversion(t *testing.T) { // walk 6
	t.Parallel()
	for _, c := range []struct {
		name   string
		before func(w *walk, id string)
		status subscription.Status
		paid   int64
		lines  []string
	}{
		{"BIL-41 charged, BIL-40 a zero line before", func(*walk, string) {}, subscription.Subscribed, 3000, []string{"firm New 0", "invoiced Renew 3000"}},
		{"BIL-42 autoRenew off", func(w *walk, id string) {
			require.NoError(w.T, w.Service.SetAutoRenew(context.Background(), subscriptiontest.Ada, id, false))
		}, subscription.Unsubscribed, 0, []string{"firm New 0", "none"}},
		{"BIL-43 cancelled a second before", func(w *walk, id string) {
			w.to("2022-06-30T23:59:59Z")
			_, err := w.Service.CancelByBuyer(context.Background(), subscriptiontest.Ada, id)
			require.NoError(w.T, err)
		}, subscription.Unsubscribed, 0, []string{"firm New 0", "none"}},
		{"BIL-45 declined", func(w *walk, _ string) { w.card(billing.CardExpired) }, subscription.Suspended, 0, []string{"firm New 0", "none"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWalk(t, "2022-06-01T10:00:00Z")
			sub := w.Active("trial", 3)
			w.pump()
			c.before(w, sub.ID)
			w.to("2022-07-01T00:10:00Z")
			require.Equal(t, c.status, w.Read(sub.ID).Status)
			require.Equal(t, c.paid, w.balance("platform:cash"))
			require.Equal(t, c.lines, w.lines(sub.ID, 0, 1))
			w.sound()
			if c.status == subscription.Suspended {
				require.False(t, w.Read(sub.ID).TrialHeir != "" || len(w.Read(sub.ID).Terms) > 1, "BIL-45: no term, and no new trial")
				w.card(billing.CardValid)
				w.pump()
				w.ack(sub.ID, subscription.AckedSuccess)
				require.Equal(t, []string{"invoiced Renew 3000"}, w.lines(sub.ID, 1))
				require.Equal(t, [2]string{"2022-07-01", "2022-07-31"}, dates(w.Read(sub.ID)))
				w.sound()
			}
		})
	}
}

// BIL-44: a change out of a trial begins the paid term on its day.
func TestChangeOutOfATrialIsCharged(t *testing.T) {
	t.Parallel()
	w := newWalk(t, "2022-06-01T10:00:00Z")
	sub := w.Active("trial", 3)
	w.to("2022-06-10T10:00:00Z")
	for _, plan := range []string{"trial2", "gold"} {
		_, err := w.Service.ChangeByBuyer(t.Context(), subscriptiontest.Ada, sub.ID, subscription.Target{PlanID: plan})
		require.NoError(t, err)
		w.pump()
		w.SetClock(w.Now().Add(11 * time.Second))
		w.Outbox.Advance(w.Now())
		w.pump()
	}
	require.Equal(t, []string{"invoiced Renew 6000"}, w.lines(sub.ID, 1))
	require.Equal(t, [2]string{"2022-06-10", "2022-07-09"}, dates(w.Read(sub.ID)))
	require.Equal(t, int64(6000), w.balance("platform:cash"), "BIL-44: once, and no proration of the change that began it")
	w.sound()
}

// A change that succeeds while the renewal is being paid for is one inside the new term (FUL-91, BIL-53).
func TestChangeWhileItRenews(t *testing.T) {
	t.Parallel()
	w := newWalk(t, "2022-01-10T10:00:00Z")
	sub := w.Active("silver", 10)
	w.to("2022-02-09T23:59:55Z")
	_, err := w.Service.ChangeByBuyer(t.Context(), subscriptiontest.Ada, sub.ID, subscription.Target{Seats: subscription.Seats{Given: true, Count: 20}})
	require.NoError(t, err)
	w.pump()
	preview, err := w.billing.Preview(t.Context(), w.Read(sub.ID))
	require.NoError(t, err)
	require.Empty(t, preview.Lines, "BIL-52: what did not succeed costs nothing")
	w.SetClock(instant("2022-02-10T00:00:04Z"))
	w.ack(sub.ID, subscription.AckedSuccess)
	w.Outbox.Advance(w.Now())
	w.pump()
	require.Equal(t, []string{"invoiced Renew 10000"}, w.lines(sub.ID, 2), "FUL-91: on the old seats")
	s := w.Read(sub.ID)
	require.Equal(t, []any{10, 20}, []any{s.Terms[1].Quantity, s.Quantity})
	require.Equal(t, int64(10000+20000), w.balance("platform:cash"), "BIL-53: prorated in the new term, from its first day")
	require.Equal(t, "20000", fmt.Sprint(lineAt(t, w, "segment:"+sub.ID+":"+s.Plans[len(s.Plans)-1].Operation+":new").Net))
	w.sound()
}

func lineAt(t *testing.T, w *walk, key string) billing.Line {
	t.Helper()
	l, err := w.ledger.Line(t.Context(), "contoso", billing.LineID(key))
	require.NoError(t, err)
	return l
}

// BIL-54: the preview of a change is what the change posts.
func TestPreviewOfAChange(t *testing.T) {
	t.Parallel()
	w := newWalk(t, "2022-01-13T10:00:00Z")
	sub := w.Active("silver", 1)
	w.to("2022-02-01T11:59:59Z")
	to := subscription.Target{Seats: subscription.Seats{Given: true, Count: 2}}
	would, err := w.Service.PreviewChange(t.Context(), subscriptiontest.Ada, sub.ID, to)
	require.NoError(t, err)
	require.Equal(t, 1, w.Read(sub.ID).Quantity, "nothing is written")
	require.Empty(t, w.Read(sub.ID).PendingOp)
	before := w.balance("platform:cash")
	preview, err := w.billing.Preview(t.Context(), would)
	require.NoError(t, err)
	require.Equal(t, []int64{-1000, 613, 774}, []int64{preview.Lines[0].Net, preview.Lines[1].Net, preview.Lines[2].Net})
	require.Equal(t, []int64{387, 387}, []int64{preview.Total.Minor, preview.DueNow.Minor})
	require.Equal(t, []any{"2022-02-13", int64(2000)}, []any{preview.RenewsOn, preview.Renewal.Minor}, "the next term has two seats")
	require.Equal(t, before, w.balance("platform:cash"))
	_, err = w.Service.ChangeByBuyer(t.Context(), subscriptiontest.Ada, sub.ID, to)
	require.NoError(t, err)
	w.pump()
	w.ack(sub.ID, subscription.AckedSuccess)
	require.Equal(t, preview.DueNow.Minor, w.balance("platform:cash")-before, "BIL-54")
	for _, l := range preview.Lines {
		key := strings.Replace(l.SourceKey, would.Plans[1].Operation, w.Read(sub.ID).Plans[1].Operation, 1)
		posted := lineAt(t, w, key)
		require.Equal(t, []int64{l.Net, l.Tax, l.Fee}, []int64{posted.Net, posted.Tax, posted.Fee}, "BIL-54")
	}
	_, err = w.Service.PreviewChange(t.Context(), subscriptiontest.Ada, sub.ID, to)
	require.Equal(t, "InvalidValue", fault.As(err).Code, "refused like the change")
	_, err = w.Service.PreviewChange(t.Context(), subscriptiontest.Tim, sub.ID, to)
	require.True(t, fault.Is(err, fault.Forbidden))
	w.sound()
}
