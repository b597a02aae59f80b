package metering_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/fault"
	"stoa/shared/metering"
	"stoa/shared/offer"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
	"stoa/shared/subscription"
)

// What is wrong with the form of an event is found before anything is read.
func TestForm(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*metering.Event)
		want   []string // targets
	}{
		{"a resourceId of the wrong type does not fall back to the resourceUri", func(e *metering.Event) {
			e.ResourceID, e.ResourceURI, e.Malformed = "", sub1, []string{"resourceId"}
		}, []string{"ResourceId"}},
		{"a resourceUri of the wrong type", func(e *metering.Event) { e.Malformed = []string{"resourceUri"} }, []string{"ResourceUri"}},
		{"a resourceUri without end", func(e *metering.Event) { e.ResourceID, e.ResourceURI = "", "/"+strings.Repeat("x", 2048) }, []string{"ResourceUri"}},
		{"a time without end", func(e *metering.Event) { e.EffectiveStart = "2022-03-02T10:05:00." + strings.Repeat("0", 60) }, []string{"EffectiveStartTime"}},
		{"a date", func(e *metering.Event) { e.EffectiveStart = "2022-03-02" }, []string{"EffectiveStartTime"}},
		{"a quantity without end", func(e *metering.Event) { e.Quantity = strings.Repeat("1", 101) }, []string{"Quantity"}},
		{"several at once, in the order of the members", func(e *metering.Event) {
			e.PlanID, e.Dimension, e.Quantity = "", "", "1e-100"
		}, []string{"Quantity", "Dimension", "PlanId"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, _, _ := service(t)
			got := report(s, reporter, []metering.Event{event(c.change)})[0]
			require.Equal(t, metering.BadArgument, got.Status)
			var targets []string
			for _, d := range got.Details {
				require.Equal(t, "BadArgument", d.Code)
				targets = append(targets, d.Target)
			}
			require.Equal(t, c.want, targets)
		})
	}
}

// Reading back ends 13 months ago and knows the statuses of the table.
func TestHowFarBack(t *testing.T) {
	t.Parallel()
	db, _ := storetest.NewTwin(func() time.Time { return now })
	usage := store.NewUsage(db)
	add := func(id string, at time.Time) {
		u := []metering.Usage{{
			EventID: id, ResourceID: sub1, PublisherID: "contoso", OfferID: "cns", Dimension: "email", PlanID: "basic", Quantity: "1", Effective: at,
			Owner: metering.Owner{TenantID: reporter.TenantID, AppID: reporter.AppID},
		}}
		require.True(t, usage.Add(t.Context(), u)[0].Added)
		require.NoError(t, usage.Count(t.Context(), u))
	}
	border := now.AddDate(0, -13, 0)
	add("too old", border.Truncate(24*time.Hour).Add(-time.Second))
	add("old", border)
	s, err := metering.New(metering.Deps{Resources: resources(), Store: usage, Now: func() time.Time { return now }, NewID: storetest.Counter("event")})
	require.NoError(t, err)
	days, err := s.Reported(t.Context(), reporter, metering.Filter{Start: border.AddDate(0, 0, -7), End: border.AddDate(0, 0, 7)})
	require.NoError(t, err)
	require.Len(t, days, 1)
	require.Equal(t, 1, days[0].Count()) // MTR-93
	days, err = s.Reported(t.Context(), reporter, metering.Filter{Start: border.AddDate(0, 0, -7), End: border.AddDate(0, 0, -6)})
	require.NoError(t, err)
	require.Empty(t, days)
	_, err = s.Reported(t.Context(), reporter, metering.Filter{Start: border, End: border, Recon: "done"})
	require.True(t, fault.Is(err, fault.Invalid)) // MTR-88
}

// An annual subscription is held against the annual flag of its meters, a monthly one against the monthly flag.
func TestInfiniteByTerm(t *testing.T) {
	t.Parallel()
	version := offer.Version{Content: offer.Content{Dimensions: []offer.Dimension{{ID: "email"}}, Plans: []offer.Plan{
		{ID: "monthly", Meters: []offer.Meter{{DimensionID: "email", Enabled: true, MonthlyInfinite: true}}},
		{ID: "annual", Meters: []offer.Meter{{DimensionID: "email", Enabled: true, AnnualInfinite: true}}},
	}}}
	for _, c := range []struct {
		term, plan string
		want       bool
	}{{"P1M", "monthly", false}, {"P1Y", "monthly", true}, {"P1M", "annual", true}, {"P1Y", "annual", false}} {
		_, ok := metering.ResourceOf(subscription.Subscription{TermUnit: c.term}, version).Meter(c.plan, "email")
		require.Equal(t, c.want, ok, "MTR-46 %s of %s", c.plan, c.term)
	}
}

// Whatever the members of an event are, it is answered with a status of the table, and what is accepted is kept as
// it was sent, in the hour of its time.
func FuzzEvent(f *testing.F) {
	for _, seed := range [][5]string{
		{sub1, "", "2.5", "2022-03-02T10:05:00", "email"}, {"", sub1, "1e-7", "2022-03-02T13:30:00+02:00", "text"},
		{sub1, strings.ToUpper(sub1), "1E999999999", "2022-03-01T23:59:60Z", "email"}, {"", uri1, "0.00000000000000000001", "2022-03-02T10:05", "é"},
		{"/", "/subscriptions//resourceGroups/", "-0", "2022-03-02T10:05:00.123456789-14:00", "email|email"}, {"x", "x", "0x1p4", "0000-01-01T00:00:00", ""},
		{sub1, "", "1_000", "2022-03-02T10:05:00,5", "email"}, {sub1, "", "Infinity", "2022-03-02T25:00:00", "email"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3], seed[4])
	}
	f.Fuzz(func(t *testing.T, id, uri, quantity, at, dimension string) {
		s, usage, _ := service(t)
		got := report(s, reporter, []metering.Event{{ResourceID: id, ResourceURI: uri, Quantity: quantity, EffectiveStart: at, Dimension: dimension, PlanID: "basic"}})[0]
		require.NotEmpty(t, metering.InfoOf(got.Status).Status)
		if fault.Is(got.Err, fault.Unavailable) {
			return // the resource that the double does not reach
		}
		require.NotEqual(t, metering.Failed, got.Status, "%v", got.Err)
		if got.Status != metering.Accepted {
			require.NotEmpty(t, got.Details)
			return
		}
		require.Equal(t, []string{quantity, at}, []string{got.Usage.Quantity, got.Usage.EffectiveStart})
		require.WithinRange(t, got.Usage.Effective, now.Add(-24*time.Hour), now.Add(5*time.Minute))
		stored, err := usage.Accepted(t.Context(), got.Usage.Ref())
		require.NoError(t, err)
		require.Equal(t, quantity, stored.Quantity)
		value, err := stored.Value()
		require.NoError(t, err)
		require.True(t, value.IsPositive())
	})
}
