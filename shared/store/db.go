package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/store/table"
)

// Sender puts messages on a queue. When it returns nil the queue has them; a message whose id the queue has seen
// lately is dropped. A fault Invalid, TooLarge or NotFound says that the message can never be sent.
type Sender interface {
	Send(ctx context.Context, queue string, msgs []message.Message) error
}

// Deps are what a DB needs. All but Log are required.
type Deps struct {
	Tables func(name string) table.Table // the tables of infra/resources.json
	Sender Sender                        // the bus
	Now    func() time.Time              // the clock
	NewID  func() string                 // unique ids
	Log    *slog.Logger                  // none: silent
}

// DB is the state of Stoa: acts with their messages, due work and dead letters.
type DB struct {
	deps    Deps
	markers *markers
	groups  *grouper
	deliver *batcher[delivery]
	clean   *batcher[position]

	// slots holds a token for each act that is not delivered yet: the backpressure.
	slots  chan struct{}
	closed chan struct{}
	close  sync.Once

	mu     sync.Mutex
	tables map[string]table.Table
}

const (
	maxUndelivered = 1024            // acts that may wait for their delivery; further ones wait to commit
	commitTime     = 2 * time.Minute // bounds the wait for a transaction, and it with its retries; both below orphanAge
	markerLife     = 20 * time.Second
	markerTries    = 3
	deliveryLinger = 20 * time.Millisecond // gathers the messages of acts that end about the same time
)

