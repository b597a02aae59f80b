package subscription

import (
	"context"
	"fmt"
	"slices"

	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/offer"
)

// Target is what a subscription is to become: another plan, or other seats.
type Target struct {
	PlanID string // empty when it was not given
	Seats  Seats
}

// Change asks for another plan or other seats for the publisher. The operation comes back as it was stored; it
// takes effect when the publisher acknowledges it (FUL-46 to FUL-56).
func (s *Service) Change(ctx context.Context, sub Subscription, to Target) (Operation, error) {
	return s.change(ctx, sub, to, FromPartner, func(sub *Subscription) error {
		if !slices.Contains(sub.Allowed(), OpUpdate) {
			return fault.New(fault.Invalid, CodeBadRequest, "allowedCustomerOperations", "Update is not allowed on the subscription, found %q.", sub.Allowed())
		}
		return nil
	})
}

// ChangeByBuyer asks for another plan or other seats for the customer or the reseller (FUL-56).
func (s *Service) ChangeByBuyer(ctx context.Context, caller account.Caller, id string, to Target) (Operation, error) {
	sub, err := s.Bought(ctx, caller, id)
	if err != nil {
		return Operation{}, err
	}
	return s.change(ctx, sub, to, FromAzure, func(sub *Subscription) error { return mayChange(sub, caller) })
}

func (s *Service) change(ctx context.Context, sub Subscription, to Target, source Source, allowed func(*Subscription) error) (Operation, error) {
	if to.PlanID == "" == !to.Seats.Given { // FUL-46
		found := "neither"
		if to.Seats.Given {
			found = "both"
		}
		return Operation{}, fault.New(fault.Invalid, CodeBadRequest, "subscriptionRequest", "Give exactly one of planId and quantity, found %s.", found)
	}
	var made Operation
	_, err := s.act(ctx, sub, func(d *decision) error {
		if err := allowed(&d.sub); err != nil {
			return err
		}
		v, err := s.offer(ctx, &d.sub)
		if err != nil {
			return fmt.Errorf("read the offer of %s: %w", d.sub.ID, err)
		}
		made, err = d.change(to, source, available(&d.sub, &v))
		return err
	})
	return made, err
}

func eventOf(to Target, source Source) Event {
	switch {
	case to.PlanID != "" && source == FromPartner:
		return ChangePlanByPublisher
	case to.PlanID != "":
		return ChangePlanByCustomer
	case source == FromPartner:
		return ChangeQuantityByPublisher
	}
	return ChangeQuantityByCustomer
}

// change makes the pending operation of a change.
func (d *decision) change(to Target, source Source, plans []offer.Plan) (Operation, error) {
	m, err := d.take(eventOf(to, source)) // FUL-47
	if err != nil {
		return Operation{}, err
	}
	if d.sub.PendingOp != "" { // FUL-54
		kind, code := fault.Invalid, CodeBadRequest
		if source == FromAzure {
			kind, code = fault.Conflict, CodeConflict
		}
		return Operation{}, fault.New(kind, code, "", "The subscription is locked due to pending operations: %s.", d.sub.PendingOp)
	}
	o := d.operation(m.Operation, source)
	if to.PlanID != "" {
		err = d.checkPlan(to.PlanID, plans, &o)
	} else {
		err = d.checkQuantity(to.Seats.Count, plans)
		o.Quantity = to.Seats.Count
	}
	if err != nil {
		return Operation{}, err
	}
	d.lock(&o)
	return o, nil
}

func planFault(format string, args ...any) error {
	return fault.New(fault.Invalid, CodeInvalid, "planId", format, args...)
}

// checkPlan refuses a plan the subscription may not change to, and notes what the new one costs (FUL-49, FUL-51,
// FUL-52).
func (d *decision) checkPlan(id string, plans []offer.Plan, o *Operation) error {
	i := slices.IndexFunc(plans, func(p offer.Plan) bool { return p.ID == id })
	switch {
	case id == d.sub.PlanID && d.sub.FreeTrial && o.Source == FromAzure: // SAS-54
		return fault.New(fault.Invalid, CodeTrialNotEnded, "planId", "The trial of the plan %s becomes paid when it ends; it cannot be ended early.", id)
	case id == d.sub.PlanID:
		return planFault("The subscription has the plan %s already.", id)
	case i < 0:
		return planFault("The plan must be one of listAvailablePlans: expected one of %s, found %q.", listed(namesOf(plans)), clip(id))
	}
	p := &plans[i]
	t, sold := p.Term(d.sub.TermUnit)
	if !sold {
		return planFault("The plan %s is not sold for the term of the subscription: expected one of %s, found %s.", id, listed(units(p)), d.sub.TermUnit)
	}
	if p.PricingModel == offer.PerUser {
		if why := checkSeats(p, d.sub.Quantity); why != "" {
			return planFault("The seats of the subscription do not fit: %s", why)
		}
	}
	o.PlanID, o.TrialPlan = id, p.FreeTrial
	o.UnitPrice = priceIn(t, d.sub.Market, d.sub.Currency, d.sub.UnitPrice)
	return nil
}

// checkQuantity refuses seats the current plan does not allow (FUL-50).
func (d *decision) checkQuantity(seats int, plans []offer.Plan) error {
	seatsFault := func(format string, args ...any) error {
		return fault.New(fault.Invalid, CodeInvalid, "quantity", format, args...)
	}
	i := slices.IndexFunc(plans, func(p offer.Plan) bool { return p.ID == d.sub.PlanID })
	switch {
	case !d.sub.PerSeat():
		return seatsFault("The plan %s is not sold per seat.", d.sub.PlanID)
	case i < 0:
		return seatsFault("The plan %s is no longer part of the offer.", d.sub.PlanID)
	case seats == d.sub.Quantity:
		return seatsFault("The subscription has %d seats already.", seats)
	}
	if why := checkSeats(&plans[i], seats); why != "" {
		return seatsFault("%s", why)
	}
	return nil
}

// start takes a NotStarted operation into its webhook phase, or ends it when it no longer makes sense (5.2).
func (d *decision) start(o *Operation, plans []offer.Plan) {
	switch {
	case o.Action == ActionChangePlan && o.PlanID == d.sub.PlanID, o.Action == ActionChangeQuantity && o.Quantity == d.sub.Quantity:
		o.end(Conflict, d.now, "", "")
		o.Delivery.State = DeliverySuperseded
		d.unlock(o)
		return
	case o.Action.change():
		if err := d.stillValid(*o, plans); err != nil {
			o.Delivery.State = DeliverySuperseded
			d.fail(o, ReasonInvalid, "The change is no longer possible.")
			return
		}
	}
	o.Status = InProgress
	o.Delivery.FirstAt = d.now
	d.ops = append(d.ops, *o)
}

func (d *decision) stillValid(o Operation, plans []offer.Plan) error {
	switch {
	case d.sub.Status != Subscribed:
		return errNothing
	case o.Action == ActionChangePlan:
		return d.checkPlan(o.PlanID, plans, &o)
	}
	return d.checkQuantity(o.Quantity, plans)
}
