package billing_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/billing"
	"stoa/shared/billing/billingtest"
	"stoa/shared/message"
	"stoa/shared/subscription"
	"stoa/shared/subscription/subscriptiontest"
)

// A cancellation between the request for a term and its payment: nothing is kept for a term that never began.
func TestCancelWhileItRenews(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		at   int // the write of the ledger after which it is cancelled
	}{{"BIL-60 before the capture", 1}, {"BIL-60 behind the payment, before it is heard of", 2}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWalk(t, "2022-01-10T10:00:00Z")
			sub := w.Active("silver", 10)
			w.to("2022-02-09T23:59:59Z")
			w.SetClock(instant("2022-02-10T00:00:00Z"))
			w.Outbox.Advance(w.Now())
			require.NoError(t, w.Service.Work(t.Context(), subscription.Work{SubscriptionID: sub.ID, Kind: subscription.TermEnd}))
			w.broken.at, w.broken.late = c.at, true // the answer is lost after the write
			require.Error(t, w.billing.RequestTerm(t.Context(), sub.ID, 2))
			_, err := w.Service.CancelByBuyer(t.Context(), subscriptiontest.Ada, sub.ID)
			require.NoError(t, err)
			w.pump()
			w.to("2022-04-20T00:00:00Z")
			require.Equal(t, int64(10000), w.balance("platform:cash"), "the first term only")
			require.Zero(t, w.balance("customer:{b}:credit"))
			w.sound()
		})
	}
}

// Whatever write of the ledger breaks, before or after it was done, and whatever step of one process another one meets,
// with the same message or with those that are left: the same money in the end, once.
func TestCollectionWhateverHappens(t *testing.T) {
	t.Parallel()
	story := func(t *testing.T, prepare func(w *walk)) (*walk, map[string]int64) {
		w := newWalk(t, "2022-01-01T10:00:00Z")
		prepare(w)
		sub := w.Active("silver", 10)
		w.to("2022-01-31T00:00:00Z")
		w.card(billing.CardValid, billing.CardDeclined, billing.CardDeclined)
		w.to("2022-02-04T00:00:00Z")
		w.ack(sub.ID, subscription.AckedSuccess)
		_, err := w.Service.ChangeByBuyer(t.Context(), subscriptiontest.Ada, sub.ID, subscription.Target{Seats: subscription.Seats{Given: true, Count: 5}})
		require.NoError(t, err)
		w.pump()
		w.ack(sub.ID, subscription.AckedSuccess)
		w.to("2022-03-01T00:00:00Z")
		w.card(billing.CardDeclined)
		w.to("2022-05-05T00:00:00Z")
		require.Equal(t, subscription.Unsubscribed, w.Read(sub.ID).Status)
		w.sound()
		return w, map[string]int64{
			"cash": w.balance("platform:cash"), "credit": w.balance("customer:{b}:credit"), "fee": w.balance("platform:revenue:storeFee"),
			"open": w.balance("customer:{b}:receivable"), "payable": w.balance("publisher:contoso:payable"),
		}
	}
	calm, want := story(t, func(*walk) {})
	require.NotZero(t, want["cash"])
	for k := 1; k <= -calm.broken.at; k++ {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprint("BIL-13 BIL-14 write ", k, " breaks, done ", late), func(t *testing.T) {
				t.Parallel()
				_, got := story(t, func(w *walk) { w.broken.at, w.broken.late = k, late })
				require.Equal(t, want, got)
			})
		}
	}
	for name, meets := range map[string]func(billing.Signal, []message.Message) []billing.Signal{
		"the same": func(now billing.Signal, _ []message.Message) []billing.Signal { return []billing.Signal{now} },
		"those that are left": func(_ billing.Signal, left []message.Message) (others []billing.Signal) {
			for _, m := range left {
				others = append(others, signalOf(t, m))
			}
			return others
		},
	} {
		for k := 1; k <= -calm.steps.at; k++ {
			t.Run(fmt.Sprint("BIL-13 BIL-14 step ", k, " meets ", name), func(t *testing.T) {
				t.Parallel()
				_, got := story(t, func(w *walk) { w.steps.at, w.meets = k, meets })
				require.Equal(t, want, got)
			})
		}
	}
}

