package subscription

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/offer"
)

// StorePartnerCenter is where resellers buy for their customers: a purchase there is a CSP purchase (FUL-42).
const StorePartnerCenter = "PartnerCenter"

// StoreAppSource takes credit cards only (SAS-51).
const StoreAppSource = "AppSource"

const card = "card"

// stores are where plans are bought.
var stores = []string{"AzureMarketplace", "AzurePortal", StoreAppSource, "AdminCenter", StorePartnerCenter}

const maxName = 200 // characters of a subscription's name

// Order is what a customer or reseller buys (6.16).
type Order struct {
	Key           string // idempotency key: the same order again meets the first; may be empty
	Buyer         account.Caller
	PublisherID   string
	OfferID       string
	PlanID        string
	TermUnit      string
	Seats         Seats
	Market        string
	Store         string // empty takes AzureMarketplace
	Name          string
	Beneficiary   *Party // nil is the buyer
	PaymentMethod string
	AcceptedTerms []string // ids of documents, as Terms lists them; what was accepted before need not be named
	AutoRenew     bool
}

// Purchase makes a subscription that waits for its activation (FUL-14, FUL-15). The publisher is not told
// (FUL-17). Invalid with findings, NotFound for what the buyer may not see, Conflict for a key that was used for
// another order.
func (s *Service) Purchase(ctx context.Context, in Order) (Subscription, error) {
	if err := in.check(); err != nil {
		return Subscription{}, err
	}
	key := in.key()
	if key != "" { // a repeated order is answered whatever became of the offer
		if first, err := s.ordered(ctx, &in, key); !fault.Is(err, fault.NotFound) {
			return first, err
		}
	}
	v, plan, err := s.offered(ctx, &in)
	if err != nil {
		return Subscription{}, err
	}
	term, err := s.possible(ctx, &in, &v, &plan)
	if err != nil {
		return Subscription{}, err
	}
	id := NewID(in.PublisherID, s.deps.Now(), account.GUID(s.deps.NewID()))
	if key != "" {
		stands, err := s.deps.Store.ClaimOrder(ctx, key, id)
		if err != nil {
			return Subscription{}, fmt.Errorf("purchase %s of %s: %w", in.PlanID, in.OfferID, err)
		}
		if stands != id {
			if first, err := s.repeated(ctx, &in, stands); !fault.Is(err, fault.NotFound) {
				return first, err
			}
			id = stands
		}
	}
	d := s.decision(ctx, in.subscription(id, v, plan))
	d.sub.UnitPrice, d.sub.Currency = price(term, in.Market)
	d.purchased(s.deps.PendingLife)
	change := d.finish()
	err = s.deps.Store.Create(ctx, change.Subscription, change.Messages...)
	if fault.Is(err, fault.Conflict) && key != "" {
		return s.repeated(ctx, &in, id)
	}
	if err != nil {
		return Subscription{}, fmt.Errorf("purchase %s of %s: %w", in.PlanID, in.OfferID, err)
	}
	return change.Subscription, nil
}

// check finds what is wrong with an order whatever the offer says.
func (in *Order) check() error {
	var f fault.Findings
	for _, field := range []struct{ target, value string }{
		{"publisherId", in.PublisherID}, {"offerId", in.OfferID}, {"planId", in.PlanID}, {"termUnit", in.TermUnit},
		{"market", in.Market}, {"subscriptionName", in.Name}, {"payment.method", in.PaymentMethod},
	} {
		if strings.TrimSpace(field.value) == "" {
			f.Add(CodeRequired, field.target, "The %s is required.", field.target)
		}
	}
	if len([]rune(in.Name)) > maxName {
		f.Add(CodeInvalid, "subscriptionName", "The name may have %d characters at most, found %d.", maxName, len([]rune(in.Name)))
	}
	if in.Store != "" && !slices.Contains(stores, in.Store) {
		f.Add(CodeInvalid, "store", "The store must be one of %s, found %q.", strings.Join(stores, ", "), clip(in.Store))
	}
	if in.Store == StoreAppSource && in.PaymentMethod != "" && !strings.EqualFold(in.PaymentMethod, card) { // SAS-51
		f.Add(CodePayment, "payment.method", "%s takes %q only, found %q.", StoreAppSource, card, clip(in.PaymentMethod))
	}
	if in.csp() && in.Beneficiary == nil {
		f.Add(CodeRequired, "beneficiary", "A reseller names the customer.")
	}
	if in.Beneficiary != nil && account.GUID(in.Beneficiary.TenantID) == "" {
		f.Add(CodeInvalid, "beneficiary.tenantId", "The tenant must be a GUID, found %q.", clip(in.Beneficiary.TenantID))
	}
	if in.Beneficiary != nil && in.Beneficiary.ObjectID != "" && account.GUID(in.Beneficiary.ObjectID) == "" {
		f.Add(CodeInvalid, "beneficiary.objectId", "The person must be a GUID, found %q.", clip(in.Beneficiary.ObjectID))
	}
	return f.Err(fault.Invalid, CodeBadRequest, "The purchase is not possible as it stands.")
}

