package subscription

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/offer"
)

// MaxSeats is the most seats of a subscription (FUL-50).
const MaxSeats = 1_000_000

// available lists the plans the beneficiary may have: the current one always, and those that are sold, in the
// market, and public or for the beneficiary's tenant (FUL-43, FUL-45).
func available(sub *Subscription, v *offer.Version) []offer.Plan {
	var plans []offer.Plan
	for _, p := range v.Plans {
		open := !p.Stopped && slices.Contains(p.Markets, sub.Market) && (!p.Private || !sub.CSP && invited(&p, sub.Beneficiary.TenantID))
		if open || p.ID == sub.PlanID {
			plans = append(plans, p)
		}
	}
	return plans
}

// invited reports whether the tenant is in the private audience of the plan.
func invited(p *offer.Plan, tenantID string) bool {
	return slices.ContainsFunc(p.PrivateAudience, func(t string) bool { return strings.EqualFold(t, tenantID) })
}

// AvailablePlans lists the plans a subscription may change to, and its current one. An unknown subscription has
// none, which is an error in profile current only (FUL-43, FUL-44).
func (s *Service) AvailablePlans(ctx context.Context, caller account.Caller, id string) ([]offer.Plan, error) {
	sub, err := s.Owned(ctx, caller, id)
	if fault.Is(err, fault.NotFound) && s.deps.Profile == Guide {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	v, err := s.offer(ctx, &sub)
	if err != nil {
		return nil, fmt.Errorf("read the offer of %s: %w", sub.ID, err)
	}
	return available(&sub, &v), nil
}

// checkSeats is empty when the plan may have that many seats, else what is allowed.
func checkSeats(p *offer.Plan, seats int) string {
	low, high := max(p.SeatsMin, 1), MaxSeats
	if p.SeatsMax > 0 {
		high = min(p.SeatsMax, MaxSeats)
	}
	if seats < low || seats > high {
		return fmt.Sprintf("The plan %s has %d to %d seats.", p.ID, low, high)
	}
	return ""
}
