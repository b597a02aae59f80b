package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/infra"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
)

func TestParkListReplay(t *testing.T) {
	t.Parallel()
	w := newWorld()
	dead := w.db.DeadLetters()
	ctx := t.Context()
	odd := message.Message{ID: "odd/#?'|ü", Queue: message.Leads, Body: []byte("no JSON")}
	require.NoError(t, dead.Park(ctx, message.Webhooks, webhook("m1").Caused(message.Cause{RequestID: "req-1", CorrelationID: "corr-1"}), errors.New("gone away")))
	require.NoError(t, dead.Park(ctx, message.Webhooks, webhook("m1"), errors.New("a second delivery")))
	require.NoError(t, dead.Park(ctx, message.Leads, odd, errors.New(strings.Repeat("ü", 5000))))

	letters, _, err := dead.List(ctx, store.DeadLetterPage{Queue: message.Webhooks})
	require.NoError(t, err)
	require.Len(t, letters, 1)
	want := store.DeadLetter{
		ID: letters[0].ID, Queue: message.Webhooks, MessageID: "m1", RequestID: "req-1", CorrelationID: "corr-1",
		Body: `{"subscriptionId":"m1"}`, Reason: "gone away", Parked: start,
	}
	require.Equal(t, want, letters[0])
	require.Regexp(t, `^[A-Za-z0-9_-]+$`, want.ID)

	for n := 1; n <= 2; n++ {
		after, err := dead.Replay(ctx, want.ID)
		require.NoError(t, err)
		require.Equal(t, n, after.Replays)
		w.flush(t, w.db)
		sent := w.outbox.Messages(message.Webhooks)
		require.Len(t, sent, n)
		require.Equal(t, fmt.Sprint("m1:replay-", n), sent[n-1].ID)
		require.Equal(t, message.Cause{RequestID: "req-1", CorrelationID: "corr-1"}, sent[n-1].Cause(), "FUL-8")
		require.JSONEq(t, want.Body, string(sent[n-1].Body))
	}
	page, next, err := dead.List(ctx, store.DeadLetterPage{Limit: 1})
	require.NoError(t, err)
	require.Equal(t, odd.ID, page[0].MessageID)
	_, err = dead.Replay(ctx, page[0].ID)
	require.True(t, fault.Is(err, fault.Conflict))
	page, next, err = dead.List(ctx, store.DeadLetterPage{Limit: 1, After: next})
	require.NoError(t, err)
	require.Equal(t, 2, page[0].Replays)
	require.Equal(t, start, page[0].Replayed)
	require.Empty(t, next)
	for _, id := range []string{"", "!", "bm9uZQ", "Lw"} {
		_, err = dead.Replay(ctx, id)
		require.Truef(t, fault.Is(err, fault.NotFound), "%q: %v", id, err)
	}
}

// letterbox is a bus's dead-letter queues, with the reason of all that is there.
type letterbox struct {
	letters map[string][]message.Message
	reason  string
}

func (l letterbox) DeadLetters(_ context.Context, queue string, max int, keep func(message.Message, string) error) (int, error) {
	if queue == message.Leads {
		return 0, storetest.ErrDead
	}
	for i, m := range l.letters[queue] {
		if i == max {
			return i, nil
		}
		if err := keep(m, l.reason); err != nil {
			return i, err
		}
	}
	return len(l.letters[queue]), nil
}

func TestDrain(t *testing.T) {
	t.Parallel()
	w := newWorld()
	n, err := w.db.DeadLetters().Drain(t.Context(), letterbox{map[string][]message.Message{
		message.Webhooks:      {webhook("m1"), webhook("m2")},
		message.Notifications: {message.New("n1", message.Notifications, 1)},
	}, "TTLExpiredException"})
	require.ErrorIs(t, err, storetest.ErrDead, "one queue fails")
	require.Equal(t, 3, n)
	letters, _, err := w.db.DeadLetters().List(t.Context(), store.DeadLetterPage{})
	require.NoError(t, err)
	require.Len(t, letters, 3)
	require.Equal(t, "TTLExpiredException", letters[0].Reason)
	require.Zero(t, w.left(t, "agenda"))
}

// What the bus gave up is sent again, later each time, and parked when that has not helped.
func TestDrainGivesFurtherChances(t *testing.T) {
	t.Parallel()
	w := newWorld()
	const reason = "MaxDeliveryCountExceeded: Message could not be consumed after 10 delivery attempts."
	letter := webhook("m1").Caused(message.Cause{RequestID: "r1", CorrelationID: "c1"})
	for n, after := range []time.Duration{time.Minute, 10 * time.Minute, time.Hour, 6 * time.Hour} {
		for range 2 { // told twice, sent once
			_, err := w.db.DeadLetters().Drain(t.Context(), letterbox{map[string][]message.Message{message.Webhooks: {letter}}, reason})
			require.ErrorIs(t, err, storetest.ErrDead)
		}
		w.advance(after - 1)
		released, err := w.db.Release(t.Context(), w.now(), 10)
		require.NoError(t, err)
		require.Zero(t, released)
		w.advance(1)
		released, err = w.db.Release(t.Context(), w.now(), 10)
		require.NoError(t, err)
		require.Equal(t, 1, released)
		next := w.outbox.Take(message.Webhooks)
		require.Len(t, next, 1)
		require.Equal(t, fmt.Sprintf("m1:again-%d", n+1), next[0].ID)
		require.Equal(t, string(letter.Body), string(next[0].Body))
		require.Equal(t, message.Cause{RequestID: "r1", CorrelationID: "c1"}, next[0].Cause(), "FUL-8 kept while it waits")
		letter = next[0]
	}
	_, err := w.db.DeadLetters().Drain(t.Context(), letterbox{map[string][]message.Message{message.Webhooks: {letter}}, reason})
	require.ErrorIs(t, err, storetest.ErrDead)
	letters, _, err := w.db.DeadLetters().List(t.Context(), store.DeadLetterPage{})
	require.NoError(t, err)
	require.Len(t, letters, 1)
	require.Equal(t, reason, letters[0].Reason)
	require.Equal(t, "m1:again-4", letters[0].MessageID)
}

// asked records the queues it is asked for.
type asked chan string

func (a asked) DeadLetters(_ context.Context, queue string, _ int, _ func(message.Message, string) error) (int, error) {
	a <- queue
	return 0, nil
}

func TestDrainKnowsEveryQueue(t *testing.T) {
	t.Parallel()
	queues := make(asked, 100)
	_, err := newWorld().db.DeadLetters().Drain(t.Context(), queues)
	require.NoError(t, err)
	close(queues)
	var got, want []string
	for q := range queues {
		got = append(got, q)
	}
	for _, q := range infra.All.Queues {
		want = append(want, q.Name)
	}
	require.ElementsMatch(t, want, got)
}
