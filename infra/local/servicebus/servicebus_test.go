package servicebus_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/stretchr/testify/require"

	"stoa/infra/local/servicebus"
)

const (
	patience     = 2 * time.Minute // generous: the machine may be busy
	lockDuration = 3 * time.Second
	maxDelivery  = 3
)

// start runs a broker whose queues are named q0 to q9, with the given lock duration.
func start(t *testing.T, opts servicebus.Options) *servicebus.Broker {
	t.Helper()
	if opts.Config == "" {
		opts.Config = config(t)
	}
	opts.Output = t.Output()
	broker, err := servicebus.Start(deadline(t), opts)
	require.NoError(t, err)
	t.Cleanup(broker.Stop)
	return broker
}

func config(t *testing.T) string {
	t.Helper()
	text := `{"queues":[`
	for i := range 10 {
		if i > 0 {
			text += ","
		}
		text += fmt.Sprintf(`{"name":"q%d","maxDeliveryCount":%d,"lockDuration":"PT1M","duplicateDetectionWindow":"PT10M"}`, i, maxDelivery)
	}
	path := filepath.Join(t.TempDir(), "resources.json")
	require.NoError(t, os.WriteFile(path, []byte(text+"]}"), 0o600))
	return path
}

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func connect(t *testing.T, broker *servicebus.Broker) *azservicebus.Client {
	t.Helper()
	client, err := azservicebus.NewClientFromConnectionString(broker.ConnectionString(), &azservicebus.ClientOptions{
		RetryOptions: azservicebus.RetryOptions{MaxRetries: -1},
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close(context.WithoutCancel(t.Context())) })
	return client
}

func sender(t *testing.T, client *azservicebus.Client, queue string) *azservicebus.Sender {
	t.Helper()
	s, err := client.NewSender(queue, nil)
	require.NoError(t, err)
	return s
}

func receiver(t *testing.T, client *azservicebus.Client, queue string, opts *azservicebus.ReceiverOptions) *azservicebus.Receiver {
	t.Helper()
	r, err := client.NewReceiverForQueue(queue, opts)
	require.NoError(t, err)
	return r
}

func deadLetters(t *testing.T, client *azservicebus.Client, queue string) *azservicebus.Receiver {
	t.Helper()
	return receiver(t, client, queue, &azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueDeadLetter})
}

func send(t *testing.T, s *azservicebus.Sender, messages ...*azservicebus.Message) {
	t.Helper()
	for _, m := range messages {
		require.NoError(t, s.SendMessage(deadline(t), m, nil))
	}
}

func text(id, body string) *azservicebus.Message {
	return &azservicebus.Message{MessageID: &id, Body: []byte(body)}
}

// one waits for the next message.
func one(t *testing.T, r *azservicebus.Receiver) *azservicebus.ReceivedMessage {
	t.Helper()
	got, err := r.ReceiveMessages(deadline(t), 1, nil)
	require.NoError(t, err)
	require.Len(t, got, 1)
	return got[0]
}

// none checks that the queue hands nothing out at once.
func none(t *testing.T, r *azservicebus.Receiver) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	got, err := r.ReceiveMessages(ctx, 1, nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Empty(t, got)
}

func requireCode(t *testing.T, err error, code azservicebus.Code) {
	t.Helper()
	var sbErr *azservicebus.Error
	require.ErrorAs(t, err, &sbErr)
	require.Equal(t, code, sbErr.Code)
}

