package subscription

import (
	"context"
	"fmt"

	"stoa/shared/account"
	"stoa/shared/fault"
)

// Suspend notes that a charge has failed: Suspended at once, the publisher is told, 30 days to pay (FUL-84,
// FUL-85). Conflict when the subscription is not Subscribed; a second failure does not restart the clock.
func (s *Service) Suspend(ctx context.Context, id string) (Operation, error) {
	sub, err := s.read(ctx, id)
	if err != nil {
		return Operation{}, err
	}
	var made Operation
	_, err = s.act(ctx, sub, func(d *decision) error {
		pending, err := s.pending(ctx, &d.sub)
		if err != nil {
			return err
		}
		made, err = d.suspend(pending)
		return err
	})
	return made, err
}

func (d *decision) suspend(pending *Operation) (Operation, error) {
	m, err := d.take(PaymentFailed)
	if err != nil {
		return Operation{}, err
	}
	d.supersede(pending, ReasonSuspended, "The subscription was suspended.")
	d.sub.SuspendedAt = d.now
	end := d.now.Add(graceTime)
	d.deadline(GraceEnd, fmt.Sprint(d.now.UnixNano()), end)
	if due := d.sub.DueTerms(d.now); len(due) > 0 { // it misses the one behind as well
		d.termEnds(due[len(due)-1])
	}
	d.mail("suspended", "Payment failed", "The payment for %s failed. It ends on %s unless it is paid.", d.sub.Name, end.Format(dayLayout))
	return d.done(m, FromAzure), nil
}

// Reinstate notes that what was due is paid: the publisher is asked to reinstate, until then the subscription
// stays Suspended (FUL-86). In profile current the publisher is only told. Conflict when it is not Suspended or
// a Reinstate is pending.
func (s *Service) Reinstate(ctx context.Context, id string) (Operation, error) {
	sub, err := s.read(ctx, id)
	if err != nil {
		return Operation{}, err
	}
	var made Operation
	_, err = s.act(ctx, sub, func(d *decision) error {
		made, err = d.reinstate()
		return err
	})
	return made, err
}

func (d *decision) reinstate() (Operation, error) {
	m, err := d.take(PaymentRecovered)
	if err != nil {
		return Operation{}, err
	}
	switch {
	case d.sub.PendingOp != "":
		return Operation{}, fault.New(fault.Conflict, CodeConflict, "", "The subscription is being reinstated: the operation %s is pending.", d.sub.PendingOp)
	case !d.now.Before(d.sub.SuspendedAt.Add(graceTime)):
		// FUL-87: the grace period is over, whether or not its deadline was worked yet.
		return Operation{}, fault.New(fault.Conflict, CodeConflict, "", "The grace period is over since %s.", stamp(d.sub.SuspendedAt.Add(graceTime)))
	case d.profile == Current:
		if _, err := d.take(AckSuccess); err != nil {
			return Operation{}, err
		}
		d.reinstated()
		return d.done(m, FromAzure), nil
	}
	o := d.operation(m.Operation, FromAzure)
	d.lock(&o)
	return o, nil
}

// SetAutoRenew switches renewal at the end of the term on or off, for who may change the subscription (FUL-89).
func (s *Service) SetAutoRenew(ctx context.Context, caller account.Caller, id string, on bool) error {
	sub, err := s.Bought(ctx, caller, id)
	if err != nil {
		return err
	}
	_, err = s.act(ctx, sub, func(d *decision) error {
		if err := mayChange(&d.sub, caller); err != nil {
			return err
		}
		if _, err := d.take(AutoRenewSet); err != nil {
			return err
		}
		if d.sub.AutoRenew == on {
			return errNothing
		}
		d.sub.AutoRenew = on
		return nil
	})
	return err
}
