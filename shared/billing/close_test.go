package billing_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"stoa/shared/billing"
	"stoa/shared/billing/billingtest"
	"stoa/shared/fault"
	"stoa/shared/store"
	"stoa/shared/subscription"
)

var (
	february = time.Date(2026, 2, 2, 1, 0, 0, 0, time.UTC) // the cycle of January closes
	march    = time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)
)

// breaking is a ledger whose k-th Apply fails, before it is done or after.
type breaking struct {
	*store.Ledger
	at   int
	late bool
}

func (l *breaking) Apply(ctx context.Context, b billing.Batch) error {
	l.at--
	if l.at != 0 {
		return l.Ledger.Apply(ctx, b)
	}
	if l.late {
		if err := l.Ledger.Apply(ctx, b); err != nil {
			return err
		}
	}
	return fault.New(fault.Unavailable, "StorageUnavailable", "", "the answer is lost")
}

func serviceOver(t testing.TB, w *billingtest.World, ledger billing.Ledger) *billing.Service {
	t.Helper()
	s, err := billing.New(billing.Deps{Ledger: ledger, Subscriptions: w, Resources: w, Usage: w.Usage, Rates: w.Ledger, Instrument: w.Cards, Now: w.Now})
	require.NoError(t, err)
	return s
}

// A close that breaks off at any write, after which the price changes, ends with all lines at one price and
// without a conflict (BIL-30).
func TestPricesAreFixedBeforeTheFirstLine(t *testing.T) {
	t.Parallel()
	for _, late := range []bool{false, true} {
		for k := 1; k <= 6; k++ {
			t.Run(fmt.Sprint("BIL-30 write ", k, " breaks, done ", late), func(t *testing.T) {
				t.Parallel()
				w := billingtest.New(t, start)
				w.Subscribe("s1", "0", "USD")
				w.Use(t, "s1", "basic", "100", start)
				w.Use(t, "s1", "gold", "1000", start.Add(time.Hour))
				require.Empty(t, w.Pump(t, nil))
				w.Set(february)
				first := serviceOver(t, w, &breaking{w.Ledger, k, late}).CloseCycle(t.Context(), "s1", "email", "2026-01")
				w.Price("0.20")
				if first != nil {
					require.True(t, fault.Is(first, fault.Unavailable), "%v", first)
				}
				w.Set(february.Add(time.Minute))
				require.NoError(t, w.Billing.CloseCycle(t.Context(), "s1", "email", "2026-01"))
				require.Empty(t, w.Pump(t, nil))
				c, err := w.Ledger.Cycle(t.Context(), "contoso", "s1", "email", "2026-01")
				require.NoError(t, err)
				require.Equal(t, billing.CycleClosed, c.State)
				fixedEarly := k > 2 || k == 2 && late // the writes are: shut, fix, a line, a line, closed
				want := int64(11000)
				if !fixedEarly {
					want = 22000
				}
				require.Equal(t, want, w.Balances(t, "USD", billingtest.Accounts...)["platform:cash"])
			})
		}
	}
}

// use accepts usage and returns what its message says, which is delivered when messages are pumped.
func use(t testing.TB, w *billingtest.World, plan, quantity string, at time.Time) billing.Signal {
	t.Helper()
	w.Use(t, "s1", plan, quantity, at)
	return billing.Signal{Kind: billing.SignalUsage, ResourceID: "s1", Events: []billing.UsageEvent{{Dimension: "email", Hour: at.Format("2006010215")}}}
}

