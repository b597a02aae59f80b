package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/store/table"
)

const (
	duePrefix  = "due|"
	dueShards  = 2
	dueHour    = "2006010215"
	dueInstant = "2006-01-02T15:04:05.000000000Z" // fixed width: keys sort like times
	duePage    = 500
)

// dueRow is the row of a message that waits. Its key comes from the message alone, so that a second insert of
// the same message meets the first.
func dueRow(m message.Message) table.Row {
	due := m.Due.UTC()
	key := due.Format(dueInstant) + "|" + table.Join(m.ID)
	if len(key) > table.MaxKey {
		sum := sha256.Sum256([]byte(m.ID))
		key = due.Format(dueInstant) + "|" + hex.EncodeToString(sum[:])
	}
	return table.Row{
		Partition: duePrefix + due.Format(dueHour) + "|" + strconv.Itoa(shardOf(m.ID, dueShards)),
		Key:       key,
		Data:      encode(m),
	}
}

// schedule writes messages into the agenda. One that stands there already is fine.
func (db *DB) schedule(ctx context.Context, msgs []message.Message) error {
	groups := map[string][]table.Op{}
	seen := map[string]bool{}
	for _, m := range msgs {
		row := dueRow(m)
		if at := row.Partition + "/" + row.Key; !seen[at] {
			seen[at] = true
			groups[row.Partition] = append(groups[row.Partition], table.Op{Action: table.Insert, Row: row})
		}
	}
	var chunks []chunk
	for _, ops := range groups {
		for len(ops) > 0 {
			n := fitting(ops)
			chunks = append(chunks, chunk{db.Table(agendaTable), ops[:n]})
			ops = ops[n:]
		}
	}
	if err := parallel(chunks, func(c chunk) error { return c.apply(ctx, fault.Conflict) }); err != nil {
		return fmt.Errorf("schedule: %w", err)
	}
	return nil
}

// maxChunk bounds the bytes of one transaction; the platform allows 4 MiB, encoded.
const maxChunk = 1 << 20

// fitting is how many of the operations go into one transaction, at least one.
func fitting(ops []table.Op) int {
	size := 0
	for i, op := range ops {
		size += len(op.Row.Data)
		if i == table.MaxOps || i > 0 && size > maxChunk {
			return i
		}
	}
	return len(ops)
}

// Release sends the messages that are due at now, at most about limit of them, and returns how many went. It
// removes them after the send, so that a message may go twice with the same id but is never lost. A queue that
// does not take messages does not hold up the others; its messages stay and the error says so. However far the
// clock has jumped, everything due is found.
func (db *DB) Release(ctx context.Context, now time.Time, limit int) (n int, err error) {
	now = now.UTC()
	query := table.Query{
		Partition: duePrefix, PartitionEnd: table.PrefixEnd(duePrefix + now.Format(dueHour)),
		Until: table.PrefixEnd(now.Format(dueInstant)),
		Limit: min(limit, duePage),
	}
	away := map[string]error{} // queues that failed, not tried again in this run
	for n < limit && ctx.Err() == nil {
		page, err := db.Table(agendaTable).Query(ctx, query)
		if err != nil {
			return n, fmt.Errorf("release: %w", err)
		}
		sent, err := db.releaseRows(ctx, now, page.Rows, away)
		n += sent
		if err != nil {
			return n, fmt.Errorf("release: %w", err)
		}
		if page.Next == "" {
			break
		}
		query.After = page.Next
	}
	errs := []error{ctx.Err()}
	for _, err := range away {
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return n, fmt.Errorf("release: %w", err)
	}
	return n, nil
}

func (db *DB) releaseRows(ctx context.Context, now time.Time, rows []table.Row, away map[string]error) (int, error) {
	var due []message.Message
	var at []position
	for _, row := range rows {
		var m message.Message
		if err := decode(row, &m); err != nil {
			return 0, err
		}
		if away[m.Queue] == nil && !m.Due.After(now) {
			due = append(due, m)
			at = append(at, position{agendaTable, row.Partition, row.Key})
		}
	}
	for queue, err := range db.sendAll(ctx, due) {
		away[queue] = err
	}
	var gone []position
	for i, m := range due {
		if away[m.Queue] == nil {
			gone = append(gone, at[i])
		}
	}
	return len(gone), db.remove(ctx, gone)
}
