package dimension_test

import (
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"stoa/shared/dimension"
	"stoa/shared/fault"
)

func TestMeterValues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		plan         string
		set          dimension.Setting
		code, target string
	}{
		{"MTR-14 price 0", "basic", dimension.Setting{Enabled: true, Price: price("0")}, "", ""},
		{"six decimals", "basic", dimension.Setting{Enabled: true, Price: price("0.000001")}, "", ""},
		{"highest price", "basic", dimension.Setting{Enabled: true, Price: price("10000000")}, "", ""},
		{"no price, not enabled", "basic", dimension.Setting{}, "", ""},
		{"no price, never charged", "basic", dimension.Setting{Enabled: true, Monthly: dimension.Included{Infinite: true}}, "", ""},
		{"annual quantity of an annual term", "premium", dimension.Setting{Enabled: true, Price: price("1"), Annual: dimension.Included{Units: 1}}, "", ""},
		{"no price, one term charged", "premium", dimension.Setting{Enabled: true, Monthly: dimension.Included{Infinite: true}}, dimension.CodeRequired, "pricePerUnitUsd"},
		{"no price", "basic", dimension.Setting{Enabled: true}, dimension.CodeRequired, "pricePerUnitUsd"},
		{"MTR-14 negative price", "basic", dimension.Setting{Enabled: true, Price: price("-0.01")}, dimension.CodeInvalid, "pricePerUnitUsd"},
		{"seven decimals", "basic", dimension.Setting{Enabled: true, Price: price("0.0000001")}, dimension.CodeInvalid, "pricePerUnitUsd"},
		{"price too high", "basic", dimension.Setting{Enabled: true, Price: price("10000000.01")}, dimension.CodeInvalid, "pricePerUnitUsd"},
		{"price beyond computing", "basic", dimension.Setting{Enabled: true, Price: price("1e9999")}, dimension.CodeInvalid, "pricePerUnitUsd"},
		{"annual quantity without annual term", "basic", dimension.Setting{Enabled: true, Price: price("1"), Annual: dimension.Included{Units: 1}}, dimension.CodeInvalid, "annualIncluded"},
		{"infinite without annual term", "basic", dimension.Setting{Enabled: true, Price: price("1"), Annual: dimension.Included{Infinite: true}}, dimension.CodeInvalid, "annualIncluded"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := cns(t)
			require.NoError(t, o.Add(push))
			err := o.Set(c.plan, "push", c.set, day)
			p, _ := o.Plan(c.plan)
			m, there := p.Meter("push")
			if c.code == "" {
				require.NoError(t, err)
				require.True(t, there)
				require.Equal(t, c.set.Enabled, m.Enabled)
				require.Empty(t, o.Findings())
				return
			}
			refused(t, err, fault.Invalid, c.code, c.target)
			require.False(t, there)
		})
	}
	o := cns(t)
	refused(t, o.Set("gold", "email", dimension.Setting{}, day), fault.NotFound, "NotFound", "planId")
	refused(t, o.Set("basic", "Email", dimension.Setting{}, day), fault.NotFound, "NotFound", "dimensionId")
	o.Kind, o.Plans[0].Annual = dimension.AzureApplication, true
	refused(t, o.Set("basic", "email", dimension.Setting{Annual: dimension.Included{Units: 1}}, day), fault.Invalid, dimension.CodeInvalid, "annualIncluded")
	o.Kind, o.Plans[0].Annual, o.Plans[0].Monthly = dimension.SaaS, true, false
	refused(t, o.Set("basic", "email", dimension.Setting{Monthly: dimension.Included{Units: 1}}, day), fault.Invalid, dimension.CodeInvalid, "monthlyIncluded")
	require.Equal(t, []string{"InvalidValue plans[0].meters[0].monthlyIncluded", "InvalidValue plans[0].meters[1].monthlyIncluded"}, targets(o.Findings()))
}

