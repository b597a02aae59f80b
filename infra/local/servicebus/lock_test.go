package servicebus_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/stretchr/testify/require"

	"stoa/infra/local/servicebus"
)

func TestLockExpires(t *testing.T) {
	t.Parallel()
	client := connect(t, start(t, servicebus.Options{LockDuration: lockDuration}))
	r := receiver(t, client, "q0", nil)
	send(t, sender(t, client, "q0"), text("a", "x"))
	first := one(t, r)
	second := one(t, r) // waits for the end of the first lock
	require.Equal(t, "a", second.MessageID)
	require.EqualValues(t, 2, second.DeliveryCount)
	require.False(t, time.Now().Before(first.LockedUntil.Truncate(time.Millisecond)))
	requireCode(t, r.CompleteMessage(deadline(t), first, nil), azservicebus.CodeLockLost)
	requireCode(t, r.RenewMessageLock(deadline(t), first, nil), azservicebus.CodeLockLost)
	require.NoError(t, r.CompleteMessage(deadline(t), second, nil))
	requireCode(t, r.RenewMessageLock(deadline(t), second, nil), azservicebus.CodeLockLost)
}

// Answers that leave together must not be mixed up: half of these locks are gone, half are held.
func TestSettlementsAtTheSameTime(t *testing.T) {
	t.Parallel()
	const total = 40
	client := connect(t, start(t, servicebus.Options{}))
	r := receiver(t, client, "q0", nil)
	sendBatch(t, sender(t, client, "q0"), 0, total)
	var got []*azservicebus.ReceivedMessage
	for len(got) < total {
		some, err := r.ReceiveMessages(deadline(t), total-len(got), nil)
		require.NoError(t, err)
		got = append(got, some...)
	}
	for i := 0; i < total; i += 2 { // these will be settled a second time, without a lock
		settleOnManagement(t, r, got[i])
	}
	errs := make([]error, total)
	var wg sync.WaitGroup
	for i, m := range got {
		wg.Go(func() { errs[i] = r.CompleteMessage(t.Context(), m, nil) })
	}
	wg.Wait()
	for i, err := range errs {
		if i%2 == 0 {
			requireCode(t, err, azservicebus.CodeLockLost)
		} else {
			require.NoError(t, err, i)
		}
	}
}

// settleOnManagement completes a message by its lock token alone.
func settleOnManagement(t *testing.T, r *azservicebus.Receiver, m *azservicebus.ReceivedMessage) {
	t.Helper()
	byToken := &azservicebus.ReceivedMessage{LockToken: m.LockToken}
	require.NoError(t, r.CompleteMessage(deadline(t), byToken, nil))
}

func TestRenewLock(t *testing.T) {
	t.Parallel()
	client := connect(t, start(t, servicebus.Options{LockDuration: lockDuration}))
	r := receiver(t, client, "q0", nil)
	send(t, sender(t, client, "q0"), text("a", "x"))
	got := one(t, r)
	first := *got.LockedUntil
	require.Eventually(t, func() bool {
		return r.RenewMessageLock(deadline(t), got, nil) == nil && time.Now().After(first.Add(time.Second))
	}, patience, lockDuration/6, "renewed until well after the first lock would have ended")
	require.True(t, got.LockedUntil.After(first))
	require.NoError(t, r.CompleteMessage(deadline(t), got, nil))
	none(t, r)
}

func TestClosedReceiverKeepsItsLock(t *testing.T) {
	t.Parallel()
	client := connect(t, start(t, servicebus.Options{LockDuration: lockDuration}))
	send(t, sender(t, client, "q0"), text("a", "x"))
	r := receiver(t, client, "q0", nil)
	one(t, r)
	require.NoError(t, r.Close(deadline(t)))
	other := receiver(t, client, "q0", nil)
	none(t, other)
	require.EqualValues(t, 2, one(t, other).DeliveryCount)
}

func TestReleasedMessageIsNotCounted(t *testing.T) {
	t.Parallel()
	client := connect(t, start(t, servicebus.Options{}))
	r := receiver(t, client, "q0", nil)
	none(t, r) // leaves a credit behind; the client releases what comes for it
	send(t, sender(t, client, "q0"), text("a", "x"))
	other := receiver(t, client, "q0", nil)
	require.EqualValues(t, 1, one(t, other).DeliveryCount)
}

