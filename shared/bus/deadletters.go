package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"stoa/shared/message"
)

// DeadLetterWait is how long DeadLetters waits for a message before it takes the queue for empty.
const DeadLetterWait = 2 * time.Second

const settleTime = 10 * time.Second

// DeadLetters hands over up to max messages of the queue's dead-letter queue, each with the reason it stands
// there for. It completes each one after keep has returned nil; the first error ends the run and leaves that
// message and the rest where they are. It returns how many were completed.
func (b *Bus) DeadLetters(ctx context.Context, queue string, max int, keep func(m message.Message, reason string) error) (int, error) {
	receiver, err := b.client.NewReceiverForQueue(queue, &azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueDeadLetter})
	if err != nil {
		return 0, fmt.Errorf("read dead letters of %s: %w", queue, fromAzure(err))
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
		defer cancel()
		_ = receiver.Close(ctx)
	}()
	for n := range max {
		letter, err := receive(ctx, receiver)
		if err != nil {
			return n, fmt.Errorf("read dead letters of %s: %w", queue, fromAzure(err))
		}
		if letter == nil {
			return n, nil
		}
		if err := settle(ctx, receiver, letter, keep, queue); err != nil {
			return n, fmt.Errorf("read dead letters of %s: %w", queue, err)
		}
	}
	return max, nil
}

// receive reads one message; none within DeadLetterWait is an empty answer. It never asks for more at a time: a
// message that is given back would come at once to the receiver that asked, and be locked with it.
func receive(ctx context.Context, receiver *azservicebus.Receiver) (*azservicebus.ReceivedMessage, error) {
	waiting, cancel := context.WithTimeout(ctx, DeadLetterWait)
	defer cancel()
	letters, err := receiver.ReceiveMessages(waiting, 1, nil)
	if len(letters) > 0 {
		return letters[0], nil
	}
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return nil, nil
	}
	return nil, err
}

// settle completes a message that is kept and gives back one that is not; where that fails its lock runs out.
func settle(ctx context.Context, receiver *azservicebus.Receiver, letter *azservicebus.ReceivedMessage, keep func(message.Message, string) error, queue string) error {
	if err := keep(incoming(queue, letter), reason(letter)); err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
		defer cancel()
		_ = receiver.AbandonMessage(ctx, letter, nil)
		return err
	}
	if err := receiver.CompleteMessage(ctx, letter, nil); err != nil {
		return fromAzure(err)
	}
	return nil
}

func incoming(queue string, letter *azservicebus.ReceivedMessage) message.Message {
	m := message.Message{ID: letter.MessageID, Queue: queue, Body: letter.Body}
	if letter.CorrelationID != nil {
		m.CorrelationID = *letter.CorrelationID
	}
	m.RequestID, _ = letter.ApplicationProperties[RequestIDProperty].(string)
	return m
}

func reason(letter *azservicebus.ReceivedMessage) string {
	text := "dead-lettered"
	if letter.DeadLetterReason != nil && *letter.DeadLetterReason != "" {
		text = *letter.DeadLetterReason
	}
	if letter.DeadLetterErrorDescription != nil && *letter.DeadLetterErrorDescription != "" {
		text += ": " + *letter.DeadLetterErrorDescription
	}
	return text
}