func TestParseIncluded(t *testing.T) {
	t.Parallel()
	// MTR-14
	for text, want := range map[string]dimension.Included{
		"": {}, "0": {}, "10000": {Units: 10000}, "1e3": {Units: 1000}, "5.0": {Units: 5}, "Infinite": {Infinite: true},
		"9007199254740991": {Units: 9007199254740991},
	} {
		got, err := dimension.ParseIncluded("monthlyIncluded", text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"0.5", "-1", "9007199254740992", "many", "1e400000000", "NaN", "1111111111111111111111111111111111111111111"} {
		_, err := dimension.ParseIncluded("monthlyIncluded", text)
		refused(t, err, fault.Invalid, dimension.CodeInvalid, "monthlyIncluded")
	}
}

func TestParsePrice(t *testing.T) {
	t.Parallel()
	// MTR-14
	for text, want := range map[string]string{"0": "0", "0.005": "0.005", "1e-3": "0.001", "2.50": "2.5"} {
		got, err := dimension.ParsePrice("pricePerUnitUsd", text)
		require.NoError(t, err, text)
		require.True(t, got.Valid && got.Decimal.Equal(usd(want)), text)
	}
	for _, text := range []string{"-1", "one", "1e-7", "1e8", "1e999999999"} {
		_, err := dimension.ParsePrice("pricePerUnitUsd", text)
		refused(t, err, fault.Invalid, dimension.CodeInvalid, "pricePerUnitUsd")
	}
	none, err := dimension.ParsePrice("pricePerUnitUsd", "")
	require.NoError(t, err)
	require.False(t, none.Valid)
}

func TestPublishedPlans(t *testing.T) {
	t.Parallel()
	was := dimension.Setting{Enabled: true, Price: price("1"), Monthly: dimension.Included{Units: 10000}}
	for name, change := range map[string]func(*dimension.Setting){
		"MTR-12 price":     func(s *dimension.Setting) { s.Price = price("1.01") },
		"MTR-12 quantity":  func(s *dimension.Setting) { s.Monthly.Units++ },
		"MTR-12 infinite":  func(s *dimension.Setting) { s.Monthly = dimension.Included{Infinite: true} },
		"MTR-12 enabled":   func(s *dimension.Setting) { s.Enabled = false },
		"MTR-18 when sold": func(s *dimension.Setting) { s.Price = price("0") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, next := cns(t), was
			change(&next)
			require.NoError(t, o.Set("basic", "email", next, day), "a draft can be edited")
			o = live(cns(t))
			before, _ := o.Plans[0].Meter("email")
			refused(t, o.Set("basic", "email", next, day), fault.Conflict, dimension.CodePriceLocked, "plans.basic.meters.email")
			after, _ := o.Plans[0].Meter("email")
			require.Equal(t, before, after)
			o.Plans = append(o.Plans, dimension.Plan{ID: "gold", Monthly: true})
			require.NoError(t, o.Set("gold", "email", next, day), "MTR-18 a new plan")
		})
	}
	require.NoError(t, live(cns(t)).Set("basic", "email", was, day), "it stays as it is")
}

func TestDimensionAddedLater(t *testing.T) {
	t.Parallel()
	// MTR-13
	o := live(cns(t))
	require.NoError(t, o.Add(push))
	basic := o.Plans[0]
	_, there := basic.Meter("push")
	require.False(t, there)
	require.NotContains(t, names(o.Shown(&basic, "US")), "push")
	refused(t, o.Set("basic", "push", dimension.Setting{Enabled: true, Price: price("1")}, day), fault.Conflict, dimension.CodePriceLocked, "plans.basic.meters.push")
	require.NoError(t, o.Set("basic", "push", dimension.Setting{}, day), "it is not enabled anyway")
	require.NoError(t, o.Published.CheckLocks(o.Dimensions, o.Plans))
	o.Plans = append(o.Plans, dimension.Plan{ID: "gold", Monthly: true})
	require.NoError(t, o.Set("gold", "push", dimension.Setting{Enabled: true, Price: price("1")}, day))
	require.NoError(t, o.Published.CheckLocks(o.Dimensions, o.Plans))
}

func names(shown []dimension.Shown) []string {
	var out []string
	for _, s := range shown {
		out = append(out, s.ID)
	}
	return out
}

