package lead

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"stoa/shared/call"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/offer"
)

// Deps are what the service needs.
type Deps struct {
	Store      Store
	Offers     offer.Reader
	Publishers Publishers
	Secrets    Opener
	Calls      call.Doer
	Tables     TableWriter
	Now        func() time.Time
	PublicURL  string // begins the links in mail, without a closing slash
}

// Service captures and delivers leads. Safe for concurrent use.
type Service struct{ deps Deps }

// New makes the service.
func New(d Deps) (*Service, error) {
	if d.Store == nil || d.Offers == nil || d.Publishers == nil || d.Secrets == nil || d.Calls == nil || d.Tables == nil || d.Now == nil {
		return nil, errMissing
	}
	return &Service{deps: d}, nil
}

// Outbound is a message of the queue "leads": an attempt to make, or, of kind "expire", personal data to erase.
type Outbound struct {
	Kind        string `json:"kind,omitempty"`
	LeadID      string `json:"leadId"`
	PublisherID string `json:"publisherId"`
	Attempt     int    `json:"attempt"`
}

// Expire is the kind of the message that ends the time a lead is kept.
const Expire = "expire"

// How long personal data is kept: of a lead that waits (LED-46), of one that was delivered (LED-69).
const (
	keepWaiting   = 30 * 24 * time.Hour
	keepDelivered = 90 * 24 * time.Hour
)

// attempt is the message of the expected attempt.
func (l *Lead) attempt() message.Message {
	m := Outbound{LeadID: l.ID, PublisherID: l.PublisherID, Attempt: l.Next}
	return message.New("lead:"+l.ID+":"+strconv.Itoa(l.Next), message.Leads, m).At(l.DueAt)
}

// expiry is the message that erases the lead unless it has moved on by then.
func (s *Service) expiry(l *Lead, keep time.Duration) message.Message {
	m := Outbound{Kind: Expire, LeadID: l.ID, PublisherID: l.PublisherID, Attempt: l.Next}
	return message.New("lead:"+l.ID+":expire:"+strconv.Itoa(l.Next), message.Leads, m).At(l.EndedAt.Add(keep))
}

// Lead reads one lead. NotFound.
func (s *Service) Lead(ctx context.Context, publisherID, id string) (Lead, error) {
	return s.deps.Store.Lead(ctx, publisherID, id)
}

// Leads lists a publisher's leads, the newest first. Invalid for a filter that can never match.
func (s *Service) Leads(ctx context.Context, f Filter) ([]Lead, string, error) {
	if err := f.check(); err != nil {
		return nil, "", err
	}
	return s.deps.Store.Leads(ctx, f)
}

func (f *Filter) check() error {
	_, known := actions.action(f.Action)
	switch {
	case f.State != "" && !slices.Contains(states, f.State):
		return fault.New(fault.Invalid, "InvalidValue", "state", "must be one of %v", states)
	case f.Action != "" && !known:
		return fault.New(fault.Invalid, "InvalidValue", "action", "must be an action code, such as %s", PartnerTrial)
	case utf8.RuneCountInString(f.OfferID) > maxID:
		return fault.New(fault.Invalid, "InvalidValue", "offerId", "may have %d characters at most", maxID)
	}
	return nil
}

// Waiting lists the leads of all publishers that wait for a replay.
func (s *Service) Waiting(ctx context.Context, after string, limit int) ([]Lead, string, error) {
	return s.deps.Store.Waiting(ctx, after, limit)
}

// ReplayWaiting is Replay for staff, who know a lead by its id alone.
func (s *Service) ReplayWaiting(ctx context.Context, id string) (Lead, error) {
	publisherID, err := s.deps.Store.PublisherOf(ctx, id)
	if err != nil {
		return Lead{}, err
	}
	return s.Replay(ctx, publisherID, id)
}

// Replay sends a lead that waits on its way again, with a new round of attempts. NotFound; Conflict
// "LeadNotReplayable" for a lead in another state, so that of two replays one is done.
func (s *Service) Replay(ctx context.Context, publisherID, id string) (Lead, error) {
	for range tries {
		l, err := s.deps.Store.Lead(ctx, publisherID, id)
		if err != nil {
			return Lead{}, fmt.Errorf("replay lead %s: %w", id, err)
		}
		if !l.State.Waits() {
			return Lead{}, fault.New(fault.Conflict, "LeadNotReplayable", "leadId", "Only a lead that is parked or unrouted can be replayed; this one is %s.", l.State)
		}
		l.State, l.Reason, l.DueAt, l.EndedAt = Queued, "", time.Time{}, time.Time{}
		l.Round, l.Tries, l.Next = s.deps.Now().UTC(), 0, l.Next+1
		if err = s.deps.Store.Save(ctx, l, l.attempt()); err == nil {
			return l, nil
		}
		if !fault.Is(err, fault.StaleETag) {
			return Lead{}, fmt.Errorf("replay lead %s: %w", id, err)
		}
	}
	return Lead{}, busy()
}

const tries = 5 // of a change that others overtake

func busy() error {
	return fault.New(fault.Unavailable, "Busy", "", "The lead is being changed by others. Try again.")
}
