package metering

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

// TrendMonth is the usage of an offer's dimension in a month UTC, over all its customers. Dry runs and tests are not
// in it.
type TrendMonth struct {
	Dimension string      `json:"dimension"`
	Month     string      `json:"month"` // yyyy-MM
	Parts     []TrendPart `json:"parts"` // by day and plan
}

// TrendPart is the usage of a day on a plan.
type TrendPart struct {
	Day    int             `json:"day"` // of the month
	PlanID string          `json:"planId"`
	Sum    decimal.Decimal `json:"sum"`
	Count  int             `json:"count"`
}

// Add counts usage that was not counted before. It must be of the dimension and month.
func (m *TrendMonth) Add(u Usage) error {
	quantity, err := u.Value()
	if err != nil {
		return fmt.Errorf("quantity of usage event %s: %w", u.EventID, err)
	}
	m.add(TrendPart{Day: u.Effective.UTC().Day(), PlanID: u.PlanID, Sum: quantity, Count: 1})
	return nil
}

func (m *TrendMonth) add(p TrendPart) {
	i, found := slices.BinarySearchFunc(m.Parts, p, func(a, b TrendPart) int {
		return cmp.Or(a.Day-b.Day, cmp.Compare(a.PlanID, b.PlanID))
	})
	if !found {
		m.Parts = slices.Insert(m.Parts, i, TrendPart{Day: p.Day, PlanID: p.PlanID})
	}
	m.Parts[i].Sum, m.Parts[i].Count = m.Parts[i].Sum.Add(p.Sum), m.Parts[i].Count+p.Count
}

// Trend is the usage of a dimension on a plan on one UTC day.
type Trend struct {
	Date      time.Time
	Dimension string
	PlanID    string
	Sum       decimal.Decimal
	Count     int
}

// SumTrends adds up parts of the same offer into days of the range, by day, dimension and plan.
func SumTrends(months []TrendMonth, r Range) ([]Trend, error) {
	type place struct{ dimension, month string }
	sums := map[place]*TrendMonth{}
	for _, m := range months {
		at := place{m.Dimension, m.Month}
		if sums[at] == nil {
			sums[at] = &TrendMonth{Dimension: m.Dimension, Month: m.Month}
		}
		for _, p := range m.Parts {
			sums[at].add(p)
		}
	}
	var trends []Trend
	for _, m := range sums {
		first, err := time.Parse(MonthLayout, m.Month)
		if err != nil {
			return nil, fmt.Errorf("month of a trend: %w", err)
		}
		for _, p := range m.Parts {
			t := Trend{Date: first.AddDate(0, 0, p.Day-1), Dimension: m.Dimension, PlanID: p.PlanID, Sum: p.Sum, Count: p.Count}
			if !t.Date.Before(r.From) && t.Date.Before(r.Until) && (r.Plan == "" || r.Plan == t.PlanID) {
				trends = append(trends, t)
			}
		}
	}
	slices.SortFunc(trends, func(a, b Trend) int {
		return cmp.Or(a.Date.Compare(b.Date), cmp.Compare(a.Dimension, b.Dimension), cmp.Compare(a.PlanID, b.PlanID))
	})
	return trends, nil
}
