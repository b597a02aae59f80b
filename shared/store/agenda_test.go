package store_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
	"stoa/shared/store/table"
)

func TestReleaseAtTheBorders(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		due  time.Duration // after start, which is 23:59:30 of 31 January
		at   time.Duration
		want int
	}{
		"a nanosecond early":            {time.Minute, time.Minute - 1, 0},
		"just then":                     {time.Minute, time.Minute, 1},
		"over the hour, day and month":  {time.Second, time.Hour, 1},
		"same hour, not yet":            {20 * time.Second, 10 * time.Second, 0},
		"next hour, not yet":            {10 * time.Minute, 5 * time.Minute, 0},
		"the clock jumps 31 days":       {30 * 24 * time.Hour, 31 * 24 * time.Hour, 1},
		"the clock jumps over the year": {time.Hour, 400 * 24 * time.Hour, 1},
	} {
		w := newWorld()
		require.NoError(t, w.db.Send(t.Context(), webhook("m1").At(start.Add(c.due))))
		n, err := w.db.Release(t.Context(), start.Add(c.at), 10)
		require.NoError(t, err)
		require.Equal(t, c.want, n, name)
		require.Len(t, w.outbox.Messages(message.Webhooks), c.want, name)
		require.Equal(t, 1-c.want, w.left(t, "agenda"), name)
	}
}

func TestScheduleTwiceIsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld()
	due := start.Add(time.Hour)
	long := strings.Repeat("/ü", 300)
	require.NoError(t, w.db.Send(t.Context(), webhook("a").At(due), webhook("a").At(due)))
	require.NoError(t, w.db.Send(t.Context(), webhook("a").At(due), webhook("b").At(due), webhook("c").At(due), webhook(long).At(due)))
	require.Equal(t, 4, w.left(t, "agenda"))
	n, err := w.db.Release(t.Context(), due, 10)
	require.NoError(t, err)
	require.Equal(t, 4, n)
	require.ElementsMatch(t, []string{"a", "b", "c", long}, ids(w.outbox.Messages(message.Webhooks)))
}

func TestReleaseManyWithALimit(t *testing.T) {
	t.Parallel()
	w := newWorld()
	var msgs []message.Message
	for i := range 1300 {
		msgs = append(msgs, webhook(fmt.Sprint("m", i)).At(start.Add(time.Duration(i+1)*time.Second)))
	}
	require.NoError(t, w.db.Send(t.Context(), msgs...))
	n, err := w.db.Release(t.Context(), start.Add(time.Hour), 100)
	require.NoError(t, err)
	require.Equal(t, 100, n)
	n, err = w.db.Release(t.Context(), start.Add(time.Hour), 5000)
	require.NoError(t, err)
	require.Equal(t, 1200, n)
	require.Len(t, w.outbox.Messages(message.Webhooks), 1300)
	n, err = w.db.Release(t.Context(), start.Add(time.Hour), 0)
	require.NoError(t, err)
	require.Zero(t, n)
}

// jam is a bus one of whose queues takes nothing.
type jam struct {
	store.Sender
	queue string
	err   error
}

func (j jam) Send(ctx context.Context, queue string, msgs []message.Message) error {
	if queue == j.queue {
		return j.err
	}
	return j.Sender.Send(ctx, queue, msgs)
}

func TestAJammedQueueHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld()
	full := fault.New(fault.Unavailable, "BusUnavailable", "", "Try again.")
	db := store.New(store.Deps{Tables: w.tables.Table, Sender: jam{w.outbox, message.Leads, full}, Now: w.now, NewID: storetest.Counter("x")})
	for i := range 20 {
		due := start.Add(time.Duration(i+1) * time.Second)
		require.NoError(t, db.Send(t.Context(), message.New(fmt.Sprint("l", i), message.Leads, i).At(due), webhook(fmt.Sprint("w", i)).At(due)))
	}
	n, err := db.Release(t.Context(), start.Add(time.Hour), 20)
	require.ErrorIs(t, err, full)
	require.Equal(t, 20, n, "also behind a page of jammed ones")
	require.Equal(t, 20, w.left(t, "agenda"))
}

func TestWhatCanNeverBeSentIsParked(t *testing.T) {
	t.Parallel()
	w := newWorld()
	large := fault.New(fault.TooLarge, "MessageTooLarge", "", "The message is too large.")
	db := store.New(store.Deps{Tables: w.tables.Table, Sender: jam{w.outbox, message.Leads, large}, Now: w.now, NewID: storetest.Counter("x")})
	_, err := db.Commit(t.Context(), "leads", []table.Op{insert("lead1", "a")}, message.New("l1", message.Leads, 1), webhook("w1"))
	require.NoError(t, err)
	w.flush(t, db)
	require.Equal(t, []string{"w1"}, ids(w.outbox.Messages(message.Webhooks)))
	require.Zero(t, w.left(t, "agenda"))
	letters, next, err := db.DeadLetters().List(t.Context(), store.DeadLetterPage{})
	require.NoError(t, err)
	require.Empty(t, next)
	require.Len(t, letters, 1)
	require.Equal(t, "l1", letters[0].MessageID)
	require.Contains(t, letters[0].Reason, "MessageTooLarge")
	require.True(t, fault.Is(db.Send(t.Context(), message.New("l2", message.Leads, 1)), fault.TooLarge), "a caller is told")
}
