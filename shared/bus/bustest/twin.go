// Package bustest holds the recording twin of the bus and the behaviour suite that the twin and the real bus both
// pass.
package bustest

import (
	"context"
	"slices"
	"sync"

	"stoa/shared/fault"
	"stoa/shared/message"
)

// MaxBody is the largest body the twin takes, that of a standard namespace.
const MaxBody = 256 << 10

// Recorder is queues in memory. It records what is sent and drops a message whose id it has seen. The zero value
// takes messages for any queue; it is safe for concurrent use.
type Recorder struct {
	// Queues are the queues that exist; none: all.
	Queues []string

	mu   sync.Mutex
	sent map[string][]message.Message
	dead map[string][]letter
	seen map[[2]string]bool
}

type letter struct {
	message message.Message
	reason  string
}

// Send implements the bus.
func (r *Recorder) Send(ctx context.Context, queue string, msgs []message.Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(r.Queues) > 0 && !slices.Contains(r.Queues, queue) {
		return fault.New(fault.NotFound, "QueueNotFound", "", "The queue does not exist.")
	}
	for _, m := range msgs {
		if m.ID == "" {
			return fault.New(fault.Invalid, "InvalidMessage", "id", "A message needs an id.")
		}
		if len(m.Body) > MaxBody {
			return fault.New(fault.TooLarge, "MessageTooLarge", "", "The message is too large for the queue.")
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sent == nil {
		r.sent, r.dead, r.seen = map[string][]message.Message{}, map[string][]letter{}, map[[2]string]bool{}
	}
	for _, m := range msgs {
		if id := [2]string{queue, m.ID}; !r.seen[id] {
			r.seen[id] = true
			m.Queue = queue
			r.sent[queue] = append(r.sent[queue], m)
		}
	}
	return nil
}

// Messages are the messages of a queue, in the order they were sent.
func (r *Recorder) Messages(queue string) []message.Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.sent[queue])
}

// Take removes the first messages of a queue, at most n, and returns them.
func (r *Recorder) Take(queue string, n int) []message.Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	n = min(n, len(r.sent[queue]))
	taken := slices.Clone(r.sent[queue][:n])
	r.sent[queue] = r.sent[queue][n:]
	return taken
}

// Bury moves the first message of a queue to its dead-letter queue.
func (r *Recorder) Bury(queue, reason string) {
	for _, m := range r.Take(queue, 1) {
		r.mu.Lock()
		r.dead[queue] = append(r.dead[queue], letter{m, reason})
		r.mu.Unlock()
	}
}

// DeadLetters implements the bus.
func (r *Recorder) DeadLetters(_ context.Context, queue string, max int, keep func(m message.Message, reason string) error) (int, error) {
	for n := 0; n < max; n++ {
		r.mu.Lock()
		letters := slices.Clone(r.dead[queue])
		r.mu.Unlock()
		if len(letters) == 0 {
			return n, nil
		}
		if err := keep(letters[0].message, letters[0].reason); err != nil {
			return n, err
		}
		r.mu.Lock()
		r.dead[queue] = letters[1:]
		r.mu.Unlock()
	}
	return max, nil
}
