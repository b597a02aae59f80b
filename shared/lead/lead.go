package lead

import (
	"slices"
	"strings"
	"time"

	"stoa/shared/offer"
)

// State is how far a lead is (5.2).
type State string

// The states of a lead.
const (
	Queued         State = "Queued"         // an attempt is on its way
	RetryScheduled State = "RetryScheduled" // an attempt failed, the next one has a date
	Delivered      State = "Delivered"
	Parked         State = "Parked"     // will not succeed by itself: waits for a replay
	Unrouted       State = "Unrouted"   // has no destination that takes it: waits for a replay
	Suppressed     State = "Suppressed" // must not be passed on (LED-67)
	Lost           State = "Lost"       // waited too long; its personal data is erased
)

var states = []State{Queued, RetryScheduled, Delivered, Parked, Unrouted, Suppressed, Lost}

// Waits reports whether the lead waits for someone to do something.
func (s State) Waits() bool { return s == Parked || s == Unrouted }

// Lead is one customer action for one offer.
type Lead struct {
	ID            string // made of the event, the offer and the action
	EventID       string
	PublisherID   string
	PublisherName string
	OfferID       string
	OfferTitle    string // as it was when the lead was captured
	PlanID        string
	Slot          offer.Slot
	Source        Source
	Action        Action
	Kind          Kind
	LeadSource    string
	Customer      Customer
	Description   string
	SessionID     string // test drive that caused it
	OccurredAt    time.Time
	CapturedAt    time.Time

	State       State
	Reason      string    // code of why it waits or was lost, empty else
	Destination string    // kind of destination at the last attempt
	Round       time.Time // when the retry clock began: at capture, or at the last replay
	Tries       int       // attempts of this round
	Next        int       // number of the attempt that is expected; others are repeats
	DueAt       time.Time // of the next attempt, when it has a date
	EndedAt     time.Time // when it was delivered, parked or suppressed
	Erased      bool      // personal data is gone
	Attempts    []Attempt // the last 50

	Lock     string // optimistic lock of the store, empty for a new lead
	Repeated bool   // Capture met the lead of an earlier event; not stored
}

// Attempt is one try to deliver, without content.
type Attempt struct {
	Number     int       `json:"n"`
	StartedAt  time.Time `json:"startedAt"`
	EndedAt    time.Time `json:"endedAt"`
	Outcome    string    `json:"outcome"` // delivered, retry or failed
	HTTPStatus int       `json:"httpStatus,omitempty"`
	ErrorCode  string    `json:"errorCode,omitempty"`
}

const maxAttempts = 50

func (l *Lead) note(a Attempt) {
	l.Attempts = append(l.Attempts, a)
	if n := len(l.Attempts) - maxAttempts; n > 0 {
		l.Attempts = slices.Clone(l.Attempts[n:])
	}
}

// wait parks the lead, or leaves it unrouted, with the code of the reason.
func (l *Lead) wait(s State, reason string, now time.Time) {
	l.State, l.Reason, l.EndedAt, l.DueAt = s, reason, now, time.Time{}
}

// erase removes the personal data.
func (l *Lead) erase() {
	l.Customer, l.Description, l.Erased = Customer{}, "", true
}

// Masked is the lead as those see it who may not read personal data (LED-66).
func (l Lead) Masked() Lead {
	email := l.Customer.Email
	for _, f := range l.Customer.fields() {
		*f.value = mask(*f.value)
	}
	l.Customer.Email = maskEmail(email)
	l.Description = mask(l.Description)
	return l
}

const stars = "***"

func mask(text string) string {
	if text == "" {
		return ""
	}
	return stars
}

// maskEmail keeps the first letter of the name and of the domain, and the ending: j***@m***.com.
func maskEmail(email string) string {
	name, domain, ok := strings.Cut(email, "@")
	if !ok || name == "" || domain == "" {
		return mask(email)
	}
	ending := ""
	if dot := strings.LastIndexByte(domain, '.'); dot > 0 {
		domain, ending = domain[:dot], domain[dot:]
	}
	return first(name) + stars + "@" + first(domain) + stars + ending
}

func first(text string) string { return string([]rune(text)[:1]) }
