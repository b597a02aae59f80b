package metering

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"stoa/shared/account"
	"stoa/shared/fault"
)

// Event is one report of usage, as it was sent.
type Event struct {
	ResourceID     string
	ResourceURI    string
	Quantity       string // the text of the JSON number
	Dimension      string
	EffectiveStart string
	PlanID         string
	Malformed      []string // members, as spelled in 6.1, that were sent with a value of the wrong type
}

// The names of the members, as in the table.
const (
	memberResource  = "resourceId"
	memberURI       = "resourceUri"
	memberQuantity  = "quantity"
	memberDimension = "dimension"
	memberEffective = "effectiveStartTime"
	memberPlan      = "planId"
)

// parsed is an event whose members are well formed.
type parsed struct {
	Event
	ref       string // lower-cased GUID or ARM id
	quantity  decimal.Decimal
	effective time.Time
}

// parse collects everything that is wrong with the form of an event (4.6, check 1).
func parse(e Event) (parsed, []fault.Detail) {
	var found fault.Findings
	p := parsed{Event: e}
	p.ref = reference(e, &found)
	if e.present(&found, memberQuantity, e.Quantity) {
		var err error
		if p.quantity, err = parseQuantity(e.Quantity); err != nil {
			found.Add(string(BadArgument), target(memberQuantity), "The quantity must be a number.")
		}
	}
	e.present(&found, memberDimension, e.Dimension)
	if e.present(&found, memberEffective, e.EffectiveStart) {
		var err error
		if p.effective, err = parseTime(e.EffectiveStart); err != nil {
			found.Add(string(BadArgument), target(memberEffective),
				"The effectiveStartTime must be a date and time such as 2018-12-01T08:30:14.")
		}
	}
	e.present(&found, memberPlan, e.PlanID)
	return p, found
}

func target(member string) string { return facts.required[member].Target }

// present reports whether a required member is there and of the right type, and records when it is not.
func (e Event) present(found *fault.Findings, member, value string) bool {
	if e.malformed(found, member, target(member)) {
		return false
	}
	if value == "" {
		*found = append(*found, facts.required[member])
		return false
	}
	return true
}

// malformed reports whether a member was sent with a value of the wrong type, and records it.
func (e Event) malformed(found *fault.Findings, member, target string) bool {
	if !slices.Contains(e.Malformed, member) {
		return false
	}
	found.Add(string(BadArgument), target, "The %s is not of the right type.", member)
	return true
}

// reference is the resource an event names: by id, by ARM id, or by a GUID in place of the ARM id (MTR-34 to
// MTR-36).
func reference(e Event, found *fault.Findings) string {
	badID := e.malformed(found, memberResource, target(memberResource))
	if badURI := e.malformed(found, memberURI, targetURI); badID || badURI {
		return ""
	}
	id, uri := strings.ToLower(e.ResourceID), strings.ToLower(e.ResourceURI)
	if len(uri) > maxURI {
		found.Add(string(BadArgument), targetURI, "The resourceUri may have %d characters at most.", maxURI)
		return ""
	}
	if id == "" && uri != "" {
		return strings.TrimSuffix(uri, "/")
	}
	if !e.present(found, memberResource, e.ResourceID) {
		return ""
	}
	if account.GUID(id) == "" {
		found.Add(string(BadArgument), target(memberResource), "The resourceId must be a GUID.")
		return ""
	}
	if account.GUID(uri) != "" && uri != id {
		found.Add(string(BadArgument), targetURI, "The resourceId and the resourceUri must name the same resource.")
	}
	return id
}

const (
	targetURI   = "ResourceUri" // as the required members are spelled in details
	maxURI      = 2048
	maxTime     = 64  // characters of a time
	maxQuantity = 100 // characters of a number
	maxScale    = 60  // decimals; more would be a burden to compute with and no usage
)

var errNumber = errors.New("not a number of the contract")

