// Package notifications sends mail from the queue "notifications", each notification once (PUB-68, LED-62).
//
// At least once, unordered. A notification is known by its id: one that was sent is settled without a second
// mail. What the relay does not take for now comes back; what it will never take, and a message that is no
// notification, ends among the dead letters, where staff see it (/operator/v1/deadletters).
package notifications

import (
	"context"
	"encoding/json"

	"stoa/shared/fault"
	"stoa/shared/functionshost"
	"stoa/shared/message"
)

// Post sends a notification. *mail.Post does.
type Post interface {
	Deliver(ctx context.Context, body []byte) error
}

// Parker keeps messages that can never be processed.
type Parker interface {
	Park(ctx context.Context, queue string, m message.Message, reason error) error
}

// Handler is the trigger of the queue.
type Handler struct {
	Post   Post
	Parked Parker
}

// Run sends one notification. Nil settles the message, an error brings it back (HST-24).
func (h *Handler) Run(ctx context.Context, in functionshost.Invocation) error {
	text, err := in.Text("message")
	if err != nil {
		return err
	}
	err = h.Post.Deliver(ctx, []byte(text))
	if err == nil || fault.As(err).Kind.Transient() {
		return err
	}
	body := json.RawMessage(text)
	if !json.Valid(body) {
		body, _ = json.Marshal(text) // a string always marshals
	}
	return h.Parked.Park(ctx, message.Notifications, message.Message{
		ID: in.MessageID(), Queue: message.Notifications, Body: body, CorrelationID: in.CorrelationID(),
	}, err)
}
