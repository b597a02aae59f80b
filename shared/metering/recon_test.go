package metering_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/metering"
)

// taken is a ledger that has taken some hours of the day of the tests; nil knows nothing.
type taken map[int]bool

func (l taken) Taken(context.Context, metering.Series, string) (metering.Taken, error) {
	if l == nil {
		return nil, nil
	}
	if l[-1] {
		return nil, errors.New("the ledger is away")
	}
	return func(hour time.Time) bool { return l[hour.Hour()] }, nil
}

func (w *appWorld) reconcile(t testing.TB, l metering.Ledger) (int, error) {
	t.Helper()
	r, err := metering.NewReconciliation(metering.ReconDeps{Store: w.usage, Ledger: l, Offers: appOffer{}, Now: w.now})
	require.NoError(t, err)
	return r.Run(t.Context())
}

// accept reports usage of the hours of the day of the tests and counts it.
func (w *appWorld) accept(t testing.TB, dry bool, quantities map[int]string) {
	t.Helper()
	for hour, quantity := range quantities {
		got := w.metering.Accept(t.Context(), metering.Report{Caller: reporter, DryRun: dry, Events: []metering.Event{event(func(e *metering.Event) {
			e.ResourceID, e.Quantity, e.EffectiveStart = app1, quantity, fmt.Sprintf("2022-03-02T%02d:30:00", hour)
		})}})[0]
		require.Equal(t, metering.Accepted, got.Status)
	}
	count(t, w.usage, w.outbox)
}

// days are what the caller reads back: status, submitted and processed quantity, count, names.
func (w *appWorld) days(t testing.TB, f metering.Filter) []string {
	t.Helper()
	f.Start = now.AddDate(0, 0, -1)
	days, err := w.metering.Reported(t.Context(), reporter, f)
	require.NoError(t, err)
	out := []string{}
	for _, d := range days {
		out = append(out, fmt.Sprintf("%s %s/%s %d %q %q", d.Recon, d.Sum, d.Processed, d.Count(), d.OfferName, d.PlanName))
	}
	return out
}

