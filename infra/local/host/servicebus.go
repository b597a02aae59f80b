package host

import (
	"context"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/google/uuid"
)

// receiver is what the trigger needs of a queue's receiver.
type receiver interface {
	ReceiveMessages(ctx context.Context, count int, options *azservicebus.ReceiveMessagesOptions) ([]*azservicebus.ReceivedMessage, error)
	CompleteMessage(ctx context.Context, message *azservicebus.ReceivedMessage, options *azservicebus.CompleteMessageOptions) error
	AbandonMessage(ctx context.Context, message *azservicebus.ReceivedMessage, options *azservicebus.AbandonMessageOptions) error
	RenewMessageLock(ctx context.Context, message *azservicebus.ReceivedMessage, options *azservicebus.RenewMessageLockOptions) error
	Close(ctx context.Context) error
}

// busTrigger receives for one function (HST-24).
type busTrigger struct {
	host     *Host
	function *function
	receiver receiver
	slots    chan struct{}
	close    func(context.Context)
}

const (
	receiveRetry  = time.Second      // wait after a failed receive
	settleTimeout = 30 * time.Second // for one complete, abandon or renew
	minimumRenew  = 100 * time.Millisecond
)

func (h *Host) startServiceBus(ctx context.Context, f *function) error {
	connection, err := connectionString(h.opts.Settings, f.trigger.Connection, "AzureWebJobsServiceBus")
	if err != nil {
		return err
	}
	client, err := azservicebus.NewClientFromConnectionString(connection, nil)
	if err != nil {
		return err
	}
	var r *azservicebus.Receiver
	if f.trigger.QueueName != "" {
		r, err = client.NewReceiverForQueue(f.trigger.QueueName, nil)
	} else {
		r, err = client.NewReceiverForSubscription(f.trigger.TopicName, f.trigger.SubscriptionName, nil)
	}
	if err != nil {
		return err
	}
	h.runBus(ctx, &busTrigger{host: h, function: f, receiver: r, close: func(ctx context.Context) {
		_ = r.Close(ctx)
		_ = client.Close(ctx)
	}})
	return nil
}

// runBus starts the receive loop in the background; it ends with ctx, the messages in work are finished.
func (h *Host) runBus(ctx context.Context, t *busTrigger) {
	t.slots = make(chan struct{}, h.config.bus.concurrent)
	h.triggers.Add(1)
	go func() {
		defer h.triggers.Done()
		t.receive(ctx)
		for range cap(t.slots) { // what is in work holds a slot until it is settled
			t.slots <- struct{}{}
		}
		closing, cancel := context.WithTimeout(context.Background(), settleTimeout)
		defer cancel()
		t.close(closing)
	}()
}

func (t *busTrigger) receive(ctx context.Context) {
	for ctx.Err() == nil {
		free := t.takeSlots(ctx)
		if free == 0 {
			return
		}
		messages, err := t.receiver.ReceiveMessages(ctx, free, nil)
		for range free - len(messages) {
			<-t.slots
		}
		for _, m := range messages {
			t.begin(m)
		}
		if err != nil && ctx.Err() == nil {
			t.host.logFunction(Warning, t.function.name, "receive: %v", err)
			wait := time.NewTimer(receiveRetry)
			select {
			case <-wait.C:
			case <-ctx.Done():
				wait.Stop()
			}
		}
	}
}

// takeSlots waits for one free slot and takes all others that are free.
func (t *busTrigger) takeSlots(ctx context.Context) int {
	select {
	case t.slots <- struct{}{}:
	case <-ctx.Done():
		return 0
	}
	taken := 1
	for {
		select {
		case t.slots <- struct{}{}:
			taken++
		default:
			return taken
		}
	}
}

func (t *busTrigger) begin(m *azservicebus.ReceivedMessage) {
	counted := t.host.work.begin()
	go func() {
		defer func() { <-t.slots }()
		if !counted { // received while the host was stopping: given back
			t.abandon(m)
			return
		}
		defer t.host.work.end()
		t.process(t.host.running, m)
	}()
}

