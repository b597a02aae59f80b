package billing

import (
	"context"
	"fmt"
	"slices"
	"time"

	"stoa/shared/message"
	"stoa/shared/money"
	"stoa/shared/subscription"
)

// settlement is what is written about an attempt that was paid or declined.
type settlement struct {
	*Service
	sub subscription.Subscription
	c   Collection
	now time.Time
	b   Batch
}

// paid writes that the attempt was paid, cash of it by the instrument and the rest from customer credit. The lines
// of a term that begins now are posted, invoiced, paid and earned in the one batch (BIL-36, BIL-94); money for a term
// that waits for its Reinstate stays customer credit (BIL-100).
func (t *settlement) paid(ctx context.Context, cash int64) error {
	renewed, owed := 0, int64(0) // by invoices
	var bills []Bill
	for _, bill := range t.c.Bills {
		switch {
		case !bill.Asked:
			bills = append(bills, bill)
		case bill.Term > 0 && t.sub.Status != subscription.Subscribed:
			bill.Asked, bill.Held = false, true
			bills = append(bills, bill)
		default:
			if bill.Term > 0 {
				renewed = bill.Term
			}
			if err := t.receive(ctx, bill, t.c.Credit-min(owed, t.c.Credit)); err != nil {
				return err
			}
			owed += bill.Total
		}
	}
	t.c.Bills = bills
	if err := t.receipt(cash, owed-min(owed, t.c.Credit)); err != nil {
		return err
	}
	if t.c.open(func(b Bill) bool { return b.Failed }) {
		t.c.State = Due
	} else {
		t.c.State, t.c.Since, t.c.Retries = Clear, time.Time{}, 0
	}
	suspended := t.sub.Status == subscription.Suspended && !t.c.open(func(b Bill) bool { return b.Suspends }) // BIL-64
	if renewed > 0 || suspended {
		t.b.Messages = append(t.b.Messages, answer(t.sub, t.c.Attempt, renewed, subscription.EventPaymentSucceeded)...)
	}
	return nil
}

// receipt posts the money that came in: so much of it for invoices, the rest is customer credit.
func (t *settlement) receipt(cash, applied int64) error {
	if cash == 0 {
		return nil
	}
	return t.post("payment.collected", Inputs{
		Names:   map[string]string{"b": t.c.BillingAccount, "providerPaymentId": derivedID(fmt.Sprintf("payment:%s:%d", t.c.SubscriptionID, t.c.Attempt))},
		Amounts: map[string]int64{"amount": cash, "applied": applied, "over": cash - applied},
	})
}

func (t *settlement) post(event string, in Inputs) error {
	in.Currency, in.OccurredAt, in.PostedAt = t.c.Currency, t.now, t.now
	tx, err := Post(event, in)
	if err == nil {
		t.b.Transactions = append(t.b.Transactions, tx)
	}
	return err
}

// receive writes that a bill is paid, from so much credit at most.
func (t *settlement) receive(ctx context.Context, bill Bill, credit int64) error {
	lines, err := t.issue(ctx, bill)
	if err != nil {
		return err
	}
	if credit = min(credit, bill.Total); credit > 0 {
		err := t.post("credit.applied", Inputs{
			Names: map[string]string{"b": t.c.BillingAccount, "invoiceId": bill.ID}, Amounts: map[string]int64{"amount": credit},
		})
		if err != nil {
			return err
		}
	}
	for _, line := range lines {
		if err := earn(&t.b, line, t.now); err != nil {
			return err
		}
	}
	return nil
}

// issue posts what is new of a bill and puts it on an invoice, unless that is done, and returns its lines.
func (t *settlement) issue(ctx context.Context, bill Bill) ([]Line, error) {
	var lines []Line
	for _, line := range bill.New {
		tx, err := Post("charge.posted", line.inputs(t.now))
		if err != nil {
			return nil, err
		}
		t.b.Transactions = append(t.b.Transactions, tx)
		line.CreatedAt, line.InvoiceID = t.now, bill.ID
		lines = append(lines, line)
	}
	for _, id := range bill.Lines {
		line, err := t.deps.Ledger.Line(ctx, t.c.PublisherID, id)
		if err != nil {
			return nil, fmt.Errorf("bill %s: %w", bill.ID, err)
		}
		line.InvoiceID = bill.ID
		lines = append(lines, line)
	}
	if bill.Issued {
		return lines, nil
	}
	return lines, t.post("invoice.issued", Inputs{
		Names: map[string]string{"b": t.c.BillingAccount, "invoiceId": bill.ID}, Amounts: map[string]int64{"total": bill.Total},
	})
}

