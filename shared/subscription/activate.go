package subscription

import (
	"context"
	"fmt"
	"slices"

	"stoa/shared/fault"
	"stoa/shared/offer"
)

// Seats is a quantity as a caller gave it.
type Seats struct {
	Given bool
	Count int
}

// Activation is what a publisher activates: it must be what was bought.
type Activation struct {
	PlanID string // empty when it was not given
	Seats  Seats
}

// Activate starts a purchased subscription and its first term. Invalid for another plan or quantity and in the
// wrong state, NotFound when it is cancelled (FUL-27 to FUL-34). Of two at once, one wins (FUL-31).
func (s *Service) Activate(ctx context.Context, sub Subscription, in Activation) error {
	_, err := s.act(ctx, sub, func(d *decision) error {
		if err := d.mayActivate(in); err != nil {
			return err
		}
		trial, err := s.trial(ctx, d)
		if err != nil {
			return err
		}
		return d.activate(trial)
	})
	return err
}

// mayActivate checks state and body (FUL-28 to FUL-30).
func (d *decision) mayActivate(in Activation) error {
	if _, err := step(d.sub.Status, Activate); err != nil {
		return err
	}
	var f fault.Findings
	switch in.PlanID {
	case d.sub.PlanID:
	case "":
		f.Add(CodeRequired, "planId", "The planId is required.")
	default:
		f.Add(CodeInvalid, "planId", "The planId must be that of the purchase, %s.", d.sub.PlanID)
	}
	if in.Seats.Given && (!d.sub.PerSeat() || in.Seats.Count != d.sub.Quantity) {
		f.Add(CodeInvalid, "quantity", "The quantity must be that of the purchase.")
	}
	return f.Err(fault.Invalid, CodeBadRequest, "One or more errors have occurred.")
}

// trial reports whether the subscription starts with a free trial. On an offer with trials the first activation
// of a tenant decides, and leaves a claim before the act, so that a repeated act meets its own (5.5).
func (s *Service) trial(ctx context.Context, d *decision) (bool, error) {
	v, err := s.offer(ctx, &d.sub)
	if err != nil {
		return false, fmt.Errorf("read the offer of %s: %w", d.sub.ID, err)
	}
	if !slices.ContainsFunc(v.Plans, func(p offer.Plan) bool { return p.FreeTrial }) {
		return false, nil
	}
	claim, err := s.deps.Store.ClaimTrial(ctx, TrialClaim{
		TenantID: d.sub.Beneficiary.TenantID, PublisherID: d.sub.PublisherID, OfferID: d.sub.OfferID,
		SubscriptionID: d.sub.ID, At: d.now,
	})
	if err != nil {
		return false, fmt.Errorf("claim the trial of %s: %w", d.sub.ID, err)
	}
	return d.sub.TrialPlan && claim.SubscriptionID == d.sub.ID, nil
}

func (d *decision) activate(trial bool) error {
	if _, err := d.take(Activate); err != nil {
		return err
	}
	d.sub.ActivatedAt = d.now
	d.sub.anchorAt(d.now)
	d.span()
	d.beginTerm(trial)
	return nil
}
