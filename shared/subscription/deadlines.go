package subscription

import (
	"context"
	"fmt"
	"time"

	"stoa/shared/fault"
	"stoa/shared/message"
)

// skew is how much earlier than another machine's clock ours may be; a message that early is sent once more.
const skew = time.Minute

// Work does what a message of the queue webhooks asks for. It decides from the state, so that a message that
// comes twice, late or for nothing changes nothing. NotFound and Invalid when it can never be done.
func (s *Service) Work(ctx context.Context, w Work) error {
	switch w.Kind {
	case PaymentHeard:
		if w.Payment == nil {
			return fault.New(fault.Invalid, CodeInvalid, "payment", "the payment is missing")
		}
		return s.Payment(ctx, *w.Payment)
	case "":
		if w.OperationID == "" || w.Attempt < 1 {
			return fault.New(fault.Invalid, CodeInvalid, "attempt", "neither a deadline nor a delivery attempt")
		}
		return s.deliver(ctx, w)
	}
	var decide func(context.Context, *decision, Work) (time.Time, error)
	switch w.Kind {
	case TermEnd:
		decide = s.termEnd
	case GraceEnd:
		decide = s.graceEnd
	case PendingEnd:
		decide = s.pendingEnd
	case AckDeadline:
		decide = s.ackDeadline
	default:
		return fault.New(fault.Invalid, CodeInvalid, "kind", "there is no deadline %q", w.Kind)
	}
	sub, err := s.read(ctx, w.SubscriptionID)
	if err != nil {
		return err
	}
	var early time.Time
	_, err = s.act(ctx, sub, func(d *decision) error {
		early, err = decide(ctx, d, w)
		return err
	})
	if err != nil || early.IsZero() {
		return err
	}
	m := message.New(fmt.Sprintf("%s:%s:%s:again:%d", w.Kind, w.SubscriptionID, w.OperationID, early.UnixNano()), message.Webhooks, w)
	return s.deps.Store.Send(ctx, m.At(early))
}

// due tells whether an instant has come. A deadline that is less than skew away is given back, to be asked for
// again; one that is further away has a message of its own.
func (d *decision) due(at time.Time) (early time.Time, err error) {
	switch wait := at.Sub(d.now); {
	case wait <= 0:
		return time.Time{}, nil
	case wait <= skew:
		return at, errNothing
	}
	return time.Time{}, errNothing
}

// termEnd asks for the next term of a subscription whose term is over, be it a trial, or ends it (FUL-88 to FUL-92,
// FUL-95). The term begins when it is paid. One message works one term: the next term brings its own, so that missed
// terms are caught up one by one. A suspended subscription is asked for nothing; the price of the term that it misses is
// noted (FUL-90, BIL-64).
func (s *Service) termEnd(ctx context.Context, d *decision, _ Work) (time.Time, error) {
	t, ok := d.sub.CurrentTerm()
	if !ok || d.sub.Status != Subscribed && d.sub.Status != Suspended {
		return time.Time{}, errNothing
	}
	if early, err := d.due(t.EndsAt()); err != nil {
		return early, err
	}
	switch {
	case d.sub.Status == Suspended:
		return time.Time{}, s.miss(ctx, d)
	case d.sub.AutoRenew:
		due := d.sub.DueTerms(d.now)[0]
		if err := s.reprice(ctx, d, due); err != nil {
			return time.Time{}, err
		}
		d.requestTerm(due)
		return time.Time{}, nil
	}
	pending, err := s.pending(ctx, &d.sub)
	if err != nil {
		return time.Time{}, err
	}
	_, err = d.unsubscribe(TermEndAutoRenewOff, FromAzure, pending)
	return time.Time{}, err
}

// miss notes the prices of the terms that a suspended subscription misses, and when it would miss the next.
func (s *Service) miss(ctx context.Context, d *decision) error {
	due := d.sub.DueTerms(d.now)
	spans := len(d.sub.Plans)
	for i := range due {
		if err := s.reprice(ctx, d, d.sub.DueTerms(d.now)[i]); err != nil {
			return err
		}
	}
	if len(d.sub.Plans) == spans {
		return errNothing
	}
	d.termEnds(due[len(due)-1])
	return nil
}

// renew begins the next term, which was paid.
func (d *decision) renew(due Term) error {
	e := TermEndAutoRenewOn
	if d.sub.FreeTrial {
		e = TrialEnd
	}
	m, err := d.take(e)
	if err != nil {
		return err
	}
	d.beginDue(due)
	d.done(m, FromAzure)
	return nil
}

// graceEnd ends a subscription that was not paid for in 30 days; a pending Reinstate holds it (FUL-85, FUL-86).
func (s *Service) graceEnd(_ context.Context, d *decision, _ Work) (time.Time, error) {
	if d.sub.Status != Suspended || d.sub.PendingOp != "" {
		return time.Time{}, errNothing
	}
	if early, err := d.due(d.sub.SuspendedAt.Add(graceTime)); err != nil {
		return early, err
	}
	_, err := d.unsubscribe(GraceExpired, FromAzure, nil)
	return time.Time{}, err
}

