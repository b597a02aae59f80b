package store_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/billing"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
	"stoa/shared/store/table/tabletest"
)

var ledgerTime = time.Date(2026, 5, 31, 23, 59, 59, 0, time.UTC)

// earning is the transaction of a share that is reported.
func earning(t testing.TB, line string, minor int64, at time.Time) billing.Transaction {
	t.Helper()
	tx, err := billing.Post("earning.reported", billing.Inputs{
		Names:   map[string]string{"p": "contoso", "lineId": line, "n": "1"},
		Amounts: map[string]int64{"released": minor}, Currency: "USD", LineID: line, OccurredAt: at, PostedAt: at,
	})
	require.NoError(t, err)
	return tx
}

// The process dies at every operation of a batch and of its distribution, with every kind of harm; afterwards,
// when the batch is there, its postings stand on their accounts once, and else not at all.
func TestLedgerWhateverHappens(t *testing.T) {
	t.Parallel()
	for _, harm := range []storetest.Harm{storetest.Die, storetest.DieLate, storetest.Refuse, storetest.Lose} {
		for k := 1; k <= 14; k++ {
			t.Run(fmt.Sprint(harm, " at ", k), func(t *testing.T) {
				t.Parallel()
				at := ledgerTime
				clock := func() time.Time { return at }
				var tables tabletest.Account
				outbox := storetest.NewOutbox(clock)
				crash := storetest.NewCrash(tables.Table, outbox)
				open := func(prefix string) (*store.DB, *store.Ledger) {
					db := store.New(store.Deps{Tables: crash.Table, Sender: crash, Now: clock, NewID: storetest.Counter(prefix)})
					return db, store.NewLedger(db)
				}
				db, ledger := open("first")
				tx := earning(t, "l1", 970, at)
				crash.Arm(harm, k)
				_ = ledger.Apply(t.Context(), billing.Batch{PublisherID: "contoso", Transactions: []billing.Transaction{tx}})
				require.NoError(t, db.Flush(t.Context()))
				_ = ledger.Distribute(t.Context(), "contoso", []string{tx.Key})
				crash.Arm(storetest.None, 0)

				at = at.Add(10 * time.Minute)
				db, ledger = open("second")
				_, err := db.Sweep(t.Context())
				require.NoError(t, err)
				_, err = ledger.Transaction(t.Context(), "contoso", tx.Key)
				there := err == nil
				require.Equal(t, there, len(outbox.Messages(message.LedgerEvents)) > 0, "a batch that is there is told, no other is")
				for range 2 {
					if there {
						require.NoError(t, ledger.Distribute(t.Context(), "contoso", []string{tx.Key}))
					}
				}
				s, err := ledger.Account(t.Context(), "publisher:contoso:escrow", "USD", "", 10)
				if !there {
					require.True(t, fault.Is(err, fault.NotFound))
					return
				}
				require.NoError(t, err)
				require.Equal(t, int64(970), s.Credit)
				require.Len(t, s.Entries, 1)
			})
		}
	}
}

// Many processes distribute the same transactions at once: each posting counts once, over month ends.
func TestDistributeAtOnce(t *testing.T) {
	t.Parallel()
	clock := func() time.Time { return ledgerTime }
	var tables tabletest.Account
	outbox := storetest.NewOutbox(clock)
	open := func(i int) *store.Ledger {
		return store.NewLedger(store.New(store.Deps{Tables: tables.Table, Sender: outbox, Now: clock, NewID: storetest.Counter(fmt.Sprint("p", i))}))
	}
	first := open(0)
	var keys []string
	for i := range 60 {
		tx := earning(t, fmt.Sprint("l", i), int64(i+1), ledgerTime.Add(time.Duration(i%2)*time.Second))
		require.NoError(t, first.Apply(t.Context(), billing.Batch{PublisherID: "contoso", Transactions: []billing.Transaction{tx}}))
		keys = append(keys, tx.Key)
	}
	var group sync.WaitGroup
	for i := range 8 {
		ledger := open(i + 1)
		group.Go(func() {
			for n := i; n < len(keys); n += 2 {
				if err := ledger.Distribute(context.Background(), "contoso", keys[n:min(n+7, len(keys))]); err != nil {
					t.Error(err)
				}
			}
			if err := ledger.Distribute(context.Background(), "contoso", keys[:7]); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	seen := map[string]bool{}
	after := ""
	for {
		s, err := first.Account(t.Context(), "publisher:contoso:accrued", "USD", after, 7)
		require.NoError(t, err)
		require.Equal(t, int64(60*61/2), s.Debit)
		require.LessOrEqual(t, len(s.Entries), 7)
		for _, e := range s.Entries {
			require.False(t, seen[e.Key])
			seen[e.Key] = true
		}
		if after = s.Next; after == "" {
			break
		}
	}
	require.Len(t, seen, 60)
}

func TestLedgerRefuses(t *testing.T) {
	t.Parallel()
	db, _ := storetest.NewTwin(func() time.Time { return ledgerTime })
	ledger := store.NewLedger(db)
	tx := earning(t, "l1", 5, ledgerTime)
	batch := billing.Batch{PublisherID: "contoso", Transactions: []billing.Transaction{tx}}
	require.NoError(t, ledger.Apply(t.Context(), batch))
	require.True(t, fault.Is(ledger.Apply(t.Context(), batch), fault.Conflict)) // BIL-93
	tx.Postings[0].Amount++
	require.True(t, fault.Is(ledger.Apply(t.Context(), billing.Batch{PublisherID: "contoso", Transactions: []billing.Transaction{tx}}), fault.Invalid)) // BIL-91
	require.Error(t, ledger.Apply(t.Context(), billing.Batch{}))
}
