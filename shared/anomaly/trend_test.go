package anomaly_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"stoa/shared/anomaly"
	"stoa/shared/fault"
)

// MTR-74: usage is followed by day and dimension; the plan view has the top five of each meter.
func TestTrends(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	day := func(i int) time.Time { return first.AddDate(0, 0, i) }
	row := func(meter, plan, customer string, i int, quantity string) {
		w.usage.daily = append(w.usage.daily, anomaly.Daily{
			OfferID: "cns", Meter: meter, PlanID: plan, CustomerID: customer, CustomerName: "Company " + customer, Date: day(i),
			Quantity: decimal.RequireFromString(quantity), Count: 2,
		})
	}
	for p := range 7 { // text is used more than email
		row("text", fmt.Sprint("p", p), "adatum", 1, fmt.Sprint(1000+p))
	}
	row("email", "basic", "adatum", 2, "0.1")
	row("email", "basic", "fabrikam", 0, "0.2")
	row("email", "gold", "adatum", 2, "0.3")
	q := anomaly.TrendQuery{PublisherID: "contoso", From: day(0), Until: day(366), Group: anomaly.ByMeter}
	got, err := w.Trends(t.Context(), q)
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.Equal(t, "email", got[0].Meter)
	require.Equal(t, "0.6", got[0].Total.String())
	require.Equal(t, 6, got[0].Count)
	require.Empty(t, got[0].PlanID+got[0].CustomerID+got[0].CustomerName)
	require.Equal(t, []anomaly.TrendDay{
		{Date: day(0), Quantity: decimal.RequireFromString("0.2"), Count: 2}, {Date: day(2), Quantity: decimal.RequireFromString("0.4"), Count: 4},
	}, got[0].Days)

	q.Group = anomaly.ByPlan
	got, err = w.Trends(t.Context(), q)
	require.NoError(t, err)
	var names []string
	for _, g := range got {
		names = append(names, g.Meter+" "+g.PlanID)
	}
	require.Equal(t, []string{"email basic", "email gold", "text p6", "text p5", "text p4", "text p3", "text p2"}, names)

	q.Group = anomaly.ByCustomer
	got, err = w.Trends(t.Context(), q)
	require.NoError(t, err)
	require.Len(t, got, 3)
	require.Equal(t, []string{"adatum", "Company adatum", "0.4"}, []string{got[0].CustomerID, got[0].CustomerName, got[0].Total.String()})

	for name, bad := range map[string]struct {
		change func(*anomaly.TrendQuery)
		target string
	}{
		"group":    {func(q *anomaly.TrendQuery) { q.Group = "offer" }, "group"},
		"to":       {func(q *anomaly.TrendQuery) { q.Until = q.From }, "to"},
		"too long": {func(q *anomaly.TrendQuery) { q.Until = q.From.AddDate(0, 0, 367) }, "to"},
	} {
		b := q
		bad.change(&b)
		_, err = w.Trends(t.Context(), b)
		require.Error(t, err, name)
		refused(t, err, fault.Invalid, anomaly.CodeInvalid, bad.target)
	}
	for range 100_000 {
		row("email", "basic", "adatum", 2, "1")
	}
	_, err = w.Trends(t.Context(), q)
	refused(t, err, fault.Invalid, anomaly.CodeInvalid, "from")
}
