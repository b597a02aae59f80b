package subscription

import (
	"context"

	"stoa/shared/fault"
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
		if d.sub.Preview { // before it is saved: the repeat of a call that died in between is refused
			if err := s.deps.Store.NotePreviewCall(ctx, d.sub, PreviewActivate); err != nil {
				return err
			}
		}
		days, err := s.trial(ctx, d)
		if err != nil {
			return err
		}
		return d.activate(days)
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
		f.Add(CodeRequired, "planId", "The planId is required: expected that of the purchase, %q.", d.sub.PlanID)
	default:
		f.Add(CodeInvalid, "planId", "The planId must be that of the purchase: expected %q, found %q.", d.sub.PlanID, clip(in.PlanID))
	}
	switch {
	case !in.Seats.Given:
	case !d.sub.PerSeat():
		f.Add(CodeInvalid, "quantity", "The plan %s is not sold per seat: expected no quantity, found %d.", d.sub.PlanID, in.Seats.Count)
	case in.Seats.Count != d.sub.Quantity:
		f.Add(CodeInvalid, "quantity", "The quantity must be that of the purchase: expected %d, found %d.", d.sub.Quantity, in.Seats.Count)
	}
	return f.Err(fault.Invalid, CodeBadRequest, "One or more errors have occurred.")
}

func (d *decision) activate(days int) error {
	if _, err := d.take(Activate); err != nil {
		return err
	}
	d.sub.ActivatedAt = d.now
	d.sub.anchorAt(d.now)
	d.span()
	if days == noTrial {
		d.beginTerm(false)
	} else {
		d.beginTrial(days)
	}
	return nil
}
