package subscription

import (
	"context"
	"errors"
	"fmt"
	"time"

	"stoa/shared/call"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/offer"
)

// Delivery of webhooks (FUL-75).
const (
	callTime    = 10 * time.Second
	retryEvery  = 57600 * time.Millisecond // 8 hours in 500 parts
	retryTime   = 8 * time.Hour
	maxAttempts = 501 // the first and 500 retries
)

// deliver makes one attempt of an operation's webhook call, if it is its turn (FUL-79).
func (s *Service) deliver(ctx context.Context, w Work) error {
	unlogged := Deliveries{service: s}
	return unlogged.deliver(ctx, w)
}

func (l *Deliveries) deliver(ctx context.Context, w Work) error {
	s := l.service
	sub, err := s.read(ctx, w.SubscriptionID)
	if err != nil {
		return err
	}
	v, err := s.offer(ctx, &sub)
	if err != nil && !fault.Is(err, fault.NotFound) { // without its offer the call has no address, and so fails
		return fmt.Errorf("read the offer of %s: %w", sub.ID, err)
	}
	sub, o, ready, err := s.begin(ctx, sub, &v, w)
	if err != nil || !ready {
		return err
	}
	begun := s.deps.Now().UTC()
	first := o.Delivery.FirstAt
	if first.IsZero() {
		first = begun
	}
	told := o
	told.Delivery.FirstAt = first
	got, err := s.call(ctx, &v, &sub, &told)
	if err != nil {
		return err
	}
	if got.outcome == callPutOff {
		return l.putOff(ctx, sub, w, got)
	}
	return l.record(ctx, sub, w, &o, attempted{begun: begun, first: first, answer: got})
}

// begin takes the operation into its webhook phase, and says whether the attempt is to be made.
func (s *Service) begin(ctx context.Context, sub Subscription, v *offer.Version, w Work) (after Subscription, o Operation, ready bool, err error) {
	after, err = s.act(ctx, sub, func(d *decision) error {
		ready = false
		if o, err = s.OperationOf(ctx, &d.sub, w.OperationID); err != nil {
			return err
		}
		if !d.turn(&o, w.Attempt) {
			return errNothing
		}
		if ready = o.Status != NotStarted; ready {
			return errNothing
		}
		d.start(&o, available(&d.sub, v)) // FUL-74: stored before the first call
		ready = o.Status == InProgress
		return nil
	})
	return after, o, ready, err
}

// turn reports whether the attempt is the one to be made now.
func (d *decision) turn(o *Operation, attempt int) bool {
	waits := o.Delivery.State == DeliveryQueued || o.Delivery.State == DeliveryWaiting
	return waits && len(d.sub.Outgoing) > 0 && d.sub.Outgoing[0] == o.ID && o.Delivery.Attempts == attempt-1
}

// outcome is what came of a call.
type outcome int

const (
	callFailed outcome = iota
	callAccepted
	callRefused // 4xx
	callPutOff  // no call was made: the receiver has as many as it may have
)

// answer is what came of a call, in detail.
type answer struct {
	outcome outcome
	ids     message.Cause // of the call
	status  int           // HTTP status, 0 when none came
	trouble *fault.Error  // why none came
	latency time.Duration // of the call
	body    string        // the beginning of what was answered
}

type attempted struct {
	begun, first time.Time
	answer
}

// noAddress is why a webhook cannot be called at all.
func noAddress() *fault.Error {
	return fault.New(fault.NotReady, "NoTechnicalConfiguration", "connectionWebhook",
		"The offer has no technical configuration with a connection webhook, a tenant ID and an application ID.")
}

