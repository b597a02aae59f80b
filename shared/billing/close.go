package billing

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"stoa/shared/fault"
	"stoa/shared/metering"
	"stoa/shared/subscription"
)

// CloseCycle charges what was used in a cycle, one line for each plan, and closes it. Closing it again is
// nothing; before its time it is Unavailable. It goes in steps, each written before the next: the cycle takes no
// more usage; what it is charged for, at which prices, is fixed; the lines are written; it is closed. A close
// that broke off goes on from the step it had reached.
func (s *Service) CloseCycle(ctx context.Context, resourceID, dimension, month string) error {
	if _, err := time.Parse(monthLayout, month); err != nil {
		return fault.New(fault.Invalid, "InvalidMonth", "month", "%q is not a month yyyy-MM", month)
	}
	sub, err := s.subscriber(ctx, resourceID)
	if err != nil {
		return err
	}
	c, err := s.deps.Ledger.Cycle(ctx, sub.PublisherID, sub.ID, dimension, month)
	if fault.Is(err, fault.NotFound) {
		return unknown(fmt.Sprintf("cycle %s of %s", month, resourceID))
	}
	if err != nil {
		return fmt.Errorf("close cycle %s of %s: %w", month, resourceID, err)
	}
	c.endsWith(sub.EndedAt)
	if c.State == CycleOpen && s.deps.Now().Before(c.closesAt()) {
		return early(fmt.Sprintf("the close of cycle %s of %s", month, resourceID))
	}
	for _, step := range []func(context.Context, subscription.Subscription, Cycle) (Cycle, error){s.shut, s.fix, s.chargeCycle} {
		if c, err = step(ctx, sub, c); err != nil {
			return fmt.Errorf("close cycle %s of %s: %w", month, resourceID, err)
		}
	}
	return nil
}

// saveCycle writes a cycle and reads it back with its new tag. StaleETag when another has changed it.
func (s *Service) saveCycle(ctx context.Context, c Cycle) (Cycle, error) {
	if err := s.deps.Ledger.Apply(ctx, Batch{PublisherID: c.PublisherID, Cycles: []Cycle{c}}); err != nil {
		return c, err
	}
	return s.deps.Ledger.Cycle(ctx, c.PublisherID, c.ResourceID, c.Dimension, c.Month)
}

// shut lets an open cycle take no more usage. Only after that its usage is read: what was told before is in it,
// and what is told later is looked at again when it is fixed (BIL-25).
func (s *Service) shut(ctx context.Context, _ subscription.Subscription, c Cycle) (Cycle, error) {
	if c.State != CycleOpen {
		return c, nil
	}
	c.State = CycleClosing
	return s.saveCycle(ctx, c)
}

// fix writes down what the cycle is charged for (BIL-30). From then on neither usage, prices nor rates change it.
func (s *Service) fix(ctx context.Context, sub subscription.Subscription, c Cycle) (Cycle, error) {
	if c.State != CycleClosing || !c.FixedAt.IsZero() {
		return c, nil
	}
	if err := s.count(ctx, &c); err != nil {
		return c, err
	}
	resource, err := s.deps.Resources.Resource(ctx, sub.ID)
	if err != nil {
		return c, err
	}
	for i := range c.Parts {
		if c.Parts[i].UnitPrice, err = s.partPrice(ctx, resource, c, c.Parts[i]); err != nil {
			return c, err
		}
	}
	c.FixedAt = s.deps.Now().UTC()
	return s.saveCycle(ctx, c)
}

// partPrice is the price per unit: that of the plan's meter now, for late use the one of its month. Where the meter has
// a price in the customer's market and currency it is that one (MTR-16), else the one in USD at the rate of the day.
func (s *Service) partPrice(ctx context.Context, resource metering.Resource, c Cycle, p Part) (decimal.Decimal, error) {
	if p.LateFrom != "" {
		earlier, err := s.deps.Ledger.Cycle(ctx, c.PublisherID, c.ResourceID, c.Dimension, p.LateFrom)
		if err != nil {
			return decimal.Decimal{}, err
		}
		if price, ok := earlier.priceOf(p.PlanID); ok {
			return price, nil
		}
	}
	meter, _ := resource.Meter(p.PlanID, c.Dimension) // accepted before, so charged, even if it is switched off since
	if meter.DimensionID == "" {
		return decimal.Decimal{}, fault.New(fault.NotReady, "PriceMissing", c.Dimension, "plan %s has no price for %s", p.PlanID, c.Dimension)
	}
	if price, currency, ok := meter.PriceIn(resource.Market); ok && currency == resource.Currency {
		return price, nil
	}
	return s.localPrice(ctx, meter.PricePerUnitUSD, resource.Currency, c.lastDay())
}

// chargeCycle writes the lines of a fixed cycle and closes it.
func (s *Service) chargeCycle(ctx context.Context, sub subscription.Subscription, c Cycle) (Cycle, error) {
	if c.State == CycleClosed {
		return c, nil
	}
	for _, p := range c.Parts {
		line := meteredLine(sub, c, p)
		if err := line.rate(); err != nil {
			return c, err
		}
		if err := s.charge(ctx, sub, line); err != nil {
			return c, err
		}
	}
	c.State, c.ClosedAt = CycleClosed, s.deps.Now().UTC()
	return s.saveCycle(ctx, c)
}

// count sums the accepted usage of a cycle, with what comes late from earlier ones, by plan, so that use before a
// plan change is rated on the old plan.
func (s *Service) count(ctx context.Context, c *Cycle) error {
	counted := c.Counted
	own, err := s.countMonth(ctx, *c, c.Month, func(at time.Time) bool {
		counted = counted.With(at)
		return true
	})
	if err != nil {
		return err
	}
	for i := range own {
		own[i].LateFrom, own[i].FirstDay, own[i].LastDay = "", c.start().Format(time.DateOnly), c.lastDay()
	}
	c.Counted, c.Parts = counted, own
	for _, month := range slices.Sorted(maps.Keys(c.Late)) {
		late, err := s.countMonth(ctx, *c, month, c.Late[month].Has)
		if err != nil {
			return err
		}
		c.Parts = append(c.Parts, late...)
	}
	return nil
}

// countMonth sums the usage of a month by plan, of the hours that are wanted, with its first and last day.
func (s *Service) countMonth(ctx context.Context, c Cycle, month string, wanted func(time.Time) bool) ([]Part, error) {
	start := monthStart(month)
	usages, err := s.deps.Usage.Between(ctx, c.ResourceID, c.Dimension, start, start.AddDate(0, 1, 0))
	if err != nil {
		return nil, err
	}
	byPlan := map[string]*Part{}
	for _, u := range usages {
		if !wanted(u.Effective) {
			continue
		}
		value, err := u.Value()
		if err != nil {
			return nil, fmt.Errorf("usage event %s: %w", u.EventID, err)
		}
		day := u.Effective.UTC().Format(time.DateOnly)
		p := byPlan[u.PlanID]
		if p == nil {
			p = &Part{PlanID: u.PlanID, LateFrom: month, FirstDay: day}
			byPlan[u.PlanID] = p
		}
		p.LastDay, p.Quantity = day, p.Quantity.Add(value)
	}
	var parts []Part
	for _, planID := range slices.Sorted(maps.Keys(byPlan)) {
		parts = append(parts, *byPlan[planID])
	}
	return parts, nil
}
