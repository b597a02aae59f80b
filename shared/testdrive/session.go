package testdrive

import (
	"time"

	"stoa/shared/lead"
	"stoa/shared/offer"
)

// State is how far a session is (5.3).
type State string

// The states of a session.
const (
	Provisioning State = "Provisioning"
	Active       State = "Active"
	Ending       State = "Ending" // access is gone, clean-up is under way
	Ended        State = "Ended"
	Failed       State = "Failed" // it never became active
)

// Unfinished reports whether the session still stands in the way of another of the same customer (TDR-56).
func (s State) Unfinished() bool { return s == Provisioning || s == Active || s == Ending }

// Reason is why a session ended.
type Reason string

// The reasons.
const (
	Expired         Reason = "expired"
	EndedByCustomer Reason = "customer"
	CouldNotStart   Reason = "failed"
)

// LogicApp is the kind of test drive that is run.
const LogicApp = "logicApp"

// PoolID names the capacity of one slot of an offer.
type PoolID struct {
	PublisherID string     `json:"publisherId"`
	OfferID     string     `json:"offerId"`
	Slot        offer.Slot `json:"slot"`
}

// Pool is who holds the slots of a test drive.
type Pool struct {
	ID      PoolID
	Holders []Holder
	Lock    string // optimistic lock of the store, empty for a new pool
}

// Holder is a session that takes a slot, from its reservation to the end of its clean-up.
type Holder struct {
	SessionID string    `json:"sessionId"`
	Customer  string    `json:"customer,omitempty"` // empty when the customer may start again
	Until     time.Time `json:"until"`              // when the session expires, or would if it were ready now
}

// Session is one customer's use of a test drive.
type Session struct {
	ID       string // GUID
	Pool     PoolID
	Kind     string
	Customer string        // key of the signed-in person
	Contact  lead.Customer // gone once the lead is captured and the session has ended
	Source   lead.Source   // storefront
	Config   Config

	State       State
	RequestedAt time.Time
	ReadyAt     time.Time
	ExpiresAt   time.Time // fixed at readiness (TDR-59)
	EndedAt     time.Time // when it stopped being usable
	CleanedAt   time.Time // when its clean-up was done
	Reason      Reason
	Error       string // code of what failed last
	Outputs     []Output

	LeadID    string
	LeadError string // code of why there is no lead
	PollURL   string // where an assign workflow that runs on tells its result
	Provision int    // number of the expected provision step
	Cleanup   int    // number of the expected clean-up step, 0 before the end
	CleanFrom time.Time
	Unsettled bool // the assign workflow answered after the session had ended: clean up once more

	Lock string // optimistic lock of the store, empty for a new session
}

// Config is the test drive as it was published when the session started; later changes do not move it.
type Config struct {
	OfferTitle     string
	DurationHours  int
	AccessInfo     string
	AssignURL      string // secret: its query carries a signature
	DeprovisionURL string // same
}

// Output is a named value the publisher's workflow gave out, in its order.
type Output struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func (c Config) duration() time.Duration { return time.Duration(c.DurationHours) * time.Hour }

// holder finds the unfinished session of a customer.
func (p *Pool) holder(customer string) (Holder, bool) {
	for _, h := range p.Holders {
		if h.Customer == customer {
			return h, true
		}
	}
	return Holder{}, false
}

// earliest is when the first slot may be free again.
func (p *Pool) earliest() time.Time {
	first := p.Holders[0].Until
	for _, h := range p.Holders[1:] {
		if h.Until.Before(first) {
			first = h.Until
		}
	}
	return first
}

// change applies f to the holder of the session; it is removed when f says so. A session without one is fine.
func (p *Pool) change(sessionID string, f func(h *Holder) (keep bool)) {
	kept := make([]Holder, 0, len(p.Holders))
	for _, h := range p.Holders {
		if h.SessionID != sessionID || f(&h) {
			kept = append(kept, h)
		}
	}
	p.Holders = kept
}

// ready makes the session active (TDR-59).
func (s *Session) ready(outputs []Output, now time.Time) {
	s.State, s.Outputs, s.Error, s.PollURL = Active, outputs, "", ""
	s.ReadyAt, s.ExpiresAt = now, now.Add(s.Config.duration())
}

// end takes access away (TDR-64, TDR-65).
func (s *Session) end(state State, why Reason, now time.Time) {
	s.State, s.Reason, s.EndedAt = state, why, now
	s.Outputs, s.PollURL = nil, ""
	s.Cleanup++
	s.CleanFrom = now
}

// cleaned reports whether nothing is left to clean up.
func (s *Session) cleaned() bool { return !s.CleanedAt.IsZero() && !s.Unsettled }

// SecondsLeft is how long the session still is active.
func (s *Session) SecondsLeft(now time.Time) int {
	if s.State != Active || !now.Before(s.ExpiresAt) {
		return 0
	}
	return int(s.ExpiresAt.Sub(now) / time.Second)
}
