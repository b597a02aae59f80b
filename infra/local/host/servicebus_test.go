package host

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/stretchr/testify/require"

	"stoa/infra/local/servicebus"
)

func TestMessageCall(t *testing.T) {
	t.Parallel()
	text := func(s string) *string { return &s }
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	sequence := int64(9)
	c := messageCall(&azservicebus.ReceivedMessage{
		Body: []byte(`{"kind":"k","MessageId":"from the body"}`), MessageID: "m1", DeliveryCount: 2, SequenceNumber: &sequence,
		EnqueuedTime: &at, ExpiresAt: &at, ContentType: text("application/json"), CorrelationID: text("c"),
		Subject: text("s"), ReplyTo: text("r"), To: text("t"), LockToken: [16]byte{1},
		ApplicationProperties: map[string]any{"n": 1, "s": "x"},
	})
	require.Equal(t, `"{\"kind\":\"k\",\"MessageId\":\"from the body\"}"`, c.value, "HST-24: doubly encoded")
	meta := metadata(&function{name: "f"}, c.data, at, nil)
	for key, want := range map[string]any{
		"MessageId": `"from the body"`, // HST-22: the body's property wins
		"kind":      `"k"`, "DeliveryCount": `2`, "SequenceNumber": `9`,
		"EnqueuedTimeUtc": "2026-01-02T03:04:05Z", "ExpiresAtUtc": "2026-01-02T03:04:05Z",
		"ContentType": `"application/json"`, "CorrelationId": `"c"`, "Subject": `"s"`, "Label": `"s"`, "ReplyTo": `"r"`,
		"To": `"t"`, "LockToken": `"01000000-0000-0000-0000-000000000000"`,
	} {
		require.Equal(t, want, meta[key], "HST-24 %s", key)
	}
	for _, key := range []string{"ApplicationProperties", "UserProperties"} {
		require.JSONEq(t, `{"n":1,"s":"x"}`, string(meta[key].(json.RawMessage)), "HST-24 %s", key)
	}
	require.NotContains(t, messageCall(&azservicebus.ReceivedMessage{}).data, "Subject")
}

// queue is a receiver in memory that notes what becomes of its messages.
type queue struct {
	in chan *azservicebus.ReceivedMessage

	mu                           sync.Mutex
	completed, abandoned, renews int
	failReceive                  bool
}

func (q *queue) ReceiveMessages(ctx context.Context, n int, _ *azservicebus.ReceiveMessagesOptions) ([]*azservicebus.ReceivedMessage, error) {
	q.mu.Lock()
	fail := q.failReceive
	q.failReceive = false
	q.mu.Unlock()
	if fail {
		return nil, http.ErrServerClosed
	}
	var out []*azservicebus.ReceivedMessage
	select {
	case m := <-q.in:
		out = append(out, m)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for len(out) < n && len(q.in) > 0 {
		out = append(out, <-q.in)
	}
	return out, nil
}

func (q *queue) CompleteMessage(context.Context, *azservicebus.ReceivedMessage, *azservicebus.CompleteMessageOptions) error {
	return q.note(&q.completed)
}

func (q *queue) AbandonMessage(context.Context, *azservicebus.ReceivedMessage, *azservicebus.AbandonMessageOptions) error {
	return q.note(&q.abandoned)
}

func (q *queue) RenewMessageLock(_ context.Context, m *azservicebus.ReceivedMessage, _ *azservicebus.RenewMessageLockOptions) error {
	until := time.Now().Add(200 * time.Millisecond)
	m.LockedUntil = &until
	return q.note(&q.renews)
}

func (q *queue) Close(context.Context) error { return nil }

func (q *queue) note(count *int) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	*count++
	return nil
}

func (q *queue) counts() [3]int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return [3]int{q.completed, q.abandoned, q.renews}
}

// fakeBus runs the trigger of busless' function over a queue in memory.
func fakeBus(t *testing.T, a *app) *queue {
	h := a.start()
	q := &queue{in: make(chan *azservicebus.ReceivedMessage, 100)}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	h.runBus(ctx, &busTrigger{host: h, function: &h.functions[0], receiver: q, close: func(context.Context) {}})
	return q
}

func TestSettling(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		reply answer
		want  [3]int
	}{
		{"HST-24 2xx completes", jsonAnswer(`{}`), [3]int{1, 0, 0}},
		{"HST-24 500 abandons", answer{Status: 500}, [3]int{0, 1, 0}},
		{"HST-24 a bad reply abandons", answer{Status: 200, Body: "ok"}, [3]int{0, 1, 0}},
		{"HST-24 a time-out abandons", answer{Status: 200}, [3]int{0, 1, 0}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			a := busless(t, "")
			a.onCall = func(seen) answer { return row.reply }
			q := fakeBus(t, a)
			q.in <- &azservicebus.ReceivedMessage{Body: []byte("x"), MessageID: "m"}
			require.Eventually(t, func() bool { return q.counts() == row.want }, 5*time.Second, 5*time.Millisecond)
		})
	}
}

