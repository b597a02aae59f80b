// Package rating turns the business events of the queue "ledger-events" into charge lines and ledger postings
// (BIL-9 to BIL-12, BIL-23 to BIL-26), and shows staff the accounts.
//
// At least once, unordered. What makes a message harmless twice is the key of what it writes: a charge line has
// a source key, a transaction an idempotency key, a posting its place on the account. A message that comes before
// what it needs is returned and comes back; one that can never succeed, such as a charge with other content than
// before, is parked with its reason and seen under /operator/v1/deadletters.
package rating

import (
	"context"
	"encoding/json"

	"github.com/shopspring/decimal"

	"stoa/shared/billing"
	"stoa/shared/fault"
	"stoa/shared/functionshost"
	"stoa/shared/message"
	"stoa/shared/web"
)

// Parker keeps messages that can never be processed.
type Parker interface {
	Park(ctx context.Context, queue string, m message.Message, reason error) error
}

// Rates keeps exchange rates. Conflict when a day has another rate.
type Rates interface {
	SetRate(ctx context.Context, currency, day string, unitsPerUSD decimal.Decimal) error
}

// Handler serves the queue and the routes of staff.
type Handler struct {
	Billing *billing.Service
	Parked  Parker
	Rates   Rates
	Pages   web.Pages
}

// Run handles one event. Nil settles the message, an error brings it back (HST-24). An event that was handled
// before changes nothing.
func (h *Handler) Run(ctx context.Context, in functionshost.Invocation) error {
	var signal billing.Signal
	err := in.Message("message", &signal)
	if err == nil {
		err = h.Billing.Handle(message.WithCorrelation(ctx, in.CorrelationID()), signal)
		if err == nil || fault.As(err).Kind.Transient() {
			return err
		}
	}
	return h.Parked.Park(ctx, message.LedgerEvents, letter(in), err)
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
	return message.Message{ID: in.MessageID(), Queue: message.LedgerEvents, Body: body, CorrelationID: in.CorrelationID()}
}
