package billing

import (
	"fmt"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"stoa/shared/fault"
	"stoa/shared/message"
)

// CycleState is the state of a metered cycle (3.4).
type CycleState string

// The states.
const (
	CycleOpen    CycleState = "open"
	CycleClosing CycleState = "closing" // it takes no more usage; from FixedAt on its parts are fixed
	CycleClosed  CycleState = "closed"  // its parts are charged
)

// Cycle is the metered use of a resource and dimension in a calendar month UTC (3.4, BIL-24). What it is charged
// for is fixed in Parts before the first line is written, so that a close that is tried again charges the same
// (BIL-30). The cycle in which its resource ends is the final one (BIL-26).
type Cycle struct {
	ResourceID  string                     `json:"resourceId"`
	PublisherID string                     `json:"publisherId"`
	Dimension   string                     `json:"dimensionId"`
	Month       string                     `json:"cycle"` // yyyy-MM
	State       CycleState                 `json:"state"`
	EndedAt     time.Time                  `json:"endedAt,omitzero"`     // end of the resource, when it lies in the cycle
	Quantities  map[string]decimal.Decimal `json:"quantities,omitempty"` // by plan, as shown; running while open
	Parts       []Part                     `json:"parts,omitempty"`
	Counted     Hours                      `json:"counted,omitempty"` // hours whose usage has its place: here, or late in a later cycle
	Late        map[string]Hours           `json:"late,omitempty"`    // hours of closed months that are charged here (BIL-25)
	OpenedAt    time.Time                  `json:"openedAt"`
	FixedAt     time.Time                  `json:"fixedAt,omitzero"`
	ClosedAt    time.Time                  `json:"closedAt,omitzero"`

	Tag string `json:"-"` // of the stored row as read
}

// Part is what one line of a cycle charges: the use on a plan, in the month of the cycle or late from a month
// before.
type Part struct {
	PlanID    string          `json:"planId"`
	LateFrom  string          `json:"lateFrom,omitempty"` // yyyy-MM of late use
	FirstDay  string          `json:"firstDay"`           // YYYY-MM-DD, included
	LastDay   string          `json:"lastDay"`            // YYYY-MM-DD, included
	Quantity  decimal.Decimal `json:"quantity"`
	UnitPrice decimal.Decimal `json:"unitPrice"` // in the currency of the customer
}

// Hours is a set of hours of a month, a bit for each.
type Hours []byte

func hourIndex(t time.Time) int { return (t.UTC().Day()-1)*24 + t.UTC().Hour() }

// Has reports whether the hour of an instant is in the set.
func (h Hours) Has(t time.Time) bool {
	i := hourIndex(t)
	return i/8 < len(h) && h[i/8]&(1<<(i%8)) != 0
}

// With is the set with the hour of an instant.
func (h Hours) With(t time.Time) Hours {
	i := hourIndex(t)
	more := make(Hours, max(len(h), i/8+1))
	copy(more, h)
	more[i/8] |= 1 << (i % 8)
	return more
}

const monthLayout = "2006-01"

func monthStart(month string) time.Time {
	t, err := time.Parse(monthLayout, month)
	if err != nil {
		panic(fmt.Sprintf("cycle %q: %v", month, err)) // months are parsed before they come here
	}
	return t
}

func nextMonth(month string) string { return monthStart(month).AddDate(0, 1, 0).Format(monthLayout) }

func (c Cycle) start() time.Time { return monthStart(c.Month) }

func (c Cycle) end() time.Time { return c.start().AddDate(0, 1, 0) }

// lastDay is the last day of the cycle; the final one ends with its resource.
func (c Cycle) lastDay() string {
	if !c.EndedAt.IsZero() {
		return c.EndedAt.UTC().Format(time.DateOnly)
	}
	return c.end().AddDate(0, 0, -1).Format(time.DateOnly)
}

// name is the cycle in source keys (BIL-9): its month, or "final" (BIL-26).
func (c Cycle) name() string {
	if !c.EndedAt.IsZero() {
		return "final"
	}
	return c.Month
}

// sourceKey is that of the line for a part (BIL-9).
func (c Cycle) sourceKey(p Part) string {
	cycle := c.name()
	if p.LateFrom != "" {
		cycle += ":" + p.LateFrom
	}
	return fmt.Sprintf("metered:%s:%s:%s:%s", c.ResourceID, c.Dimension, p.PlanID, cycle)
}

// LineID is the id of the line for a part of a closed cycle.
func (c Cycle) LineID(p Part) string { return LineID(c.sourceKey(p)) }

// closesAt is when the cycle closes: on day 2 of the next month at 01:00 UTC, when nothing for it can be accepted
// any more (BIL-24); the final one 24 hours after the end of the resource (BIL-26).
func (c Cycle) closesAt() time.Time {
	if !c.EndedAt.IsZero() {
		return c.EndedAt.Add(24 * time.Hour)
	}
	return c.end().Add(25 * time.Hour)
}

// endsWith makes the cycle the final one when its resource ends in it, and reports whether that is new.
func (c *Cycle) endsWith(endedAt time.Time) bool {
	if c.State != CycleOpen || !c.EndedAt.IsZero() || endedAt.Before(c.start()) || !endedAt.Before(c.end()) {
		return false
	}
	c.EndedAt = endedAt.UTC()
	return true
}

func (c Cycle) closing() message.Message {
	return message.New(fmt.Sprintf("cycle:%s:%s:%s:%s", c.ResourceID, c.Dimension, c.Month, c.name()), message.LedgerEvents,
		Signal{Kind: SignalClose, ResourceID: c.ResourceID, Dimension: c.Dimension, Month: c.Month}).At(c.closesAt())
}

// priceOf is the price that use on the plan was charged at, false when there was none.
func (c Cycle) priceOf(planID string) (decimal.Decimal, bool) {
	i := slices.IndexFunc(c.Parts, func(p Part) bool { return p.PlanID == planID && p.LateFrom == "" })
	if i < 0 {
		return decimal.Decimal{}, false
	}
	return c.Parts[i].UnitPrice, true
}

// sums are the quantities of the parts by plan.
func (c Cycle) sums() map[string]decimal.Decimal {
	sums := map[string]decimal.Decimal{}
	for _, p := range c.Parts {
		sums[p.PlanID] = sums[p.PlanID].Add(p.Quantity)
	}
	return sums
}

// parseHour reads an hour yyyyMMddHH.
func parseHour(hour string) (time.Time, error) {
	t, err := time.Parse("2006010215", hour)
	if err != nil {
		return t, fault.New(fault.Invalid, "InvalidHour", "hour", "%q is not an hour yyyyMMddHH", hour)
	}
	return t, nil
}
