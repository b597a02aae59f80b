package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
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
	"stoa/shared/store/table/tabletest"
)

var start = time.Date(2026, 1, 31, 23, 59, 30, 0, time.UTC)

// world is tables in memory, a recording bus and a clock that stands still until it is moved.
type world struct {
	tables tabletest.Account
	outbox *storetest.Outbox
	crash  *storetest.Crash
	clock  atomic.Int64
	db     *store.DB
}

func newWorld() *world {
	w := &world{}
	w.clock.Store(start.UnixNano())
	w.outbox = storetest.NewOutbox(w.now)
	w.crash = storetest.NewCrash(w.tables.Table, w.outbox)
	w.db = w.open("first")
	return w
}

// open starts a process over the world's tables, whose operations may come to harm.
func (w *world) open(ids string) *store.DB {
	return store.New(store.Deps{Tables: w.crash.Table, Sender: w.crash, Now: w.now, NewID: storetest.Counter(ids)})
}

func (w *world) now() time.Time          { return time.Unix(0, w.clock.Load()).UTC() }
func (w *world) advance(d time.Duration) { w.clock.Add(int64(d)) }

func (w *world) flush(t *testing.T, db *store.DB) {
	t.Helper()
	require.NoError(t, db.Flush(t.Context()))
}

// left counts the rows of a table.
func (w *world) left(t *testing.T, name string) int {
	t.Helper()
	page, err := w.tables.Table(name).Query(t.Context(), table.Query{Partition: " ", PartitionEnd: "~"})
	require.NoError(t, err)
	return len(page.Rows)
}

func insert(partition, key string) table.Op {
	return table.Op{Action: table.Insert, Row: table.Row{Partition: partition, Key: key, Data: []byte(`{"n":1}`)}}
}

func webhook(id string) message.Message {
	return message.New(id, message.Webhooks, map[string]string{"subscriptionId": id})
}

func ids(msgs []message.Message) []string {
	found := make([]string, len(msgs))
	for i, m := range msgs {
		found[i] = m.ID
	}
	return found
}

func TestCommitSendsAfterwards(t *testing.T) {
	t.Parallel()
	w := newWorld()
	ctx := message.WithCause(t.Context(), message.Cause{RequestID: "req-1", CorrelationID: "corr-1"})
	etags, err := w.db.Commit(ctx, "subscriptions", []table.Op{insert("sub1", "a"), insert("sub1", "b")},
		webhook("m1"), webhook("m2").Caused(message.Cause{RequestID: "req-0", CorrelationID: "corr-0"}), webhook("").At(start))
	require.NoError(t, err)
	require.Len(t, etags, 2, "the caller's operations only")
	row, err := w.db.Table("subscriptions").Get(ctx, "sub1", "b")
	require.NoError(t, err)
	require.Equal(t, row.ETag, etags[1])
	w.flush(t, w.db)
	sent := w.outbox.Messages(message.Webhooks)
	require.Len(t, sent, 3)
	require.JSONEq(t, `{"subscriptionId":"m1"}`, string(sent[0].Body))
	require.Equal(t, message.CauseOf(ctx), sent[0].Cause(), "FUL-8 both ids of the request")
	require.Equal(t, message.Cause{RequestID: "req-0", CorrelationID: "corr-0"}, sent[1].Cause(), "a cause of its own")
	require.NotEmpty(t, sent[2].ID)
	require.Equal(t, 2, w.left(t, "subscriptions"), "the outbox is empty")
	require.Zero(t, w.left(t, "agenda"), "no marker is left")
}

func TestCommitWithoutMessagesIsOneOperation(t *testing.T) {
	t.Parallel()
	w := newWorld()
	_, err := w.db.Commit(t.Context(), "subscriptions", []table.Op{insert("sub1", "a")})
	require.NoError(t, err)
	require.Equal(t, 1, w.crash.Operations())
}

