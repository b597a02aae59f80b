package payout_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/billing"
	"stoa/shared/billing/billingtest"
	"stoa/shared/blobs/blobstest"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/money"
	"stoa/shared/payout"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
)

// earn gives a publisher n lines of 10.00 USD that are payable.
func earn(t testing.TB, w *billingtest.World, publisherID string, n int) {
	t.Helper()
	at := clock(2026, 1, 20, 0)
	for done := 0; done < n; {
		b := billing.Batch{PublisherID: publisherID}
		for ; done < n && len(b.Releases) < 50; done++ {
			b.Releases = append(b.Releases, billing.Release{
				LineID: fmt.Sprintf("line-%s-%06d", publisherID, done), PublisherID: publisherID, Kind: billing.KindTerm,
				Amount: money.Amount{Minor: 1000, Currency: "USD"}, Net: 1031, Fee: 31, ChargeDate: "2025-12-01", EligibleAt: at, Matured: true,
			})
		}
		require.NoError(t, w.Ledger.Apply(t.Context(), b))
	}
}

// process is a handler's process: its own store over the tables of the world, which can come to harm.
type process struct {
	crash   *storetest.Crash
	db      *store.DB
	payouts *payout.Service
	starts  int // listings from the first publisher on
}

type counting struct {
	*store.Ledger
	starts *int
}

func (c counting) Publishers(ctx context.Context, after string, limit int) ([]string, string, error) {
	if after == "" {
		*c.starts++
	}
	return c.Ledger.Publishers(ctx, after, limit)
}

func startProcess(t testing.TB, w *billingtest.World, files *blobstest.Account, name string) *process {
	t.Helper()
	p := &process{crash: storetest.NewCrash(w.DB.Table, w.Outbox)}
	p.db = store.New(store.Deps{Tables: p.crash.Table, Sender: p.crash, Now: w.Now, NewID: storetest.Counter(name)})
	ledger := store.NewLedger(p.db)
	charges, err := billing.New(billing.Deps{Ledger: ledger, Subscriptions: w, Resources: w, Usage: w.Usage, Rates: ledger, Now: w.Now})
	require.NoError(t, err)
	p.payouts, err = payout.New(payout.Deps{
		Store: store.NewPayouts(p.db), Ledger: counting{ledger, &p.starts}, Billing: charges, Statements: files, Now: w.Now,
	})
	require.NoError(t, err)
	return p
}

// deliver does what the queue brings until nothing is left or the process is dead. What it did not finish comes
// back and is returned.
func (p *process) deliver(t testing.TB, w *billingtest.World, back []message.Message) []message.Message {
	t.Helper()
	for {
		require.NoError(t, p.db.Flush(t.Context()))
		batch := append(back, w.Outbox.Take(message.PayoutItems)...)
		back = nil
		if len(batch) == 0 {
			return nil
		}
		for _, m := range batch {
			var body payout.Work
			require.NoError(t, json.Unmarshal(m.Body, &body))
			if err := p.payouts.Handle(t.Context(), body); err != nil {
				require.True(t, p.crash.Dead() || fault.As(err).Kind.Transient(), "%v", err)
				back = append(back, m)
			}
		}
		if p.crash.Dead() {
			require.NoError(t, p.db.Flush(t.Context()))
			return back
		}
	}
}

var february = clock(2026, 2, 5, 8)

// A run whose process dies at some operation of the listing, of several pages of publishers, goes on in another
// process: each publisher has one item, and pages that were written down are not listed again (PAY-20, PAY-21).
func TestListingGoesOnAfterACrash(t *testing.T) {
	t.Parallel()
	const publishers = 450
	list := func(t testing.TB, harm storetest.Harm, k int) (operations int) {
		w := billingtest.New(t, february)
		for i := range publishers {
			earn(t, w, fmt.Sprintf("publisher%04d", i), 1)
		}
		files := &blobstest.Account{}
		first := startProcess(t, w, files, "first")
		first.crash.Arm(harm, k)
		_, err := first.payouts.OpenRun(t.Context(), "2026-02")
		back := first.deliver(t, w, nil)
		operations = first.crash.Operations()

		w.Set(february.Add(20 * time.Minute))
		second := startProcess(t, w, files, "second")
		if err != nil { // the timer's function failed: staff open the run
			_, err = second.payouts.OpenRun(t.Context(), "2026-02")
			require.NoError(t, err)
		}
		pages := 0
		if run, err := store.NewPayouts(second.db).Run(t.Context(), payout.Month("2026-02").RunID()); err == nil {
			pages = run.Pages
		}
		_, err = second.db.Sweep(t.Context())
		require.NoError(t, err)
		second.deliver(t, w, back)
		if pages > 0 {
			require.Zero(t, second.starts, "the listing does not begin anew")
		}
		run, err := store.NewPayouts(second.db).Run(t.Context(), payout.Month("2026-02").RunID())
		require.NoError(t, err)
		require.Equal(t, payout.Assessing, run.State)
		require.Equal(t, publishers, run.Publishers, "no publisher twice")
		for i := range publishers {
			items, _, err := second.payouts.Items(t.Context(), fmt.Sprintf("publisher%04d", i), "", 5)
			require.NoError(t, err)
			require.Len(t, items, 1)
			require.Equal(t, payout.BelowThreshold, items[0].State, "its work was queued")
		}
		return operations
	}
	total := list(t, storetest.None, 0)
	for _, harm := range []storetest.Harm{storetest.Die, storetest.DieLate, storetest.Refuse, storetest.Lose} {
		for k := 1 + int(harm); k < total; k += total / 4 {
			t.Run(fmt.Sprint("PAY-20 ", harm, " at ", k), func(t *testing.T) {
				t.Parallel()
				list(t, harm, k)
			})
		}
	}
}

