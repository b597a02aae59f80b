// Package payoutitems works off the queue "payout-items": it gives the publishers of a run their items, computes
// each one's part of the run, and sends the orders at their date (PAY-22 to PAY-31).
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

// Run does one piece of the work. Nil settles the message, an error brings it back (HST-24). A second delivery finds
// how far the run or the item came and goes on from there.
func (h *Handler) Run(ctx context.Context, in functionshost.Invocation) error {
	return queue.Work(ctx, in, message.PayoutItems, h.Parked, h.Payouts.Handle)
}
