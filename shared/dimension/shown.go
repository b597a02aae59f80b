package dimension

import "github.com/shopspring/decimal"

// Shown is a dimension of a plan as its customers see it.
type Shown struct {
	Dimension
	Price        decimal.Decimal // of a unit; 0 when nothing is charged
	Currency     string
	Monthly      Included
	Annual       Included
	NeverCharged bool
}

// Shown are the dimensions that customers of a market see on a plan: the enabled ones, with those that are never
// charged marked (MTR-15). Where the market has no price of its own the one in USD is shown.
func (o *Offer) Shown(p *Plan, market string) []Shown {
	var out []Shown
	for _, d := range o.Dimensions {
		m, ok := p.Meter(d.ID)
		if !ok || !m.Enabled {
			continue
		}
		s := Shown{Dimension: d, Monthly: m.Monthly(), Annual: m.Annual(), NeverCharged: p.NeverCharged(m), Price: m.PricePerUnitUSD, Currency: dollars}
		if price, currency, ok := m.PriceIn(market); ok {
			s.Price, s.Currency = price, currency
		}
		if s.NeverCharged {
			s.Price = decimal.Decimal{}
		}
		out = append(out, s)
	}
	return out
}
