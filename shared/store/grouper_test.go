package store_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
	"stoa/shared/store/table"
)

// slow is a table whose transactions take a moment, and are counted.
type slow struct {
	table.Table
	count *atomic.Int32
}

func (s slow) Apply(ctx context.Context, ops ...table.Op) ([]string, error) {
	s.count.Add(1)
	time.Sleep(2 * time.Millisecond)
	return s.Table.Apply(ctx, ops...)
}

func openSlow(w *world) (*store.DB, *atomic.Int32) {
	var count atomic.Int32
	return store.New(store.Deps{
		Tables: func(name string) table.Table {
			if name == "subscriptions" {
				return slow{w.tables.Table(name), &count}
			}
			return w.tables.Table(name)
		},
		Sender: w.outbox, Now: w.now, NewID: storetest.Counter("first"),
	}), &count
}

// Acts of one partition that come together share transactions, and each gets the ETags of its own rows.
func TestActsOfOnePartitionGoTogether(t *testing.T) {
	t.Parallel()
	const acts = 200
	w := newWorld()
	db, count := openSlow(w)
	var group sync.WaitGroup
	for i := range acts {
		group.Go(func() {
			row := fmt.Sprint("row", i)
			etags, err := db.Commit(context.Background(), "subscriptions", []table.Op{insert("p", row), insert("p", row+"b")}, webhook(row))
			require.NoError(t, err)
			require.Len(t, etags, 2)
			for k, key := range []string{row, row + "b"} {
				stored, err := w.tables.Table("subscriptions").Get(context.Background(), "p", key)
				require.NoError(t, err)
				require.Equal(t, stored.ETag, etags[k])
			}
		})
	}
	group.Wait()
	require.Less(t, int(count.Load()), acts/2)
	w.flush(t, db)
	require.Len(t, w.outbox.Messages(message.Webhooks), acts)
	require.Equal(t, 2*acts, w.left(t, "subscriptions"), "no outbox row is left")
	require.Zero(t, w.left(t, "agenda"))
}

// One act's failure is its own, and of two acts on one row one wins.
func TestActsThatGoTogetherStayIndependent(t *testing.T) {
	t.Parallel()
	const rows, rivals = 20, 5
	w := newWorld()
	db, _ := openSlow(w)
	var won, lost atomic.Int32
	var group sync.WaitGroup
	for i := range rows {
		for k := range rivals {
			group.Go(func() {
				_, err := db.Commit(context.Background(), "subscriptions", []table.Op{insert("p", fmt.Sprint("row", i))}, webhook(fmt.Sprintf("m%d-%d", i, k)))
				if err == nil {
					won.Add(1)
					return
				}
				require.True(t, fault.Is(err, fault.Conflict), "%v", err)
				lost.Add(1)
			})
		}
	}
	group.Wait()
	require.EqualValues(t, rows, won.Load())
	require.EqualValues(t, rows*(rivals-1), lost.Load())
	w.flush(t, db)
	require.Len(t, w.outbox.Messages(message.Webhooks), rows, "who lost sends nothing")
	require.Equal(t, rows, w.left(t, "subscriptions"))
}
