// Package webhooks works the queue of the same name: attempts to call a publisher's webhook, and deadlines of
// subscriptions and their operations (FUL-75 to FUL-95).
//
// At least once, unordered. The domain decides from the state, so that a second delivery of a message finds its
// work done and changes nothing; a call may then be made twice, with the same operation id (FUL-80). A message
// that cannot be read, or names nothing, never will: it is parked with its reason and settled, and staff see it
// under /operator/v1/deadletters. What may succeed later comes back.
package webhooks

import (
	"context"
	"encoding/json"

	"stoa/shared/fault"
	"stoa/shared/functionshost"
	"stoa/shared/message"
	"stoa/shared/subscription"
)

// Parker keeps messages that can never be processed.
type Parker interface {
	Park(ctx context.Context, queue string, m message.Message, reason error) error
}

// Worker does what a message asks for.
type Worker interface {
	Work(ctx context.Context, w subscription.Work) error
}

// Handler is the trigger of the queue.
type Handler struct {
	Subscriptions Worker
	Parked        Parker
}

// Run works one message. Nil settles it, an error brings it back (HST-24).
func (h *Handler) Run(ctx context.Context, in functionshost.Invocation) error {
	var w subscription.Work
	err := in.Message("message", &w)
	if err == nil {
		ctx = message.WithCorrelation(ctx, in.CorrelationID())
		err = h.Subscriptions.Work(ctx, w)
	}
	if err == nil || fault.As(err).Kind.Transient() {
		return err
	}
	return h.park(ctx, in, err)
}

func (h *Handler) park(ctx context.Context, in functionshost.Invocation, reason error) error {
	text, err := in.Text("message")
	if err != nil {
		return err
	}
	body := json.RawMessage(text)
	if !json.Valid(body) {
		if body, err = json.Marshal(text); err != nil {
			return err
		}
	}
	m := message.Message{ID: in.MessageID(), Queue: message.Webhooks, Body: body, CorrelationID: in.CorrelationID()}
	return h.Parked.Park(ctx, message.Webhooks, m, reason)
}
