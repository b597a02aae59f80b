package subscription

import (
	"context"
	"slices"
	"strings"

	"stoa/shared/fault"
)

// The types of payment events (6.16).
const (
	EventPaymentFailed    = "PaymentFailed"
	EventPaymentSucceeded = "PaymentSucceeded"
)

const (
	maxEventID = 128
	heardKept  = 32 // payment events that are remembered
)

// PaymentEvent is what the billing side says of a charge: that it failed, or that what was due is paid.
type PaymentEvent struct {
	ID             string
	SubscriptionID string
	Type           string
}

// Payment hears of a payment: a failure suspends, a success asks for the reinstatement (FUL-84, FUL-86). An event
// whose id was heard before does nothing, nor does one that the state has no use for. NotFound, Invalid.
func (s *Service) Payment(ctx context.Context, in PaymentEvent) error {
	if err := in.check(); err != nil {
		return err
	}
	sub, err := s.read(ctx, in.SubscriptionID)
	if err != nil {
		return err
	}
	_, err = s.act(ctx, sub, func(d *decision) error {
		if slices.Contains(d.sub.Payments, in.ID) {
			return errNothing
		}
		pending, err := s.pending(ctx, &d.sub)
		if err != nil {
			return err
		}
		if in.Type == EventPaymentFailed {
			_, err = d.suspend(pending)
		} else {
			_, err = d.reinstate()
		}
		if err != nil && !fault.Is(err, fault.Conflict) {
			return err
		}
		heard := append(slices.Clone(d.sub.Payments), in.ID)
		d.sub.Payments = heard[max(0, len(heard)-heardKept):]
		return nil
	})
	return err
}

func (in *PaymentEvent) check() error {
	var f fault.Findings
	switch id := strings.TrimSpace(in.ID); {
	case id == "":
		f.Add(CodeRequired, "id", "The id of the event is required.")
	case len(in.ID) > maxEventID:
		f.Add(CodeInvalid, "id", "The id may have %d bytes at most, found %d.", maxEventID, len(in.ID))
	}
	if in.SubscriptionID == "" {
		f.Add(CodeRequired, "subscriptionId", "The subscriptionId is required.")
	}
	switch in.Type {
	case EventPaymentFailed, EventPaymentSucceeded:
	case "":
		f.Add(CodeRequired, "type", "The type is required: %s or %s.", EventPaymentFailed, EventPaymentSucceeded)
	default:
		f.Add(CodeInvalid, "type", "The type must be %s or %s, found %q.", EventPaymentFailed, EventPaymentSucceeded, clip(in.Type))
	}
	return f.Err(fault.Invalid, CodeBadRequest, "The event is not possible as it stands.")
}
