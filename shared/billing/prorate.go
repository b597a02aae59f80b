package billing

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"stoa/shared/fault"
	"stoa/shared/subscription"
)

// Proration says what a change inside a term does to the bill (BIL-48).
type Proration string

// The policies.
const (
	ByDays      Proration = "byDays" // the rest of the term is charged anew, by days
	NoProration Proration = "none"   // only the next renewal shows the change
)

// changesIn are the changes of plan and seats that succeeded in a term, in order. What succeeded after its end belongs
// to the next one (BIL-53). A term that a change out of a trial began holds that change already (BIL-44).
func changesIn(sub subscription.Subscription, t subscription.Term) []subscription.PlanSpan {
	begun := time.Time{}
	for _, other := range sub.Terms {
		if other.Trial && other.EndDate >= t.StartDate {
			begun = t.ChargedAt
		}
	}
	var changes []subscription.PlanSpan
	for _, span := range sub.Plans {
		on := span.From.UTC().Format(time.DateOnly)
		if span.IsChange() && t.StartDate <= on && on <= t.EndDate && span.From.After(begun) {
			changes = append(changes, span)
		}
	}
	return changes
}

func segmentKey(subscriptionID, operationID, part string) string {
	return fmt.Sprintf("segment:%s:%s:%s", subscriptionID, operationID, part)
}

// split is what one change does: the line of the open segment is reversed exactly, the days it was used are charged,
// and the rest of the term on the new plan, seats and price, the day of the change included (BIL-46). The last of the
// lines is the new open segment.
func split(open Line, sub subscription.Subscription, t subscription.Term, to subscription.PlanSpan) ([]Line, error) {
	on := to.From.UTC().Truncate(day)
	used, rest, all := daysFrom(open.PeriodStart, on), daysFrom(on.Format(time.DateOnly), dayOf(t.EndDate))+1, daysFrom(t.StartDate, dayOf(t.EndDate))+1

	reversal := open
	reversal.Net, reversal.Tax, reversal.Fee, reversal.Share = -open.Net, -open.Tax, -open.Fee, -open.Share // BIL-6
	reversal.ReversesLineID = open.ID
	if reversal.Days == 0 {
		reversal.Days = all
	}
	lines := []Line{reversal}
	if used > 0 { // BIL-51
		line := open
		line.PeriodEnd, line.Days = on.AddDate(0, 0, -1).Format(time.DateOnly), used
		lines = append(lines, line)
	}
	next := open
	next.PlanID, next.UnitPrice, next.Quantity = to.PlanID, to.UnitPrice, decimal.NewFromInt(int64(max(to.Quantity, 1)))
	next.PeriodStart, next.PeriodEnd, next.Days = on.Format(time.DateOnly), t.EndDate, rest
	next.ChargeDate = next.PeriodStart // BIL-50; used and reversal keep that of the line
	lines = append(lines, next)

	for i := range lines {
		l, part := &lines[i], "used"
		switch i {
		case 0:
			part = "reversal"
		case len(lines) - 1:
			part = "new"
		}
		l.SourceKey, l.Kind, l.ChargeType = segmentKey(sub.ID, to.Operation, part), KindSegment, "Convert"
		l.PeriodDays, l.Tag, l.ReversedBy, l.InvoiceID = all, "", "", ""
		l.CapturedAt, l.EligibleAt = time.Time{}, time.Time{}
		if i == 0 {
			l.ID, l.Hash = LineID(l.SourceKey), l.hash()
		} else if err := l.rate(); err != nil {
			return nil, err
		}
		if l.State != Pending {
			l.State, l.FirmAt = Firm, time.Time{}
		}
	}
	return lines, nil
}

func dayOf(date string) time.Time {
	t, err := time.Parse(time.DateOnly, date)
	if err != nil {
		panic(fmt.Sprintf("day %q of a term: %v", date, err)) // written by the subscription
	}
	return t
}

func daysFrom(date string, to time.Time) int { return int(to.Sub(dayOf(date)) / day) }

