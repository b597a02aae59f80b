package payout_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"stoa/shared/billing"
	"stoa/shared/billing/billingtest"
	"stoa/shared/blobs/blobstest"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/money"
	"stoa/shared/payout"
	"stoa/shared/store"
)

// clock is a moment in UTC.
func clock(year int, month time.Month, day, hour int) time.Time {
	return time.Date(year, month, day, hour, 0, 0, 0, time.UTC)
}

func TestCalendar(t *testing.T) {
	t.Parallel()
	for month, want := range map[payout.Month][2]string{
		"2020-10": {"2020-10-05T08:00:00Z", "2020-10-15"}, // PAY-4, PAY-7
		"2020-11": {"2020-11-05T08:00:00Z", "2020-11-13"}, // PAY-31: the 15th is a Sunday
		"2022-01": {"2022-01-05T08:00:00Z", "2022-01-14"}, // a Saturday
	} {
		require.Equal(t, want[0], month.Cutoff().Format(time.RFC3339))
		require.Equal(t, want[1], month.SendDate().Format(time.DateOnly))
	}
	require.Equal(t, payout.Month("2022-02"), payout.LatestMonth(clock(2022, 3, 5, 8).Add(-1)))
	require.Equal(t, payout.Month("2022-03"), payout.LatestMonth(clock(2022, 3, 5, 8)))
	require.Equal(t, payout.Month("2021-12"), payout.LatestMonth(clock(2022, 1, 1, 0)))
	for _, text := range []string{"", "2022", "2022-13", "2022-3", "03-2022"} {
		_, err := payout.ParseMonth(text)
		require.True(t, fault.Is(err, fault.Invalid), text)
	}
}

type world struct {
	*billingtest.World
	payouts *payout.Service
	files   *blobstest.Account
}

func newWorld(t testing.TB, now time.Time) *world {
	t.Helper()
	w := &world{World: billingtest.New(t, now), files: &blobstest.Account{}}
	var err error
	w.payouts, err = payout.New(payout.Deps{
		Store: store.NewPayouts(w.DB), Ledger: w.Ledger, Billing: w.Billing, Statements: w.files, Now: w.Now,
	})
	require.NoError(t, err)
	return w
}

// sell charges a renewal, which is captured at once.
func (w *world) sell(t testing.TB, id, price, currency string) {
	t.Helper()
	sub := w.Subscribe(id, price, currency)
	sub.Terms[0].Number = 2
	w.Save(sub)
	w.Charge(t, id, 2)
	require.Empty(t, w.Pump(t, nil))
}

// work opens a run and does what the queue brings, until nothing is left that is due.
func (w *world) work(t testing.TB, month payout.Month) {
	t.Helper()
	run, err := w.payouts.OpenRun(t.Context(), month)
	require.NoError(t, err)
	require.Equal(t, "payout-commercialMarketplace-"+string(month), run.ID)
	w.deliver(t)
	require.Empty(t, w.Pump(t, nil))
}

// deliver does what the queue brings, and returns how many messages that were.
func (w *world) deliver(t testing.TB) (n int) {
	t.Helper()
	for {
		batch := w.Outbox.Take(message.PayoutItems)
		if len(batch) == 0 {
			return n
		}
		for _, m := range batch {
			var body payout.Work
			require.NoError(t, json.Unmarshal(m.Body, &body))
			require.NoError(t, w.payouts.Handle(t.Context(), body))
			n++
		}
	}
}

func (w *world) item(t testing.TB) payout.Item {
	t.Helper()
	items, _, err := w.payouts.Items(t.Context(), "contoso", "", 1)
	require.NoError(t, err)
	require.NotEmpty(t, items)
	return items[0]
}

