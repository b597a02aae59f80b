package billing_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"stoa/shared/billing"
	"stoa/shared/billing/billingtest"
	"stoa/shared/fault"
	"stoa/shared/money"
	"stoa/shared/subscription"
)

// A charge is rounded once, at its end, and its fee once more; share and fee are the whole of it.
func TestAmountsOfALine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, price, currency string
		seats                 int
		net, fee              int64
	}{
		{"BIL-1 two decimals", "10.00", "EUR", 0, 1000, 30},
		{"BIL-1 no decimals", "1234", "JPY", 0, 1234, 37},
		{"BIL-1 no decimals, a half", "1234.5", "KRW", 0, 1234, 37},
		{"BIL-1 three decimals", "10.1234", "KWD", 0, 10123, 304},
		{"BIL-2 a seat is not rounded first", "0.335", "USD", 3, 100, 3}, // 1.005, and not 3 x 0.34
		{"BIL-2 half to even, up", "0.115", "USD", 1, 12, 0},
		{"BIL-3 0.50", "0.50", "USD", 0, 50, 2},
		{"BIL-3 1.50", "1.50", "USD", 0, 150, 4},
		{"BIL-3 2.50", "2.50", "USD", 0, 250, 8},
		{"BIL-3 0.16", "0.16", "USD", 0, 16, 0},
		{"BIL-16 one line for all seats", "4.00", "USD", 25, 10000, 300},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := billingtest.New(t, start)
			sub := w.Subscribe("s1", c.price, c.currency)
			key := "term:s1:1:flat"
			if sub.Terms[0].Quantity = c.seats; c.seats > 0 {
				key = "term:s1:1:seats"
			}
			w.Save(sub)
			w.Charge(t, "s1", 1)
			require.Empty(t, w.Pump(t, nil))
			line := lineOf(t, w, key)
			require.Equal(t, []int64{c.net, c.fee, c.net - c.fee}, []int64{line.Net, line.Fee, line.Share})
			require.Equal(t, c.currency, line.Currency)
			w.Set(start.Add(48 * time.Hour))
			require.Empty(t, w.Pump(t, nil))
			for _, currency := range []string{"USD", "EUR", "JPY", "KRW", "KWD"} { // BIL-7: no other currency is touched
				require.Equal(t, currency == c.currency, len(w.Balances(t, currency, billingtest.Accounts...)) > 0, "BIL-7 %s", currency)
			}
		})
	}
}

// What a line says of itself: its type, its span, its dates and the price it was computed from.
func TestWhatALineShows(t *testing.T) {
	t.Parallel()
	type shown struct{ kind, from, to, charged, price string }
	for _, c := range []struct {
		name   string
		key    string
		change func(*subscription.Subscription)
		term   int
		want   shown
	}{
		{"BIL-31 the first term", "term:s1:1:flat", func(*subscription.Subscription) {}, 1, shown{"New", "2026-01-10", "2026-02-09", "2026-01-10", "100"}},
		{"BIL-28 a purchase from the preview", "term:s1:1:flat", func(s *subscription.Subscription) { s.Preview = true }, 1,
			shown{"New", "2026-01-10", "2026-02-09", "2026-01-10", "100"}},
		{"BIL-21 a renewal at the price of its term", "term:s1:2:flat", func(s *subscription.Subscription) {
			next := s.Terms[0]
			next.Number, next.StartDate, next.EndDate, next.UnitPrice = 2, "2026-02-10", "2026-03-09", decimal.NewFromInt(120)
			s.Terms = append(s.Terms, next)
		}, 2, shown{"Renew", "2026-02-10", "2026-03-09", "2026-02-10", "120"}}, // BIL-50: charged on its first day
		{"BIL-40 a trial", "term:s1:0:flat", func(s *subscription.Subscription) { s.Terms[0].Number, s.Terms[0].Trial = 0, true }, 0,
			shown{"New", "2026-01-10", "2026-02-09", "2026-01-10", "0"}},
		{"BIL-41 a trial's conversion", "term:s1:1:flat", func(s *subscription.Subscription) {
			paid := s.Terms[0]
			paid.StartDate, paid.EndDate = "2026-02-10", "2026-03-09"
			s.Terms = []subscription.Term{{Trial: true}, paid}
		}, 1, shown{"Renew", "2026-02-10", "2026-03-09", "2026-02-10", "100"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := billingtest.New(t, start)
			sub := w.Subscribe("s1", "100.00", "USD")
			c.change(&sub)
			w.Save(sub)
			require.NoError(t, w.Billing.ChargeTerm(t.Context(), "s1", c.term))
			l := lineOf(t, w, c.key)
			require.Equal(t, c.want, shown{l.ChargeType, l.PeriodStart, l.PeriodEnd, l.ChargeDate, l.UnitPrice.String()})
			require.Equal(t, c.key, l.SourceKey, "BIL-9")
		})
	}
}

