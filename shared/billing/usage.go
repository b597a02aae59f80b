package billing

import (
	"context"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/money"
	"stoa/shared/subscription"
)

// Cycle is the metered use of a resource and dimension in a calendar month UTC (3.4, BIL-24).
type Cycle struct {
	ResourceID  string                     `json:"resourceId"`
	PublisherID string                     `json:"publisherId"`
	Dimension   string                     `json:"dimensionId"`
	Month       string                     `json:"cycle"` // yyyy-MM
	Closed      bool                       `json:"closed"`
	Quantities  map[string]decimal.Decimal `json:"quantities,omitempty"` // by plan; running while open
	OpenedAt    time.Time                  `json:"openedAt"`
	ClosedAt    time.Time                  `json:"closedAt,omitzero"`

	Tag string `json:"-"` // of the stored row as read
}

const monthLayout = "2006-01"

// start is the first instant of the cycle. The month was parsed before.
func (c Cycle) start() time.Time {
	t, err := time.Parse(monthLayout, c.Month)
	if err != nil {
		panic(fmt.Sprintf("cycle %q: %v", c.Month, err))
	}
	return t
}

func (c Cycle) end() time.Time { return c.start().AddDate(0, 1, 0) }

// days are the first and the last day of the cycle.
func (c Cycle) days() (first, last string) {
	return c.start().Format(time.DateOnly), c.end().AddDate(0, 0, -1).Format(time.DateOnly)
}

// closesAt is when the cycle closes: on day 2 of the next month at 01:00 UTC, when nothing for it can be accepted
// any more (BIL-24).
func (c Cycle) closesAt() time.Time { return c.end().Add(25 * time.Hour) }

func (c Cycle) closing() message.Message {
	return message.New(fmt.Sprintf("cycle:%s:%s:%s", c.ResourceID, c.Dimension, c.Month), message.LedgerEvents,
		Signal{Kind: SignalClose, ResourceID: c.ResourceID, Dimension: c.Dimension, Month: c.Month}).At(c.closesAt())
}

// monthOf is the cycle an hour yyyyMMddHH belongs to.
func monthOf(hour string) (string, error) {
	t, err := time.Parse("2006010215", hour)
	if err != nil {
		return "", fault.New(fault.Invalid, "InvalidHour", "hour", "%q is not an hour yyyyMMddHH", hour)
	}
	return t.Format(monthLayout), nil
}

// ChargeUsage opens the cycles that accepted usage belongs to, where they are not open yet. What the usage costs
// is posted when the cycle closes; until then it counts in Cycles.
func (s *Service) ChargeUsage(ctx context.Context, resourceID string, events []UsageEvent) error {
	sub, err := s.subscriber(ctx, resourceID)
	if err != nil {
		return err
	}
	type place struct{ dimension, month string }
	var places []place
	for _, e := range events {
		month, err := monthOf(e.Hour)
		if err != nil {
			return err
		}
		if e.Dimension == "" {
			return fault.New(fault.Invalid, "MissingDimension", "dimension", "the dimension is missing")
		}
		if at := (place{e.Dimension, month}); !slices.Contains(places, at) {
			places = append(places, at)
		}
	}
	for _, at := range places {
		if err := s.openCycle(ctx, sub, at.dimension, at.month); err != nil {
			return err
		}
	}
	return nil
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

func (s *Service) openCycle(ctx context.Context, sub subscription.Subscription, dimension, month string) error {
	_, err := s.deps.Ledger.Cycle(ctx, sub.PublisherID, sub.ID, dimension, month)
	if err == nil {
		return nil
	}
	what := fmt.Sprintf("open cycle %s of %s", month, sub.ID)
	if !fault.Is(err, fault.NotFound) {
		return fmt.Errorf("%s: %w", what, err)
	}
	c := Cycle{ResourceID: sub.ID, PublisherID: sub.PublisherID, Dimension: dimension, Month: month, OpenedAt: s.deps.Now().UTC()}
	return settled(s.deps.Ledger.Apply(ctx, Batch{
		PublisherID: sub.PublisherID, Cycles: []Cycle{c}, Messages: []message.Message{c.closing()},
	}), what)
}

// CloseCycle charges what was used in a cycle, one line for each plan, and closes it. Closing it again is
// nothing; before its time it is Unavailable.
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
	if c.Closed {
		return nil
	}
	if s.deps.Now().Before(c.closesAt()) {
		return early(fmt.Sprintf("the close of cycle %s of %s", month, resourceID))
	}
	if err := s.chargeCycle(ctx, sub, &c); err != nil {
		return fmt.Errorf("close cycle %s of %s: %w", month, resourceID, err)
	}
	c.Closed, c.ClosedAt = true, s.deps.Now().UTC()
	err = s.deps.Ledger.Apply(ctx, Batch{PublisherID: c.PublisherID, Cycles: []Cycle{c}})
	return settled(err, fmt.Sprintf("close cycle %s of %s", month, resourceID))
}