func TestFromSaleToPayment(t *testing.T) {
	t.Parallel()
	w := newWorld(t, clock(2020, 9, 7, 12))
	w.sell(t, "s1", "500.00", "USD")
	w.Set(clock(2020, 10, 5, 9))
	w.work(t, "2020-10")
	require.Equal(t, payout.NothingDue, w.item(t).State) // PAY-5: captured 2020-09-07, so not in the run of October
	w.Set(clock(2020, 11, 5, 9))
	w.work(t, "2020-11")
	it := w.item(t) // PAY-6: nobody had matured the line, the run did; the late message changes nothing
	require.Equal(t, payout.Prepared, it.State)
	require.Equal(t, "000000000001", it.PaymentID)
	require.Equal(t, money.Amount{Minor: it.EarnedUSD, Currency: "USD"}, it.Total) // PAY-26, PAY-36
	require.Equal(t, map[string]int64{
		"platform:cash": 50000, "publisher:{p}:inpayment": -40000, "platform:revenue:storeFee": -10000, // 20 % then
	}, w.Balances(t, "USD", billingtest.Accounts...))
	w.Set(clock(2020, 11, 13, 8).Add(-1))
	require.Zero(t, w.deliver(t))
	require.True(t, fault.Is(w.payouts.SendItem(t.Context(), it.RunID, "contoso"), fault.Unavailable), "too early")
	require.Equal(t, payout.Prepared, w.item(t).State)
	w.Set(clock(2020, 11, 13, 8)) // PAY-31: its message has waited for that
	require.NotZero(t, w.deliver(t))
	for range 3 {
		w.work(t, "2020-11") // PAY-20: again and again changes nothing
		require.NoError(t, w.payouts.SendItem(t.Context(), it.RunID, "contoso"))
	}
	require.Equal(t, payout.Sent, w.item(t).State)
	require.Equal(t, map[string]int64{
		"platform:cash": 50000, "platform:payoutTransit": -40000, "platform:revenue:storeFee": -10000,
	}, w.Balances(t, "USD", billingtest.Accounts...))

	data, err := w.files.Read(t.Context(), payout.StatementContainer, w.item(t).Statement, 1<<20)
	require.NoError(t, err)
	var statement struct {
		PaymentID string
		Total     struct{ Amount int64 } `json:"totalPayment"`
		Lines     []struct{ EarningAmount int64 }
	}
	require.NoError(t, json.Unmarshal(data, &statement))
	require.Equal(t, int64(40000), statement.Total.Amount)
	require.Len(t, statement.Lines, 1)

	w.Set(clock(2020, 12, 15, 6))
	w.work(t, "2020-12")
	require.Equal(t, payout.NothingDue, w.item(t).State, "a line is paid once (I12)")
}

func TestThreshold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, price string
		want        payout.ItemState
	}{
		{"BIL-29 50.00 less the fee stays below", "50.00", payout.BelowThreshold},
		{"PAY-23 49.99 is carried", "51.54", payout.BelowThreshold}, // share 49.99
		{"PAY-23 50.00 is paid", "51.55", payout.Sent},              // share 50.00
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, clock(2026, 1, 2, 0))
			w.sell(t, "s1", c.price, "USD")
			w.Set(clock(2026, 2, 16, 0))
			w.work(t, "2026-02")
			require.Equal(t, c.want, w.item(t).State)
		})
	}
}

func TestCarriedLinesArePaidLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t, clock(2026, 1, 2, 0))
	w.sell(t, "s1", "40.00", "USD")
	w.Set(clock(2026, 2, 2, 0))
	w.sell(t, "s2", "40.00", "USD")
	w.Set(clock(2026, 2, 16, 0))
	w.work(t, "2026-02")
	require.Equal(t, payout.BelowThreshold, w.item(t).State)
	w.Set(clock(2026, 3, 16, 0))
	w.work(t, "2026-03")
	it := w.item(t)
	require.Equal(t, payout.Sent, it.State) // PAY-24
	require.Equal(t, 2, it.LineCount)
	require.Equal(t, int64(7760), it.Total.Minor)
}

