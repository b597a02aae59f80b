// Package payoutitems works on the items of the queue "payout-items": one publisher's part of a payout run
// (PAY-22 to PAY-30).
//
// At least once, unordered. An item's state decides what is still to be done; a final one is settled without a
// posting. One that lacks something a person must give, such as an exchange rate, is parked with its reason and
// seen under /operator/v1/deadletters, from where a replay goes on; the other items are not held up (PAY-30).
package payoutitems

import (
	"context"
	"encoding/json"

	"stoa/shared/fault"
	"stoa/shared/functionshost"
	"stoa/shared/message"
	"stoa/shared/payout"
)

// Parker keeps messages that can never be processed.
type Parker interface {
	Park(ctx context.Context, queue string, m message.Message, reason error) error
}

// Handler serves the queue.
type Handler struct {
	Payouts *payout.Service
	Parked  Parker
}

// Run works on one item. Nil settles the message, an error brings it back (HST-24). A second delivery finds the
// item's state and goes on from there.
func (h *Handler) Run(ctx context.Context, in functionshost.Invocation) error {
	var m struct {
		RunID       string `json:"runId"`
		PublisherID string `json:"publisherId"`
	}
	err := in.Message("message", &m)
	if err == nil {
		err = h.Payouts.ComputeItem(message.WithCorrelation(ctx, in.CorrelationID()), m.RunID, m.PublisherID)
		if err == nil || fault.As(err).Kind.Transient() {
			return err
		}
	}
	return h.Parked.Park(ctx, message.PayoutItems, letter(in), err)
}

// letter is the message as it came. Text that is not JSON is kept as a JSON string.
func letter(in functionshost.Invocation) message.Message {
	text, err := in.Text("message")
	if err != nil {
		text = ""
	}
	body := json.RawMessage(text)
	if !json.Valid(body) {
		body, _ = json.Marshal(text) // a string always marshals
	}
	return message.Message{ID: in.MessageID(), Queue: message.PayoutItems, Body: body, CorrelationID: in.CorrelationID()}
}