// earn adds to the batch that a line of a paid invoice is earned: its share waits in escrow for the end of the
// holding period (PAY-2, PAY-3).
func earn(b *Batch, line Line, now time.Time) error {
	line.State, line.CapturedAt, line.EligibleAt = Invoiced, now, now.Add(holding)
	b.Lines = append(b.Lines, line)
	tx, err := Post("earning.reported", line.inputs(now))
	if err != nil {
		return err
	}
	b.Transactions = append(b.Transactions, tx)
	b.Releases = append(b.Releases, line.release())
	b.Messages = append(b.Messages, message.New("mature:"+line.ID, message.LedgerEvents,
		Signal{Kind: SignalMature, PublisherID: line.PublisherID, LineID: line.ID}).At(line.EligibleAt))
	return nil
}

// declined writes that the attempt failed: what is owed stays receivable, a term that would have begun is not posted
// (BIL-36, BIL-49), and the next attempt has its time (BIL-61).
func (t *settlement) declined(ctx context.Context) error {
	var bills []Bill
	suspends, term := false, 0
	for _, bill := range t.c.Bills {
		if !bill.Asked {
			bills = append(bills, bill)
			continue
		}
		if bill.Term > 0 && ended(t.sub) {
			continue // it will never begin
		}
		if bill.Term == 0 {
			if err := t.owe(ctx, &bill); err != nil {
				return err
			}
		} else if term == 0 {
			term = bill.Term
		}
		suspends = suspends || bill.Suspends
		bill.Asked, bill.Failed = false, true
		bills = append(bills, bill)
	}
	t.c.Bills = bills
	if err := t.giveBack(ctx); err != nil {
		return err
	}
	first := t.c.Since.IsZero()
	if t.c.State = Clear; t.c.open(func(b Bill) bool { return b.Failed }) {
		t.c.State = Due
		if first {
			t.c.Since = t.now
		}
	}
	if t.c.State == Due && (first || t.c.Again) {
		t.b.Messages = append(t.b.Messages, again(t.c)...)
	}
	if suspends {
		t.b.Messages = append(t.b.Messages, answer(t.sub, t.c.Attempt, term, subscription.EventPaymentFailed)...)
	}
	return nil
}

// owe puts a bill that was declined on an invoice, which stays open.
func (t *settlement) owe(ctx context.Context, bill *Bill) error {
	if bill.Issued {
		return nil
	}
	lines, err := t.issue(ctx, *bill)
	if err != nil {
		return err
	}
	for _, line := range lines {
		line.State = Owed
		t.b.Lines = append(t.b.Lines, line)
		if !slices.Contains(bill.Lines, line.ID) {
			bill.Lines = append(bill.Lines, line.ID)
		}
	}
	bill.New, bill.Issued = nil, true
	return nil
}

// giveBack frees the credit that was set aside.
func (t *settlement) giveBack(ctx context.Context) error {
	if t.c.Credit == 0 {
		return nil
	}
	return t.free(ctx, &t.b, t.c, t.c.Credit)
}

// free adds to the batch that the customer has so much more credit.
func (s *Service) free(ctx context.Context, b *Batch, c Collection, amount int64) error {
	credit, err := s.credit(ctx, c.PublisherID, c.BillingAccount, c.Currency)
	if err != nil {
		return err
	}
	sum, err := money.Amount{Minor: credit.Free, Currency: c.Currency}.Add(money.Amount{Minor: amount, Currency: c.Currency})
	credit.Free = sum.Minor
	b.Credits = append(b.Credits, credit)
	return err
}
