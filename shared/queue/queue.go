// Package queue is what the triggers of all queues share: a message is decoded and worked off, comes back when it
// may succeed later, and is parked with its reason when it never will (HST-24).
//
// Delivery is at least once and unordered; the work decides from the state, so that a second delivery changes
// nothing. Staff see what was parked under /operator/v1/deadletters.
package queue

import (
	"context"
	"encoding/json"

	"stoa/shared/fault"
	"stoa/shared/functionshost"
	"stoa/shared/message"
)

// Parker keeps messages that can never be processed.
type Parker interface {
	Park(ctx context.Context, queue string, m message.Message, reason error) error
}

// Work decodes the message of an invocation and does what it asks for. Nil settles the message, an error brings
// it back. The context carries the ids of the request that caused the message (FUL-8).
func Work[T any](ctx context.Context, in functionshost.Invocation, name string, parked Parker, do func(context.Context, T) error) error {
	var m T
	err := in.Message("message", &m)
	if err == nil {
		err = do(message.WithCause(ctx, CauseOf(in)), m)
		if err == nil || fault.As(err).Kind.Transient() {
			return err
		}
	}
	return parked.Park(ctx, name, letter(in, name), err)
}

// letter is the message as it came. Text that is not JSON is kept as a JSON string.
func letter(in functionshost.Invocation, name string) message.Message {
	text, err := in.Text("message")
	if err != nil {
		text = ""
	}
	body := json.RawMessage(text)
	if !json.Valid(body) {
		body, _ = json.Marshal(text) // a string always marshals
	}
	return message.Message{ID: in.MessageID(), Queue: name, Body: body}.Caused(CauseOf(in))
}

// CauseOf is the request that caused the message of an invocation.
func CauseOf(in functionshost.Invocation) message.Cause {
	return message.Cause{RequestID: in.RequestID(), CorrelationID: in.CorrelationID()}
}
