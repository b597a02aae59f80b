// Package webhooks works the queue of the same name: attempts to call a publisher's webhook, and deadlines of
// subscriptions and their operations (FUL-75 to FUL-95).
//
// At least once, unordered. The domain decides from the state, so that a second delivery of a message finds its
// work done and changes nothing; a call may then be made twice, with the same operation id (FUL-80). A message
// that cannot be read, or names nothing, never will: it is parked with its reason and settled, and staff see it
// under /operator/v1/deadletters. What may succeed later comes back.
//
// A receiver that is slow or dead holds a few workers at most: the calls over its share are put off by a message
// that is due some seconds later, and settled. Each call is logged for its publisher.
package webhooks

import (
	"context"

	"stoa/shared/functionshost"
	"stoa/shared/message"
	"stoa/shared/queue"
	"stoa/shared/subscription"
)

// Worker does what a message asks for.
type Worker interface {
	Work(ctx context.Context, w subscription.Work) error
}

// Handler is the trigger of the queue.
type Handler struct {
	Subscriptions Worker
	Parked        queue.Parker
}

// Run works one message. Nil settles it, an error brings it back (HST-24).
func (h *Handler) Run(ctx context.Context, in functionshost.Invocation) error {
	return queue.Work(ctx, in, message.Webhooks, h.Parked, h.Subscriptions.Work)
}