// process invokes the function for one message and settles it: complete after a valid 2xx reply, else
// abandon, a time-out included.
func (t *busTrigger) process(ctx context.Context, m *azservicebus.ReceivedMessage) {
	working, cancel := context.WithCancel(ctx)
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		t.keepLock(working, m)
	}()
	_, err := t.host.invoke(ctx, t.function, messageCall(m))
	cancel()
	<-renewed // the lock token must not change while it is settled
	if err != nil {
		t.abandon(m)
		return
	}
	if !t.host.config.bus.autoComplete {
		return
	}
	settling, cancelSettling := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancelSettling()
	if err := t.receiver.CompleteMessage(settling, m, nil); err != nil {
		t.host.logFunction(Error, t.function.name, "complete message %s: %v", m.MessageID, err)
	}
}

func (t *busTrigger) abandon(m *azservicebus.ReceivedMessage) {
	ctx, cancel := context.WithTimeout(context.Background(), settleTimeout)
	defer cancel()
	if err := t.receiver.AbandonMessage(ctx, m, nil); err != nil {
		t.host.logFunction(Error, t.function.name, "abandon message %s: %v", m.MessageID, err)
	}
}

// keepLock renews the lock at half of what is left of it, for maxAutoLockRenewalDuration.
func (t *busTrigger) keepLock(ctx context.Context, m *azservicebus.ReceivedMessage) {
	ctx, cancel := context.WithTimeout(ctx, t.host.config.bus.autoRenewal)
	defer cancel()
	for m.LockedUntil != nil {
		wait := time.NewTimer(max(time.Until(*m.LockedUntil)/2, minimumRenew))
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return
		}
		if err := t.receiver.RenewMessageLock(ctx, m, nil); err != nil {
			if ctx.Err() == nil {
				t.host.logFunction(Warning, t.function.name, "renew lock of message %s: %v", m.MessageID, err)
			}
			return
		}
	}
}

// messageFromText makes a message of an input given by hand.
func messageFromText(text string, now time.Time) *azservicebus.ReceivedMessage {
	sequence := int64(0)
	return &azservicebus.ReceivedMessage{
		Body: []byte(text), MessageID: uuid.NewString(), DeliveryCount: 1,
		EnqueuedTime: &now, ExpiresAt: &now, SequenceNumber: &sequence,
	}
}

// messageCall is the body as text and the binding data of a Service Bus message (HST-24).
func messageCall(m *azservicebus.ReceivedMessage) call {
	lock, _ := uuid.FromBytes(m.LockToken[:])
	properties := m.ApplicationProperties
	if properties == nil {
		properties = map[string]any{}
	}
	data := bindingData{
		"MessageId": m.MessageID, "DeliveryCount": m.DeliveryCount, "LockToken": lock.String(),
		"ApplicationProperties": properties, "UserProperties": properties,
		"MessageActions": map[string]any{}, "ReceiveActions": map[string]any{},
	}
	for key, value := range map[string]*string{
		"ContentType": m.ContentType, "CorrelationId": m.CorrelationID, "Subject": m.Subject, "Label": m.Subject,
		"ReplyTo": m.ReplyTo, "To": m.To, "SessionId": m.SessionID, "ReplyToSessionId": m.ReplyToSessionID,
		"PartitionKey": m.PartitionKey, "DeadLetterReason": m.DeadLetterReason,
		"DeadLetterSource": m.DeadLetterSource, "DeadLetterErrorDescription": m.DeadLetterErrorDescription,
	} {
		if value != nil {
			data[key] = *value
		}
	}
	if m.SequenceNumber != nil {
		data["SequenceNumber"] = *m.SequenceNumber
	}
	for key, value := range map[string]*time.Time{"EnqueuedTime": m.EnqueuedTime, "ExpiresAt": m.ExpiresAt} {
		if value != nil {
			data[key], data[key+"Utc"] = *value, *value
		}
	}
	text := readText(m.Body)
	data.addJSON(text)
	return call{value: encode(text), data: data}
}