// pendingEnd ends a purchase that nobody activated in time (FUL-93).
func (s *Service) pendingEnd(_ context.Context, d *decision, _ Work) (time.Time, error) {
	if d.sub.Status != PendingFulfillmentStart || d.sub.PendingUntil.IsZero() {
		return time.Time{}, errNothing
	}
	if early, err := d.due(d.sub.PendingUntil); err != nil {
		return early, err
	}
	_, err := d.unsubscribe(PendingExpired, FromAzure, nil)
	return time.Time{}, err
}

// ackDeadline completes an operation that nobody acknowledged in time as Success (FUL-76, FUL-77).
func (s *Service) ackDeadline(ctx context.Context, d *decision, w Work) (time.Time, error) {
	o, err := s.OperationOf(ctx, &d.sub, w.OperationID)
	if err != nil {
		return time.Time{}, err
	}
	if o.Status != InProgress || o.Delivery.AckBy.IsZero() {
		return time.Time{}, errNothing
	}
	if early, err := d.due(o.Delivery.AckBy); err != nil {
		return early, err
	}
	return time.Time{}, d.succeed(&o)
}

// overdue names the deadline of the subscription that has passed a while ago, empty when there is none.
func (s *Subscription) overdue(before time.Time) DeadlineKind {
	past := func(at time.Time) bool { return at.Before(before) }
	switch t, running := s.CurrentTerm(); {
	case s.Status == PendingFulfillmentStart && !s.PendingUntil.IsZero() && past(s.PendingUntil):
		return PendingEnd
	case s.Status == Suspended && s.PendingOp == "" && past(s.SuspendedAt.Add(graceTime)):
		return GraceEnd
	case s.Status == Subscribed && running && past(t.EndsAt()):
		return TermEnd
	}
	return ""
}

// overdue is the work of the operation that was due a while ago.
func (o *Operation) overdue(before time.Time) (Work, bool) {
	w := Work{SubscriptionID: o.SubscriptionID, OperationID: o.ID}
	switch at := o.Delivery; {
	case o.Status == InProgress && !at.AckBy.IsZero() && at.AckBy.Before(before):
		w.Kind = AckDeadline
	case at.State == DeliveryWaiting && at.NextAt.Before(before), at.State == DeliveryQueued && o.CreatedAt.Before(before):
		w.Attempt = at.Attempts + 1
	default:
		return w, false
	}
	return w, true
}

// Lateness is how long a deadline may have passed before CatchUp takes it for missed.
const Lateness = 10 * time.Minute

// CatchUp walks a stretch of all subscriptions, at most about limit rows, and sends the work again whose message
// seems to be lost. The next call goes on where this one stopped and begins anew at the end. It returns how many
// messages it sent.
func (s *Service) CatchUp(ctx context.Context, limit int) (int, error) {
	const stretch = 500
	sent := 0
	after, err := s.deps.Store.Mark(ctx)
	if err != nil {
		return 0, fmt.Errorf("read the mark of the catch-up: %w", err)
	}
	for read := 0; read < limit; read += stretch {
		subs, ops, next, err := s.deps.Store.Scan(ctx, after, stretch)
		if err != nil {
			return sent, fmt.Errorf("scan subscriptions: %w", err)
		}
		lost := missed(subs, ops, s.deps.Now().UTC())
		if len(lost) > 0 {
			if err := s.deps.Store.Send(ctx, lost...); err != nil {
				return sent, fmt.Errorf("send what was missed: %w", err)
			}
			sent += len(lost)
		}
		after = next
		if next == "" {
			break
		}
	}
	if err := s.deps.Store.SetMark(ctx, after); err != nil {
		return sent, fmt.Errorf("keep the mark of the catch-up: %w", err)
	}
	return sent, nil
}

// missed makes the messages of work that should have been done. An id holds for the hour, so that the work is
// not sent over and over while it is under way.
func missed(subs []Subscription, ops []Operation, now time.Time) []message.Message {
	before, hour := now.Add(-Lateness), now.Format("2006010215")
	var lost []message.Message
	again := func(w Work) {
		id := fmt.Sprintf("again:%s:%s:%s:%d:%s", w.SubscriptionID, w.Kind, w.OperationID, w.Attempt, hour)
		lost = append(lost, message.New(id, message.Webhooks, w))
	}
	for i := range subs {
		if kind := subs[i].overdue(before); kind != "" {
			again(Work{SubscriptionID: subs[i].ID, Kind: kind})
		}
	}
	for i := range ops {
		if w, ok := ops[i].overdue(before); ok {
			again(w)
		}
	}
	return lost
}
