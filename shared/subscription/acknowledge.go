package subscription

import (
	"context"
	"fmt"

	"stoa/shared/account"
	"stoa/shared/fault"
)

// OperationOf reads one operation of a subscription, whatever its action and status (FUL-66). NotFound.
func (s *Service) OperationOf(ctx context.Context, sub *Subscription, id string) (Operation, error) {
	sent := id
	if id = account.GUID(sent); id == "" {
		return Operation{}, unknownOperation(sub.ID, sent)
	}
	o, err := s.deps.Store.Operation(ctx, sub.ID, id)
	if fault.Is(err, fault.NotFound) {
		return o, unknownOperation(sub.ID, id).Because(err)
	}
	if err != nil {
		return o, fmt.Errorf("read operation %s of %s: %w", id, sub.ID, err)
	}
	return o, nil
}

// Outstanding lists the operations that wait for an acknowledgement: those in progress (FUL-65).
func (s *Service) Outstanding(ctx context.Context, sub *Subscription) ([]Operation, error) {
	o, err := s.pending(ctx, sub)
	if err != nil || o == nil || o.Status != InProgress || !o.Action.Patchable() {
		return nil, err
	}
	return []Operation{*o}, nil
}

// The statuses of an acknowledgement (FUL-68).
const (
	AckedSuccess = "Success"
	AckedFailure = "Failure"
)

// Acknowledge completes a pending operation as the publisher says (FUL-68 to FUL-72). Of the publisher and the
// deadline one wins (FUL-76).
func (s *Service) Acknowledge(ctx context.Context, sub Subscription, operationID, status string) error {
	var o Operation
	late := false
	_, err := s.act(ctx, sub, func(d *decision) error {
		var err error
		if o, err = s.OperationOf(ctx, &d.sub, operationID); err != nil {
			return err
		}
		late, err = d.acknowledge(&o, status)
		return err
	})
	if err == nil && late {
		return notPending(&o)
	}
	return err
}

func notPending(o *Operation) error {
	return fault.New(fault.Conflict, CodeConflict, "operationId", "The operation is not pending: expected the status %s, found %s.", InProgress, o.Status)
}

// acknowledge decides about a PATCH. Late ones complete the operation as its deadline does, when nobody did yet.
func (d *decision) acknowledge(o *Operation, status string) (late bool, err error) {
	switch {
	case status == "":
		return false, fault.New(fault.Invalid, CodeRequired, "status", "The status is required: expected %s or %s.", AckedSuccess, AckedFailure)
	case status != AckedSuccess && status != AckedFailure:
		return false, fault.New(fault.Invalid, CodeInvalid, "status", "The status must be %s or %s, found %q.", AckedSuccess, AckedFailure, clip(status))
	case !o.Action.Patchable(): // FUL-71
		return false, fault.New(fault.Invalid, CodeBadRequest, "operationId", "An operation %s is not acknowledged: expected %s, %s or %s.", o.Action, ActionChangePlan, ActionChangeQuantity, ActionReinstate)
	case o.Status != InProgress: // FUL-70, FUL-71
		return false, notPending(o)
	case d.ackOver(o):
		return true, d.succeed(o)
	case status == AckedSuccess:
		return false, d.succeed(o)
	}
	if o.Delivery.State != DeliveryAccepted {
		o.Delivery.State, o.Delivery.AcceptedAt = DeliveryAccepted, d.now
	}
	d.fail(o, ReasonRejected, "The publisher refused the change.")
	return false, nil
}

// ackOver reports whether the time to acknowledge has passed. At its last instant the first write wins.
func (d *decision) ackOver(o *Operation) bool {
	return !o.Delivery.AckBy.IsZero() && d.now.After(o.Delivery.AckBy)
}
