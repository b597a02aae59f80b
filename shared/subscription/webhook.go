package subscription

import (
	"context"
	"errors"
	"fmt"
	"time"

	"stoa/shared/call"
	"stoa/shared/fault"
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
	sub, err := s.read(ctx, w.SubscriptionID)
	if err != nil {
		return err
	}
	v, err := s.offer(ctx, &sub)
	if err != nil {
		return fmt.Errorf("read the offer of %s: %w", sub.ID, err)
	}
	var o Operation
	ready := false
	sub, err = s.act(ctx, sub, func(d *decision) error {
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
		d.start(&o, available(&d.sub, &v)) // FUL-74: stored before the first call
		ready = o.Status == InProgress
		return nil
	})
	if err != nil || !ready {
		return err
	}
	begun := s.deps.Now().UTC()
	if o.Delivery.FirstAt.IsZero() {
		o.Delivery.FirstAt = begun
	}
	outcome, err := s.call(ctx, &v, &sub, &o)
	if err != nil {
		return err
	}
	return s.record(ctx, sub, w, attempted{begun: begun, first: o.Delivery.FirstAt, outcome: outcome})
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
)

type attempted struct {
	begun, first time.Time
	outcome      outcome
}

// call makes the webhook call. Whatever the other side does is an outcome; the error is ours.
func (s *Service) call(ctx context.Context, v *offer.Version, sub *Subscription, o *Operation) (outcome, error) {
	token, err := s.deps.Sign(ctx, v.Technical.AppID, v.Technical.TenantID)
	if err != nil {
		return callFailed, fmt.Errorf("sign the webhook of %s: %w", o.ID, err)
	}
	correlation := o.CorrelationID
	if correlation == "" {
		correlation = s.deps.NewID()
	}
	reply, err := s.deps.Calls.Do(ctx, call.Request{
		Method: "POST", URL: v.Technical.ConnectionWebhook, Body: s.payload(sub, o), Timeout: callTime, MaxReply: 1,
		Header: map[string]string{
			"Content-Type": "application/json", "Authorization": "Bearer " + token,
			"x-ms-requestid": s.deps.NewID(), "x-ms-correlationid": correlation,
		},
	})
	switch {
	case ctx.Err() != nil:
		return callFailed, ctx.Err() // our own end is no fault of the publisher's
	case err != nil:
		var f *fault.Error
		if errors.As(err, &f) {
			return callFailed, nil // did not get through, or the address may not be called (FUL-82)
		}
		return callFailed, fmt.Errorf("call the webhook of %s: %w", o.ID, err)
	case reply.Status >= 200 && reply.Status < 300:
		return callAccepted, nil
	case reply.Status >= 400 && reply.Status < 500:
		return callRefused, nil
	}
	return callFailed, nil
}

// record saves what came of an attempt. The publisher may have acknowledged inside the call (FUL-72), or a
// cancellation ended the operation; then nothing is left to record.
func (s *Service) record(ctx context.Context, sub Subscription, w Work, a attempted) error {
	_, err := s.act(ctx, sub, func(d *decision) error {
		o, err := s.OperationOf(ctx, &d.sub, w.OperationID)
		if err != nil {
			return err
		}
		if !d.turn(&o, w.Attempt) {
			return errNothing
		}
		d.attempted(&o, a)
		return nil
	})
	return err
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
	if at.Attempts >= maxAttempts || next.After(at.FirstAt.Add(retryTime)) {
		at.State = DeliveryAbandoned
		if o.Pending() {
			d.fail(o, ReasonUndelivered, "The webhook could not be delivered.")
			return
		}
		// FUL-75: what has happened stands, only the delivery is given up.
		d.dequeue(o.ID)
		d.ops = append(d.ops, *o)
		return
	}
	at.State, at.NextAt = DeliveryWaiting, next
	d.ops = append(d.ops, *o)
	d.attempt(o.ID, at.Attempts+1, next)
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