func TestWindowOfAYear(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		after time.Duration
		void  bool
	}{
		{"BIL-32 14 days", 14 * 24 * time.Hour, true},
		{"BIL-35 a millisecond later nothing comes back", 14*24*time.Hour + time.Millisecond, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := billingtest.New(t, start)
			sub := w.Subscribe("s1", "1200.00", "USD")
			sub.Terms[0].Unit, sub.TermUnit = "P1Y", "P1Y"
			w.Save(sub)
			w.Charge(t, "s1", 1)
			require.Empty(t, w.Pump(t, nil))
			w.Set(start.Add(c.after))
			sub.Status, sub.EndedAt = subscription.Unsubscribed, start.Add(c.after)
			w.Save(sub)
			require.Empty(t, w.Pump(t, nil))
			w.Set(start.AddDate(0, 3, 0))
			require.Empty(t, w.Pump(t, nil))
			want := map[string]int64{"platform:cash": 120000, "publisher:{p}:payable": -116400, "platform:revenue:storeFee": -3600}
			if c.void {
				want = map[string]int64{}
			}
			require.Equal(t, want, w.Balances(t, "USD", billingtest.Accounts...))
		})
	}
}

// Use is charged by the month, for annual terms too (BIL-15).
func TestUseOfAnAnnualTerm(t *testing.T) {
	t.Parallel()
	w := billingtest.New(t, start)
	sub := w.Subscribe("s1", "0", "USD")
	sub.Terms[0].Unit, sub.TermUnit = "P1Y", "P1Y"
	w.Save(sub)
	w.Use(t, "s1", "basic", "100", start)
	w.Use(t, "s1", "basic", "50", start.AddDate(0, 1, 0))
	require.Empty(t, w.Pump(t, nil))
	w.Set(february)
	require.Empty(t, w.Pump(t, nil))
	require.Equal(t, int64(1000), w.Balances(t, "USD", billingtest.Accounts...)["platform:cash"], "BIL-15")
	w.Set(march)
	require.Empty(t, w.Pump(t, nil))
	require.Equal(t, int64(1500), w.Balances(t, "USD", billingtest.Accounts...)["platform:cash"], "BIL-15")
	require.Equal(t, []string{"2026-02-28", "2026-02-01"}, []string{ // BIL-50: the last day of the cycle
		lineOf(t, w, "metered:s1:email:basic:2026-02").ChargeDate, lineOf(t, w, "metered:s1:email:basic:2026-02").PeriodStart,
	})
}

// What is taken back is what the line says, whatever prices have become since (BIL-6, BIL-30).
func TestReversalIsOfTheStoredLine(t *testing.T) {
	t.Parallel()
	w := billingtest.New(t, start)
	sub := w.Subscribe("s1", "33.33", "USD")
	w.Charge(t, "s1", 1)
	require.Empty(t, w.Pump(t, nil))
	sub.Terms[0].UnitPrice = decimal.NewFromInt(99)
	end(w, sub)
	for range 3 { // BIL-92: a transaction is reversed once
		require.NoError(t, w.Billing.ChargeTerm(t.Context(), "s1", 1))
	}
	require.Empty(t, w.Pump(t, nil))
	require.Empty(t, w.Balances(t, "USD", billingtest.Accounts...), "BIL-6")
	accrued, err := w.Billing.Account(t.Context(), "publisher:contoso:accrued", "USD", "", 10)
	require.NoError(t, err)
	require.Len(t, accrued.Entries, 2, "BIL-92")
	id := billing.LineID("term:s1:1:flat")
	void, err := w.Ledger.Transaction(t.Context(), "contoso", "void:"+id)
	require.NoError(t, err)
	require.Equal(t, "charge:"+id, void.Reverses, "BIL-92")
	require.Equal(t, "33.33", lineOf(t, w, "term:s1:1:flat").UnitPrice.String())
}

// A renewal is its line, its invoice, its payment and its earning, all or none (BIL-36, BIL-94). The attempt is written
// before it, the outcome is written once.
func TestRenewalIsOneAct(t *testing.T) {
	t.Parallel()
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprint("BIL-94 the answer is lost ", late), func(t *testing.T) {
			t.Parallel()
			w := billingtest.New(t, start)
			sub := w.Subscribe("s1", "100.00", "USD")
			sub.Terms[0].Number = 2
			w.Save(sub)
			broken := serviceOver(t, w, &breaking{w.Ledger, 2, late})
			require.Error(t, broken.ChargeTerm(t.Context(), "s1", 2))
			id := billing.LineID("term:s1:2:flat")
			there := 0
			for _, key := range []string{"charge:" + id, "report:" + id + ":1"} {
				if _, err := w.Ledger.Transaction(t.Context(), "contoso", key); err == nil {
					there++
				}
			}
			require.Equal(t, map[bool]int{false: 0, true: 2}[late], there, "BIL-94")
			require.NoError(t, w.Billing.ChargeTerm(t.Context(), "s1", 2))
			require.Empty(t, w.Pump(t, nil))
			require.Equal(t, map[string]int64{
				"platform:cash": 10000, "publisher:{p}:escrow": -9700, "platform:revenue:storeFee": -300,
			}, w.Balances(t, "USD", billingtest.Accounts...))
		})
	}
}

