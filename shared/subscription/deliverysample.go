package subscription

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"stoa/shared/fault"
	"stoa/shared/offer"
)

// actions are the events of the webhook, as the contract lists them.
var actions = []Action{ActionChangePlan, ActionChangeQuantity, ActionRenew, ActionSuspend, ActionUnsubscribe, ActionReinstate}

// The slots of an offer a sample can be sent to.
const (
	SlotLive    = "live"
	SlotPreview = "preview"
)

// WebhookTest asks for a sample of a webhook call.
type WebhookTest struct {
	PublisherID string
	OfferID     string
	PlanID      string // empty takes the first plan that fits the action
	Action      Action
	Slot        string // SlotLive or SlotPreview; empty takes what is live, or the preview of an offer that is not live
}

// Test sends a sample of an action to the webhook of an offer: signed and written like a real call, of a
// subscription and an operation that do not exist. Invalid names what is wrong; NotFound when the offer is not in
// the slot; Conflict when it has no webhook; Throttled when the receiver has as many calls as it may have.
func (l *Deliveries) Test(ctx context.Context, t WebhookTest) (DeliveryAttempt, error) {
	if err := t.check(); err != nil {
		return DeliveryAttempt{}, err
	}
	v, err := l.slot(ctx, t)
	if err != nil {
		return DeliveryAttempt{}, err
	}
	p, err := t.plan(&v)
	if err != nil {
		return DeliveryAttempt{}, err
	}
	s := l.service
	now := s.deps.Now().UTC()
	d := s.decision(ctx, Subscription{
		ID: NewID(v.PublisherID, now, s.deps.NewID()), Name: "Webhook test", PublisherID: v.PublisherID, OfferID: v.OfferID,
		PlanID: p.ID, Preview: v.Slot == offer.Preview, TermUnit: Monthly, AutoRenew: true, Status: Subscribed,
		Beneficiary: s.sampleParty(&v), Purchaser: s.sampleParty(&v), CreatedAt: now, ChangedAt: now, ActivatedAt: now,
	})
	if len(p.Terms) > 0 {
		d.sub.TermUnit = p.Terms[0].Unit
	}
	if p.PricingModel == offer.PerUser {
		d.sub.Quantity = max(p.SeatsMin, 1)
	}
	d.sub.anchorAt(now)
	d.beginTerm(false) // its messages are dropped with the decision
	o := d.sampleOperation(t.Action, &p, &v)
	return l.once(ctx, DeliveryTest, sample{version: v, sub: d.sub, op: o})
}

// sampleOperation is an operation of the action. A change asks for what the plan or the seats are not yet; what is
// called for after the fact finds the subscription as it is then.
func (d *decision) sampleOperation(a Action, p *offer.Plan, v *offer.Version) Operation {
	o := d.operation(a, FromAzure)
	switch a {
	case ActionChangePlan: // the plan that is asked for is the one of the operation
		i := slices.IndexFunc(v.Plans, func(other offer.Plan) bool { return other.ID != p.ID })
		if i >= 0 {
			d.sub.PlanID = v.Plans[i].ID
		}
	case ActionChangeQuantity:
		o.Quantity = d.sub.Quantity + 1
		if p.SeatsMax > 0 && o.Quantity > p.SeatsMax {
			d.sub.Quantity, o.Quantity = max(d.sub.Quantity-1, 1), d.sub.Quantity
		}
	case ActionSuspend:
		d.sub.Status = Suspended
	case ActionUnsubscribe:
		d.sub.Status = Unsubscribed
	case ActionReinstate:
		if d.profile == Guide {
			d.sub.Status = Suspended
		}
	}
	return o
}

// sampleParty is nobody in the directory of the offer.
func (s *Service) sampleParty(v *offer.Version) Party {
	id := s.deps.NewID()
	return Party{EmailID: "customer@example.com", ObjectID: id, TenantID: v.Technical.TenantID, PID: id}
}

// check finds what is wrong with the request itself.
func (t *WebhookTest) check() error {
	var found fault.Findings
	if t.OfferID == "" {
		found.Add(CodeRequired, "offerId", "The offerId is required: the id of one of the publisher's SaaS offers.")
	}
	switch names := listed(actions); {
	case t.Action == "":
		found.Add(CodeRequired, "action", "The action is required: one of %s.", names)
	case !slices.Contains(actions, t.Action):
		found.Add(CodeInvalid, "action", "The action must be one of %s, found %q.", names, clip(string(t.Action)))
	}
	if t.Slot != "" && t.Slot != SlotLive && t.Slot != SlotPreview {
		found.Add(CodeInvalid, "slot", "The slot must be %s or %s, found %q.", SlotLive, SlotPreview, clip(t.Slot))
	}
	return found.Err(fault.Invalid, CodeBadRequest, "The request has several errors.")
}

// slot reads the version the sample is of.
func (l *Deliveries) slot(ctx context.Context, t WebhookTest) (offer.Version, error) {
	reads := []func(context.Context, string, string) (offer.Version, error){l.service.offers.Live, l.service.offers.InPreview}
	where := "live or in preview"
	switch t.Slot {
	case SlotLive:
		reads, where = reads[:1], "live"
	case SlotPreview:
		reads, where = reads[1:], "in preview"
	}
	for _, read := range reads {
		v, err := read(ctx, t.PublisherID, t.OfferID)
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return v, fmt.Errorf("read offer %s of %s: %w", t.OfferID, t.PublisherID, err)
		}
		if v.Technical.ConnectionWebhook == "" {
			return v, fault.New(fault.Conflict, "NoWebhook", "offerId", "The offer %s has no connection webhook: it is not sold through the marketplace.", t.OfferID)
		}
		return v, nil
	}
	return offer.Version{}, fault.New(fault.NotFound, "NotFound", "offerId", "The publisher has no offer %s that is %s.", t.OfferID, where)
}

// plan is the plan the sample is of.
func (t *WebhookTest) plan(v *offer.Version) (offer.Plan, error) {
	fits := slices.Clone(v.Plans)
	if t.Action == ActionChangeQuantity { // FUL-50
		fits = slices.DeleteFunc(fits, func(p offer.Plan) bool { return p.PricingModel != offer.PerUser })
	}
	if len(fits) == 0 {
		return offer.Plan{}, fault.New(fault.Conflict, "NoPlan", "action", "The offer %s has no plan that a %s can happen to.", t.OfferID, t.Action)
	}
	if t.PlanID == "" {
		return fits[0], nil
	}
	i := slices.IndexFunc(fits, func(p offer.Plan) bool { return p.ID == t.PlanID })
	if i < 0 {
		return offer.Plan{}, fault.New(fault.Invalid, CodeInvalid, "planId", "The planId must be one of the offer's plans that a %s can happen to: expected one of %s, found %q.",
			t.Action, listed(namesOf(fits)), clip(t.PlanID))
	}
	return fits[i], nil
}

const named = 20 // values that a message names at most

// listed writes allowed values for a message.
func listed[T ~string](values []T) string {
	var b strings.Builder
	for i, v := range values {
		switch {
		case i == named:
			b.WriteString(", …")
			return b.String()
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(string(v))
	}
	return b.String()
}
