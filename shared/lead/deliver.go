package lead

import (
	"context"
	"fmt"
	"time"

	"stoa/shared/fault"
	"stoa/shared/message"
)

// Deliver does what a message of the queue "leads" asks for. Nil settles the message. A repeat, or an attempt
// that the lead does not expect, does nothing; an attempt that fails is recorded with the next one, or with the
// reason why there is none, and is no error either. The error is NotFound for a lead that is not there, Invalid
// for a message of an unknown kind, and else something that may pass.
func (s *Service) Deliver(ctx context.Context, m Outbound) error {
	switch m.Kind {
	case "":
		return s.deliver(ctx, m)
	case Expire:
		return s.expire(ctx, m)
	}
	return fault.New(fault.Invalid, "InvalidValue", "kind", "there is no kind %q of lead message", m.Kind)
}

func (s *Service) deliver(ctx context.Context, m Outbound) error {
	l, err := s.deps.Store.Lead(ctx, m.PublisherID, m.LeadID)
	if err != nil {
		return fmt.Errorf("deliver lead %s: %w", m.LeadID, err)
	}
	if !l.expects(m.Attempt) {
		return nil
	}
	started := s.deps.Now().UTC()
	o, err := s.send(ctx, &l)
	if err != nil {
		return fmt.Errorf("deliver lead %s: %w", l.ID, err)
	}
	// The attempt was made: it is recorded even when the host has lost patience.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTime)
	defer cancel()
	return s.record(ctx, l, m.Attempt, started, o)
}

const recordTime = 30 * time.Second

// expects reports whether the attempt is the one the lead waits for.
func (l *Lead) expects(attempt int) bool {
	return (l.State == Queued || l.State == RetryScheduled) && l.Next == attempt
}

// record writes the outcome of an attempt. When the lead was saved in between, by a repeat of the same message
// or by a replay, it looks again.
func (s *Service) record(ctx context.Context, l Lead, attempt int, started time.Time, o outcome) error {
	for range tries {
		destination := l.Destination
		msgs := s.settle(&l, started, o)
		err := s.deps.Store.Save(ctx, l, msgs...)
		if !fault.Is(err, fault.StaleETag) {
			if err != nil {
				return fmt.Errorf("record attempt %d of lead %s: %w", attempt, l.ID, err)
			}
			return nil
		}
		if l, err = s.deps.Store.Lead(ctx, l.PublisherID, l.ID); err != nil {
			return fmt.Errorf("record attempt %d: %w", attempt, err)
		}
		if !l.expects(attempt) {
			return nil
		}
		l.Destination = destination
	}
	return busy()
}

// settle puts the outcome into the lead and returns the messages that follow from it.
func (s *Service) settle(l *Lead, started time.Time, o outcome) []message.Message {
	now := s.deps.Now().UTC()
	a := Attempt{Number: l.Next, StartedAt: started, EndedAt: now, HTTPStatus: o.status, ErrorCode: o.code}
	l.Tries++
	keep := keepWaiting
	switch {
	case o.delivered:
		a.Outcome = "delivered"
		l.wait(Delivered, "", now)
		keep = keepDelivered
	case o.unrouted:
		a.Outcome = "failed"
		l.wait(Unrouted, o.code, now)
	default:
		due, again := nextDue(l, now, o.after)
		if again && !o.permanent && !l.timedOutBefore(o.code) {
			a.Outcome = "retry"
			l.note(a)
			l.State, l.DueAt, l.Next = RetryScheduled, due, l.Next+1
			return []message.Message{l.attempt()}
		}
		a.Outcome = "failed"
		l.wait(Parked, o.code, now)
	}
	l.note(a)
	return []message.Message{s.expiry(l, keep)}
}

// timedOutBefore reports whether a time-out is the second one of the round: whether an HTTPS endpoint has the
// lead is not known then, and it gets the lead once more only (LED-41). A table recognises a lead it has.
func (l *Lead) timedOutBefore(code string) bool {
	if code != Timeout || l.Destination != HTTPSEndpoint {
		return false
	}
	from := max(0, len(l.Attempts)-(l.Tries-1))
	for _, a := range l.Attempts[from:] {
		if a.ErrorCode == Timeout {
			return true
		}
	}
	return false
}

// expire erases the personal data of a lead that has stood long enough; one that waits is lost with it (LED-46,
// LED-69). A lead that has moved on since the message was written is left alone.
func (s *Service) expire(ctx context.Context, m Outbound) error {
	l, err := s.deps.Store.Lead(ctx, m.PublisherID, m.LeadID)
	if err != nil {
		return fmt.Errorf("expire lead %s: %w", m.LeadID, err)
	}
	if l.Next != m.Attempt || l.Erased || !l.State.Waits() && l.State != Delivered {
		return nil
	}
	if l.State.Waits() {
		l.State = Lost
	}
	l.erase()
	if err := s.deps.Store.Save(ctx, l); err != nil {
		return fmt.Errorf("expire lead %s: %w", l.ID, err)
	}
	return nil
}