func (in *Order) csp() bool { return in.Store == StorePartnerCenter }

func (in *Order) purchaser() Party {
	return Party{EmailID: in.Buyer.UPN, ObjectID: in.Buyer.ObjectID, TenantID: strings.ToLower(in.Buyer.TenantID), PID: in.Buyer.ObjectID}
}

func (in *Order) beneficiary() Party {
	if in.Beneficiary == nil {
		return in.purchaser()
	}
	p := *in.Beneficiary
	p.TenantID, p.ObjectID = strings.ToLower(p.TenantID), strings.ToLower(p.ObjectID)
	if p.PID == "" {
		p.PID = p.ObjectID
	}
	return p
}

// invisible refuses what is not on sale, or not for this buyer, who is not told which.
func invisible(target, value string) error {
	return fault.New(fault.NotFound, CodeNotFound, target, "There is nothing on sale by this name, found %q.", clip(value))
}

// offered finds the plan in what is live, or else in the preview for its audience, who sees private plans as well
// (FUL-15, SAS-28). What the buyer may not see is not there. Without a plan, any that the buyer sees will do.
func (s *Service) offered(ctx context.Context, in *Order) (offer.Version, offer.Plan, error) {
	unseen, value := "offerId", in.OfferID
	for _, read := range []func(context.Context, string, string) (offer.Version, error){s.offers.Live, s.offers.InPreview} {
		v, err := read(ctx, in.PublisherID, in.OfferID)
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return v, offer.Plan{}, fmt.Errorf("read offer %s: %w", in.OfferID, err)
		}
		preview := v.Slot == offer.Preview
		if preview && !slices.ContainsFunc(v.PreviewAudience, func(upn string) bool {
			return in.Buyer.UPN != "" && strings.EqualFold(upn, in.Buyer.UPN)
		}) {
			continue
		}
		if v.OfferType != offer.TypeSaaS || v.ListingOption != offer.SellThroughMicrosoft {
			return v, offer.Plan{}, fault.New(fault.Invalid, CodeInvalid, "offerId", "The offer is not sold here: expected the listing option %s of a %s offer, found %q of %q.",
				offer.SellThroughMicrosoft, offer.TypeSaaS, v.ListingOption, v.OfferType)
		}
		i := slices.IndexFunc(v.Plans, func(p offer.Plan) bool {
			return (in.PlanID == "" || in.PlanID == p.ID) && (preview || !p.Private || invited(&p, in.beneficiary().TenantID))
		})
		if i >= 0 {
			return v, v.Plans[i], nil
		}
		if in.PlanID != "" {
			unseen, value = "planId", in.PlanID
		}
	}
	return offer.Version{}, offer.Plan{}, invisible(unseen, value)
}

// possible finds what stands against a purchase, and remembers what the order accepts when nothing does (FUL-15,
// SAS-19). It answers the term of the plan that is bought.
func (s *Service) possible(ctx context.Context, in *Order, v *offer.Version, p *offer.Plan) (offer.PlanTerm, error) {
	term, f := in.checkPlan(p)
	missing, err := s.unaccepted(ctx, in, v)
	if err != nil {
		return term, err
	}
	if len(missing) > 0 {
		f.Add(CodeTermsNotAccepted, "acceptedTerms", "The terms must be accepted before the purchase: expected %s, found %s.",
			listed(missing), accepted(in.AcceptedTerms))
	}
	if err := f.Err(fault.Invalid, CodeBadRequest, "The purchase is not possible as it stands."); err != nil {
		return term, err
	}
	return term, s.accept(ctx, in.Buyer, v, in.AcceptedTerms)
}

// accepted shows what an order says it accepts.
func accepted(ids []string) string {
	if len(ids) == 0 {
		return "none"
	}
	shown := make([]string, len(ids))
	for i, id := range ids {
		shown[i] = strconv.Quote(clip(id))
	}
	return listed(shown)
}

