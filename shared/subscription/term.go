package subscription

import (
	"fmt"
	"time"

	"stoa/shared/message"
)

// Billing terms.
const (
	Monthly = "P1M"
	Annual  = "P1Y"
)

const dayLayout = "2006-01-02"

func monthsOf(unit string) int {
	if unit == Annual {
		return 12
	}
	return 1
}

// addMonths adds calendar months to a day; a day that the month does not have becomes its last one.
func addMonths(day time.Time, months int) time.Time {
	y, m, d := day.Date()
	first := time.Date(y, m+time.Month(months), 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(d, last)-1)
}

// termDates are the first and last day of the term that begins a number of months behind the anchor: the anchor
// day is kept, the clamp comes before the day is taken off (FUL-32).
func termDates(anchor time.Time, months, length int) (start, end time.Time) {
	return addMonths(anchor, months), addMonths(anchor, months+length).AddDate(0, 0, -1)
}

func day(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

func parseDay(text string) time.Time {
	t, err := time.Parse(dayLayout, text)
	if err != nil {
		panic(fmt.Sprintf("day %q of a stored subscription: %v", text, err)) // written by this package
	}
	return t
}

// EndsAt is the instant the term is over: the day after its last one begins (FUL-88).
func (t Term) EndsAt() time.Time { return parseDay(t.EndDate).AddDate(0, 0, 1) }

// lastPaid is the number of the newest paid term, 0 when there was none.
func (s *Subscription) lastPaid() int {
	n := 0
	for _, t := range s.Terms {
		n = max(n, t.Number)
	}
	return n
}

// anchorAt lets terms be counted from the day of t on.
func (s *Subscription) anchorAt(t time.Time) { s.Anchor, s.TermMonths = day(t).Format(dayLayout), 0 }

// beginTerm appends the next term: a trial of one month, or a paid one (FUL-34).
func (d *decision) beginTerm(trial bool) {
	length := monthsOf(Monthly)
	if !trial {
		length = monthsOf(d.sub.TermUnit)
	}
	start, end := termDates(parseDay(d.sub.Anchor), d.sub.TermMonths, length)
	d.sub.TermMonths += length
	d.appendTerm(start, end, trial)
}

// appendTerm appends a term on the plan and seats of this moment.
func (d *decision) appendTerm(start, end time.Time, trial bool) {
	t := Term{
		Number: d.sub.lastPaid() + 1, Unit: d.sub.TermUnit, StartDate: start.Format(dayLayout), EndDate: end.Format(dayLayout), Trial: trial,
		PlanID: d.sub.PlanID, Quantity: d.sub.Quantity, UnitPrice: d.sub.UnitPrice, Currency: d.sub.Currency,
	}
	if trial {
		t.Number, t.Unit = 0, Monthly
	}
	d.append(t)
}

// append appends a term, with the deadline of its end, and tells the ledger (FUL-27, FUL-88). A trial costs nothing, but
// has its line as well (BIL-40).
func (d *decision) append(t Term) {
	kind := "trial"
	if !t.Trial {
		t.ChargedAt, kind = d.now, "term"
	}
	d.send(message.New(fmt.Sprintf("%s:%s:%d", kind, d.sub.ID, t.Number), message.LedgerEvents,
		ledgerSignal{Kind: kind, SubscriptionID: d.sub.ID, Term: t.Number, At: d.now}))
	d.sub.FreeTrial = t.Trial
	d.sub.Terms = append(d.sub.Terms, t)
	d.termEnds(t)
}

func (d *decision) termEnds(t Term) {
	d.deadline(TermEnd, fmt.Sprintf("%d:%s", t.Number, t.StartDate), t.EndsAt())
}

// ledgerSignal is a message to the ledger, whose kind says which other members it has.
type ledgerSignal struct {
	Kind           string    `json:"kind"`
	SubscriptionID string    `json:"subscriptionId"`
	Term           int       `json:"term,omitempty"`
	OperationID    string    `json:"operationId,omitempty"`
	At             time.Time `json:"at,omitzero"` // business time (BIL-11)
}

// chargeTerm tells the ledger of a paid term; the mark tells a second telling of the same term apart.
func (d *decision) chargeTerm(number int, mark string) {
	d.send(message.New(fmt.Sprintf("term:%s:%d%s", d.sub.ID, number, mark), message.LedgerEvents,
		ledgerSignal{Kind: "term", SubscriptionID: d.sub.ID, Term: number, At: d.now}))
}

// chargeChange tells the ledger of a change that succeeded inside a term (FUL-58).
func (d *decision) chargeChange(number int, to PlanSpan) {
	d.send(message.New(fmt.Sprintf("term:%s:%d:%s", d.sub.ID, number, to.Operation), message.LedgerEvents,
		ledgerSignal{Kind: "term", SubscriptionID: d.sub.ID, Term: number, OperationID: to.Operation, At: to.From}))
}

// endUsage tells the ledger that what was used is to be charged (BIL-26).
func (d *decision) endUsage() {
	d.send(message.New("ended:"+d.sub.ID, message.LedgerEvents, ledgerSignal{Kind: "ended", SubscriptionID: d.sub.ID, At: d.now}))
}
