package subscription

import (
	"fmt"
	"slices"
	"time"

	"stoa/shared/message"
)

// Windows of the life cycle.
const (
	graceTime     = 30 * 24 * time.Hour // FUL-85
	pendingTime   = 30 * 24 * time.Hour // FUL-93
	ackTime       = 10 * time.Second    // FUL-76
	reinstateTime = 8 * time.Hour       // FUL-77
	freeMonthly   = 24 * time.Hour      // FUL-61
	freeAnnual    = 14 * 24 * time.Hour // FUL-61
	freeCurrent   = 72 * time.Hour      // of both, in profile current
)

// DeadlineKind names a moment at which a subscription is decided about again.
type DeadlineKind string

// The kinds of deadline.
const (
	TermEnd     DeadlineKind = "termEnd"
	GraceEnd    DeadlineKind = "graceEnd"
	PendingEnd  DeadlineKind = "pendingEnd"
	AckDeadline DeadlineKind = "ackDeadline"

	// PaymentHeard is no deadline: the billing side says what came of a charge.
	PaymentHeard DeadlineKind = "payment"
)

// Work is the body of a message on the queue webhooks: a delivery attempt, or a deadline when it has a kind.
type Work struct {
	SubscriptionID string       `json:"subscriptionId"`
	OperationID    string       `json:"operationId,omitempty"`
	Attempt        int          `json:"attempt,omitempty"`
	Kind           DeadlineKind `json:"kind,omitempty"`

	Payment *PaymentEvent `json:"payment,omitempty"` // of PaymentHeard
}

// decision is an act in the making. It starts from what was read and holds what will be saved.
type decision struct {
	sub     Subscription
	ops     []Operation
	msgs    []message.Message
	now     time.Time
	profile Profile
	newID   func() string
	request string // id of the request
	caused  string // correlation id of the request
	head    string // first of Outgoing when it began
}

func (d *decision) send(m message.Message) { d.msgs = append(d.msgs, m) }

// deadline sends the message that asks for a new decision at an instant. The mark tells deadlines of one kind
// apart.
func (d *decision) deadline(kind DeadlineKind, mark string, at time.Time) {
	w := Work{SubscriptionID: d.sub.ID, Kind: kind}
	if kind == AckDeadline {
		w.OperationID = mark
	}
	d.send(message.New(fmt.Sprintf("%s:%s:%s", kind, d.sub.ID, mark), message.Webhooks, w).At(at))
}

// take lets an event happen: the table says whether it may and what becomes of the status.
func (d *decision) take(e Event) (move, error) {
	m, err := step(d.sub.Status, e)
	if err == nil && m.To != d.sub.Status {
		d.sub.Status = m.To
		d.sub.History = append(d.sub.History, StatusChange{Status: m.To, At: d.now})
	}
	return m, err
}

// operation makes an operation on the current plan and seats.
func (d *decision) operation(a Action, source Source) Operation {
	return Operation{
		ID: d.newID(), ActivityID: d.newID(), SubscriptionID: d.sub.ID, PublisherID: d.sub.PublisherID, OfferID: d.sub.OfferID,
		PlanID: d.sub.PlanID, Quantity: d.sub.Quantity, UnitPrice: d.sub.UnitPrice, TrialPlan: d.sub.TrialPlan,
		Action: a, Status: NotStarted, Source: source, CreatedAt: d.now, RequestID: d.request, CorrelationID: d.caused,
	}
}

// done records what has happened as an operation that is born succeeded, and tells the publisher if the table
// says so (5.2).
func (d *decision) done(m move, source Source) Operation {
	o := d.operation(m.Operation, source)
	o.end(Succeeded, d.now, "", "")
	if m.Webhook {
		d.enqueue(&o)
	}
	d.ops = append(d.ops, o)
	return o
}

// lock makes an operation the pending one of the subscription (FUL-54).
func (d *decision) lock(o *Operation) {
	d.enqueue(o)
	d.sub.PendingOp = o.ID
	d.ops = append(d.ops, *o)
}

// enqueue puts the webhook call behind those that are not delivered yet (FUL-79).
func (d *decision) enqueue(o *Operation) {
	o.Delivery.State = DeliveryQueued
	d.sub.Outgoing = append(slices.Clone(d.sub.Outgoing), o.ID)
}

