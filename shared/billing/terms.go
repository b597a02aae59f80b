package billing

import (
	"context"
	"fmt"
	"slices"
	"time"

	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/subscription"
)

// ChargeTerm charges a term of a subscription that has begun, and the changes inside it (BIL-15, BIL-46), or takes
// the charge back when the subscription was cancelled inside the free window. Charging it again is nothing; the error
// is Conflict "BillingConflict" when the term has changed since it was charged, and Unavailable while it is not known.
func (s *Service) ChargeTerm(ctx context.Context, subscriptionID string, number int) error {
	sub, t, err := s.term(ctx, subscriptionID, number)
	if err != nil {
		return err
	}
	line, err := termLine(sub, t)
	if err != nil {
		return err
	}
	if sub.Waived {
		if err := s.waive(ctx, sub, t, line); err != nil {
			return err
		}
		return s.EndUsage(ctx, sub.ID) // what was used is charged (BIL-26)
	}
	if err := s.charge(ctx, sub, line); err != nil || t.Trial {
		return err
	}
	stored, err := s.deps.Ledger.Line(ctx, line.PublisherID, line.ID)
	if err != nil {
		return fmt.Errorf("charge %s: %w", line.SourceKey, err)
	}
	return s.prorate(ctx, sub, t, stored)
}

// ChargeChange is ChargeTerm once the change of an operation is known (FUL-58).
func (s *Service) ChargeChange(ctx context.Context, subscriptionID string, number int, operationID string) error {
	sub, _, err := s.term(ctx, subscriptionID, number)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(sub.Plans, func(p subscription.PlanSpan) bool { return p.Operation == operationID }) {
		return unknown(fmt.Sprintf("the change %s of subscription %s", operationID, subscriptionID))
	}
	return s.ChargeTerm(ctx, subscriptionID, number)
}

// term reads a subscription and one of its terms.
func (s *Service) term(ctx context.Context, subscriptionID string, number int) (subscription.Subscription, subscription.Term, error) {
	sub, err := s.deps.Subscriptions.Subscription(ctx, subscriptionID)
	if fault.Is(err, fault.NotFound) {
		return sub, subscription.Term{}, unknown("subscription " + subscriptionID)
	}
	if err != nil {
		return sub, subscription.Term{}, fmt.Errorf("charge term %d of %s: %w", number, subscriptionID, err)
	}
	for _, t := range sub.Terms {
		if t.Number == number {
			return sub, t, nil
		}
	}
	return sub, subscription.Term{}, unknown(fmt.Sprintf("term %d of subscription %s", number, subscriptionID))
}

// charge charges a new line. The same line again is nothing (BIL-9, BIL-10).
func (s *Service) charge(ctx context.Context, sub subscription.Subscription, line Line) error {
	// Read before the line: one who posts the line meanwhile changes the collection, under whose tag it is asked for.
	// The other way round a line could be asked for again that was paid between the two reads.
	c, err := s.collection(ctx, sub)
	if err != nil {
		return fmt.Errorf("charge %s: %w", line.SourceKey, err)
	}
	stored, err := s.deps.Ledger.Line(ctx, line.PublisherID, line.ID)
	if err == nil {
		return same(stored, line)
	}
	if !fault.Is(err, fault.NotFound) {
		return fmt.Errorf("charge %s: %w", line.SourceKey, err)
	}
	if line.State == Firm && line.gross() != 0 {
		return s.chargeFirm(ctx, sub, c, line)
	}
	b, err := s.newLine(line)
	if err != nil {
		return fmt.Errorf("charge %s: %w", line.SourceKey, err)
	}
	err = s.deps.Ledger.Apply(ctx, b)
	if fault.Is(err, fault.Conflict) {
		stored, err := s.deps.Ledger.Line(ctx, line.PublisherID, line.ID)
		if err != nil {
			return fmt.Errorf("charge %s: %w", line.SourceKey, err)
		}
		return same(stored, line)
	}
	if err != nil {
		return fmt.Errorf("charge %s: %w", line.SourceKey, err)
	}
	return nil
}

func same(stored, line Line) error {
	if stored.Hash != line.Hash {
		return fault.New(fault.Conflict, "BillingConflict", line.SourceKey, "%s was charged with other content before", line.SourceKey)
	}
	return nil
}

