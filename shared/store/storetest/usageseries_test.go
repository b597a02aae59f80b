package storetest_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/billing"
	"stoa/shared/fault"
	"stoa/shared/metering"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
	"stoa/shared/store/table/tabletest"
)

func TestUsageSeries(t *testing.T) {
	t.Parallel()
	both(t, map[string]func(t *testing.T, b *backing){
		"what is announced again counts once":              countedOnce,
		"consumers at the same time lose nothing":          countedTogether,
		"all series are paged, each as a whole":            seriesPaged,
		"days are filtered":                                daysFiltered,
		"months are open until they are reconciled":        monthsOpen,
		"an application is found by its id and its ARM id": applicationsKept,
		"an ARM id belongs to one application":             applicationsClaim,
	})
}

var cns = metering.OfferRef{PublisherID: "contoso", OfferID: "cns"}

// span is the days around the clock of the tests.
func span(b *backing, back int) metering.Range {
	today := b.now().Truncate(24 * time.Hour)
	return metering.Range{From: today.AddDate(0, 0, -back), Until: today.AddDate(0, 0, 1)}
}

func of(u metering.Usage, customer, plan string) metering.Usage {
	u.CustomerID, u.PlanID = customer, plan
	return u
}

func countedOnce(t *testing.T, b *backing) {
	s := store.NewUsage(b.DB)
	usages := []metering.Usage{used(b, "r1", "email", "1", 0), used(b, "r1", "email", "2", 1), used(b, "r1", "text", "3", 1), used(b, "r1", "email", "4", 24)}
	for _, u := range usages {
		require.NoError(t, s.Count(t.Context(), []metering.Usage{u}))
	}
	for range 3 {
		require.NoError(t, store.NewUsage(b.open("again")).Count(t.Context(), usages))
	}
	days, err := s.Days(t.Context(), cns, span(b, 1), 10)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"email 2026-01-31 0.2 2", "text 2026-01-31 0.1 1", "email 2026-01-30 0.1 1"}, dayTexts(days))
	trends, err := s.Trends(t.Context(), cns, span(b, 1))
	require.NoError(t, err)
	require.Equal(t, []string{"email 2026-01-30 0.1 1", "email 2026-01-31 0.2 2", "text 2026-01-31 0.1 1"}, trendTexts(trends))
}

func dayTexts(days []metering.Day) (texts []string) {
	for _, d := range days {
		texts = append(texts, fmt.Sprintf("%s %s %s %d", d.Dimension, d.Date.Format(time.DateOnly), d.Sum, d.Count()))
	}
	return texts
}

func trendTexts(trends []metering.Trend) (texts []string) {
	for _, d := range trends {
		texts = append(texts, fmt.Sprintf("%s %s %s %d", d.Dimension, d.Date.Format(time.DateOnly), d.Sum, d.Count))
	}
	return texts
}

func countedTogether(t *testing.T, b *backing) {
	var group sync.WaitGroup
	for i := range 4 {
		s := store.NewUsage(b.open(fmt.Sprint("process", i)))
		for h := range 6 {
			for range 2 { // each is delivered twice, to different processes as well
				group.Go(func() {
					var batch []metering.Usage
					for r := range 3 {
						batch = append(batch, used(b, fmt.Sprint("r", r), "email", fmt.Sprint("e", h, r), h))
					}
					for {
						err := s.Count(context.Background(), batch)
						if err == nil {
							return
						}
						if !fault.Is(err, fault.Unavailable) { // busy: the message comes back
							t.Error(err)
							return
						}
					}
				})
			}
		}
	}
	group.Wait()
	trends, err := store.NewUsage(b.DB).Trends(t.Context(), cns, span(b, 0))
	require.NoError(t, err)
	require.Equal(t, []string{"email 2026-01-31 1.8 18"}, trendTexts(trends))
}

func seriesPaged(t *testing.T, b *backing) {
	s := store.NewUsage(b.DB)
	want := map[string][]string{}
	for c := range 4 { // customers, in partitions of their own
		var batch []metering.Usage
		for r := range 5 {
			for _, back := range []int{0, 20, 45, 100} { // days, in several months; the last one is out of the range
				u := of(used(b, fmt.Sprintf("c%d-r%d", c, r), "email", "e", 24*back), fmt.Sprint("customer", c), "p")
				batch = append(batch, u)
				if back < 100 {
					want[u.ResourceID] = append([]string{u.Effective.Format(time.DateOnly)}, want[u.ResourceID]...)
				}
			}
		}
		dry := of(used(b, "dry", "email", "e", 0), fmt.Sprint("customer", c), "p")
		dry.Session = metering.DryRun
		require.NoError(t, s.Count(t.Context(), append(batch, dry)))
	}
	for _, limit := range []int{1, 3, 100} {
		got := map[string][]string{}
		after, pages := "", 0
		for {
			page, next, err := s.AllSeries(t.Context(), span(b, 90), after, limit)
			require.NoError(t, err)
			require.LessOrEqual(t, len(page), limit)
			for _, series := range page {
				require.Empty(t, got[series.ResourceID], "a series comes once")
				for _, d := range series.Days {
					got[series.ResourceID] = append(got[series.ResourceID], d.Date.Format(time.DateOnly))
				}
			}
			if pages++; next == "" {
				break
			}
			after = next
		}
		require.Equal(t, want, got, "pages of %d", limit)
		require.Less(t, pages, 60)
	}
	_, _, err := s.AllSeries(t.Context(), span(b, 90), "foreign", 10)
	require.True(t, fault.Is(err, fault.Invalid))
}

