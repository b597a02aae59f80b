package vmprice

import (
	"maps"
	"math/big"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"stoa/shared/fault"
)

// ReviewPeriod is how long a publisher may look at a suggested price before it is published (MTR-92).
const ReviewPeriod = 30 * 24 * time.Hour

// State says how far the price of a new core size is.
type State string

// The states of a review.
const (
	Suggested State = "suggested" // the publisher may send a price of its own
	Confirmed State = "confirmed" // with the price that the publisher sent
	Applied   State = "applied"   // automatically: nothing was asked, or the review ended
)

// everywhere is the key of a price that holds in all regions.
const everywhere = ""

// Review is a new core size on its way into the prices of a plan.
type Review struct {
	Size     string                     `json:"coreSize"`
	Option   Option                     `json:"priceOption"`
	State    State                      `json:"state"`
	Prices   map[string]decimal.Decimal `json:"prices,omitempty"` // by region, "" for all: suggested, then valid
	Begun    time.Time                  `json:"begunAt"`
	Deadline time.Time                  `json:"deadline"`
}

// Announce begins the review of a new core size. Where a price follows from what the publisher said there is nothing
// to review, and it is applied at once. Invalid when the prices have no option, Conflict when they have the size.
func (p Prices) Announce(size Size, now time.Time) (Review, error) {
	option, err := p.Option()
	if err != nil {
		return Review{}, err
	}
	r := Review{Size: size.ID, Option: option, State: Applied, Begun: now.UTC(), Deadline: now.UTC()}
	if option.Automatic() {
		return r, nil
	}
	tables := p.PerMarket
	if option == PerCoreSize {
		tables = map[string]Table{everywhere: p.PerSize}
	}
	r.State, r.Deadline, r.Prices = Suggested, now.UTC().Add(ReviewPeriod), map[string]decimal.Decimal{}
	for region, t := range tables {
		if _, ok := t[size.ID]; ok {
			return Review{}, fault.New(fault.Conflict, "AlreadyExists", "coreSize", "The plan has a price for the core size %s.", size.ID)
		}
		if price, ok := t.suggest(size); ok {
			r.Prices[region] = price
		}
	}
	return r, nil
}

// suggest is the price of a new core size at the price per core of its neighbour.
func (t Table) suggest(size Size) (decimal.Decimal, bool) {
	var below, above *Size
	for i, s := range sizes {
		if _, ok := t[s.ID]; !ok {
			continue
		}
		if s.cores.Cmp(size.cores) < 0 {
			below = &sizes[i] // they come in the order of their cores
		} else if above == nil {
			above = &sizes[i]
		}
	}
	if below == nil {
		below = above
	}
	if below == nil {
		return decimal.Decimal{}, false
	}
	return size.cost(new(big.Rat).Quo(t[below.ID].Rat(), below.cores)), true
}

// Send takes the price that the publisher wants instead, by region, or under "" for a plan with one price for all. It
// must be for just the regions of the review. Conflict "ReviewEnded" at the deadline and after it.
func (r Review) Send(prices map[string]decimal.Decimal, now time.Time) (Review, error) {
	if !now.Before(r.Deadline) { // what was applied at once had none
		return r, fault.New(fault.Conflict, "ReviewEnded", "coreSize", "The price of the core size %s is published and cannot change.", r.Size)
	}
	var wrong fault.Findings
	for _, region := range slices.Sorted(maps.Keys(prices)) {
		target := "prices"
		if region != everywhere {
			target += "." + region
		}
		if _, ok := r.Prices[region]; !ok {
			wrong.Add(CodeInvalid, target, "The plan has no prices of its own for this region.")
		}
		checkPrice(&wrong, target, prices[region])
	}
	for _, region := range slices.Sorted(maps.Keys(r.Prices)) {
		if _, ok := prices[region]; !ok {
			wrong.Add(CodeRequired, "prices."+region, "A price is required.")
		}
	}
	if err := wrong.Err(fault.Invalid, CodeInvalid, "Some prices are not allowed."); err != nil {
		return r, err
	}
	r.State, r.Prices = Confirmed, maps.Clone(prices)
	return r, nil
}

// End applies the suggested price once the deadline is there. It reports whether the review is over.
func (r Review) End(now time.Time) (Review, bool) {
	if r.State == Suggested && !now.Before(r.Deadline) {
		r.State = Applied
	}
	return r, r.State != Suggested
}

// With are the prices with the new core size of a review that is over. No other price changes, also of a plan that is
// published: this is the one way in which it gains a price.
func (p Prices) With(r Review) Prices {
	if r.State == Suggested || r.Option.Automatic() {
		return p
	}
	add := func(t Table, region string) Table {
		price, ok := r.Prices[region]
		if _, has := t[r.Size]; has || !ok {
			return t
		}
		t = maps.Clone(t)
		t[r.Size] = price
		return t
	}
	if r.Option == PerCoreSize {
		p.PerSize = add(p.PerSize, everywhere)
		return p
	}
	next := make(map[string]Table, len(p.PerMarket))
	for region, t := range p.PerMarket {
		next[region] = add(t, region)
	}
	p.PerMarket = next
	return p
}
