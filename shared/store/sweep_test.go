package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/message"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
	"stoa/shared/store/table"
)

// Both orders of a crash: the messages are not sent yet; they are sent, the outbox row is still there.
func TestSweepAfterCrash(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		harm storetest.Harm
		at   int // 1 the marker, 2 the act, 3 the send, 4 the outbox row, 5 the marker
		want bool
	}{
		"before the marker":                 {storetest.Die, 1, false},
		"between marker and act":            {storetest.Die, 2, false},
		"the act is done, its answer lost":  {storetest.DieLate, 2, true},
		"before the send":                   {storetest.Die, 3, true},
		"between send and delete":           {storetest.DieLate, 3, true},
		"between delete and marker":         {storetest.DieLate, 4, true},
		"all is done":                       {storetest.DieLate, 5, true},
		"the act's answer is lost":          {storetest.Lose, 2, true},
		"the bus refuses once":              {storetest.Refuse, 3, true},
		"the bus takes it and does not say": {storetest.Lose, 3, true},
	} {
		w := newWorld()
		w.crash.Arm(c.harm, c.at)
		_, _ = w.db.Commit(t.Context(), "subscriptions", []table.Op{insert("sub1", "a")}, webhook("m1"))
		w.flush(t, w.db)

		w.crash.Arm(storetest.None, 0)
		w.advance(31 * time.Second)
		_, err := w.open("second").Sweep(t.Context())
		require.NoError(t, err, name)
		sent := w.outbox.Messages(message.Webhooks)
		_, err = w.tables.Table("subscriptions").Get(t.Context(), "sub1", "a")
		require.Equal(t, c.want, err == nil, name)
		require.Equal(t, c.want, len(sent) == 1, "%s: %v", name, sent)

		w.advance(6 * time.Minute)
		_, err = w.open("third").Sweep(t.Context())
		require.NoError(t, err, name)
		require.Zero(t, w.left(t, "agenda"), "%s: markers end", name)
	}
}

func TestSweepLeavesYoungMarkersAlone(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.crash.Arm(storetest.Die, 3)
	_, err := w.db.Commit(t.Context(), "subscriptions", []table.Op{insert("sub1", "a")}, webhook("m1"))
	require.NoError(t, err)
	w.flush(t, w.db)
	w.crash.Arm(storetest.None, 0)
	for _, c := range []struct {
		advance time.Duration
		want    int
	}{{0, 0}, {30 * time.Second, 0}, {1, 1}, {time.Second, 0}} {
		w.advance(c.advance)
		n, err := w.open("second").Sweep(t.Context())
		require.NoError(t, err)
		require.Equal(t, c.want, n)
	}
}

// A slow writer commits after the sweep has seen its marker: the marker is kept for it.
func TestSweepKeepsTheMarkerOfASlowWriter(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.crash.Arm(storetest.Die, 2)
	_, err := w.db.Commit(t.Context(), "subscriptions", []table.Op{insert("sub1", "a")}, webhook("m1"))
	require.ErrorIs(t, err, storetest.ErrDead)
	w.crash.Arm(storetest.None, 0)
	sweeper := w.open("second")
	for _, c := range []struct {
		advance time.Duration
		left    int
	}{{31 * time.Second, 1}, {4*time.Minute + 29*time.Second, 1}, {1, 0}} {
		w.advance(c.advance)
		_, err := sweeper.Sweep(t.Context())
		require.NoError(t, err)
		require.Equal(t, c.left, w.left(t, "agenda"))
	}
}

func TestSweepGoesOnPastAFailure(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.outbox.Fail(storetest.ErrDead)
	for i := range 5 {
		_, err := w.db.Commit(t.Context(), "subscriptions", []table.Op{insert(fmt.Sprint("sub", i), "a")}, webhook(fmt.Sprint("m", i)))
		require.NoError(t, err)
	}
	w.flush(t, w.db)
	w.outbox.Fail(nil)
	w.advance(time.Minute)
	broken := table.Row{Partition: "outbox|3", Key: fmt.Sprintf("%020d|x", start.UnixNano()), Data: []byte(`[{"act":"x","table":"subscriptions","partition":"sub9"}]`)}
	unread := table.Row{Partition: "outbox|3", Key: fmt.Sprintf("%020d|y", start.UnixNano()), Data: []byte(`"no markers"`)}
	bad := table.Row{Partition: "sub9", Key: "outbox|x", Data: []byte(`"no messages"`)}
	_, err := w.tables.Table("agenda").Apply(t.Context(), table.Op{Action: table.Insert, Row: broken}, table.Op{Action: table.Insert, Row: unread})
	require.NoError(t, err)
	_, err = w.tables.Table("subscriptions").Apply(t.Context(), table.Op{Action: table.Insert, Row: bad})
	require.NoError(t, err)
	n, err := w.db.Sweep(t.Context())
	require.Error(t, err)
	require.Equal(t, 5, n)
	require.Len(t, w.outbox.Messages(message.Webhooks), 5)
	require.Equal(t, 7, w.left(t, "agenda"), "a slow writer may still commit under a young marker")
	w.advance(5 * time.Minute)
	_, err = w.db.Sweep(t.Context())
	require.Error(t, err)
	require.Equal(t, 2, w.left(t, "agenda"), "what cannot be read stays")
}

