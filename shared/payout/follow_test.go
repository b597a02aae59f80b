package payout_test

import (
	"context"
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
	"stoa/shared/subscription"
)

// open opens a run and lists it, without working on the items.
func (w *world) open(t testing.TB, month payout.Month) {
	t.Helper()
	run, err := w.payouts.OpenRun(t.Context(), month)
	require.NoError(t, err)
	require.NoError(t, w.payouts.List(t.Context(), run.ID, 0))
	w.Outbox.Take(message.PayoutItems)
}

func (w *world) states(t testing.TB) map[payout.Month]payout.ItemState {
	t.Helper()
	items, _, err := w.payouts.Items(t.Context(), "contoso", "", 10)
	require.NoError(t, err)
	states := map[payout.Month]payout.ItemState{}
	for _, it := range items {
		states[it.Month] = it.State
	}
	return states
}

// Whichever of two items of a publisher is worked on first, the later one pays (PAY-43).
func TestRunsDoNotOverlap(t *testing.T) {
	t.Parallel()
	for _, order := range [][]payout.Month{{"2026-02", "2026-03"}, {"2026-03", "2026-02"}} {
		t.Run(fmt.Sprint("PAY-43 ", order), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, clock(2026, 1, 2, 0))
			w.sell(t, "s1", "100.00", "USD")
			w.Set(clock(2026, 2, 5, 8))
			w.open(t, "2026-02")
			w.Set(clock(2026, 3, 16, 0))
			w.open(t, "2026-03")
			for _, month := range order {
				require.NoError(t, w.payouts.ComputeItem(t.Context(), month.RunID(), "contoso"))
			}
			require.Equal(t, map[payout.Month]payout.ItemState{"2026-02": payout.Carried, "2026-03": payout.Sent}, w.states(t))
			require.Empty(t, w.Pump(t, nil))
			require.Equal(t, int64(-9700), w.Balances(t, "USD", billingtest.Accounts...)["platform:payoutTransit"])
		})
	}
}

// An item whose lines are fixed when the next run opens is finished first; its lines are not in the next order.
func TestFixedItemIsFinishedFirst(t *testing.T) {
	t.Parallel()
	w := billingtest.New(t, february)
	earn(t, w, "contoso", 100)
	files := &blobstest.Account{}
	first := startProcess(t, w, files, "first")
	_, err := first.payouts.OpenRun(t.Context(), "2026-02")
	require.NoError(t, err)
	run := payout.Month("2026-02").RunID()
	require.NoError(t, first.payouts.List(t.Context(), run, 0))
	require.NoError(t, first.db.Flush(t.Context()))
	w.Outbox.Take(message.PayoutItems)
	for k := 1; ; k++ { // dies at the first operation after which the lines are fixed
		first.crash.Arm(storetest.Die, k)
		_ = first.payouts.ComputeItem(t.Context(), run, "contoso")
		it, err := store.NewPayouts(w.DB).Item(t.Context(), "contoso", "2026-02")
		require.NoError(t, err)
		if it.State == payout.Assessed {
			break
		}
	}
	w.Set(clock(2026, 3, 16, 0))
	second := startProcess(t, w, files, "second")
	_, err = second.payouts.OpenRun(t.Context(), "2026-03")
	require.NoError(t, err)
	second.deliver(t, w, nil)
	items, _, err := second.payouts.Items(t.Context(), "contoso", "", 5)
	require.NoError(t, err)
	require.Equal(t, []payout.ItemState{payout.NothingDue, payout.Sent}, []payout.ItemState{items[0].State, items[1].State})
	require.Equal(t, int64(100_000), items[1].Total.Minor)
}

