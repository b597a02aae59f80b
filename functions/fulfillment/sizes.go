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

// checkSizes collects what is too long in an order and its idempotency key.
func (in *order) checkSizes(key string) error {
	var found fault.Findings
	check := func(target, value string, limit int) {
		if utf8.RuneCountInString(value) > limit {
			found.Add(subscription.CodeInvalid, target, "The value may have %d characters at most.", limit)
		}
	}
	check("Idempotency-Key", key, maxKey)
	check("publisherId", in.PublisherID, maxID)
	check("offerId", in.OfferID, maxID)
	check("planId", in.PlanID, maxID)
	check("termUnit", in.TermUnit, maxWord)
	check("market", in.Market, maxWord)
	check("store", in.Store, maxWord)
	check("payment.method", in.Payment.Method, maxWord)
	if b := in.Beneficiary; b != nil {
		check("beneficiary.emailId", b.EmailID, maxEmail)
		check("beneficiary.objectId", b.ObjectID, maxGUID)
		check("beneficiary.tenantId", b.TenantID, maxGUID)
		check("beneficiary.pid", b.PID, maxGUID)
	}
	if len(in.AcceptedTerms) > maxTerms {
		found.Add(subscription.CodeInvalid, "acceptedTerms", "At most %d terms can be accepted at once.", maxTerms)
	}
	for i, term := range in.AcceptedTerms {
		check(fmt.Sprintf("acceptedTerms[%d]", i), term, maxTerm)
	}
	return found.Err(fault.Invalid, subscription.CodeBadRequest, "The purchase is not possible as it stands.")
}
