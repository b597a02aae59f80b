// Package notifications sends mail from the queue "notifications", each notification once (PUB-68, LED-62).
//
// At least once, unordered. A notification is known by its id: one that was sent is settled without a second
// mail. What cannot be sent for now waits in the agenda and comes back, because a queue gives a message back at once
// and gives it up after ten times, long before a relay is mended or a letter in the hands of a dead process is free
// again. What the relay will never take or has not taken for a day, and a message that is no notification, ends among
// the dead letters, where staff see it (/operator/v1/deadletters).
package notifications

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"stoa/shared/fault"
	"stoa/shared/functionshost"
	"stoa/shared/message"
	"stoa/shared/queue"
)

// Post sends a notification. *mail.Post does.
type Post interface {
	Deliver(ctx context.Context, body []byte) error
}

// Parker keeps messages that can never be processed.
type Parker interface {
	Park(ctx context.Context, queue string, m message.Message, reason error) error
}

// Later sends messages that are due later. *store.DB does.
type Later interface {
	Send(ctx context.Context, msgs ...message.Message) error
}

// Handler is the trigger of the queue.
type Handler struct {
	Post   Post
	Parked Parker
	Later  Later
	Now    func() time.Time
}

const (
	wait     = 3 * time.Minute // longer than a letter is in the hands of who took it
	mostWait = 480             // times: a day
	waited   = ":again:"       // ends the id of a message that has waited, before the number of times
)

// Run sends one notification. Nil settles the message, an error brings it back (HST-24).
func (h *Handler) Run(ctx context.Context, in functionshost.Invocation) error {
	text, err := in.Text("message")
	if err != nil {
		return err
	}
	err = h.Post.Deliver(ctx, []byte(text))
	if err == nil {
		return nil
	}
	if fault.As(err).Kind.Transient() {
		first, times := tries(in.MessageID())
		if times < mostWait {
			return h.again(ctx, in, fmt.Sprint(first, waited, times+1), json.RawMessage(text), err)
		}
	}
	body := json.RawMessage(text)
	if !json.Valid(body) {
		body, _ = json.Marshal(text) // a string always marshals
	}
	return h.Parked.Park(ctx, message.Notifications, message.Message{
		ID: in.MessageID(), Queue: message.Notifications, Body: body,
	}.Caused(queue.CauseOf(in)), err)
}

// again puts the notification off. When that fails as well, the queue gives it back at once.
func (h *Handler) again(ctx context.Context, in functionshost.Invocation, id string, body json.RawMessage, why error) error {
	m := message.Message{ID: id, Queue: message.Notifications, Body: body}.Caused(queue.CauseOf(in))
	if err := h.Later.Send(ctx, m.At(h.Now().Add(wait))); err != nil {
		return errors.Join(why, fmt.Errorf("put off notification %s: %w", id, err))
	}
	return nil
}

// tries parts a message's id into that of the first message and how often it has waited.
func tries(id string) (first string, times int) {
	first, number, _ := strings.Cut(id, waited)
	times, err := strconv.Atoi(number)
	if err != nil {
		return id, 0
	}
	return first, times
}
