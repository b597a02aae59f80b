package testdrive

import (
	"context"
	"fmt"
	"time"

	"stoa/shared/fault"
	"stoa/shared/lead"
	"stoa/shared/message"
)

// Run does the step that a message asks for. Nil settles the message: the step is done, or needs no doing, or
// has failed and is tried again by a message of its own. The error is NotFound for a session that is not there,
// Invalid for an unknown step, and else something that may pass.
func (s *Service) Run(ctx context.Context, m StepMessage) error {
	switch m.Step {
	case StepProvision:
		return s.provision(ctx, m)
	case StepExpire:
		return s.expire(ctx, m)
	case StepCleanup:
		return s.cleanup(ctx, m)
	}
	return fault.New(fault.Invalid, "InvalidValue", "step", "there is no step %q", m.Step)
}

// captureLead makes the lead of the session, once (LED-12, TDR-58): its event is the session, so that a repeat
// meets the lead. A lead that is refused does not hold back the test drive.
func (s *Service) captureLead(ctx context.Context, session Session) (Session, error) {
	if session.LeadID != "" || session.LeadError != "" {
		return session, nil
	}
	l, err := s.deps.Leads.Capture(ctx, lead.Event{
		EventID: "testdrive:" + session.ID, Source: session.Source, CallToAction: lead.TestDrive,
		PublisherID: session.Pool.PublisherID, OfferID: session.Pool.OfferID, Slot: session.Pool.Slot,
		OccurredAt: session.RequestedAt, ConsentGiven: true, Customer: session.Contact, SessionID: session.ID,
	})
	refused := ""
	if err != nil {
		if refused = fault.As(err).Code; fault.As(err).Kind.Transient() {
			return session, fmt.Errorf("lead of test drive session %s: %w", session.ID, err)
		}
	}
	return s.change(ctx, session.ID, func(session *Session, _ *Pool) ([]message.Message, error) {
		if session.LeadID != "" || session.LeadError != "" {
			return nil, errSame
		}
		session.LeadID, session.LeadError = l.ID, refused
		return nil, nil
	})
}

func (s *Service) provision(ctx context.Context, m StepMessage) error {
	session, err := s.deps.Store.Session(ctx, m.SessionID)
	if err != nil {
		return fmt.Errorf("provision test drive session %s: %w", m.SessionID, err)
	}
	if session, err = s.captureLead(ctx, session); err != nil {
		return err
	}
	if session.State != Provisioning || session.Provision != m.Attempt {
		return nil
	}
	a := s.assign(ctx, session)
	// The workflow was called: what came of it is recorded even when the host has lost patience.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTime)
	defer cancel()
	_, err = s.change(ctx, session.ID, func(session *Session, pool *Pool) ([]message.Message, error) {
		if session.State == Provisioning && session.Provision != m.Attempt || session.State == Active {
			return nil, errSame // a repeat of the message was faster
		}
		if session.State != Provisioning {
			return s.late(session), nil
		}
		return s.assigned(session, pool, a), nil
	})
	return err
}

const recordTime = 30 * time.Second

// assigned puts the outcome of the assign workflow into the session.
func (s *Service) assigned(session *Session, pool *Pool, a assignment) []message.Message {
	now := s.deps.Now().UTC()
	if a.ready {
		session.ready(a.outputs, now)
		pool.change(session.ID, func(h *Holder) bool { h.Until = session.ExpiresAt; return true })
		return append([]message.Message{session.step(StepExpire, 1, session.ExpiresAt)}, s.mail(session, "ready")...)
	}
	session.Error, session.PollURL = a.code, a.poll
	delay, again := goOn(session.Provision, a, now.Sub(session.RequestedAt))
	if again {
		session.Provision++
		return []message.Message{session.step(StepProvision, session.Provision, now.Add(delay))}
	}
	session.end(Failed, CouldNotStart, now)
	pool.change(session.ID, func(h *Holder) bool { h.Customer = ""; return true })
	return append([]message.Message{session.step(StepCleanup, session.Cleanup, time.Time{})}, s.mail(session, "failed")...)
}