func TestMessageArrivesAsSent(t *testing.T) {
	t.Parallel()
	client := connect(t, start(t, servicebus.Options{}))
	kind, correlation, subject, to, reply := "application/json", "corr", "lead", "you", "me"
	ttl := time.Hour
	body := append([]byte(`{"ä":1}`), 0, 0xff, '\n')
	m := &azservicebus.Message{
		Body: body, ContentType: &kind, CorrelationID: &correlation, Subject: &subject, To: &to, ReplyTo: &reply,
		TimeToLive: &ttl,
		ApplicationProperties: map[string]any{
			"text": "x", "int64": int64(-7), "int32": int32(1 << 20), "true": true, "float": 1.5,
			"time": time.UnixMilli(1_700_000_000_123), "bytes": []byte{0, 1},
		},
	}
	id := "id-1"
	m.MessageID = &id
	before := time.Now().Add(-time.Second)
	send(t, sender(t, client, "q0"), m)

	r := receiver(t, client, "q0", nil)
	got := one(t, r)
	require.Equal(t, body, got.Body)
	require.Equal(t, m.ApplicationProperties, got.ApplicationProperties)
	require.Equal(t, id, got.MessageID)
	require.Equal(t, []*string{&kind, &correlation, &subject, &to, &reply},
		[]*string{got.ContentType, got.CorrelationID, got.Subject, got.To, got.ReplyTo})
	require.Equal(t, ttl, *got.TimeToLive)
	require.EqualValues(t, 1, got.DeliveryCount)
	require.EqualValues(t, 1, *got.SequenceNumber)
	require.WithinRange(t, *got.EnqueuedTime, before, time.Now().Add(time.Second))
	require.True(t, got.LockedUntil.After(*got.EnqueuedTime))
	require.NotZero(t, got.LockToken)
	require.NoError(t, r.CompleteMessage(deadline(t), got, nil))
	none(t, r)
}

func TestBodySizes(t *testing.T) {
	t.Parallel()
	client := connect(t, start(t, servicebus.Options{}))
	s, r := sender(t, client, "q0"), receiver(t, client, "q0", nil)
	for _, size := range []int{0, 1, 255, 256, 65_000, 65_536, 200_000, 1 << 19} {
		body := bytes.Repeat([]byte{'x'}, size)
		send(t, s, &azservicebus.Message{Body: body})
		got := one(t, r)
		require.Equal(t, size, len(got.Body))
		require.NoError(t, r.CompleteMessage(deadline(t), got, nil))
	}
}

func TestBatch(t *testing.T) {
	t.Parallel()
	client := connect(t, start(t, servicebus.Options{}))
	s, r := sender(t, client, "q0"), receiver(t, client, "q0", nil)
	const n = 100
	sendBatch(t, s, 0, n)
	bodies := map[int64]string{}
	for len(bodies) < n {
		got, err := r.ReceiveMessages(deadline(t), n-len(bodies), nil)
		require.NoError(t, err)
		for _, m := range got {
			// The client gives back what arrives between two calls, so the order of arrival is not that of the queue.
			i := *m.SequenceNumber - 1
			require.Equal(t, fmt.Sprintf("message %d", i), string(m.Body))
			require.Equal(t, fmt.Sprintf("id-%d", i), m.MessageID)
			require.NotContains(t, bodies, i, "came twice")
			bodies[i] = string(m.Body)
			require.NoError(t, r.CompleteMessage(deadline(t), m, nil))
		}
	}
	none(t, r)
}

// sendBatch sends messages numbered from to to-1 in one batch.
func sendBatch(t *testing.T, s *azservicebus.Sender, from, to int) {
	t.Helper()
	batch, err := s.NewMessageBatch(deadline(t), nil)
	require.NoError(t, err)
	for i := from; i < to; i++ {
		require.NoError(t, batch.AddMessage(text(fmt.Sprintf("id-%d", i), fmt.Sprintf("message %d", i)), nil))
	}
	require.NoError(t, s.SendMessageBatch(deadline(t), batch, nil))
}

func TestSchedule(t *testing.T) {
	t.Parallel()
	client := connect(t, start(t, servicebus.Options{}))
	s, r := sender(t, client, "q0"), receiver(t, client, "q0", nil)
	due := time.Now().Add(2 * time.Second)
	numbers, err := s.ScheduleMessages(deadline(t), []*azservicebus.Message{text("a", "kept"), text("b", "cancelled")}, due, nil)
	require.NoError(t, err)
	require.Len(t, numbers, 2)
	require.NoError(t, s.CancelScheduledMessages(deadline(t), numbers[1:], nil))
	require.Error(t, s.CancelScheduledMessages(deadline(t), numbers[1:], nil), "cancelled twice")
	peeked, err := r.PeekMessages(deadline(t), 10, nil)
	require.NoError(t, err)
	require.Len(t, peeked, 1)
	require.Equal(t, azservicebus.MessageStateScheduled, peeked[0].State)

	direct := text("c", "by annotation")
	direct.ScheduledEnqueueTime = &due
	send(t, s, direct)
	for _, want := range []string{"kept", "by annotation"} {
		got := one(t, r)
		require.Equal(t, want, string(got.Body))
		require.False(t, time.Now().Before(due.Truncate(time.Millisecond)), "handed out before it was due")
		require.NoError(t, r.CompleteMessage(deadline(t), got, nil))
	}
	none(t, r)
}

