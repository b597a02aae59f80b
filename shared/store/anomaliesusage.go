package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"stoa/shared/anomaly"
	"stoa/shared/metering"
	"stoa/shared/store/table"
)

// UsageSums shows the daily sums of usage as anomalies need them: anomaly.Usage. Safe for concurrent use.
type UsageSums struct{ usage *Usage }

// NewUsageSums makes the view.
func NewUsageSums(u *Usage) *UsageSums { return &UsageSums{u} }

var _ anomaly.Usage = (*UsageSums)(nil)

// manyPages bounds the pages read until the series of one customer are together.
const manyPages = 200

// Series implements anomaly.Usage. The sums are kept by resource and those of a customer follow one another; a page
// ends where a customer does.
func (s *UsageSums) Series(ctx context.Context, first, until time.Time, after string) ([]anomaly.Series, string, error) {
	r := metering.Range{From: first, Until: until}
	var rows []metering.DailySeries
	for range manyPages {
		page, next, err := s.usage.AllSeries(ctx, r, after, mostSeries)
		if err != nil {
			return nil, "", err
		}
		if next == "" {
			return byCustomers(append(rows, page...)), "", nil
		}
		start := lastGroup(page)
		if len(rows) > 0 && len(page) > 0 && start == 0 && keyOf(rows[len(rows)-1]) != keyOf(page[0]) {
			return byCustomers(rows), after, nil // the page before ended with its customer
		}
		if start > 0 { // where the last customer of the page begins, the next page does
			if page, next, err = s.usage.AllSeries(ctx, r, after, start); err != nil {
				return nil, "", err
			}
			return byCustomers(append(rows, page...)), next, nil
		}
		rows, after = append(rows, page...), next
	}
	return nil, "", fmt.Errorf("series of usage: a customer has more than %d of a meter", manyPages*mostSeries)
}

func keyOf(d metering.DailySeries) anomaly.Key {
	return anomaly.Key{PublisherID: d.PublisherID, OfferID: d.OfferID, Meter: d.Dimension, CustomerID: d.CustomerID}
}

// lastGroup is the index at which the series of the last customer begin.
func lastGroup(page []metering.DailySeries) int {
	for i := len(page) - 1; i > 0; i-- {
		if keyOf(page[i]) != keyOf(page[i-1]) {
			return i
		}
	}
	return 0
}

// byCustomers puts the resources of a customer together.
func byCustomers(rows []metering.DailySeries) []anomaly.Series {
	var all []anomaly.Series
	for _, row := range rows {
		key := keyOf(row)
		if n := len(all); n == 0 || all[n-1].Key != key {
			all = append(all, anomaly.Series{Key: key})
		}
		to := &all[len(all)-1]
		for _, d := range row.Days {
			to.Days = append(to.Days, anomaly.Day{Date: d.Date, Part: anomaly.Part{ResourceID: d.ResourceID, PlanID: d.PlanID, Quantity: d.Sum}})
		}
	}
	for i := range all {
		slices.SortStableFunc(all[i].Days, func(a, b anomaly.Day) int { return a.Date.Compare(b.Date) })
	}
	return all
}

// Daily implements anomaly.Usage.
func (s *UsageSums) Daily(ctx context.Context, q anomaly.TrendQuery, limit int) ([]anomaly.Daily, error) {
	offers, err := s.offers(ctx, q)
	if err != nil {
		return nil, err
	}
	r := metering.Range{From: q.From, Until: q.Until, Dimension: q.Meter}
	var rows []anomaly.Daily
	for _, of := range offers {
		if len(rows) > limit {
			break
		}
		var some []anomaly.Daily
		if q.Group == anomaly.ByCustomer {
			some, err = s.byCustomer(ctx, of, r, limit)
		} else {
			some, err = s.byPlan(ctx, of, r)
		}
		if err != nil {
			return nil, err
		}
		rows = append(rows, some...)
	}
	return rows[:min(len(rows), limit+1)], nil
}

func (s *UsageSums) byPlan(ctx context.Context, of metering.OfferRef, r metering.Range) ([]anomaly.Daily, error) {
	trends, err := s.usage.Trends(ctx, of, r)
	rows := make([]anomaly.Daily, len(trends))
	for i, t := range trends {
		rows[i] = anomaly.Daily{OfferID: of.OfferID, Meter: t.Dimension, PlanID: t.PlanID, Date: t.Date, Quantity: t.Sum, Count: t.Count}
	}
	return rows, err
}

func (s *UsageSums) byCustomer(ctx context.Context, of metering.OfferRef, r metering.Range, limit int) ([]anomaly.Daily, error) {
	days, err := s.usage.Days(ctx, of, r, limit)
	rows := make([]anomaly.Daily, 0, len(days))
	for _, d := range days {
		if d.Billed() {
			rows = append(rows, anomaly.Daily{
				OfferID: of.OfferID, Meter: d.Dimension, CustomerID: d.CustomerID, Date: d.Date, Quantity: d.Sum, Count: d.Count(),
			})
		}
	}
	return rows, err
}

// offers are those of the publisher that have usage, or the one that is asked for.
func (s *UsageSums) offers(ctx context.Context, q anomaly.TrendQuery) ([]metering.OfferRef, error) {
	if q.OfferID != "" {
		return []metering.OfferRef{{PublisherID: q.PublisherID, OfferID: q.OfferID}}, nil
	}
	prefix := table.Join(q.PublisherID) + "|"
	var found []metering.OfferRef
	err := s.usage.each(ctx, table.Query{Partition: daysIndex, From: prefix, Until: table.PrefixEnd(prefix)}, func(row table.Row) error {
		var at daysPlace
		err := decode(row, &at)
		if n := len(found); n == 0 || found[n-1] != at.OfferRef {
			found = append(found, at.OfferRef)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("offers of %s with usage: %w", q.PublisherID, err)
	}
	return found, nil
}
