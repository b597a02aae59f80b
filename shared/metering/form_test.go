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
			got := s.Accept(t.Context(), reporter, []metering.Event{event(c.change)})[0]
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
		out := usage.Add(t.Context(), []metering.Usage{{
			EventID: id, ResourceID: sub1, Dimension: "email", PlanID: "basic", Quantity: "1", Effective: at,
			Owner: metering.Owner{TenantID: reporter.TenantID, AppID: reporter.AppID},
		}})
		require.True(t, out[0].Added)
	}
	border := now.AddDate(0, -13, 0)
	add("too old", border.Add(-time.Second))
	add("old", border)
	s, err := metering.New(metering.Deps{Resources: resources(), Store: usage, Now: func() time.Time { return now }, NewID: storetest.Counter("event")})
	require.NoError(t, err)
	days, err := s.Reported(t.Context(), reporter, metering.Filter{Start: border.AddDate(0, 0, -7), End: border.AddDate(0, 0, 7)})
	require.NoError(t, err)
	require.Len(t, days, 1)
	require.Equal(t, 1, days[0].Count) // MTR-93
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
