package billing

import (
	"context"
	"fmt"
	"time"

	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/money"
	"stoa/shared/subscription"
)

// collect writes a batch together with the collection, and asks the customer for what is open: for new bills, or
// again for all. An attempt that is under way is brought to its end first. The batch stands whatever the customer's
// instrument says.
func (s *Service) collect(ctx context.Context, sub subscription.Subscription, c Collection, b Batch, again bool) error {
	what := "collect from " + sub.ID
	for first := true; ; first = false {
		begun := false
		var err error
		if c.State != Asking {
			if begun, err = s.ask(ctx, &c, &b, again); err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
		}
		if first || begun {
			b.Collections = []Collection{c}
			if err := s.apply(ctx, b, what); err != nil {
				return err
			}
		}
		if c.State != Asking {
			return nil
		}
		if c, err = s.collection(ctx, sub); err != nil {
			return err
		}
		if c.State == Asking {
			paid, err := s.attempt(ctx, c)
			if err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
			again = again && paid // what was declined has its schedule
			if c, err = s.collection(ctx, sub); err != nil {
				return err
			}
		}
		b = Batch{PublisherID: sub.PublisherID}
	}
}

// ask begins an attempt, false when there is nothing to ask for. Customer credit is set aside first (BIL-58).
func (s *Service) ask(ctx context.Context, c *Collection, b *Batch, again bool) (bool, error) {
	if !c.choose(again) {
		return false, nil
	}
	asked, err := c.asked()
	if err != nil {
		return false, err
	}
	c.State, c.Again, c.Attempt = Asking, again, c.Attempt+1
	credit, err := s.credit(ctx, c.PublisherID, c.BillingAccount, c.Currency)
	if err != nil {
		return false, err
	}
	for _, pending := range b.Credits { // what the batch itself frees counts
		credit = pending
	}
	if c.Credit = min(credit.Free, asked.Minor); c.Credit > 0 {
		credit.Free -= c.Credit
		b.Credits = []CustomerCredit{credit}
	}
	return true, nil
}

// attempt captures what is asked for and writes what came of it. Doing it again for the same attempt is nothing.
func (s *Service) attempt(ctx context.Context, c Collection) (paid bool, err error) {
	asked, err := c.asked()
	if err != nil {
		return false, err
	}
	out := Outcome{Paid: true}
	if cash := asked.Minor - c.Credit; cash > 0 {
		out, err = s.deps.Instrument.Capture(ctx, Payment{
			Key:            fmt.Sprintf("%s:%d", c.SubscriptionID, c.Attempt), // BIL-14
			BillingAccount: c.BillingAccount, Amount: money.Amount{Minor: cash, Currency: c.Currency},
		})
		if err != nil {
			return false, fmt.Errorf("capture: %w", err)
		}
	}
	sub, err := s.deps.Subscriptions.Subscription(ctx, c.SubscriptionID)
	if err != nil {
		return false, err
	}
	t := &settlement{Service: s, sub: sub, c: c, now: s.deps.Now().UTC(), b: Batch{PublisherID: c.PublisherID}}
	if out.Paid {
		err = t.paid(ctx, asked.Minor-c.Credit)
	} else {
		err = t.declined(ctx)
	}
	if err != nil {
		return false, err
	}
	t.c.Credit, t.c.Again = 0, false
	t.b.Collections = []Collection{t.c}
	if err := s.apply(ctx, t.b, "settle"); err != nil {
		return false, err
	}
	if ended(sub) { // while it was asked for the next term
		return out.Paid, s.endCollection(ctx, sub)
	}
	return out.Paid, nil
}

func ended(sub subscription.Subscription) bool { return sub.Status == subscription.Unsubscribed }

// Collect asks again for what is due: at a time of the schedule, whose number is given, or at once without one, when
// the customer has another instrument (BIL-61). A suspended subscription is asked for the terms that it has missed
// as well (BIL-64).
func (s *Service) Collect(ctx context.Context, subscriptionID string, retry int, at time.Time) error {
	sub, err := s.subscriber(ctx, subscriptionID)
	if err != nil {
		return err
	}
	c, err := s.collection(ctx, sub)
	if err != nil || !c.open(func(Bill) bool { return true }) {
		return err
	}
	if c.State == Due {
		if retry > 0 {
			due, more := c.retryAt()
			if !more || c.Retries != retry-1 || !due.Equal(at) {
				return nil // of a failure that is past
			}
			if s.deps.Now().Before(due) {
				return early("the retry of " + subscriptionID)
			}
			c.Retries = retry
		}
		if err := s.addMissed(ctx, sub, &c); err != nil {
			return err
		}
	}
	return s.collect(ctx, sub, c, Batch{PublisherID: sub.PublisherID}, true)
}

// addMissed adds the bills of the terms that a suspended subscription has missed, each at the price of its start.
func (s *Service) addMissed(ctx context.Context, sub subscription.Subscription, c *Collection) error {
	if sub.Status != subscription.Suspended || !sub.AutoRenew {
		return nil
	}
	for _, t := range sub.DueTerms(s.deps.Now()) {
		line, err := termLine(sub, t)
		if err != nil {
			return err
		}
		if line.gross() == 0 {
			continue // nothing to ask for: it is charged when it begins
		}
		bill, err := dueBill(line, t.Number)
		if err != nil {
			return err
		}
		if _, there := c.find(bill.ID); there {
			continue
		}
		_, err = s.deps.Ledger.Line(ctx, sub.PublisherID, line.ID)
		if fault.Is(err, fault.NotFound) {
			c.Bills = append(c.Bills, bill)
			continue
		}
		if err != nil {
			return fmt.Errorf("missed terms of %s: %w", sub.ID, err)
		}
	}
	return nil
}

// dueBill is the bill of a term that begins when it is paid.
func dueBill(line Line, term int) (Bill, error) {
	bill, err := billOf([]Line{line})
	bill.Term, bill.New, bill.Suspends = term, []Line{line}, true
	return bill, err
}

// answer tells the subscription what came of an attempt (BIL-13). What is not a subscription is not told.
func answer(sub subscription.Subscription, attempt, term int, kind string) []message.Message {
	if len(sub.Terms) == 0 {
		return nil
	}
	event := subscription.PaymentEvent{ID: subscription.AttemptID(attempt), SubscriptionID: sub.ID, Type: kind, Term: term}
	return []message.Message{message.New(fmt.Sprintf("payment:%s:%d", sub.ID, attempt), message.Webhooks,
		subscription.Work{SubscriptionID: sub.ID, Kind: subscription.PaymentHeard, Payment: &event})}
}

// again is the message of the next attempt of the schedule, none when there is none left.
func again(c Collection) []message.Message {
	at, more := c.retryAt()
	if !more {
		return nil
	}
	id := fmt.Sprintf("collect:%s:%d:%d", c.SubscriptionID, c.Since.UnixMilli(), c.Retries+1)
	return []message.Message{message.New(id, message.LedgerEvents,
		Signal{Kind: SignalCollect, SubscriptionID: c.SubscriptionID, Retry: c.Retries + 1, At: at}).At(at)}
}
