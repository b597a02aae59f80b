package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"stoa/infra/local/azurite"
	"stoa/shared/billing"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/money"
	"stoa/shared/payout"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
	"stoa/shared/store/table"
	"stoa/shared/store/table/tabletest"
)

// ledgerSuite is how the repositories of the ledger and of the payouts behave, over whatever tables.
var ledgerSuite = map[string]func(*testing.T, *ledgerStore){
	"a batch is all or nothing":          batchIsWhole,
	"what was read is replaced":          batchReplaces,
	"releases come in order":             releasesInOrder,
	"cycles of a resource":               cyclesOfAResource,
	"postings stand on accounts once":    postingsStandOnce,
	"an account has pages and months":    accountPages,
	"publishers are listed on page":      publishersListed,
	"rates of the last earlier day":      ratesOfDays,
	"a run goes on where it stood":       runsGoOn,
	"items are made once":                itemsOnce,
	"pages of an order are written once": pagesOnce,
	"payment ids are unique":             paymentIDs,
}

// ledgerStore is what the suite looks at.
type ledgerStore struct {
	db      *store.DB
	outbox  *storetest.Outbox
	ledger  *store.Ledger
	payouts *store.Payouts
}

func openLedger(tables func(string) table.Table) *ledgerStore {
	now := func() time.Time { return ledgerTime }
	s := &ledgerStore{outbox: storetest.NewOutbox(now)}
	s.db = store.New(store.Deps{Tables: tables, Sender: s.outbox, Now: now, NewID: storetest.Counter("id")})
	s.ledger, s.payouts = store.NewLedger(s.db), store.NewPayouts(s.db)
	return s
}

func TestLedgerSuiteOnTheTwin(t *testing.T) {
	t.Parallel()
	for name, test := range ledgerSuite {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var tables tabletest.Account
			test(t, openLedger(tables.Table))
		})
	}
}

