package billing

import (
	"context"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"stoa/shared/dimension"
	"stoa/shared/metering"
	"stoa/shared/offer"
)

// half knows one rate for all currencies.
type half struct{}

func (half) UnitsPerUSD(context.Context, string, string) (decimal.Decimal, error) {
	return decimal.RequireFromString("0.5"), nil
}

// Use is charged at the price of the customer's market, converted when it was saved or from the publisher's workbook,
// and at the rate of the day where there is none (MTR-16).
func TestPriceOfTheMarket(t *testing.T) {
	t.Parallel()
	s := &Service{deps: Deps{Rates: half{}}}
	meter := offer.Meter{DimensionID: "email", Enabled: true, PricePerUnitUSD: decimal.NewFromInt(2), Prices: map[string]dimension.Price{
		"DE": {Price: decimal.RequireFromString("1.8"), RateDate: "2026-01-01"}, "US": {Price: decimal.NewFromInt(3), Imported: true}}}
	for _, row := range []struct{ market, currency, want string }{
		{"DE", "EUR", "1.8"},
		{"DE", "USD", "2"}, // billed in another currency than the market's
		{"FR", "EUR", "1"}, // no price of its own
		{"US", "USD", "3"},
		{"EC", "USD", "2"},
		{"", "EUR", "1"},
	} {
		resource := metering.Resource{
			Market: row.market, Currency: row.currency, Dimensions: []offer.Dimension{{ID: "email"}}, Meters: map[string][]offer.Meter{"basic": {meter}}}
		got, err := s.partPrice(t.Context(), resource, Cycle{Dimension: "email", Month: "2026-01"}, Part{PlanID: "basic"})
		require.NoError(t, err)
		require.Equal(t, row.want, got.String(), "%s %s", row.market, row.currency)
	}
}
