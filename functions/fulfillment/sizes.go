package fulfillment

import (
	"fmt"
	"unicode/utf8"

	"stoa/shared/fault"
	"stoa/shared/subscription"
)

// Limits of an order, in characters. The name of the subscription has its own in the domain.
const (
	maxID    = 50 // of publisher, offer and plan
	maxWord  = 50 // of a term, a market, a store, a way to pay
	maxGUID  = 64
	maxEmail = 254
	maxKey   = 255
	maxTerm  = 256 // of one accepted document
	maxTerms = 100 // accepted documents
)

// sizes collects what is too long.
type sizes struct{ fault.Findings }

func (s *sizes) text(target, value string, limit int) {
	if n := utf8.RuneCountInString(value); n > limit {
		s.Add(subscription.CodeInvalid, target, "The value may have %d characters at most, found %d.", limit, n)
	}
}

// documents checks the ids of accepted documents.
func (s *sizes) documents(ids []string) {
	if len(ids) > maxTerms {
		s.Add(subscription.CodeInvalid, "acceptedTerms", "At most %d terms can be accepted at once, found %d.", maxTerms, len(ids))
		return
	}
	for i, id := range ids {
		s.text(fmt.Sprintf("acceptedTerms[%d]", i), id, maxTerm)
	}
}

// checkSizes collects what is too long in an order and its idempotency key.
func (in *order) checkSizes(key string) error {
	var found sizes
	found.text("Idempotency-Key", key, maxKey)
	found.text("publisherId", in.PublisherID, maxID)
	found.text("offerId", in.OfferID, maxID)
	found.text("planId", in.PlanID, maxID)
	found.text("termUnit", in.TermUnit, maxWord)
	found.text("market", in.Market, maxWord)
	found.text("store", in.Store, maxWord)
	found.text("payment.method", in.Payment.Method, maxWord)
	if b := in.Beneficiary; b != nil {
		found.text("beneficiary.emailId", b.EmailID, maxEmail)
		found.text("beneficiary.objectId", b.ObjectID, maxGUID)
		found.text("beneficiary.tenantId", b.TenantID, maxGUID)
		found.text("beneficiary.pid", b.PID, maxGUID)
	}
	found.documents(in.AcceptedTerms)
	return found.Err(fault.Invalid, subscription.CodeBadRequest, "The purchase is not possible as it stands.")
}
