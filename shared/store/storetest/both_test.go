package storetest_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/infra/local/azurite/azuritetest"
	"stoa/shared/blobs"
	"stoa/shared/blobs/blobstest"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
	"stoa/shared/store/table"
	"stoa/shared/store/table/tabletest"
)

// backing is a store with everything a repository needs: the in-memory twin, or Azurite.
type backing struct {
	*store.DB
	tables func(string) table.Table
	blobs  store.Blobs
	outbox *storetest.Outbox
	clock  *atomic.Int64
}

func (b *backing) now() time.Time { return time.Unix(0, b.clock.Load()).UTC() }

func (b *backing) advance(d time.Duration) { b.clock.Add(int64(d)) }

// open is a further process over the same tables.
func (b *backing) open(prefix string) *store.DB {
	return store.New(store.Deps{Tables: b.tables, Sender: b.outbox, Now: b.now, NewID: storetest.Counter(prefix)})
}

func newBacking(tables func(string) table.Table, files store.Blobs) *backing {
	b := &backing{tables: tables, blobs: files, clock: &atomic.Int64{}}
	b.clock.Store(time.Date(2026, 1, 31, 10, 0, 0, 7, time.UTC).UnixNano())
	b.outbox = storetest.NewOutbox(b.now)
	b.DB = b.open("id")
	return b
}

var prefixes atomic.Int32

// both runs the behaviour of a repository over the twin and over Azurite. On Azurite each has tables of its own.
func both(t *testing.T, behaviour map[string]func(t *testing.T, b *backing)) {
	t.Helper()
	for name, test := range behaviour {
		t.Run("twin/"+name, func(t *testing.T) {
			t.Parallel()
			test(t, newBacking(new(tabletest.Account).Table, new(blobstest.Account)))
		})
		t.Run("azurite/"+name, func(t *testing.T) {
			t.Parallel()
			test(t, realBacking(t))
		})
	}
}

func realBacking(t *testing.T) *backing {
	t.Helper()
	connection := azuritetest.Storage(t).ConnectionString()
	account, err := table.Open(table.Options{ConnectionString: connection})
	require.NoError(t, err)
	prefix := fmt.Sprint("both", prefixes.Add(1))
	for _, name := range []string{"offers", "subscriptions", "landingtokens", "usage", "agenda"} {
		require.NoError(t, account.Create(context.Background(), prefix+name))
	}
	files, err := blobs.Open(blobs.Options{ConnectionString: connection})
	require.NoError(t, err)
	for _, c := range []string{"submissions", "reports"} {
		require.NoError(t, files.Create(context.Background(), c))
	}
	return newBacking(func(name string) table.Table { return account.Table(prefix + name) }, files)
}
