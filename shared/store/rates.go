package store

import (
	"context"
	"fmt"
	"time"

	"github.com/shopspring/decimal"

	"stoa/shared/fault"
	"stoa/shared/store/table"
)

// rateRow is the rate of a currency on a day.
type rateRow struct {
	UnitsPerUSD decimal.Decimal `json:"unitsPerUSD"`
	LoadedAt    time.Time       `json:"loadedAt"`
}

func ratesOf(currency string) string { return table.Join("fx", currency) }

const latestDay = 99991231

// rateKey sorts the newest day first, so that the last earlier one is the next row.
func rateKey(day string) (string, error) {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return "", fault.New(fault.Invalid, "InvalidDate", "date", "must be a day such as 2026-01-31")
	}
	return fmt.Sprintf("d|%08d", latestDay-(t.Year()*10000+int(t.Month())*100+t.Day())), nil
}

// UnitsPerUSD implements billing.Rates.
func (s *Ledger) UnitsPerUSD(ctx context.Context, currency, day string) (decimal.Decimal, error) {
	from, err := rateKey(day)
	if err != nil {
		return decimal.Decimal{}, err
	}
	page, err := s.db.Table(ledgerTable).Query(ctx, table.Query{
		Partition: ratesOf(currency), From: from, Until: table.PrefixEnd("d|"), Limit: 1,
	})
	if err != nil {
		return decimal.Decimal{}, fmt.Errorf("rate of %s on %s: %w", currency, day, err)
	}
	if len(page.Rows) == 0 {
		return decimal.Decimal{}, fault.New(fault.NotFound, "NotFound", "date", "There is no exchange rate of %s for %s.", currency, day)
	}
	var row rateRow
	return row.UnitsPerUSD, decode(page.Rows[0], &row)
}

// SetRates keeps the rates of a day, in units per USD by currency: all, or none when one stands in the way. A rate
// is never changed: Conflict "RatesInUse" when the day has another one (3.7).
func (s *Ledger) SetRates(ctx context.Context, day string, rates map[string]decimal.Decimal) error {
	key, err := rateKey(day)
	if err != nil {
		return err
	}
	missing := map[string]decimal.Decimal{}
	for currency, rate := range rates {
		there, err := s.rate(ctx, currency, key)
		switch {
		case fault.Is(err, fault.NotFound):
			missing[currency] = rate
		case err != nil:
			return fmt.Errorf("rate of %s on %s: %w", currency, day, err)
		case !there.Equal(rate):
			return inUse(currency, day)
		}
	}
	for currency, rate := range missing {
		_, err := s.db.Table(ledgerTable).Apply(ctx, table.Op{Action: table.Insert, Row: table.Row{
			Partition: ratesOf(currency), Key: key, Data: encode(rateRow{rate, s.db.deps.Now().UTC()}),
		}})
		if fault.Is(err, fault.Conflict) { // set at the same time
			there, readErr := s.rate(ctx, currency, key)
			if readErr == nil && there.Equal(rate) {
				continue
			}
			err = inUse(currency, day)
		}
		if err != nil {
			return fmt.Errorf("set the rate of %s on %s: %w", currency, day, err)
		}
	}
	return nil
}

func inUse(currency, day string) error {
	return fault.New(fault.Conflict, "RatesInUse", currency, "The day %s has another rate of %s.", day, currency)
}

func (s *Ledger) rate(ctx context.Context, currency, key string) (decimal.Decimal, error) {
	row, err := s.db.Table(ledgerTable).Get(ctx, ratesOf(currency), key)
	if err != nil {
		return decimal.Decimal{}, err
	}
	var there rateRow
	return there.UnitsPerUSD, decode(row, &there)
}
