package store

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"stoa/shared/correction"
	"stoa/shared/fault"
	"stoa/shared/metering"
	"stoa/shared/store/table"
)

// The rows of accepted usage are found by resource, dimension and hour. What is asked for by the id of an event, which
// few are, is found through a row for each event, in one of some partitions by publisher and month. The events of one
// request go into the same one, in one transaction, so that they cost little when they are counted; who looks for one
// looks into all of them, the newest month first.
const (
	eventShards      = 16
	eventMonths      = 13 // that usage can be read back for (MTR-93)
	usageEventPrefix = "e|"
)

// UsageEvents finds accepted usage by event id: correction.Events. It notes the events when they are counted, so it
// takes the place of Usage as metering.Aggregates. Safe for concurrent use.
type UsageEvents struct{ *Usage }

// NewUsageEvents makes the index.
func NewUsageEvents(u *Usage) *UsageEvents { return &UsageEvents{u} }

var (
	_ correction.Events   = (*UsageEvents)(nil)
	_ metering.Aggregates = (*UsageEvents)(nil)
)

func eventsOf(publisherID, month string, shard uint32) string {
	return table.Join("events", publisherID, month, fmt.Sprintf("%02d", shard))
}

func usageEventKey(id string) string { return usageEventPrefix + table.Join(id) }

// Count implements metering.Aggregates: it notes the events, then counts them. An announcement that comes again
// writes the same rows.
func (s *UsageEvents) Count(ctx context.Context, usages []metering.Usage) error {
	type place struct{ publisher, month string }
	groups := map[place][]table.Op{}
	shard := map[place]uint32{}
	for _, u := range usages {
		if u.Session != "" {
			continue // never billed, so never corrected
		}
		at := place{u.PublisherID, u.Effective.UTC().Format(metering.MonthLayout)}
		if groups[at] == nil {
			h := fnv.New32a()
			h.Write([]byte(u.EventID))
			shard[at] = h.Sum32() % eventShards
		}
		// Last wins because every announcement of the event writes the same.
		groups[at] = append(groups[at], table.Op{Action: table.Upsert, Row: table.Row{
			Partition: eventsOf(at.publisher, at.month, shard[at]), Key: usageEventKey(u.EventID), Data: encode(u.Ref()),
		}})
	}
	for _, ops := range groups {
		for len(ops) > 0 {
			n := min(len(ops), table.MaxOps)
			if _, err := s.db.Table(usageTable).Apply(ctx, ops[:n]...); err != nil {
				return fmt.Errorf("note usage events: %w", err)
			}
			ops = ops[n:]
		}
	}
	return s.Usage.Count(ctx, usages)
}

// errFound ends a search.
var errFound = errors.New("found")

// Event implements correction.Events.
func (s *UsageEvents) Event(ctx context.Context, publisherID, usageEventID string) (correction.Event, error) {
	now := s.db.deps.Now().UTC()
	latest := time.Date(now.Year(), now.Month()+1, 1, 0, 0, 0, 0, time.UTC) // a tolerant clock may be in it
	shards := make([]uint32, eventShards)
	for i := range shards {
		shards[i] = uint32(i)
	}
	refs := make([]metering.Ref, eventShards)
	for n := range eventMonths + 2 {
		month := latest.AddDate(0, -n, 0).Format(metering.MonthLayout)
		err := parallel(shards, func(shard uint32) error {
			row, err := s.db.Table(usageTable).Get(ctx, eventsOf(publisherID, month, shard), usageEventKey(usageEventID))
			switch {
			case fault.Is(err, fault.NotFound):
				return nil
			case err != nil:
				return err
			}
			if err := decode(row, &refs[shard]); err != nil {
				return err
			}
			return errFound
		})
		switch {
		case errors.Is(err, errFound):
			return s.event(ctx, refs, publisherID, usageEventID)
		case err != nil:
			return correction.Event{}, fmt.Errorf("find usage event %s: %w", usageEventID, err)
		}
	}
	return correction.Event{}, fault.New(fault.NotFound, "NotFound", "usageEventId", "There is no such usage event.")
}

// event reads the usage that one of the refs names.
func (s *UsageEvents) event(ctx context.Context, refs []metering.Ref, publisherID, usageEventID string) (correction.Event, error) {
	for _, ref := range refs {
		if ref == (metering.Ref{}) {
			continue
		}
		u, err := s.Accepted(ctx, ref)
		if err != nil {
			return correction.Event{}, fmt.Errorf("read usage event %s: %w", usageEventID, err)
		}
		if u.EventID != usageEventID || u.PublisherID != publisherID {
			continue
		}
		quantity, err := u.Value()
		if err != nil {
			return correction.Event{}, fmt.Errorf("quantity of usage event %s: %w", usageEventID, err)
		}
		return correction.Event{
			ID: u.EventID, OfferID: u.OfferID, Meter: u.Dimension, CustomerID: u.CustomerID, ResourceID: u.ResourceID, PlanID: u.PlanID,
			Quantity: quantity, Effective: u.Effective,
		}, nil
	}
	return correction.Event{}, fault.New(fault.NotFound, "NotFound", "usageEventId", "There is no such usage event.")
}
