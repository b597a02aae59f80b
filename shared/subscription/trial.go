package subscription

import (
	"context"
	"fmt"
	"slices"
	"time"

	"stoa/shared/fault"
	"stoa/shared/offer"
)

// How long a free trial lasts; another number is what is left of a stopped one, in days (5.5).
const (
	noTrial    = 0
	wholeTrial = -1 // one month
)

// maxHeirs bounds how many stopped trials of a tenant on an offer are followed.
const maxHeirs = 100

// trial says how long a trial the subscription starts with (5.5). On an offer with trials the first activation of
// a tenant decides, and leaves a claim before the act, so that a repeated act meets its own. What a stopped trial
// left goes to the next subscription that asks for it; after a paid term there is nothing left (SAS-55).
func (s *Service) trial(ctx context.Context, d *decision) (int, error) {
	v, err := s.offer(ctx, &d.sub)
	if err != nil {
		return noTrial, fmt.Errorf("read the offer of %s: %w", d.sub.ID, err)
	}
	if !slices.ContainsFunc(v.Plans, func(p offer.Plan) bool { return p.FreeTrial }) {
		return noTrial, nil
	}
	claim, err := s.deps.Store.ClaimTrial(ctx, TrialClaim{
		TenantID: d.sub.Beneficiary.TenantID, PublisherID: d.sub.PublisherID, OfferID: d.sub.OfferID,
		SubscriptionID: d.sub.ID, At: d.now,
	})
	if err != nil {
		return noTrial, fmt.Errorf("claim the trial of %s: %w", d.sub.ID, err)
	}
	if !d.sub.TrialPlan {
		return noTrial, nil
	}
	days, err := s.inherit(ctx, claim.SubscriptionID, d.sub.ID)
	if err != nil || days == noTrial {
		return noTrial, err
	}
	if paid, err := s.paid(ctx, &d.sub, d.now.Add(-skew)); err != nil || paid {
		return noTrial, err
	}
	return days, nil
}

// inherit follows the stopped trials from the first one on to the subscription, which is made the heir of the last.
// It says how many days are left.
func (s *Service) inherit(ctx context.Context, first, heir string) (int, error) {
	days := wholeTrial
	for id, steps := first, 0; id != heir; steps++ {
		if steps == maxHeirs {
			return noTrial, nil
		}
		holder, err := s.deps.Store.Subscription(ctx, id)
		if err != nil {
			return noTrial, fmt.Errorf("read the holder %s of a trial: %w", id, err)
		}
		left := holder.trialLeft(days)
		if left == noTrial {
			return noTrial, nil
		}
		if holder.TrialHeir == "" {
			holder.TrialHeir = heir
			err := s.deps.Store.Save(ctx, Change{Subscription: holder})
			if fault.Is(err, fault.StaleETag) {
				continue // read it again: another subscription may be its heir by now
			}
			if err != nil {
				return noTrial, fmt.Errorf("inherit the trial of %s: %w", id, err)
			}
		}
		id, days = holder.TrialHeir, left
	}
	return days, nil
}

// trialLeft is what the subscription leaves of a trial that it was entitled to: nothing while it may still use it
// and once it has paid, all when it never began, else the days that were not begun.
func (s *Subscription) trialLeft(entitled int) int {
	switch {
	case s.Status != Unsubscribed || s.lastPaid() > 0:
		return noTrial
	case len(s.Terms) == 0:
		return entitled
	}
	unused := parseDay(s.Terms[0].EndDate).Sub(day(s.EndedAt)) / (24 * time.Hour)
	return max(int(unused), noTrial)
}

// paid reports whether the beneficiary's tenant has had a paid term on the offer in a subscription that was activated
// before (SAS-55). Of those that are activated together the claim decides.
func (s *Service) paid(ctx context.Context, sub *Subscription, before time.Time) (bool, error) {
	for after := ""; ; {
		subs, err := s.deps.Store.OfTenant(ctx, sub.Beneficiary.TenantID, after, pageSize)
		if err != nil {
			return false, fmt.Errorf("list the subscriptions of tenant %s: %w", sub.Beneficiary.TenantID, err)
		}
		for i := range subs {
			o := &subs[i]
			same := o.PublisherID == sub.PublisherID && o.OfferID == sub.OfferID && o.Beneficiary.TenantID == sub.Beneficiary.TenantID
			if same && o.ID != sub.ID && o.lastPaid() > 0 && o.ActivatedAt.Before(before) {
				return true, nil
			}
			after = o.Position()
		}
		if len(subs) < pageSize {
			return false, nil
		}
	}
}

// beginTrial begins a trial of a month, or of the days that are left (FUL-34). The paid terms are counted from its
// first day, or behind a rest from the day after it.
func (d *decision) beginTrial(days int) {
	if days == wholeTrial {
		d.beginTerm(true)
		return
	}
	start := day(d.now)
	next := start.AddDate(0, 0, days)
	d.sub.anchorAt(next)
	d.appendTerm(start, next.AddDate(0, 0, -1), true)
}
