package vmprice

import (
	"fmt"
	"maps"
	"slices"

	"github.com/shopspring/decimal"

	"stoa/shared/fault"
)

// Option is a way to price a usage-based plan (3.9).
type Option string

// The options.
const (
	Free                 Option = "free"
	FlatRate             Option = "flatRate"
	PerCore              Option = "perCore"
	PerCoreSize          Option = "perCoreSize"
	PerMarketAndCoreSize Option = "perMarketAndCoreSize"
)

// Codes of refusals.
const (
	CodeOption   = "PriceOptionInvalid"
	CodeInvalid  = "InvalidValue"
	CodeRequired = "Required"
)

const dollars = "USD"

// Automatic reports whether a new core size needs nothing from the publisher (MTR-92).
func (o Option) Automatic() bool { return o == Free || o == FlatRate || o == PerCore }

// Converted reports whether the marketplace converts the prices into the currencies of the markets.
func (o Option) Converted() bool { return o != PerMarketAndCoreSize }

// Table holds prices of an hour by core size.
type Table map[string]decimal.Decimal

// Prices are those of a plan. Exactly one member is given.
type Prices struct {
	Free      bool                `json:"free,omitempty"`
	FlatRate  decimal.NullDecimal `json:"flatRate,omitzero"` // of any hardware, in USD
	PerCore   decimal.NullDecimal `json:"perCore,omitzero"`  // of one core, in USD
	PerSize   Table               `json:"perCoreSize,omitempty"`
	PerMarket map[string]Table    `json:"perMarketAndCoreSize,omitempty"` // by region, in its currency
}

// Option is the option that the prices use. Invalid "PriceOptionInvalid" when it is not exactly one (MTR-91).
func (p Prices) Option() (Option, error) {
	var given []Option
	for _, o := range []struct {
		given  bool
		option Option
	}{
		{p.Free, Free}, {p.FlatRate.Valid, FlatRate}, {p.PerCore.Valid, PerCore}, {len(p.PerSize) > 0, PerCoreSize}, {len(p.PerMarket) > 0, PerMarketAndCoreSize},
	} {
		if o.given {
			given = append(given, o.option)
		}
	}
	if len(given) != 1 {
		return "", fault.New(fault.Invalid, CodeOption, "priceOption", "A usage-based plan has exactly one price option, found %d.", len(given))
	}
	return given[0], nil
}

// Check finds what is wrong with the prices of a plan that is sold in the regions: a price for each core size, and for
// each region where they differ; none negative or finer than six decimals. Invalid.
func (p Prices) Check(sold []string) error {
	option, err := p.Option()
	if err != nil {
		return err
	}
	var wrong fault.Findings
	switch option {
	case FlatRate:
		checkPrice(&wrong, "flatRate", p.FlatRate.Decimal)
	case PerCore:
		checkPrice(&wrong, "perCore", p.PerCore.Decimal)
	case PerCoreSize:
		p.PerSize.check(&wrong, "perCoreSize")
	case PerMarketAndCoreSize:
		for _, region := range sold {
			if _, ok := p.PerMarket[region]; !ok {
				wrong.Add(CodeRequired, "perMarketAndCoreSize."+region, "The plan is sold in %s and has no prices for it.", region)
			}
		}
		for _, region := range slices.Sorted(maps.Keys(p.PerMarket)) {
			target := "perMarketAndCoreSize." + region
			if _, ok := regions[region]; !ok {
				wrong.Add(CodeInvalid, target, "There is no region %s.", region)
				continue
			}
			p.PerMarket[region].check(&wrong, target)
		}
	}
	return wrong.Err(fault.Invalid, CodeInvalid, "Some prices are not allowed.")
}

func (t Table) check(wrong *fault.Findings, target string) {
	for _, s := range sizes {
		if price, ok := t[s.ID]; !ok {
			wrong.Add(CodeRequired, target+"."+s.ID, "There is no price for this core size.")
		} else {
			checkPrice(wrong, target+"."+s.ID, price)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(t)) {
		if _, ok := SizeOf(id); !ok {
			wrong.Add(CodeInvalid, target+"."+id, "There is no such core size.")
		}
	}
}

const maxExponent = 40

// sane reports whether a number can be computed with at all.
func sane(d decimal.Decimal) bool { return d.Exponent() <= maxExponent && d.Exponent() >= -maxExponent }

func checkPrice(wrong *fault.Findings, target string, d decimal.Decimal) {
	if !sane(d) || d.Sign() < 0 || !d.Equal(d.Truncate(decimals)) {
		wrong.Add(CodeInvalid, target, "A price per hour is a number of at least 0 with at most %d decimals.", decimals)
	}
}

// Hourly is what an hour of a core size costs in a region and in which currency: USD, to be converted, or that of the
// region where prices are per market. NotFound when there is no price for it.
func (p Prices) Hourly(region string, size Size) (decimal.Decimal, string, error) {
	option, err := p.Option()
	if err != nil {
		return decimal.Decimal{}, "", err
	}
	switch option {
	case FlatRate:
		return p.FlatRate.Decimal, dollars, nil
	case PerCore:
		return size.cost(p.PerCore.Decimal.Rat()), dollars, nil
	case PerCoreSize:
		price, err := p.PerSize.price(size)
		return price, dollars, err
	case PerMarketAndCoreSize:
		price, err := p.PerMarket[region].price(size)
		return price, regions[region], err
	}
	return decimal.Decimal{}, dollars, nil // free
}

func (t Table) price(size Size) (decimal.Decimal, error) {
	price, ok := t[size.ID]
	if !ok {
		return price, fault.New(fault.NotFound, "NotFound", "coreSize", "The plan has no price for the core size %s.", size.ID)
	}
	return price, nil
}

// Generate is a price for each core size, made of the price of one core.
func Generate(perCore decimal.Decimal) (Table, error) {
	var wrong fault.Findings
	checkPrice(&wrong, "pricePerCore", perCore)
	if err := wrong.Err(fault.Invalid, CodeInvalid, "The price is not allowed."); err != nil {
		return nil, fmt.Errorf("generate prices: %w", err)
	}
	out := Table{}
	for _, s := range sizes {
		out[s.ID] = s.cost(perCore.Rat())
	}
	return out, nil
}
