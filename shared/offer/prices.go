package offer

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/shopspring/decimal"

	"stoa/shared/dimension"
	"stoa/shared/fault"
)

// Rates knows exchange rates.
type Rates interface {
	// UnitsPerUSD is the rate of the day, or of the last earlier day that has one. NotFound when there is none.
	UnitsPerUSD(ctx context.Context, currency, day string) (decimal.Decimal, error)
}

// RatesOn are the rates of a day for currencies. A currency that has none is left out.
func RatesOn(ctx context.Context, r Rates, now time.Time, currencies []string) (dimension.Rates, error) {
	out := dimension.Rates{Day: now.UTC().Format(time.DateOnly), Units: map[string]decimal.Decimal{}}
	for _, currency := range currencies {
		rate, err := r.UnitsPerUSD(ctx, currency, out.Day)
		switch {
		case err == nil:
			out.Units[currency] = rate
		case !fault.Is(err, fault.NotFound):
			return out, fmt.Errorf("rate of %s on %s: %w", currency, out.Day, err)
		}
	}
	return out, nil
}

// fillPrices converts the prices of meters for markets that have none yet, on plans that the edit has changed (MTR-16).
func (s *Service) fillPrices(ctx context.Context, before, next *Content) error {
	if s.Rates == nil {
		return nil
	}
	metered := next.Metered(nil)
	for i := range next.Plans {
		plan := &metered.Plans[i]
		was, _ := before.Plan(plan.ID)
		missing := plan.Unpriced()
		if len(missing) == 0 || canonical(was) == canonical(next.Plans[i]) {
			continue
		}
		rates, err := RatesOn(ctx, s.Rates, s.Now(), missing)
		if err != nil {
			return err
		}
		plan.FillPrices(rates)
		next.Plans[i].Meters = plan.Meters
	}
	return nil
}

// keepPrices keeps the prices by market of the meters that stood before. They come from a price workbook or are
// converted, so a draft that is written may repeat them or leave them out, but not say others (MTR-16). What was
// converted from another price in USD goes.
func (c *Content) keepPrices(before []Plan) error {
	was := Content{Plans: before}
	for i := range c.Plans {
		earlier, _ := was.Plan(c.Plans[i].ID)
		metered := earlier.Metered()
		for j := range c.Plans[i].Meters {
			m := &c.Plans[i].Meters[j]
			kept, _ := metered.Meter(m.DimensionID)
			if len(m.Prices) > 0 && !maps.EqualFunc(m.Prices, kept.Prices, dimension.Price.Equal) {
				return fault.New(fault.Invalid, CodeInvalid, fmt.Sprintf("plans[%d].meters[%d].marketPrices", i, j),
					"Prices by market are converted from the price in USD, or come from the price workbook.")
			}
			if m.Prices = kept.Prices; !m.PricePerUnitUSD.Equal(kept.PricePerUnitUSD) {
				m.Prices = kept.ImportedPrices()
			}
		}
	}
	return nil
}
