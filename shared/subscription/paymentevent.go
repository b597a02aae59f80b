package subscription

import (
	"context"
	"slices"
	"strconv"
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
	ID             string `json:"id"`
	SubscriptionID string `json:"subscriptionId"`
	Type           string `json:"type"`
	Term           int    `json:"term,omitempty"` // the term that was asked for, 0 when it was something else
}

const attemptPrefix = "attempt:"

// AttemptID is the id of the event that says what came of an attempt, whose numbers go up for each subscription: a
// failure that arrives behind the success of a later attempt is past.
func AttemptID(number int) string { return attemptPrefix + strconv.Itoa(number) }

func attemptOf(id string) int {
	number, found := strings.CutPrefix(id, attemptPrefix)
	n, err := strconv.Atoi(number)
	if !found || err != nil {
		return 0
	}
	return n
}

// Payment hears of a payment: a failure suspends, a success begins the term that it is for, or asks for the
// reinstatement (FUL-84, FUL-86, FUL-88). An event whose id was heard before does nothing, nor does one that the state
// has no use for. NotFound, Invalid.
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
		if err = d.hear(in, pending); err != nil && !fault.Is(err, fault.Conflict) {
			return err
		}
		heard := append(slices.Clone(d.sub.Payments), in.ID)
		d.sub.Payments = heard[max(0, len(heard)-heardKept):]
		return nil
	})
	return err
}

// hear decides about a payment event. A Conflict says that it is of no use.
func (d *decision) hear(in PaymentEvent, pending *Operation) error {
	var err error
	switch begun := in.Term > 0 && in.Term <= d.sub.lastPaid(); {
	case in.Type == EventPaymentFailed && (begun || d.overtaken(in)):
	case in.Type == EventPaymentFailed:
		_, err = d.suspend(pending)
	case d.sub.Status == Subscribed && in.Term > 0:
		if due := d.sub.DueTerms(d.now); len(due) > 0 && due[0].Number == in.Term { // FUL-92
			err = d.renew(due[0])
		}
	default:
		_, err = d.reinstate()
	}
	return err
}

// overtaken reports whether a later attempt was heard of.
func (d *decision) overtaken(in PaymentEvent) bool {
	n := attemptOf(in.ID)
	return n > 0 && slices.ContainsFunc(d.sub.Payments, func(id string) bool { return attemptOf(id) > n })
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
