// Package publishing runs the steps of submissions from the queue publish-steps (PUB-12, PUB-36).
//
// At least once, unordered. A step that is done, or whose submission no longer runs, is settled without a second
// effect. A message that cannot be read, or names no submission, never will: it is parked with its reason and
// settled, and staff see it under /operator/v1/deadletters. What may succeed later comes back.
package publishing

import (
	"context"

	"stoa/shared/functionshost"
	"stoa/shared/message"
	"stoa/shared/publish"
	"stoa/shared/queue"
)

// Runner runs one step.
type Runner interface {
	RunStep(ctx context.Context, m publish.StepMessage) error
}

// Handler is the trigger of the queue.
type Handler struct {
	Publishing Runner
	Parked     queue.Parker
}

// Run runs one step. Nil settles the message, an error brings it back (HST-24). A second delivery finds the step
// done and changes nothing.
func (h *Handler) Run(ctx context.Context, in functionshost.Invocation) error {
	return queue.Work(ctx, in, message.PublishSteps, h.Parked, h.Publishing.RunStep)
}