func TestAbandonCountsTheDelivery(t *testing.T) {
	t.Parallel()
	client := connect(t, start(t, servicebus.Options{}))
	r := receiver(t, client, "q0", nil)
	send(t, sender(t, client, "q0"), text("a", "x"), text("b", "y"))
	got := one(t, r)
	require.NoError(t, r.AbandonMessage(deadline(t), got, &azservicebus.AbandonMessageOptions{
		PropertiesToModify: map[string]any{"why": "busy", "n": int64(4)},
	}))
	again := one(t, r)
	require.Equal(t, "a", again.MessageID, "it comes back to its place")
	require.Equal(t, []byte("x"), again.Body)
	require.EqualValues(t, 2, again.DeliveryCount)
	require.Equal(t, map[string]any{"why": "busy", "n": int64(4)}, again.ApplicationProperties)
	require.NotEqual(t, got.LockToken, again.LockToken)
}

func TestDeadLetter(t *testing.T) {
	t.Parallel()
	client := connect(t, start(t, servicebus.Options{}))
	r := receiver(t, client, "q0", nil)
	m := text("a", "x")
	m.ApplicationProperties = map[string]any{"kept": int64(1)}
	send(t, sender(t, client, "q0"), m)
	reason, description := "Unreadable", "no JSON"
	require.NoError(t, r.DeadLetterMessage(deadline(t), one(t, r), &azservicebus.DeadLetterOptions{
		Reason: &reason, ErrorDescription: &description, PropertiesToModify: map[string]any{"seen": true},
	}))
	none(t, r)

	dead := deadLetters(t, client, "q0")
	peeked, err := dead.PeekMessages(deadline(t), 1, nil)
	require.NoError(t, err)
	require.Len(t, peeked, 1)
	got := one(t, dead)
	require.Equal(t, []byte("x"), got.Body)
	require.Equal(t, reason, *got.DeadLetterReason)
	require.Equal(t, description, *got.DeadLetterErrorDescription)
	require.Equal(t, "q0", *got.DeadLetterSource)
	require.Equal(t, int64(1), got.ApplicationProperties["kept"])
	require.Equal(t, true, got.ApplicationProperties["seen"])
	require.NoError(t, dead.CompleteMessage(deadline(t), got, nil))
	none(t, dead)
}

func TestDeliveryLimitDeadLetters(t *testing.T) {
	t.Parallel()
	client := connect(t, start(t, servicebus.Options{}))
	r := receiver(t, client, "q0", nil)
	send(t, sender(t, client, "q0"), text("a", "x"))
	for i := range maxDelivery {
		got := one(t, r)
		require.EqualValues(t, i+1, got.DeliveryCount)
		require.NoError(t, r.AbandonMessage(deadline(t), got, nil))
	}
	none(t, r)
	got := one(t, deadLetters(t, client, "q0"))
	require.Equal(t, "MaxDeliveryCountExceeded", *got.DeadLetterReason)
	require.Equal(t, []byte("x"), got.Body)
}

func TestDuplicateDetection(t *testing.T) {
	t.Parallel()
	client := connect(t, start(t, servicebus.Options{}))
	s, r := sender(t, client, "q0"), receiver(t, client, "q0", nil)
	send(t, s, text("a", "first"), text("a", "again"), text("b", "second"))
	got := one(t, r)
	require.Equal(t, "first", string(got.Body))
	require.NoError(t, r.CompleteMessage(deadline(t), got, nil))
	send(t, s, text("a", "after completion"))
	require.Equal(t, "second", string(one(t, r).Body))
	none(t, r)
	send(t, sender(t, client, "q1"), text("a", "another queue"))
	require.Equal(t, "another queue", string(one(t, receiver(t, client, "q1", nil)).Body))
	send(t, s, &azservicebus.Message{Body: []byte("no id")}, &azservicebus.Message{Body: []byte("no id")})
	one(t, r)
	one(t, r)
}

