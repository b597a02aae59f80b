package anomaly

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"stoa/shared/fault"
)

// Group is what usage over time is told apart by.
type Group string

// The groups.
const (
	ByMeter    Group = "dimension"
	ByPlan     Group = "plan" // the top five plans of each meter
	ByCustomer Group = "customer"
)

// TrendQuery selects usage of a publisher. Empty members take all.
type TrendQuery struct {
	PublisherID string
	OfferID     string
	Meter       string
	From, Until time.Time // days from <= day < until
	Group       Group
}

// Trend is the usage of a meter over time, on a plan or by a customer (MTR-74).
type Trend struct {
	OfferID      string
	Meter        string
	PlanID       string
	CustomerID   string
	CustomerName string
	Total        decimal.Decimal
	Count        int
	Days         []TrendDay // those with usage, in order
}

// TrendDay is a day of a trend.
type TrendDay struct {
	Date     time.Time
	Quantity decimal.Decimal
	Count    int
}

const (
	trendSpan    = 366 * day
	maxDaily     = 100_000 // rows that an answer is made of
	topPlans     = 5       // of a meter
	topCustomers = 50      // of a meter
)

// Trends reads usage by day, the meters in order and of each the plans or customers with the most usage first. Invalid
// for a range that is none or too long, or has more usage than an answer holds.
func (s *Service) Trends(ctx context.Context, q TrendQuery) ([]Trend, error) {
	top := 1
	switch q.Group {
	case ByMeter:
	case ByPlan:
		top = topPlans
	case ByCustomer:
		top = topCustomers
	default:
		return nil, fault.New(fault.Invalid, CodeInvalid, "group", "must be dimension, plan or customer")
	}
	switch {
	case !q.From.Before(q.Until):
		return nil, fault.New(fault.Invalid, CodeInvalid, "to", "must not lie before from")
	case q.Until.Sub(q.From) > trendSpan:
		return nil, fault.New(fault.Invalid, CodeInvalid, "to", "may lie 365 days behind from at most")
	}
	rows, err := s.deps.Usage.Daily(ctx, q, maxDaily)
	if err != nil {
		return nil, fmt.Errorf("usage of %s: %w", q.PublisherID, err)
	}
	if len(rows) > maxDaily {
		return nil, fault.New(fault.Invalid, CodeInvalid, "from", "There is too much usage in the range; ask for a shorter one, or for one offer or meter.")
	}
	return ranked(sum(rows, q.Group), top), nil
}

// sum adds daily usage up to trends.
func sum(rows []Daily, by Group) []Trend {
	type place struct{ offer, meter, plan, customer string }
	at := map[place]*Trend{}
	for _, r := range rows {
		k := place{offer: r.OfferID, meter: r.Meter}
		switch by {
		case ByPlan:
			k.plan = r.PlanID
		case ByCustomer:
			k.customer = r.CustomerID
		}
		t := at[k]
		if t == nil {
			t = &Trend{OfferID: k.offer, Meter: k.meter, PlanID: k.plan, CustomerID: k.customer}
			at[k] = t
		}
		if by == ByCustomer {
			t.CustomerName = cmp.Or(t.CustomerName, r.CustomerName)
		}
		t.Total, t.Count = t.Total.Add(r.Quantity), t.Count+r.Count
		i, found := slices.BinarySearchFunc(t.Days, r.Date, func(d TrendDay, date time.Time) int { return d.Date.Compare(date) })
		if !found {
			t.Days = slices.Insert(t.Days, i, TrendDay{Date: r.Date})
		}
		t.Days[i].Quantity, t.Days[i].Count = t.Days[i].Quantity.Add(r.Quantity), t.Days[i].Count+r.Count
	}
	all := make([]Trend, 0, len(at))
	for _, t := range at {
		all = append(all, *t)
	}
	return all
}

// ranked sorts trends by meter and usage and keeps the first of each meter.
func ranked(all []Trend, top int) []Trend {
	slices.SortFunc(all, func(a, b Trend) int {
		return cmp.Or(cmp.Compare(a.OfferID, b.OfferID), cmp.Compare(a.Meter, b.Meter), b.Total.Cmp(a.Total),
			cmp.Compare(a.PlanID, b.PlanID), cmp.Compare(a.CustomerID, b.CustomerID))
	})
	kept, n := all[:0], 0
	for i, t := range all {
		if i == 0 || t.OfferID != all[i-1].OfferID || t.Meter != all[i-1].Meter {
			n = 0
		}
		if n++; n <= top {
			kept = append(kept, t)
		}
	}
	return kept
}
