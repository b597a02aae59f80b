package billing

import (
	"context"
	"fmt"
	"time"

	"github.com/shopspring/decimal"

	"stoa/shared/fault"
	"stoa/shared/money"
	"stoa/shared/subscription"
)

// Preview is what a change would put on the bill.
type Preview struct {
	Lines  []Line       // that would be posted, in order
	Total  money.Amount // their sum with tax, below 0 when the customer gets credit (BIL-49)
	Credit money.Amount // customer credit that would be used
	DueNow money.Amount // what would be captured at once; inside the free window nothing is (BIL-34)

	RenewsOn string       // YYYY-MM-DD; empty when the subscription does not renew
	Renewal  money.Amount // before tax, at the price that stands
}

// Preview computes what would be charged at once if the subscription were as given: its newest change, or the term it
// has begun, is not in the ledger yet. It does what the charge does, and writes nothing (BIL-54).
func (s *Service) Preview(ctx context.Context, sub subscription.Subscription) (Preview, error) {
	p := Preview{Total: money.Amount{Currency: sub.Currency}, Credit: money.Amount{Currency: sub.Currency}, DueNow: money.Amount{Currency: sub.Currency}}
	t, ok := sub.CurrentTerm()
	if !ok {
		return p, nil
	}
	if err := p.renewal(sub, t); err != nil || t.Trial {
		return p, err
	}
	line, err := termLine(sub, t)
	if err != nil {
		return p, err
	}
	stored, err := s.deps.Ledger.Line(ctx, sub.PublisherID, line.ID)
	switch {
	case fault.Is(err, fault.NotFound):
		p.Lines = append(p.Lines, line)
	case err != nil:
		return p, fmt.Errorf("preview %s: %w", sub.ID, err)
	default:
		line = stored
	}
	err = s.splits(ctx, sub, t, line, func(_ Line, change []Line) (Line, error) {
		p.Lines = append(p.Lines, change...)
		return change[len(change)-1], nil
	})
	if err != nil || len(p.Lines) == 0 {
		return p, err
	}
	if p.Total, err = sumOf(p.Lines); err != nil || line.State == Pending || p.Total.Minor <= 0 {
		return p, err
	}
	credit, err := s.credit(ctx, sub.PublisherID, billingAccount(sub), sub.Currency)
	if err != nil {
		return p, err
	}
	p.Credit.Minor = min(credit.Free, p.Total.Minor)
	p.DueNow.Minor = p.Total.Minor - p.Credit.Minor
	return p, nil
}

// renewal adds what the next term costs, and when.
func (p *Preview) renewal(sub subscription.Subscription, t subscription.Term) error {
	if !sub.AutoRenew || len(sub.Plans) == 0 {
		return nil
	}
	end, err := time.Parse(time.DateOnly, t.EndDate)
	if err != nil {
		return fmt.Errorf("the term of %s: %w", sub.ID, err)
	}
	span := sub.Plans[len(sub.Plans)-1]
	p.RenewsOn = end.AddDate(0, 0, 1).Format(time.DateOnly)
	p.Renewal, err = money.Round(span.UnitPrice.Mul(decimal.NewFromInt(int64(max(span.Quantity, 1)))).Rat(), sub.Currency)
	return err
}