// dequeue takes a call out of the line.
func (d *decision) dequeue(id string) {
	d.sub.Outgoing = slices.DeleteFunc(slices.Clone(d.sub.Outgoing), func(o string) bool { return o == id })
}

// finish completes the change: the first call in line gets its message when it was not the first before.
func (d *decision) finish() Change {
	d.sub.ChangedAt = d.now
	if len(d.sub.Outgoing) > 0 && d.sub.Outgoing[0] != d.head {
		d.attempt(d.sub.Outgoing[0], 1, time.Time{})
	}
	return Change{Subscription: d.sub, Operations: d.ops, Messages: d.msgs}
}

// attempt sends the message of a delivery attempt.
func (d *decision) attempt(operationID string, n int, due time.Time) {
	d.send(message.New(fmt.Sprintf("webhook:%s:%d", operationID, n), message.Webhooks,
		Work{SubscriptionID: d.sub.ID, OperationID: operationID, Attempt: n}).At(due))
}

// span notes plan, seats and price from now on.
func (d *decision) span() {
	d.sub.Plans = append(d.sub.Plans, PlanSpan{PlanID: d.sub.PlanID, From: d.now, Quantity: d.sub.Quantity, UnitPrice: d.sub.UnitPrice})
}

// changed notes plan, seats and price from now on and tells the ledger, within the running term, whose dates stay
// (FUL-58). A trial that is over at once begins the first paid term instead (5.5). While the next term is being paid
// for, it is told when that begins.
func (d *decision) changed(o *Operation) {
	d.span()
	d.sub.Plans[len(d.sub.Plans)-1].Operation = o.ID
	t, running := d.sub.CurrentTerm()
	switch {
	case !running || !d.now.Before(t.EndsAt()):
	case d.sub.FreeTrial && !d.sub.TrialPlan:
		d.sub.anchorAt(d.now)
		d.beginTerm(false)
	case !t.Trial:
		d.chargeChange(t.Number, d.sub.Plans[len(d.sub.Plans)-1])
	}
}

// fail ends the pending operation and unlocks the subscription. The grace period of a Suspended one goes on: its
// end may have passed while a Reinstate was pending (FUL-86).
func (d *decision) fail(o *Operation, code, why string) {
	o.end(Failed, d.now, code, why)
	d.unlock(o)
	if o.Action == ActionReinstate && d.sub.Status == Suspended {
		d.deadline(GraceEnd, o.ID, d.sub.SuspendedAt.Add(graceTime))
	}
}

func (d *decision) unlock(o *Operation) {
	d.sub.PendingOp = ""
	d.dequeue(o.ID)
	d.ops = append(d.ops, *o)
}

// supersede ends the pending operation because the subscription is suspended or cancelled (FUL-63, FUL-79). The
// operation is nil when there is none.
func (d *decision) supersede(o *Operation, code, why string) {
	if o == nil {
		return
	}
	if o.Delivery.State == DeliveryQueued || o.Delivery.State == DeliveryWaiting {
		o.Delivery.State = DeliverySuperseded
	}
	o.end(Failed, d.now, code, why)
	d.unlock(o)
}

// succeed completes the pending operation and applies it (FUL-55, FUL-69).
func (d *decision) succeed(o *Operation) error {
	if _, err := d.take(AckSuccess); err != nil {
		return err
	}
	o.end(Succeeded, d.now, "", "")
	if o.Delivery.State != DeliveryAccepted {
		// FUL-72: acknowledged inside the call, so it has arrived.
		o.Delivery.State, o.Delivery.AcceptedAt = DeliveryAccepted, d.now
	}
	d.unlock(o)
	switch o.Action {
	case ActionChangePlan:
		d.sub.PlanID, d.sub.UnitPrice, d.sub.TrialPlan = o.PlanID, o.UnitPrice, o.TrialPlan
		d.changed(o)
	case ActionChangeQuantity:
		d.sub.Quantity = o.Quantity
		d.changed(o)
	case ActionReinstate:
		d.reinstated()
	}
	return nil
}

// reinstated moves the dates to the current term; missed terms are charged, each at the price of its start (FUL-90,
// BIL-64).
func (d *decision) reinstated() {
	d.sub.SuspendedAt = time.Time{}
	for _, t := range d.sub.DueTerms(d.now) {
		d.beginDue(t)
	}
}
