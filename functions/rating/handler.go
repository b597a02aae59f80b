// Package rating turns the business events of the queue "ledger-events" into charge lines and ledger postings
// (BIL-9 to BIL-14, BIL-23 to BIL-26, BIL-36 to BIL-65), and shows staff the accounts.
//
// At least once, unordered. What makes a message harmless twice is the key of what it writes: a charge line has
// a source key, a transaction an idempotency key, a posting its place on the account. A message that comes before
// what it needs is returned and comes back; one that can never succeed, such as a charge with other content than
// before, is parked with its reason and seen under /operator/v1/deadletters.
package rating

import (
	"context"

	"github.com/shopspring/decimal"

	"stoa/shared/billing"
	"stoa/shared/functionshost"
	"stoa/shared/message"
	"stoa/shared/queue"
	"stoa/shared/web"
)

// Rates keeps exchange rates. Conflict when a day has another rate.
type Rates interface {
	SetRates(ctx context.Context, day string, unitsPerUSD map[string]decimal.Decimal) error
}

// Handler serves the queue and the routes of staff.
type Handler struct {
	Billing *billing.Service
	Parked  queue.Parker
	Rates   Rates
	Pages   web.Pages
}

// Run handles one event. Nil settles the message, an error brings it back (HST-24). An event that was handled
// before changes nothing.
func (h *Handler) Run(ctx context.Context, in functionshost.Invocation) error {
	return queue.Work(ctx, in, message.LedgerEvents, h.Parked, h.Billing.Handle)
}