func TestDefer(t *testing.T) {
	t.Parallel()
	client := connect(t, start(t, servicebus.Options{}))
	r := receiver(t, client, "q0", nil)
	send(t, sender(t, client, "q0"), text("a", "x"))
	got := one(t, r)
	require.NoError(t, r.DeferMessage(deadline(t), got, nil))
	none(t, r)
	deferred, err := r.ReceiveDeferredMessages(deadline(t), []int64{*got.SequenceNumber}, nil)
	require.NoError(t, err)
	require.Len(t, deferred, 1)
	require.Equal(t, azservicebus.MessageStateDeferred, deferred[0].State)
	require.NoError(t, r.CompleteMessage(deadline(t), deferred[0], nil))
	_, err = r.ReceiveDeferredMessages(deadline(t), []int64{*got.SequenceNumber}, nil)
	requireCode(t, err, azservicebus.CodeNotFound)
}

func TestPeek(t *testing.T) {
	t.Parallel()
	client := connect(t, start(t, servicebus.Options{}))
	r := receiver(t, client, "q0", nil)
	peeked, err := r.PeekMessages(deadline(t), 5, nil)
	require.NoError(t, err)
	require.Empty(t, peeked)
	send(t, sender(t, client, "q0"), text("a", "1"), text("b", "2"), text("c", "3"))
	one(t, r)
	peeked, err = r.PeekMessages(deadline(t), 2, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, ids(peeked), "a locked message is seen too")
	peeked, err = r.PeekMessages(deadline(t), 2, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"c"}, ids(peeked), "the client goes on from where it was")
}

func ids(messages []*azservicebus.ReceivedMessage) []string {
	var found []string
	for _, m := range messages {
		found = append(found, m.MessageID)
	}
	return found
}

func TestReceiveAndDelete(t *testing.T) {
	t.Parallel()
	client := connect(t, start(t, servicebus.Options{}))
	send(t, sender(t, client, "q0"), text("a", "x"))
	r := receiver(t, client, "q0", &azservicebus.ReceiverOptions{ReceiveMode: azservicebus.ReceiveModeReceiveAndDelete})
	require.Equal(t, "a", one(t, r).MessageID)
	peeked, err := r.PeekMessages(deadline(t), 1, nil)
	require.NoError(t, err)
	require.Empty(t, peeked)
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	client := connect(t, start(t, servicebus.Options{}))
	s := sender(t, client, "q0")
	err := s.SendMessage(deadline(t), &azservicebus.Message{Body: make([]byte, 1<<20)}, nil)
	require.ErrorIs(t, err, azservicebus.ErrMessageTooLarge)
	batch, err := s.NewMessageBatch(deadline(t), nil)
	require.NoError(t, err)
	require.ErrorIs(t, batch.AddMessage(&azservicebus.Message{Body: make([]byte, 1<<20)}, nil), azservicebus.ErrMessageTooLarge)
	send(t, s, text("a", "the link still works"))
}

func TestUnknownQueue(t *testing.T) {
	t.Parallel()
	client := connect(t, start(t, servicebus.Options{}))
	err := sender(t, client, "nowhere").SendMessage(deadline(t), text("a", "x"), nil)
	require.ErrorContains(t, err, "amqp:not-found")
	_, err = receiver(t, client, "nowhere", nil).ReceiveMessages(deadline(t), 1, nil)
	require.ErrorContains(t, err, "amqp:not-found")
	send(t, sender(t, client, "Q0"), text("a", "names have no case"))
	require.Equal(t, "a", one(t, receiver(t, client, "q0", nil)).MessageID)
}

func TestStartTellsWhatIsWrong(t *testing.T) {
	t.Parallel()
	running := start(t, servicebus.Options{})
	_, err := servicebus.Start(deadline(t), servicebus.Options{Config: config(t), Port: running.Port()})
	require.ErrorContains(t, err, "EADDRINUSE")
	_, err = servicebus.Start(deadline(t), servicebus.Options{Config: filepath.Join(t.TempDir(), "nowhere.json")})
	require.ErrorContains(t, err, "ENOENT")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = servicebus.Start(ended, servicebus.Options{Config: config(t)})
	require.ErrorIs(t, err, context.Canceled)
}

func TestDefaultConfigIsTheProjects(t *testing.T) {
	t.Parallel()
	broker, err := servicebus.Start(deadline(t), servicebus.Options{Output: t.Output()})
	require.NoError(t, err)
	t.Cleanup(broker.Stop)
	send(t, sender(t, connect(t, broker), "publish-steps"), text("a", "x"))
}
