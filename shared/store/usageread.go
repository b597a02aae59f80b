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

// maxReported bounds what is read back at once; the contract has no pages.
const maxReported = 500_000

// callerRow names a resource and dimension that an application has reported for.
type callerRow struct {
	Resource  string `json:"resource"`
	Dimension string `json:"dimension"`
}

func callerPartition(o metering.Owner) string {
	return table.Join("caller", strings.ToLower(o.TenantID), strings.ToLower(o.AppID))
}

// list names the resources for reading back. A row that was seen once is not written again.
func (s *Usage) list(ctx context.Context, usages []metering.Usage) error {
	ops := map[string][]table.Op{} // by partition
	seen := map[string]bool{}
	s.mu.Lock()
	for _, u := range usages {
		partition, key := callerPartition(u.Owner), usagePrefix+table.Join(u.ResourceID, u.Dimension)
		if at := partition + "/" + key; !s.known[at] && !seen[at] {
			seen[at] = true
			ops[partition] = append(ops[partition], table.Op{Action: table.Insert, Row: table.Row{
				Partition: partition, Key: key, Data: encode(callerRow{u.ResourceID, u.Dimension}),
			}})
		}
	}
	s.mu.Unlock()
	for _, group := range ops {
		if err := (chunk{s.db.Table(usageTable), group}).apply(ctx, fault.Conflict); err != nil {
			return fmt.Errorf("list resources: %w", err)
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

// Reported implements metering.Store.
func (s *Usage) Reported(ctx context.Context, owner metering.Owner, from, to time.Time) ([]metering.Usage, error) {
	var found []metering.Usage
	query := table.Query{Partition: callerPartition(owner), From: usagePrefix, Until: table.PrefixEnd(usagePrefix)}
	for {
		page, err := s.db.Table(usageTable).Query(ctx, query)
		if err != nil {
			return nil, fmt.Errorf("reported usage: %w", err)
		}
		parts := make([][]metering.Usage, len(page.Rows))
		indexes := make([]int, len(page.Rows))
		for i := range indexes {
			indexes[i] = i
		}
		err = parallel(indexes, func(i int) (err error) {
			var at callerRow
			if err := decode(page.Rows[i], &at); err != nil {
				return err
			}
			parts[i], err = s.between(ctx, at.Resource, at.Dimension, from, to)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("reported usage: %w", err)
		}
		for _, p := range parts {
			for _, u := range p {
				// A resource may have had another reporter before.
				if strings.EqualFold(u.Owner.AppID, owner.AppID) && strings.EqualFold(u.Owner.TenantID, owner.TenantID) {
					found = append(found, u)
				}
			}
		}
		if len(found) > maxReported {
			return nil, fault.New(fault.Invalid, string(metering.BadArgument), "usageStartDate",
				"There are more than %d events in the range; ask for a shorter one.", maxReported)
		}
		if page.Next == "" {
			return found, nil
		}
		query.After = page.Next
	}
}

// Between reads the usage of a resource and dimension whose time lies in from <= t < to, in time order.
func (s *Usage) Between(ctx context.Context, resource, dimension string, from, to time.Time) ([]metering.Usage, error) {
	found, err := s.between(ctx, resource, dimension, from, to)
	if err != nil {
		return nil, fmt.Errorf("usage of %s: %w", resource, err)
	}
	return found, nil
}

func (s *Usage) between(ctx context.Context, resource, dimension string, from, to time.Time) ([]metering.Usage, error) {
	var found []metering.Usage
	query := table.Query{
		Partition: usagePartition(resource),
		From:      usageKey(dimension, from.UTC().Format(metering.HourLayout)), Until: table.PrefixEnd(usageKey(dimension, to.UTC().Format(metering.HourLayout))),
	}
	for {
		page, err := s.db.Table(usageTable).Query(ctx, query)
		if err != nil {
			return nil, err
		}
		for _, row := range page.Rows {
			var u metering.Usage
			if err := decode(row, &u); err != nil {
				return nil, err
			}
			if !u.Effective.Before(from) && u.Effective.Before(to) {
				found = append(found, u)
			}
		}
		if page.Next == "" {
			return found, nil
		}
		query.After = page.Next
	}
}
