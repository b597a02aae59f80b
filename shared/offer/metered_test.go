package offer_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"stoa/shared/dimension"
	"stoa/shared/fault"
	"stoa/shared/offer"
)

// daily knows the rate of the euro.
type daily struct {
	rate  string
	away  error
	asked int
}

func (d *daily) UnitsPerUSD(_ context.Context, currency, _ string) (decimal.Decimal, error) {
	d.asked++
	if d.away != nil {
		return decimal.Decimal{}, d.away
	}
	if currency != "EUR" {
		return decimal.Decimal{}, fault.New(fault.NotFound, "NotFound", "", "none")
	}
	return decimal.RequireFromString(d.rate), nil
}

// object reads a patch as requests are read, with its numbers as they were written.
func object(t *testing.T, text string) map[string]any {
	t.Helper()
	var out map[string]any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	require.NoError(t, d.Decode(&out))
	return out
}

// metered is an offer whose plan has a meter.
func metered(t *testing.T) (shelf, *daily) {
	t.Helper()
	s, d := newShelf(t), &daily{rate: "0.9"}
	s.Rates = d
	s.create(t, "contoso", "app", false, func(c *offer.Content) {
		c.Dimensions = []offer.Dimension{{ID: "d", DisplayName: "D", UnitOfMeasure: "u"}, {ID: "e", DisplayName: "E", UnitOfMeasure: "u"}}
		c.Plans = []offer.Plan{plan("basic")}
	})
	_, err := s.SavePlan(t.Context(), ref("app"), "basic", object(t, `{"meters":[{"dimensionId":"d","enabled":true,"pricePerUnitUsd":"2"}]}`))
	require.NoError(t, err)
	return s, d
}

func pricesOf(o offer.Offer) map[string]string {
	out := map[string]string{}
	for market, price := range o.Plans[0].Meters[0].Prices {
		out[market] = price.Price.String()
	}
	return out
}

// A plan that gains a market has its prices there, at the rate of the day, and keeps those that it had (MTR-16).
func TestPricesOfMarketsGained(t *testing.T) {
	t.Parallel()
	s, d := metered(t)
	save := func(patch string) (offer.Offer, error) {
		return s.SavePlan(t.Context(), ref("app"), "basic", object(t, patch))
	}
	o, err := save(`{"markets":["US","DE","JP"]}`)
	require.NoError(t, err, "a currency without a rate waits")
	require.Equal(t, map[string]string{"DE": "1.8"}, pricesOf(o))
	d.rate = "0.5"
	o, err = save(`{"markets":["US","DE","FR"]}`)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"DE": "1.8", "FR": "1"}, pricesOf(o), "MTR-16 what was converted stays")
	d.away = errors.New("away")
	asked := d.asked
	_, err = save(`{"description":"other"}`)
	require.NoError(t, err)
	require.Equal(t, asked, d.asked, "nothing was missing")
	_, err = save(`{"markets":["US","DE","FR","GB"]}`)
	require.ErrorIs(t, err, d.away)
	d.away = nil

	o, err = save(`{"meters":[{"dimensionId":"d","enabled":true,"pricePerUnitUsd":"2","monthlyIncluded":5}]}`)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"DE": "1.8", "FR": "1"}, pricesOf(o), "left out and kept")
	same, err := json.Marshal(o.Plans[0])
	require.NoError(t, err)
	_, err = save(string(same))
	require.NoError(t, err, "said again")
	o, err = save(`{"meters":[{"dimensionId":"d","enabled":true,"pricePerUnitUsd":"4"}]}`)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"DE": "2", "FR": "2"}, pricesOf(o), "MTR-16 another price is converted")
	for _, given := range []string{`{"DE":{"price":"1"}}`, `{"US":{"price":"2"}}`, `{"DE":{"price":"2","imported":true},"FR":{"price":"2"}}`} {
		for _, act := range []func(string) error{
			func(meters string) error { _, err := save(`{"meters":` + meters + `}`); return err },
			func(meters string) error {
				_, err := s.SavePage(t.Context(), ref("app"), "planOverview", object(t, `{"plans":[{"planId":"basic","name":"b","meters":`+meters+`}]}`))
				return err
			},
		} {
			err = act(`[{"dimensionId":"d","enabled":true,"pricePerUnitUsd":"4","marketPrices":` + given + `}]`)
			refused(t, err, fault.Invalid, offer.CodeInvalid)
			require.Equal(t, "plans[0].meters[0].marketPrices", fault.As(err).Target, "MTR-16 from the workbook only")
		}
	}
	for given, target := range map[string]string{
		`{"DE":{"price":"-1"}}`: "plans[0].meters[0].marketPrices.DE.price", `{"DE":{"price":1e9000}}`: "plans[0].meters[0].marketPrices.DE.price",
		`{"DE":{"PRICE":1e9000}}`: "plans[0].meters[0]",
	} {
		_, err = save(`{"meters":[{"dimensionId":"d","marketPrices":` + given + `}]}`)
		require.Equal(t, target, fault.As(err).Target, "%s: %v", given, err)
	}
}