// foreign is a ledger in which another transaction stands under the key of every one that is written.
type foreign struct{ billing.Ledger }

func (foreign) Apply(context.Context, billing.Batch) error {
	return fault.New(fault.Conflict, "AlreadyExists", "", "it exists")
}

func (l foreign) Transaction(_ context.Context, _, key string) (billing.Transaction, error) {
	return billing.Transaction{Key: key, Hash: "other"}, nil
}

func TestSameKeyOtherContent(t *testing.T) {
	t.Parallel()
	w := billingtest.New(t, start)
	sub := w.Subscribe("s1", "100.00", "USD")
	w.Charge(t, "s1", 1)
	require.Empty(t, w.Pump(t, nil))
	w.Set(start.Add(48 * time.Hour))
	sub.Waived = true
	w.Save(sub)
	err := serviceOver(t, w, foreign{w.Ledger}).Confirm(t.Context(), "contoso", billing.LineID("term:s1:1:flat"))
	require.True(t, fault.Is(err, fault.Conflict)) // BIL-93
	require.Equal(t, "LedgerConflict", fault.As(err).Code, "BIL-93")
	require.NoError(t, w.Billing.Confirm(t.Context(), "contoso", billing.LineID("term:s1:1:flat")))
	require.NoError(t, w.Billing.Confirm(t.Context(), "contoso", billing.LineID("term:s1:1:flat")), "BIL-93: the same is nothing")
}

// The balances are those of the transactions of the journal, added up by hand (BIL-95).
func TestBalancesAreProjections(t *testing.T) {
	t.Parallel()
	w := billingtest.New(t, start)
	w.Subscribe("s1", "100.00", "USD")
	w.Charge(t, "s1", 1)
	for _, at := range []time.Time{start, start.Add(25 * time.Hour), start.AddDate(0, 2, 0)} {
		w.Set(at)
		require.Empty(t, w.Pump(t, nil))
	}
	id := billing.LineID("term:s1:1:flat")
	want := map[string]int64{}
	keys := []string{"charge:" + id, "report:" + id + ":1", "mature:" + id + ":1"}
	for _, account := range billingtest.Accounts { // the keys of the others stand on the accounts
		s, err := w.Billing.Account(t.Context(), strings.ReplaceAll(account, "{p}", "contoso"), "USD", "", 100)
		for _, e := range s.Entries {
			require.NoError(t, err)
			if !slices.Contains(keys, e.Key) {
				keys = append(keys, e.Key)
			}
		}
	}
	require.Len(t, keys, 5)
	for _, key := range keys {
		tx, err := w.Ledger.Transaction(t.Context(), "contoso", key)
		require.NoError(t, err)
		require.NoError(t, tx.Check(), "BIL-91")
		for _, p := range tx.Postings {
			if p.Side == billing.Credit {
				p.Amount = -p.Amount
			}
			account := strings.ReplaceAll(p.Account, "contoso", "{p}")
			if want[account] += p.Amount; want[account] == 0 {
				delete(want, account)
			}
		}
	}
	require.Equal(t, want, w.Balances(t, "USD", billingtest.Accounts...), "BIL-95")
}

func TestInUSD(t *testing.T) {
	t.Parallel()
	w := billingtest.New(t, start)
	for currency, rate := range map[string]string{"EUR": "0.90", "JPY": "150", "KWD": "0.30"} {
		require.NoError(t, w.Ledger.SetRates(t.Context(), "2026-01-01", map[string]decimal.Decimal{currency: decimal.RequireFromString(rate)}))
		require.NoError(t, w.Ledger.SetRates(t.Context(), "2026-02-01", map[string]decimal.Decimal{currency: decimal.RequireFromString("7")}))
	}
	for _, c := range []struct {
		name     string
		minor    int64
		currency string
		want     int64
	}{
		{"BIL-84 the rate of the charge date", 9700, "EUR", 10778},
		{"BIL-84 rounded once, half to even", 45, "JPY", 30},
		{"BIL-84 no decimals", 9700, "JPY", 6467},
		{"BIL-84 three decimals", 9700, "KWD", 3233},
		{"BIL-84 what is owed", -9700, "EUR", -10778},
		{"BIL-83 the same currency is not touched", 9701, "USD", 9701},
	} {
		got, err := w.Billing.InUSD(t.Context(), billing.Release{Amount: money.Amount{Minor: c.minor, Currency: c.currency}, ChargeDate: "2026-01-31"})
		require.NoError(t, err)
		require.Equal(t, c.want, got, c.name)
	}
	_, err := w.Billing.InUSD(t.Context(), billing.Release{Amount: money.Amount{Minor: 1, Currency: "EUR"}, ChargeDate: "2025-12-31"})
	require.Equal(t, "RateMissing", fault.As(err).Code) // BIL-85
}
