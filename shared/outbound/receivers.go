package outbound

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"time"

	"stoa/shared/call"
	"stoa/shared/fault"
)

// Limits of calls to receivers, for each process. They are made for the 16 messages of a queue that a host gives a
// process at the same time: whatever receivers do, some of the 16 are left for the others.
const (
	PerReceiver   = 6  // calls to a receiver at the same time, when it answers quickly
	NewReceiver   = 4  // when it has not answered yet
	SlowReceivers = 4  // calls to all receivers together whose last call was slow
	Unproven      = 10 // calls to all receivers together that are new, slow or lazy, or were so a short time ago

	slowReceiver = 2 // calls to a slow one

	slowAfter = 5 * time.Second        // such a call is slow, and one that ran out of time
	lazyAfter = time.Second            // such a call is lazy: its receiver is not trusted, but not among the slow ones
	patience  = 250 * time.Millisecond // the longest wait for a turn
	bodyTime  = time.Second            // the longest wait for a body once the answer has come
	trust     = 4                      // each that many quick answers raise the limit of a receiver by one

	retryBusy = 2 * time.Second // hint when a receiver has all the calls it may have
	retrySlow = 6 * time.Second // when it is slow

	receiversKnown = 10_000
)

// Receivers makes calls whose answer is the receipt, such as webhooks, and keeps slow receivers from holding up
// the others: each has a limited number of calls at the same time, fewer when it is slow, and a call over the limit
// is refused at once or nearly so, with Throttled "ReceiverBusy" and a hint when to come again. An answer counts
// when its head has come; of the body it is given what comes within a second. Safe for concurrent use.
type Receivers struct {
	client *Client

	mu       sync.Mutex
	hosts    map[string]*receiver
	unproven int           // calls under way to receivers that are not proven
	slow     int           // and of those to slow ones
	changed  chan struct{} // closed when a call ends
}

// receiver is what is known of a host and port.
type receiver struct {
	calls int       // under way
	since time.Time // of the last answer, or of the first call under way
	quick int       // quick answers since it was slow or lazy, counted up to what trust needs; 0 when it is new
	slow  bool      // the last call was slow
}

var _ call.Doer = (*Receivers)(nil)

// NewReceivers makes calls by the client.
func NewReceivers(c *Client) *Receivers {
	return &Receivers{client: c, hosts: map[string]*receiver{}, changed: make(chan struct{})}
}

// limit is how many calls the receiver may have at the same time.
func (r *receiver) limit() int {
	switch {
	case r.slow:
		return slowReceiver
	case r.quick == 0:
		return NewReceiver
	}
	return min(slowReceiver+r.quick/trust, PerReceiver)
}

// trusted is how many quick answers lead from slow or lazy to the highest limit. A new receiver has it at its first
// quick answer.
const trusted = trust * (PerReceiver - slowReceiver)

// proven reports whether the receiver has answered quickly for some time.
func (r *receiver) proven() bool { return !r.slow && r.quick >= trusted }

// kind is how a call under way is counted.
type kind struct{ unproven, slow int }

func (r *receiver) kind() (k kind) {
	if !r.proven() {
		k.unproven = 1
	}
	if r.slow {
		k.slow = 1
	}
	return k
}

// Do implements call.Doer.
func (rs *Receivers) Do(ctx context.Context, q call.Request) (call.Reply, error) {
	target, err := rs.client.check(q.URL)
	if err != nil {
		return call.Reply{}, err
	}
	host := strings.ToLower(target.Host)
	counted, err := rs.enter(ctx, host)
	if err != nil {
		return call.Reply{}, err
	}
	began := time.Now()
	reply, err := rs.send(ctx, target, q)
	if ctx.Err() != nil {
		rs.leave(host, counted, nil)
		return reply, err
	}
	took := time.Since(began)
	if fault.Is(err, fault.Unavailable) && fault.As(err).Code == codeTimeout {
		took = max(took, slowAfter)
	}
	rs.leave(host, counted, &took)
	return reply, err
}

func (rs *Receivers) send(ctx context.Context, target *url.URL, q call.Request) (call.Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout(q))
	defer cancel()
	reply, err := rs.client.send(ctx, target, q, bodyTime)
	if reply.Status != 0 {
		return reply, nil
	}
	return reply, err
}

// enter takes a turn; after nil the caller must leave. It waits a moment for a receiver that answers.
func (rs *Receivers) enter(ctx context.Context, host string) (kind, error) {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		counted, wait, err := rs.turn(host, time.Now())
		if wait == nil {
			return counted, err
		}
		select {
		case <-wait:
		case <-deadline.C:
			return counted, err
		case <-ctx.Done():
			return counted, ctx.Err()
		}
	}
}

// turn takes a turn if there is one. Else it says what to answer, and what to wait for when waiting makes sense.
func (rs *Receivers) turn(host string, now time.Time) (kind, <-chan struct{}, error) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r := rs.hosts[host]
	if r == nil {
		rs.prune()
		r = &receiver{}
		rs.hosts[host] = r
	}
	counted := r.kind()
	full := r.calls >= r.limit()
	if full || rs.unproven+counted.unproven > Unproven || counted.slow > 0 && rs.slow >= SlowReceivers {
		if r.slow {
			return counted, nil, busy(retrySlow)
		}
		if full && now.Sub(r.since) > patience { // nothing has come back for a while
			return counted, nil, busy(retryBusy)
		}
		return counted, rs.changed, busy(retryBusy)
	}
	if r.calls == 0 {
		r.since = now
	}
	r.calls++
	rs.unproven += counted.unproven
	rs.slow += counted.slow
	return counted, nil, nil
}

func busy(again time.Duration) error {
	f := fault.New(fault.Throttled, "ReceiverBusy", "url", "The address has as many calls under way as it may have.")
	f.RetryAfter = again
	return f
}

// leave gives the turn back. Took is nil for a call that our own side ended, which says nothing of the receiver.
func (rs *Receivers) leave(host string, counted kind, took *time.Duration) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r := rs.hosts[host]
	r.calls--
	rs.unproven -= counted.unproven
	rs.slow -= counted.slow
	if took != nil {
		r.learn(*took)
	}
	r.since = time.Now()
	close(rs.changed)
	rs.changed = make(chan struct{})
}

// learn draws from the time a call took.
func (r *receiver) learn(took time.Duration) {
	switch {
	case took >= slowAfter:
		r.slow, r.quick = true, 1
	case took >= lazyAfter || r.slow:
		r.slow, r.quick = false, 1
	case r.quick == 0:
		r.quick = trusted
	default:
		r.quick = min(r.quick+1, trusted)
	}
}

// prune forgets receivers that are not being called, before there are too many to know.
func (rs *Receivers) prune() {
	if len(rs.hosts) < receiversKnown {
		return
	}
	for host, r := range rs.hosts {
		if r.calls == 0 {
			delete(rs.hosts, host)
		}
	}
}
