package bustest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/fault"
	"stoa/shared/message"
)

// Bus is what the suite holds to its word.
type Bus interface {
	Send(ctx context.Context, queue string, msgs []message.Message) error
	DeadLetters(ctx context.Context, queue string, max int, keep func(m message.Message, reason string) error) (int, error)
}

// Far is the other end of the queues of a bus.
type Far interface {
	// Receive takes n messages off a queue.
	Receive(t *testing.T, queue string, n int) []message.Message
	// Bury moves the next message of a queue to its dead-letter queue.
	Bury(t *testing.T, queue, reason string)
}

// Suite is the behaviour every bus has. Each test has a queue of infra/resources.json for itself.
func Suite(t *testing.T, b Bus, far Far) {
	t.Helper()
	for queue, test := range map[string]func(t *testing.T, b Bus, far Far, queue string){
		message.Webhooks:      sendsAll,
		message.LedgerEvents:  splitsBatches,
		message.Leads:         dropsDuplicates,
		message.TestDrives:    handsOverDeadLetters,
		message.PublishSteps:  leavesWhatIsNotKept,
		message.Notifications: refuses,
	} {
		t.Run(queue, func(t *testing.T) {
			t.Parallel()
			test(t, b, far, queue)
		})
	}
}

func sendsAll(t *testing.T, b Bus, far Far, queue string) {
	first := message.New("m1", "", map[string]string{"a": "ü"}).Caused(message.Cause{RequestID: "req-1", CorrelationID: "corr-1"})
	require.NoError(t, b.Send(t.Context(), queue, nil))
	require.NoError(t, b.Send(t.Context(), queue, []message.Message{first, message.New("m2", "", 2)}))
	got := far.Receive(t, queue, 2)
	require.Equal(t, "m1", got[0].ID)
	require.Equal(t, first.Cause(), got[0].Cause(), "FUL-8")
	require.JSONEq(t, string(first.Body), string(got[0].Body))
	require.Equal(t, "m2", got[1].ID)
	require.Zero(t, got[1].Cause())
}

// splitsBatches sends more than one batch can hold.
func splitsBatches(t *testing.T, b Bus, far Far, queue string) {
	var msgs []message.Message
	for i := range 12 {
		msgs = append(msgs, message.New(fmt.Sprint("m", i), "", strings.Repeat("x", 150<<10)))
	}
	require.NoError(t, b.Send(t.Context(), queue, msgs))
	seen := map[string]bool{}
	for _, m := range far.Receive(t, queue, len(msgs)) {
		seen[m.ID] = true
	}
	require.Len(t, seen, len(msgs))
}

func dropsDuplicates(t *testing.T, b Bus, far Far, queue string) {
	long := strings.Repeat("l", 200)
	for range 2 {
		require.NoError(t, b.Send(t.Context(), queue, []message.Message{message.New("m1", "", 1), message.New(long+"1", "", 2), message.New(long+"2", "", 3)}))
	}
	require.NoError(t, b.Send(t.Context(), queue, []message.Message{message.New("end", "", 4)}))
	var bodies []string
	for _, m := range far.Receive(t, queue, 4) {
		bodies = append(bodies, string(m.Body))
	}
	require.Equal(t, []string{"1", "2", "3", "4"}, bodies)
}

func handsOverDeadLetters(t *testing.T, b Bus, far Far, queue string) {
	for i := range 3 {
		require.NoError(t, b.Send(t.Context(), queue, []message.Message{message.New(fmt.Sprint("m", i), "", i).Caused(message.Cause{RequestID: "req", CorrelationID: "corr"})}))
		far.Bury(t, queue, fmt.Sprint("reason ", i))
	}
	var ids, reasons []string
	keep := func(m message.Message, reason string) error {
		require.Equal(t, queue, m.Queue)
		require.Equal(t, message.Cause{RequestID: "req", CorrelationID: "corr"}, m.Cause(), "FUL-8")
		ids, reasons = append(ids, m.ID), append(reasons, reason)
		return nil
	}
	for _, want := range []int{2, 1, 0} {
		n, err := b.DeadLetters(t.Context(), queue, 2, keep)
		require.NoError(t, err)
		require.Equal(t, want, n)
	}
	require.ElementsMatch(t, []string{"m0", "m1", "m2"}, ids)
	require.ElementsMatch(t, []string{"reason 0", "reason 1", "reason 2"}, reasons)
}

func leavesWhatIsNotKept(t *testing.T, b Bus, far Far, queue string) {
	require.NoError(t, b.Send(t.Context(), queue, []message.Message{message.New("m1", "", 1)}))
	far.Bury(t, queue, "odd")
	full := errors.New("the table is full")
	n, err := b.DeadLetters(t.Context(), queue, 5, func(message.Message, string) error { return full })
	require.ErrorIs(t, err, full)
	require.Zero(t, n)
	n, err = b.DeadLetters(t.Context(), queue, 1, func(message.Message, string) error { return nil })
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

func refuses(t *testing.T, b Bus, _ Far, queue string) {
	large := message.New("large", "", strings.Repeat("x", 2<<20))
	for name, c := range map[string]struct {
		queue string
		m     message.Message
		kind  fault.Kind
	}{
		"too large": {queue, large, fault.TooLarge},
		"no id":     {queue, message.New("", "", 1), fault.Invalid},
		"no queue":  {"no-such-queue", message.New("m1", "", 1), fault.NotFound},
	} {
		err := b.Send(t.Context(), c.queue, []message.Message{c.m})
		require.Truef(t, fault.Is(err, c.kind), "%s: %v", name, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, b.Send(ctx, queue, []message.Message{message.New("m1", "", 1)}), context.Canceled)
}
