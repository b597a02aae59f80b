package correction

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"stoa/shared/fault"
	"stoa/shared/message"
)

// State is how far a correction has come (3.8).
type State string

// The states.
const (
	Submitted          State = "Submitted"
	UnderInvestigation State = "UnderInvestigation"
	Approved           State = "Approved"
	Declined           State = "Declined"
	Credited           State = "Credited"
)

// Codes of refusals.
const (
	CodeInvalid       = "InvalidValue"
	CodeMissing       = "MissingValue"
	CodeBadRequest    = "BadRequest"
	CodeUnderReported = "UnderReportedNotEligible" // MTR-80
	CodeCorrected     = "AlreadyCorrected"
	CodeTooMany       = "TooManyResources"
	CodeState         = "InvalidState"
)

// caseTypes are the support case types by offer type (MTR-85).
var caseTypes = map[string]string{
	"SaaS":             "Commercial Marketplace > Metered Billing > Wrong usage sent for SaaS offer",
	"AzureApplication": "Commercial Marketplace > Metered Billing > Wrong usage sent for Azure Applications offer",
}

// Usage is what is to be corrected: the usage of a meter by a resource on a plan, of one event or a whole day.
type Usage struct {
	ResourceID string          `json:"resourceId"`
	PlanID     string          `json:"planId"`
	Quantity   decimal.Decimal `json:"quantity"` // as reported
}

// Part is the share of a correction that one resource on one plan has.
type Part struct {
	Usage
	Reduced   decimal.Decimal `json:"reduced"`            // quantity that is given back
	LineID    string          `json:"lineId,omitempty"`   // charge line it was charged in; from here on fixed before it is posted
	CreditID  string          `json:"creditId,omitempty"` // line of the credit
	Currency  string          `json:"currency,omitempty"` // of the charge line
	UnitPrice decimal.Decimal `json:"unitPrice"`          // same
	Net       int64           `json:"net,omitempty"`      // minor units
	Tax       int64           `json:"tax,omitempty"`      // same
	Fee       int64           `json:"fee,omitempty"`      // same, of the net
	Posted    bool            `json:"posted,omitempty"`
}

// Correction is a report of too much usage and what became of it.
type Correction struct {
	ID          string          `json:"id"`
	PublisherID string          `json:"publisherId"`
	OfferID     string          `json:"offerId"`
	Meter       string          `json:"meterId"` // the dimension
	CustomerID  string          `json:"customerId"`
	UsageDate   string          `json:"usageDate"` // YYYY-MM-DD
	AnomalyID   string          `json:"anomalyId,omitempty"`
	EventID     string          `json:"usageEventId,omitempty"`
	Reported    decimal.Decimal `json:"reportedUsage"`
	NewReported decimal.Decimal `json:"newReportedUsage"`
	Reason      string          `json:"reason,omitempty"`
	CaseType    string          `json:"caseType,omitempty"` // MTR-85
	State       State           `json:"state"`
	SubmittedAt time.Time       `json:"submittedAt"`
	SubmittedBy string          `json:"submittedBy"`
	OpenedAt    time.Time       `json:"investigationOpenedAt,omitzero"`
	DecidedAt   time.Time       `json:"decidedAt,omitzero"`
	DecidedBy   string          `json:"decidedBy,omitempty"`
	Note        string          `json:"note,omitempty"` // of staff, with the verdict
	CreditedAt  time.Time       `json:"creditedAt,omitzero"`
	Parts       []Part          `json:"parts"`

	Tag string `json:"-"` // of the stored row as read
}

// Claim says which usage of a day has been corrected: all of it, or single events. A declined correction has none.
type Claim struct {
	PublisherID string            `json:"publisherId"`
	ResourceID  string            `json:"resourceId"`
	Meter       string            `json:"meterId"`
	PlanID      string            `json:"planId"`
	UsageDate   string            `json:"usageDate"`
	Whole       string            `json:"whole,omitempty"`  // correction of the whole day
	Events      map[string]string `json:"events,omitempty"` // correction by usage event

	Tag string `json:"-"` // of the stored row as read; empty: there is none yet
}

// Given is what corrections have taken off a charge line, in minor units.
type Given struct {
	PublisherID string `json:"publisherId"`
	LineID      string `json:"lineId"`
	Net         int64  `json:"net"`
	Tax         int64  `json:"tax"`
	Fee         int64  `json:"fee"`

	Tag string `json:"-"` // of the stored row as read; empty: there is none yet
}

// Change is what is written together, or not at all. Parts of it without a tag are new.
type Change struct {
	Correction Correction
	Claims     []Claim
	Given      []Given
	Messages   []message.Message
}

// Check refuses a quantity that would not lower what was reported (MTR-80).
func Check(reported, lowered decimal.Decimal) error {
	if lowered.IsNegative() || !lowered.LessThan(reported) {
		return fault.New(fault.NotReady, CodeUnderReported, "newReportedUsage",
			"Only over-reported usage can be corrected: the new usage must be at least 0 and below the %s that were reported.", reported)
	}
	return nil
}

// spread parts what is given back over the usages in proportion, exactly: the last one takes the rest.
func spread(usages []Usage, reported, lowered decimal.Decimal) []Part {
	const scale = 18 // decimals of a part
	left := reported.Sub(lowered)
	parts := make([]Part, len(usages))
	for i, u := range usages {
		reduced := left
		if i < len(usages)-1 {
			reduced = decimal.Min(left, reported.Sub(lowered).Mul(u.Quantity).DivRound(reported, scale))
		}
		parts[i] = Part{Usage: u, Reduced: reduced}
		left = left.Sub(reduced)
	}
	return parts
}

// Quantity is a quantity as JSON has it: a number, or the text of one. Invalid for anything else, for one of more
// than 40 characters, and for an exponent that no usage has.
type Quantity struct{ decimal.Decimal }

const (
	maxQuantity = 40 // characters
	maxExponent = 60
)

// UnmarshalJSON implements json.Unmarshaler.
func (q *Quantity) UnmarshalJSON(data []byte) error {
	wrong := fault.New(fault.Invalid, CodeInvalid, "newReportedUsage", "must be a number of %d characters at most", maxQuantity)
	text := string(bytes.Trim(data, `"`))
	if len(text) > maxQuantity || strings.ContainsAny(text, `\ `) {
		return wrong
	}
	d, err := decimal.NewFromString(text)
	if err != nil || d.Exponent() > maxExponent || d.Exponent() < -maxExponent {
		return wrong
	}
	q.Decimal = d
	return nil
}

// Kinds of work.
const (
	KindInvestigate = "investigate" // show a submitted correction to staff
	KindCredit      = "credit"      // post the credit of an approved one
	KindClose       = "close"       // show it no longer
)

// Work is the body of a message on the queue.
type Work struct {
	Kind         string `json:"kind"`
	PublisherID  string `json:"publisherId"`
	CorrectionID string `json:"correctionId"`
	Try          int    `json:"try,omitempty"` // of a credit that had to wait
}

func (c Correction) work(kind string, try int) message.Message {
	return message.New(fmt.Sprintf("correction:%s:%s:%d", c.ID, kind, try), message.UsageReviews,
		Work{Kind: kind, PublisherID: c.PublisherID, CorrectionID: c.ID, Try: try})
}
