package billing

import (
	"context"
	"fmt"

	"stoa/shared/fault"
	"stoa/shared/money"
	"stoa/shared/subscription"
)

// RequestTerm asks the customer for the next term of a subscription, which begins when it is paid (BIL-36, BIL-41).
// The subscription is told what came of it; asked again, it is told the same, and nothing is captured twice (BIL-13).
// One that has ended or is suspended is not asked (BIL-37, BIL-65).
func (s *Service) RequestTerm(ctx context.Context, subscriptionID string, number int) error {
	sub, err := s.subscriber(ctx, subscriptionID)
	if err != nil || sub.Status != subscription.Subscribed {
		return err
	}
	for _, t := range sub.DueTerms(s.deps.Now()) {
		if t.Number == number {
			return s.requestTerm(ctx, sub, t)
		}
	}
	for _, t := range sub.Terms {
		if t.Number == number {
			return nil // it has begun
		}
	}
	return early(fmt.Sprintf("term %d of subscription %s", number, subscriptionID))
}

func (s *Service) requestTerm(ctx context.Context, sub subscription.Subscription, t subscription.Term) error {
	line, err := termLine(sub, t)
	if err != nil {
		return err
	}
	c, err := s.collection(ctx, sub)
	if err != nil {
		return err
	}
	b := Batch{PublisherID: sub.PublisherID}
	switch _, err := s.deps.Ledger.Line(ctx, sub.PublisherID, line.ID); {
	case err == nil: // it was paid
		b.Collections, b.Messages = []Collection{c}, answer(sub, c.Attempt, t.Number, subscription.EventPaymentSucceeded)
		return s.apply(ctx, b, "answer for "+line.SourceKey)
	case !fault.Is(err, fault.NotFound):
		return fmt.Errorf("request %s: %w", line.SourceKey, err)
	}
	bill, err := dueBill(line, t.Number)
	if err != nil {
		return err
	}
	if bill.Total == 0 { // BIL-17: no capture, so none that fails
		c.Attempt++
		line.State, line.CreatedAt = Firm, s.deps.Now().UTC()
		b.Lines, b.Collections, b.Messages = []Line{line}, []Collection{c}, answer(sub, c.Attempt, t.Number, subscription.EventPaymentSucceeded)
		return s.apply(ctx, b, "begin "+line.SourceKey)
	}
	if known, there := c.find(bill.ID); !there {
		c.Bills = append(c.Bills, bill)
	} else if known.Failed && c.State == Due {
		b.Collections, b.Messages = []Collection{c}, answer(sub, c.Attempt, t.Number, subscription.EventPaymentFailed)
		return s.apply(ctx, b, "answer for "+line.SourceKey)
	}
	return s.collect(ctx, sub, c, b, false)
}

// chargeFirm charges a line that is firm at once and was not there after the collection was read: the customer is asked
// for it, and it is posted, whether the customer pays or not. A term that was paid before its Reinstate is paid from
// that money (BIL-100).
func (s *Service) chargeFirm(ctx context.Context, sub subscription.Subscription, c Collection, line Line) error {
	bill, err := billOf([]Line{line})
	if err != nil {
		return err
	}
	bill.New, bill.Suspends = []Line{line}, true
	b := Batch{PublisherID: sub.PublisherID}
	known, there := c.find(bill.ID)
	switch {
	case there && c.State == Asking && known.Asked:
	case there && known.Term > 0: // the term has begun
		if known.Held {
			if err := s.free(ctx, &b, c, known.Total); err != nil {
				return err
			}
		}
		c.remove(bill.ID)
		c.Bills = append(c.Bills, bill)
	case there:
		if err := same(known.New[0], line); err != nil {
			return err
		}
	default:
		c.Bills = append(c.Bills, bill)
	}
	return s.collect(ctx, sub, c, b, false)
}

// endCollection settles what an ended subscription's customer was asked for: terms that never began lapse, and what
// was paid for them is paid back in full (BIL-63, BIL-100). Invoices stay open.
func (s *Service) endCollection(ctx context.Context, sub subscription.Subscription) error {
	c, err := s.collection(ctx, sub)
	if err != nil || c.Tag == "" {
		return err
	}
	if c.State == Asking {
		return s.collect(ctx, sub, c, Batch{PublisherID: sub.PublisherID}, false)
	}
	what := "end the collection of " + sub.ID
	b := Batch{PublisherID: sub.PublisherID}
	back, err := c.sum(func(b Bill) bool { return b.Held })
	if err != nil {
		return err
	}
	if back.Minor > 0 {
		if err := s.payBack(ctx, &b, c, back); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	if err := s.returnUnbegun(ctx, &b, sub); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	var bills []Bill
	for _, bill := range c.Bills {
		if bill.Term == 0 {
			bills = append(bills, bill)
		}
	}
	if len(bills) == len(c.Bills) && len(b.Transactions) == 0 {
		return nil
	}
	c.Bills = bills
	if !c.open(func(b Bill) bool { return b.Failed }) {
		c.State = Clear
	}
	b.Collections = []Collection{c}
	return s.apply(ctx, b, what)
}

// payBack gives money back that is held for terms that never begin.
func (s *Service) payBack(ctx context.Context, b *Batch, c Collection, back money.Amount) error {
	key := fmt.Sprintf("return:%s:%d", c.SubscriptionID, c.Attempt)
	if _, err := s.deps.Instrument.Refund(ctx, Payment{Key: key, BillingAccount: c.BillingAccount, Amount: back}); err != nil {
		return err
	}
	now := s.deps.Now().UTC()
	tx, err := Post("refund.paid", Inputs{
		Names:    map[string]string{"b": c.BillingAccount, "refundId": derivedID(key)},
		Amounts:  map[string]int64{"gross": back.Minor},
		Currency: c.Currency, OccurredAt: now, PostedAt: now,
	})
	b.Transactions = append(b.Transactions, tx)
	return err
}

// returnUnbegun refunds a term that was paid while the subscription ended, so that it never began (BIL-60).
func (s *Service) returnUnbegun(ctx context.Context, b *Batch, sub subscription.Subscription) error {
	due := sub.DueTerms(s.deps.Now())
	if len(due) == 0 {
		return nil
	}
	line, err := termLine(sub, due[0])
	if err != nil {
		return err
	}
	stored, err := s.deps.Ledger.Line(ctx, sub.PublisherID, line.ID)
	if fault.Is(err, fault.NotFound) || err == nil && stored.State != Invoiced {
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.refundLine(ctx, b, stored); err != nil {
		return err
	}
	return s.giveMoneyBack(ctx, b, stored, money.Amount{Minor: stored.gross(), Currency: stored.Currency})
}
