package subscription

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

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

// namesOf are the ids of plans.
func namesOf(plans []offer.Plan) []string {
	ids := make([]string, len(plans))
	for i, p := range plans {
		ids[i] = p.ID
	}
	return ids
}

// invited reports whether the tenant is in the private audience of the plan.
func invited(p *offer.Plan, tenantID string) bool {
	return slices.ContainsFunc(p.PrivateAudience, func(t string) bool { return strings.EqualFold(t, tenantID) })
}

// AvailablePlans lists the plans a subscription may change to, and its current one. An unknown subscription has
// none, which is an error in profile current only (FUL-43, FUL-44).
func (s *Service) AvailablePlans(ctx context.Context, caller account.Caller, id string) (Available, error) {
	sub, err := s.Owned(ctx, caller, id)
	if fault.Is(err, fault.NotFound) && s.deps.Profile == Guide {
		return Available{}, nil
	}
	if err != nil {
		return Available{}, err
	}
	v, err := s.offer(ctx, &sub)
	if err != nil {
		return Available{}, fmt.Errorf("read the offer of %s: %w", sub.ID, err)
	}
	return Available{Plans: available(&sub, &v), Dimensions: v.Dimensions, Market: sub.Market}, nil
}

// Available are the plans a subscription may have, with what explains them.
type Available struct {
	Plans      []offer.Plan
	Dimensions []offer.Dimension // of the offer, which the meters of plans name
	Market     string            // of the subscription, whose prices count
}

// PriceIn is what one term (and seat) of a plan costs in a market, and in which currency.
func PriceIn(t offer.PlanTerm, market string) (decimal.Decimal, string) { return price(t, market) }

// SeatLimits are the fewest and the most seats of a plan per user.
func SeatLimits(p *offer.Plan) (low, high int) {
	low, high = max(p.SeatsMin, 1), MaxSeats
	if p.SeatsMax > 0 {
		high = min(p.SeatsMax, MaxSeats)
	}
	return low, high
}

// checkSeats is empty when the plan may have that many seats, else what is allowed.
func checkSeats(p *offer.Plan, seats int) string {
	low, high := SeatLimits(p)
	if seats < low || seats > high {
		return fmt.Sprintf("The plan %s has %d to %d seats, found %d.", p.ID, low, high, seats)
	}
	return ""
}
