package payout_test

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/billing"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/money"
	"stoa/shared/payout"
)

// endless is a ledger, a store and a rail of one publisher with n lines, which it makes up when they are asked for
// and forgets. It notes how much memory is in use while it is asked.
type endless struct {
	n, asked int
	peak     uint64
	item     payout.Item
	written  int64
}

func (e *endless) measure() {
	if e.asked++; e.asked%50 != 0 {
		return
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	e.peak = max(e.peak, m.HeapAlloc)
}

func (e *endless) release(i int) billing.Release {
	return billing.Release{
		LineID: fmt.Sprintf("line-%08d", i), PublisherID: "contoso", OfferID: "cns", Amount: money.Amount{Minor: 100, Currency: "USD"},
		ChargeDate: "2026-01-01", EligibleAt: clock(2026, 2, 1, 0), Matured: true,
	}
}

func (e *endless) Releases(_ context.Context, _ string, _ time.Time, after string, limit int) ([]billing.Release, string, error) {
	e.measure()
	from, _ := strconv.Atoi(after)
	var list []billing.Release
	for i := from; i < min(e.n, from+limit); i++ {
		list = append(list, e.release(i))
	}
	if from+limit >= e.n {
		return list, "", nil
	}
	return list, strconv.Itoa(from + limit), nil
}

func (e *endless) Release(_ context.Context, _ string, _ time.Time, lineID string) (billing.Release, error) {
	return billing.Release{LineID: lineID}, nil
}

func (e *endless) Page(_ context.Context, _, _ string, page int) ([]payout.PaidLine, error) {
	e.measure()
	var lines []payout.PaidLine
	for i := page * 45; i < min(e.n, page*45+45); i++ {
		lines = append(lines, payout.PaidLine{Release: e.release(i), Pay: 100})
	}
	return lines, nil
}

func (e *endless) Transaction(context.Context, string, string) (billing.Transaction, error) {
	return billing.Transaction{}, fault.New(fault.NotFound, "NotFound", "", "no")
}

func (e *endless) Put(_ context.Context, _, _ string, r io.Reader, _ string) (err error) {
	e.written, err = io.Copy(io.Discard, r)
	return err
}

func (e *endless) Publishers(context.Context, string, int) ([]string, string, error) {
	return nil, "", nil
}
func (e *endless) Apply(context.Context, billing.Batch) error           { return nil }
func (e *endless) MatureRelease(context.Context, billing.Release) error { return nil }
func (e *endless) InUSD(_ context.Context, r billing.Release) (int64, error) {
	return r.Amount.Minor, nil
}
func (e *endless) Item(context.Context, string, payout.Month) (payout.Item, error) {
	return e.item, nil
}
func (e *endless) NextPaymentID(context.Context) (string, error)                 { return "000000000001", nil }
func (e *endless) Send(context.Context, ...message.Message) error                { return nil }
func (e *endless) AddItems(context.Context, []payout.Item) error                 { return nil }
func (e *endless) SaveRun(context.Context, payout.Run, ...message.Message) error { return nil }
func (e *endless) Run(context.Context, string) (payout.Run, error)               { return payout.Run{}, nil }
func (e *endless) AddPage(context.Context, string, string, int, []payout.PaidLine) error {
	return nil
}
func (e *endless) AddRun(_ context.Context, r payout.Run, _ ...message.Message) (payout.Run, error) {
	return r, nil
}
func (e *endless) Items(context.Context, string, string, int) ([]payout.Item, string, error) {
	return []payout.Item{e.item}, "", nil
}
func (e *endless) SaveItem(_ context.Context, it payout.Item, _ ...message.Message) (payout.Item, error) {
	e.item = it
	return it, nil
}

func (e *endless) compute(t testing.TB) {
	t.Helper()
	month := payout.Month("2026-03")
	e.item = payout.Item{RunID: month.RunID(), Month: month, PublisherID: "contoso", State: payout.Queued}
	s, err := payout.New(payout.Deps{Store: e, Ledger: e, Billing: e, Statements: e, Now: func() time.Time { return clock(2026, 3, 16, 0) }})
	require.NoError(t, err)
	require.NoError(t, s.ComputeItem(t.Context(), month.RunID(), "contoso"))
	require.Equal(t, payout.Sent, e.item.State)
	require.Equal(t, int64(e.n*100), e.item.Total.Minor)
}

// The memory of an item does not grow with its lines. Not parallel: it measures the heap of the whole process.
func TestMemoryIsFlat(t *testing.T) {
	few, many := &endless{n: 2_000}, &endless{n: 20_000}
	few.compute(t)
	many.compute(t)
	require.Greater(t, many.written, 9*few.written)
	require.Less(t, many.peak, few.peak+1<<20, "%d bytes for 2,000 lines, %d for 20,000", few.peak, many.peak)
}

// BenchmarkItem is a publisher's item of 1,000 lines, store excluded.
func BenchmarkItem(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		(&endless{n: 1000}).compute(b)
	}
}