// late is for a workflow that was still at it when the session ended: it may have set something up after the
// clean-up, so there is one more.
func (s *Service) late(session *Session) []message.Message {
	session.Unsettled = true
	session.Cleanup++
	session.CleanFrom = s.deps.Now().UTC()
	return []message.Message{session.step(StepCleanup, session.Cleanup, time.Time{})}
}

func (s *Service) expire(ctx context.Context, m StepMessage) error {
	_, err := s.change(ctx, m.SessionID, func(session *Session, _ *Pool) ([]message.Message, error) {
		now := s.deps.Now().UTC()
		switch {
		case session.State != Active:
			return nil, errSame
		case now.Before(session.ExpiresAt):
			return nil, fault.New(fault.Unavailable, "TooEarly", "", "The session has not expired.") // comes back
		}
		session.end(Ending, Expired, now)
		return []message.Message{session.step(StepCleanup, session.Cleanup, time.Time{})}, nil
	})
	return err
}

func (s *Service) cleanup(ctx context.Context, m StepMessage) error {
	session, err := s.deps.Store.Session(ctx, m.SessionID)
	if err != nil {
		return fmt.Errorf("clean up test drive session %s: %w", m.SessionID, err)
	}
	if session, err = s.captureLead(ctx, session); err != nil {
		return err // a session that ended before it began has made its lead all the same (LED-12)
	}
	if session.Cleanup != m.Attempt || session.cleaned() {
		return nil
	}
	failure := s.deprovision(ctx, session)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTime)
	defer cancel()
	_, err = s.change(ctx, session.ID, func(session *Session, pool *Pool) ([]message.Message, error) {
		if session.Cleanup != m.Attempt || session.cleaned() {
			return nil, errSame
		}
		now := s.deps.Now().UTC()
		if failure != "" {
			session.Error = failure
			session.Cleanup++
			return []message.Message{session.step(StepCleanup, session.Cleanup, now.Add(cleanupDelay(now.Sub(session.CleanFrom))))}, nil
		}
		session.clean(pool, now)
		return nil, nil
	})
	return err
}

// clean frees the slot and forgets what only the session needed (TDR-65).
func (s *Session) clean(pool *Pool, now time.Time) {
	if s.State == Ending {
		s.State, s.Error = Ended, ""
	}
	s.CleanedAt, s.Unsettled = now, false
	s.Contact = lead.Customer{}
	pool.change(s.ID, func(*Holder) bool { return false })
}

// cleanupDelay is every 5 minutes for an hour, then hourly (TDR-68).
func cleanupDelay(since time.Duration) time.Duration {
	if since < time.Hour {
		return 5 * time.Minute
	}
	return time.Hour
}

// mail tells the customer what has become of the session, without passwords (TDR-60).
func (s *Service) mail(session *Session, kind string) []message.Message {
	id := "testdrive:" + session.ID + ":" + kind
	subject := "Your test drive of " + session.Config.OfferTitle + " is ready"
	body := fmt.Sprintf("You can use it until %s.\nSession: %s/storefront/v1/testdrives/%s\n",
		session.ExpiresAt.Format("2006-01-02 15:04 UTC"), s.deps.PublicURL, session.ID)
	if kind == "failed" {
		subject = "Your test drive of " + session.Config.OfferTitle + " could not be started"
		body = "It could not be set up. You can start another one.\n"
	}
	for _, o := range session.Outputs {
		if !secretName.MatchString(o.Name) {
			body += o.Name + ": " + o.Value + "\n"
		}
	}
	return []message.Message{message.New(id, message.Notifications, map[string]any{
		"id": id, "kind": "testDrive", "to": []string{session.Contact.Email}, "subject": subject, "body": body,
	})}
}
