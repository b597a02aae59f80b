package dimension

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"

	"stoa/shared/fault"
)

// Meter is a dimension on a plan (3.2).
type Meter struct {
	DimensionID     string          `json:"dimensionId"`
	Enabled         bool            `json:"enabled"`
	PricePerUnitUSD decimal.Decimal `json:"pricePerUnitUsd"`
	MonthlyIncluded int64           `json:"monthlyIncluded"`
	AnnualIncluded  int64           `json:"annualIncluded"`
	MonthlyInfinite bool            `json:"monthlyInfinite,omitempty"`
	AnnualInfinite  bool            `json:"annualInfinite,omitempty"`
	// Prices are those that are not the price in USD itself, by market and in the market's currency.
	Prices map[string]Price `json:"marketPrices,omitempty"`
}

// Price is what a unit costs in a market.
type Price struct {
	Price    decimal.Decimal `json:"price"`
	RateDate string          `json:"rateDate,omitempty"` // day of the save whose rate it was converted with
	Imported bool            `json:"imported,omitempty"` // it came from a workbook
}

// Included is a quantity that the recurring fee of a term covers.
type Included struct {
	Units    int64
	Infinite bool
}

const infinite = "infinite"

// maxIncluded is the largest quantity that every reader of JSON reads exactly.
const maxIncluded = 1<<53 - 1

// ParseIncluded reads an included quantity: a whole number, or "infinite" (MTR-14). Nothing is 0. Invalid.
func ParseIncluded(target, text string) (Included, error) {
	switch {
	case text == "":
		return Included{}, nil
	case strings.EqualFold(text, infinite):
		return Included{Infinite: true}, nil
	}
	d, ok := parse(text)
	if !ok || d.Sign() < 0 || !d.IsInteger() || d.GreaterThan(decimal.NewFromInt(maxIncluded)) {
		return Included{}, fault.New(fault.Invalid, CodeInvalid, target,
			"An included quantity is a whole number from 0 to %d, or %q.", int64(maxIncluded), infinite)
	}
	return Included{Units: d.IntPart()}, nil
}

// String is the quantity as it is written: a whole number, or "infinite".
func (i Included) String() string {
	if i.Infinite {
		return infinite
	}
	return strconv.FormatInt(i.Units, 10)
}

// Monthly is what a monthly term includes.
func (m Meter) Monthly() Included { return Included{m.MonthlyIncluded, m.MonthlyInfinite} }

// Annual is what an annual term includes, for the whole year.
func (m Meter) Annual() Included { return Included{m.AnnualIncluded, m.AnnualInfinite} }

// Setting is what a publisher says about a dimension on a plan.
type Setting struct {
	Enabled bool
	Price   decimal.NullDecimal // of a unit, in USD
	Monthly Included
	Annual  Included
}

// Meter finds the meter of a dimension. False when the plan says nothing about it: it is not enabled.
func (p *Plan) Meter(dimensionID string) (Meter, bool) {
	for _, m := range p.Meters {
		if m.DimensionID == dimensionID {
			return m, true
		}
	}
	return Meter{}, false
}

// NeverCharged reports whether every term that the plan sells includes the dimension without end, so that it has no
// price and nothing may be emitted.
func (p *Plan) NeverCharged(m Meter) bool {
	return (p.Monthly || p.Annual) && (!p.Monthly || m.MonthlyInfinite) && (!p.Annual || m.AnnualInfinite)
}

// Metered reports whether the plan has an enabled dimension.
func (p *Plan) Metered() bool {
	return slices.ContainsFunc(p.Meters, func(m Meter) bool { return m.Enabled })
}

