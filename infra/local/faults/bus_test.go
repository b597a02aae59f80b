package faults_test

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/stretchr/testify/require"

	"stoa/infra/local/faults"
	"stoa/infra/local/servicebus"
)

// open makes a client that does not try again soon.
func open(t *testing.T, port int, retries int32) *azservicebus.Client {
	t.Helper()
	client, err := azservicebus.NewClientFromConnectionString(servicebus.ConnectionStringAt(port),
		&azservicebus.ClientOptions{RetryOptions: azservicebus.RetryOptions{MaxRetries: retries, RetryDelay: time.Millisecond}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close(context.WithoutCancel(t.Context())) })
	return client
}

func send(t *testing.T, sender *azservicebus.Sender, id string, size int) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return sender.SendMessage(ctx, &azservicebus.Message{MessageID: &id, Body: bytes.Repeat([]byte("x"), size)}, nil)
}

// received are the ids that stand on the queue, taken off it past the proxy.
func received(t *testing.T, queue string) []string {
	t.Helper()
	receiver, err := open(t, broker.Port(), 3).NewReceiverForQueue(queue, nil)
	require.NoError(t, err)
	ids := []string{}
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		messages, err := receiver.ReceiveMessages(ctx, 10, nil)
		cancel()
		if err != nil {
			require.ErrorIs(t, err, context.DeadlineExceeded)
			return ids
		}
		for _, m := range messages {
			ids = append(ids, m.MessageID)
			require.NoError(t, receiver.CompleteMessage(t.Context(), m, nil))
		}
	}
}

func TestBusFaults(t *testing.T) {
	t.Parallel()
	needParts(t)
	queues := map[faults.Fault]string{
		faults.Refuse: "webhooks", faults.TimeOut: "ledger-events", faults.Lose: "leads",
		faults.Kill: "test-drives", faults.KillLate: "payout-items",
	}
	for fault, queue := range queues {
		t.Run(fault.String(), func(t *testing.T) {
			t.Parallel()
			var killed atomic.Int32
			script := &faults.Script{Hold: 20 * time.Millisecond}
			script.OnKill(func() { killed.Add(1) })
			proxy, err := faults.StartBus(script, broker.Port())
			require.NoError(t, err)
			t.Cleanup(proxy.Stop)
			sender, err := open(t, proxy.Port(), 3).NewSender(queue, nil)
			require.NoError(t, err)
			require.NoError(t, send(t, sender, "first", 10))
			script.Arm(faults.At(1, fault))
			// The SDK tries again over a new connection; the message has one id, so the queue has it once.
			require.NoError(t, send(t, sender, "second", 300_000))
			require.Len(t, script.Harms(), 1)
			require.Equal(t, fault == faults.Kill || fault == faults.KillLate, killed.Load() == 1)
			require.Equal(t, []string{"first", "second"}, received(t, queue))
		})
	}
}

// What was lost late has happened, what was refused or killed before has not.
func TestBusFaultHappensOrNot(t *testing.T) {
	t.Parallel()
	needParts(t)
	script := &faults.Script{Hold: time.Millisecond}
	proxy, err := faults.StartBus(script, broker.Port())
	require.NoError(t, err)
	t.Cleanup(proxy.Stop)
	want := []string{}
	for i, fault := range []faults.Fault{faults.Refuse, faults.Lose, faults.Kill, faults.KillLate, faults.TimeOut} {
		sender, err := open(t, proxy.Port(), -1).NewSender("notifications", nil)
		require.NoError(t, err)
		script.Arm(nil)
		require.NoError(t, send(t, sender, fmt.Sprint("open", i), 10))
		script.Arm(faults.At(1, fault))
		require.Error(t, send(t, sender, fmt.Sprint("harmed", i), 10))
		want = append(want, fmt.Sprint("open", i))
		if fault == faults.Lose || fault == faults.KillLate {
			want = append(want, fmt.Sprint("harmed", i))
		}
	}
	require.Equal(t, want, received(t, "notifications"))
}