// A refund of a line that is in an open order does not touch the order; the next one takes it off (PAY-29).
func TestRefundWhileTheOrderIsPrepared(t *testing.T) {
	t.Parallel()
	w := newWorld(t, clock(2026, 1, 2, 0))
	sub := w.Subscribe("s1", "100.00", "USD")
	w.Charge(t, "s1", 1)
	require.Empty(t, w.Pump(t, nil))
	w.Set(clock(2026, 1, 4, 0))
	require.Empty(t, w.Pump(t, nil))
	w.Set(clock(2026, 2, 5, 8))
	w.open(t, "2026-02")
	run := payout.Month("2026-02").RunID()
	first := startProcess(t, w.World, w.files, "first")
	state := payout.Queued
	for k := 1; state == payout.Queued; k++ {
		first.crash.Arm(storetest.Die, k)
		_ = first.payouts.ComputeItem(t.Context(), run, "contoso")
		state = w.item(t).State
	}
	require.Equal(t, payout.Assessed, state)
	sub.Status, sub.EndedAt, sub.Waived = subscription.Unsubscribed, clock(2026, 1, 2, 1), true
	w.Save(sub)
	require.NoError(t, w.Billing.ChargeTerm(t.Context(), "s1", 1))
	require.NoError(t, w.payouts.ComputeItem(t.Context(), run, "contoso"))
	require.Equal(t, []any{payout.Prepared, int64(9700)}, []any{w.item(t).State, w.item(t).Total.Minor}, "PAY-29")
	w.Set(clock(2026, 3, 5, 8))
	w.work(t, "2026-03")
	require.Equal(t, []any{payout.Negative, int64(-9700)}, []any{w.item(t).State, w.item(t).EarnedUSD}, "PAY-29")
}

// The whole of chapter 11's walk 9, second half: a refund of what was paid makes the balance negative, and later
// earnings are offset with it.
func TestNegativeBalanceIsOffset(t *testing.T) {
	t.Parallel()
	w := newWorld(t, clock(2026, 1, 2, 0))
	sub := w.Subscribe("s1", "100.00", "USD")
	w.Charge(t, "s1", 1)
	require.Empty(t, w.Pump(t, nil))
	w.Set(clock(2026, 1, 4, 0))
	require.Empty(t, w.Pump(t, nil))
	w.Set(clock(2026, 2, 16, 0))
	w.work(t, "2026-02")
	require.Equal(t, payout.Sent, w.item(t).State)

	sub.Status, sub.EndedAt, sub.Waived = subscription.Unsubscribed, clock(2026, 1, 2, 1), true // known only now
	w.Save(sub)
	require.NoError(t, w.Billing.ChargeTerm(t.Context(), "s1", 1))
	require.Equal(t, payout.Sent, w.item(t).State, "PAY-29 the order is not touched")
	w.Set(clock(2026, 2, 17, 0))
	w.sell(t, "s2", "61.86", "USD") // share 60.00: 61.86 - 1.86
	w.Set(clock(2026, 3, 17, 0))
	w.sell(t, "s3", "103.09", "USD") // share 100.00
	w.Set(clock(2026, 4, 6, 0))
	w.work(t, "2026-04")
	it := w.item(t)
	require.Equal(t, payout.Negative, it.State) // PAY-10: at once, PAY-26
	require.Equal(t, int64(-3700), it.EarnedUSD)
	w.Set(clock(2026, 5, 15, 8))
	w.work(t, "2026-05")
	it = w.item(t)
	require.Equal(t, payout.Sent, it.State)
	require.Equal(t, []int64{6300, 3}, []int64{it.Total.Minor, int64(it.LineCount)})
	statementLines(t, w.files, it) // PAY-57
	require.Zero(t, w.Balances(t, "USD", billingtest.Accounts...)["publisher:{p}:payable"])
}

// All a publisher sold is one balance and one order, whatever the offer (PAY-1), and what comes after its lines
// were fixed waits for the next run (PAY-28).
func TestOneOrderOfAllOffers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, clock(2026, 1, 2, 0))
	for i, offer := range []string{"cns", "vm", "cns"} {
		id := fmt.Sprint("s", i)
		sub := w.Subscribe(id, "30.00", "USD")
		sub.OfferID, sub.Terms[0].Number = offer, 2
		w.Save(sub)
		w.Charge(t, id, 2)
	}
	require.Empty(t, w.Pump(t, nil))
	w.Set(clock(2026, 2, 5, 8))
	w.work(t, "2026-02")
	it := w.item(t)
	require.Equal(t, payout.Prepared, it.State)
	require.Equal(t, 3, it.LineCount)
	late := billing.Release{ // an eligible line that shows up after that
		LineID: "late", PublisherID: "contoso", Amount: money.Amount{Minor: 9000, Currency: "USD"},
		ChargeDate: "2026-01-02", EligibleAt: clock(2026, 2, 1, 0), Matured: true,
	}
	require.NoError(t, w.Ledger.Apply(t.Context(), billing.Batch{PublisherID: "contoso", Releases: []billing.Release{late}}))
	w.Set(clock(2026, 2, 13, 8))
	w.work(t, "2026-02")
	require.Equal(t, 3, w.item(t).LineCount)
	require.Len(t, statementLines(t, w.files, w.item(t)), 3)
	w.Set(clock(2026, 3, 13, 8))
	w.work(t, "2026-03")
	require.Equal(t, []int64{9000, 1}, []int64{w.item(t).Total.Minor, int64(w.item(t).LineCount)})
}

