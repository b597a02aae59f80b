// Package storetest holds the in-memory twin of the store, and a way to let its process die between any two
// operations.
package storetest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"stoa/shared/message"
	"stoa/shared/store"
	"stoa/shared/store/table/tabletest"
)

// NewTwin makes a DB over tables in memory, and the outbox that records what it sends. Ids count up from
// "id-000001".
func NewTwin(now func() time.Time) (*store.DB, *Outbox) {
	var tables tabletest.Account
	outbox := &Outbox{now: now}
	outbox.db = store.New(store.Deps{Tables: tables.Table, Sender: outbox, Now: now, NewID: Counter("id")})
	return outbox.db, outbox
}

// Counter makes ids that count up: "<prefix>-000001" and so on. It is safe for concurrent use.
func Counter(prefix string) func() string {
	var n atomic.Int64
	return func() string { return fmt.Sprintf("%s-%06d", prefix, n.Add(1)) }
}

// window is how long the queues remember a message id, as in infra/resources.json.
const window = 10 * time.Minute

// Outbox records what a DB sends. Like the bus it drops a message whose id it has seen in the last ten minutes.
type Outbox struct {
	now func() time.Time
	db  *store.DB

	mu   sync.Mutex
	fail error
	sent []message.Message
	seen map[string]time.Time
}

// NewOutbox makes an outbox for a DB of the test's own making.
func NewOutbox(now func() time.Time) *Outbox { return &Outbox{now: now} }

// Send implements store.Sender.
func (o *Outbox) Send(_ context.Context, queue string, msgs []message.Message) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fail != nil {
		return o.fail
	}
	if o.seen == nil {
		o.seen = map[string]time.Time{}
	}
	now := o.now()
	for _, m := range msgs {
		id := queue + "|" + m.ID
		if last, ok := o.seen[id]; ok && now.Sub(last) < window {
			continue
		}
		o.seen[id] = now
		m.Queue = queue
		o.sent = append(o.sent, m)
	}
	return nil
}

// Fail lets every further send fail with the error; nil mends it.
func (o *Outbox) Fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fail = err
}

// Messages are the messages sent to the queue so far, once what the DB has under way is sent. Those that are not
// due yet are not among them.
func (o *Outbox) Messages(queue string) []message.Message {
	o.flush()
	o.mu.Lock()
	defer o.mu.Unlock()
	var found []message.Message
	for _, m := range o.sent {
		if m.Queue == queue {
			found = append(found, m)
		}
	}
	return found
}

// Take is like Messages and forgets them, so that the next call gives only what came after.
func (o *Outbox) Take(queue string) []message.Message {
	found := o.Messages(queue)
	o.mu.Lock()
	defer o.mu.Unlock()
	var kept []message.Message
	for _, m := range o.sent {
		if m.Queue != queue {
			kept = append(kept, m)
		}
	}
	o.sent = kept
	return found
}

// Advance releases what is due at the time, like the agenda's timer would, and returns how many messages that
// were. It moves no clock.
func (o *Outbox) Advance(to time.Time) int {
	o.flush()
	n, err := o.db.Release(context.Background(), to, 1<<20)
	if err != nil {
		panic(fmt.Sprintf("release what is due: %v", err))
	}
	return n
}

func (o *Outbox) flush() {
	if o.db == nil {
		return
	}
	if err := o.db.Flush(context.Background()); err != nil {
		panic(fmt.Sprintf("flush the store: %v", err))
	}
}