func TestCommitRefusesBeforeItWrites(t *testing.T) {
	t.Parallel()
	bad := webhook("m1")
	bad.Body = json.RawMessage("{")
	for name, c := range map[string]struct {
		ops  []table.Op
		msgs []message.Message
	}{
		"no operation":           {nil, []message.Message{webhook("m1")}},
		"two partitions":         {[]table.Op{insert("a", "a"), insert("b", "b")}, []message.Message{webhook("m1")}},
		"no room for the outbox": {make([]table.Op, table.MaxOps), []message.Message{webhook("m1")}},
		"no queue":               {[]table.Op{insert("a", "a")}, []message.Message{message.New("m1", "", 1)}},
		"a body of no JSON":      {[]table.Op{insert("a", "a")}, []message.Message{bad}},
		"too many bytes of messages": {[]table.Op{insert("a", "a")},
			[]message.Message{message.New("m1", message.Leads, strings.Repeat("x", table.MaxData))}},
	} {
		w := newWorld()
		for i := range c.ops {
			if c.ops[i].Row.Key == "" {
				c.ops[i] = insert("p", fmt.Sprint(i))
			}
		}
		_, err := w.db.Commit(t.Context(), "subscriptions", c.ops, c.msgs...)
		require.Error(t, err, name)
		require.Zero(t, w.crash.Operations(), name)
	}
}

func TestRefusedActSendsNothing(t *testing.T) {
	t.Parallel()
	stale := insert("sub1", "a")
	stale.Action, stale.Row.ETag = table.Replace, "old"
	gone := stale
	gone.Row.Key = "gone"
	for name, c := range map[string]struct {
		op   table.Op
		kind fault.Kind
	}{
		"exists":  {insert("sub1", "a"), fault.Conflict},
		"changed": {stale, fault.StaleETag},
		"missing": {gone, fault.NotFound},
	} {
		w := newWorld()
		_, err := w.db.Commit(t.Context(), "subscriptions", []table.Op{insert("sub1", "a")})
		require.NoError(t, err)
		_, err = w.db.Commit(t.Context(), "subscriptions", []table.Op{c.op}, webhook("m1"))
		require.Truef(t, fault.Is(err, c.kind), "%s: %v", name, err)
		w.flush(t, w.db)
		require.Empty(t, w.outbox.Messages(message.Webhooks), name)
		require.Zero(t, w.left(t, "agenda"), "%s: the marker is dropped at once", name)
	}
}

// liar applies a transaction and says that the ETag was stale: an earlier try had lost its answer.
type liar struct{ table.Table }

func (l liar) Apply(ctx context.Context, ops ...table.Op) ([]string, error) {
	etags, err := l.Table.Apply(ctx, ops...)
	if len(ops) > 1 && err == nil {
		return nil, fault.New(fault.StaleETag, "PreconditionFailed", "If-Match", "It was changed in between.")
	}
	return etags, err
}

func TestActAnsweredAsStaleButAppliedIsDelivered(t *testing.T) {
	t.Parallel()
	w := newWorld()
	db := store.New(store.Deps{Now: w.now, NewID: storetest.Counter("id"), Sender: w.outbox, Tables: func(name string) table.Table {
		if name == "subscriptions" {
			return liar{w.tables.Table(name)}
		}
		return w.tables.Table(name)
	}})
	_, err := db.Commit(t.Context(), "subscriptions", []table.Op{insert("sub1", "a")}, webhook("m1"))
	require.True(t, fault.Is(err, fault.StaleETag))
	w.flush(t, db)
	require.Equal(t, []string{"m1"}, ids(w.outbox.Messages(message.Webhooks)))
}

func TestCallerWhoHangsUp(t *testing.T) {
	t.Parallel()
	w := newWorld()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := w.db.Commit(ctx, "subscriptions", []table.Op{insert("sub1", "a")}, webhook("m1"))
	require.ErrorIs(t, err, context.Canceled)

	ctx, cancel = context.WithCancel(t.Context())
	db := store.New(store.Deps{Now: w.now, NewID: storetest.Counter("other"), Sender: w.outbox, Tables: func(name string) table.Table {
		if name == "subscriptions" {
			cancel() // once the marker stands
		}
		return w.tables.Table(name)
	}})
	_, err = db.Commit(ctx, "subscriptions", []table.Op{insert("sub1", "a")}, webhook("m2"))
	require.NoError(t, err, "the act goes on")
	w.flush(t, db)
	require.Equal(t, []string{"m2"}, ids(w.outbox.Messages(message.Webhooks)))
}

func TestOldMarkerIsTakenAnew(t *testing.T) {
	t.Parallel()
	w := newWorld()
	var marks int
	agenda := hook{w.tables.Table("agenda"), func() {
		if marks++; marks == 1 {
			w.advance(21 * time.Second)
		}
	}}
	db := store.New(store.Deps{Now: w.now, NewID: storetest.Counter("id"), Sender: w.outbox, Tables: func(name string) table.Table {
		if name == "agenda" {
			return agenda
		}
		return w.tables.Table(name)
	}})
	_, err := db.Commit(t.Context(), "subscriptions", []table.Op{insert("sub1", "a")}, webhook("m1"))
	require.NoError(t, err)
	require.GreaterOrEqual(t, marks, 2)
	w.flush(t, db)
	require.Equal(t, []string{"m1"}, ids(w.outbox.Messages(message.Webhooks)))
	require.Zero(t, w.left(t, "agenda"))
}

