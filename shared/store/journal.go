package store

import (
	"context"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"stoa/shared/store/table"
)

// agendaTable holds the markers of acts under way and the messages that are due later.
const agendaTable = "agenda"

const (
	markerPrefix = "outbox|"
	markerShards = 8
	journalTime  = time.Minute // bounds one write of markers
)

// position is where a row is.
type position struct{ table, partition, key string }

// marker says that an act may be under way in a partition.
type marker struct {
	position
	at time.Time
}

// markerData is the document of a marker: the partition that may hold an outbox row.
type markerData struct {
	Table     string `json:"table"`
	Partition string `json:"partition"`
}

// journal writes the markers of concurrent acts together: one transaction at a time, and while it is under way
// the next one's markers gather.
type journal struct {
	db     *DB
	offset int
	writes *batcher[entry]
}

type entry struct {
	act  act
	at   time.Time
	done chan result
}

type result struct {
	marker marker
	err    error
}

func newJournal(db *DB) *journal {
	j := &journal{db: db, offset: shardOf(db.deps.NewID(), markerShards)}
	j.writes = newBatcher(table.MaxOps, 1, j.write)
	return j
}

// mark returns when the act's marker is durable. When the context ends before, the marker may still be written;
// the sweep removes it.
func (j *journal) mark(ctx context.Context, a act) (marker, error) {
	e := entry{act: a, at: j.db.deps.Now(), done: make(chan result, 1)}
	j.writes.add(e)
	select {
	case r := <-e.done:
		return r.marker, r.err
	case <-ctx.Done():
		return marker{}, ctx.Err()
	}
}

// write puts the markers of one batch into one shard. Processes begin at different shards and move on every
// second, so that no partition gets all markers.
func (j *journal) write(batch []entry) {
	ctx, cancel := context.WithTimeout(context.Background(), journalTime)
	defer cancel()
	shard := (j.offset + int(batch[0].at.Unix()%markerShards)) % markerShards
	partition := markerPrefix + strconv.Itoa(shard)
	ops := make([]table.Op, len(batch))
	for i, e := range batch {
		ops[i] = table.Op{Action: table.Insert, Row: table.Row{
			Partition: partition,
			Key:       markerKey(e.at) + "|" + table.Join(e.act.id),
			Data:      encode(markerData{Table: e.act.table, Partition: e.act.partition}),
		}}
	}
	_, err := j.db.Table(agendaTable).Apply(ctx, ops...)
	for i, e := range batch {
		e.done <- result{marker{position{agendaTable, partition, ops[i].Row.Key}, e.at}, err}
	}
}

func markerKey(at time.Time) string { return fmt.Sprintf("%020d", at.UnixNano()) }

// markerParts reads the time and the act's id, as it stands in keys, off a marker's key.
func markerParts(key string) (at time.Time, id string, err error) {
	digits, id, found := strings.Cut(key, "|")
	nanos, err := strconv.ParseInt(digits, 10, 64)
	if !found || err != nil {
		return time.Time{}, "", fmt.Errorf("marker %q is not ours", key)
	}
	return time.Unix(0, nanos).UTC(), id, nil
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