// checkPlan finds what the plan does not allow (FUL-15).
func (in *Order) checkPlan(p *offer.Plan) (term offer.PlanTerm, f fault.Findings) {
	if p.Private && in.csp() {
		f.Add(CodeInvalid, "planId", "A private plan is not sold through resellers.")
	}
	if p.Stopped {
		f.Add(CodeInvalid, "planId", "The plan is no longer sold.")
	}
	if !slices.Contains(p.Markets, in.Market) {
		f.Add(CodeInvalid, "market", "The plan is not sold in this market: expected one of %s, found %q.", strings.Join(p.Markets, ", "), clip(in.Market))
	}
	term, sold := p.Term(in.TermUnit)
	if !sold {
		f.Add(CodeInvalid, "termUnit", "The plan is not sold for this term: expected one of %s, found %q.", strings.Join(units(p), ", "), clip(in.TermUnit))
	}
	switch perUser := p.PricingModel == offer.PerUser; {
	case perUser && !in.Seats.Given:
		f.Add(CodeRequired, "quantity", "The quantity is required on a plan per user.")
	case perUser:
		if why := checkSeats(p, in.Seats.Count); why != "" {
			f.Add(CodeInvalid, "quantity", "%s", why)
		}
	case in.Seats.Given:
		f.Add(CodeInvalid, "quantity", "The plan is not sold per seat: expected no quantity, found %d.", in.Seats.Count)
	}
	return term, f
}

// units are the terms a plan is sold for.
func units(p *offer.Plan) []string {
	var all []string
	for _, t := range p.Terms {
		all = append(all, t.Unit)
	}
	return all
}

func (in *Order) subscription(id string, v offer.Version, p offer.Plan) Subscription {
	return Subscription{
		ID: id, Name: in.Name, PublisherID: in.PublisherID, OfferID: in.OfferID, PlanID: p.ID, Quantity: in.Seats.Count,
		Status: PendingFulfillmentStart, Beneficiary: in.beneficiary(), Purchaser: in.purchaser(), CSP: in.csp(),
		Preview: v.Slot == offer.Preview, TermUnit: in.TermUnit, Market: in.Market, AutoRenew: in.AutoRenew,
		Store: in.Store, Payment: in.PaymentMethod, TrialPlan: p.FreeTrial,
	}
}

// key is what the buyer's idempotency key is known by, empty without one.
func (in *Order) key() string {
	if in.Key == "" {
		return ""
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "purchase|%s|%s|%q", strings.ToLower(in.Buyer.TenantID), strings.ToLower(in.Buyer.ObjectID), in.Key))
	return hex.EncodeToString(sum[:])
}

// ordered answers an order whose key was used before. NotFound when it was not, or when nothing came of it.
func (s *Service) ordered(ctx context.Context, in *Order, key string) (Subscription, error) {
	id, err := s.deps.Store.OrderID(ctx, key)
	if err != nil {
		return Subscription{}, fmt.Errorf("read an order: %w", err)
	}
	return s.repeated(ctx, in, id)
}

// repeated answers an order that was placed before. NotFound when it was not.
func (s *Service) repeated(ctx context.Context, in *Order, id string) (Subscription, error) {
	if Group(id) != GroupOf(in.PublisherID) {
		return Subscription{}, otherOrder()
	}
	first, err := s.deps.Store.Subscription(ctx, id)
	if err != nil {
		return first, fmt.Errorf("read the purchase %s: %w", id, err)
	}
	plan, seats := first.PlanID, first.Quantity
	if len(first.Plans) > 0 { // plan and seats may have been changed since the activation
		plan, seats = first.Plans[0].PlanID, first.Plans[0].Quantity
	}
	if first.PublisherID != in.PublisherID || first.OfferID != in.OfferID || first.TermUnit != in.TermUnit ||
		plan != in.PlanID || seats != in.Seats.Count {
		return first, otherOrder()
	}
	return first, nil
}

func otherOrder() error {
	return fault.New(fault.Conflict, CodeConflict, "Idempotency-Key", "The key was used for another purchase.")
}

// purchased begins the life of a subscription, which ends unless it is activated within the time; below zero is
// without limit.
func (d *decision) purchased(pendingLife time.Duration) {
	d.sub.CreatedAt = d.now
	d.sub.History = []StatusChange{{Status: PendingFulfillmentStart, At: d.now}}
	lapse := ""
	if pendingLife >= 0 { // FUL-93
		d.sub.PendingUntil = d.now.Add(pendingLife)
		d.deadline(PendingEnd, "", d.sub.PendingUntil)
		lapse = fmt.Sprintf(" It ends on %s unless it is set up.", d.sub.PendingUntil.Format(dayLayout))
	}
	// FUL-16: the button of the mail is "Configure now".
	d.mail("purchased", "Configure your subscription", "Thank you for your purchase of %s. Press Configure now to set it up.%s", d.sub.Name, lapse)
}