func TestLateUsageGoesToTheNextCycle(t *testing.T) {
	t.Parallel()
	w := billingtest.New(t, start)
	w.Subscribe("s1", "0", "USD")
	w.Use(t, "s1", "basic", "100", start)
	require.Empty(t, w.Pump(t, nil))
	w.Set(february)
	require.Empty(t, w.Pump(t, nil))
	require.Equal(t, int64(1000), w.Balances(t, "USD", billingtest.Accounts...)["platform:cash"])

	w.Price("0.20")
	lateAt := time.Date(2026, 1, 31, 20, 0, 0, 0, time.UTC)
	late := use(t, w, "basic", "7", lateAt)
	known := billing.Signal{Kind: billing.SignalUsage, ResourceID: "s1", Events: []billing.UsageEvent{{Dimension: "email", Hour: start.Format("2006010215")}}}
	for range 3 { // told again and again, with what was counted before
		require.NoError(t, w.Billing.Handle(t.Context(), late))
		require.NoError(t, w.Billing.Handle(t.Context(), known))
	}
	w.Use(t, "s1", "basic", "10", february)
	require.Empty(t, w.Pump(t, nil))
	cycles, _, err := w.Billing.Cycles(t.Context(), "s1", "", 10)
	require.NoError(t, err)
	require.Len(t, cycles, 2)
	require.Equal(t, "17", cycles[1].Quantities["basic"].String())

	w.Set(march)
	require.Empty(t, w.Pump(t, nil))
	// BIL-25: 7 x 0.10, the price of January, and 10 x 0.20
	require.Equal(t, int64(1000+70+200), w.Balances(t, "USD", billingtest.Accounts...)["platform:cash"])
	c, err := w.Ledger.Cycle(t.Context(), "contoso", "s1", "email", "2026-02")
	require.NoError(t, err)
	require.Len(t, c.Parts, 2)
	require.Equal(t, []string{"2026-01", "2026-01-31", "2026-01-31"}, []string{c.Parts[1].LateFrom, c.Parts[1].FirstDay, c.Parts[1].LastDay}) // BIL-25: the original date
	require.NoError(t, w.Billing.Handle(t.Context(), late))
	w.Set(march.AddDate(0, 1, 0))
	require.Empty(t, w.Pump(t, nil))
	require.Equal(t, int64(1270), w.Balances(t, "USD", billingtest.Accounts...)["platform:cash"])
}

// Usage that is accepted while a cycle closes is charged once, here or in the next one, wherever its message falls
// between the writes of the close (BIL-25).
func TestUsageWhileTheCycleCloses(t *testing.T) {
	t.Parallel()
	for k := 1; k <= 4; k++ {
		for _, told := range []bool{false, true} {
			t.Run(fmt.Sprint("BIL-25 before write ", k, " told then ", told), func(t *testing.T) {
				t.Parallel()
				w := billingtest.New(t, start)
				w.Subscribe("s1", "0", "USD")
				w.Use(t, "s1", "basic", "100", start)
				require.Empty(t, w.Pump(t, nil))
				w.Set(february)
				hook := &hooked{Ledger: w.Ledger, at: k}
				var late billing.Signal
				var early error
				hook.then = func() {
					late = use(t, w, "basic", "7", start.Add(time.Hour))
					if told {
						early = w.Billing.Handle(t.Context(), late)
					}
				}
				for _, err := range []error{serviceOver(t, w, hook).CloseCycle(t.Context(), "s1", "email", "2026-01"), early} {
					require.True(t, err == nil || fault.As(err).Kind.Transient(), "%v", err)
				}
				require.NoError(t, w.Billing.CloseCycle(t.Context(), "s1", "email", "2026-01"))
				if !told || early != nil {
					require.NoError(t, w.Billing.Handle(t.Context(), late))
				}
				require.Empty(t, w.Pump(t, nil))
				for _, at := range []time.Time{march, march.AddDate(0, 1, 0)} {
					w.Set(at)
					require.Empty(t, w.Pump(t, nil))
				}
				require.Equal(t, "107", charged(t, w).String())
				require.Equal(t, int64(1070), w.Balances(t, "USD", billingtest.Accounts...)["platform:cash"])
			})
		}
	}
}

