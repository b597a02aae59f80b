package anomaly

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"time"

	"github.com/shopspring/decimal"

	"stoa/shared/fault"
)

// State is what became of an anomaly (3.7).
type State string

// The states.
const (
	Unacknowledged  State = "Unacknowledged"
	MarkedAsAnomaly State = "MarkedAsAnomaly"
	NotAnAnomaly    State = "NotAnAnomaly"
	Expired         State = "Expired" // nobody said anything in time
)

// States are all states.
var States = []State{Unacknowledged, MarkedAsAnomaly, NotAnAnomaly, Expired}

// Codes of refusals.
const (
	CodeInvalid      = "InvalidValue"
	CodeBadRequest   = "BadRequest"
	CodeMissing      = "MissingValue"
	CodeWindowClosed = "ActionWindowClosed" // MTR-76
	CodeFinal        = "DecisionFinal"      // MTR-77
	CodeDecided      = "AlreadyDecided"     // "not an anomaly" was said before
)

// Anomaly is a day of usage that does not fit (3.7).
type Anomaly struct {
	ID string `json:"id"`
	Key
	OfferName    string              `json:"offerName"`
	OfferType    string              `json:"offerType"`
	CustomerName string              `json:"customerName,omitempty"`
	UsageDate    string              `json:"usageDate"` // YYYY-MM-DD
	Reported     decimal.Decimal     `json:"reportedUsage"`
	Expected     decimal.Decimal     `json:"expectedUsage"`
	Low          decimal.Decimal     `json:"expectedLow"`
	High         decimal.Decimal     `json:"expectedHigh"`
	Deviation    decimal.NullDecimal `json:"deviation"`       // percent; null when nothing was expected
	Extended     decimal.Decimal     `json:"extendedCharge"`  // USD: price x reported
	Impact       decimal.Decimal     `json:"financialImpact"` // USD: price x (reported - expected)
	FlaggedAt    time.Time           `json:"firstFlaggedAt"`
	ExpiresAt    time.Time           `json:"actionExpiryDate"`
	Run          string              `json:"run"` // that flagged it
	State        State               `json:"state"`
	NewReported  decimal.NullDecimal `json:"newReportedUsage"`
	Reason       string              `json:"reason,omitempty"`
	ActionAt     time.Time           `json:"actionTakenAt,omitzero"`
	ActionBy     string              `json:"actionTakenBy,omitempty"`
	CorrectionID string              `json:"correctionId,omitempty"`
	Parts        []Part              `json:"parts"`               // of what was reported, the largest first
	MoreParts    bool                `json:"moreParts,omitempty"` // there were too many to keep

	Tag string `json:"-"` // of the stored row as read
}

const (
	actionWindow = 30 * day // MTR-76
	maxParts     = 40       // of a day; a correction writes a row for each in one transaction
	highRisk     = 10_000   // USD, of either sign (MTR-79)
	cents        = 2
	hundred      = 100
)

// IDOf is the id of the anomaly of a day, the same whichever run flags it.
func IDOf(k Key, date time.Time) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q", k.PublisherID, k.OfferID, k.Meter, k.CustomerID))
	return date.Format("20060102") + "-" + hex.EncodeToString(sum[:12])
}

var idForm = regexp.MustCompile(`^[0-9]{8}-[0-9a-f]{24}$`)

// ValidID reports whether the text may be the id of an anomaly.
func ValidID(id string) bool { return idForm.MatchString(id) }

// StateAt is the state at an instant: one that nobody decided expires with its window, even before it is noted.
func (a Anomaly) StateAt(now time.Time) State {
	if a.State == Unacknowledged && a.closed(now) {
		return Expired
	}
	return a.State
}

func (a Anomaly) closed(now time.Time) bool { return now.After(a.ExpiresAt) }

// decide refuses a decision that comes too late (MTR-76) or changes a final one (MTR-77).
func (a Anomaly) decide(now time.Time, to State) error {
	switch {
	case a.State == MarkedAsAnomaly:
		return fault.New(fault.Conflict, CodeFinal, "state", "It was marked as an anomaly; that is final.")
	case a.closed(now):
		return fault.New(fault.Conflict, CodeWindowClosed, "actionExpiryDate", "A decision was possible until %s.", a.ExpiresAt.Format(time.RFC3339))
	case a.State == NotAnAnomaly && to == NotAnAnomaly:
		return fault.New(fault.Conflict, CodeDecided, "state", "It was said before that this is not an anomaly.")
	}
	return nil
}

// prices are what a unit costs by plan, in USD. A plan that is not there any more costs nothing.
type prices map[string]decimal.Decimal

// of makes an anomaly of a finding (9.2: deviation and impact).
func (p prices) of(k Key, f Finding) Anomaly {
	a := Anomaly{
		ID: IDOf(k, f.Date), Key: k, UsageDate: f.Date.Format(time.DateOnly), State: Unacknowledged,
		Reported: f.Reported, Expected: f.Expected, Low: f.Low, High: f.High,
	}
	charge := decimal.Zero
	for _, part := range f.Parts {
		charge = charge.Add(part.Quantity.Mul(p[part.PlanID]))
	}
	difference := f.Reported.Sub(f.Expected)
	a.Extended = charge.RoundBank(cents)
	if !f.Reported.IsZero() { // on several plans a unit costs what it does on average
		a.Impact = difference.Mul(charge).Div(f.Reported).RoundBank(cents)
	}
	if !f.Expected.IsZero() {
		percent := difference.Abs().Mul(decimal.NewFromInt(hundred)).DivRound(f.Expected, cents)
		a.Deviation = decimal.NewNullDecimal(percent)
	}
	a.Parts, a.MoreParts = f.Parts, len(f.Parts) > maxParts
	if a.MoreParts {
		a.Parts = f.Parts[:maxParts]
	}
	return a
}

// risky reports whether staff should speak with the publisher (MTR-79).
func (a Anomaly) risky() bool {
	return a.Impact.Abs().GreaterThanOrEqual(decimal.NewFromInt(highRisk))
}

// Decision is what a publisher says of an anomaly (3.8).
type Decision string

// The decisions, as the action log shows them.
const (
	MarkAnomaly Decision = "Marked as Anomaly"
	Dismiss     Decision = "Not an anomaly"
)

// Action is a line of the action log (3.8).
type Action struct {
	AnomalyID string `json:"anomalyId"`
	Key
	UsageDate   string              `json:"usageDate"`
	Decision    Decision            `json:"decision"`
	NewReported decimal.NullDecimal `json:"newReportedUsage"`
	Reason      string              `json:"reason,omitempty"`
	At          time.Time           `json:"actionTakenAt"`
	By          string              `json:"actionTakenBy"`
}
