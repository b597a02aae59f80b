package dimension

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/shopspring/decimal"
)

const (
	letters  = 26
	sumBytes = 16
)

// Fixed tells whether something and its prices by market are still what they were, without keeping the prices: of an
// offer's plans they may be hundreds of thousands. Markets that came later do not count. Its text has at most 140
// characters.
type Fixed struct {
	markets []byte // a bit for each pair of letters
	sum     string
}

// Fix notes what is said, such as a price in USD, and the prices of markets.
func Fix(what string, prices map[string]decimal.Decimal) Fixed {
	f := Fixed{}
	for market := range prices {
		at, ok := place(market)
		if !ok {
			continue
		}
		for len(f.markets) <= at/8 {
			f.markets = append(f.markets, 0)
		}
		f.markets[at/8] |= 1 << (at % 8)
	}
	f.sum = sum(what, f.of(prices))
	return f
}

// place is the number of a market's two letters.
func place(market string) (int, bool) {
	if len(market) != 2 || market[0] < 'A' || market[0] > 'Z' || market[1] < 'A' || market[1] > 'Z' {
		return 0, false
	}
	return int(market[0]-'A')*letters + int(market[1]-'A'), true
}

// Has reports whether the market had a price.
func (f Fixed) Has(market string) bool {
	at, ok := place(market)
	return ok && at/8 < len(f.markets) && f.markets[at/8]&(1<<(at%8)) != 0
}

// Holds reports whether the same is said now, with the same prices where there were some.
func (f Fixed) Holds(what string, prices map[string]decimal.Decimal) bool {
	return f.sum == sum(what, f.of(prices))
}

func (f Fixed) of(prices map[string]decimal.Decimal) map[string]decimal.Decimal {
	out := map[string]decimal.Decimal{}
	for market, price := range prices {
		if f.Has(market) {
			out[market] = price
		}
	}
	return out
}

func sum(what string, prices map[string]decimal.Decimal) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q", what)
	for _, market := range slices.Sorted(maps.Keys(prices)) {
		b.WriteString(" " + market + " " + prices[market].String())
	}
	all := sha256.Sum256([]byte(b.String()))
	return string(all[:sumBytes])
}

// MarshalText implements encoding.TextMarshaler.
func (f Fixed) MarshalText() ([]byte, error) {
	return base64.RawURLEncoding.AppendEncode(nil, append([]byte(f.sum), f.markets...)), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (f *Fixed) UnmarshalText(text []byte) error {
	raw, err := base64.RawURLEncoding.AppendDecode(nil, text)
	if err != nil || len(raw) < sumBytes {
		return fmt.Errorf("fixed prices %q: %w", text, errNotFixed)
	}
	*f = Fixed{sum: string(raw[:sumBytes])}
	if len(raw) > sumBytes {
		f.markets = raw[sumBytes:]
	}
	return nil
}

var errNotFixed = errors.New("it is no note of fixed prices")

// Lock is what has been live of a meter.
type Lock struct {
	Enabled bool
	Fixed
}

// LocksOf are the locks of a plan's meters as they go live, by dimension; nil when there are none.
func LocksOf(meters []Meter) map[string]Lock {
	if len(meters) == 0 {
		return nil
	}
	out := make(map[string]Lock, len(meters))
	for _, m := range meters {
		out[m.DimensionID] = Lock{Enabled: m.Enabled, Fixed: Fix(m.said(), m.LocalPrices())}
	}
	return out
}

// said is all that a meter says but for its prices by market.
func (m Meter) said() string {
	return fmt.Sprintf("%t %s %s %s", m.Enabled, m.PricePerUnitUSD, m.Monthly(), m.Annual())
}

// LocalPrices are the prices by market, in its currency.
func (m Meter) LocalPrices() map[string]decimal.Decimal {
	out := make(map[string]decimal.Decimal, len(m.Prices))
	for market, price := range m.Prices {
		out[market] = price.Price
	}
	return out
}

// holds reports whether a meter says what it said when it was live. Where customers paid in USD there was a price.
func (l Lock) holds(m Meter) bool {
	for market, price := range m.Prices {
		if !l.Has(market) && l.fixes(market) && !price.Price.Equal(m.PricePerUnitUSD) {
			return false
		}
	}
	return l.Holds(m.said(), m.LocalPrices())
}

// fixes reports whether the market had a price, be it the one in USD.
func (l Lock) fixes(market string) bool {
	return l.Has(market) || marketByID[market].Currency == dollars
}

// MarshalText implements encoding.TextMarshaler: "+" or "-" for enabled or not, and the prices.
func (l Lock) MarshalText() ([]byte, error) {
	sign := byte('-')
	if l.Enabled {
		sign = '+'
	}
	text, err := l.Fixed.MarshalText()
	return append([]byte{sign}, text...), err
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *Lock) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return fmt.Errorf("lock of a meter: %w", errNotFixed)
	}
	l.Enabled = text[0] == '+'
	return l.Fixed.UnmarshalText(text[1:])
}
