package offers_test

import (
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"stoa/shared/dimension"
	"stoa/shared/offer"
)

// Customers see what is enabled on the plans that they see, with what is never charged marked (MTR-15).
func TestMetersShown(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.complete()
	dimensions := []object{}
	for _, id := range []string{"email", "free", "off", "none"} {
		dimensions = append(dimensions, object{"dimensionId": id, "displayName": id, "unitOfMeasure": "each"})
	}
	b.must(200, "PUT", saas+"/pages/planOverview", object{"dimensions": dimensions})
	require.EqualValues(t, 2, b.must(200, "GET", saas+"/overview", nil)["anomalies"], "MTR-74")
	b.must(200, "PUT", saas+"/plans/basic", object{"meters": []object{
		{"dimensionId": "email", "enabled": true, "pricePerUnitUsd": "1.5", "monthlyIncluded": 10},
		{"dimensionId": "free", "enabled": true, "pricePerUnitUsd": "2", "monthlyInfinite": true},
		{"dimensionId": "off", "pricePerUnitUsd": "3"},
	}})
	drafts := &offer.Service{Store: b.store, Sealer: marked{}, Now: b.clock}
	_, err := drafts.Edit(t.Context(), offer.DraftRef{PublisherID: "contoso", OfferID: "contoso-saas"}, func(c *offer.Content) error {
		m := &c.Plans[0].Meters[0]
		m.Prices = map[string]dimension.Price{"DE": {Price: decimal.RequireFromString("1.25"), Imported: true}}
		return nil
	})
	require.NoError(t, err)
	b.must(202, "POST", saas+"/publish", nil)
	b.run()
	shown := b.must(200, "GET", "/storefront/v1/offers/contoso/contoso-saas?slot=preview", nil)
	require.Equal(t, []any{
		object{"dimensionId": "email", "pricePerUnitUsd": "1.5", "marketPrices": object{"DE": "1.25"}, "monthlyIncluded": 10.0, "annualIncluded": 0.0},
		object{"dimensionId": "free", "pricePerUnitUsd": "0", "monthlyIncluded": "infinite", "annualIncluded": 0.0, "neverCharged": true},
	}, shown["plans"].([]any)[0].(object)["meters"])
	require.Len(t, shown["dimensions"], 2, "what no plan has enabled is hidden")
}
