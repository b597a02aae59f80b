package billing

import (
	"context"
	"fmt"
	"sync"
	"time"

	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/subscription"
)

// place is where usage counts.
type place struct{ dimension, month string }

// ChargeUsage sees to it that accepted usage has a cycle in which it is charged: that of its month, which is
// opened when it is not there, or the next open one when that is closed without it (BIL-24, BIL-25). What the
// usage costs is posted when the cycle closes; until then it counts in Cycles.
func (s *Service) ChargeUsage(ctx context.Context, resourceID string, events []UsageEvent) error {
	now := s.deps.Now()
	hours := map[place][]time.Time{}
	var order []place
	for _, e := range events {
		at, err := parseHour(e.Hour)
		if err != nil {
			return err
		}
		if e.Dimension == "" {
			return fault.New(fault.Invalid, "MissingDimension", "dimension", "the dimension is missing")
		}
		p := place{e.Dimension, at.Format(monthLayout)}
		if s.open.certain(resourceID, p, now) {
			continue
		}
		if hours[p] == nil {
			order = append(order, p)
		}
		hours[p] = append(hours[p], at)
	}
	if len(order) == 0 {
		return nil
	}
	sub, err := s.subscriber(ctx, resourceID)
	if err != nil {
		return err
	}
	for _, p := range order {
		open, err := s.place(ctx, sub, p, hours[p])
		if err != nil {
			return fmt.Errorf("cycle %s of %s: %w", p.month, sub.ID, err)
		}
		if open && sub.EndedAt.IsZero() {
			s.open.saw(resourceID, p, now)
		}
	}
	return nil
}

// openCycles are the cycles that were seen open, so that usage which comes every hour needs no reading for its charge.
// A cycle closes at a known time, or 24 hours after the end of its resource (BIL-24, BIL-26): one that was open within
// half of that, while its resource had not ended, is open.
type openCycles struct {
	mu   sync.Mutex
	seen map[openCycle]time.Time
}

type openCycle struct {
	resourceID string
	place
}

const (
	certainFor = 12 * time.Hour
	mostOpen   = 100_000 // some 10 MB
)

func (o *openCycles) certain(resourceID string, p place, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	seen, ok := o.seen[openCycle{resourceID, p}]
	return ok && now.Before(seen.Add(certainFor)) && now.Before(Cycle{Month: p.month}.closesAt())
}

func (o *openCycles) saw(resourceID string, p place, at time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.seen == nil || len(o.seen) >= mostOpen {
		o.seen = map[openCycle]time.Time{}
	}
	o.seen[openCycle{resourceID, p}] = at
}

func (s *Service) subscriber(ctx context.Context, resourceID string) (subscription.Subscription, error) {
	sub, err := s.deps.Subscriptions.Subscription(ctx, resourceID)
	if fault.Is(err, fault.NotFound) {
		return sub, unknown("resource " + resourceID)
	}
	if err != nil {
		return sub, fmt.Errorf("usage of %s: %w", resourceID, err)
	}
	return sub, nil
}

// place finds the cycle of usage, and reports whether it is open. Usage counts where its row is read by the close, so
// an open cycle needs nothing more; one that is being closed is asked again when it is known what it has counted.
func (s *Service) place(ctx context.Context, sub subscription.Subscription, p place, hours []time.Time) (open bool, err error) {
	c, err := s.deps.Ledger.Cycle(ctx, sub.PublisherID, sub.ID, p.dimension, p.month)
	switch {
	case fault.Is(err, fault.NotFound): // a month that nobody opened was never closed
		return true, s.openCycle(ctx, s.newCycle(sub, p))
	case err != nil:
		return false, err
	case c.State == CycleOpen:
		if !c.endsWith(sub.EndedAt) {
			return true, nil
		}
		return true, s.openCycle(ctx, c)
	case c.FixedAt.IsZero():
		return false, fault.New(fault.Unavailable, "CycleClosing", "", "cycle %s of %s is being closed", c.Month, c.ResourceID)
	}
	return false, s.moveLate(ctx, sub, c, hours)
}

func (s *Service) newCycle(sub subscription.Subscription, p place) Cycle {
	c := Cycle{
		ResourceID: sub.ID, PublisherID: sub.PublisherID, Dimension: p.dimension, Month: p.month,
		State: CycleOpen, OpenedAt: s.deps.Now().UTC(),
	}
	c.endsWith(sub.EndedAt)
	return c
}

// openCycle writes an open cycle with the message that closes it.
func (s *Service) openCycle(ctx context.Context, c Cycle) error {
	return s.apply(ctx, Batch{PublisherID: c.PublisherID, Cycles: []Cycle{c}, Messages: []message.Message{c.closing()}}, "open a cycle")
}

