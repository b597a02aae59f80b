package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"stoa/shared/fault"
	"stoa/shared/message"
)

const deliverTime = 2 * time.Minute // bounds the delivery of one batch of acts

// delivery is an act whose messages are to be sent.
type delivery struct {
	act    act
	marker marker
	// doubtful: the act was answered as failed. It may have happened all the same when an earlier try of it
	// had lost its answer and the row was changed again since.
	doubtful bool
}

// deliverActs sends the messages of acts that are committed, then removes their outbox rows, then their markers.
// What fails on the way stays for the sweep.
func (db *DB) deliverActs(batch []delivery) {
	ctx, cancel := context.WithTimeout(context.Background(), deliverTime)
	defer cancel()
	defer func() {
		for range batch {
			db.leave()
		}
	}()
	sure := db.settleDoubts(ctx, batch)
	rows := make([]outboxRow, len(sure))
	for i, d := range sure {
		rows[i] = outboxRow{at: d.act.outboxRow(), msgs: d.act.msgs}
	}
	for i, err := range db.sendRows(ctx, rows) {
		if err != nil {
			db.deps.Log.Warn("messages stay for the sweep", "act", sure[i].act.id, "table", sure[i].act.table, "error", err)
			continue
		}
		db.done(sure[i].marker)
	}
}

// settleDoubts returns the acts that happened. Of those that did not, it drops the markers.
func (db *DB) settleDoubts(ctx context.Context, batch []delivery) []delivery {
	happened := make([]bool, len(batch))
	indexes := make([]int, len(batch))
	for i := range batch {
		indexes[i] = i
	}
	_ = parallel(indexes, func(i int) error {
		d := batch[i]
		if !d.doubtful {
			happened[i] = true
			return nil
		}
		at := d.act.outboxRow()
		_, err := db.Table(at.table).Get(ctx, at.partition, at.key)
		happened[i] = err == nil
		if fault.Is(err, fault.NotFound) {
			db.done(d.marker)
		}
		return nil
	})
	var sure []delivery
	for i, d := range batch {
		if happened[i] {
			sure = append(sure, d)
		}
	}
	return sure
}

// outboxRow is the messages of one act, as they stand in its partition.
type outboxRow struct {
	at   position
	msgs []message.Message
}

// sendRows sends the messages of outbox rows, together as far as they go to the same queue, and removes the rows
// whose messages all went. It returns an error or nil for each row.
func (db *DB) sendRows(ctx context.Context, rows []outboxRow) []error {
	var all []message.Message
	for _, r := range rows {
		all = append(all, r.msgs...)
	}
	now, later := db.split(all)
	failed := db.sendAll(ctx, now)
	var scheduled error
	if len(later) > 0 {
		scheduled = db.schedule(ctx, later)
	}
	errs := make([]error, len(rows))
	var sent []int
	for i, r := range rows {
		for _, m := range r.msgs {
			errs[i] = errors.Join(errs[i], failed[m.Queue])
			if !m.Due.IsZero() {
				errs[i] = errors.Join(errs[i], scheduled)
			}
		}
		if errs[i] == nil {
			sent = append(sent, i)
		}
	}
	if err := db.removeRows(ctx, rows, sent); err != nil {
		for _, i := range sent {
			errs[i] = err
		}
	}
	return errs
}

func (db *DB) removeRows(ctx context.Context, rows []outboxRow, sent []int) error {
	gone := make([]position, len(sent))
	for i, n := range sent {
		gone[i] = rows[n].at
	}
	return db.remove(ctx, gone)
}

// split parts messages into those to send at once and those that are due later.
func (db *DB) split(msgs []message.Message) (now, later []message.Message) {
	at := db.deps.Now()
	for _, m := range msgs {
		if m.Due.After(at) {
			later = append(later, m)
		} else {
			now = append(now, m)
		}
	}
	return now, later
}

func byQueue(msgs []message.Message) map[string][]message.Message {
	queues := map[string][]message.Message{}
	for _, m := range msgs {
		queues[m.Queue] = append(queues[m.Queue], m)
	}
	return queues
}

// sendAll sends messages, all queues at the same time, and returns the errors of those queues that failed.
func (db *DB) sendAll(ctx context.Context, msgs []message.Message) map[string]error {
	failed := map[string]error{}
	var mu sync.Mutex
	var group sync.WaitGroup
	for queue, batch := range byQueue(msgs) {
		group.Go(func() {
			if err := db.sendOrPark(ctx, queue, batch); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed[queue] = fmt.Errorf("send to %s: %w", queue, err)
			}
		})
	}
	group.Wait()
	return failed
}

// sendOrPark sends messages of an act that is committed. One that can never be sent would come back for ever;
// it is parked with the reason.
func (db *DB) sendOrPark(ctx context.Context, queue string, msgs []message.Message) error {
	err := db.deps.Sender.Send(ctx, queue, msgs)
	if err == nil || !(fault.Is(err, fault.Invalid) || fault.Is(err, fault.TooLarge) || fault.Is(err, fault.NotFound)) {
		return err
	}
	if len(msgs) == 1 {
		return db.DeadLetters().Park(ctx, queue, msgs[0], err)
	}
	for _, m := range msgs {
		if err := db.sendOrPark(ctx, queue, []message.Message{m}); err != nil {
			return err
		}
	}
	return nil
}
