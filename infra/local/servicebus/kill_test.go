package servicebus_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/stretchr/testify/require"

	"stoa/infra/local/servicebus"
)

// record is what the clients of a broker know for certain.
type record struct {
	mu        sync.Mutex
	accepted  map[string]bool // sent, and the broker said so
	completed map[string]bool // completed, and the broker said so
	tried     map[string]bool // completing was begun
	settled   map[string]bool // dead-lettered, and the broker said so
	burying   map[string]bool // dead-lettering was begun
}

func newRecord() *record {
	return &record{accepted: map[string]bool{}, completed: map[string]bool{}, tried: map[string]bool{}, settled: map[string]bool{}, burying: map[string]bool{}}
}

func (r *record) note(set map[string]bool, id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	set[id] = true
}

func (r *record) count(set map[string]bool) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(set)
}

// sendUntilKilled sends one message after the other, alone and in batches, until the broker is gone.
func sendUntilKilled(ctx context.Context, s *azservicebus.Sender, prefix string, r *record) {
	for i := 0; ctx.Err() == nil; i++ {
		id := fmt.Sprintf("%s-%d", prefix, i)
		if i%3 > 0 {
			if s.SendMessage(ctx, text(id, "alone"), nil) == nil {
				r.note(r.accepted, id)
			}
			continue
		}
		batch, err := s.NewMessageBatch(ctx, nil)
		if err != nil {
			return
		}
		ids := []string{id + "a", id + "b", id + "c"}
		for _, one := range ids {
			if batch.AddMessage(text(one, "in a batch"), nil) != nil {
				return
			}
		}
		if s.SendMessageBatch(ctx, batch, nil) == nil {
			for _, one := range ids {
				r.note(r.accepted, one)
			}
		}
	}
}

// workUntilKilled settles every other message it gets: completes it, and at times dead-letters it.
func workUntilKilled(ctx context.Context, from *azservicebus.Receiver, r *record) {
	for n := 0; ctx.Err() == nil; {
		got, err := from.ReceiveMessages(ctx, 5, nil)
		if err != nil {
			return
		}
		for _, m := range got {
			n++
			switch {
			case n%2 == 0: // stays locked
			case n%7 == 0:
				r.note(r.burying, m.MessageID)
				if from.DeadLetterMessage(ctx, m, nil) == nil {
					r.note(r.settled, m.MessageID)
				}
			default:
				r.note(r.tried, m.MessageID)
				if from.CompleteMessage(ctx, m, nil) == nil {
					r.note(r.completed, m.MessageID)
				}
			}
		}
	}
}

// load keeps a broker busy and kills it when enough was accepted and completed.
func load(t *testing.T, broker *servicebus.Broker, round int, r *record) {
	t.Helper()
	client := connect(t, broker)
	ctx, stop := context.WithCancel(deadline(t))
	defer stop()
	var group sync.WaitGroup
	for i := range 4 {
		s := sender(t, client, "q0")
		group.Go(func() { sendUntilKilled(ctx, s, fmt.Sprintf("r%d-s%d", round, i), r) })
	}
	for range 2 {
		from := receiver(t, client, "q0", nil)
		group.Go(func() { workUntilKilled(ctx, from, r) })
	}
	accepted, completed := r.count(r.accepted), r.count(r.completed)
	require.Eventually(t, func() bool {
		return r.count(r.accepted) > accepted+200 && r.count(r.completed) > completed+20
	}, patience, time.Millisecond)
	require.NoError(t, broker.Kill())
	stop()
	group.Wait()
}

// left are the ids of all messages of a queue, each of which must be there once.
func left(t *testing.T, r *azservicebus.Receiver) map[string]bool {
	t.Helper()
	ids, from := map[string]bool{}, int64(0)
	for {
		got, err := r.PeekMessages(deadline(t), 250, &azservicebus.PeekMessagesOptions{FromSequenceNumber: &from})
		require.NoError(t, err)
		if len(got) == 0 {
			return ids
		}
		for _, m := range got {
			require.False(t, ids[m.MessageID], "%s is there twice", m.MessageID)
			ids[m.MessageID] = true
			from = *m.SequenceNumber + 1
		}
	}
}

// A broker that is killed in the middle of its work has, when it is back, what it has accepted, and has not what
// was completed. What it had not answered yet may be either way.
func TestKillKeepsWhatWasAnswered(t *testing.T) {
	t.Parallel()
	const rounds = 4
	data := filepath.Join(t.TempDir(), "messages")
	opts := servicebus.Options{Config: config(t), DataFile: data}
	r := newRecord()
	for round := range rounds {
		load(t, start(t, opts), round, r)
		if round%2 == 1 { // the last line was being written
			f, err := os.OpenFile(data, os.O_APPEND|os.O_WRONLY, 0)
			require.NoError(t, err)
			_, err = f.WriteString(`{"o":"+","q":"q0","n":99`)
			require.NoError(t, err)
			require.NoError(t, f.Close())
		}
		broker := start(t, opts)
		client := connect(t, broker)
		here, dead := left(t, receiver(t, client, "q0", nil)), left(t, deadLetters(t, client, "q0"))
		for _, id := range slices.Sorted(maps.Keys(r.accepted)) {
			require.True(t, here[id] || dead[id] || r.tried[id], "%s was accepted and is lost", id)
			require.False(t, here[id] && dead[id], "%s is in both queues", id)
		}
		for id := range r.completed {
			require.False(t, here[id] || dead[id], "%s was completed and is back", id)
		}
		for id := range r.settled {
			require.True(t, dead[id], "%s was dead-lettered and is not", id)
		}
		for id := range dead {
			require.True(t, r.burying[id], "%s is dead for no reason", id)
		}
		require.NoError(t, broker.Kill())
	}
	t.Logf("%d accepted, %d completed, %d dead-lettered", len(r.accepted), len(r.completed), len(r.settled))
}
