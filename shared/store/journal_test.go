package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/message"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
	"stoa/shared/store/table"
)

// held is a table whose writes wait until they are let through.
type held struct {
	table.Table
	through chan struct{}
}

func (h held) Apply(ctx context.Context, ops ...table.Op) ([]string, error) {
	<-h.through
	return h.Table.Apply(ctx, ops...)
}

// Acts that begin together share a row of markers. It stays until the last of them is done, and a sweep delivers
// for those that were left.
func TestActsShareARowOfMarkers(t *testing.T) {
	t.Parallel()
	const acts = 20
	w := newWorld()
	through := make(chan struct{})
	var begun atomic.Int32
	db := store.New(store.Deps{
		Tables: func(name string) table.Table {
			if name == "agenda" {
				return held{w.tables.Table(name), through}
			}
			return w.tables.Table(name)
		},
		Sender: w.outbox, NewID: storetest.Counter("first"),
		Now: func() time.Time {
			if begun.Add(1) == acts { // each act asks once before its marker is written
				close(through)
			}
			return w.now()
		},
	})
	w.outbox.Fail(errors.New("the bus is away"))
	var group sync.WaitGroup
	for i := range acts {
		group.Go(func() {
			_, err := db.Commit(context.Background(), "subscriptions", []table.Op{insert(fmt.Sprint("sub", i), "a")}, webhook(fmt.Sprint("m", i)))
			require.NoError(t, err)
		})
	}
	group.Wait()
	w.flush(t, db)
	rows := w.left(t, "agenda")
	require.Positive(t, rows)
	require.Less(t, rows, acts/2)

	w.outbox.Fail(nil)
	_, err := db.Commit(t.Context(), "subscriptions", []table.Op{insert("later", "a")}, webhook("later"))
	require.NoError(t, err)
	w.flush(t, db)
	require.Equal(t, rows, w.left(t, "agenda"), "only the row whose acts are all done is gone")

	w.advance(31 * time.Second)
	n, err := w.open("second").Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, acts, n)
	require.Len(t, w.outbox.Messages(message.Webhooks), acts+1)
	require.Zero(t, w.left(t, "agenda"))
}
