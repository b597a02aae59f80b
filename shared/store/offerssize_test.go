package store

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"stoa/shared/dimension"
	"stoa/shared/offer"
	"stoa/shared/store/table"
)

// The largest offer that can be sold keeps what publishing has fixed of it in the row of its head: a hundred plans that
// meter thirty dimensions, with an imported price in each market.
func TestLargestPublishedOffer(t *testing.T) {
	t.Parallel()
	id := func(i int) string { return fmt.Sprintf("%0*d", 50, i) }
	price := decimal.RequireFromString("999999999999.999999")
	terms, local := map[string]decimal.Decimal{}, map[string]dimension.Price{}
	var markets []string
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			if m, ok := dimension.MarketOf(string([]rune{a, b})); ok {
				markets = append(markets, m.ID)
				terms[m.ID], local[m.ID] = price, dimension.Price{Price: price, Imported: true}
			}
		}
	}
	require.Len(t, markets, 141)
	o := offer.Offer{
		Content: offer.Content{PublisherID: id(0), OfferID: id(0), OfferType: offer.TypeSaaS, Alias: strings.Repeat("日", 50), ListingOption: offer.SellThroughMicrosoft},
		Notes:   strings.Repeat("日", offer.MaxNotes), Status: offer.StatusLive, Lock: "read", Synced: map[string]time.Time{},
	}
	for i := range dimension.Most {
		o.Dimensions = append(o.Dimensions, offer.Dimension{ID: id(i), DisplayName: strings.Repeat("日", 50), UnitOfMeasure: strings.Repeat("日", 50)})
	}
	const plans = 100
	for i := range plans {
		p := offer.Plan{ID: id(i), Name: id(i), Description: strings.Repeat("日", 500), PricingModel: offer.FlatRate, Markets: markets,
			Terms: []offer.PlanTerm{{Unit: "P1M", PriceUSD: price, Prices: terms}, {Unit: "P1Y", PriceUSD: price, Prices: terms}}}
		for j := range dimension.Most {
			p.Meters = append(p.Meters, offer.Meter{DimensionID: id(j), Enabled: true, PricePerUnitUSD: price, Prices: local,
				MonthlyIncluded: 1<<53 - 1, AnnualIncluded: 1<<53 - 1})
		}
		o.Plans = append(o.Plans, p)
		o.Synced[p.ID] = time.Date(2026, 3, 1, 0, 0, 0, 999_999_999, time.UTC)
	}
	first := o.Content
	first.Plans = o.Plans[:1]
	o.Published = offer.PublishedFacts(nil, first)
	for _, p := range o.Plans {
		o.Published.Plans[p.ID] = o.Published.Plans[id(0)] // all plans say the same
	}
	head, parts := toHead(&o)
	require.Len(t, parts, plans+1)
	require.Less(t, len(encode(head)), table.MaxData)
	for key, part := range parts {
		require.Less(t, len(part), table.MaxData, key)
	}
	metered := first.Metered(o.Published)
	require.NoError(t, metered.Published.CheckLocks(metered.Dimensions, metered.Plans))
}
