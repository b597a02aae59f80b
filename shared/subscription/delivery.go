package subscription

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/offer"
)

// DeliveryKind says why a webhook call was made.
type DeliveryKind string

// The kinds of webhook calls.
const (
	DeliveryByQueue DeliveryKind = "automatic" // an attempt of the delivery of an operation
	DeliveryByHand  DeliveryKind = "manual"    // once more, because the publisher asked for it
	DeliveryTest    DeliveryKind = "test"      // a sample, of no operation
)

// DeliveryFailed is the outcome of a manual or a test call that was not accepted; nothing follows it. The outcomes
// of automatic calls are states of the delivery: Accepted, Waiting, Rejected, Abandoned, Superseded.
const DeliveryFailed DeliveryState = "Failed"

// DeliveryAttempt is one webhook call as the log keeps it.
type DeliveryAttempt struct {
	At             time.Time     `json:"at"`
	Kind           DeliveryKind  `json:"kind"`
	PublisherID    string        `json:"publisherId"`
	OfferID        string        `json:"offerId"`
	PlanID         string        `json:"planId"`
	SubscriptionID string        `json:"subscriptionId"`
	OperationID    string        `json:"operationId"`
	Action         Action        `json:"action"`
	RequestID      string        `json:"requestId,omitempty"` // of the call, with the correlation id it had (FUL-8)
	CorrelationID  string        `json:"correlationId,omitempty"`
	Attempt        int           `json:"attempt,omitempty"` // of the delivery, from 1; 0 for manual and test calls
	Status         int           `json:"status,omitempty"`  // HTTP status, 0 when no answer came
	ErrorCode      string        `json:"errorCode,omitempty"`
	ErrorMessage   string        `json:"errorMessage,omitempty"` // why no answer came
	Latency        time.Duration `json:"latency"`
	Answer         string        `json:"answer,omitempty"` // the first 1,024 bytes of the answer's body
	NextAt         time.Time     `json:"nextAt,omitzero"`  // of the next attempt
	Outcome        DeliveryState `json:"outcome"`
}

// DeliveryFilter selects calls of a publisher's log.
type DeliveryFilter struct {
	PublisherID    string
	SubscriptionID string    // empty selects all
	OperationID    string    // empty selects all
	From           time.Time // zero selects all, else those of this instant and later
	Limit          int
	After          string // continuation of the page before
}

// DeliveryLog keeps what came of webhook calls.
type DeliveryLog interface {
	// Record keeps a call. The same call again, by its time, operation and attempt, replaces the first record.
	Record(ctx context.Context, a DeliveryAttempt) error
	// Attempts lists a publisher's calls, the newest first, and where the next page begins, empty on the last. A
	// page may have fewer than the limit, also none, and still not be the last.
	Attempts(ctx context.Context, f DeliveryFilter) ([]DeliveryAttempt, string, error)
	// SubscriptionOf names the subscription of an operation of the publisher that was called for. NotFound.
	SubscriptionOf(ctx context.Context, publisherID, operationID string) (string, error)
	// Forget removes what is older than the instant, at most about limit rows, and returns how many went.
	Forget(ctx context.Context, before time.Time, limit int) (int, error)
}

const (
	keptAnswer = 1024                // bytes of an answer
	logTime    = 30 * 24 * time.Hour // calls are kept at least that long
)

// Deliveries are the webhook calls of a service, with a log of each that their publisher reads. Safe for
// concurrent use.
type Deliveries struct {
	service *Service
	log     DeliveryLog // nil keeps nothing
}

// NewDeliveries makes the calls of the service known to the log.
func NewDeliveries(s *Service, log DeliveryLog) (*Deliveries, error) {
	if s == nil || log == nil {
		return nil, errors.New("webhook deliveries: service and log are required")
	}
	return &Deliveries{service: s, log: log}, nil
}

// Work is Service.Work, and logs the calls it makes.
func (l *Deliveries) Work(ctx context.Context, w Work) error {
	if w.Kind == "" && w.OperationID != "" && w.Attempt > 0 {
		return l.deliver(ctx, w)
	}
	return l.service.Work(ctx, w)
}