// New makes a DB. It panics when a dependency is missing, which is a broken program. Close ends it.
func New(d Deps) *DB {
	if d.Tables == nil || d.Sender == nil || d.Now == nil || d.NewID == nil {
		panic("store.New: Tables, Sender, Now and NewID are required")
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	db := &DB{
		deps:   d,
		slots:  make(chan struct{}, maxUndelivered),
		closed: make(chan struct{}),
		tables: map[string]table.Table{},
	}
	db.markers = newMarkers(db)
	db.groups = newGrouper(db)
	db.deliver = newBatcher(table.MaxOps, 2, db.deliverActs).lingering(deliveryLinger)
	db.clean = newBatcher(4*table.MaxOps, 1, db.removeMarkers).lingering(100 * time.Millisecond)
	return db
}

// Table is the table of that name.
func (db *DB) Table(name string) table.Table {
	db.mu.Lock()
	defer db.mu.Unlock()
	t, ok := db.tables[name]
	if !ok {
		t = db.deps.Tables(name)
		db.tables[name] = t
	}
	return t
}

// Commit performs the operations, all or none, in one partition of a table, and sends the messages afterwards:
// at once, or when they are due. It returns the new ETags of the operations. Once it returns nil the messages
// will be delivered at least once, whatever happens to the process; when it fails with Conflict, StaleETag,
// NotFound or Invalid nothing was done; after any other error the act may have happened, its messages then as
// well. With messages there may be one operation less than table.MaxOps.
func (db *DB) Commit(ctx context.Context, tableName string, ops []table.Op, msgs ...message.Message) ([]string, error) {
	if len(msgs) == 0 {
		return db.Table(tableName).Apply(ctx, ops...)
	}
	if len(ops) == 0 {
		return nil, errors.New("commit: messages without an operation; use Send")
	}
	msgs, err := db.complete(ctx, msgs)
	if err != nil {
		return nil, fmt.Errorf("commit %s: %w", tableName, err)
	}
	act := newAct(tableName, ops, db.deps.NewID(), msgs)
	if err := table.Check(act.ops); err != nil {
		return nil, fmt.Errorf("commit %s: %w", tableName, err)
	}
	if err := db.admit(ctx); err != nil {
		return nil, fmt.Errorf("commit %s: %w", tableName, err)
	}
	etags, err := db.commit(ctx, act)
	if err != nil {
		return nil, err
	}
	return etags[:len(ops)], nil
}

// commit writes the marker, then the act, and hands over the delivery. It holds a slot, which the delivery or,
// without one, commit itself gives back.
func (db *DB) commit(ctx context.Context, a act) ([]string, error) {
	at := place{a.table, a.partition}
	marker, err := db.markers.mark(ctx, at)
	if err != nil {
		db.leave()
		return nil, fmt.Errorf("commit %s %s: %w", a.table, a.partition, err)
	}
	// The caller who hangs up now does not leave half an act.
	ctx = context.WithoutCancel(ctx)
	begin, cancel := context.WithTimeout(ctx, commitTime)
	defer cancel()
	etags, err := db.groups.apply(begin, at, a.ops)
	switch {
	case err == nil:
		db.deliver.add(delivery{act: a, marker: db.markers.journal.renew(ctx, markerData{at.table, at.partition}, marker)})
	case definite(err):
		db.deliver.add(delivery{act: a, marker: marker, doubtful: true})
	default:
		db.leave()
	}
	return etags, err
}

// definite reports whether a failed transaction has certainly not happened.
func definite(err error) bool {
	return fault.Is(err, fault.Conflict) || fault.Is(err, fault.StaleETag) || fault.Is(err, fault.NotFound) || fault.Is(err, fault.Invalid)
}

// Send sends messages without a change of state: due ones are in the agenda and the others on their queues when
// it returns nil. After an error some may have been sent.
func (db *DB) Send(ctx context.Context, msgs ...message.Message) error {
	msgs, err := db.complete(ctx, msgs)
	if err != nil {
		return fmt.Errorf("send: %w", err)
	}
	now, later := db.split(msgs)
	if err := db.schedule(ctx, later); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	for queue, batch := range byQueue(now) {
		if err := db.deps.Sender.Send(ctx, queue, batch); err != nil {
			return fmt.Errorf("send to %s: %w", queue, err)
		}
	}
	return nil
}

// complete checks messages and gives them the ids they lack, those of the request that causes them included.
func (db *DB) complete(ctx context.Context, msgs []message.Message) ([]message.Message, error) {
	done, cause := make([]message.Message, len(msgs)), message.CauseOf(ctx)
	for i, m := range msgs {
		if m.Queue == "" {
			return nil, fmt.Errorf("message %q has no queue", m.ID)
		}
		if !json.Valid(m.Body) {
			return nil, fmt.Errorf("message %q for %s: the body is not JSON", m.ID, m.Queue)
		}
		if m.ID == "" {
			m.ID = db.deps.NewID()
		}
		if m.Cause() == (message.Cause{}) {
			m = m.Caused(cause) // FUL-8
		}
		done[i] = m
	}
	return done, nil
}

// Flush waits until the messages of the acts committed so far are delivered or left to the sweep.
func (db *DB) Flush(ctx context.Context) error {
	db.markers.releaseAll()
	if err := db.deliver.wait(ctx); err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	if err := db.clean.wait(ctx); err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	return nil
}

// Close refuses further acts and waits until those under way are delivered, or until the context ends; what is
// left then is the sweep's.
func (db *DB) Close(ctx context.Context) error {
	db.close.Do(func() { close(db.closed) })
	for i := range maxUndelivered {
		select {
		case db.slots <- struct{}{}:
		case <-ctx.Done():
			for range i {
				db.leave()
			}
			return fmt.Errorf("close the store: %w", ctx.Err())
		}
	}
	for range maxUndelivered {
		db.leave()
	}
	return db.Flush(ctx)
}

func (db *DB) admit(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-db.closed:
	case db.slots <- struct{}{}:
		select {
		case <-db.closed:
			db.leave()
		default:
			return nil
		}
	}
	return fault.New(fault.Unavailable, "ShuttingDown", "", "The service is shutting down. Try again.")
}

func (db *DB) leave() { <-db.slots }

// encode is the document of a row. It panics when v cannot be marshalled, which is a broken program.
func encode(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("encode %T: %v", v, err))
	}
	return raw
}

// decode reads the document of a row.
func decode(row table.Row, v any) error {
	if err := json.Unmarshal(row.Data, v); err != nil {
		return fmt.Errorf("decode row %s/%s: %w", row.Partition, row.Key, err)
	}
	return nil
}