// What a plan meters is fixed when it is published, whichever way the draft is written (MTR-11 to MTR-13).
func TestMetersFixedByPublishing(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, code, target string // no code: allowed
		change             func(*offer.Content)
	}{
		{"nothing", "", "", func(*offer.Content) {}},
		{"a market more", "", "", func(c *offer.Content) {
			c.Plans[0].Markets = append(c.Plans[0].Markets, "DE")
			c.Plans[0].Meters[0].Prices = map[string]dimension.Price{"DE": {Price: decimal.NewFromInt(1)}}
		}},
		{"MTR-13 not enabled", "", "", func(c *offer.Content) { c.Plans[1].Meters = []offer.Meter{{DimensionID: "d"}} }},
		{"MTR-13 a plan without meters gains one", dimension.CodePriceLocked, "plans.bare.meters.d", func(c *offer.Content) {
			c.Plans[1].Meters = []offer.Meter{{DimensionID: "d", Enabled: true}}
		}},
		{"MTR-13 a meter more", dimension.CodePriceLocked, "plans.basic.meters.e", func(c *offer.Content) {
			c.Plans[0].Meters = append(c.Plans[0].Meters, offer.Meter{DimensionID: "e", Enabled: true})
		}},
		{"MTR-12 price", dimension.CodePriceLocked, "plans.basic.meters.d", func(c *offer.Content) { c.Plans[0].Meters[0].PricePerUnitUSD = decimal.NewFromInt(3) }},
		{"MTR-11 name", dimension.CodeDimensionLocked, "dimensionId", func(c *offer.Content) { c.Dimensions[0].DisplayName = "x" }},
		{"MTR-17 removed", dimension.CodeDimensionLocked, "dimensionId", func(c *offer.Content) { c.Dimensions = c.Dimensions[:1] }},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s, _ := metered(t)
			o, err := s.Edit(t.Context(), ref("app"), func(c *offer.Content) error { c.Plans = append(c.Plans, plan("bare")); return nil })
			require.NoError(t, err)
			o.Published = offer.PublishedFacts(nil, o.Content)
			require.NoError(t, s.store.Save(t.Context(), o))
			_, err = s.Edit(t.Context(), ref("app"), func(c *offer.Content) error { row.change(c); return nil })
			if row.code == "" {
				require.NoError(t, err)
				return
			}
			refused(t, err, fault.Conflict, row.code)
			require.Equal(t, row.target, fault.As(err).Target)
		})
	}
}

