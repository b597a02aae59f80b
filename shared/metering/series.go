package metering

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"stoa/shared/fault"
)

// Announced names the usage that a request has added.
type Announced struct {
	Events []Ref `json:"events"`
}

// OfferRef names an offer.
type OfferRef struct {
	PublisherID string `json:"publisherId"`
	OfferID     string `json:"offerId"`
}

// Series is what daily sums are kept for.
type Series struct {
	OfferRef
	Dimension         string `json:"dimension"`
	CustomerID        string `json:"customerId"`
	ResourceID        string `json:"resourceId"`
	Kind              Kind   `json:"kind,omitempty"`
	AzureSubscription string `json:"azureSubscriptionId,omitempty"`
}

// SeriesOf is the series that usage belongs to.
func SeriesOf(u Usage) Series {
	return Series{
		OfferRef: OfferRef{u.PublisherID, u.OfferID}, Dimension: u.Dimension, CustomerID: u.CustomerID, ResourceID: u.ResourceID,
		Kind: u.Kind, AzureSubscription: azureSubscription(u.ResourceURI),
	}
}

// MonthLayout is how the UTC month of a series is written.
const MonthLayout = "2006-01"

// Month is what was reported of a series in a month UTC.
type Month struct {
	Series
	Month string `json:"month"` // yyyy-MM
	Parts []Part `json:"parts"` // by day, plan and session
}

// Part is the usage of a day on a plan. Its hours name the events that are in the sum, because an hour has one
// accepted event at most (MTR-49); so an event is counted once however often it is announced.
type Part struct {
	Day       int             `json:"day"` // of the month
	PlanID    string          `json:"planId"`
	Session   Recon           `json:"session,omitempty"`
	Hours     uint32          `json:"hours"` // bit n: the hour n
	Sum       decimal.Decimal `json:"sum"`
	Recon     Recon           `json:"reconStatus"`
	Processed decimal.Decimal `json:"processed"`
	PlanName  string          `json:"planName,omitempty"`  // "" while not processed (MTR-89)
	OfferName string          `json:"offerName,omitempty"` // same
}

// Count is the number of events in the sum.
func (p Part) Count() int { return bits.OnesCount32(p.Hours) }

// Billed reports whether the usage is for the ledger.
func (p Part) Billed() bool { return p.Session == "" }

// Has reports whether the usage is in the month's sums. A dry run has hours of its own.
func (m *Month) Has(u Usage) bool {
	at, bit := u.Effective.UTC(), uint32(1)<<u.Effective.UTC().Hour()
	return slices.ContainsFunc(m.Parts, func(p Part) bool {
		return p.Day == at.Day() && p.Hours&bit != 0 && (p.Session == DryRun) == (u.Session == DryRun)
	})
}

// Add counts usage of the series and month, unless it is counted already. What was processed of its day is to be
// processed again.
func (m *Month) Add(u Usage) (bool, error) {
	if m.Has(u) {
		return false, nil
	}
	quantity, err := u.Value()
	if err != nil {
		return false, fmt.Errorf("quantity of usage event %s: %w", u.EventID, err)
	}
	at := u.Effective.UTC()
	fresh := Part{Day: at.Day(), PlanID: u.PlanID, Session: u.Session}
	i, found := slices.BinarySearchFunc(m.Parts, fresh, comparePart)
	if !found {
		m.Parts = slices.Insert(m.Parts, i, fresh)
	}
	p := &m.Parts[i]
	p.Hours |= 1 << at.Hour()
	p.Sum = p.Sum.Add(quantity)
	p.Recon, p.Processed, p.PlanName, p.OfferName = cmp.Or(p.Session, Submitted), decimal.Zero, "", ""
	return true, nil
}

func comparePart(a, b Part) int {
	return cmp.Or(a.Day-b.Day, cmp.Compare(a.PlanID, b.PlanID), cmp.Compare(a.Session, b.Session))
}

// date is the day of a part of the month.
func (m *Month) date(p Part) (time.Time, error) {
	first, err := time.Parse(MonthLayout, m.Month)
	if err != nil {
		return first, fmt.Errorf("month of a series: %w", err)
	}
	return first.AddDate(0, 0, p.Day-1), nil
}

// Days are the daily sums of the month that the range takes.
func (m *Month) Days(r Range) ([]Day, error) {
	var days []Day
	for _, p := range m.Parts {
		date, err := m.date(p)
		if err != nil {
			return nil, err
		}
		if d := (Day{Series: m.Series, Date: date, Part: p}); r.takes(d) {
			days = append(days, d)
		}
	}
	return days, nil
}

// Day is the usage of one UTC day, resource, dimension and plan (MTR-86).
type Day struct {
	Series
	Part
	Date time.Time
}

// Range selects daily usage: whole UTC days.
type Range struct {
	From, Until time.Time // first day, and the day after the last
	Dimension   string    // empty takes all
	Plan        string    // same
	Recon       Recon     // same
	Azure       string    // Azure subscription in lower case, empty takes all
}

// takes reports whether the range selects the day.
func (r Range) takes(d Day) bool {
	is := func(want, have string) bool { return want == "" || want == have }
	return !d.Date.Before(r.From) && d.Date.Before(r.Until) && is(r.Dimension, d.Dimension) && is(r.Plan, d.PlanID) &&
		is(string(r.Recon), string(d.Part.Recon)) && is(r.Azure, d.AzureSubscription)
}

// Months are the months of the range, yyyy-MM.
func (r Range) Months() []string {
	var months []string
	first := r.From.UTC()
	for at := time.Date(first.Year(), first.Month(), 1, 0, 0, 0, 0, time.UTC); at.Before(r.Until); at = at.AddDate(0, 1, 0) {
		months = append(months, at.Format(MonthLayout))
	}
	return months
}

// Aggregates keeps the daily sums of accepted usage.
type Aggregates interface {
	// Accepted reads accepted usage. NotFound.
	Accepted(ctx context.Context, r Ref) (Usage, error)
	// Count adds usage to the sums of its series and of its offer. What is counted already changes nothing.
	Count(ctx context.Context, usages []Usage) error
}

// Counter counts announced usage.
type Counter struct{ store Aggregates }

// NewCounter makes the counter.
func NewCounter(store Aggregates) (*Counter, error) {
	if store == nil {
		return nil, errors.New("usage counter: the store is required")
	}
	return &Counter{store}, nil
}

// Count adds announced usage to the daily sums, once per event, whatever the order and number of deliveries.
// Invalid "UnknownUsage" when there is no such usage, which announces nothing.
func (c *Counter) Count(ctx context.Context, a Announced) error {
	usages := make([]Usage, len(a.Events))
	errs := make([]error, len(a.Events))
	eachOf(len(a.Events), func(i int) { usages[i], errs[i] = c.store.Accepted(ctx, a.Events[i]) })
	for i, err := range errs {
		if fault.Is(err, fault.NotFound) {
			r := a.Events[i]
			errs[i] = fault.New(fault.Invalid, "UnknownUsage", "events", "there is no usage of %s %s at %s", r.ResourceID, r.Dimension, r.Hour)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if len(usages) == 0 {
		return nil
	}
	return c.store.Count(ctx, usages)
}

// DailySeries is a series with its daily sums, which dry runs and tests are not in.
type DailySeries struct {
	Series
	Days []Day // by day and plan
}

// Add appends later days of the series.
func (s *DailySeries) Add(days []Day) {
	for _, d := range days {
		if d.Billed() {
			s.Days = append(s.Days, d)
		}
	}
}