// A message of the listing that comes again, when its page was done, lists nothing.
func TestListedPageIsLeftAlone(t *testing.T) {
	t.Parallel()
	w := billingtest.New(t, february)
	for i := range 250 {
		earn(t, w, fmt.Sprintf("publisher%04d", i), 1)
	}
	p := startProcess(t, w, &blobstest.Account{}, "first")
	run, err := p.payouts.OpenRun(t.Context(), "2026-02")
	require.NoError(t, err)
	for range 3 {
		require.NoError(t, p.payouts.List(t.Context(), run.ID, 0))
	}
	require.Equal(t, 1, p.starts)
	stored, err := store.NewPayouts(p.db).Run(t.Context(), run.ID)
	require.NoError(t, err)
	require.Equal(t, []any{payout.Open, 1, 200}, []any{stored.State, stored.Pages, stored.Publishers})
	for page := range 3 {
		require.NoError(t, p.payouts.List(t.Context(), run.ID, page))
	}
	stored, err = store.NewPayouts(p.db).Run(t.Context(), run.ID)
	require.NoError(t, err)
	require.Equal(t, []any{payout.Assessing, 2, 250}, []any{stored.State, stored.Pages, stored.Publishers})
}

// The worker of an item of 250 lines dies at some operation: another one goes on, and each line is in the one
// payment order once (PAY-27, I12).
func TestItemGoesOnAfterACrash(t *testing.T) {
	t.Parallel()
	const lines = 250
	compute := func(t testing.TB, harm storetest.Harm, k int) (operations int) {
		w := billingtest.New(t, february)
		earn(t, w, "contoso", lines)
		files := &blobstest.Account{}
		first := startProcess(t, w, files, "first")
		_, err := first.payouts.OpenRun(t.Context(), "2026-02")
		require.NoError(t, err)
		require.NoError(t, first.payouts.List(t.Context(), payout.Month("2026-02").RunID(), 0))
		require.NoError(t, first.db.Flush(t.Context()))
		first.crash.Arm(harm, k)
		back := first.deliver(t, w, nil)
		operations = first.crash.Operations()

		w.Set(february.Add(20 * time.Minute))
		second := startProcess(t, w, files, "second")
		_, err = second.db.Sweep(t.Context())
		require.NoError(t, err)
		second.deliver(t, w, back)
		w.Set(clock(2026, 2, 13, 8))
		second.deliver(t, w, nil)
		require.Empty(t, w.Pump(t, nil))
		items, _, err := second.payouts.Items(t.Context(), "contoso", "", 5)
		require.NoError(t, err)
		require.Len(t, items, 1)
		require.Equal(t, payout.Sent, items[0].State)
		require.Equal(t, int64(lines*1000), items[0].Total.Minor)
		statement, err := w.Billing.Account(t.Context(), "publisher:contoso:inpayment", "USD", "", 1000)
		require.NoError(t, err)
		require.Len(t, statement.Entries, lines+1)
		require.Equal(t, statement.Debit, statement.Credit)
		require.Len(t, statementLines(t, files, items[0]), lines)
		open, _, err := w.Ledger.Releases(t.Context(), "contoso", w.Now(), "", 10)
		require.NoError(t, err)
		require.Empty(t, open)
		return operations
	}
	total := compute(t, storetest.None, 0)
	for _, harm := range []storetest.Harm{storetest.Die, storetest.DieLate, storetest.Refuse, storetest.Lose} {
		for k := 1 + int(harm); k < total; k += total / 10 {
			t.Run(fmt.Sprint("PAY-27 ", harm, " at ", k), func(t *testing.T) {
				t.Parallel()
				compute(t, harm, k)
			})
		}
	}
}

// statementLines are the line ids of an item's statement.
func statementLines(t testing.TB, files *blobstest.Account, it payout.Item) map[string]int64 {
	t.Helper()
	data, err := files.Read(t.Context(), payout.StatementContainer, it.Statement, 1<<24)
	require.NoError(t, err)
	var statement struct {
		EarnedUSD int64
		Lines     []struct {
			LineID        string
			PaymentAmount int64
		}
	}
	require.NoError(t, json.Unmarshal(data, &statement), "%s", data)
	lines, sum := map[string]int64{}, int64(0)
	for _, l := range statement.Lines {
		lines[l.LineID] += l.PaymentAmount
		sum += l.PaymentAmount
	}
	require.Equal(t, it.EarnedUSD, sum, "PAY-57 the lines add up to the payment")
	require.Equal(t, it.EarnedUSD, statement.EarnedUSD)
	return lines
}
