package subscription

import (
	"context"
	"fmt"

	"stoa/shared/account"
	"stoa/shared/fault"
)

// PreviewChange is the subscription as it would be if the change were asked for and had succeeded now; nothing is
// written. It is refused like ChangeByBuyer (BIL-54).
func (s *Service) PreviewChange(ctx context.Context, caller account.Caller, id string, to Target) (Subscription, error) {
	if to.PlanID == "" == !to.Seats.Given { // FUL-46
		return Subscription{}, fault.New(fault.Invalid, CodeBadRequest, "", "Give exactly one of planId and quantity.")
	}
	sub, err := s.Bought(ctx, caller, id)
	if err != nil {
		return sub, err
	}
	if err := mayChange(&sub, caller); err != nil {
		return sub, err
	}
	v, err := s.offer(ctx, &sub)
	if err != nil {
		return sub, fmt.Errorf("read the offer of %s: %w", sub.ID, err)
	}
	d := s.decision(ctx, sub)
	o, err := d.change(to, FromAzure, available(&d.sub, &v))
	if err != nil {
		return sub, err
	}
	return d.sub, d.succeed(&o)
}