// Usage that comes every hour reads its cycle now and then only; one that may be closed by now is looked at.
func TestUsageOfAnOpenCycle(t *testing.T) {
	t.Parallel()
	w := billingtest.New(t, start)
	sub := w.Subscribe("s1", "0", "USD")
	steps := &overtaken{Ledger: w.Ledger}
	s := serviceOver(t, w, steps)
	reads := func(at time.Time) int {
		t.Helper()
		w.Set(at)
		before := steps.at
		require.NoError(t, s.Handle(t.Context(), use(t, w, "basic", "1", at)))
		return before - steps.at
	}
	require.Equal(t, 2, reads(start), "read, and opened")
	require.Zero(t, reads(start.Add(time.Hour)))
	require.Zero(t, reads(start.Add(11*time.Hour)))
	require.Equal(t, 1, reads(start.Add(12*time.Hour)))
	require.Equal(t, 2, reads(february.Add(-time.Hour)), "another month")
	sub.Status, sub.EndedAt = subscription.Unsubscribed, february.Add(time.Hour)
	w.Save(sub)
	require.NoError(t, s.End(t.Context(), "s1"))
	require.Zero(t, reads(february.Add(10*time.Hour)), "open for 24 hours from the end on")
	require.Equal(t, 1, reads(february.Add(11*time.Hour)))
	require.Equal(t, 1, reads(february.Add(12*time.Hour)), "not certain any more")
	require.Empty(t, w.Pump(t, nil))
	w.Set(march)
	require.Empty(t, w.Pump(t, nil))
	require.Equal(t, "8", charged(t, w).String())
	balanced(t, w)
}

// hooked does something before its k-th Apply.
type hooked struct {
	*store.Ledger
	at   int
	then func()
}

func (l *hooked) Apply(ctx context.Context, b billing.Batch) error {
	if l.at--; l.at == 0 {
		l.then()
	}
	return l.Ledger.Apply(ctx, b)
}

// A cycle that two close at once, one at any point of the other, is charged once: the other one finds it done or gives
// way and comes back (BIL-13, BIL-14).
func TestTwoCloseACycle(t *testing.T) {
	t.Parallel()
	closeAt := func(t *testing.T, k int) (steps int) {
		w := billingtest.New(t, start)
		w.Subscribe("s1", "0", "USD")
		w.Use(t, "s1", "basic", "100", start)
		require.Empty(t, w.Pump(t, nil))
		w.Set(february)
		late := &overtaken{Ledger: w.Ledger, at: k, then: func() {
			require.NoError(t, w.Billing.CloseCycle(t.Context(), "s1", "email", "2026-01"))
		}}
		err := serviceOver(t, w, late).CloseCycle(t.Context(), "s1", "email", "2026-01")
		require.True(t, err == nil || fault.As(err).Kind.Transient(), "%v", err)
		require.NoError(t, w.Billing.CloseCycle(t.Context(), "s1", "email", "2026-01"))
		require.Empty(t, w.Pump(t, nil))
		require.Equal(t, "100", charged(t, w).String())
		require.Equal(t, int64(1000), w.Balances(t, "USD", billingtest.Accounts...)["platform:cash"])
		c, err := w.Billing.Collection(t.Context(), "s1")
		require.NoError(t, err)
		require.Equal(t, []any{billing.Clear, 1}, []any{c.State, c.Attempt}, "asked for once")
		balanced(t, w)
		return k - late.at
	}
	steps := closeAt(t, 1_000_000)
	require.Greater(t, steps, 8)
	for k := 1; k <= steps; k++ {
		t.Run(fmt.Sprint("BIL-13 at step ", k), func(t *testing.T) {
			t.Parallel()
			closeAt(t, k)
		})
	}
}

// overtaken lets something happen at its k-th step: after a read, or before a write.
type overtaken struct {
	billing.Ledger
	at   int
	then func()
}

func (l *overtaken) step() {
	if l.at--; l.at == 0 && l.then != nil {
		l.then()
	}
}

func (l *overtaken) Credit(ctx context.Context, publisherID, account, currency string) (billing.CustomerCredit, error) {
	defer l.step()
	return l.Ledger.Credit(ctx, publisherID, account, currency)
}

func (l *overtaken) Release(ctx context.Context, publisherID string, eligibleAt time.Time, lineID string) (billing.Release, error) {
	defer l.step()
	return l.Ledger.Release(ctx, publisherID, eligibleAt, lineID)
}

