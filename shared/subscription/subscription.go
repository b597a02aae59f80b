package subscription

import (
	"time"

	"github.com/shopspring/decimal"
)

// Status is the state of a subscription (FUL, 5.1).
type Status string

// The four states.
const (
	PendingFulfillmentStart Status = "PendingFulfillmentStart"
	Subscribed              Status = "Subscribed"
	Suspended               Status = "Suspended"
	Unsubscribed            Status = "Unsubscribed"
)

// Party is the user who bought a subscription or for whom it was bought (3.12).
type Party struct {
	EmailID  string `json:"emailId"`
	ObjectID string `json:"objectId"`
	TenantID string `json:"tenantId"`
	PID      string `json:"pid"`
}

// Term is one billing term: the plan and seats it was charged for, at which price.
type Term struct {
	Number    int             `json:"number"`    // 1 is the first paid term, 0 a free trial
	Unit      string          `json:"unit"`      // P1M or P1Y
	StartDate string          `json:"startDate"` // YYYY-MM-DD
	EndDate   string          `json:"endDate"`   // last day that belongs to the term
	PlanID    string          `json:"planId"`
	Quantity  int             `json:"quantity"`  // seats, 0 on a flat-rate plan
	UnitPrice decimal.Decimal `json:"unitPrice"` // contract price of one term (and seat), in Currency
	Currency  string          `json:"currency"`
	Trial     bool            `json:"trial,omitempty"`
	ChargedAt time.Time       `json:"chargedAt,omitzero"`
}

// PlanSpan says which plan the subscription had from an instant on (MTR-45).
type PlanSpan struct {
	PlanID    string          `json:"planId"`
	From      time.Time       `json:"from"`
	Quantity  int             `json:"quantity,omitempty"`  // seats from then on
	UnitPrice decimal.Decimal `json:"unitPrice"`           // contract price of one term (and seat) from then on
	Operation string          `json:"operation,omitempty"` // that changed it; empty for the first span (FUL-58)
}

// StatusChange says which status the subscription had from an instant on.
type StatusChange struct {
	Status Status    `json:"status"`
	At     time.Time `json:"at"`
}

// Subscription is a purchased plan of a SaaS offer (3.11).
type Subscription struct {
	ID           string         `json:"id"`
	Name         string         `json:"name"`
	PublisherID  string         `json:"publisherId"`
	OfferID      string         `json:"offerId"`
	PlanID       string         `json:"planId"`
	Quantity     int            `json:"quantity"` // seats, 0 on a flat-rate plan
	Status       Status         `json:"status"`
	Beneficiary  Party          `json:"beneficiary"`
	Purchaser    Party          `json:"purchaser"`
	CSP          bool           `json:"csp,omitempty"`
	Preview      bool           `json:"preview,omitempty"` // bought from the preview: isTest
	TermUnit     string         `json:"termUnit"`
	Market       string         `json:"market"`
	Currency     string         `json:"currency"`
	AutoRenew    bool           `json:"autoRenew"`
	FreeTrial    bool           `json:"isFreeTrial"`
	Terms        []Term         `json:"terms,omitempty"` // oldest first; the last one is current
	Plans        []PlanSpan     `json:"plans,omitempty"`
	History      []StatusChange `json:"history,omitempty"`
	CreatedAt    time.Time      `json:"createdAt"`
	ChangedAt    time.Time      `json:"changedAt"`
	PendingUntil time.Time      `json:"pendingUntil,omitzero"` // it ends then unless it is activated; zero is never (FUL-93)
	ActivatedAt  time.Time      `json:"activatedAt,omitzero"`
	SuspendedAt  time.Time      `json:"suspendedAt,omitzero"`
	EndedAt      time.Time      `json:"endedAt,omitzero"`
	PendingOp    string         `json:"pendingOperation,omitempty"` // id of the operation that locks it (FUL-54)

	Store      string          `json:"store,omitempty"`      // where it was bought
	Payment    string          `json:"payment,omitempty"`    // payment method
	UnitPrice  decimal.Decimal `json:"unitPrice"`            // contract price of one term (and seat) of the plan
	TrialPlan  bool            `json:"trialPlan,omitempty"`  // the plan offers a free trial
	Anchor     string          `json:"anchor,omitempty"`     // YYYY-MM-DD that all terms are counted from (FUL-32)
	TermMonths int             `json:"termMonths,omitempty"` // months from the anchor to the end of the current term
	TrialHeir  string          `json:"trialHeir,omitempty"`  // subscription that took over what this one's stopped trial left (5.5)
	Waived     bool            `json:"waived,omitempty"`     // cancelled in the free window: nothing is charged (FUL-61)
	Payments   []string        `json:"payments,omitempty"`   // ids of the newest payment events that were heard
	Outgoing   []string        `json:"outgoing,omitempty"`   // operations whose webhook is not delivered yet, in order (FUL-79)

	ETag string `json:"-"` // of the stored row as read
}

// Position orders the subscriptions of a list: by purchase, then id (FUL-35).
func (s *Subscription) Position() string {
	return s.CreatedAt.UTC().Format("2006-01-02T15:04:05.000000000Z") + "|" + s.ID
}

// CurrentTerm is the running or last term; none before activation (FUL-33).
func (s *Subscription) CurrentTerm() (Term, bool) {
	if len(s.Terms) == 0 {
		return Term{}, false
	}
	return s.Terms[len(s.Terms)-1], true
}

// PerSeat reports whether the plan is priced per seat.
func (s *Subscription) PerSeat() bool { return s.Quantity > 0 }

// What the beneficiary may do (FUL-42).
const (
	OpRead   = "Read"
	OpUpdate = "Update"
	OpDelete = "Delete"
)

// Allowed lists what the beneficiary may do: a reseller's customer only reads (FUL-42).
func (s *Subscription) Allowed() []string {
	if s.CSP {
		return []string{OpRead}
	}
	return []string{OpRead, OpUpdate, OpDelete}
}
