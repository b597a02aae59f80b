package store

import (
	"context"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"stoa/shared/fault"
	"stoa/shared/store/table"
)

// agendaTable holds the markers of acts under way and the messages that are due later.
const agendaTable = "agenda"

const (
	markerPrefix = "outbox|"
	markerShards = 8
	markersOfRow = 100         // of a row, about 150 bytes each
	journalTime  = time.Minute // bounds one write of markers
)

// position is where a row is.
type position struct{ table, partition, key string }

// marker is the trace an act leaves before it begins, so that a sweep looks after it should its process die. The
// markers of concurrent acts stand in one row, which goes when the last of them is done.
type marker struct{ *sheet }

// take adds a use of the marker, unless it has ended.
func (m marker) take() bool {
	for {
		n := m.open.Load()
		if n == 0 {
			return false
		}
		if m.open.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// sheet is a row of markers.
type sheet struct {
	position
	at   time.Time
	open atomic.Int32 // uses of its markers that are not done
}

// markerData is the document of a marker of acts: where their outbox rows are, if there are any.
type markerData struct {
	Table     string `json:"table"`
	Partition string `json:"partition"`
}

// journal writes the markers of concurrent acts together: one row at a time, and while it is under way the next
// one's markers gather. T is the document of one marker.
type journal[T any] struct {
	db     *DB
	prefix string
	offset int
	writes *batcher[pending[T]]
}

type pending[T any] struct {
	data T
	at   time.Time
	done chan marked
}

type marked struct {
	marker marker
	err    error
}

// newJournal makes a journal whose rows hold most markers and lie in the partitions of the prefix.
func newJournal[T any](db *DB, prefix string, most int) *journal[T] {
	j := &journal[T]{db: db, prefix: prefix, offset: shardOf(db.deps.NewID(), markerShards)}
	j.writes = newBatcher(most, 1, j.write)
	return j
}

// mark returns when a marker is durable that is young enough: the sweep takes an old one whose act has left
// nothing for the trace of a dead writer.
func (j *journal[T]) mark(ctx context.Context, data T) (marker, error) {
	for range markerTries {
		m, err := j.put(ctx, data)
		if err != nil {
			return marker{}, err
		}
		if j.young(m) {
			return m, nil
		}
		j.db.done(m)
	}
	return marker{}, fault.New(fault.Unavailable, "StorageBusy", "", "The store is busy. Try again.")
}

func (j *journal[T]) young(m marker) bool { return j.db.deps.Now().Sub(m.at) <= markerLife }

// put returns when the marker is durable. When the context ends before, it may still be written; the sweep removes
// it.
func (j *journal[T]) put(ctx context.Context, data T) (marker, error) {
	p := pending[T]{data: data, at: j.db.deps.Now(), done: make(chan marked, 1)}
	j.writes.add(p)
	select {
	case r := <-p.done:
		return r.marker, r.err
	case <-ctx.Done():
		return marker{}, ctx.Err()
	}
}

// renew replaces a marker that has grown so old under its act, as when the clock is moved, that a sweep may have
// removed it. Without a new one the dispatcher is the only one who knows of the messages.
func (j *journal[T]) renew(ctx context.Context, data T, old marker) marker {
	if j.db.deps.Now().Sub(old.at) <= orphanAge {
		return old
	}
	j.db.done(old)
	m, err := j.put(ctx, data)
	if err != nil {
		j.db.deps.Log.Warn("an act has lost its marker", "act", data, "error", err)
		return old
	}
	return m
}

// write puts the markers of one batch into one row of one shard. Processes begin at different shards and move on
// every second, so that no partition gets all of them.
func (j *journal[T]) write(batch []pending[T]) {
	ctx, cancel := context.WithTimeout(context.Background(), journalTime)
	defer cancel()
	at := batch[0].at // the oldest
	shard := (j.offset + int(at.Unix()%markerShards)) % markerShards
	data := make([]T, len(batch))
	for i, p := range batch {
		data[i] = p.data
	}
	s := &sheet{at: at, position: position{
		agendaTable, j.prefix + strconv.Itoa(shard), markerKey(at) + "|" + table.Join(j.db.deps.NewID()),
	}}
	s.open.Store(int32(len(batch)))
	_, err := j.db.Table(agendaTable).Apply(ctx, table.Op{Action: table.Insert, Row: table.Row{
		Partition: s.partition, Key: s.key, Data: encode(data),
	}})
	for _, p := range batch {
		p.done <- marked{marker{s}, err}
	}
}

// done says that nothing is left to do for one use of a marker.
func (db *DB) done(m marker) {
	if m.open.Add(-1) == 0 {
		db.clean.add(m.position)
	}
}

func markerKey(at time.Time) string { return fmt.Sprintf("%020d", at.UnixNano()) }

// writtenAt reads the time off the key of a row of markers.
func writtenAt(key string) (time.Time, error) {
	digits, _, found := strings.Cut(key, "|")
	nanos, err := strconv.ParseInt(digits, 10, 64)
	if !found || err != nil {
		return time.Time{}, fmt.Errorf("marker %q is not ours", key)
	}
	return time.Unix(0, nanos).UTC(), nil
}

func shardOf(id string, shards int) int {
	h := fnv.New32a()
	h.Write([]byte(id))
	return int(h.Sum32() % uint32(shards))
}

// removeMarkers removes the markers of acts that are done. A failure leaves them to the sweep.
func (db *DB) removeMarkers(batch []position) {
	ctx, cancel := context.WithTimeout(context.Background(), journalTime)
	defer cancel()
	if err := db.remove(ctx, batch); err != nil {
		db.deps.Log.Warn("markers stay for the sweep", "error", err)
	}
}