func (l *overtaken) Line(ctx context.Context, publisherID, lineID string) (billing.Line, error) {
	defer l.step()
	return l.Ledger.Line(ctx, publisherID, lineID)
}

func (l *overtaken) Collection(ctx context.Context, publisherID, subscriptionID string) (billing.Collection, error) {
	defer l.step()
	return l.Ledger.Collection(ctx, publisherID, subscriptionID)
}

func (l *overtaken) Cycle(ctx context.Context, publisherID, resourceID, dimension, month string) (billing.Cycle, error) {
	defer l.step()
	return l.Ledger.Cycle(ctx, publisherID, resourceID, dimension, month)
}

func (l *overtaken) Apply(ctx context.Context, b billing.Batch) error {
	l.step()
	return l.Ledger.Apply(ctx, b)
}

// charged is the sum of what the cycles of s1 were charged for.
func charged(t testing.TB, w *billingtest.World) (sum decimal.Decimal) {
	t.Helper()
	cycles, _, err := w.Billing.Cycles(t.Context(), "s1", "", 10)
	require.NoError(t, err)
	for _, c := range cycles {
		require.Equal(t, billing.CycleClosed, c.State)
		sum = sum.Add(c.Quantities["basic"])
	}
	return sum
}

// A subscription that ends has its usage charged 24 hours later.
func TestFinalCycle(t *testing.T) {
	t.Parallel()
	end := time.Date(2026, 1, 20, 15, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name  string
		times int
		tell  func(t *testing.T, w *billingtest.World)
	}{
		{"BIL-26 told of the end", 2, func(t *testing.T, w *billingtest.World) {
			require.NoError(t, w.Billing.Handle(t.Context(), billing.Signal{Kind: billing.SignalEnded, SubscriptionID: "s1"}))
		}},
		{"BIL-26 used to the end", 1, func(t *testing.T, w *billingtest.World) { w.Use(t, "s1", "basic", "5", end.Add(-time.Minute)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := billingtest.New(t, start)
			sub := w.Subscribe("s1", "0", "USD")
			w.Use(t, "s1", "basic", "100", start)
			require.Empty(t, w.Pump(t, nil))
			require.True(t, fault.Is(w.Billing.EndUsage(t.Context(), "s1"), fault.Unavailable), "the end is not known")
			w.Set(end)
			sub.Status, sub.EndedAt = subscription.Unsubscribed, end
			w.Save(sub)
			for range c.times {
				c.tell(t, w)
			}
			require.Empty(t, w.Pump(t, nil))
			w.Set(end.Add(24*time.Hour - 1))
			require.Empty(t, w.Pump(t, nil))
			require.Empty(t, w.Balances(t, "USD", billingtest.Accounts...))
			w.Set(end.Add(24 * time.Hour))
			require.Empty(t, w.Pump(t, nil))
			require.NotZero(t, w.Balances(t, "USD", billingtest.Accounts...)["platform:cash"])
			cycle, err := w.Ledger.Cycle(t.Context(), "contoso", "s1", "email", "2026-01")
			require.NoError(t, err)
			require.Equal(t, billing.CycleClosed, cycle.State)
			line, err := w.Ledger.Line(t.Context(), "contoso", billing.LineID("metered:s1:email:basic:final"))
			require.NoError(t, err)
			require.Equal(t, []string{"2026-01-01", "2026-01-20", "2026-01-20"}, []string{line.PeriodStart, line.PeriodEnd, line.ChargeDate}) // BIL-50
			paid := w.Balances(t, "USD", billingtest.Accounts...)
			w.Set(march)
			require.Empty(t, w.Pump(t, nil))
			paid["publisher:{p}:payable"], paid["publisher:{p}:escrow"] = paid["publisher:{p}:escrow"], 0
			delete(paid, "publisher:{p}:escrow")
			require.Equal(t, paid, w.Balances(t, "USD", billingtest.Accounts...), "the regular close finds it done")
		})
	}
}