// A suspended subscription is asked for no renewal; a cycle of it that closes meanwhile is billed.
func TestSuspendedIsNotRenewed(t *testing.T) {
	t.Parallel()
	w := billingtest.New(t, start)
	sub := w.Subscribe("s1", "100.00", "USD")
	sub.Anchor, sub.TermMonths, sub.AutoRenew = "2026-01-10", 1, true
	sub.Terms[0].Number = 2
	w.Save(sub)
	w.Charge(t, "s1", 2)
	w.Use(t, "s1", "basic", "100", start)
	require.Empty(t, w.Pump(t, nil))
	sub.Status, sub.SuspendedAt = subscription.Suspended, start.Add(time.Hour)
	w.Save(sub)
	w.Set(february)
	require.Empty(t, w.Pump(t, nil))
	require.Equal(t, int64(10000+1000), w.Balances(t, "USD", billingtest.Accounts...)["platform:cash"], "BIL-65: the cycle is billed")
	w.Set(start.AddDate(0, 1, 1))
	require.NoError(t, w.Billing.RequestTerm(t.Context(), "s1", 3))
	require.Empty(t, w.Pump(t, nil))
	require.Equal(t, int64(10000+1000), w.Balances(t, "USD", billingtest.Accounts...)["platform:cash"], "BIL-65: no renewal")
	balanced(t, w)
}

// What was used and is not paid suspends, stays owed over the end, and is asked for again.
func TestDeclinedUsage(t *testing.T) {
	t.Parallel()
	w := billingtest.New(t, start)
	sub := w.Subscribe("s1", "0", "USD")
	w.Use(t, "s1", "basic", "124", start)
	require.Empty(t, w.Pump(t, nil))
	w.Decline(t, 3)
	w.Set(february)
	require.Empty(t, w.Pump(t, nil))
	require.Equal(t, []string{"PaymentFailed 0"}, w.Answers(t), "BIL-61")
	require.Equal(t, int64(1240), w.Balances(t, "USD", billingtest.Accounts...)["customer:adatum:receivable"])
	balanced(t, w)
	sub.Status, sub.EndedAt = subscription.Unsubscribed, february.Add(time.Hour)
	w.Save(sub)
	require.NoError(t, w.Billing.End(t.Context(), "s1"))
	require.Empty(t, w.Pump(t, nil))
	require.Equal(t, int64(1240), w.Balances(t, "USD", billingtest.Accounts...)["customer:adatum:receivable"], "BIL-63: invoices stay")
	for _, days := range []int{1, 3, 7} { // BIL-61
		w.Set(february.AddDate(0, 0, days))
		require.Empty(t, w.Pump(t, nil))
	}
	balances := w.Balances(t, "USD", billingtest.Accounts...)
	require.Equal(t, []int64{1240, 0}, []int64{balances["platform:cash"], balances["customer:adatum:receivable"]})
	require.Equal(t, int64(-1203), balances["publisher:{p}:escrow"], "PAY-2: an earning when the money is there")
	balanced(t, w)
}

// The first charge is captured when its window is over; one that is declined then is owed, and suspends.
func TestDeclinedFirstCharge(t *testing.T) {
	t.Parallel()
	w := billingtest.New(t, start)
	w.Subscribe("s1", "100.00", "USD")
	w.Charge(t, "s1", 1)
	require.Empty(t, w.Pump(t, nil))
	w.Decline(t, 1)
	w.Set(start.Add(25 * time.Hour))
	require.Empty(t, w.Pump(t, nil))
	require.Equal(t, billing.Owed, lineOf(t, w, "term:s1:1:flat").State)
	require.Equal(t, []string{"PaymentFailed 0"}, w.Answers(t))
	sub := w.Sub(t, "s1")
	sub.Status = subscription.Suspended
	w.Save(sub)
	require.NoError(t, w.Cards.SetCard(t.Context(), "adatum", billing.Card{State: billing.CardValid}))
	require.Empty(t, w.Pump(t, nil)) // BIL-61: at once
	require.Equal(t, []string{"PaymentSucceeded 0"}, w.Answers(t))
	require.Equal(t, billing.Invoiced, lineOf(t, w, "term:s1:1:flat").State)
	balanced(t, w)

	w.Subscribe("s2", "50.00", "USD")
	w.Charge(t, "s2", 1)
	require.Empty(t, w.Pump(t, nil))
	w.Decline(t, 1)
	w.Set(w.Now().Add(25 * time.Hour))
	require.Empty(t, w.Pump(t, nil))
	late := w.Sub(t, "s2")
	end(w, late) // BIL-11: inside the window, heard of late
	require.NoError(t, w.Billing.ChargeTerm(t.Context(), "s2", 1))
	require.Empty(t, w.Pump(t, nil))
	require.Zero(t, w.Balances(t, "USD", billingtest.Accounts...)["customer:adatum:receivable"])
	w.Set(w.Now().AddDate(0, 2, 0))
	require.Empty(t, w.Pump(t, nil))
	require.Equal(t, int64(10000), w.Balances(t, "USD", billingtest.Accounts...)["platform:cash"])
	balanced(t, w)
}
