package storetest_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/infra/local/azurite/azuritetest"
	"stoa/shared/message"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
	"stoa/shared/store/table"
)

func TestMain(m *testing.M) { azuritetest.Main(m) }

// tables are tables of the real store with a prefix of their own.
func tables(t *testing.T, prefix string) func(string) table.Table {
	t.Helper()
	account, err := table.Open(table.Options{ConnectionString: azuritetest.Storage(t).ConnectionString()})
	require.NoError(t, err)
	for _, name := range []string{"subscriptions", "agenda", "deadletters"} {
		require.NoError(t, account.Create(t.Context(), prefix+name))
	}
	return func(name string) table.Table { return account.Table(prefix + name) }
}

func act(i int) ([]table.Op, []message.Message) {
	op := table.Op{Action: table.Insert, Row: table.Row{Partition: fmt.Sprint("sub", i), Key: "a", Data: []byte("{}")}}
	now := message.New(fmt.Sprint("now", i), message.Webhooks, i)
	due := message.New(fmt.Sprint("due", i), message.Webhooks, i).At(time.Date(2026, 3, 1, 0, 0, i, 0, time.UTC))
	return []table.Op{op}, []message.Message{now, due}
}

func rows(t *testing.T, of table.Table) int {
	t.Helper()
	page, err := of.Query(t.Context(), table.Query{Partition: " ", PartitionEnd: "~"})
	require.NoError(t, err)
	return len(page.Rows)
}

// On the real store: many acts at the same time, some of which meet an older one; all that happened is delivered,
// nothing is left behind, and what is due comes when it is due.
func TestStoreOnAzurite(t *testing.T) {
	t.Parallel()
	at := tables(t, "calm")
	var clock atomic.Int64
	clock.Store(time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC).UnixNano())
	now := func() time.Time { return time.Unix(0, clock.Load()).UTC() }
	outbox := storetest.NewOutbox(now)
	db := store.New(store.Deps{Tables: at, Sender: outbox, Now: now, NewID: storetest.Counter("id")})
	var group sync.WaitGroup
	var won atomic.Int32
	for i := range 120 {
		group.Go(func() {
			ops, msgs := act(i % 80)
			if _, err := db.Commit(context.Background(), "subscriptions", ops, msgs...); err == nil {
				won.Add(1)
			}
		})
	}
	group.Wait()
	require.NoError(t, db.Flush(t.Context()))
	require.EqualValues(t, 80, won.Load())
	require.Len(t, outbox.Messages(message.Webhooks), 80)
	require.Equal(t, 80, rows(t, at("subscriptions")), "no outbox row is left")
	require.Equal(t, 80, rows(t, at("agenda")), "no marker is left, and all that is due later")

	n, err := db.Release(t.Context(), time.Date(2026, 3, 1, 0, 0, 39, 0, time.UTC), 1000)
	require.NoError(t, err)
	require.Equal(t, 40, n)
	clock.Add(int64(31 * 24 * time.Hour))
	n, err = db.Release(t.Context(), now(), 1000)
	require.NoError(t, err)
	require.Equal(t, 40, n)
	require.Zero(t, rows(t, at("agenda")))
	require.Len(t, outbox.Messages(message.Webhooks), 160)
	require.NoError(t, db.Close(t.Context()))
}

// On the real store: the process dies at some operation, another one sweeps.
func TestSweepOnAzurite(t *testing.T) {
	t.Parallel()
	at := tables(t, "crash")
	var clock atomic.Int64
	clock.Store(time.Date(2026, 3, 31, 0, 0, 0, 0, time.UTC).UnixNano())
	now := func() time.Time { return time.Unix(0, clock.Load()).UTC() }
	outbox := storetest.NewOutbox(now)
	crash := storetest.NewCrash(at, outbox)
	happened := 0
	for i, harm := range []storetest.Harm{storetest.Die, storetest.DieLate, storetest.Refuse, storetest.Lose} {
		for k := 1; k <= 5; k++ {
			crash.Arm(harm, k)
			db := store.New(store.Deps{Tables: crash.Table, Sender: crash, Now: now, NewID: storetest.Counter(fmt.Sprint("id", i, k))})
			ops, msgs := act(10*i + k)
			_, _ = db.Commit(t.Context(), "subscriptions", ops, msgs...)
			require.NoError(t, db.Flush(t.Context()))
			if _, err := at("subscriptions").Get(t.Context(), ops[0].Row.Partition, "a"); err == nil {
				happened++
			}
		}
	}
	require.Greater(t, happened, 10)
	crash.Arm(storetest.None, 0)
	db := store.New(store.Deps{Tables: crash.Table, Sender: crash, Now: now, NewID: storetest.Counter("second")})
	for _, wait := range []time.Duration{31 * time.Second, 5 * time.Minute} {
		clock.Add(int64(wait))
		_, err := db.Sweep(t.Context())
		require.NoError(t, err)
	}
	ids := map[string]bool{}
	for _, m := range outbox.Messages(message.Webhooks) {
		ids[m.ID] = true
	}
	require.Len(t, ids, 2*happened)
	require.Zero(t, rows(t, at("agenda")))
	require.Equal(t, happened, rows(t, at("subscriptions")))
}
