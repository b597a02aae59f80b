package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"stoa/shared/fault"
	"stoa/shared/metering"
	"stoa/shared/store/table"
)

// places are the partitions with sums of an offer.
func (s *Usage) places(ctx context.Context, of metering.OfferRef) ([]daysPlace, error) {
	prefix := table.Join(of.PublisherID, of.OfferID) + "|"
	var found []daysPlace
	err := s.each(ctx, table.Query{Partition: daysIndex, From: prefix, Until: table.PrefixEnd(prefix)}, func(row table.Row) error {
		var at daysPlace
		err := decode(row, &at)
		found = append(found, at)
		return err
	})
	return found, err
}

// Days implements metering.Store.
func (s *Usage) Days(ctx context.Context, of metering.OfferRef, r metering.Range, limit int) ([]metering.Day, error) {
	places, err := s.places(ctx, of)
	if err != nil {
		return nil, fmt.Errorf("daily usage of %s: %w", of.OfferID, err)
	}
	var mu sync.Mutex
	var found []metering.Day
	err = parallel(places, func(at daysPlace) error {
		return s.months(ctx, at, seriesPrefix, r, func(row table.Row) error {
			var month metering.Month
			if err := decode(row, &month); err != nil {
				return err
			}
			days, err := month.Days(r)
			mu.Lock()
			defer mu.Unlock()
			if found = append(found, days...); err == nil && len(found) > limit {
				return errEnough
			}
			return err
		})
	})
	if err != nil && len(found) <= limit {
		return nil, fmt.Errorf("daily usage of %s: %w", of.OfferID, err)
	}
	return found, nil
}

// errEnough ends a reading that has more than it may give.
var errEnough = fault.New(fault.Invalid, "TooMany", "", "There is more than may be read at once.")

// months reads the rows of a kind in a partition for the months, and dimension, of a range.
func (s *Usage) months(ctx context.Context, at daysPlace, kind string, r metering.Range, take func(table.Row) error) error {
	for _, month := range r.Months() {
		prefix := kind + month + "|"
		if r.Dimension != "" {
			prefix += table.Join(r.Dimension)
			if kind == seriesPrefix {
				prefix += "|"
			}
		}
		if err := s.each(ctx, table.Query{Partition: at.partition(), From: prefix, Until: table.PrefixEnd(prefix)}, take); err != nil {
			return err
		}
	}
	return nil
}

// Trends reads the daily usage of an offer over all its customers, by day, dimension and plan; dry runs and tests
// are not in it. The range's recon status and Azure subscription do not matter.
func (s *Usage) Trends(ctx context.Context, of metering.OfferRef, r metering.Range) ([]metering.Trend, error) {
	places, err := s.places(ctx, of)
	if err != nil {
		return nil, fmt.Errorf("usage trends of %s: %w", of.OfferID, err)
	}
	var mu sync.Mutex
	var months []metering.TrendMonth
	err = parallel(places, func(at daysPlace) error {
		return s.months(ctx, at, trendPrefix, r, func(row table.Row) error {
			var month metering.TrendMonth
			if err := decode(row, &month); err != nil {
				return err
			}
			if r.Dimension != "" && month.Dimension != r.Dimension {
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			months = append(months, month)
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("usage trends of %s: %w", of.OfferID, err)
	}
	return metering.SumTrends(months, r)
}

const (
	seriesPlaces = 50  // partitions that one page of series looks into at most
	mostSeries   = 250 // series of a page
)

// AllSeries reads a page of all series that have usage in the range, with their daily sums in time order: at most
// limit, up to 250, after a continuation. Dry runs and tests are left out. Series of one offer, dimension and
// customer follow one another. A page may be short or empty although there are more; the last one has no
// continuation.
func (s *Usage) AllSeries(ctx context.Context, r metering.Range, after string, limit int) ([]metering.DailySeries, string, error) {
	limit = min(max(limit, 1), mostSeries)
	indexKey, lastSeries, err := splitAfter(after)
	if err != nil {
		return nil, "", err
	}
	index, _, err := s.first(ctx, table.Query{Partition: daysIndex, From: indexKey, Limit: seriesPlaces + 1})
	if err != nil {
		return nil, "", fmt.Errorf("all series: %w", err)
	}
	var found []metering.DailySeries
	for i, row := range index {
		if row.Key != indexKey {
			lastSeries = ""
		}
		if len(found) == limit || i == seriesPlaces {
			return found, row.Key + "~" + lastSeries, nil
		}
		var at daysPlace
		if err := decode(row, &at); err != nil {
			return nil, "", err
		}
		some, last, err := s.seriesOf(ctx, at, r, lastSeries, limit-len(found))
		if err != nil {
			return nil, "", fmt.Errorf("all series: %w", err)
		}
		if found = append(found, some...); last != "" {
			return found, row.Key + "~" + last, nil
		}
	}
	return found, "", nil
}

// splitAfter reads a continuation of AllSeries: the key of a partition's row and that of the last series.
func splitAfter(after string) (indexKey, lastSeries string, err error) {
	indexKey, lastSeries, found := strings.Cut(after, "~")
	if after != "" && !found {
		return "", "", fault.New(fault.Invalid, "InvalidContinuation", "continuation", "use the continuation of the page before")
	}
	return indexKey, lastSeries, nil
}

// seriesOf reads series of one partition behind the last one, at most limit, and the last of them when there may be
// more. Each month gives its first limit series, so the first limit of all of them are complete.
func (s *Usage) seriesOf(ctx context.Context, at daysPlace, r metering.Range, last string, limit int) ([]metering.DailySeries, string, error) {
	days := map[string]*metering.DailySeries{}
	more := false
	for _, month := range r.Months() { // in time order, and so are the days of each
		prefix := seriesPrefix + month + "|"
		from := prefix
		if last != "" {
			from += last + "\x20" // the least key behind it
		}
		rows, cut, err := s.first(ctx, table.Query{Partition: at.partition(), From: from, Until: table.PrefixEnd(prefix), Limit: limit})
		if err != nil {
			return nil, "", err
		}
		more = more || cut
		for _, row := range rows {
			var m metering.Month
			if err := decode(row, &m); err != nil {
				return nil, "", err
			}
			some, err := m.Days(r)
			if err != nil {
				return nil, "", err
			}
			key := strings.TrimPrefix(row.Key, prefix)
			if days[key] == nil {
				days[key] = &metering.DailySeries{Series: m.Series}
			}
			days[key].Add(some)
		}
	}
	keys := make([]string, 0, len(days))
	for key := range days {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	if len(keys) > limit {
		keys, more = keys[:limit], true
	}
	var found []metering.DailySeries
	for _, key := range keys {
		if len(days[key].Days) > 0 {
			found = append(found, *days[key])
		}
	}
	if !more || len(keys) == 0 {
		return found, "", nil
	}
	return found, keys[len(keys)-1], nil
}