func daysFiltered(t *testing.T, b *backing) {
	s := store.NewUsage(b.DB)
	odd := "a|b/c#?"
	require.NoError(t, s.Count(t.Context(), []metering.Usage{
		used(b, "r1", "email", "1", 0), of(used(b, "r1", "email", "2", 24), "adatum", "gold"), used(b, "r1", odd, "3", 0), used(b, "r1", "emailing", "4", 0),
	}))
	read := func(change func(*metering.Range)) []string {
		r := span(b, 40)
		change(&r)
		days, err := s.Days(t.Context(), cns, r, 100)
		require.NoError(t, err)
		return dayTexts(days)
	}
	require.Len(t, read(func(*metering.Range) {}), 4)
	require.Len(t, read(func(r *metering.Range) { r.Dimension = "email" }), 2)
	require.Len(t, read(func(r *metering.Range) { r.Dimension = odd }), 1)
	require.Len(t, read(func(r *metering.Range) { r.Plan = "gold" }), 1)
	require.Len(t, read(func(r *metering.Range) { r.From = r.Until.AddDate(0, 0, -1) }), 3)
	require.Empty(t, read(func(r *metering.Range) { r.Recon = metering.ReconAccepted }))
	require.Empty(t, read(func(r *metering.Range) { r.Azure = "x" }))
	days, err := s.Days(t.Context(), cns, span(b, 40), 2)
	require.NoError(t, err)
	require.Greater(t, len(days), 2, "that there are more is seen")
	trends, err := s.Trends(t.Context(), cns, metering.Range{From: span(b, 40).From, Until: span(b, 40).Until, Dimension: "email", Plan: "gold"})
	require.NoError(t, err)
	require.Equal(t, []string{"email 2026-01-30 0.1 1"}, trendTexts(trends))
	none, err := s.Days(t.Context(), metering.OfferRef{PublisherID: "contoso", OfferID: "cn"}, span(b, 40), 10)
	require.NoError(t, err)
	require.Empty(t, none)
}

func monthsOpen(t *testing.T, b *backing) {
	s := store.NewUsage(b.DB)
	var batch []metering.Usage
	for r := range 7 {
		batch = append(batch, of(used(b, fmt.Sprint("r", r), "email", "e", 0), fmt.Sprint("customer", r%3), "p"))
	}
	require.NoError(t, s.Count(t.Context(), batch))
	open := func() (all []metering.Open) {
		for after := ""; ; {
			page, next, err := s.OpenMonths(t.Context(), after, 2)
			require.NoError(t, err)
			require.LessOrEqual(t, len(page), 2)
			if all = append(all, page...); next == "" {
				return all
			}
			after = next
		}
	}
	all := open()
	require.Len(t, all, 7)
	all[0].Parts[0].Recon = metering.ReconAccepted
	require.NoError(t, s.Reconciled(t.Context(), all[0], true))
	require.NoError(t, s.Reconciled(t.Context(), all[1], false))
	require.True(t, fault.Is(s.Reconciled(t.Context(), all[1], true), fault.StaleETag), "it was written since it was read")
	require.Len(t, open(), 6)

	days, err := s.Days(t.Context(), cns, metering.Range{From: span(b, 0).From, Until: span(b, 0).Until, Recon: metering.ReconAccepted}, 10)
	require.NoError(t, err)
	require.Len(t, days, 1)
	// Usage that comes later opens the month again.
	later := of(used(b, all[0].ResourceID, "email", "f", 1), all[0].CustomerID, "p")
	require.NoError(t, s.Count(t.Context(), []metering.Usage{later}))
	require.Len(t, open(), 7)
	require.NoError(t, s.Reconciled(t.Context(), all[2], true), "others are not held up")
}

// What the ledger took is what an open cycle will count, or a fixed one has counted.
func TestTaken(t *testing.T) {
	t.Parallel()
	hour := time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)
	db, _ := storetest.NewTwin(func() time.Time { return hour })
	ledger := store.NewLedger(db)
	for _, c := range []billing.Cycle{
		{Month: "2026-01", State: billing.CycleOpen}, {Month: "2025-12", State: billing.CycleClosing},
		{Month: "2025-11", State: billing.CycleClosed, FixedAt: hour, Counted: billing.Hours(nil).With(hour)},
	} {
		c.ResourceID, c.PublisherID, c.Dimension = "r1", "contoso", "email"
		require.NoError(t, ledger.Apply(t.Context(), billing.Batch{PublisherID: "contoso", Cycles: []billing.Cycle{c}}))
	}
	read := func(month string) metering.Taken {
		series := metering.Series{OfferRef: cns, Dimension: "email", ResourceID: "r1"}
		taken, err := store.Taken{Ledger: ledger}.Taken(t.Context(), series, month)
		require.NoError(t, err)
		return taken
	}
	require.True(t, read("2026-01")(hour))
	require.Nil(t, read("2025-12"), "what is being closed is not known yet")
	require.True(t, read("2025-11")(hour))
	require.False(t, read("2025-11")(hour.Add(time.Hour)))
	require.Nil(t, read("2025-10"))
}

