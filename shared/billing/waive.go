package billing

import (
	"context"
	"fmt"

	"stoa/shared/fault"
	"stoa/shared/money"
	"stoa/shared/subscription"
)

// waive sees to it that a term and the changes inside it are not charged, because their subscription was cancelled
// inside the free window: they are never posted, voided while they are pending, and refunded in full when the news of
// the cancellation came after the capture (BIL-11, BIL-32, BIL-62).
func (s *Service) waive(ctx context.Context, sub subscription.Subscription, t subscription.Term, line Line) error {
	stored, err := s.deps.Ledger.Line(ctx, line.PublisherID, line.ID)
	if fault.Is(err, fault.NotFound) {
		// The line is written all the same, so that nobody who saw the subscription before its end charges it.
		line.State, line.CreatedAt = Voided, s.deps.Now().UTC()
		return s.apply(ctx, Batch{PublisherID: line.PublisherID, Lines: []Line{line}}, "waive "+line.SourceKey)
	}
	if err != nil {
		return fmt.Errorf("waive %s: %w", line.SourceKey, err)
	}
	lines, err := s.chain(ctx, sub, t, stored)
	if err != nil {
		return fmt.Errorf("waive %s: %w", line.SourceKey, err)
	}
	return s.takeBack(ctx, sub, lines)
}

// takeBack takes lines back, each from where it is. The last come first, so that a change whose batch is to be written
// meets a term that is still as it was.
func (s *Service) takeBack(ctx context.Context, sub subscription.Subscription, lines []Line) error {
	what := "take the charges of " + sub.ID + " back"
	c, err := s.collection(ctx, sub)
	if err != nil {
		return err
	}
	if c.State == Asking {
		return fault.New(fault.Unavailable, "LedgerBusy", "", "%s: they are being collected", what)
	}
	total := money.Amount{Currency: lines[0].Currency} // of what was paid, also of what a try before gave back
	for _, line := range lines {
		switch {
		case line.State == Firm && line.gross() != 0:
			return fault.New(fault.Unavailable, "LedgerBusy", "", "%s: they are being collected", what)
		case line.State == Invoiced || line.State == Refunded:
			if total, err = total.Add(money.Amount{Minor: line.gross(), Currency: line.Currency}); err != nil {
				return err
			}
		}
	}
	for len(lines) > 0 {
		n := min(len(lines), mostLines)
		part := lines[len(lines)-n:]
		lines = lines[:len(lines)-n]
		b := Batch{PublisherID: sub.PublisherID}
		paid, err := s.takeBackPart(ctx, sub, &b, part)
		if err == nil && paid && len(lines) == 0 {
			err = s.giveMoneyBack(ctx, &b, part[0], total)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if len(b.Lines) == 0 {
			continue
		}
		if err := s.apply(ctx, b, what); err != nil {
			return err
		}
	}
	return nil
}

// takeBackPart adds to the batch that lines are taken back, and reports whether some of them had been paid.
func (s *Service) takeBackPart(ctx context.Context, sub subscription.Subscription, b *Batch, lines []Line) (paid bool, err error) {
	c, err := s.collection(ctx, sub)
	if err != nil {
		return false, err
	}
	unbilled := false
	for _, line := range lines {
		switch line.State {
		case Pending:
			err = s.void(b, line)
		case Owed:
			_, there := c.find(line.InvoiceID)
			unbilled = unbilled || there
			c.remove(line.InvoiceID)
			err = s.cancelOwed(b, line)
		case Invoiced:
			paid = true
			err = s.refundLine(ctx, b, line)
		}
		if err != nil {
			return false, err
		}
	}
	if unbilled {
		if !c.open(func(b Bill) bool { return b.Failed }) {
			c.State = Clear
		}
		b.Collections = []Collection{c}
	}
	return paid, nil
}

// void adds to the batch that a pending line is taken back, exactly (BIL-6).
func (s *Service) void(b *Batch, line Line) error {
	if line.gross() != 0 {
		in := line.inputs(s.deps.Now().UTC())
		in.Reverses = "charge:" + line.ID
		t, err := Post("charge.voided", in)
		if err != nil {
			return err
		}
		b.Transactions = append(b.Transactions, t)
	}
	line.State = Voided
	b.Lines = append(b.Lines, line)
	return nil
}

// cancelOwed adds to the batch that a line is taken off an invoice that was not paid.
func (s *Service) cancelOwed(b *Batch, line Line) error {
	in := line.inputs(s.deps.Now().UTC())
	in.Reverses, in.Names["refundId"], in.Names["stage"] = "charge:"+line.ID, derivedID("refund:"+line.ID), "accrued"
	t, err := Post("refund.posted.openInvoice", in)
	if err != nil {
		return err
	}
	line.State = Voided
	b.Transactions, b.Lines = append(b.Transactions, t), append(b.Lines, line)
	return nil
}

// giveMoneyBack pays the customer what lines had taken in all, and adds it to the batch (BIL-62).
func (s *Service) giveMoneyBack(ctx context.Context, b *Batch, first Line, total money.Amount) error {
	if total.Minor <= 0 {
		return nil
	}
	_, err := s.deps.Instrument.Refund(ctx, Payment{Key: "refund:" + first.ID, BillingAccount: first.BillingAccount, Amount: total})
	if err != nil {
		return err
	}
	in := first.inputs(s.deps.Now().UTC())
	in.Names["refundId"], in.Amounts["gross"] = derivedID("refund:"+first.ID), total.Minor
	t, err := Post("refund.paid", in)
	b.Transactions = append(b.Transactions, t)
	return err
}

// refundLine adds to the batch that a paid line is given back as customer credit, which is paid out: its tax and fee
// with it, its share from where it sits (BIL-6, BIL-70). A share that is payable may be in a payment order already,
// which is not touched: it is taken off the next one (PAY-10, PAY-29).
func (s *Service) refundLine(ctx context.Context, b *Batch, line Line) error {
	now := s.deps.Now().UTC()
	refundID := derivedID("refund:" + line.ID)
	in := line.inputs(now)
	in.Reverses, in.Names["refundId"] = "charge:"+line.ID, refundID
	release, err := s.deps.Ledger.Release(ctx, line.PublisherID, line.EligibleAt, line.ID)
	switch {
	case err != nil && !fault.Is(err, fault.NotFound):
		return err
	case err == nil && !release.Matured:
		in.Names["stage"] = "escrow"
		b.Paid = append(b.Paid, release)
	default:
		in.Names["stage"] = "payable"
		owed := line.release()
		owed.LineID, owed.Kind, owed.Net, owed.Fee = refundID, KindReturned, -line.Net, -line.Fee
		owed.Amount = money.Amount{Minor: -line.Share, Currency: line.Currency}
		owed.ReportedAt, owed.EligibleAt, owed.Matured = now, now, true
		b.Releases = append(b.Releases, owed)
	}
	t, err := Post("refund.posted.paidInvoice", in)
	if err != nil {
		return err
	}
	line.State = Refunded
	b.Transactions, b.Lines = append(b.Transactions, t), append(b.Lines, line)
	return nil
}