func TestCompetingConsumers(t *testing.T) {
	t.Parallel()
	const total = 400
	broker := start(t, servicebus.Options{})
	sendBatch(t, sender(t, connect(t, broker), "q0"), 0, total)
	var mu sync.Mutex
	seen := map[string]int{}
	shares := make([]int, 2)
	left := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(seen) < total
	}
	var wg sync.WaitGroup
	for i := range shares {
		r := receiver(t, connect(t, broker), "q0", nil)
		wg.Go(func() {
			for left() {
				ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
				got, _ := r.ReceiveMessages(ctx, 10, nil) // an empty round ends with the context
				cancel()
				for _, m := range got {
					if err := r.CompleteMessage(t.Context(), m, nil); err != nil {
						t.Errorf("complete %s: %v", m.MessageID, err)
						return
					}
					mu.Lock()
					seen[m.MessageID]++
					shares[i]++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	require.Len(t, seen, total)
	for id, n := range seen {
		require.Equal(t, 1, n, id)
	}
	for i, n := range shares {
		require.Positive(t, n, "consumer %d", i)
	}
}

func TestThroughput(t *testing.T) {
	t.Parallel()
	const total, perBatch = 5000, 500
	client := connect(t, start(t, servicebus.Options{}))
	s, r := sender(t, client, "q0"), receiver(t, client, "q0", nil)
	began := time.Now()
	for i := 0; i < total; i += perBatch {
		sendBatch(t, s, i, i+perBatch)
	}
	sent := time.Since(began)
	seen := map[string]bool{}
	for len(seen) < total {
		got, err := r.ReceiveMessages(deadline(t), 500, nil)
		require.NoError(t, err)
		var wg sync.WaitGroup
		for _, m := range got {
			require.False(t, seen[m.MessageID], m.MessageID)
			seen[m.MessageID] = true
			wg.Go(func() {
				if err := r.CompleteMessage(t.Context(), m, nil); err != nil {
					t.Errorf("complete %s: %v", m.MessageID, err)
				}
			})
		}
		wg.Wait()
	}
	t.Logf("%d messages: sent in %s, received and completed in %s", total, sent, time.Since(began)-sent)
	none(t, r)
}

func TestRestartKeepsMessages(t *testing.T) {
	t.Parallel()
	const sent, kept = 10, 9 // one completed, one dead-lettered, one scheduled besides
	opts := servicebus.Options{Config: config(t), DataFile: filepath.Join(t.TempDir(), "messages")}
	broker := start(t, opts)
	client := connect(t, broker)
	s, r := sender(t, client, "q0"), receiver(t, client, "q0", nil)
	sendBatch(t, s, 0, sent)
	completed, abandoned, dead := one(t, r), one(t, r), one(t, r)
	one(t, r) // locked when the broker stops
	require.NoError(t, r.CompleteMessage(deadline(t), completed, nil))
	require.NoError(t, r.AbandonMessage(deadline(t), abandoned, nil))
	require.NoError(t, r.DeadLetterMessage(deadline(t), dead, nil))
	_, err := s.ScheduleMessages(deadline(t), []*azservicebus.Message{text("later", "x")}, time.Now().Add(time.Second), nil)
	require.NoError(t, err)
	broker.Stop()

	for range 2 { // the second run reads what the first has rewritten
		broker = start(t, opts)
		client = connect(t, broker)
		r = receiver(t, client, "q0", nil)
		require.Eventually(t, func() bool { // until the scheduled one has come due
			peeked, err := r.PeekMessages(deadline(t), 100, &azservicebus.PeekMessagesOptions{FromSequenceNumber: new(int64)})
			return err == nil && len(peeked) == kept &&
				peeked[kept-1].MessageID == "later" && peeked[kept-1].State == azservicebus.MessageStateActive
		}, patience, 100*time.Millisecond)
		peeked, err := deadLetters(t, client, "q0").PeekMessages(deadline(t), 100, nil)
		require.NoError(t, err)
		require.Equal(t, []string{dead.MessageID}, ids(peeked))
		send(t, sender(t, client, "q0"), text(completed.MessageID, "a repeat across the restart"))
		broker.Stop()
	}

	broker = start(t, opts)
	client = connect(t, broker)
	r = receiver(t, client, "q0", nil)
	counts := map[string]uint32{}
	for len(counts) < kept {
		got, err := r.ReceiveMessages(deadline(t), 10, nil)
		require.NoError(t, err)
		for _, m := range got {
			counts[m.MessageID] = m.DeliveryCount
		}
	}
	want := map[string]uint32{"later": 1, abandoned.MessageID: 2}
	for i := range sent {
		if id := fmt.Sprintf("id-%d", i); id != completed.MessageID && id != dead.MessageID && id != abandoned.MessageID {
			want[id] = 1
		}
	}
	require.Equal(t, want, counts)
	none(t, r)
	send(t, sender(t, client, "q0"), text("new", "x"))
	require.EqualValues(t, 12, *one(t, r).SequenceNumber, "numbers go on")
}