// The clock jumps while an act is under way: a sweep takes its marker for an orphan, so the act gets a new one.
func TestMarkerIsRenewedWhenTheClockJumps(t *testing.T) {
	t.Parallel()
	w := newWorld()
	db := store.New(store.Deps{Now: w.now, NewID: storetest.Counter("id"), Sender: w.outbox, Tables: func(name string) table.Table {
		if name == "subscriptions" {
			return hook{w.tables.Table(name), func() { w.advance(31 * 24 * time.Hour) }}
		}
		return w.tables.Table(name)
	}})
	w.outbox.Fail(storetest.ErrDead)
	_, err := db.Commit(t.Context(), "subscriptions", []table.Op{insert("sub1", "a")}, webhook("m1"))
	require.NoError(t, err)
	w.flush(t, db)
	require.Equal(t, 1, w.left(t, "agenda"))
	page, err := w.tables.Table("agenda").Query(t.Context(), table.Query{Partition: "outbox|", PartitionEnd: "outbox|~"})
	require.NoError(t, err)
	require.Contains(t, page.Rows[0].Key, fmt.Sprint(w.now().UnixNano()))
}

// hook calls a function after each insert.
type hook struct {
	table.Table
	then func()
}

func (h hook) Apply(ctx context.Context, ops ...table.Op) ([]string, error) {
	etags, err := h.Table.Apply(ctx, ops...)
	if ops[0].Action == table.Insert {
		h.then()
	}
	return etags, err
}

// Markers of concurrent acts share transactions: 200 acts at the same time cost far fewer than 200 of them.
func TestGroupCommit(t *testing.T) {
	t.Parallel()
	w := newWorld()
	slow := make(chan struct{})
	var transactions atomic.Int32
	agenda := hook{w.tables.Table("agenda"), func() {
		if transactions.Add(1) == 1 {
			<-slow // the others gather behind the first
		}
	}}
	db := store.New(store.Deps{Now: w.now, NewID: storetest.Counter("id"), Sender: w.outbox, Tables: func(name string) table.Table {
		if name == "agenda" {
			return agenda
		}
		return w.tables.Table(name)
	}})
	var group sync.WaitGroup
	var arrived sync.WaitGroup
	arrived.Add(200)
	for i := range 200 {
		group.Go(func() {
			arrived.Done()
			_, err := db.Commit(context.Background(), "subscriptions", []table.Op{insert(fmt.Sprint("sub", i), "a")}, webhook(fmt.Sprint("m", i)))
			require.NoError(t, err)
		})
	}
	arrived.Wait()
	require.Eventually(t, func() bool { return transactions.Load() == 1 }, 10*time.Second, time.Millisecond)
	time.AfterFunc(50*time.Millisecond, func() { close(slow) })
	group.Wait()
	require.Less(t, transactions.Load(), int32(20))
	require.NoError(t, db.Close(t.Context()))
	require.Len(t, w.outbox.Messages(message.Webhooks), 200)
	require.Zero(t, w.left(t, "agenda"))
	require.Equal(t, 200, w.left(t, "subscriptions"))
	_, err := db.Commit(t.Context(), "subscriptions", []table.Op{insert("late", "a")}, webhook("late"))
	require.True(t, fault.Is(err, fault.Unavailable))
}

func TestSend(t *testing.T) {
	t.Parallel()
	w := newWorld()
	ctx := message.WithCause(t.Context(), message.Cause{RequestID: "req-1", CorrelationID: "corr-1"})
	require.NoError(t, w.db.Send(ctx, webhook("m1"), webhook("m2").At(start.Add(time.Hour))))
	sent := w.outbox.Messages(message.Webhooks)
	require.Equal(t, []string{"m1"}, ids(sent))
	require.Equal(t, message.CauseOf(ctx), sent[0].Cause(), "FUL-8")
	require.Equal(t, 1, w.left(t, "agenda"))
	down := errors.New("bus is down")
	w.outbox.Fail(down)
	require.ErrorIs(t, w.db.Send(ctx, webhook("m3")), down)
}
