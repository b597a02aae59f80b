package store

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/store/table"
)

const (
	deadTable     = "deadletters"
	deadPartition = "parked"
	deadPrefix    = "m|" // apart from the outbox rows of the same partition
)

// DeadLetter is a message that could not be processed, with its reason.
type DeadLetter struct {
	ID            string    // of the dead letter, fit for a path
	Queue         string    // where the message was to be processed
	MessageID     string    // its id on the queue
	RequestID     string    // of the request that caused it
	CorrelationID string    // of that request
	Body          string    // as it was sent; mostly JSON
	Reason        string    // why it could not be processed
	Parked        time.Time // when it was put here
	Replays       int       // how often it was sent again
	Replayed      time.Time // when last; zero when never
}

// deadRow is the document of a dead letter.
type deadRow struct {
	Queue         string    `json:"queue"`
	MessageID     string    `json:"messageId"`
	RequestID     string    `json:"requestId,omitempty"`
	CorrelationID string    `json:"correlationId,omitempty"`
	Body          string    `json:"body"`
	Reason        string    `json:"reason"`
	Parked        time.Time `json:"parked"`
	Replays       int       `json:"replays,omitempty"`
	Replayed      time.Time `json:"replayed,omitzero"`
}

func (r deadRow) letter(key string) DeadLetter {
	return DeadLetter{
		ID:    base64.RawURLEncoding.EncodeToString([]byte(strings.TrimPrefix(key, deadPrefix))),
		Queue: r.Queue, MessageID: r.MessageID, RequestID: r.RequestID, CorrelationID: r.CorrelationID, Body: r.Body,
		Reason: r.Reason, Parked: r.Parked, Replays: r.Replays, Replayed: r.Replayed,
	}
}

// DeadLetters are the messages that could not be processed: kept with their reason, listed, sent again.
type DeadLetters struct{ db *DB }

// DeadLetters gives access to the dead letters.
func (db *DB) DeadLetters() *DeadLetters { return &DeadLetters{db: db} }

// Park keeps a message that will never be processed. Parking the same message again changes nothing.
func (d *DeadLetters) Park(ctx context.Context, queue string, m message.Message, reason error) error {
	return d.park(ctx, queue, m, reason.Error())
}

// maxReason bounds the reason that is kept.
const maxReason = 4000

func (d *DeadLetters) park(ctx context.Context, queue string, m message.Message, reason string) error {
	if len(reason) > maxReason {
		reason = strings.ToValidUTF8(reason[:maxReason], "") + "…"
	}
	row := table.Row{Partition: deadPartition, Key: deadPrefix + table.Join(queue, m.ID), Data: encode(deadRow{
		Queue: queue, MessageID: m.ID, RequestID: m.RequestID, CorrelationID: m.CorrelationID, Body: string(m.Body),
		Reason: reason, Parked: d.db.deps.Now().UTC(),
	})}
	_, err := d.db.Table(deadTable).Apply(ctx, table.Op{Action: table.Insert, Row: row})
	if err != nil && !fault.Is(err, fault.Conflict) {
		return fmt.Errorf("park message %s of %s: %w", m.ID, queue, err)
	}
	return nil
}

// DeadLetterPage asks for a page of dead letters.
type DeadLetterPage struct {
	Queue string // only those of this queue; empty: all
	Limit int    // at most this many; 0 means 100
	After string // continuation of the page before
}

// List reads one page, by queue and message id, and the continuation of the next, empty on the last.
func (d *DeadLetters) List(ctx context.Context, page DeadLetterPage) ([]DeadLetter, string, error) {
	prefix := deadPrefix
	if page.Queue != "" {
		prefix += table.Join(page.Queue) + "|"
	}
	if page.Limit <= 0 {
		page.Limit = 100
	}
	found, err := d.db.Table(deadTable).Query(ctx, table.Query{
		Partition: deadPartition, From: prefix, Until: table.PrefixEnd(prefix), Limit: page.Limit, After: page.After,
	})
	if err != nil {
		return nil, "", fmt.Errorf("list dead letters: %w", err)
	}
	letters := make([]DeadLetter, len(found.Rows))
	for i, row := range found.Rows {
		var r deadRow
		if err := decode(row, &r); err != nil {
			return nil, "", fmt.Errorf("list dead letters: %w", err)
		}
		letters[i] = r.letter(row.Key)
	}
	return letters, found.Next, nil
}

