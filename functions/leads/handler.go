// Package leads delivers leads from the queue "leads" (LED-40 to LED-49), shows them to publishers and staff,
// and takes contact requests of customers.
//
// At least once, unordered. A message is known by the attempt it asks for: one that the lead does not expect any
// more is settled without a call. An attempt that fails is no failed message: the lead is tried again by a
// message that is due later, or parked with its reason, and staff see it under /operator/v1/leads/parked. Only a
// message that cannot be read, or names no lead, ends among the dead letters (/operator/v1/deadletters).
package leads

import (
	"context"

	"stoa/shared/account"
	"stoa/shared/functionshost"
	"stoa/shared/lead"
	"stoa/shared/message"
	"stoa/shared/queue"
	"stoa/shared/web"
)

// Leads captures, delivers and replays. *lead.Service does.
type Leads interface {
	Capture(ctx context.Context, e lead.Event) (lead.Lead, error)
	Deliver(ctx context.Context, m lead.Outbound) error
	Lead(ctx context.Context, publisherID, id string) (lead.Lead, error)
	Leads(ctx context.Context, f lead.Filter) ([]lead.Lead, string, error)
	Waiting(ctx context.Context, after string, limit int) ([]lead.Lead, string, error)
	Replay(ctx context.Context, publisherID, id string) (lead.Lead, error)
	ReplayWaiting(ctx context.Context, id string) (lead.Lead, error)
}

// Allower says what a caller may do in a publisher account. *account.Service does.
type Allower interface {
	Allow(ctx context.Context, caller account.Caller, publisherID string, p account.Permission) error
}

// Handler serves the queue and the routes.
type Handler struct {
	Leads    Leads
	Accounts Allower
	Parked   queue.Parker
	Pages    web.Pages
}

// Run delivers one lead. Nil settles the message, an error brings it back (HST-24). A lead that was delivered
// before is settled without a second call.
func (h *Handler) Run(ctx context.Context, in functionshost.Invocation) error {
	return queue.Work(ctx, in, message.Leads, h.Parked, h.Leads.Deliver)
}