// newLine is the batch of a line that does not exist yet and that nobody is asked for: it is free of charge, or waits
// for the end of its free window.
func (s *Service) newLine(line Line) (Batch, error) {
	now := s.deps.Now().UTC()
	line.CreatedAt = now
	b := Batch{PublisherID: line.PublisherID}
	if line.gross() == 0 { // BIL-17: shown, not posted
		if line.State != Pending {
			line.State = Firm
		}
		b.Lines = []Line{line}
		return b, nil
	}
	posted, err := Post("charge.posted", line.inputs(now))
	if err != nil {
		return b, err
	}
	b.Transactions, b.Lines = []Transaction{posted}, []Line{line}
	b.Messages = []message.Message{message.New("firm:"+line.ID, message.LedgerEvents,
		Signal{Kind: SignalFirm, PublisherID: line.PublisherID, LineID: line.ID}).At(line.FirmAt.Add(time.Millisecond))}
	return b, nil
}

// chain is the line of a term with those of the changes inside it, as they are stored, in order.
func (s *Service) chain(ctx context.Context, sub subscription.Subscription, t subscription.Term, line Line) ([]Line, error) {
	lines := []Line{line}
	for _, change := range changesIn(sub, t) {
		for _, part := range []string{"reversal", "used", "new"} {
			l, err := s.deps.Ledger.Line(ctx, sub.PublisherID, LineID(segmentKey(sub.ID, change.Operation, part)))
			if fault.Is(err, fault.NotFound) {
				continue
			}
			if err != nil {
				return nil, err
			}
			lines = append(lines, l)
		}
	}
	return lines, nil
}

// Confirm ends the free window of a line and of the changes inside its term: they are captured, or voided when the
// subscription was cancelled inside the window (BIL-11, BIL-32). The time of the cancellation decides, not when this
// is called.
func (s *Service) Confirm(ctx context.Context, publisherID, lineID string) error {
	what := "confirm line " + lineID
	line, err := s.deps.Ledger.Line(ctx, publisherID, lineID)
	if fault.Is(err, fault.NotFound) {
		return unknown("charge line " + lineID)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if line.State == Pending && !s.deps.Now().After(line.FirmAt) {
		return early("the end of the free window of line " + lineID)
	}
	sub, err := s.deps.Subscriptions.Subscription(ctx, line.SubscriptionID)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	switch line.State {
	case Firm: // an attempt broke off
		c, err := s.collection(ctx, sub)
		if err != nil {
			return err
		}
		return s.collect(ctx, sub, c, Batch{PublisherID: publisherID}, false)
	case Pending:
	default:
		return nil
	}
	lines := []Line{line}
	if t, ok := firstTerm(sub); ok {
		if lines, err = s.chain(ctx, sub, t, line); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	if sub.Waived || !sub.EndedAt.IsZero() && !sub.EndedAt.After(line.FirmAt) {
		return s.takeBack(ctx, sub, lines)
	}
	return s.confirm(ctx, sub, lines)
}

func firstTerm(sub subscription.Subscription) (subscription.Term, bool) {
	i := slices.IndexFunc(sub.Terms, func(t subscription.Term) bool { return t.Number == 1 })
	if i < 0 {
		return subscription.Term{}, false
	}
	return sub.Terms[i], true
}

// confirm makes pending lines firm and bills them, in invoices of as many lines as fit. The line of the term, the
// first one, goes with the last invoice: until then it is pending and the rest is found again.
func (s *Service) confirm(ctx context.Context, sub subscription.Subscription, lines []Line) error {
	for len(lines) > 0 {
		n := min(len(lines), mostLines)
		part := lines[len(lines)-n:]
		lines = lines[:len(lines)-n]
		var pending []Line
		billed := false
		for _, l := range part {
			if l.State != Pending {
				continue
			}
			l.State = Firm
			pending, billed = append(pending, l), billed || l.gross() != 0
		}
		b := Batch{PublisherID: sub.PublisherID}
		var err error
		switch {
		case len(pending) == 0:
		case !billed:
			b.Lines = pending
			err = s.apply(ctx, b, "confirm "+pending[0].SourceKey)
		default:
			err = s.billLines(ctx, sub, b, pending, true)
		}
		if err != nil {
			return fmt.Errorf("confirm the lines of %s: %w", sub.ID, err)
		}
	}
	return nil
}
