package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"stoa/shared/billing"
	"stoa/shared/fault"
	"stoa/shared/metering"
	"stoa/shared/store/table"
)

// OpenMonths implements metering.ReconStore. Most partitions have none, so several are asked at the same time.
func (s *Usage) OpenMonths(ctx context.Context, after string, limit int) ([]metering.Open, string, error) {
	indexKey, last, err := splitAfter(after)
	if err != nil {
		return nil, "", err
	}
	index, _, err := s.first(ctx, table.Query{Partition: daysIndex, From: indexKey, Limit: seriesPlaces + 1})
	if err != nil {
		return nil, "", fmt.Errorf("open months: %w", err)
	}
	asked := make([]*pendingRows, min(len(index), seriesPlaces))
	for i := range asked {
		asked[i] = &pendingRows{index: index[i]}
		if index[i].Key == indexKey {
			asked[i].after = last
		}
	}
	if err := parallel(asked, func(p *pendingRows) error { return s.pending(ctx, p, limit) }); err != nil {
		return nil, "", fmt.Errorf("open months: %w", err)
	}
	rows, next := firstPending(asked, limit)
	if next == "" && len(index) > len(asked) {
		next = index[len(asked)].Key + "~"
	}
	found, err := s.opened(ctx, rows)
	if err != nil {
		return nil, "", fmt.Errorf("open months: %w", err)
	}
	return found, next, nil
}

// pendingRows are rows of a partition that say that a month is open.
type pendingRows struct {
	index table.Row // of the partition
	after string    // key of the last row that was read before
	rows  []table.Row
	more  bool
}

// pending reads the first such rows of a partition.
func (s *Usage) pending(ctx context.Context, p *pendingRows, limit int) error {
	var at daysPlace
	if err := decode(p.index, &at); err != nil {
		return err
	}
	from := pendingPrefix
	if p.after != "" {
		from = p.after + "\x20" // the least key behind it
	}
	var err error
	p.rows, p.more, err = s.first(ctx, table.Query{
		Partition: at.partition(), From: from, Until: table.PrefixEnd(pendingPrefix), Limit: limit, WithETags: true,
	})
	return err
}

// firstPending are the first rows of all, and the continuation when there are more.
func firstPending(all []*pendingRows, limit int) (rows []table.Row, next string) {
	for _, p := range all {
		last := p.after
		for _, row := range p.rows {
			if len(rows) == limit {
				return rows, p.index.Key + "~" + last
			}
			rows, last = append(rows, row), row.Key
		}
		if p.more {
			return rows, p.index.Key + "~" + last
		}
	}
	return rows, ""
}

// openTag is what an open month was read from.
type openTag struct{ series, open table.Row }

// opened reads the series of rows that say that they are open.
func (s *Usage) opened(ctx context.Context, rows []table.Row) ([]metering.Open, error) {
	found := make([]metering.Open, len(rows))
	indexes := make([]int, len(rows))
	for i := range indexes {
		indexes[i] = i
	}
	return found, parallel(indexes, func(i int) error {
		row, err := s.db.Table(usageTable).Get(ctx, rows[i].Partition, seriesPrefix+strings.TrimPrefix(rows[i].Key, pendingPrefix))
		if err != nil {
			return err
		}
		found[i].Tag = openTag{row, rows[i]}
		return decode(row, &found[i].Month)
	})
}

// Reconciled implements metering.ReconStore.
func (s *Usage) Reconciled(ctx context.Context, o metering.Open, closed bool) error {
	tag, ok := o.Tag.(openTag)
	if !ok {
		return fmt.Errorf("reconciled month of %s: it was never read", o.ResourceID)
	}
	tag.series.Data = encode(o.Month)
	ops := []table.Op{{Action: table.Replace, Row: tag.series}}
	if closed {
		ops = append(ops, table.Op{Action: table.Delete, Row: table.Row{Partition: tag.open.Partition, Key: tag.open.Key, ETag: tag.open.ETag}})
	}
	if _, err := s.db.Table(usageTable).Apply(ctx, ops...); err != nil {
		return fmt.Errorf("reconciled month of %s: %w", o.ResourceID, err)
	}
	return nil
}

// Taken tells what the ledger took of accepted usage: metering.Ledger.
type Taken struct{ Ledger *Ledger }

var _ metering.Ledger = Taken{}

// Taken implements metering.Ledger: an open cycle counts all usage of its month when it closes, one that is fixed
// has counted what it says.
func (t Taken) Taken(ctx context.Context, of metering.Series, month string) (metering.Taken, error) {
	c, err := t.Ledger.Cycle(ctx, of.PublisherID, of.ResourceID, of.Dimension, month)
	switch {
	case fault.Is(err, fault.NotFound):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("cycle %s of %s: %w", month, of.ResourceID, err)
	}
	if c.State == billing.CycleOpen {
		return func(time.Time) bool { return true }, nil
	}
	if c.FixedAt.IsZero() {
		return nil, nil // it is being closed
	}
	return c.Counted.Has, nil
}