func application(id, uri string) metering.Application {
	return metering.Application{ID: id, URI: uri, PublisherID: "contoso", OfferID: "app"}
}

const (
	app1   = "aaaaaaaa-0000-4000-8000-000000000001"
	app2   = "aaaaaaaa-0000-4000-8000-000000000002"
	appURI = "/subscriptions/" + app1 + "/resourceGroups/Mine/providers/Microsoft.Solutions/applications/One"
)

func applicationsKept(t *testing.T, b *backing) {
	s := store.NewApplications(b.DB)
	require.NoError(t, s.SaveApplication(t.Context(), application(app1, appURI)))
	for _, ref := range []string{app1, appURI, "/SUBSCRIPTIONS/" + appURI[len("/subscriptions/"):] + "/"} {
		got, err := s.Application(t.Context(), ref)
		require.NoError(t, err, ref)
		require.Equal(t, app1, got.ID)
		require.Equal(t, appURI, got.URI, "as it was written")
	}
	got, err := s.Application(t.Context(), app1)
	require.NoError(t, err)
	stale := got
	got.DeletedAt = b.now()
	require.NoError(t, s.SaveApplication(t.Context(), got))
	require.True(t, fault.Is(s.SaveApplication(t.Context(), stale), fault.StaleETag))
	for _, ref := range []string{app2, appURI + "x", "", "/"} {
		_, err = s.Application(t.Context(), ref)
		require.True(t, fault.Is(err, fault.NotFound), ref)
	}
}

func applicationsClaim(t *testing.T, b *backing) {
	s := store.NewApplications(b.DB)
	require.NoError(t, s.SaveApplication(t.Context(), application(app1, appURI)))
	require.True(t, fault.Is(s.SaveApplication(t.Context(), application(app2, appURI)), fault.Conflict))
	other := application(app1, appURI)
	other.OfferID = "other"
	require.True(t, fault.Is(s.SaveApplication(t.Context(), other), fault.Conflict), "it exists")
	first, err := s.Application(t.Context(), app1)
	require.NoError(t, err)
	first.DeletedAt = b.now()
	require.NoError(t, s.SaveApplication(t.Context(), first))
	require.NoError(t, s.SaveApplication(t.Context(), application(app2, appURI)), "one that was deleted gives its ARM id back")
	got, err := s.Application(t.Context(), appURI)
	require.NoError(t, err)
	require.Equal(t, app2, got.ID)
	got, err = s.Application(t.Context(), app1)
	require.NoError(t, err)
	require.False(t, got.DeletedAt.IsZero(), "and is still found by its own")
}

// Whatever befalls one of the operations, a second delivery ends where an undisturbed one does.
func TestCountSurvives(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	var batch []metering.Usage
	for i := range 40 { // more than one transaction
		batch = append(batch, metering.Usage{
			EventID: fmt.Sprint(i), PublisherID: "contoso", OfferID: "cns", CustomerID: "adatum", ResourceID: fmt.Sprint("r", i%8), Dimension: "email",
			PlanID: "p", Quantity: "0.5", Effective: now.Add(-time.Duration(i/8) * time.Hour),
		})
	}
	run := func(harm storetest.Harm, k int) (operations int, trends []string) {
		var tables tabletest.Account
		crash := storetest.NewCrash(tables.Table, storetest.NewOutbox(clock))
		open := func() *store.Usage {
			return store.NewUsage(store.New(store.Deps{Tables: crash.Table, Sender: crash, Now: clock, NewID: storetest.Counter("id")}))
		}
		first := open()
		crash.Arm(harm, k)
		_ = first.Count(t.Context(), batch)
		operations = crash.Operations()
		crash.Arm(storetest.None, 0)
		again := open()
		require.NoError(t, again.Count(t.Context(), batch))
		got, err := again.Trends(t.Context(), cns, metering.Range{From: now.AddDate(0, 0, -1), Until: now.AddDate(0, 0, 1)})
		require.NoError(t, err)
		return operations, trendTexts(got)
	}
	n, want := run(storetest.None, 0)
	require.Equal(t, []string{"email 2026-01-31 20 40"}, want)
	for _, harm := range []storetest.Harm{storetest.Die, storetest.DieLate, storetest.Refuse, storetest.Lose} {
		for k := 1; k <= n; k++ {
			_, got := run(harm, k)
			require.Equal(t, want, got, "harm %d at %d", harm, k)
		}
	}
}