// Set says how a plan meters a dimension, and converts the price for the plan's markets (MTR-16). NotFound for a plan
// or dimension that is not there; Invalid for what can never be right (MTR-1, MTR-2, MTR-5, MTR-14); NotReady
// "MeteringTrialConflict" on a plan with a free trial (MTR-4); Conflict "PublishedPriceLocked" for a change of what has
// been live (MTR-12, MTR-13).
func (o *Offer) Set(planID, dimensionID string, s Setting, rates Rates) error {
	p, err := o.Plan(planID)
	if err != nil {
		return err
	}
	if _, err := o.Dimension(dimensionID); err != nil {
		return err
	}
	was, _ := p.Meter(dimensionID)
	m := Meter{
		DimensionID: dimensionID, Enabled: s.Enabled, PricePerUnitUSD: was.PricePerUnitUSD, Prices: maps.Clone(was.Prices),
		MonthlyIncluded: s.Monthly.Units, MonthlyInfinite: s.Monthly.Infinite, AnnualIncluded: s.Annual.Units, AnnualInfinite: s.Annual.Infinite,
	}
	if s.Price.Valid {
		m.PricePerUnitUSD = s.Price.Decimal
	}
	if err := o.checkMeter(p, m, s); err != nil {
		return err
	}
	if live, ok := o.Published.Plans[planID]; ok {
		return checkMeters(planID, live, []Meter{m}) // it stays as it is, or is refused
	}
	if p.FreeTrial && m.Enabled { // MTR-4
		return fault.New(fault.NotReady, CodeTrial, "enabled", "The plan %s has a free trial, so it cannot be metered.", planID)
	}
	if p.NeverCharged(m) {
		m.Prices = nil
	} else {
		m.convert(p.Markets, rates)
	}
	meters := slices.DeleteFunc(slices.Clone(p.Meters), func(old Meter) bool { return old.DimensionID == dimensionID })
	if i := slices.IndexFunc(p.Meters, func(old Meter) bool { return old.DimensionID == dimensionID }); i >= 0 {
		p.Meters = slices.Insert(meters, i, m) // where it stood
	} else {
		p.Meters = append(meters, m)
	}
	return nil
}

// checkMeter finds what can never be right about a meter.
func (o *Offer) checkMeter(p *Plan, m Meter, s Setting) error {
	if err := o.meters(p); err != nil {
		return err
	}
	var wrong fault.Findings
	switch {
	case !s.Price.Valid && m.Enabled && !p.NeverCharged(m):
		wrong.Add(CodeRequired, "pricePerUnitUsd", "An enabled dimension has a price, which may be 0.")
	case s.Price.Valid && !priced(s.Price.Decimal, maxUSD):
		wrong.Add(CodeInvalid, "pricePerUnitUsd", "%s", priceWords(maxUSD))
	}
	for _, f := range o.unsold(p, m) {
		wrong.Add(CodeInvalid, f.member, "%s", f.words)
	}
	return wrong.Err(fault.Invalid, CodeInvalid, "Some values are not allowed.")
}

// meters refuses plans that cannot be metered at all.
func (o *Offer) meters(p *Plan) error {
	if err := o.sells(); err != nil {
		return err
	}
	switch {
	case o.Kind == SaaS && p.PerUser: // MTR-1
		return fault.New(fault.Invalid, CodeNotAllowed, "planId", "The plan %s is priced per user; dimensions are for flat-rate plans.", p.ID)
	case o.Kind == AzureApplication && p.SolutionTemplate: // MTR-2
		return fault.New(fault.Invalid, CodeNotAllowed, "planId", "The plan %s is a solution template; dimensions are for managed applications.", p.ID)
	case p.Government: // MTR-5
		return fault.New(fault.Invalid, CodeGovernment, "planId", "The plan %s is offered in Azure Government, where nothing is metered.", p.ID)
	}
	return nil
}

// member is something wrong with a member of a meter.
type member struct{ member, words string }

// unsold finds included quantities of terms that the plan does not sell.
func (o *Offer) unsold(p *Plan, m Meter) []member {
	var out []member
	terms := p.Monthly || p.Annual
	if terms && !p.Monthly && m.Monthly() != (Included{}) {
		out = append(out, member{"monthlyIncluded", "The plan has no monthly term that could include a quantity."})
	}
	if (o.Kind != SaaS || terms && !p.Annual) && m.Annual() != (Included{}) {
		out = append(out, member{"annualIncluded", "The plan has no annual term that could include a quantity."})
	}
	return out
}
