package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"stoa/shared/fault"
	"stoa/shared/metering"
	"stoa/shared/store/table"
)

const offerPrefix = "o|" // of the rows that name the offers of a metering identity

func callerPartition(o metering.Owner) string {
	return table.Join("caller", strings.ToLower(o.TenantID), strings.ToLower(o.AppID))
}

// list names the offers of the metering identities, for reading back.
func (s *Usage) list(ctx context.Context, usages []metering.Usage) error {
	var rows []table.Row
	for _, u := range usages {
		if u.Owner == (metering.Owner{}) {
			continue // nobody reads it back
		}
		rows = append(rows, table.Row{
			Partition: callerPartition(u.Owner), Key: offerPrefix + table.Join(u.PublisherID, u.OfferID),
			Data: encode(metering.OfferRef{PublisherID: u.PublisherID, OfferID: u.OfferID}),
		})
	}
	if err := s.ensure(ctx, rows); err != nil {
		return fmt.Errorf("list offers: %w", err)
	}
	return nil
}

// ensure sees to it that rows that never change are there. One that was seen once is not written again.
func (s *Usage) ensure(ctx context.Context, rows []table.Row) error {
	ops := map[string][]table.Op{} // by partition
	seen := map[string]bool{}
	s.mu.Lock()
	for _, row := range rows {
		if at := row.Partition + "/" + row.Key; !s.known[at] && !seen[at] {
			seen[at] = true
			ops[row.Partition] = append(ops[row.Partition], table.Op{Action: table.Insert, Row: row})
		}
	}
	s.mu.Unlock()
	for _, group := range ops {
		if err := (chunk{s.db.Table(usageTable), group}).apply(ctx, fault.Conflict); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) > maxCallerList {
		clear(s.known)
	}
	for at := range seen {
		s.known[at] = true
	}
	return nil
}

// Offers implements metering.Store.
func (s *Usage) Offers(ctx context.Context, owner metering.Owner) ([]metering.OfferRef, error) {
	var found []metering.OfferRef
	query := table.Query{Partition: callerPartition(owner), From: offerPrefix, Until: table.PrefixEnd(offerPrefix)}
	err := s.each(ctx, query, func(row table.Row) error {
		var of metering.OfferRef
		err := decode(row, &of)
		found = append(found, of)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("offers of an application: %w", err)
	}
	return found, nil
}

// each reads the rows of a query, page by page.
func (s *Usage) each(ctx context.Context, query table.Query, take func(table.Row) error) error {
	for {
		page, err := s.db.Table(usageTable).Query(ctx, query)
		if err != nil {
			return err
		}
		for _, row := range page.Rows {
			if err := take(row); err != nil {
				return err
			}
		}
		if page.Next == "" {
			return nil
		}
		query.After = page.Next
	}
}

// first reads the first rows of a query, as many as its limit says, and whether there may be more.
func (s *Usage) first(ctx context.Context, query table.Query) (rows []table.Row, more bool, err error) {
	most := query.Limit
	for {
		query.Limit = most - len(rows)
		page, err := s.db.Table(usageTable).Query(ctx, query)
		if err != nil {
			return nil, false, err
		}
		rows = append(rows, page.Rows...)
		if page.Next == "" || len(rows) >= most {
			return rows, page.Next != "", nil
		}
		query.After = page.Next
	}
}

// Between reads the usage of a resource and dimension whose time lies in from <= t < to, in time order. Dry runs are
// none.
func (s *Usage) Between(ctx context.Context, resource, dimension string, from, to time.Time) ([]metering.Usage, error) {
	key := func(t time.Time) string {
		return usageKey(metering.Ref{Dimension: dimension, Hour: t.UTC().Format(metering.HourLayout)})
	}
	var found []metering.Usage
	query := table.Query{Partition: usagePartition(resource), From: key(from), Until: table.PrefixEnd(key(to))}
	err := s.each(ctx, query, func(row table.Row) error {
		var u metering.Usage
		if err := decode(row, &u); err != nil {
			return err
		}
		if !u.Effective.Before(from) && u.Effective.Before(to) {
			found = append(found, u)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("usage of %s: %w", resource, err)
	}
	return found, nil
}
