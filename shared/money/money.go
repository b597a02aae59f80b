// Package money is amounts in whole minor units of a currency, rounded half to even once, at the end of an exact
// computation (BIL-1 to BIL-8).
//
// Prices and rates are decimals, products and quotients exact rationals; only Round makes an amount of them.
// There is no binary floating point here. Values are immutable and safe for concurrent use.
package money

import (
	"math/big"
	"strings"

	"github.com/shopspring/decimal"

	"stoa/shared/fault"
)

// Amount is money: whole minor units of one currency.
type Amount struct {
	Minor    int64  `json:"amount"`
	Currency string `json:"currency"`
}

// Of makes an amount. The error is Invalid for an unknown currency (BIL-8).
func Of(minor int64, currency string) (Amount, error) {
	if _, ok := MinorUnits(currency); !ok {
		return Amount{}, unknown(currency)
	}
	return Amount{Minor: minor, Currency: currency}, nil
}

// Round makes an amount of an exact value in whole units of the currency, half to even (BIL-2). The error is
// Invalid for an unknown currency and for an amount that does not fit (BIL-8).
func Round(value *big.Rat, currency string) (Amount, error) {
	units, ok := MinorUnits(currency)
	if !ok {
		return Amount{}, unknown(currency)
	}
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(units)), nil)
	return fit(halfEven(new(big.Rat).Mul(value, new(big.Rat).SetInt(scale))), currency)
}

// Percent is that part of the amount, half to even (BIL-3).
func (a Amount) Percent(percent decimal.Decimal) (Amount, error) {
	part := new(big.Rat).Mul(new(big.Rat).SetInt64(a.Minor), percent.Rat())
	return fit(halfEven(part.Quo(part, big.NewRat(100, 1))), a.Currency)
}

// Add is the sum. The error is Invalid when the currencies differ or the sum does not fit.
func (a Amount) Add(b Amount) (Amount, error) {
	if a.Currency != b.Currency {
		return Amount{}, fault.New(fault.Invalid, "CurrencyMismatch", "currency", "%s and %s cannot be added", a.Currency, b.Currency)
	}
	sum := a.Minor + b.Minor
	if (sum > a.Minor) != (b.Minor > 0) { // it went round the other way
		return Amount{}, tooLarge()
	}
	return Amount{Minor: sum, Currency: a.Currency}, nil
}

// Sub is the difference, with the errors of Add.
func (a Amount) Sub(b Amount) (Amount, error) {
	if a.Currency != b.Currency {
		return Amount{}, fault.New(fault.Invalid, "CurrencyMismatch", "currency", "%s and %s cannot be subtracted", a.Currency, b.Currency)
	}
	difference := a.Minor - b.Minor
	if (difference < a.Minor) != (b.Minor > 0) {
		return Amount{}, tooLarge()
	}
	return Amount{Minor: difference, Currency: a.Currency}, nil
}

// Rat is the exact value in whole units of the currency.
func (a Amount) Rat() *big.Rat {
	units, _ := MinorUnits(a.Currency)
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(units)), nil)
	return new(big.Rat).SetFrac(big.NewInt(a.Minor), scale)
}

// String is the amount as people write it: "12.30 USD".
func (a Amount) String() string {
	units, _ := MinorUnits(a.Currency)
	return strings.TrimSpace(a.Rat().FloatString(units) + " " + a.Currency)
}

// Split parts the amount over weights, to the minor unit: the floor of each exact part, then one more to the
// largest remainders, ties to the lower index; a negative amount is the mirror of the positive one; when all
// weights are 0 the first part gets all (BIL-5). The error is Invalid without weights or for a negative one.
func (a Amount) Split(weights []int64) ([]Amount, error) {
	total := new(big.Int)
	for _, w := range weights {
		if w < 0 {
			return nil, fault.New(fault.Invalid, "InvalidWeight", "weights", "a weight must not be negative")
		}
		total.Add(total, big.NewInt(w))
	}
	if len(weights) == 0 {
		return nil, fault.New(fault.Invalid, "InvalidWeight", "weights", "there must be a weight")
	}
	parts := make([]Amount, len(weights))
	for i := range parts {
		parts[i].Currency = a.Currency
	}
	if total.Sign() == 0 {
		parts[0].Minor = a.Minor
		return parts, nil
	}
	whole := big.NewInt(a.Minor)
	sign := int64(1)
	if a.Minor < 0 {
		whole.Neg(whole)
		sign = -1
	}
	shares, rest := floors(whole, total, weights)
	for i := range parts {
		n := new(big.Int).Mul(shares[i], big.NewInt(sign))
		parts[i].Minor = n.Int64()
	}
	for _, i := range rest {
		parts[i].Minor += sign
	}
	return parts, nil
}

// floors are the floors of the exact parts, and the indexes that get one more.
func floors(whole, total *big.Int, weights []int64) (shares []*big.Int, rest []int) {
	remainders := make([]*big.Int, len(weights))
	left := new(big.Int).Set(whole)
	for i, w := range weights {
		share, remainder := new(big.Int).DivMod(new(big.Int).Mul(whole, big.NewInt(w)), total, new(big.Int))
		shares = append(shares, share)
		remainders[i] = remainder
		left.Sub(left, share)
	}
	for n := left.Int64(); n > 0; n-- {
		best := -1
		for i, r := range remainders {
			if r != nil && (best < 0 || r.Cmp(remainders[best]) > 0) {
				best = i
			}
		}
		remainders[best] = nil
		rest = append(rest, best)
	}
	return shares, rest
}

// halfEven rounds to a whole number; a half goes to the even neighbour.
func halfEven(r *big.Rat) *big.Int {
	num, den := new(big.Int).Abs(r.Num()), r.Denom()
	q, rest := new(big.Int).QuoRem(num, den, new(big.Int))
	switch rest.Lsh(rest, 1).Cmp(den) {
	case 1:
		q.Add(q, big.NewInt(1))
	case 0:
		q.Add(q, big.NewInt(int64(q.Bit(0))))
	}
	if r.Sign() < 0 {
		q.Neg(q)
	}
	return q
}

func fit(minor *big.Int, currency string) (Amount, error) {
	if !minor.IsInt64() {
		return Amount{}, tooLarge()
	}
	return Amount{Minor: minor.Int64(), Currency: currency}, nil
}

func tooLarge() error {
	return fault.New(fault.Invalid, "AmountTooLarge", "amount", "the amount does not fit")
}

func unknown(currency string) error {
	return fault.New(fault.Invalid, "UnknownCurrency", "currency", "%q is not a currency of the marketplace", currency)
}