func TestCheckLocks(t *testing.T) {
	t.Parallel()
	enabled := dimension.Meter{DimensionID: "push", Enabled: true}
	for _, c := range []struct {
		name         string
		change       func(*dimension.Offer)
		code, target string
	}{
		{"nothing", func(*dimension.Offer) {}, "", ""},
		{"MTR-11 name", func(o *dimension.Offer) { o.Dimensions[0].DisplayName = "x" }, dimension.CodeDimensionLocked, "dimensionId"},
		{"MTR-17 removed", func(o *dimension.Offer) { o.Dimensions = o.Dimensions[1:] }, dimension.CodeDimensionLocked, "dimensionId"},
		{"MTR-12 price", func(o *dimension.Offer) { o.Plans[0].Meters[0].PricePerUnitUSD = usd("9") }, dimension.CodePriceLocked, "plans.basic.meters.email"},
		{"MTR-12 price of a market", func(o *dimension.Offer) { o.Plans[0].Meters[0].Prices = nil }, dimension.CodePriceLocked, "plans.basic.meters.email"},
		{"MTR-12 meter removed", func(o *dimension.Offer) { o.Plans[0].Meters = o.Plans[0].Meters[1:] }, dimension.CodePriceLocked, "plans.basic.meters.email"},
		{"MTR-13 enabled later", func(o *dimension.Offer) { o.Plans[0].Meters = append(o.Plans[0].Meters, enabled) }, dimension.CodePriceLocked, "plans.basic.meters.push"},
		{"a new plan", func(o *dimension.Offer) {
			o.Plans = append(o.Plans, dimension.Plan{ID: "gold", Meters: []dimension.Meter{enabled}})
		}, "", ""},
		{"another order", func(o *dimension.Offer) {
			o.Plans[0].Meters[0], o.Plans[0].Meters[1] = o.Plans[0].Meters[1], o.Plans[0].Meters[0]
		}, "", ""},
		{"a market more", func(o *dimension.Offer) {
			o.Plans[0].Markets = append(o.Plans[0].Markets, "JP")
			o.Plans[0].FillPrices(day)
		}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := live(cns(t))
			c.change(o)
			err := o.Published.CheckLocks(o.Dimensions, o.Plans)
			if c.code == "" {
				require.NoError(t, err)
				return
			}
			refused(t, err, fault.Conflict, c.code, c.target)
		})
	}
}

func TestInfinite(t *testing.T) {
	t.Parallel()
	// MTR-15
	o := cns(t)
	forever := dimension.Included{Infinite: true}
	require.NoError(t, o.Set("premium", "email", dimension.Setting{Enabled: true, Price: price("0.5"), Monthly: forever}, day))
	premium, err := o.Plan("premium")
	require.NoError(t, err)
	m, _ := premium.Meter("email")
	require.False(t, premium.NeverCharged(m), "the annual term is charged")
	require.Equal(t, "0.5", premium.PriceText(m))
	require.NoError(t, o.Set("premium", "email", dimension.Setting{Enabled: true, Price: price("0.5"), Monthly: forever, Annual: forever}, day))
	m, _ = premium.Meter("email")
	require.True(t, premium.NeverCharged(m))
	require.Equal(t, "Not applicable", premium.PriceText(m))
	require.NoError(t, o.Set("premium", "text", dimension.Setting{Price: price("1")}, day))
	shown := o.Shown(premium, "US")
	require.Equal(t, []string{"email"}, names(shown), "what is not enabled is hidden")
	require.True(t, shown[0].NeverCharged)
	require.True(t, shown[0].Price.IsZero())
	basic, _ := o.Plan("basic")
	charged := o.Shown(basic, "DE")
	require.Equal(t, []any{"0.9", "EUR", false, "10000"}, []any{charged[0].Price.String(), charged[0].Currency, charged[0].NeverCharged, charged[0].Monthly.String()})
}

func TestFindingsOfDrafts(t *testing.T) {
	t.Parallel()
	o := cns(t)
	o.Dimensions = append(o.Dimensions, email, dimension.Dimension{ID: "bad id", DisplayName: "n", UnitOfMeasure: "u"})
	o.Plans[0].Meters[0] = dimension.Meter{DimensionID: "fax", PricePerUnitUSD: decimal.NewFromInt(-1), MonthlyIncluded: -1, AnnualIncluded: -1}
	require.Equal(t, []string{
		"AlreadyExists dimensions[2].dimensionId", "InvalidValue dimensions[3].dimensionId",
		"InvalidValue plans[0].meters[0].dimensionId", "InvalidValue plans[0].meters[0].pricePerUnitUsd",
		"InvalidValue plans[0].meters[0].monthlyIncluded", "InvalidValue plans[0].meters[0].annualIncluded", "InvalidValue plans[0].meters[0].annualIncluded",
	}, targets(o.Findings()))
}
