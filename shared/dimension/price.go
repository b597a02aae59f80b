package dimension

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/shopspring/decimal"

	"stoa/shared/fault"
)

const (
	dollars      = "USD"
	unitDecimals = 6  // of a price per unit
	maxUSD       = 7  // a price has at most this many zeros behind the 1, in USD
	maxLocal     = 12 // and in any currency
	maxDigits    = 40 // characters of a number that is read at all
)

//go:embed markets.json
var marketsJSON []byte

// Market is a country or region where plans are sold.
type Market struct {
	ID       string `json:"market"` // two letters
	Name     string `json:"name"`
	Currency string `json:"currency"`
}

var markets, marketByID = readMarkets(marketsJSON)

func readMarkets(raw []byte) ([]Market, map[string]Market) {
	var file struct {
		Markets []Market `json:"markets"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		panic(fmt.Sprintf("markets.json: %v", err))
	}
	byID := map[string]Market{}
	for _, m := range file.Markets {
		byID[m.ID] = m
	}
	return file.Markets, byID
}

// MarketOf finds a market by its two letters.
func MarketOf(id string) (Market, bool) {
	m, ok := marketByID[id]
	return m, ok
}

// Rates are the exchange rates of a day, in units per USD. A currency that has none is not there.
type Rates struct {
	Day   string // such as 2026-01-31
	Units map[string]decimal.Decimal
}

// Currencies are those that the prices of a plan are converted into.
func (p *Plan) Currencies() []string {
	var out []string
	seen := map[string]bool{dollars: true}
	for _, id := range p.Markets {
		if m, ok := marketByID[id]; ok && !seen[m.Currency] {
			seen[m.Currency] = true
			out = append(out, m.Currency)
		}
	}
	return out
}

// convert sets the local prices that no workbook gave (MTR-16). A market whose currency has no rate yet gets none.
func (m *Meter) convert(plan []string, rates Rates) {
	next := map[string]Price{}
	for _, id := range plan {
		if old, ok := m.Prices[id]; ok && old.Imported {
			next[id] = old
		} else if price, ok := converted(m.PricePerUnitUSD, id, rates); ok {
			next[id] = price
		}
	}
	m.Prices = next
	if len(next) == 0 {
		m.Prices = nil
	}
}

func converted(usd decimal.Decimal, market string, rates Rates) (Price, bool) {
	at, ok := marketByID[market]
	if !ok || at.Currency == dollars {
		return Price{}, false
	}
	rate, ok := rates.Units[at.Currency]
	if !ok {
		return Price{}, false
	}
	return Price{Price: usd.Mul(rate).RoundBank(unitDecimals), RateDate: rates.Day}, true
}

// FillPrices converts the price in USD for markets that have none, and changes no other: what a plan that gained a
// market needs, published or not (MTR-16).
func (p *Plan) FillPrices(rates Rates) {
	for i := range p.Meters {
		m := &p.Meters[i]
		if p.NeverCharged(*m) {
			continue
		}
		for _, id := range p.Markets {
			if _, ok := m.Prices[id]; ok {
				continue
			}
			if price, ok := converted(m.PricePerUnitUSD, id, rates); ok {
				m.Prices = maps.Clone(m.Prices)
				if m.Prices == nil {
					m.Prices = map[string]Price{}
				}
				m.Prices[id] = price
			}
		}
	}
}

// Unpriced are the currencies of markets in which a meter of the plan has a price still to be converted.
func (p *Plan) Unpriced() []string {
	var out []string
	for _, m := range p.Meters {
		if p.NeverCharged(m) {
			continue
		}
		for _, id := range p.Markets {
			if _, currency, ok := m.PriceIn(id); !ok && currency != "" && !slices.Contains(out, currency) {
				out = append(out, currency)
			}
		}
	}
	return out
}

// PriceIn is what a unit costs in a market, in the market's currency. False when the market or its price is missing.
func (m Meter) PriceIn(market string) (decimal.Decimal, string, bool) {
	at, ok := marketByID[market]
	if !ok {
		return decimal.Decimal{}, "", false
	}
	if price, ok := m.Prices[market]; ok {
		return price.Price, at.Currency, true
	}
	return m.PricePerUnitUSD, at.Currency, at.Currency == dollars
}

// Imported reports whether prices of the meter came from a workbook.
func (m Meter) Imported() bool { return len(m.ImportedPrices()) > 0 }

// ImportedPrices are those that came from a workbook.
func (m Meter) ImportedPrices() map[string]Price {
	var out map[string]Price
	for market, p := range m.Prices {
		if p.Imported {
			if out == nil {
				out = map[string]Price{}
			}
			out[market] = p
		}
	}
	return out
}

// Equal reports whether two prices and where they come from are the same.
func (p Price) Equal(q Price) bool {
	return p.Price.Equal(q.Price) && p.RateDate == q.RateDate && p.Imported == q.Imported
}

// PriceText is the price as the portal shows it: a number in USD, "Not applicable" where nothing is ever charged, or
// "(export to see)" once prices came from a workbook (MTR-16).
func (p *Plan) PriceText(m Meter) string {
	switch {
	case p.NeverCharged(m):
		return "Not applicable"
	case m.Imported():
		return "(export to see)"
	}
	return m.PricePerUnitUSD.String()
}

// ParsePrice reads a price per unit in USD: nothing, or a number of at least 0 (MTR-14). Invalid.
func ParsePrice(target, text string) (decimal.NullDecimal, error) {
	if text == "" {
		return decimal.NullDecimal{}, nil
	}
	d, ok := parse(text)
	if !ok || !priced(d, maxUSD) {
		return decimal.NullDecimal{}, fault.New(fault.Invalid, CodeInvalid, target, "%s", priceWords(maxUSD))
	}
	return decimal.NewNullDecimal(d), nil
}

// parse reads a number that is not too large to compute with.
func parse(text string) (decimal.Decimal, bool) {
	if len(text) > maxDigits {
		return decimal.Decimal{}, false
	}
	d, err := decimal.NewFromString(text)
	if err != nil || d.Exponent() > maxDigits || d.Exponent() < -maxDigits {
		return decimal.Decimal{}, false
	}
	return d, true
}

// priced reports whether a number can be a price per unit of at most 10 to the power of zeros.
func priced(d decimal.Decimal, zeros int32) bool {
	return d.Exponent() <= maxDigits && d.Exponent() >= -maxDigits && d.Sign() >= 0 && d.Equal(d.Truncate(unitDecimals)) && !d.GreaterThan(decimal.New(1, zeros))
}

func priceWords(zeros int32) string {
	return fmt.Sprintf("A price per unit is a number from 0 to %s with at most %d decimals.", decimal.New(1, zeros), unitDecimals)
}