func TestCutoffIsStrict(t *testing.T) {
	t.Parallel()
	cutoff := payout.Month("2026-03").Cutoff()
	for _, c := range []struct {
		name     string
		captured time.Time
		want     payout.ItemState
	}{
		{"PAY-7 eligible at the cut-off", cutoff.Add(-30 * 24 * time.Hour), payout.NothingDue},
		{"PAY-7 a moment before", cutoff.Add(-30*24*time.Hour - 1), payout.Sent},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.captured)
			w.sell(t, "s1", "100.00", "USD")
			w.Set(clock(2026, 3, 16, 0))
			w.work(t, "2026-03")
			require.Equal(t, c.want, w.item(t).State)
		})
	}
}

func TestTooEarly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, payout.Month("2026-03").Cutoff().Add(-time.Minute-1))
	_, err := w.payouts.OpenRun(t.Context(), "2026-03")
	require.True(t, fault.Is(err, fault.Conflict))
	require.True(t, fault.Is(w.payouts.ComputeItem(t.Context(), "payout-2026-03", "contoso"), fault.Invalid))
	require.True(t, fault.Is(w.payouts.ComputeItem(t.Context(), payout.Month("2026-03").RunID(), "contoso"), fault.NotFound))
}

func TestForeignCurrencyIsConverted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, clock(2026, 1, 2, 0))
	w.sell(t, "s1", "100.00", "EUR")
	w.Set(clock(2026, 2, 16, 0))
	run, err := w.payouts.OpenRun(t.Context(), "2026-02")
	require.NoError(t, err)
	require.NoError(t, w.payouts.List(t.Context(), run.ID, 0))
	err = w.payouts.ComputeItem(t.Context(), run.ID, "contoso")
	require.Equal(t, "RateMissing", fault.As(err).Code) // PAY-30: a person must give it
	require.NoError(t, w.Ledger.SetRates(t.Context(), "2026-01-01", map[string]decimal.Decimal{"EUR": decimal.RequireFromString("0.90")}))
	require.NoError(t, w.payouts.ComputeItem(t.Context(), run.ID, "contoso"))
	require.Empty(t, w.Pump(t, nil))
	require.Equal(t, int64(10778), w.item(t).Total.Minor) // BIL-83
	require.Equal(t, map[string]int64{"platform:payoutTransit": -10778, "platform:fx": 10778}, w.Balances(t, "USD", billingtest.Accounts...))
}

// Several workers on one item of several pages: each line is paid once.
func TestManyLinesManyWorkers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, clock(2026, 1, 2, 0))
	const lines = 100
	for i := range lines {
		w.sell(t, fmt.Sprint("s", i), "10.00", "USD")
	}
	w.Set(clock(2026, 2, 16, 0))
	run, err := w.payouts.OpenRun(t.Context(), "2026-02")
	require.NoError(t, err)
	require.NoError(t, w.payouts.List(t.Context(), run.ID, 0))
	var group sync.WaitGroup
	for range 6 {
		group.Go(func() {
			require.Eventually(t, func() bool {
				err := w.payouts.ComputeItem(t.Context(), run.ID, "contoso")
				if err != nil && !fault.As(err).Kind.Transient() {
					t.Error(err)
					return true
				}
				return err == nil
			}, 10*time.Second, time.Millisecond)
		})
	}
	group.Wait()
	require.Empty(t, w.Pump(t, nil))
	it := w.item(t)
	require.Equal(t, payout.Sent, it.State)
	require.Equal(t, lines, it.LineCount)
	require.Equal(t, 3, it.Pages)
	require.Equal(t, int64(lines*970), it.Total.Minor)
	balances := w.Balances(t, "USD", billingtest.Accounts...)
	require.Equal(t, int64(-lines*970), balances["platform:payoutTransit"])
	require.Zero(t, balances["publisher:{p}:inpayment"])
	statement, err := w.Billing.Account(t.Context(), "publisher:contoso:inpayment", "USD", "", 1000)
	require.NoError(t, err)
	require.Len(t, statement.Entries, lines+1)
}

var _ payout.Billing = (*billing.Service)(nil)