// chargeCycle makes the lines of a cycle. What is accepted for it does not change any more, so a second run makes
// the same lines.
func (s *Service) chargeCycle(ctx context.Context, sub subscription.Subscription, c *Cycle) error {
	resource, err := s.deps.Resources.Resource(ctx, sub.ID)
	if err != nil {
		return err
	}
	if c.Quantities, err = s.used(ctx, *c); err != nil {
		return err
	}
	for planID, quantity := range c.Quantities {
		meter, _ := resource.Meter(planID, c.Dimension) // accepted before, so charged, even if it is switched off since
		if meter.DimensionID == "" {
			return fault.New(fault.NotReady, "PriceMissing", c.Dimension, "plan %s has no price for %s", planID, c.Dimension)
		}
		line := meteredLine(sub, resource, *c, planID)
		line.Quantity = quantity
		if line.UnitPrice, err = s.localPrice(ctx, meter.PricePerUnitUSD, line.Currency, line.ChargeDate); err != nil {
			return err
		}
		if err := line.rate(); err != nil {
			return err
		}
		if err := s.charge(ctx, line); err != nil {
			return err
		}
	}
	return nil
}

// used sums the accepted usage of a cycle by plan, so that use before a plan change is rated on the old plan.
func (s *Service) used(ctx context.Context, c Cycle) (map[string]decimal.Decimal, error) {
	usages, err := s.deps.Usage.Between(ctx, c.ResourceID, c.Dimension, c.start(), c.end())
	if err != nil {
		return nil, err
	}
	sums := map[string]decimal.Decimal{}
	for _, u := range usages {
		value, err := u.Value()
		if err != nil {
			return nil, fmt.Errorf("usage event %s: %w", u.EventID, err)
		}
		sums[u.PlanID] = sums[u.PlanID].Add(value)
	}
	return sums, nil
}

// unitDecimals is how many decimals a price per unit has (01, Money).
const unitDecimals = 6

// localPrice is a price per unit in the currency of the customer.
func (s *Service) localPrice(ctx context.Context, usd decimal.Decimal, currency, day string) (decimal.Decimal, error) {
	if currency == "USD" {
		return usd, nil
	}
	rate, err := s.deps.Rates.UnitsPerUSD(ctx, currency, day)
	if fault.Is(err, fault.NotFound) { // nothing is guessed (BIL-85)
		return usd, fault.New(fault.NotReady, "RateMissing", currency, "there is no exchange rate of %s for %s", currency, day)
	}
	if err != nil {
		return usd, fmt.Errorf("rate of %s: %w", currency, err)
	}
	return usd.Mul(rate).RoundBank(unitDecimals), nil
}

// InUSD is what an amount is worth in cents at the rate of a day, rounded once (BIL-84). NotReady "RateMissing"
// when there is no rate.
func (s *Service) InUSD(ctx context.Context, r Release) (int64, error) {
	if r.Amount.Currency == "USD" {
		return r.Amount.Minor, nil
	}
	rate, err := s.deps.Rates.UnitsPerUSD(ctx, r.Amount.Currency, r.ChargeDate)
	if fault.Is(err, fault.NotFound) || err == nil && rate.Sign() <= 0 {
		return 0, fault.New(fault.NotReady, "RateMissing", r.Amount.Currency, "there is no exchange rate of %s for %s", r.Amount.Currency, r.ChargeDate)
	}
	if err != nil {
		return 0, fmt.Errorf("rate of %s: %w", r.Amount.Currency, err)
	}
	return roundUSD(new(big.Rat).Quo(r.Amount.Rat(), rate.Rat()))
}

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
		if !list[i].Closed {
			if list[i].Quantities, err = s.used(ctx, list[i]); err != nil {
				return nil, "", fmt.Errorf("cycles of %s: %w", resourceID, err)
			}
		}
	}
	return list, next, nil
}

func roundUSD(value *big.Rat) (int64, error) {
	usd, err := money.Round(value, "USD")
	return usd.Minor, err
}