func TestLedgerSuiteOnAzurite(t *testing.T) {
	t.Parallel()
	storage, err := azurite.Start(t.Context(), azurite.Options{})
	if errors.Is(err, azurite.ErrNotInstalled) && os.Getenv("STOA_TEST_ALL") != "1" {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(storage.Stop)
	account, err := table.Open(table.Options{ConnectionString: storage.ConnectionString()})
	require.NoError(t, err)
	n := 0
	for name, test := range ledgerSuite {
		n++
		prefix := fmt.Sprint("suite", n)
		t.Run(name, func(t *testing.T) {
			for _, name := range []string{"ledger", "payouts", "agenda"} {
				require.NoError(t, account.Create(t.Context(), prefix+name))
			}
			s := openLedger(func(name string) table.Table { return account.Table(prefix + name) })
			test(t, s)
			require.NoError(t, s.db.Close(context.Background()))
		})
	}
}

// queued are the ids of the messages that went to a queue.
func (s *ledgerStore) queued(t testing.TB, queue string) (ids []string) {
	t.Helper()
	require.NoError(t, s.db.Flush(t.Context()))
	for _, m := range s.outbox.Messages(queue) {
		ids = append(ids, m.ID)
	}
	return ids
}

func releaseAt(line string, at time.Time) billing.Release {
	return billing.Release{
		LineID: line, PublisherID: "contoso", Amount: money.Amount{Minor: 970, Currency: "USD"}, Net: 1000, Fee: 30,
		ChargeDate: "2026-05-31", ReportedAt: ledgerTime, EligibleAt: at,
	}
}

func batchIsWhole(t *testing.T, s *ledgerStore) {
	line := billing.Line{
		ID: "l1", SourceKey: "term:s1:1:flat", PublisherID: "contoso", Currency: "USD", Net: 1000, Fee: 30, Share: 970, State: billing.Invoiced,
		Quantity: decimal.RequireFromString("2.5"), UnitPrice: decimal.RequireFromString("4.25"), Hash: "h", CreatedAt: ledgerTime,
	}
	b := billing.Batch{
		PublisherID: "contoso", Lines: []billing.Line{line}, Releases: []billing.Release{releaseAt("l1", ledgerTime)},
		Transactions: []billing.Transaction{earning(t, "l1", 970, ledgerTime)},
		Messages:     []message.Message{message.New("m1", message.LedgerEvents, billing.Signal{Kind: billing.SignalMature})},
	}
	require.NoError(t, s.ledger.Apply(t.Context(), b))
	stored, err := s.ledger.Line(t.Context(), "contoso", "l1")
	require.NoError(t, err)
	require.NotEmpty(t, stored.Tag)
	stored.Tag = ""
	require.Equal(t, line, stored)
	require.Len(t, s.queued(t, message.LedgerEvents), 2, "its own message, and the one that posts")

	again := b
	again.Lines = []billing.Line{{ID: "l2", PublisherID: "contoso", Currency: "USD"}}
	require.True(t, fault.Is(s.ledger.Apply(t.Context(), again), fault.Conflict), "BIL-93")
	_, err = s.ledger.Line(t.Context(), "contoso", "l2") // BIL-94
	require.True(t, fault.Is(err, fault.NotFound), "BIL-94")
	_, err = s.ledger.Line(t.Context(), "fabrikam", "l1")
	require.True(t, fault.Is(err, fault.NotFound))
	_, err = s.ledger.Transaction(t.Context(), "contoso", "no such key")
	require.True(t, fault.Is(err, fault.NotFound))
	tx, err := s.ledger.Transaction(t.Context(), "contoso", b.Transactions[0].Key)
	require.NoError(t, err)
	require.Equal(t, b.Transactions[0], tx, "BIL-92, BIL-96: as it was posted, with both times")
}

func batchReplaces(t *testing.T, s *ledgerStore) {
	open := releaseAt("l1", ledgerTime)
	require.NoError(t, s.ledger.Apply(t.Context(), billing.Batch{PublisherID: "contoso", Releases: []billing.Release{open}}))
	read, err := s.ledger.Release(t.Context(), "contoso", ledgerTime, "l1")
	require.NoError(t, err)
	read.Matured = true
	require.NoError(t, s.ledger.Apply(t.Context(), billing.Batch{PublisherID: "contoso", Releases: []billing.Release{read}}))
	stale := billing.Batch{PublisherID: "contoso", Paid: []billing.Release{read}, Transactions: []billing.Transaction{earning(t, "l1", 5, ledgerTime)}}
	require.True(t, fault.Is(s.ledger.Apply(t.Context(), stale), fault.StaleETag))
	_, err = s.ledger.Transaction(t.Context(), "contoso", stale.Transactions[0].Key)
	require.True(t, fault.Is(err, fault.NotFound), "BIL-94")
	read, err = s.ledger.Release(t.Context(), "contoso", ledgerTime, "l1")
	require.NoError(t, err)
	require.True(t, read.Matured)
	stale.Paid = []billing.Release{read}
	require.NoError(t, s.ledger.Apply(t.Context(), stale))
	_, err = s.ledger.Release(t.Context(), "contoso", ledgerTime, "l1")
	require.True(t, fault.Is(err, fault.NotFound))
	stale.Transactions = nil
	require.True(t, fault.Is(s.ledger.Apply(t.Context(), stale), fault.NotFound), "a line is paid once")
}

func releasesInOrder(t *testing.T, s *ledgerStore) {
	cutoff := payout.Month("2026-07").Cutoff()
	b := billing.Batch{PublisherID: "contoso"}
	for i, at := range []time.Time{cutoff, cutoff.Add(-1), cutoff.Add(-time.Hour), cutoff.Add(time.Nanosecond), cutoff.Add(-1)} {
		b.Releases = append(b.Releases, releaseAt(fmt.Sprint("l", i), at))
	}
	require.NoError(t, s.ledger.Apply(t.Context(), b))
	var lines []string
	for after := ""; ; {
		page, next, err := s.ledger.Releases(t.Context(), "contoso", cutoff, after, 2)
		require.NoError(t, err)
		for _, r := range page {
			require.NotEmpty(t, r.Tag)
			lines = append(lines, r.LineID)
		}
		if after = next; after == "" {
			break
		}
	}
	require.Equal(t, []string{"l2", "l1", "l4"}, lines, "PAY-7: eligible before the cut-off, strictly; by time and line")
}

func cyclesOfAResource(t *testing.T, s *ledgerStore) {
	cycle := billing.Cycle{
		ResourceID: "s1", PublisherID: "contoso", Dimension: "email/é#1", Month: "2026-05", State: billing.CycleClosing, OpenedAt: ledgerTime,
		Parts:   []billing.Part{{PlanID: "basic", FirstDay: "2026-05-01", LastDay: "2026-05-31", Quantity: decimal.RequireFromString("2.85"), UnitPrice: decimal.RequireFromString("0.1")}},
		Counted: billing.Hours{}.With(ledgerTime), Late: map[string]billing.Hours{"2026-04": billing.Hours{}.With(ledgerTime)}, FixedAt: ledgerTime,
	}
	other := cycle
	other.ResourceID = "s10"
	require.NoError(t, s.ledger.Apply(t.Context(), billing.Batch{PublisherID: "contoso", Cycles: []billing.Cycle{cycle, other}}))
	list, next, err := s.ledger.Cycles(t.Context(), "contoso", "s1", "", 10)
	require.NoError(t, err)
	require.Empty(t, next)
	require.Equal(t, []billing.Cycle{cycle}, list, "those of s10 are not among them")
	read, err := s.ledger.Cycle(t.Context(), "contoso", "s1", cycle.Dimension, "2026-05")
	require.NoError(t, err)
	require.True(t, read.Counted.Has(ledgerTime))
	read.State = billing.CycleClosed
	require.NoError(t, s.ledger.Apply(t.Context(), billing.Batch{PublisherID: "contoso", Cycles: []billing.Cycle{read}}))
	read.ClosedAt = ledgerTime // other content: the same would be taken for a lost answer
	require.True(t, fault.Is(s.ledger.Apply(t.Context(), billing.Batch{PublisherID: "contoso", Cycles: []billing.Cycle{read}}), fault.StaleETag))
	require.True(t, fault.Is(s.ledger.Apply(t.Context(), billing.Batch{PublisherID: "contoso", Cycles: []billing.Cycle{cycle}}), fault.Conflict))
}

// A page of a payment order has more postings on one account than a transaction takes, and its message comes twice.
func postingsStandOnce(t *testing.T, s *ledgerStore) {
	var keys []string
	b := billing.Batch{PublisherID: "contoso"}
	for i := range 70 {
		tx := earning(t, fmt.Sprintf("l%03d", i), int64(i+1), ledgerTime)
		b.Transactions, keys = append(b.Transactions, tx), append(keys, tx.Key)
	}
	require.NoError(t, s.ledger.Apply(t.Context(), b))
	require.NoError(t, s.ledger.Distribute(t.Context(), "contoso", keys[10:20]))
	for range 2 {
		require.NoError(t, s.ledger.Distribute(t.Context(), "contoso", keys))
	}
	page, err := s.ledger.Account(t.Context(), "publisher:contoso:escrow", "USD", "", 100)
	require.NoError(t, err)
	require.Equal(t, int64(70*71/2), page.Credit, "BIL-95")
	require.Len(t, page.Entries, 70)
	_, err = s.ledger.Account(t.Context(), "publisher:contoso:escrow", "EUR", "", 100)
	require.True(t, fault.Is(err, fault.NotFound))
}

func accountPages(t *testing.T, s *ledgerStore) {
	var keys []string
	for i := range 9 {
		tx := earning(t, fmt.Sprint("l", i), 1, ledgerTime.Add(time.Duration(i%3)*24*time.Hour*31)) // BIL-96: by business month
		require.NoError(t, s.ledger.Apply(t.Context(), billing.Batch{PublisherID: "contoso", Transactions: []billing.Transaction{tx}}))
		keys = append(keys, tx.Key)
	}
	require.NoError(t, s.ledger.Distribute(t.Context(), "contoso", keys))
	var lines []string
	for after := ""; ; {
		page, err := s.ledger.Account(t.Context(), "publisher:contoso:accrued", "USD", after, 2)
		require.NoError(t, err)
		require.Equal(t, int64(9), page.Debit, "the sums are those of all pages")
		for _, e := range page.Entries {
			lines = append(lines, e.LineID)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	require.Equal(t, []string{"l0", "l3", "l6", "l1", "l4", "l7", "l2", "l5", "l8"}, lines)
}

func publishersListed(t *testing.T, s *ledgerStore) {
	for _, id := range []string{"contoso", "adatum", "fabrikam", "contoso"} {
		r := releaseAt(fmt.Sprint("l", len(s.queued(t, "none")), id), ledgerTime)
		r.PublisherID = id
		err := s.ledger.Apply(t.Context(), billing.Batch{PublisherID: id, Releases: []billing.Release{r}})
		require.True(t, err == nil || fault.Is(err, fault.Conflict))
	}
	var ids []string
	for after := ""; ; {
		page, next, err := s.ledger.Publishers(t.Context(), after, 2)
		require.NoError(t, err)
		ids = append(ids, page...)
		if after = next; after == "" {
			break
		}
	}
	require.Equal(t, []string{"adatum", "contoso", "fabrikam"}, ids)
}

func ratesOfDays(t *testing.T, s *ledgerStore) {
	set := func(day, rate string) error {
		return s.ledger.SetRates(t.Context(), day, map[string]decimal.Decimal{"EUR": decimal.RequireFromString(rate)})
	}
	require.NoError(t, set("2025-12-31", "0.91"))
	require.NoError(t, set("2026-01-30", "0.90"))
	require.NoError(t, set("2026-01-30", "0.900"))
	require.True(t, fault.Is(set("2026-01-30", "0.92"), fault.Conflict))
	require.True(t, fault.Is(set("January", "0.92"), fault.Invalid))
	for day, want := range map[string]string{"2025-12-31": "0.91", "2026-01-29": "0.91", "2026-01-30": "0.9", "2030-01-01": "0.9"} {
		got, err := s.ledger.UnitsPerUSD(t.Context(), "EUR", day) // BIL-85
		require.NoError(t, err)
		require.Equal(t, want, got.String(), "BIL-85 %s", day)
	}
	_, err := s.ledger.UnitsPerUSD(t.Context(), "EUR", "2025-12-30")
	require.True(t, fault.Is(err, fault.NotFound), "BIL-85")
	_, err = s.ledger.UnitsPerUSD(t.Context(), "JPY", "2026-01-30")
	require.True(t, fault.Is(err, fault.NotFound))
}

func runsGoOn(t *testing.T, s *ledgerStore) {
	month := payout.Month("2026-06")
	run := payout.Run{ID: month.RunID(), Month: month, State: payout.Open, Cutoff: month.Cutoff(), OpenedAt: ledgerTime}
	work := message.New("list0", message.PayoutItems, payout.Work{Kind: payout.WorkList})
	made, err := s.payouts.AddRun(t.Context(), run, work)
	require.NoError(t, err)
	made.Pages, made.After, made.Publishers = 3, "somewhere", 600
	require.NoError(t, s.payouts.SaveRun(t.Context(), made, message.New("list3", message.PayoutItems, 1)))
	require.True(t, fault.Is(s.payouts.SaveRun(t.Context(), made, message.New("twice", message.PayoutItems, 1)), fault.StaleETag))
	joined, err := s.payouts.AddRun(t.Context(), run, message.New("again", message.PayoutItems, 1)) // PAY-20
	require.NoError(t, err)
	require.Equal(t, []any{3, "somewhere", 600}, []any{joined.Pages, joined.After, joined.Publishers}, "PAY-20")
	require.Equal(t, []string{"list0", "list3"}, s.queued(t, message.PayoutItems), "what was not written sends nothing")
	_, err = s.payouts.Run(t.Context(), "other")
	require.True(t, fault.Is(err, fault.NotFound))
}

func itemsOnce(t *testing.T, s *ledgerStore) {
	var items []payout.Item
	for _, month := range []payout.Month{"2025-12", "2026-01", "2026-02"} {
		items = append(items, payout.Item{RunID: month.RunID(), Month: month, PublisherID: "contoso", State: payout.Queued})
	}
	require.NoError(t, s.payouts.AddItems(t.Context(), items))
	it, err := s.payouts.Item(t.Context(), "contoso", "2026-01")
	require.NoError(t, err)
	it.State = payout.Sent
	it, err = s.payouts.SaveItem(t.Context(), it, message.New("sent", message.PayoutItems, 1))
	require.NoError(t, err)
	require.NoError(t, s.payouts.AddItems(t.Context(), items), "what is there is left alone")
	stale := it
	it.State = payout.Prepared
	_, err = s.payouts.SaveItem(t.Context(), it)
	require.NoError(t, err)
	_, err = s.payouts.SaveItem(t.Context(), stale)
	require.True(t, fault.Is(err, fault.StaleETag))
	list, next, err := s.payouts.Items(t.Context(), "contoso", "", 2)
	require.NoError(t, err)
	require.NotEmpty(t, next)
	require.Equal(t, []payout.Month{"2026-02", "2026-01"}, []payout.Month{list[0].Month, list[1].Month}, "newest first")
	require.Equal(t, payout.Prepared, list[1].State)
	_, err = s.payouts.SaveItem(t.Context(), list[0])
	require.NoError(t, err, "items of a list can be saved")
	require.Len(t, s.queued(t, message.PayoutItems), 4)
	_, err = s.payouts.Item(t.Context(), "contoso", "2026-03")
	require.True(t, fault.Is(err, fault.NotFound))
}

func pagesOnce(t *testing.T, s *ledgerStore) {
	lines := []payout.PaidLine{{Release: releaseAt("l1", ledgerTime), Pay: 970}}
	for range 2 {
		require.NoError(t, s.payouts.AddPage(t.Context(), "contoso", "000000000001", 0, lines))
	}
	read, err := s.payouts.Page(t.Context(), "contoso", "000000000001", 0)
	require.NoError(t, err)
	require.Equal(t, lines, read)
	_, err = s.payouts.Page(t.Context(), "contoso", "000000000001", 1)
	require.True(t, fault.Is(err, fault.NotFound))
}

func paymentIDs(t *testing.T, s *ledgerStore) {
	var mu sync.Mutex
	seen := map[string]bool{}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			id, err := s.payouts.NextPaymentID(t.Context())
			mu.Lock()
			defer mu.Unlock()
			if err != nil || len(id) != 12 || seen[id] {
				t.Errorf("payment id %q: %v", id, err)
			}
			seen[id] = true
		})
	}
	group.Wait()
	require.True(t, seen["000000000001"])
}