// CatchUp is Service.CatchUp, and removes what the log has kept long enough, about as many rows.
func (l *Deliveries) CatchUp(ctx context.Context, limit int) (int, error) {
	sent, err := l.service.CatchUp(ctx, limit)
	if _, old := l.log.Forget(ctx, l.service.deps.Now().UTC().Add(-logTime), limit); old != nil {
		err = errors.Join(err, fmt.Errorf("remove old webhook deliveries: %w", old))
	}
	return sent, err
}

// List gives a page of a publisher's calls, the newest first, and where the next one begins.
func (l *Deliveries) List(ctx context.Context, f DeliveryFilter) ([]DeliveryAttempt, string, error) {
	found, next, err := l.log.Attempts(ctx, f)
	if err != nil {
		return nil, "", fmt.Errorf("list webhook deliveries of %s: %w", f.PublisherID, err)
	}
	return found, next, nil
}

// record logs an attempt and then saves what follows from it, so that no attempt counts that is not in the log.
func (l *Deliveries) record(ctx context.Context, sub Subscription, w Work, o *Operation, a attempted) error {
	if l.log == nil {
		_, err := l.service.record(ctx, sub, w, a)
		return err
	}
	entry := entryOf(DeliveryByQueue, o, a)
	entry.Attempt = w.Attempt
	expected := *o
	l.service.decision(ctx, sub).attempted(&expected, a)
	entry.Outcome, entry.NextAt = expected.Delivery.State, expected.Delivery.NextAt
	if err := l.log.Record(ctx, entry); err != nil {
		return fmt.Errorf("log the webhook of %s: %w", o.ID, err)
	}
	after, err := l.service.record(ctx, sub, w, a)
	if err != nil || after.Delivery.State == entry.Outcome {
		return err
	}
	// Acknowledged or ended by somebody else during the call.
	entry.Outcome, entry.NextAt = after.Delivery.State, after.Delivery.NextAt
	if err := l.log.Record(ctx, entry); err != nil {
		return fmt.Errorf("log the webhook of %s: %w", o.ID, err)
	}
	return nil
}

// entryOf is the record of a call.
func entryOf(kind DeliveryKind, o *Operation, a attempted) DeliveryAttempt {
	e := DeliveryAttempt{
		At: a.begun, Kind: kind, PublisherID: o.PublisherID, OfferID: o.OfferID, PlanID: o.PlanID,
		SubscriptionID: o.SubscriptionID, OperationID: o.ID, Action: o.Action, RequestID: a.ids.RequestID, CorrelationID: a.ids.CorrelationID,
		Status: a.status, Latency: a.latency, Answer: a.body, Outcome: DeliveryFailed,
	}
	if a.outcome == callAccepted {
		e.Outcome = DeliveryAccepted
	}
	if a.trouble != nil {
		e.ErrorCode, e.ErrorMessage = a.trouble.Code, a.trouble.Message
	}
	return e
}

// beginning is what is kept of an answer, as text.
func beginning(body []byte) string {
	return strings.ToValidUTF8(string(body[:min(len(body), keptAnswer)]), "\uFFFD")
}

// putOffFor is how long an attempt is put off when the caller does not say.
const putOffFor = 5 * time.Second

// putOff lets an attempt be made a little later: its receiver has as many calls as it may have, and a worker that
// waited for it would keep others waiting. That is no attempt; but the 8 hours of FUL-75 go on.
func (l *Deliveries) putOff(ctx context.Context, sub Subscription, w Work, a answer) error {
	s := l.service
	wait := a.trouble.RetryAfter
	if wait <= 0 {
		wait = putOffFor
	}
	due := s.deps.Now().UTC().Add(wait + spread(w.OperationID, wait))
	var given *Operation
	_, err := s.act(ctx, sub, func(d *decision) error {
		given = nil
		o, err := s.OperationOf(ctx, &d.sub, w.OperationID)
		if err != nil {
			return err
		}
		if !d.turn(&o, w.Attempt) || !o.Delivery.over(due) {
			return errNothing
		}
		d.abandon(&o)
		given = &o
		return nil
	})
	if err != nil {
		return err
	}
	if given == nil {
		id := fmt.Sprintf("webhook:%s:%d:%d", w.OperationID, w.Attempt, due.UnixNano())
		if err := s.deps.Store.Send(ctx, message.New(id, message.Webhooks, w).At(due)); err != nil {
			return fmt.Errorf("put the webhook of %s off: %w", w.OperationID, err)
		}
		return nil
	}
	if l.log == nil {
		return nil
	}
	entry := entryOf(DeliveryByQueue, given, attempted{begun: s.deps.Now().UTC(), answer: a})
	entry.Attempt, entry.Outcome = w.Attempt, DeliveryAbandoned
	return l.log.Record(ctx, entry)
}

