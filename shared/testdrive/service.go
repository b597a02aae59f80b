package testdrive

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"stoa/shared/account"
	"stoa/shared/call"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/offer"
)

// Deps are what the service needs; all but PublicURL are required.
type Deps struct {
	Store     Store
	Offers    offer.Reader
	Leads     Leads
	Calls     call.Doer
	Now       func() time.Time
	NewID     func() string // GUIDs
	PublicURL string        // begins the links in mail, without a closing slash
}

// Service runs test drives.
type Service struct{ deps Deps }

// New makes the service.
func New(d Deps) (*Service, error) {
	if d.Store == nil || d.Offers == nil || d.Leads == nil || d.Calls == nil || d.Now == nil || d.NewID == nil {
		return nil, errors.New("test drive service: all of Deps but PublicURL are required")
	}
	return &Service{deps: d}, nil
}

// The steps of a session.
const (
	StepProvision = "provision"
	StepExpire    = "expire"
	StepCleanup   = "cleanup"
)

// StepMessage is a message of the queue "test-drives".
type StepMessage struct {
	SessionID string `json:"sessionId"`
	Step      string `json:"step"`
	Attempt   int    `json:"attempt"`
}

// step is the message for a step of the session, due at a time or, with the zero time, at once.
func (s *Session) step(step string, attempt int, due time.Time) message.Message {
	id := "testdrive:" + s.ID + ":" + step + ":" + strconv.Itoa(attempt)
	return message.New(id, message.TestDrives, StepMessage{SessionID: s.ID, Step: step, Attempt: attempt}).At(due)
}

const tries = 10 // of a change that others overtake

// errSame makes change leave the session as it is.
var errSame = errors.New("nothing to change")

// change reads a session and its pool, lets f decide, and saves both as one act, again when others were faster.
// f returns the messages that follow, or errSame.
func (s *Service) change(ctx context.Context, id string, f func(*Session, *Pool) ([]message.Message, error)) (Session, error) {
	for range tries {
		session, err := s.deps.Store.Session(ctx, id)
		if err != nil {
			return Session{}, fmt.Errorf("test drive session %s: %w", id, err)
		}
		pool, err := s.deps.Store.Pool(ctx, session.Pool)
		if err != nil {
			return Session{}, fmt.Errorf("test drive session %s: %w", id, err)
		}
		msgs, err := f(&session, &pool)
		if errors.Is(err, errSame) {
			return session, nil
		}
		if err != nil {
			return Session{}, err
		}
		if err = s.deps.Store.Save(ctx, session, pool, msgs...); err == nil {
			return session, nil
		}
		if !fault.Is(err, fault.StaleETag) {
			return Session{}, fmt.Errorf("test drive session %s: %w", id, err)
		}
	}
	return Session{}, busy()
}

func busy() error {
	return fault.New(fault.Unavailable, "Busy", "", "Others are faster at the moment. Try again.")
}

// customerKey names a signed-in person.
func customerKey(c account.Caller) string { return strings.ToLower(c.TenantID + "/" + c.ObjectID) }

// Session reads a session of the caller. A session of someone else is NotFound (TDR-65).
func (s *Service) Session(ctx context.Context, caller account.Caller, id string) (Session, error) {
	session, err := s.deps.Store.Session(ctx, id)
	if err != nil {
		return Session{}, fmt.Errorf("test drive session %s: %w", id, err)
	}
	if session.Customer != customerKey(caller) {
		return Session{}, fault.New(fault.NotFound, "NotFound", "sessionId", "There is no such session.")
	}
	now := s.deps.Now()
	if session.State == Active && !now.Before(session.ExpiresAt) {
		// Access ends at the second, whenever the message about it comes (TDR-64).
		session.end(Ending, Expired, now)
	}
	return session, nil
}

// Sessions lists the sessions of an offer's slot for its publisher, the newest first, without anything that
// lets one in and without the customer (TDR-66).
func (s *Service) Sessions(ctx context.Context, id PoolID, after string, limit int) ([]Session, string, error) {
	list, next, err := s.deps.Store.Sessions(ctx, id, after, limit)
	if err != nil {
		return nil, "", fmt.Errorf("list test drive sessions of %s: %w", id.OfferID, err)
	}
	return list, next, nil
}

// End ends a session of the caller early (TDR-63). Ending it again changes nothing. NotFound.
func (s *Service) End(ctx context.Context, caller account.Caller, id string) (Session, error) {
	if _, err := s.Session(ctx, caller, id); err != nil {
		return Session{}, err
	}
	return s.change(ctx, id, func(session *Session, _ *Pool) ([]message.Message, error) {
		if session.State != Provisioning && session.State != Active {
			return nil, errSame
		}
		session.end(Ending, EndedByCustomer, s.deps.Now().UTC())
		return []message.Message{session.step(StepCleanup, session.Cleanup, time.Time{})}, nil
	})
}
