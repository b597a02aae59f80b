package publish_test

import (
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"stoa/shared/dimension"
	"stoa/shared/fault"
	"stoa/shared/offer"
	"stoa/shared/publish"
)

// What the rules of dimensions find refuses publishing as what is missing on a page does (MTR-7).
func TestMeteringIsRefused(t *testing.T) {
	t.Parallel()
	metered := func(c offer.Content) offer.Content {
		c.Dimensions = []offer.Dimension{{ID: "email", DisplayName: "E-mails", UnitOfMeasure: "each"}}
		c.Plans[0].Meters = []offer.Meter{{DimensionID: "email", Enabled: true, PricePerUnitUSD: decimal.NewFromInt(1)}}
		return c
	}
	for _, row := range []struct {
		name    string
		content offer.Content
		change  func(*offer.Content)
		detail  string // code and target, "" when it can be published
	}{
		{"complete", metered(saas(false)), func(*offer.Content) {}, ""},
		{"MTR-7 no application", metered(saas(false)), func(c *offer.Content) { c.Technical.AppID = "" },
			dimension.CodeIdentity + " technicalConfiguration.aadApplicationId"},
		{"no unit", metered(saas(false)), func(c *offer.Content) { c.Dimensions[0].UnitOfMeasure = "" }, dimension.CodeRequired + " dimensions[0].unitOfMeasure"},
		{"MTR-7 managed application, without a central service", metered(azure()), func(*offer.Content) {}, ""},
		{"MTR-7 managed application, half of a central service", metered(azure()), func(c *offer.Content) { c.Technical.TenantID = "11111111-1111-1111-1111-111111111111" },
			dimension.CodeIdentity + " technicalConfiguration.aadApplicationId"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.create(t, row.content)
			b.edit(t, row.change)
			_, err := b.Publish(t.Context(), request())
			if row.detail == "" {
				require.NoError(t, err)
				return
			}
			requireFault(t, err, fault.Conflict, publish.CodePagesIncomplete)
			var found []string
			for _, d := range fault.As(err).Details {
				found = append(found, d.Code+" "+d.Target)
			}
			require.Contains(t, found, row.detail)
			require.Empty(t, b.steps(t))
		})
	}
}
