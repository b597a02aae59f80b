package billing

import (
	"context"
	"fmt"

	"stoa/shared/fault"
	"stoa/shared/money"
)

// waive sees to it that the line of a term is not charged, because its subscription was cancelled inside the free
// window: it is never posted, voided while it is pending, and refunded in full when the news of the cancellation
// came after the capture (BIL-11, BIL-32, BIL-62).
func (s *Service) waive(ctx context.Context, line Line) error {
	what := "waive " + line.SourceKey
	now := s.deps.Now().UTC()
	stored, err := s.deps.Ledger.Line(ctx, line.PublisherID, line.ID)
	b := Batch{PublisherID: line.PublisherID}
	switch {
	case fault.Is(err, fault.NotFound):
		// The line is written all the same, so that nobody who saw the subscription before its end charges it.
		line.State, line.CreatedAt = Voided, now
		b.Lines = []Line{line}
		err = nil
	case err != nil:
	case stored.State == Pending:
		err = s.void(&b, stored, now)
	case stored.State == Invoiced:
		err = s.refund(ctx, &b, stored)
	default:
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return s.apply(ctx, b, what)
}

// refund adds to the batch that all of a captured line is given back: its tax and fee with it, its share from
// where it sits, and the money to the customer (BIL-6, BIL-62, BIL-70). A share that is payable may be in a payment
// order already, which is not touched: it is taken off the next one (PAY-10, PAY-29).
func (s *Service) refund(ctx context.Context, b *Batch, line Line) error {
	now := s.deps.Now().UTC()
	refundID := derivedID("refund:" + line.ID)
	in := line.inputs(now)
	in.Reverses = "charge:" + line.ID
	in.Names["refundId"] = refundID
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
	for _, event := range []string{"refund.posted.paidInvoice", "refund.paid"} {
		t, err := Post(event, in)
		if err != nil {
			return err
		}
		b.Transactions = append(b.Transactions, t)
	}
	line.State = Refunded
	b.Lines = append(b.Lines, line)
	return nil
}