// splits walks the changes of a term in order, from the line of the term on. Each change that is not in the ledger
// is visited with the line it takes the place of and its own lines; the visit returns the new open segment.
func (s *Service) splits(ctx context.Context, sub subscription.Subscription, t subscription.Term, open Line, visit func(open Line, change []Line) (Line, error)) error {
	if s.deps.Proration == NoProration {
		return nil
	}
	for _, to := range changesIn(sub, t) {
		if open.State == Voided || open.State == Refunded { // the subscription was free of charge
			return nil
		}
		stored, err := s.deps.Ledger.Line(ctx, sub.PublisherID, LineID(segmentKey(sub.ID, to.Operation, "new")))
		if err == nil {
			open = stored
			continue
		}
		if !fault.Is(err, fault.NotFound) {
			return fmt.Errorf("prorate %s: %w", to.Operation, err)
		}
		change, err := split(open, sub, t, to)
		if err != nil {
			return fmt.Errorf("prorate %s: %w", to.Operation, err)
		}
		if open, err = visit(open, change); err != nil {
			return err
		}
	}
	return nil
}

// prorate charges the changes inside a term that are not charged yet, each as one linked batch (BIL-46, BIL-94).
func (s *Service) prorate(ctx context.Context, sub subscription.Subscription, t subscription.Term, line Line) error {
	return s.splits(ctx, sub, t, line, func(open Line, change []Line) (Line, error) {
		if err := s.postChange(ctx, sub, open, change); err != nil {
			return open, err
		}
		return s.deps.Ledger.Line(ctx, sub.PublisherID, change[len(change)-1].ID)
	})
}

// postChange writes the lines of one change. Inside the free window they wait for its end with the line of the term
// (BIL-32); else a sum above 0 is captured at once, and a negative one becomes customer credit (BIL-49).
func (s *Service) postChange(ctx context.Context, sub subscription.Subscription, open Line, change []Line) error {
	now, what := s.deps.Now().UTC(), "change "+change[0].SourceKey
	b := Batch{PublisherID: sub.PublisherID}
	billed := false
	for i, line := range change {
		change[i].CreatedAt = now
		if line.gross() == 0 {
			continue
		}
		event, in := "charge.posted", line.inputs(now)
		if i == 0 {
			event, in = "charge.reversed", open.inputs(now)
			in.LineID, in.Reverses = line.ID, "charge:"+open.ID
		}
		tx, err := Post(event, in)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		b.Transactions, billed = append(b.Transactions, tx), true
	}
	open.ReversedBy = change[len(change)-1].SourceKey // under its tag, so that it is reversed once (BIL-92)
	b.Lines = append(b.Lines, open)
	if open.State == Pending || !billed {
		b.Lines = append(b.Lines, change...)
		return s.apply(ctx, b, what)
	}
	return s.billLines(ctx, sub, b, change, false)
}

// billLines writes posted lines and puts those that cost something, one at least, on one invoice. A sum above 0 is captured; one of 0 or
// below is paid at once, what is over becomes customer credit (BIL-49, PAY-9).
func (s *Service) billLines(ctx context.Context, sub subscription.Subscription, b Batch, lines []Line, suspends bool) error {
	billed := slices.DeleteFunc(slices.Clone(lines), func(l Line) bool { return l.gross() == 0 })
	bill, err := billOf(billed)
	if err != nil {
		return err
	}
	c, err := s.collection(ctx, sub)
	if err != nil {
		return err
	}
	if bill.Total > 0 {
		b.Lines = append(b.Lines, lines...)
		for _, l := range billed {
			bill.Lines = append(bill.Lines, l.ID)
		}
		bill.Suspends = suspends
		c.Bills = append(c.Bills, bill)
		return s.collect(ctx, sub, c, b, false)
	}
	t := &settlement{Service: s, sub: sub, c: c, now: s.deps.Now().UTC(), b: b}
	if bill.Total < 0 {
		if err := t.post("invoice.issuedNegative", Inputs{
			Names: map[string]string{"b": c.BillingAccount, "invoiceId": bill.ID}, Amounts: map[string]int64{"absTotal": -bill.Total},
		}); err != nil {
			return err
		}
		if err := s.free(ctx, &t.b, c, -bill.Total); err != nil {
			return err
		}
	}
	for _, line := range lines {
		if line.gross() == 0 {
			t.b.Lines = append(t.b.Lines, line)
			continue
		}
		line.InvoiceID = bill.ID
		if err := earn(&t.b, line, t.now); err != nil {
			return err
		}
	}
	return s.apply(ctx, t.b, "bill "+lines[0].SourceKey)
}
