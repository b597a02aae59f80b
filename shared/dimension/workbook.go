package dimension

import (
	"fmt"
	"maps"
	"slices"

	"github.com/shopspring/decimal"

	"stoa/shared/fault"
)

// Row is a line of the price workbook: what a unit of a dimension costs in a market.
type Row struct {
	MarketName string
	Market     string // two letters
	Currency   string // that of the market
	Key        string // ID of the dimension
	Price      string // empty when there is none yet
	USDBase    string // the price in USD that it was converted from, empty for one that was imported
	RateDate   string // day of the rate it was converted with
	Locked     bool   // it has been live
}

// MaxRows bounds a workbook: each dimension in each market.
var MaxRows = Most * len(markets)

// Export is the price workbook of a plan: a row for each dimension that has a price and each market of the plan, in
// the order of the dimensions and of the markets' names. Conflict "NothingToExport" when there is none.
func (o *Offer) Export(planID string) ([]Row, error) {
	p, err := o.Plan(planID)
	if err != nil {
		return nil, err
	}
	published := o.Published.Plans[planID]
	var out []Row
	for _, d := range o.Dimensions {
		m, ok := p.Meter(d.ID)
		if !ok || p.NeverCharged(m) {
			continue
		}
		live, fixed := published[d.ID]
		for _, market := range markets {
			if slices.Contains(p.Markets, market.ID) {
				r := row(m, market)
				r.Locked = fixed && live.fixes(market.ID)
				out = append(out, r)
			}
		}
	}
	if len(out) == 0 {
		return nil, fault.New(fault.Conflict, CodeNothingToExport, "planId", "The plan %s has no prices of dimensions for its markets yet.", planID)
	}
	return out, nil
}

func row(m Meter, market Market) Row {
	out := Row{MarketName: market.Name, Market: market.ID, Currency: market.Currency, Key: m.DimensionID}
	if price, _, ok := m.PriceIn(market.ID); ok {
		out.Price = price.String()
	}
	own := m.Prices[market.ID]
	if out.RateDate = own.RateDate; !own.Imported {
		out.USDBase = m.PricePerUnitUSD.String()
	}
	return out
}

// Import takes the prices of an edited workbook: all of its rows, or none when something is wrong with one. Rows that
// are not there keep their prices. Each wrong row is a detail, whose target is its place among the rows and whose
// message names its number. Invalid for a market that the plan does not sell in, another currency, an unknown
// dimension, a row that stands twice and what is no price; Conflict "PublishedPriceLocked" when all that is wrong is a
// change of published prices (MTR-12).
func (o *Offer) Import(planID string, rows []Row) error {
	p, err := o.Plan(planID)
	if err != nil {
		return err
	}
	if err := o.meters(p); err != nil {
		return err
	}
	if len(rows) == 0 {
		return fault.New(fault.Invalid, CodeRequired, "value", "The workbook has no rows.")
	}
	if len(rows) > MaxRows {
		return fault.New(fault.Invalid, CodeInvalid, "value", "A workbook has at most %d rows.", MaxRows)
	}
	in := importing{plan: p, live: o.Published.Plans[planID], meters: slices.Clone(p.Meters), seen: map[string]int{}}
	for i, r := range rows {
		in.take(i, r)
	}
	if err := in.wrong.Err(fault.Invalid, CodeInvalid, "Some rows of the workbook are not allowed. Nothing was imported."); err != nil {
		return err
	}
	if err := in.locked.Err(fault.Conflict, CodePriceLocked, "Published prices cannot change. Nothing was imported."); err != nil {
		return err
	}
	p.Meters = in.meters
	return nil
}

// importing is a workbook on its way into a plan.
type importing struct {
	plan          *Plan
	live          map[string]Lock // by dimension
	meters        []Meter
	seen          map[string]int // row by market and dimension
	wrong, locked fault.Findings
}

func (in *importing) refuse(i int, member, format string, args ...any) {
	in.wrong.Add(CodeInvalid, fmt.Sprintf("value[%d].%s", i, member), "Row %d: %s", i+1, fmt.Sprintf(format, args...))
}

// take puts a row into the meters, or notes what is wrong with it.
func (in *importing) take(i int, r Row) {
	at := slices.IndexFunc(in.meters, func(m Meter) bool { return m.DimensionID == r.Key })
	market, known := marketByID[r.Market]
	switch {
	case !known || !slices.Contains(in.plan.Markets, r.Market):
		in.refuse(i, "market", "the plan is not sold in the market %.10q.", r.Market)
		return
	case r.Currency != "" && r.Currency != market.Currency:
		in.refuse(i, "currency", "the currency of %s is %s.", market.Name, market.Currency)
		return
	case at < 0 || in.plan.NeverCharged(in.meters[at]):
		in.refuse(i, "priceKey", "the plan has no price for a dimension %.50q.", r.Key)
		return
	}
	key := r.Market + "|" + r.Key
	if first, twice := in.seen[key]; twice {
		in.refuse(i, "market", "row %d is for the same market and dimension.", first+1)
		return
	}
	in.seen[key] = i
	m := &in.meters[at]
	now, _, have := m.PriceIn(r.Market)
	if r.Price == "" && !have {
		return
	}
	price, ok := parse(r.Price)
	if !ok || !priced(price, maxLocal) {
		in.refuse(i, "price", "%s", priceWords(maxLocal))
		return
	}
	if have && price.Equal(now) {
		return
	}
	if live, was := in.live[r.Key]; was && live.fixes(r.Market) {
		in.locked.Add(CodePriceLocked, fmt.Sprintf("value[%d].price", i), "Row %d: the price is published and cannot change.", i+1)
		return
	}
	in.set(at, r.Market, price)
}

func (in *importing) set(at int, market string, price decimal.Decimal) {
	m := &in.meters[at]
	m.Prices = maps.Clone(m.Prices)
	if m.Prices == nil {
		m.Prices = map[string]Price{}
	}
	m.Prices[market] = Price{Price: price, Imported: true}
}
