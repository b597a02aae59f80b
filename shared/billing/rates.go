package billing

import (
	"context"
	"fmt"
	"math/big"

	"github.com/shopspring/decimal"

	"stoa/shared/fault"
	"stoa/shared/money"
)

// unitDecimals is how many decimals a price per unit has (01, Money).
const unitDecimals = 6

// localPrice is a price per unit in the currency of the customer.
func (s *Service) localPrice(ctx context.Context, usd decimal.Decimal, currency, day string) (decimal.Decimal, error) {
	if currency == "USD" {
		return usd, nil
	}
	rate, err := s.deps.Rates.UnitsPerUSD(ctx, currency, day)
	if fault.Is(err, fault.NotFound) { // nothing is guessed (BIL-85)
		return usd, fault.New(fault.NotReady, "RateMissing", currency, "there is no exchange rate of %s for %s", currency, day)
	}
	if err != nil {
		return usd, fmt.Errorf("rate of %s: %w", currency, err)
	}
	return usd.Mul(rate).RoundBank(unitDecimals), nil
}

// InUSD is what an amount is worth in cents at the rate of its charge date, rounded once (BIL-84). NotReady
// "RateMissing" when there is no rate.
func (s *Service) InUSD(ctx context.Context, r Release) (int64, error) {
	if r.Amount.Currency == "USD" {
		return r.Amount.Minor, nil
	}
	rate, err := s.deps.Rates.UnitsPerUSD(ctx, r.Amount.Currency, r.ChargeDate)
	if fault.Is(err, fault.NotFound) || err == nil && rate.Sign() <= 0 {
		return 0, fault.New(fault.NotReady, "RateMissing", r.Amount.Currency, "there is no exchange rate of %s for %s", r.Amount.Currency, r.ChargeDate)
	}
	if err != nil {
		return 0, fmt.Errorf("rate of %s: %w", r.Amount.Currency, err)
	}
	usd, err := money.Round(new(big.Rat).Quo(r.Amount.Rat(), rate.Rat()), "USD")
	return usd.Minor, err
}
