package money

import (
	_ "embed"
	"encoding/json"
	"fmt"
)

//go:embed currencies.json
var currenciesJSON []byte

var minorUnits = mustReadCurrencies(currenciesJSON)

func mustReadCurrencies(data []byte) map[string]int {
	var file struct {
		Currencies []struct {
			Code       string `json:"code"`
			MinorUnits int    `json:"minorUnits"`
		} `json:"currencies"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		panic(fmt.Sprintf("currencies.json: %v", err))
	}
	units := make(map[string]int, len(file.Currencies))
	for _, c := range file.Currencies {
		units[c.Code] = c.MinorUnits
	}
	return units
}

// MinorUnits is how many decimals amounts of the currency have: 2 for USD, 0 for JPY, 3 for KWD (BIL-1). It is
// false for a code that is not in the table.
func MinorUnits(currency string) (int, bool) {
	n, ok := minorUnits[currency]
	return n, ok
}
