package metering

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"stoa/shared/account"
	"stoa/shared/fault"
)

// Recon is how far analytics has come with reported usage (MTR-88).
type Recon string

// Submitted usage is not yet processed.
const Submitted Recon = "Submitted"

// Filter selects reported usage. Start is required; empty members select all (MTR-87).
type Filter struct {
	Start, End time.Time // Start <= t < End; End zero: now
	Offer      string
	Plan       string
	Dimension  string
	Recon      string // in any case of letters
}

// Day is the usage of one UTC day, resource, dimension and plan (MTR-86).
type Day struct {
	Date       time.Time
	ResourceID string
	Dimension  string
	PlanID     string
	OfferID    string
	Recon      Recon
	Submitted  decimal.Decimal
	Count      int
}

const (
	longestRange = 366 * 24 * time.Hour // MTR-89
	monthsBack   = 13                   // MTR-93
)

// Reported reads what the caller has reported, by day, resource, dimension and plan, in this order. Invalid for a
// range that ends before it starts or is longer than 366 days, and for an unknown status. What is older than 13
// months is not read (MTR-93).
func (s *Service) Reported(ctx context.Context, caller account.Caller, f Filter) ([]Day, error) {
	now := s.deps.Now().UTC()
	if f.End.IsZero() {
		f.End = now.Add(tolerance)
	}
	switch {
	case f.Start.IsZero():
		return nil, fault.New(fault.Invalid, string(BadArgument), "usageStartDate", "The usageStartDate is required.")
	case f.End.Before(f.Start):
		return nil, fault.New(fault.Invalid, string(BadArgument), "usageEndDate", "The usageEndDate lies before the usageStartDate.")
	case f.End.Sub(f.Start) > longestRange:
		return nil, fault.New(fault.Invalid, string(BadArgument), "usageEndDate", "The range may have 366 days at most.")
	}
	if f.Recon != "" && !slices.ContainsFunc(facts.recons, func(r Recon) bool { return strings.EqualFold(string(r), f.Recon) }) {
		return nil, fault.New(fault.Invalid, string(BadArgument), "reconStatus", "There is no reconStatus %s.", f.Recon)
	}
	if oldest := now.AddDate(0, -monthsBack, 0); f.Start.Before(oldest) {
		f.Start = oldest
	}
	if !f.Start.Before(f.End) {
		return nil, nil
	}
	owner := Owner{TenantID: caller.TenantID, AppID: caller.AppID}
	usages, err := s.deps.Store.Reported(ctx, owner, f.Start, f.End)
	if err != nil {
		return nil, fmt.Errorf("read usage back: %w", err)
	}
	return days(usages, f)
}

func days(usages []Usage, f Filter) ([]Day, error) {
	type group struct{ date, resource, dimension, plan string }
	sums := map[group]*Day{}
	for _, u := range usages {
		if !f.takes(u) {
			continue
		}
		quantity, err := u.Value()
		if err != nil {
			return nil, fmt.Errorf("usage event %s: %w", u.EventID, err)
		}
		date := u.Effective.UTC().Truncate(24 * time.Hour)
		at := group{date.Format(time.DateOnly), u.ResourceID, u.Dimension, u.PlanID}
		if sums[at] == nil {
			sums[at] = &Day{
				Date: date, ResourceID: u.ResourceID, Dimension: u.Dimension, PlanID: u.PlanID, OfferID: u.OfferID, Recon: Submitted,
			}
		}
		sums[at].Submitted = sums[at].Submitted.Add(quantity)
		sums[at].Count++
	}
	list := make([]Day, 0, len(sums))
	for _, d := range sums {
		list = append(list, *d)
	}
	slices.SortFunc(list, func(a, b Day) int {
		if c := a.Date.Compare(b.Date); c != 0 {
			return c
		}
		return strings.Compare(a.ResourceID+"\x00"+a.Dimension+"\x00"+a.PlanID, b.ResourceID+"\x00"+b.Dimension+"\x00"+b.PlanID)
	})
	return list, nil
}

// takes reports whether the filter selects the usage.
func (f Filter) takes(u Usage) bool {
	is := func(want, have string) bool { return want == "" || want == have }
	return is(f.Offer, u.OfferID) && is(f.Plan, u.PlanID) && is(f.Dimension, u.Dimension) &&
		(f.Recon == "" || strings.EqualFold(f.Recon, string(Submitted)))
}
