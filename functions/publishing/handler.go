// Package publishing runs the steps of submissions from the queue publish-steps (PUB-12, PUB-36).
//
// At least once, unordered. A step that is done, or whose submission no longer runs, is settled without a second
// effect. A message that cannot be read, or names no submission, never will: it is parked with its reason and
// settled, and staff see it under /operator/v1/deadletters. What may succeed later comes back.
package publishing

import (
	"context"
	"encoding/json"

	"stoa/shared/fault"
	"stoa/shared/functionshost"
	"stoa/shared/message"
	"stoa/shared/publish"
)

// Parker keeps messages that can never be processed.
type Parker interface {
	Park(ctx context.Context, queue string, m message.Message, reason error) error
}

// Runner runs one step.
type Runner interface {
	RunStep(ctx context.Context, m publish.StepMessage) error
}

// Handler is the trigger of the queue.
type Handler struct {
	Publishing Runner
	Parked     Parker
}

// Run runs one step. Nil settles the message, an error brings it back (HST-24). A second delivery finds the step
// done and changes nothing.
func (h *Handler) Run(ctx context.Context, in functionshost.Invocation) error {
	var m publish.StepMessage
	err := in.Message("message", &m)
	if err == nil {
		ctx = message.WithCorrelation(ctx, in.CorrelationID())
		err = h.Publishing.RunStep(ctx, m)
		if err == nil || fault.As(err).Kind.Transient() {
			return err
		}
	}
	text, textErr := in.Text("message")
	if textErr != nil {
		text = ""
	}
	body, bodyErr := json.Marshal(text)
	if bodyErr != nil {
		return bodyErr
	}
	if json.Valid([]byte(text)) {
		body = []byte(text)
	}
	return h.Parked.Park(ctx, message.PublishSteps, message.Message{
		ID: in.MessageID(), Queue: message.PublishSteps, Body: body, CorrelationID: in.CorrelationID(),
	}, err)
}