// parseQuantity reads the text of a JSON number. One with an absurd exponent is cut to a bound that has the same
// verdict, so that nobody computes with it.
func parseQuantity(text string) (decimal.Decimal, error) {
	if len(text) > maxQuantity {
		return decimal.Decimal{}, errNumber
	}
	d, err := decimal.NewFromString(text)
	if err != nil {
		return decimal.Decimal{}, errNumber
	}
	switch {
	case d.IsZero():
		return decimal.Zero, nil
	case d.Exponent() > 2*maxQuantity:
		return decimal.New(int64(d.Sign()), 2*maxQuantity), nil
	case d.Exponent() < -maxScale:
		return decimal.Decimal{}, errNumber
	}
	return d, nil
}

var errTime = errors.New("not a time of the contract")

// parseTime reads a time; without a zone it is UTC (MTR-40). A leap second counts as the second before it, so that
// it stays in its hour.
func parseTime(text string) (time.Time, error) {
	if len(text) > maxTime {
		return time.Time{}, errTime
	}
	leap := len(text) > secondsAt+1 && text[secondsAt:secondsAt+2] == "60"
	if leap {
		text = text[:secondsAt] + "59" + text[secondsAt+2:]
	}
	for _, layout := range []string{"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02T15:04"} {
		t, err := time.Parse(layout, text)
		if err != nil || t.Year() < 1 {
			continue
		}
		if t = t.UTC(); leap && t.Format(time.TimeOnly) != "23:59:59" {
			return time.Time{}, errTime
		}
		return t, nil
	}
	return time.Time{}, errTime
}

const secondsAt = len("2006-01-02T15:04:") // where the seconds of a time stand

// Usage is an accepted event (3.5).
type Usage struct {
	EventID        string    `json:"usageEventId"`
	ResourceID     string    `json:"resourceId"`
	ResourceURI    string    `json:"resourceUri,omitempty"`
	Kind           Kind      `json:"kind,omitempty"`
	PublisherID    string    `json:"publisherId"`
	OfferID        string    `json:"offerId"`
	CustomerID     string    `json:"customerId,omitempty"`
	Dimension      string    `json:"dimension"`
	PlanID         string    `json:"planId"`
	Quantity       string    `json:"quantity"`           // as sent
	EffectiveStart string    `json:"effectiveStartTime"` // as sent
	Effective      time.Time `json:"effective"`          // the instant it means
	AcceptedAt     time.Time `json:"acceptedAt"`
	RequestID      string    `json:"requestId,omitempty"`
	CorrelationID  string    `json:"correlationId,omitempty"`
	CallerAppID    string    `json:"callerAppId,omitempty"` // who reported it
	Owner          Owner     `json:"owner"`                 // metering identity of the offer at that time
	Session        Recon     `json:"session,omitempty"`     // DryRun or TestHeaders: never billed; else empty
}

// HourLayout is how the UTC hour of an event is written.
const HourLayout = "2006010215"

// Hour is the UTC clock hour of the usage, yyyyMMddHH (MTR-50).
func (u Usage) Hour() string { return u.Effective.UTC().Format(HourLayout) }

// Value is the quantity as a number.
func (u Usage) Value() (decimal.Decimal, error) { return parseQuantity(u.Quantity) }

// key is what must be unique among accepted events (MTR-49).
type key struct {
	resource, dimension, hour string
	dry                       bool // a dry run has hours of its own
}

func (u Usage) key() key { return key{u.ResourceID, u.Dimension, u.Hour(), u.Session == DryRun} }

// Ref names accepted usage.
type Ref struct {
	ResourceID string `json:"resourceId"`
	Dimension  string `json:"dimension"`
	Hour       string `json:"hour"` // yyyyMMddHH
	Session    Recon  `json:"session,omitempty"`
}

// Ref is how messages name the usage.
func (u Usage) Ref() Ref { return Ref{u.ResourceID, u.Dimension, u.Hour(), u.Session} }

// Result is what became of an event.
type Result struct {
	Status   Status
	Usage    Usage          // when Accepted
	Existing Usage          // when Duplicate: the event that was accepted
	Details  []fault.Detail // what is wrong, when anything is
	Err      error          // the cause of an Error, for logs
}