// scenario is a few acts and a send, one after the other, with messages for now and for later.
func scenario(t *testing.T, w *world, db *store.DB) {
	for i := range 3 {
		sub := fmt.Sprint("sub", i)
		_, _ = db.Commit(t.Context(), "subscriptions", []table.Op{insert(sub, "a")},
			webhook("now-"+sub), message.New("lead-"+sub, message.Leads, i), webhook("due-"+sub).At(start.Add(30*24*time.Hour)))
		w.flush(t, db)
	}
}

// Whatever operation comes to harm, afterwards each committed act has delivered its messages and no other has.
func TestCrashSweep(t *testing.T) {
	t.Parallel()
	calm := newWorld()
	scenario(t, calm, calm.db)
	n := calm.crash.Operations()
	require.Greater(t, n, 15)
	for _, harm := range []storetest.Harm{storetest.Die, storetest.DieLate, storetest.Refuse, storetest.Lose} {
		for k := 1; k <= n; k++ {
			name := fmt.Sprintf("harm %d at operation %d", harm, k)
			w := newWorld()
			w.crash.Arm(harm, k)
			scenario(t, w, w.db)
			w.crash.Arm(storetest.None, 0)
			recovered := w.open("second")
			w.advance(31 * time.Second)
			_, err := recovered.Sweep(t.Context())
			require.NoError(t, err, name)
			_, err = recovered.Release(t.Context(), w.now(), 100)
			require.NoError(t, err, name)
			requireNoneDue(t, w, name)
			w.advance(31 * 24 * time.Hour)
			_, err = recovered.Release(t.Context(), w.now(), 100)
			require.NoError(t, err, name)
			_, err = recovered.Sweep(t.Context())
			require.NoError(t, err, name)
			requireDelivered(t, w, name)
		}
	}
}

func requireNoneDue(t *testing.T, w *world, name string) {
	t.Helper()
	for _, m := range w.outbox.Messages(message.Webhooks) {
		require.NotContains(t, m.ID, "due-", name)
	}
}

func requireDelivered(t *testing.T, w *world, name string) {
	t.Helper()
	var hooks, leads []string
	for i := range 3 {
		sub := fmt.Sprint("sub", i)
		if _, err := w.tables.Table("subscriptions").Get(t.Context(), sub, "a"); err == nil {
			hooks = append(hooks, "now-"+sub, "due-"+sub)
			leads = append(leads, "lead-"+sub)
		}
	}
	require.ElementsMatch(t, hooks, unique(ids(w.outbox.Messages(message.Webhooks))), name)
	require.ElementsMatch(t, leads, unique(ids(w.outbox.Messages(message.Leads))), name)
	require.Zero(t, w.left(t, "agenda"), name)
}

func unique(all []string) []string {
	seen := map[string]bool{}
	var once []string
	for _, id := range all {
		if !seen[id] {
			seen[id] = true
			once = append(once, id)
		}
	}
	return once
}

// thief removes what it finds of one act while the messages are being sent, like another sweep.
type thief struct {
	store.Sender
	w *world
}

func (f thief) Send(ctx context.Context, queue string, msgs []message.Message) error {
	for name, q := range map[string]table.Query{
		"subscriptions": {Partition: "sub0", From: "outbox|"},
		"agenda":        {Partition: "outbox|", PartitionEnd: "outbox|~", Limit: 1},
	} {
		page, err := f.w.tables.Table(name).Query(ctx, q)
		if err != nil {
			return err
		}
		for _, row := range page.Rows {
			if _, err := f.w.tables.Table(name).Apply(ctx, table.Op{Action: table.Remove, Row: row}); err != nil {
				return err
			}
		}
	}
	return f.Sender.Send(ctx, queue, msgs)
}

func TestTwoSweepsAtTheSameTime(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.outbox.Fail(storetest.ErrDead)
	for i := range 3 {
		_, err := w.db.Commit(t.Context(), "subscriptions", []table.Op{insert(fmt.Sprint("sub", i), "a")}, webhook(fmt.Sprint("m", i)))
		require.NoError(t, err)
	}
	w.flush(t, w.db)
	w.outbox.Fail(nil)
	w.advance(31 * time.Second)
	db := store.New(store.Deps{Tables: w.tables.Table, Sender: thief{w.outbox, w}, Now: w.now, NewID: storetest.Counter("second")})
	n, err := db.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 3, n)
	w.advance(5 * time.Minute)
	_, err = w.open("third").Sweep(t.Context())
	require.NoError(t, err)
	require.Zero(t, w.left(t, "agenda"))
	require.Equal(t, 3, w.left(t, "subscriptions"))
	require.Len(t, w.outbox.Messages(message.Webhooks), 3)
}
