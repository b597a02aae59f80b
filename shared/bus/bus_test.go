package bus_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/stretchr/testify/require"

	"stoa/infra"
	"stoa/infra/local/servicebus"
	"stoa/shared/bus"
	"stoa/shared/bus/bustest"
	"stoa/shared/fault"
	"stoa/shared/message"
)

var broker *servicebus.Broker

func TestMain(m *testing.M) {
	os.Exit(func() int {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		var err error
		if broker, err = servicebus.Start(ctx, servicebus.Options{}); err != nil {
			fmt.Fprintln(os.Stderr, "the bus tests are skipped:", err)
			if os.Getenv("STOA_TEST_ALL") == "1" {
				return 1
			}
			return 0
		}
		defer broker.Stop()
		return m.Run()
	}())
}

func patience(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// far receives with the SDK, like the host does.
type far struct{ client *azservicebus.Client }

func (f far) receiver(t *testing.T, queue string) *azservicebus.Receiver {
	t.Helper()
	r, err := f.client.NewReceiverForQueue(queue, nil)
	require.NoError(t, err)
	return r
}

func (f far) Receive(t *testing.T, queue string, n int) []message.Message {
	t.Helper()
	ctx := patience(t)
	r := f.receiver(t, queue)
	defer func() { require.NoError(t, r.Close(ctx)) }()
	var got []message.Message
	for len(got) < n {
		received, err := r.ReceiveMessages(ctx, n-len(got), nil)
		require.NoError(t, err)
		for _, m := range received {
			require.Equal(t, "application/json", *m.ContentType)
			found := message.Message{ID: m.MessageID, Body: m.Body}
			if m.CorrelationID != nil {
				found.CorrelationID = *m.CorrelationID
			}
			found.RequestID, _ = m.ApplicationProperties[bus.RequestIDProperty].(string)
			got = append(got, found)
			require.NoError(t, r.CompleteMessage(ctx, m, nil))
		}
	}
	return got
}

func (f far) Bury(t *testing.T, queue, reason string) {
	t.Helper()
	ctx := patience(t)
	r := f.receiver(t, queue)
	defer func() { require.NoError(t, r.Close(ctx)) }()
	received, err := r.ReceiveMessages(ctx, 1, nil)
	require.NoError(t, err)
	require.NoError(t, r.DeadLetterMessage(ctx, received[0], &azservicebus.DeadLetterOptions{Reason: &reason}))
}

func open(t *testing.T) *bus.Bus {
	t.Helper()
	b, err := bus.Open(bus.Options{ConnectionString: broker.ConnectionString()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close(context.WithoutCancel(t.Context()))) })
	return b
}

func TestServiceBus(t *testing.T) {
	t.Parallel()
	client, err := azservicebus.NewClientFromConnectionString(broker.ConnectionString(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close(context.WithoutCancel(t.Context()))) })
	bustest.Suite(t, open(t), far{client})
}

// near is the other end of the twin.
type near struct{ *bustest.Recorder }

func (n near) Receive(_ *testing.T, queue string, count int) []message.Message {
	return n.Take(queue, count)
}

func (n near) Bury(_ *testing.T, queue, reason string) { n.Recorder.Bury(queue, reason) }

func TestTwin(t *testing.T) {
	t.Parallel()
	r := &bustest.Recorder{}
	for _, q := range infra.All.Queues {
		r.Queues = append(r.Queues, q.Name)
	}
	bustest.Suite(t, r, near{r})
}

func TestBusAway(t *testing.T) {
	t.Parallel()
	b, err := bus.Open(bus.Options{ConnectionString: "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=local;SharedAccessKey=local;UseDevelopmentEmulator=true"})
	require.NoError(t, err)
	err = b.Send(patience(t), message.Leads, []message.Message{message.New("m1", "", 1)})
	require.Truef(t, fault.Is(err, fault.Unavailable), "%v", err)
	_, err = bus.Open(bus.Options{ConnectionString: "nonsense"})
	require.Error(t, err)
}

// A check makes a round trip each time: it notices a bus that has gone, and a queue that is not there.
func TestCheck(t *testing.T) {
	t.Parallel()
	own, err := servicebus.Start(patience(t), servicebus.Options{})
	require.NoError(t, err)
	b, err := bus.Open(bus.Options{ConnectionString: own.ConnectionString()})
	require.NoError(t, err)
	t.Cleanup(func() { _ = b.Close(context.WithoutCancel(t.Context())) })
	require.NoError(t, b.Check(patience(t), message.Leads))
	require.NoError(t, b.Check(patience(t), message.Leads))
	require.True(t, fault.Is(b.Check(patience(t), "nosuch"), fault.NotFound))
	own.Stop()
	require.True(t, fault.Is(b.Check(patience(t), message.Leads), fault.Unavailable))
}
