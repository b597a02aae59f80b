package store_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/anomaly"
	"stoa/shared/fault"
	"stoa/shared/metering"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
)

// count makes usage of one hour countable and counts it.
func count(t *testing.T, events *store.UsageEvents, u metering.Usage) {
	t.Helper()
	out := events.Add(t.Context(), []metering.Usage{u})[0]
	require.NoError(t, out.Err)
	require.True(t, out.Added)
	require.NoError(t, events.Count(t.Context(), []metering.Usage{u}))
}

func usageOf(id, publisher, offer, customer, resource string, at time.Time) metering.Usage {
	return metering.Usage{
		EventID: id, PublisherID: publisher, OfferID: offer, CustomerID: customer, ResourceID: resource, Dimension: "email", PlanID: "p",
		Quantity: "1.5", EffectiveStart: "as sent", Effective: at, AcceptedAt: at,
	}
}

// Pages of series end where a customer does, however many resources it has; each series comes once.
func TestSeriesOfCustomers(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 31, 5, 30, 0, 0, time.UTC)
	db, _ := storetest.NewTwin(func() time.Time { return at })
	usage := store.NewUsage(db)
	events := store.NewUsageEvents(usage)
	resources := map[anomaly.Key]int{}
	n := 0
	add := func(publisher, customer string, many int) {
		for range many {
			n++
			resource := fmt.Sprint("r", n)
			count(t, events, usageOf(fmt.Sprint("e", n), publisher, "cns", customer, resource, at))
			resources[anomaly.Key{PublisherID: publisher, OfferID: "cns", Meter: "email", CustomerID: customer}]++
		}
	}
	add("contoso", "large", 600)
	for i := range 130 {
		add("contoso", fmt.Sprint("c", i), 3)
	}
	add("fabrikam", "large", 250)
	add("fabrikam", "small", 1)
	count(t, events, usageOf("before", "fabrikam", "cns", "small", "old", at.AddDate(0, -2, 0)))

	view := store.NewUsageSums(usage)
	seen := map[anomaly.Key]int{}
	pages := 0
	for after := ""; ; pages++ {
		page, next, err := view.Series(t.Context(), at.AddDate(0, 0, -30).Truncate(24*time.Hour), at.AddDate(0, 0, 1).Truncate(24*time.Hour), after)
		require.NoError(t, err)
		for _, s := range page {
			require.NotContains(t, seen, s.Key, "on two pages")
			seen[s.Key] = len(s.Days)
			for _, d := range s.Days {
				require.Equal(t, "1.5", d.Quantity.String())
				require.Equal(t, time.Date(2026, 5, 31, 0, 0, 0, 0, time.UTC), d.Date)
			}
		}
		if after = next; next == "" {
			break
		}
		require.Less(t, pages, 100)
	}
	require.Equal(t, resources, seen)
	require.Greater(t, pages, 2)
}

func TestDaily(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 31, 5, 30, 0, 0, time.UTC)
	db, _ := storetest.NewTwin(func() time.Time { return at })
	usage := store.NewUsage(db)
	events := store.NewUsageEvents(usage)
	count(t, events, usageOf("1", "contoso", "cns", "adatum", "r1", at))
	count(t, events, usageOf("2", "contoso", "cns", "adatum", "r2", at.Add(-time.Hour)))
	count(t, events, usageOf("3", "contoso", "other", "tailspin", "r3", at.AddDate(0, 0, -1)))
	dry := usageOf("4", "contoso", "cns", "adatum", "r1", at.Add(-2*time.Hour))
	dry.Session = metering.DryRun
	count(t, events, dry)
	count(t, events, usageOf("5", "contos", "cns", "adatum", "r5", at))
	view := store.NewUsageSums(usage)
	q := anomaly.TrendQuery{PublisherID: "contoso", From: at.AddDate(0, 0, -2).Truncate(24 * time.Hour), Until: at.AddDate(0, 0, 1).Truncate(24 * time.Hour)}
	read := func(change func(*anomaly.TrendQuery)) []string {
		asked := q
		change(&asked)
		rows, err := view.Daily(t.Context(), asked, 100)
		require.NoError(t, err)
		var got []string
		for _, r := range rows {
			got = append(got, fmt.Sprint(r.OfferID, " ", r.Meter, " ", r.PlanID, " ", r.CustomerID, " ", r.Date.Format(time.DateOnly), " ", r.Quantity, " ", r.Count))
		}
		return got
	}
	require.ElementsMatch(t, []string{"cns email p  2026-05-31 3 2", "other email p  2026-05-30 1.5 1"}, read(func(q *anomaly.TrendQuery) { q.Group = anomaly.ByPlan }))
	require.ElementsMatch(t, []string{"other email p  2026-05-30 1.5 1"}, read(func(q *anomaly.TrendQuery) { q.Group, q.OfferID = anomaly.ByMeter, "other" }))
	require.ElementsMatch(t, []string{
		"cns email  adatum 2026-05-31 1.5 1", "cns email  adatum 2026-05-31 1.5 1", "other email  tailspin 2026-05-30 1.5 1",
	}, read(func(q *anomaly.TrendQuery) { q.Group = anomaly.ByCustomer }))
	require.Empty(t, read(func(q *anomaly.TrendQuery) { q.Group, q.Meter = anomaly.ByCustomer, "text" }))
	q.Group = anomaly.ByCustomer
	rows, err := view.Daily(t.Context(), q, 1)
	require.NoError(t, err)
	require.Len(t, rows, 2, "one more than the limit tells that there are more")
}

func TestEventByID(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 1, 0, 2, 0, 0, time.UTC)
	var now atomic.Int64 // read by what is sent in the background
	now.Store(at.Unix())
	db, _ := storetest.NewTwin(func() time.Time { return time.Unix(now.Load(), 0).UTC() })
	events := store.NewUsageEvents(store.NewUsage(db))
	u := usageOf("e1", "contoso", "cns", "adatum", "r1", at)
	count(t, events, u)
	require.NoError(t, events.Count(t.Context(), []metering.Usage{u}), "announced again")
	count(t, events, usageOf("e2", "contoso", "cns", "adatum", "r1", at.Add(-time.Hour))) // in April
	dry := usageOf("e3", "contoso", "cns", "adatum", "r1", at)
	dry.Session = metering.DryRun
	count(t, events, dry)
	for _, moved := range []int{0, 1, 12} {
		now.Store(at.AddDate(0, moved, 0).Unix())
		for _, id := range []string{"e1", "e2"} {
			e, err := events.Event(t.Context(), "contoso", id)
			require.NoError(t, err)
			require.Equal(t, []string{id, "cns", "email", "adatum", "r1", "p", "1.5"}, []string{e.ID, e.OfferID, e.Meter, e.CustomerID, e.ResourceID, e.PlanID, e.Quantity.String()})
		}
	}
	for _, id := range []string{"e3", "e4", ""} {
		_, err := events.Event(t.Context(), "contoso", id)
		require.True(t, fault.Is(err, fault.NotFound), "%s: %v", id, err)
	}
	_, err := events.Event(t.Context(), "fabrikam", "e1")
	require.True(t, fault.Is(err, fault.NotFound), "%v", err)
}
