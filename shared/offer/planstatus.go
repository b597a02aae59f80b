package offer

import (
	"context"

	"stoa/shared/fault"
)

// PlanStatus is the status of a plan (05 3.8, 06 5.3).
type PlanStatus string

// The plan statuses.
const (
	PlanDraft        PlanStatus = "Draft"
	PlanLive         PlanStatus = "Live"
	PlanPendingStop  PlanStatus = "PendingStopDistribution"
	PlanNotAvailable PlanStatus = "NotAvailable"
)

// Actions on a plan (SAS-47).
const (
	ActionDeleteDraft = "deleteDraft"
	ActionStop        = "stopDistribution"
	ActionResume      = "resumeDistribution"
	ActionSync        = "syncPrivateAudience"
)

// PlanStatus is the status of a plan of the draft. A stop waits in the draft until the offer goes live again
// (PUB-51).
func (o *Offer) PlanStatus(p Plan) PlanStatus {
	if o.Published == nil {
		return PlanDraft
	}
	was, ever := o.Published.Plans[p.ID]
	switch {
	case !ever:
		return PlanDraft
	case o.Withdrawn || was.Stopped:
		return PlanNotAvailable
	case p.Stopped || o.Status == StatusPendingStopDistribution:
		return PlanPendingStop
	}
	return PlanLive
}

// PlanActions are what can be done to a plan beside editing it (SAS-47).
func (o *Offer) PlanActions(p Plan) []string {
	switch o.PlanStatus(p) {
	case PlanDraft:
		return []string{ActionDeleteDraft}
	case PlanLive:
		if p.Private {
			return []string{ActionStop, ActionSync}
		}
		return []string{ActionStop}
	case PlanPendingStop:
		if o.Status != StatusPendingStopDistribution {
			return []string{ActionResume}
		}
	}
	return []string{}
}

// StopPlan asks to end the sale of a plan: it ends when the offer goes live the next time (PUB-51). Conflict for a
// plan that is not live, and for the last one that is sold (SAS-48).
func (s *Service) StopPlan(ctx context.Context, d DraftRef, id string) (Offer, error) {
	return s.markPlan(ctx, d, id, true)
}

// ResumePlan withdraws a stop that did not take effect yet, without publishing (PUB-52). Conflict for a plan of
// which none waits: one that is not available any more is updated and published.
func (s *Service) ResumePlan(ctx context.Context, d DraftRef, id string) (Offer, error) {
	return s.markPlan(ctx, d, id, false)
}

func (s *Service) markPlan(ctx context.Context, d DraftRef, id string, stopped bool) (Offer, error) {
	kind, wanted := PlanResumed, PlanPendingStop
	if stopped {
		kind, wanted = PlanStopInitiated, PlanLive
	}
	return s.edit(ctx, d, func(o *Offer) ([]Event, error) {
		p, ok := o.Plan(id)
		if !ok {
			return nil, fault.New(fault.NotFound, "NotFound", "planId", "The offer has no plan %s.", id)
		}
		if is := o.PlanStatus(p); is != wanted {
			return nil, fault.New(fault.Conflict, "InvalidPlanState", "planId", "The plan %s is %s, and not %s.", id, is, wanted)
		}
		if stopped && o.livePlans() < 2 {
			return nil, fault.New(fault.Conflict, "LastPlan", "planId", "It is the last plan that is sold: stop the distribution of the offer.")
		}
		now := s.Now()
		_, err := o.Edit(now, func(c *Content) error {
			for i := range c.Plans {
				if c.Plans[i].ID == id {
					c.Plans[i].Stopped = stopped
				}
			}
			return nil
		})
		return []Event{NewEvent(kind, d.By, p.Name, now)}, err
	})
}

func (o *Offer) livePlans() int {
	n := 0
	for _, p := range o.Plans {
		if o.PlanStatus(p) == PlanLive {
			n++
		}
	}
	return n
}
