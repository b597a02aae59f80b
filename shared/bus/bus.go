// Package bus is the Service Bus adapter: it sends messages to queues and reads their dead-letter queues.
//
// Delivery is at least once and unordered; a message whose id a queue has seen within its duplicate window is
// dropped there. Receiving from the queues themselves is the Functions host's part. A Bus is safe for concurrent
// use; it connects when it is first used and mends its connection itself.
package bus

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"

	"stoa/shared/fault"
	"stoa/shared/message"
)

// Options say how to reach the namespace.
type Options struct {
	ConnectionString string                 // with keys: the local stack
	Namespace        string                 // host name, with Credential: identity-based
	Credential       azcore.TokenCredential // for Namespace
}

// Bus is a Service Bus namespace.
type Bus struct {
	client *azservicebus.Client

	mu      sync.Mutex
	senders map[string]*azservicebus.Sender
}

// Open makes a client; it does not connect yet.
func Open(o Options) (*Bus, error) {
	options := &azservicebus.ClientOptions{RetryOptions: azservicebus.RetryOptions{
		MaxRetries: 3, RetryDelay: 200 * time.Millisecond, MaxRetryDelay: 2 * time.Second,
	}}
	var client *azservicebus.Client
	var err error
	if o.ConnectionString != "" {
		client, err = azservicebus.NewClientFromConnectionString(o.ConnectionString, options)
	} else {
		client, err = azservicebus.NewClient(o.Namespace, o.Credential, options)
	}
	if err != nil {
		return nil, fmt.Errorf("open service bus: %w", err)
	}
	return &Bus{client: client, senders: map[string]*azservicebus.Sender{}}, nil
}

// Close ends the connection.
func (b *Bus) Close(ctx context.Context) error {
	if err := b.client.Close(ctx); err != nil {
		return fmt.Errorf("close service bus: %w", err)
	}
	return nil
}

// Check opens a link to a queue and closes it again: it is nil when the bus answers and knows the queue.
func (b *Bus) Check(ctx context.Context, queue string) error {
	sender, err := b.client.NewSender(queue, nil)
	if err != nil {
		return fmt.Errorf("check %s: %w", queue, fromAzure(err))
	}
	defer func() { _ = sender.Close(context.WithoutCancel(ctx)) }()
	if _, err := sender.NewMessageBatch(ctx, nil); err != nil { // attaches
		return fmt.Errorf("check %s: %w", queue, fromAzure(err))
	}
	return nil
}

// MaxID is the longest message id a queue takes. A longer one is replaced by its hash, which is as unique.
const MaxID = 128

// Send puts messages on a queue, in as few batches as their size allows. When it returns nil the queue has them
// all; after an error it may have some. The faults are TooLarge for a message no batch can hold, NotFound for a
// queue that does not exist, Invalid for a message without an id, and Unavailable.
func (b *Bus) Send(ctx context.Context, queue string, msgs []message.Message) error {
	for _, m := range msgs {
		if m.ID == "" {
			return fault.New(fault.Invalid, "InvalidMessage", "id", "A message needs an id.")
		}
	}
	if len(msgs) == 0 {
		return nil
	}
	sender, err := b.sender(queue)
	if err != nil {
		return fmt.Errorf("send to %s: %w", queue, fromAzure(err))
	}
	for len(msgs) > 0 {
		n, err := sendBatch(ctx, sender, msgs)
		if err != nil {
			return fmt.Errorf("send to %s: %w", queue, fromAzure(err))
		}
		msgs = msgs[n:]
	}
	return nil
}

// sendBatch sends as many of the messages as fit into one batch and returns how many those were.
func sendBatch(ctx context.Context, sender *azservicebus.Sender, msgs []message.Message) (int, error) {
	batch, err := sender.NewMessageBatch(ctx, nil)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, m := range msgs {
		err := batch.AddMessage(outgoing(m), nil)
		if errors.Is(err, azservicebus.ErrMessageTooLarge) && n > 0 {
			break
		}
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, sender.SendMessageBatch(ctx, batch, nil)
}

// RequestIDProperty is the application property that carries the id of the request a message was caused by (FUL-8).
// The correlation id has a standard property of its own.
const RequestIDProperty = "requestId"

func outgoing(m message.Message) *azservicebus.Message {
	id, contentType := m.ID, "application/json"
	if len(id) > MaxID {
		sum := sha256.Sum256([]byte(id))
		id = hex.EncodeToString(sum[:])
	}
	out := &azservicebus.Message{MessageID: &id, ContentType: &contentType, Body: m.Body}
	if m.CorrelationID != "" {
		out.CorrelationID = &m.CorrelationID
	}
	if m.RequestID != "" { // the standard properties have no place for it
		out.ApplicationProperties = map[string]any{RequestIDProperty: m.RequestID}
	}
	return out
}

func (b *Bus) sender(queue string) (*azservicebus.Sender, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.senders[queue]; s != nil {
		return s, nil
	}
	s, err := b.client.NewSender(queue, nil)
	if err != nil {
		return nil, err
	}
	b.senders[queue] = s
	return s, nil
}

// fromAzure is the one place that knows Service Bus errors.
func fromAzure(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if errors.Is(err, azservicebus.ErrMessageTooLarge) {
		return fault.New(fault.TooLarge, "MessageTooLarge", "", "The message is too large for the queue.").Because(err)
	}
	// The SDK has a code for an unknown queue when its token is refused, and passes the link's refusal on as it is.
	var answer *azservicebus.Error
	var link *amqp.Error
	if errors.As(err, &answer) && answer.Code == azservicebus.CodeNotFound ||
		errors.As(err, &link) && link.Condition == amqp.ErrCondNotFound {
		return fault.New(fault.NotFound, "QueueNotFound", "", "The queue does not exist.").Because(err)
	}
	return fault.New(fault.Unavailable, "BusUnavailable", "", "The message bus did not answer. Try again.").Because(err)
}