// call makes the webhook call. Whatever the other side does is an answer; the error is ours.
func (s *Service) call(ctx context.Context, v *offer.Version, sub *Subscription, o *Operation) (answer, error) {
	if t := v.Technical; t.ConnectionWebhook == "" || t.AppID == "" || t.TenantID == "" {
		return answer{trouble: noAddress()}, nil
	}
	token, err := s.deps.Sign(ctx, v.Technical.AppID, v.Technical.TenantID)
	if err != nil {
		return answer{}, fmt.Errorf("sign the webhook of %s: %w", o.ID, err)
	}
	// The call is a request of our own; what ties it to the one that caused it is the correlation id (FUL-8, FUL-81).
	ids := message.Cause{RequestID: s.deps.NewID(), CorrelationID: o.CorrelationID}
	if ids.CorrelationID == "" {
		ids.CorrelationID = s.deps.NewID()
	}
	begun := s.deps.Now()
	reply, err := s.deps.Calls.Do(ctx, call.Request{
		Method: "POST", URL: v.Technical.ConnectionWebhook, Body: s.payload(sub, o), Timeout: callTime, MaxReply: keptAnswer,
		Header: map[string]string{
			"Content-Type": "application/json", "Authorization": "Bearer " + token,
			"x-ms-requestid": ids.RequestID, "x-ms-correlationid": ids.CorrelationID,
		},
	})
	if ctx.Err() != nil {
		return answer{}, ctx.Err() // our own end is no fault of the publisher's
	}
	if err != nil {
		var f *fault.Error
		switch {
		case !errors.As(err, &f):
			return answer{}, fmt.Errorf("call the webhook of %s: %w", o.ID, err)
		case f.Kind == fault.Throttled:
			return answer{outcome: callPutOff, trouble: f}, nil
		}
		// Did not get through, or the address may not be called (FUL-82).
		return answer{ids: ids, trouble: f, latency: max(s.deps.Now().Sub(begun), 0)}, nil
	}
	got := answer{ids: ids, status: reply.Status, latency: reply.Elapsed, body: beginning(reply.Body)}
	switch {
	case reply.Status >= 200 && reply.Status < 300:
		got.outcome = callAccepted
	case reply.Status >= 400 && reply.Status < 500:
		got.outcome = callRefused
	}
	return got, nil
}

// record saves what came of an attempt, and answers the operation as it stands then. The publisher may have
// acknowledged inside the call (FUL-72), or a cancellation ended the operation; then nothing is left to record.
func (s *Service) record(ctx context.Context, sub Subscription, w Work, a attempted) (o Operation, err error) {
	_, err = s.act(ctx, sub, func(d *decision) error {
		if o, err = s.OperationOf(ctx, &d.sub, w.OperationID); err != nil {
			return err
		}
		if !d.turn(&o, w.Attempt) {
			return errNothing
		}
		d.attempted(&o, a)
		return nil
	})
	return o, err
}

// attempted decides what follows an attempt (5.3).
func (d *decision) attempted(o *Operation, a attempted) {
	at := &o.Delivery
	at.Attempts++
	at.FirstAt, at.NextAt = a.first, time.Time{}
	switch {
	case a.outcome == callAccepted:
		d.accepted(o)
		return
	case a.outcome == callRefused && o.Action.change() && d.profile == Current && o.Status == InProgress: // FUL-78
		at.State = DeliveryRejected
		d.fail(o, ReasonRejected, "The publisher refused the change.")
		return
	}
	next := a.begun.Add(retryEvery)
	if at.Attempts >= maxAttempts || at.over(next) {
		d.abandon(o)
		return
	}
	at.State, at.NextAt = DeliveryWaiting, next
	d.ops = append(d.ops, *o)
	d.attempt(o.ID, at.Attempts+1, next)
}

// over reports whether a call at that instant would come too late (FUL-75).
func (at *Delivery) over(next time.Time) bool {
	return !at.FirstAt.IsZero() && next.After(at.FirstAt.Add(retryTime))
}

// abandon gives a delivery up (FUL-75).
func (d *decision) abandon(o *Operation) {
	o.Delivery.State, o.Delivery.NextAt = DeliveryAbandoned, time.Time{}
	if o.Pending() {
		d.fail(o, ReasonUndelivered, "The webhook could not be delivered.")
		return
	}
	// What has happened stands, only the delivery is given up.
	d.dequeue(o.ID)
	d.ops = append(d.ops, *o)
}

// accepted notes that the publisher has the call; a pending operation waits for its acknowledgement from now on
// (FUL-76, FUL-77).
func (d *decision) accepted(o *Operation) {
	o.Delivery.State, o.Delivery.AcceptedAt = DeliveryAccepted, d.now
	d.dequeue(o.ID)
	if o.Status == InProgress {
		wait := ackTime
		if o.Action == ActionReinstate {
			wait = reinstateTime
		}
		o.Delivery.AckBy = d.now.Add(wait)
		d.deadline(AckDeadline, o.ID, o.Delivery.AckBy)
	}
	d.ops = append(d.ops, *o)
}

// stamp is a time as the contract writes it: UTC with seven digits (FUL-73).
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.0000000Z") }
