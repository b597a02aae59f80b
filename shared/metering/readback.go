package metering

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"stoa/shared/account"
	"stoa/shared/fault"
)

// Filter selects reported usage. Start is required; empty members select all (MTR-87).
type Filter struct {
	Start, End        time.Time // days of Start <= t < End; End zero: now
	Offer             string
	Plan              string
	Dimension         string
	AzureSubscription string // in any case of letters
	Recon             string // same
}

const (
	longestRange = 366 * 24 * time.Hour // MTR-89
	monthsBack   = 13                   // MTR-93
	maxDays      = 50_000               // rows of an answer; the contract has no pages
	day          = 24 * time.Hour
)

// Reported reads the daily usage of the offers whose metering identity the caller is, whoever reported it, by day,
// resource, dimension and plan, in this order (MTR-86). A day that the range touches is read as a whole. Invalid for
// a range that ends before it starts or is longer than 366 days, for an unknown status, and for more rows than one
// answer holds. What is older than 13 months is not read (MTR-93).
func (s *Service) Reported(ctx context.Context, caller account.Caller, f Filter) ([]Day, error) {
	r, err := f.read(s.deps.Now().UTC())
	if err != nil || !r.From.Before(r.Until) {
		return nil, err
	}
	offers, err := s.deps.Store.Offers(ctx, Owner{TenantID: caller.TenantID, AppID: caller.AppID})
	if err != nil {
		return nil, fmt.Errorf("read usage back: %w", err)
	}
	var days []Day
	for _, of := range offers {
		if f.Offer != "" && f.Offer != of.OfferID {
			continue
		}
		if yes, err := s.owns(ctx, caller, of); err != nil || !yes {
			if err != nil {
				return nil, fmt.Errorf("read usage back: %w", err)
			}
			continue
		}
		some, err := s.deps.Store.Days(ctx, of, r, maxDays-len(days))
		if err != nil {
			return nil, fmt.Errorf("read usage of %s back: %w", of.OfferID, err)
		}
		if days = append(days, some...); len(days) > maxDays {
			return nil, bad("usageStartDate", "There are more than %d rows in the range; ask for a shorter one or filter them.", maxDays)
		}
	}
	slices.SortFunc(days, compareDay)
	return days, nil
}

// owns reports whether the caller is the metering identity of the offer now: one that has been replaced reads
// nothing any more, and the new one reads everything.
func (s *Service) owns(ctx context.Context, caller account.Caller, of OfferRef) (bool, error) {
	owner, err := s.deps.Resources.Owner(ctx, of.PublisherID, of.OfferID)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	return owner.is(caller), err
}

// read checks a filter and makes it a range of days.
func (f Filter) read(now time.Time) (Range, error) {
	if f.End.IsZero() {
		f.End = now.Add(tolerance)
	}
	switch {
	case f.Start.IsZero():
		return Range{}, bad("usageStartDate", "The usageStartDate is required.")
	case f.End.Before(f.Start):
		return Range{}, bad("usageEndDate", "The usageEndDate lies before the usageStartDate.")
	case f.End.Sub(f.Start) > longestRange:
		return Range{}, bad("usageEndDate", "The range may have 366 days at most.")
	}
	r := Range{Dimension: f.Dimension, Plan: f.Plan, Azure: strings.ToLower(f.AzureSubscription)}
	if f.Recon != "" {
		i := slices.IndexFunc(facts.recons, func(r Recon) bool { return strings.EqualFold(string(r), f.Recon) })
		if i < 0 {
			return Range{}, bad("reconStatus", "There is no reconStatus %s.", f.Recon)
		}
		r.Recon = facts.recons[i]
	}
	if oldest := now.AddDate(0, -monthsBack, 0); f.Start.Before(oldest) {
		f.Start = oldest
	}
	r.From, r.Until = f.Start.UTC().Truncate(day), f.End.UTC().Add(day-1).Truncate(day)
	return r, nil
}

func bad(target, format string, args ...any) error {
	return fault.New(fault.Invalid, string(BadArgument), target, format, args...)
}

func compareDay(a, b Day) int {
	if c := a.Date.Compare(b.Date); c != 0 {
		return c
	}
	text := func(d Day) string {
		return strings.Join([]string{d.ResourceID, d.Dimension, d.PlanID, string(d.Session)}, "\x00")
	}
	return strings.Compare(text(a), text(b))
}