// tampered is a store whose pages have lost a cent since they were written.
type tampered struct{ *store.Payouts }

func (p tampered) Page(ctx context.Context, publisherID, paymentID string, page int) ([]payout.PaidLine, error) {
	lines, err := p.Payouts.Page(ctx, publisherID, paymentID, page)
	lines[0].Pay--
	return lines, err
}

// An order whose lines do not add up to its total is not sent (I8).
func TestBreachIsNotSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, clock(2026, 1, 2, 0))
	w.sell(t, "s1", "100.00", "USD")
	w.Set(clock(2026, 2, 16, 0))
	w.open(t, "2026-02")
	bad, err := payout.New(payout.Deps{
		Store: tampered{store.NewPayouts(w.DB)}, Ledger: w.Ledger, Billing: w.Billing, Statements: w.files, Now: w.Now,
	})
	require.NoError(t, err)
	err = bad.ComputeItem(t.Context(), payout.Month("2026-02").RunID(), "contoso")
	require.Equal(t, "InvariantBreach", fault.As(err).Code)
	require.False(t, fault.As(err).Kind.Transient(), "a person must look at it")
	require.Equal(t, payout.Assessed, w.item(t).State)
	_, err = w.files.Read(t.Context(), payout.StatementContainer, "contoso/"+payout.Month("2026-02").RunID()+".json", 1<<20)
	require.True(t, fault.Is(err, fault.NotFound), "no statement is written")
}

func TestHandleRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, clock(2026, 2, 5, 8))
	w.sell(t, "s1", "100.00", "USD")
	run := payout.Month("2026-02").RunID()
	for _, c := range []struct {
		name string
		work payout.Work
		kind fault.Kind
		code string
	}{
		{"another kind", payout.Work{Kind: "other", RunID: run}, fault.Invalid, "UnknownKind"},
		{"not a run", payout.Work{RunID: "x", PublisherID: "contoso"}, fault.Invalid, "InvalidRun"},
		{"not a month", payout.Work{Kind: payout.WorkList, RunID: "payout-commercialMarketplace-2026-13"}, fault.Invalid, "InvalidMonth"},
		{"no publisher", payout.Work{RunID: run}, fault.Invalid, "MissingValue"},
		{"a run that was not opened", payout.Work{Kind: payout.WorkList, RunID: run}, fault.NotFound, "NotFound"},
		{"a publisher without an item", payout.Work{Kind: payout.WorkSend, RunID: run, PublisherID: "contoso"}, fault.NotFound, "NotFound"},
	} {
		err := w.payouts.Handle(t.Context(), c.work)
		require.True(t, fault.Is(err, c.kind), "%s: %v", c.name, err)
		require.Equal(t, c.code, fault.As(err).Code, c.name)
	}
	require.Empty(t, w.states(t), "nothing was written")
}

// The timer comes at the cut-off, on its host's clock.
func TestDue(t *testing.T) {
	t.Parallel()
	cutoff := payout.Month("2026-03").Cutoff()
	require.Equal(t, payout.Month("2026-03"), payout.Due(cutoff))
	require.Equal(t, payout.Month("2026-03"), payout.Due(cutoff.Add(-30*time.Second)))
	require.Equal(t, payout.Month("2026-02"), payout.Due(cutoff.Add(-2*time.Minute)))
}
