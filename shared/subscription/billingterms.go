package subscription

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"stoa/shared/fault"
	"stoa/shared/message"
)

const renewalPrefix = "renewal:"

// IsChange reports whether a change of plan or seats began the span: neither the purchase did nor a renewal, whose
// price it then fixes.
func (p PlanSpan) IsChange() bool {
	return p.Operation != "" && !strings.HasPrefix(p.Operation, renewalPrefix)
}

// spanAt is what held at an instant: the last span that began by then, else the first.
func (s *Subscription) spanAt(at time.Time) PlanSpan {
	held := PlanSpan{PlanID: s.PlanID, Quantity: s.Quantity, UnitPrice: s.UnitPrice}
	for i, span := range s.Plans {
		if i > 0 && span.From.After(at) {
			break
		}
		held = span
	}
	return held
}

// DueTerms are the terms that have begun by the calendar and are not among Terms, because they are not paid, in order:
// each on the plan and seats and at the price that held at its start (FUL-90, FUL-91, BIL-64). A change behind the
// start of a term is a change inside it.
func (s *Subscription) DueTerms(now time.Time) []Term {
	t, running := s.CurrentTerm()
	if !running || s.Anchor == "" {
		return nil
	}
	var due []Term
	anchor, months, length := parseDay(s.Anchor), s.TermMonths, monthsOf(s.TermUnit)
	for number := s.lastPaid() + 1; !now.Before(t.EndsAt()); number++ {
		start, end := termDates(anchor, months, length)
		held := s.spanAt(start)
		t = Term{
			Number: number, Unit: s.TermUnit, StartDate: start.Format(dayLayout), EndDate: end.Format(dayLayout),
			PlanID: held.PlanID, Quantity: held.Quantity, UnitPrice: held.UnitPrice, Currency: s.Currency,
		}
		due, months = append(due, t), months+length
	}
	return due
}

// beginDue begins the first of the due terms, with the changes that have happened in it.
func (d *decision) beginDue(t Term) {
	d.sub.TermMonths += monthsOf(d.sub.TermUnit)
	d.append(t)
	for _, span := range d.sub.Plans {
		if on := span.From.UTC().Format(dayLayout); span.IsChange() && t.StartDate <= on && on <= t.EndDate {
			d.chargeChange(t.Number, span)
		}
	}
}

// requestTerm asks the ledger to charge a due term, which begins when it is paid (BIL-36). The same term is asked for
// again while there is no answer; the hour keeps that from being dropped.
func (d *decision) requestTerm(t Term) {
	d.send(message.New(fmt.Sprintf("request:%s:%d:%s", d.sub.ID, t.Number, d.now.Format("2006010215")), message.LedgerEvents,
		ledgerSignal{Kind: "request", SubscriptionID: d.sub.ID, Term: t.Number, At: parseDay(t.StartDate)}))
}

// reprice fixes the price of a due term, once: what its plan costs now (BIL-21). A plan that is gone keeps what was
// agreed.
func (s *Service) reprice(ctx context.Context, d *decision, due Term) error {
	mark := renewalPrefix + strconv.Itoa(due.Number)
	if slices.ContainsFunc(d.sub.Plans, func(p PlanSpan) bool { return p.Operation == mark }) {
		return nil
	}
	price := due.UnitPrice
	v, err := s.offer(ctx, &d.sub)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return fmt.Errorf("read the offer of %s: %w", d.sub.ID, err)
	}
	if err == nil {
		p, _ := v.Plan(due.PlanID)
		if t, ok := p.Term(d.sub.TermUnit); ok {
			price = priceIn(t, d.sub.Market, d.sub.Currency, price)
		}
	}
	d.fixPrice(PlanSpan{PlanID: due.PlanID, From: parseDay(due.StartDate), Quantity: due.Quantity, UnitPrice: price, Operation: mark})
	return nil
}

// fixPrice notes the price of a term at its start. Changes of seats behind it have the price too (BIL-22).
func (d *decision) fixPrice(term PlanSpan) {
	at := slices.IndexFunc(d.sub.Plans, func(p PlanSpan) bool { return p.From.After(term.From) })
	if at < 0 {
		at = len(d.sub.Plans)
	}
	d.sub.Plans = slices.Insert(d.sub.Plans, at, term)
	for at++; at < len(d.sub.Plans) && d.sub.Plans[at].PlanID == term.PlanID; at++ {
		d.sub.Plans[at].UnitPrice = term.UnitPrice
	}
	if at == len(d.sub.Plans) {
		d.sub.UnitPrice = term.UnitPrice
	}
}
