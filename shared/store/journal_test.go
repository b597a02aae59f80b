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
	w.advance(5 * time.Minute)
	_, err = w.open("third").Sweep(t.Context())
	require.NoError(t, err)
	require.Zero(t, w.left(t, "agenda"))
}

// Acts that come to a partition one after the other share its marker; when the process dies the sweep finds what any
// of them has left.
func TestActsOfOnePartitionShareItsMarker(t *testing.T) {
	t.Parallel()
	w := newWorld()
	commit := func(i int) error {
		_, err := w.db.Commit(t.Context(), "subscriptions", []table.Op{insert("p", fmt.Sprint("row", i))}, webhook(fmt.Sprint("m", i)))
		return err
	}
	for i := range 10 {
		require.NoError(t, commit(i))
	}
	require.Equal(t, 1, w.left(t, "agenda"))
	w.flush(t, w.db)
	require.Zero(t, w.left(t, "agenda"))
	require.Len(t, w.outbox.Take(message.Webhooks), 10)

	// The second of two acts dies with its process, after its commit and before its messages went.
	w.outbox.Fail(errors.New("the bus is away"))
	require.NoError(t, commit(10))
	require.NoError(t, commit(11))
	w.flush(t, w.db)
	require.Equal(t, 1, w.left(t, "agenda"))
	w.outbox.Fail(nil)
	w.advance(31 * time.Second)
	n, err := w.open("second").Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, n)
	require.ElementsMatch(t, []string{"m10", "m11"}, ids(w.outbox.Take(message.Webhooks)))

	// A marker that the clock has left behind is not shared: a sweep may have taken it for an orphan.
	require.NoError(t, commit(12))
	rows := w.left(t, "agenda")
	w.advance(21 * time.Second)
	require.NoError(t, commit(13))
	require.Equal(t, rows+1, w.left(t, "agenda"))
}
