package billing

import (
	"context"
	"fmt"
	"slices"
	"time"

	"stoa/shared/fault"
	"stoa/shared/money"
)

// Instrument takes money from customers by their means of payment, and gives it back. A call whose key was used
// before does nothing and answers what came of the first one, so that a call without an answer is made again with
// its key (BIL-13, BIL-14).
type Instrument interface {
	// Capture takes an amount above 0. That it was declined is an answer; an error says that nothing is known.
	Capture(ctx context.Context, p Payment) (Outcome, error)
	// Refund gives an amount above 0 back, which is never declined.
	Refund(ctx context.Context, p Payment) (Outcome, error)
}

// Payment is money that is to go from a customer or back.
type Payment struct {
	Key            string // idempotency key
	BillingAccount string
	Amount         money.Amount
}

// Outcome is what came of a payment.
type Outcome struct {
	Paid      bool   `json:"paid"`
	Reference string `json:"reference,omitempty"` // of the provider
	Reason    string `json:"reason,omitempty"`    // why it was declined
}

// alwaysPays is the instrument of customers who pay whatever they are asked for.
type alwaysPays struct{}

func (alwaysPays) Capture(_ context.Context, p Payment) (Outcome, error) {
	return Outcome{Paid: true, Reference: derivedID("capture:" + p.Key)}, nil
}

func (alwaysPays) Refund(_ context.Context, p Payment) (Outcome, error) {
	return Outcome{Paid: true, Reference: derivedID("refund:" + p.Key)}, nil
}

// CardState says what a means of payment does when it is charged.
type CardState string

// The states of a means of payment (3.1).
const (
	CardValid    CardState = "valid"
	CardExpired  CardState = "expired"
	CardDeclined CardState = "declined"
	CardRemoved  CardState = "removed"
)

// CardStates are the states a means of payment can be in.
var CardStates = []CardState{CardValid, CardExpired, CardDeclined, CardRemoved}

// Card is the means of payment of a billing account, as the stand-in for a provider knows it. Only a valid one pays;
// the next captures can be told to go otherwise, each by the state it meets.
type Card struct {
	State     CardState   `json:"state"`
	Next      []CardState `json:"next,omitempty"`
	ChangedAt time.Time   `json:"changedAt,omitzero"`

	Tag string `json:"-"` // of the stored row as read
}

const mostNext = 100

// Check finds what is wrong with a card that somebody sets.
func (c Card) Check() error {
	if !slices.Contains(CardStates, c.State) {
		return fault.New(fault.Invalid, "InvalidValue", "state", "must be one of %s", CardStates)
	}
	if len(c.Next) > mostNext {
		return fault.New(fault.Invalid, "InvalidValue", "next", "may have %d entries at most", mostNext)
	}
	for i, s := range c.Next {
		if !slices.Contains(CardStates, s) {
			return fault.New(fault.Invalid, "InvalidValue", fmt.Sprintf("next[%d]", i), "must be one of %s", CardStates)
		}
	}
	return nil
}