// What stands against publishing an offer with its dimensions is found on its pages.
func TestMeteringFindings(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, offerType, code, target string // no code: nothing is found about dimensions
		refused                       bool   // when saved
		change                        func(*offer.Content)
	}{
		{"complete", "SaaS", "", "", false, func(*offer.Content) {}},
		{"MTR-7 no application", "SaaS", dimension.CodeIdentity, "technicalConfiguration.aadApplicationId", false, func(c *offer.Content) { c.Technical.AppID = "" }},
		{"no unit", "SaaS", dimension.CodeRequired, "dimensions[0].unitOfMeasure", false, func(c *offer.Content) { c.Dimensions[0].UnitOfMeasure = "" }},
		{"a quantity of a term that is not sold", "SaaS", dimension.CodeInvalid, "plans[0].meters[0].annualIncluded", false,
			func(c *offer.Content) { c.Plans[0].Meters[0].AnnualIncluded = 5 }},
		{"MTR-9", "SaaS", dimension.CodeLimit, "dimensions", true, func(c *offer.Content) { c.Dimensions = dimensions(31) }},
		{"an ID with a space", "SaaS", dimension.CodeInvalid, "dimensions[0].dimensionId", true, func(c *offer.Content) { c.Dimensions[0].ID = "a b" }},
		{"MTR-14 seven decimals", "SaaS", dimension.CodeInvalid, "plans[0].meters[0].pricePerUnitUsd", true,
			func(c *offer.Content) { c.Plans[0].Meters[0].PricePerUnitUSD = decimal.New(1, -7) }},
		{"MTR-7 managed applications report by themselves", offer.TypeAzureApplication, "", "", false, func(c *offer.Content) { c.Technical = offer.Technical{} }},
		{"MTR-7 half of an application", offer.TypeAzureApplication, dimension.CodeIdentity, "technicalConfiguration.aadApplicationId", false,
			func(c *offer.Content) { c.Technical.AppID = "" }},
		{"managed application", offer.TypeAzureApplication, "", "", false, func(c *offer.Content) { c.Plans[0].Type = offer.ManagedApplication }},
		{"MTR-2 solution template", offer.TypeAzureApplication, dimension.CodeNotAllowed, "plans[0].meters", true,
			func(c *offer.Content) { c.Plans[0].Type = offer.SolutionTemplate }},
		{"MTR-5 Azure Government", offer.TypeAzureApplication, dimension.CodeGovernment, "plans[0].meters", true,
			func(c *offer.Content) { c.Plans[0].Clouds = []string{"AzureGlobal", offer.AzureGovernment} }},
		{"managed applications have no annual term", offer.TypeAzureApplication, dimension.CodeInvalid, "plans[0].meters[0].annualIncluded", false,
			func(c *offer.Content) { c.Plans[0].Meters[0].AnnualIncluded = 5 }},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			o, err := offer.New(offer.NewOffer{PublisherID: "contoso", OfferID: "app", OfferType: row.offerType, Alias: "A"}, now)
			require.NoError(t, err)
			_, err = o.Edit(now, func(c *offer.Content) error {
				p := plan("basic")
				p.Meters = []offer.Meter{{DimensionID: "d0", Enabled: true, PricePerUnitUSD: decimal.NewFromInt(1)}}
				if row.offerType == offer.TypeAzureApplication {
					p.PricingModel, p.Terms = "", nil
				}
				c.ListingOption, c.Plans = offer.SellThroughMicrosoft, []offer.Plan{p}
				c.Dimensions = []offer.Dimension{{ID: "d0", DisplayName: "D", UnitOfMeasure: "u"}}
				c.Technical = offer.Technical{TenantID: someGUID, AppID: someGUID}
				row.change(c)
				if row.target == "dimensions[0].dimensionId" {
					p.Meters[0].DimensionID = c.Dimensions[0].ID
				}
				return nil
			})
			if row.refused {
				refused(t, err, fault.Invalid, row.code)
				require.Equal(t, row.target, fault.As(err).Target)
				return
			}
			require.NoError(t, err)
			var found []string
			for _, p := range o.Pages() {
				for _, f := range p.Findings {
					if f.Code == row.code && f.Field == row.target {
						found = append(found, f.Code)
					}
					if row.code == "" {
						require.NotContains(t, f.Code, "Metering")
						require.NotContains(t, f.Field, "meters")
						require.NotContains(t, f.Field, "dimensions")
					}
				}
			}
			require.Equal(t, row.code != "", len(found) == 1, "%v", found)
		})
	}
}

// The type of an Azure application's plan is fixed when it is published.
func TestPlanTypeIsFixed(t *testing.T) {
	t.Parallel()
	o, err := offer.New(offer.NewOffer{PublisherID: "contoso", OfferID: "app", OfferType: offer.TypeAzureApplication, Alias: "A"}, now)
	require.NoError(t, err)
	set := func(planType string) error {
		_, err := o.Edit(now, func(c *offer.Content) error { c.Plans = []offer.Plan{{ID: "p", Type: planType}}; return nil })
		return err
	}
	refused(t, set("template"), fault.Invalid, offer.CodeInvalid)
	require.NoError(t, set(offer.SolutionTemplate))
	require.NoError(t, set(offer.ManagedApplication))
	o.Published = offer.PublishedFacts(nil, o.Content)
	require.NoError(t, set(offer.ManagedApplication))
	refused(t, set(offer.SolutionTemplate), fault.Conflict, "PlanTypeLocked")
}
