// Package payoutitems works on the items of the queue "payout-items": one publisher's part of a payout run
// (PAY-22 to PAY-30).
//
// At least once, unordered. An item's state decides what is still to be done; a final one is settled without a
// posting. One that lacks something a person must give, such as an exchange rate, is parked with its reason and
// seen under /operator/v1/deadletters, from where a replay goes on; the other items are not held up (PAY-30).
package payoutitems

import (
	"context"

	"stoa/shared/functionshost"
	"stoa/shared/message"
	"stoa/shared/payout"
	"stoa/shared/queue"
)

// Handler serves the queue.
type Handler struct {
	Payouts *payout.Service
	Parked  queue.Parker
}

// item is the body of a message.
type item struct {
	RunID       string `json:"runId"`
	PublisherID string `json:"publisherId"`
}

// Run works on one item. Nil settles the message, an error brings it back (HST-24). A second delivery finds the
// item's state and goes on from there.
func (h *Handler) Run(ctx context.Context, in functionshost.Invocation) error {
	return queue.Work(ctx, in, message.PayoutItems, h.Parked, func(ctx context.Context, m item) error {
		return h.Payouts.ComputeItem(ctx, m.RunID, m.PublisherID)
	})
}
