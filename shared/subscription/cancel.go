package subscription

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"stoa/shared/account"
	"stoa/shared/fault"
)

// Cancel ends a subscription for its publisher, at once. The operation that was made comes back; without an id
// the subscription had ended before (FUL-59, FUL-60).
func (s *Service) Cancel(ctx context.Context, sub Subscription) (Operation, error) {
	return s.cancel(ctx, sub, CancelByPublisher, FromPartner, func(sub *Subscription) error {
		if !slices.Contains(sub.Allowed(), OpDelete) {
			return fault.New(fault.Invalid, CodeBadRequest, "allowedCustomerOperations", "Delete is not allowed on the subscription, found %q.", sub.Allowed())
		}
		return nil
	})
}

// CancelByBuyer ends a subscription for the customer or the reseller who bought it.
func (s *Service) CancelByBuyer(ctx context.Context, caller account.Caller, id string) (Operation, error) {
	sub, err := s.Bought(ctx, caller, id)
	if err != nil {
		return Operation{}, err
	}
	return s.cancel(ctx, sub, CancelByCustomer, FromAzure, func(sub *Subscription) error { return mayChange(sub, caller) })
}

func (s *Service) cancel(ctx context.Context, sub Subscription, e Event, source Source, allowed func(*Subscription) error) (Operation, error) {
	var made Operation
	_, err := s.act(ctx, sub, func(d *decision) error {
		made = Operation{}
		if err := allowed(&d.sub); err != nil {
			return err
		}
		pending, err := s.pending(ctx, &d.sub)
		if err != nil {
			return err
		}
		made, err = d.unsubscribe(e, source, pending)
		return err
	})
	return made, err
}

// unsubscribe ends the subscription for good (FUL-62), with what was pending (FUL-63).
func (d *decision) unsubscribe(e Event, source Source, pending *Operation) (Operation, error) {
	before := d.sub.Status
	m, err := d.take(e)
	if err != nil {
		return Operation{}, err
	}
	if before == Unsubscribed {
		return Operation{}, errNothing // FUL-60: neither operation nor webhook
	}
	d.supersede(pending, ReasonCancelled, "The subscription was cancelled.")
	d.sub.EndedAt = d.now
	if !d.sub.ActivatedAt.IsZero() {
		d.waive()
		d.endUsage()
	}
	d.mail("cancelled", "Your subscription has ended", "Your subscription %s has ended.", d.sub.Name)
	if m.Operation == "" {
		return Operation{}, nil
	}
	return d.done(m, source), nil
}

// waive notes that nothing is charged: the end came within the free window, counted from the instant of
// activation, limits included (FUL-61). The ledger is told of the running term once more.
func (d *decision) waive() {
	if d.now.Sub(d.sub.ActivatedAt) > d.freeWindow() {
		return
	}
	d.sub.Waived = true
	if t, ok := d.sub.CurrentTerm(); ok && !t.Trial {
		d.chargeTerm(t.Number, ":waived")
	}
}

func (d *decision) freeWindow() time.Duration {
	switch {
	case d.profile == Current:
		return freeCurrent
	case d.sub.TermUnit == Annual:
		return freeAnnual
	}
	return freeMonthly
}

// errForeign says that the caller has no part in the subscription.
var errForeign = errors.New("neither purchaser nor beneficiary")

// Bought reads a subscription for a person who has a part in it: the purchaser or beneficiary, or anybody of a
// reseller's tenant. Forbidden for others (FUL-20).
func (s *Service) Bought(ctx context.Context, caller account.Caller, id string) (Subscription, error) {
	sub, err := s.read(ctx, id)
	if err != nil {
		return sub, err
	}
	if !concerns(&sub, caller) {
		return sub, forbidden("The claims tid and oid of the token are neither those of the purchaser nor those of the beneficiary: found tid %q, oid %q.",
			clip(caller.TenantID), clip(caller.ObjectID)).Because(errForeign)
	}
	return sub, nil
}

func concerns(sub *Subscription, caller account.Caller) bool {
	return isPurchaser(sub, caller) || isParty(sub.Beneficiary, caller)
}

func isPurchaser(sub *Subscription, caller account.Caller) bool {
	return isParty(sub.Purchaser, caller) || sub.CSP && caller.TenantID != "" && strings.EqualFold(sub.Purchaser.TenantID, caller.TenantID)
}

func isParty(p Party, caller account.Caller) bool {
	return caller.TenantID != "" && caller.ObjectID != "" && strings.EqualFold(p.TenantID, caller.TenantID) && strings.EqualFold(p.ObjectID, caller.ObjectID)
}

// mayChange is nil for who may change and cancel: of a reseller's purchase the reseller only (FUL-42).
func mayChange(sub *Subscription, caller account.Caller) error {
	if sub.CSP && !isPurchaser(sub, caller) {
		return forbidden("Only the reseller who bought the subscription changes it: the claim tid of the token is not the reseller's, found %q.", clip(caller.TenantID))
	}
	return nil
}

// ListBought gives a page of the subscriptions the person has a part in, and where the next one begins.
func (s *Service) ListBought(ctx context.Context, caller account.Caller, after string) ([]Subscription, string, error) {
	read := func(after string) ([]Subscription, error) {
		return s.deps.Store.OfTenant(ctx, strings.ToLower(caller.TenantID), after, pageSize+1)
	}
	return page(after, read, (*Subscription).Position, func(sub *Subscription) (bool, error) { return concerns(sub, caller), nil })
}