// Replay sends a dead letter again, as a new message with the id "<id>:replay-<n>", and notes that it did. The
// error is NotFound for an unknown id, Conflict for a body that is not JSON and so was never ours, and StaleETag
// when someone replays it at the same time.
func (d *DeadLetters) Replay(ctx context.Context, id string) (DeadLetter, error) {
	unknown := fault.New(fault.NotFound, "NotFound", "id", "There is no such dead letter.")
	key, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil || strings.ContainsAny(string(key), `/\#?'`) {
		return DeadLetter{}, unknown
	}
	row, err := d.db.Table(deadTable).Get(ctx, deadPartition, deadPrefix+string(key))
	if fault.Is(err, fault.NotFound) {
		return DeadLetter{}, unknown.Because(err)
	}
	if err != nil {
		return DeadLetter{}, fmt.Errorf("replay dead letter %s: %w", id, err)
	}
	var r deadRow
	if err := decode(row, &r); err != nil {
		return DeadLetter{}, fmt.Errorf("replay dead letter %s: %w", id, err)
	}
	if !json.Valid([]byte(r.Body)) {
		return DeadLetter{}, fault.New(fault.Conflict, "NotReplayable", "id", "The body of the message is not JSON, nothing can process it.")
	}
	r.Replays++
	r.Replayed = d.db.deps.Now().UTC()
	row.Data = encode(r)
	m := message.Message{
		ID: fmt.Sprintf("%s:replay-%d", r.MessageID, r.Replays), Queue: r.Queue,
		Body: json.RawMessage(r.Body), RequestID: r.RequestID, CorrelationID: r.CorrelationID,
	}
	if _, err := d.db.Commit(ctx, deadTable, []table.Op{{Action: table.Replace, Row: row}}, m); err != nil {
		return DeadLetter{}, fmt.Errorf("replay dead letter %s: %w", id, err)
	}
	return r.letter(row.Key), nil
}

// Receiver reads what the bus itself has dead-lettered.
type Receiver interface {
	// DeadLetters hands over up to max messages of the queue's dead-letter queue with their reasons. It removes
	// each one after keep has returned nil, and returns how many those were.
	DeadLetters(ctx context.Context, queue string, max int, keep func(m message.Message, reason string) error) (int, error)
}

const drainMost = 100 // dead letters of one queue in one run

// The bus gives a message up after so many deliveries, and because the host gives a failed one back at once, that
// can be within a second: nobody has judged it, its handler died or what it needs was away. So it is sent again,
// later each time, before it is taken for hopeless.
const (
	givenUp     = "MaxDeliveryCountExceeded" // how the bus begins its reason
	againMarker = ":again-"                  // in the id of a message that is sent again, followed by the how-manieth time
)

var againAfter = []time.Duration{time.Minute, 10 * time.Minute, time.Hour, 6 * time.Hour}

// again is the message as it is sent the next time; false when it has had its chances.
func again(m message.Message, queue string, now time.Time) (message.Message, bool) {
	id, n := m.ID, 0
	if at := strings.LastIndex(m.ID, againMarker); at >= 0 {
		if times, err := strconv.Atoi(m.ID[at+len(againMarker):]); err == nil {
			id, n = m.ID[:at], times
		}
	}
	if n < 0 || n >= len(againAfter) || !json.Valid(m.Body) {
		return m, false
	}
	m.ID, m.Queue = fmt.Sprintf("%s%s%d", id, againMarker, n+1), queue
	return m.At(now.Add(againAfter[n])), true
}

// Drain takes what the bus has dead-lettered: what it gave up it sends again later, the rest it moves into the
// table with its reason. It returns how many messages it took. A queue that fails does not stop the others.
func (d *DeadLetters) Drain(ctx context.Context, r Receiver) (int, error) {
	counts := make(chan int, len(message.Queues))
	err := parallel(message.Queues, func(queue string) error {
		n, err := r.DeadLetters(ctx, queue, drainMost, func(m message.Message, reason string) error {
			if strings.HasPrefix(reason, givenUp) {
				if next, ok := again(m, queue, d.db.deps.Now()); ok {
					return d.db.Send(ctx, next)
				}
			}
			return d.park(ctx, queue, m, reason)
		})
		counts <- n
		if err != nil {
			return fmt.Errorf("drain dead letters of %s: %w", queue, err)
		}
		return nil
	})
	close(counts)
	total := 0
	for n := range counts {
		total += n
	}
	return total, err
}