func TestReconciliation(t *testing.T) {
	t.Parallel()
	const open = `Submitted 9.5/0 2 "" ""` // MTR-89
	for _, c := range []struct {
		name   string
		ledger taken
		late   time.Duration
		want   string
	}{
		{"MTR-88 all was taken", taken{9: true, 10: true}, 0, `Accepted 9.5/9.5 2 "An application" "Basic"`},
		{"MTR-88 nothing is known yet", nil, 0, open},
		{"MTR-88 a part is on its way", taken{9: true}, 59*time.Hour + 59*time.Minute, open},
		{"MTR-88 a part was dropped", taken{9: true}, 61 * time.Hour, `Mismatch 9.5/2.5 2 "An application" "Basic"`},
		{"MTR-88 all was dropped", taken{}, 61 * time.Hour, `Rejected 9.5/0 2 "An application" "Basic"`},
		{"MTR-88 it never came", nil, 61 * time.Hour, `Rejected 9.5/0 2 "An application" "Basic"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newAppWorld(t)
			w.register(t, nil)
			w.accept(t, false, map[int]string{9: "2.5", 10: "7"})
			require.Equal(t, []string{open}, w.days(t, metering.Filter{}))
			w.moved.Store(int64(c.late))
			n, err := w.reconcile(t, c.ledger)
			require.NoError(t, err)
			require.Equal(t, 1, n)
			require.Equal(t, []string{c.want}, w.days(t, metering.Filter{}))
			// What was late is taken after all.
			n, err = w.reconcile(t, taken{9: true, 10: true})
			require.NoError(t, err)
			require.Equal(t, c.want != `Accepted 9.5/9.5 2 "An application" "Basic"`, n == 1, "what is settled is not looked at again")
			require.Equal(t, []string{`Accepted 9.5/9.5 2 "An application" "Basic"`}, w.days(t, metering.Filter{}))
		})
	}
}

// Usage that comes after its day was settled is submitted, and settled again.
func TestReconciledDayOpensAgain(t *testing.T) {
	t.Parallel()
	w := newAppWorld(t)
	w.register(t, nil)
	w.accept(t, false, map[int]string{9: "2.5"})
	_, err := w.reconcile(t, taken{9: true})
	require.NoError(t, err)
	w.accept(t, false, map[int]string{10: "7"})
	require.Equal(t, []string{`Submitted 9.5/0 2 "" ""`}, w.days(t, metering.Filter{}))
	_, err = w.reconcile(t, taken{9: true, 10: true})
	require.NoError(t, err)
	require.Equal(t, []string{`Accepted 9.5/9.5 2 "An application" "Basic"`}, w.days(t, metering.Filter{}))
}

// A lost announcement is made up for, and a ledger that is away stops nothing but itself.
func TestReconciliationRepairs(t *testing.T) {
	t.Parallel()
	w := newAppWorld(t)
	w.register(t, nil)
	w.accept(t, false, map[int]string{9: "2.5"})
	require.Equal(t, metering.Accepted, report(w.metering, reporter, []metering.Event{event(func(e *metering.Event) { e.ResourceID = app1 })})[0].Status)
	require.NoError(t, w.usage.Flush(t.Context()))
	require.NotEmpty(t, w.outbox.Take(message.UsageAccepted))
	require.Equal(t, []string{`Submitted 2.5/0 1 "" ""`}, w.days(t, metering.Filter{}))
	_, err := w.reconcile(t, taken{9: true, 10: true})
	require.NoError(t, err)
	require.Equal(t, []string{`Submitted 5/0 2 "" ""`}, w.days(t, metering.Filter{}))
	_, err = w.reconcile(t, taken{-1: true})
	require.Error(t, err)
	_, err = w.reconcile(t, taken{9: true, 10: true})
	require.NoError(t, err)
	require.Equal(t, []string{`Accepted 5/5 2 "An application" "Basic"`}, w.days(t, metering.Filter{}))
}

func TestSessions(t *testing.T) {
	t.Parallel()
	w := newAppWorld(t)
	w.register(t, func(r *metering.Registration) { r.Test = true })
	w.accept(t, true, map[int]string{9: "1"})
	w.accept(t, false, map[int]string{9: "2"})
	require.Empty(t, w.outbox.Messages(message.LedgerEvents), "neither is billed")
	want := []string{`DryRun 1/0 1 "" ""`, `TestHeaders 2/0 1 "" ""`} // MTR-88
	require.Equal(t, want, w.days(t, metering.Filter{}))
	n, err := w.reconcile(t, taken{9: true})
	require.NoError(t, err)
	require.Zero(t, n)
	require.Equal(t, want[:1], w.days(t, metering.Filter{Recon: "dryrun"}))
	require.Equal(t, want[1:], w.days(t, metering.Filter{Recon: "TESTHEADERS"}))
	trends, err := w.usage.Trends(t.Context(), metering.OfferRef{PublisherID: "contoso", OfferID: "app"}, metering.Range{From: now.AddDate(0, 0, -2), Until: now.AddDate(0, 0, 2)})
	require.NoError(t, err)
	require.Empty(t, trends)
}

// A dry run is refused like what it stands for.
func TestDryRunIsChecked(t *testing.T) {
	t.Parallel()
	w := newAppWorld(t)
	w.register(t, nil)
	accept := func(dry bool, change func(*metering.Event)) metering.Result {
		return w.metering.Accept(t.Context(), metering.Report{Caller: reporter, DryRun: dry, Events: []metering.Event{event(func(e *metering.Event) {
			e.ResourceID = app1
			change(e)
		})}})[0]
	}
	same := func(*metering.Event) {}
	require.Equal(t, metering.InvalidDimension, accept(true, func(e *metering.Event) { e.Dimension = "fax" }).Status)
	require.Equal(t, metering.Accepted, accept(true, same).Status)
	require.Equal(t, metering.Duplicate, accept(true, same).Status)
	require.Equal(t, metering.Accepted, accept(false, same).Status, "a dry run takes no hour")
	require.Equal(t, metering.Duplicate, accept(false, same).Status)
}

// What is read back is of the offers whose metering identity the caller is now, whoever reported it (MTR-86).
func TestReadBackIsOfTheOffer(t *testing.T) {
	t.Parallel()
	w := newAppWorld(t)
	w.register(t, nil)
	machine := reporter
	machine.Kind, machine.TenantID, machine.AppID, machine.ResourceID = "managedIdentity", customer, "m", group1+vm
	require.Equal(t, metering.Accepted, report(w.metering, machine, []metering.Event{event(func(e *metering.Event) { e.ResourceID = app1 })})[0].Status)
	count(t, w.usage, w.outbox)
	require.Len(t, w.days(t, metering.Filter{}), 1, "MTR-86 reported by an identity inside the application")
	require.Len(t, w.days(t, metering.Filter{AzureSubscription: azure}), 1, "MTR-87")
	require.Empty(t, w.days(t, metering.Filter{AzureSubscription: customer}))

	// An application that was the identity once reads nothing any more.
	usage := metering.Usage{
		EventID: "old", ResourceID: sub1, PublisherID: "contoso", OfferID: "app", Dimension: "email", Quantity: "1", Effective: now.Add(-time.Hour),
		Owner: metering.Owner{TenantID: "t1", AppID: "before"},
	}
	require.True(t, w.usage.Add(t.Context(), []metering.Usage{usage})[0].Added)
	before := reporter
	before.AppID = "before"
	days, err := w.metering.Reported(t.Context(), before, metering.Filter{Start: now.AddDate(0, 0, -1)})
	require.NoError(t, err)
	require.Empty(t, days)
}

func TestCountRefusesWhatIsNot(t *testing.T) {
	t.Parallel()
	w := newAppWorld(t)
	counter, err := metering.NewCounter(w.usage)
	require.NoError(t, err)
	require.NoError(t, counter.Count(t.Context(), metering.Announced{}))
	err = counter.Count(t.Context(), metering.Announced{Events: []metering.Ref{{ResourceID: app1, Dimension: "email", Hour: "2022030210"}}})
	require.Equal(t, "UnknownUsage", fault.As(err).Code)
}