// spread is a share of the time that differs between operations, so that they do not come back all at once.
func spread(id string, over time.Duration) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // never fails
	return over * time.Duration(h.Sum32()%1000) / 1000
}

// Redeliver sends the webhook of an operation once more, now, whatever has become of it since. The delivery of the
// operation, its clocks and its state stay as they are. NotFound when the publisher has no such operation that was
// called for lately; Throttled when its receiver has as many calls as it may have.
func (l *Deliveries) Redeliver(ctx context.Context, publisherID, operationID string) (DeliveryAttempt, error) {
	unknown := fault.New(fault.NotFound, "NotFound", "operationId",
		"There is no operation with this id whose webhook was called in the last %d days, found %q.", logTime/(24*time.Hour), clip(operationID))
	id := account.GUID(operationID)
	if id == "" {
		return DeliveryAttempt{}, unknown
	}
	subscriptionID, err := l.log.SubscriptionOf(ctx, publisherID, id)
	if fault.Is(err, fault.NotFound) {
		return DeliveryAttempt{}, unknown.Because(err)
	}
	if err != nil {
		return DeliveryAttempt{}, fmt.Errorf("find operation %s: %w", id, err)
	}
	s := l.service
	sub, err := s.read(ctx, subscriptionID)
	if err != nil {
		return DeliveryAttempt{}, err
	}
	o, err := s.OperationOf(ctx, &sub, id)
	if err != nil {
		return DeliveryAttempt{}, err
	}
	v, err := s.offer(ctx, &sub)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return DeliveryAttempt{}, fmt.Errorf("read the offer of %s: %w", sub.ID, err)
	}
	return l.once(ctx, DeliveryByHand, sample{version: v, sub: sub, op: o})
}

// sample is what a single call tells.
type sample struct {
	version offer.Version
	sub     Subscription
	op      Operation
}

// once makes a single call, which is logged and changes nothing. A caller who hangs up does not end it.
func (l *Deliveries) once(ctx context.Context, kind DeliveryKind, c sample) (DeliveryAttempt, error) {
	ctx = context.WithoutCancel(ctx)
	s := l.service
	begun := s.deps.Now().UTC()
	c.op.Status = s.toldStatus(c.op.Action)
	if c.op.Delivery.FirstAt.IsZero() {
		c.op.Delivery.FirstAt = begun
	}
	got, err := s.call(ctx, &c.version, &c.sub, &c.op)
	if err != nil {
		return DeliveryAttempt{}, err
	}
	switch {
	case got.outcome == callPutOff:
		return DeliveryAttempt{}, got.trouble
	case got.trouble != nil && got.trouble.Kind == fault.NotReady:
		return DeliveryAttempt{}, got.trouble
	}
	entry := entryOf(kind, &c.op, attempted{begun: begun, answer: got})
	if err := l.log.Record(ctx, entry); err != nil {
		return DeliveryAttempt{}, fmt.Errorf("log the webhook of %s: %w", c.op.ID, err)
	}
	return entry, nil
}

// toldStatus is the status an operation has when its webhook tells of it: in progress when the publisher
// acknowledges it, else done.
func (s *Service) toldStatus(a Action) OperationStatus {
	if a.change() || a == ActionReinstate && s.deps.Profile == Guide {
		return InProgress
	}
	return Succeeded
}