func TestConcurrencyAndRenewal(t *testing.T) {
	t.Parallel()
	a := busless(t, "")
	self, err := os.Executable()
	require.NoError(t, err)
	a.write("host.json", `{"version":"2.0","customHandler":{"description":{"defaultExecutablePath":"`+self+`"}},"extensions":{"serviceBus":{"maxConcurrentCalls":2}}}`)
	release := make(chan struct{})
	a.onCall = func(seen) answer { <-release; return jsonAnswer(`{}`) }
	q := fakeBus(t, a)
	until := time.Now().Add(200 * time.Millisecond)
	for range 5 {
		u := until
		q.in <- &azservicebus.ReceivedMessage{Body: []byte("x"), LockedUntil: &u}
	}
	a.awaitCalls(2)
	require.Eventually(t, func() bool { return q.counts()[2] >= 4 }, 5*time.Second, 5*time.Millisecond, "HST-24: locks are renewed")
	require.Len(t, a.seen(), 2, "HST-24: maxConcurrentCalls")
	close(release)
	require.Eventually(t, func() bool { return q.counts()[0] == 5 }, 5*time.Second, 5*time.Millisecond)
}

func TestReceiveGoesOnAfterAnError(t *testing.T) {
	t.Parallel()
	a := busless(t, "")
	h := a.start()
	q := &queue{in: make(chan *azservicebus.ReceivedMessage, 1), failReceive: true}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	h.runBus(ctx, &busTrigger{host: h, function: &h.functions[0], receiver: q, close: func(context.Context) {}})
	q.in <- &azservicebus.ReceivedMessage{Body: []byte("x")}
	require.Eventually(t, func() bool { return q.counts()[0] == 1 }, 5*time.Second, 10*time.Millisecond)
}

// broker starts the local Service Bus, or skips as storageConnection does.
func broker(t *testing.T, lock time.Duration) *servicebus.Broker {
	t.Helper()
	_, noNode := exec.LookPath("node")
	_, noPackages := os.Stat("../node_modules/rhea")
	if noNode != nil || noPackages != nil {
		if os.Getenv("STOA_TEST_ALL") == "1" {
			t.Fatal("STOA_TEST_ALL=1 needs node and the npm packages of infra/local")
		}
		t.Skip("node or the npm packages of infra/local are not installed")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	b, err := servicebus.Start(ctx, servicebus.Options{LockDuration: lock})
	require.NoError(t, err)
	t.Cleanup(b.Stop)
	return b
}

func TestServiceBus(t *testing.T) {
	t.Parallel()
	b := broker(t, 2*time.Second)
	a := newApp(t, "", map[string]string{"leads": `{"bindings":[{"type":"serviceBusTrigger","name":"lead","queueName":"leads","connection":"Bus"}]}`})
	a.opts.Settings["Bus"] = b.ConnectionString()
	slow := make(chan struct{})
	a.onCall = func(s seen) answer {
		switch text := string(s.Body); {
		case strings.Contains(text, "poison"):
			return answer{Status: 500}
		case strings.Contains(text, "slow"):
			<-slow
		}
		return jsonAnswer(`{}`)
	}
	a.start()
	client, err := azservicebus.NewClientFromConnectionString(b.ConnectionString(), nil)
	require.NoError(t, err)
	defer func() { _ = client.Close(context.Background()) }()
	sender, err := client.NewSender("leads", nil)
	require.NoError(t, err)
	put := func(id, body string) {
		contentType := "application/json"
		require.NoError(t, sender.SendMessage(context.Background(), &azservicebus.Message{
			MessageID: &id, Body: []byte(body), ContentType: &contentType, ApplicationProperties: map[string]any{"k": "v"},
		}, nil))
	}

	put("good", `{"leadId":"l1"}`)
	data, meta := envelopeOf(t, a.awaitCalls(1)[0])
	require.Equal(t, `"{\"leadId\":\"l1\"}"`, data["lead"])
	require.Equal(t, `"good"`, meta["MessageId"])
	require.Equal(t, `1`, meta["DeliveryCount"])
	require.Equal(t, `"l1"`, meta["leadId"])
	require.Equal(t, map[string]any{"k": "v"}, meta["ApplicationProperties"])
	require.NotEmpty(t, meta["EnqueuedTimeUtc"])

	put("slow", `slow`) // longer than its lock: renewed, so delivered once
	a.awaitCalls(2)
	time.AfterFunc(5*time.Second, func() { close(slow) })
	<-slow
	require.Len(t, a.seen(), 2, "HST-24: the lock is renewed while the handler works")

	put("bad", `poison`)
	a.awaitCalls(12)
	dead, err := client.NewReceiverForQueue("leads", &azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueDeadLetter})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	messages, err := dead.ReceiveMessages(ctx, 1, nil)
	require.NoError(t, err)
	require.Equal(t, "bad", messages[0].MessageID, "HST-24: after ten abandons the dead-letter queue")
	require.Len(t, a.seen(), 12)
}
