package subscription

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"github.com/shopspring/decimal"

	"stoa/shared/offer"
)

// dollars is the currency of a plan's price when it has none for the market.
const dollars = "USD"

//go:embed currencies.json
var currenciesJSON []byte

// currencies says in which currency a market pays.
var currencies = readCurrencies(currenciesJSON)

func readCurrencies(raw []byte) map[string]string {
	var file map[string][]string
	if err := json.Unmarshal(raw, &file); err != nil {
		panic(fmt.Sprintf("currencies.json: %v", err))
	}
	byMarket := map[string]string{}
	for currency, markets := range file {
		for _, m := range markets {
			byMarket[m] = currency
		}
	}
	return byMarket
}

// price is what one term (and seat) of a plan costs in a market.
func price(t offer.PlanTerm, market string) (decimal.Decimal, string) {
	if p, ok := t.Prices[market]; ok {
		if c, ok := currencies[market]; ok {
			return p, c
		}
	}
	return t.PriceUSD, dollars
}

// priceIn is the price of a term in the currency the subscription is billed in; a plan that has none in it keeps
// what was agreed.
func priceIn(t offer.PlanTerm, market, currency string, agreed decimal.Decimal) decimal.Decimal {
	p, c := price(t, market)
	switch currency {
	case c:
		return p
	case dollars:
		return t.PriceUSD
	}
	return agreed
}