// moveLate lets usage that a closed cycle has not counted be charged in the oldest open one after it (BIL-25).
// That it has its place now stands in both cycles, in one transaction, so that it is moved once.
func (s *Service) moveLate(ctx context.Context, sub subscription.Subscription, closed Cycle, hours []time.Time) error {
	var late []time.Time
	for _, h := range hours {
		if !closed.Counted.Has(h) {
			closed.Counted = closed.Counted.With(h)
			late = append(late, h)
		}
	}
	if len(late) == 0 {
		return nil
	}
	to, err := s.openAfter(ctx, sub, closed)
	if err != nil {
		return err
	}
	moved := map[string]Hours{}
	for month, set := range to.Late {
		moved[month] = set
	}
	for _, h := range late {
		moved[closed.Month] = moved[closed.Month].With(h)
	}
	to.Late = moved
	b := Batch{PublisherID: closed.PublisherID, Cycles: []Cycle{closed, to}}
	if to.Tag == "" {
		b.Messages = []message.Message{to.closing()}
	}
	err = s.deps.Ledger.Apply(ctx, b)
	if fault.Is(err, fault.Conflict) {
		return fault.New(fault.Unavailable, "LedgerBusy", "", "the next cycle is being opened").Because(err)
	}
	return err
}

// openAfter is the oldest open cycle after a closed one, a new one when there is none.
func (s *Service) openAfter(ctx context.Context, sub subscription.Subscription, closed Cycle) (Cycle, error) {
	now := s.deps.Now()
	for month := nextMonth(closed.Month); ; month = nextMonth(month) {
		p := place{closed.Dimension, month}
		c, err := s.deps.Ledger.Cycle(ctx, sub.PublisherID, sub.ID, p.dimension, p.month)
		if fault.Is(err, fault.NotFound) {
			if c = s.newCycle(sub, p); c.closesAt().After(now) {
				return c, nil
			}
			continue
		}
		if err != nil || c.State == CycleOpen {
			return c, err
		}
	}
}

// EndUsage lets the cycles in which an ended subscription was used close 24 hours after its end, under the name
// "final" (BIL-26). Unavailable while the end is not known.
func (s *Service) EndUsage(ctx context.Context, subscriptionID string) error {
	sub, err := s.subscriber(ctx, subscriptionID)
	if err != nil {
		return err
	}
	if sub.EndedAt.IsZero() {
		return unknown("the end of subscription " + subscriptionID)
	}
	for after := ""; ; {
		list, next, err := s.deps.Ledger.Cycles(ctx, sub.PublisherID, sub.ID, after, cyclePage)
		if err != nil {
			return fmt.Errorf("end the usage of %s: %w", subscriptionID, err)
		}
		for _, c := range list {
			if c.endsWith(sub.EndedAt) {
				if _, err := s.place(ctx, sub, place{c.Dimension, c.Month}, nil); err != nil {
					return fmt.Errorf("end the usage of %s: %w", subscriptionID, err)
				}
			}
		}
		if next == "" {
			return nil
		}
		after = next
	}
}

const cyclePage = 200

// Cycles reads the cycles of a resource with their quantities, which are running while a cycle is open.
func (s *Service) Cycles(ctx context.Context, resourceID, after string, limit int) ([]Cycle, string, error) {
	sub, err := s.deps.Subscriptions.Subscription(ctx, resourceID)
	if err != nil {
		return nil, "", fmt.Errorf("cycles of %s: %w", resourceID, err)
	}
	list, next, err := s.deps.Ledger.Cycles(ctx, sub.PublisherID, sub.ID, after, limit)
	if err != nil {
		return nil, "", fmt.Errorf("cycles of %s: %w", resourceID, err)
	}
	for i := range list {
		if list[i].FixedAt.IsZero() {
			if err = s.count(ctx, &list[i]); err != nil {
				return nil, "", fmt.Errorf("cycles of %s: %w", resourceID, err)
			}
		}
		list[i].Quantities, list[i].Counted = list[i].sums(), nil
	}
	return list, next, nil
}

// End settles a subscription that has ended: what it used is charged, and what its customer was asked for and never
// got is not (BIL-26, BIL-63). Unavailable while the end is not known.
func (s *Service) End(ctx context.Context, subscriptionID string) error {
	sub, err := s.subscriber(ctx, subscriptionID)
	if err != nil {
		return err
	}
	if err := s.EndUsage(ctx, subscriptionID); err != nil {
		return err
	}
	if !ended(sub) {
		return nil
	}
	return s.endCollection(ctx, sub)
}
