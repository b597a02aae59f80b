package billing_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/billing"
	"stoa/shared/billing/billingtest"
	"stoa/shared/fault"
	"stoa/shared/subscription"
)

// end cancels a subscription that the world has, in its free window.
func end(w *billingtest.World, sub subscription.Subscription) {
	sub.Status, sub.EndedAt, sub.Waived = subscription.Unsubscribed, w.Now(), true
	w.Save(sub)
}

func lineOf(t testing.TB, w *billingtest.World, key string) billing.Line {
	t.Helper()
	l, err := w.Ledger.Line(t.Context(), "contoso", billing.LineID(key))
	require.NoError(t, err)
	return l
}

func TestWaivedTermIsNeverCharged(t *testing.T) {
	t.Parallel()
	const key = "term:s1:1:flat"
	for _, c := range []struct {
		name   string
		before func(t *testing.T, w *billingtest.World) // what happened before the cancellation
		want   billing.State
	}{
		{"FUL-61 before the charge", func(*testing.T, *billingtest.World) {}, billing.Voided},
		{"BIL-32 while it is pending", func(t *testing.T, w *billingtest.World) {
			w.Charge(t, "s1", 1)
			require.Empty(t, w.Pump(t, nil))
		}, billing.Voided},
		{"BIL-62 after the capture", func(t *testing.T, w *billingtest.World) {
			w.Charge(t, "s1", 1)
			require.Empty(t, w.Pump(t, nil))
			w.Set(start.Add(25 * time.Hour)) // news that comes late, or a longer window
			require.Empty(t, w.Pump(t, nil))
		}, billing.Refunded},
		{"BIL-70 after the holding period", func(t *testing.T, w *billingtest.World) {
			w.Charge(t, "s1", 1)
			for _, at := range []time.Time{start, start.Add(25 * time.Hour), start.AddDate(0, 2, 0)} {
				w.Set(at)
				require.Empty(t, w.Pump(t, nil))
			}
			require.NotZero(t, w.Balances(t, "USD", billingtest.Accounts...)["publisher:{p}:payable"])
		}, billing.Refunded},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := billingtest.New(t, start)
			sub := w.Subscribe("s1", "100.00", "USD")
			c.before(t, w)
			end(w, sub)
			for range 3 {
				require.NoError(t, w.Billing.ChargeTerm(t.Context(), "s1", 1))
			}
			require.Empty(t, w.Pump(t, nil))
			require.Equal(t, c.want, lineOf(t, w, key).State)
			for range 3 {
				w.Set(w.Now().AddDate(0, 1, 0))
				require.Empty(t, w.Pump(t, nil))
			}
			require.Empty(t, w.Balances(t, "USD", billingtest.Accounts...), "nothing is left of it anywhere")
			open, _, err := w.Ledger.Releases(t.Context(), "contoso", w.Now().AddDate(1, 0, 0), "", 10)
			require.NoError(t, err)
			sum := int64(0)
			for _, r := range open {
				sum += r.Amount.Minor
			}
			require.Zero(t, sum, "nothing is paid out for it")
		})
	}
}

// A window longer than ours (FUL-61): the subscription's word counts when the end of ours is worked late.
func TestWaivedAfterOurWindow(t *testing.T) {
	t.Parallel()
	w := billingtest.New(t, start)
	sub := w.Subscribe("s1", "100.00", "USD")
	w.Charge(t, "s1", 1)
	require.Empty(t, w.Pump(t, nil))
	w.Set(start.Add(48 * time.Hour))
	end(w, sub)
	require.Empty(t, w.Pump(t, nil))
	require.Equal(t, billing.Voided, lineOf(t, w, "term:s1:1:flat").State)
	require.Empty(t, w.Balances(t, "USD", billingtest.Accounts...))
}

// Who saw the subscription before its end does not charge it afterwards.
func TestChargeThatWasUnderWay(t *testing.T) {
	t.Parallel()
	w := billingtest.New(t, start)
	sub := w.Subscribe("s1", "100.00", "USD")
	end(w, sub)
	require.NoError(t, w.Billing.ChargeTerm(t.Context(), "s1", 1))
	w.Save(sub) // as it was read before
	require.NoError(t, w.Billing.ChargeTerm(t.Context(), "s1", 1))
	require.Empty(t, w.Pump(t, nil))
	require.Empty(t, w.Balances(t, "USD", billingtest.Accounts...))
}

// A capture that another worker makes while the cancellation arrives: one of both comes back and decides again.
func TestWaivedWhileItIsCaptured(t *testing.T) {
	t.Parallel()
	w := billingtest.New(t, start)
	sub := w.Subscribe("s1", "100.00", "USD")
	w.Charge(t, "s1", 1)
	require.Empty(t, w.Pump(t, nil))
	w.Set(start.Add(25 * time.Hour))
	id := billing.LineID("term:s1:1:flat")
	hook := &hooked{Ledger: w.Ledger, at: 1, then: func() {
		w.Save(sub) // as it was read before the end
		require.NoError(t, w.Billing.Confirm(t.Context(), "contoso", id))
		require.Equal(t, billing.Invoiced, lineOf(t, w, "term:s1:1:flat").State)
		end(w, sub)
	}}
	end(w, sub)
	err := serviceOver(t, w, hook).ChargeTerm(t.Context(), "s1", 1)
	require.True(t, err == nil || fault.As(err).Kind.Transient(), "%v", err)
	require.NoError(t, w.Billing.ChargeTerm(t.Context(), "s1", 1))
	require.Empty(t, w.Pump(t, nil))
	require.Empty(t, w.Balances(t, "USD", billingtest.Accounts...))
}

// BIL-26: what was used inside the free window is charged although the term is not.
func TestOverageInTheFreeWindow(t *testing.T) {
	t.Parallel()
	w := billingtest.New(t, start)
	sub := w.Subscribe("s1", "100.00", "USD")
	w.Charge(t, "s1", 1)
	w.Use(t, "s1", "basic", "100", start)
	require.Empty(t, w.Pump(t, nil))
	w.Set(start.Add(time.Hour))
	end(w, sub)
	w.Charge(t, "s1", 1)
	require.NoError(t, w.Billing.ChargeTerm(t.Context(), "s1", 1))
	require.Empty(t, w.Pump(t, nil))
	w.Set(start.Add(25 * time.Hour))
	require.Empty(t, w.Pump(t, nil))
	require.Equal(t, map[string]int64{
		"platform:cash": 1000, "publisher:{p}:escrow": -970, "platform:revenue:storeFee": -30,
	}, w.Balances(t, "USD", billingtest.Accounts...))
}
