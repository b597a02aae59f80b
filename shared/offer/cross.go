package offer

import (
	"fmt"
	"slices"
	"strings"

	"stoa/shared/fault"
)

// Limits of an offer's plans (SAS-33).
const maxPrivatePlans = 45

// crossFindings are the rules between fields that no single field's limits can say.
func crossFindings(c *Content) []Finding {
	out := planFindings(c)
	out = append(out, applicationFindings(c)...)
	out = append(out, meteringFindings(c)...)
	out = append(out, leadFindings(c)...)
	out = append(out, legalFindings(c)...)
	out = append(out, industryFindings(c)...)
	return append(out, linkFindings(c)...)
}

func planFindings(c *Content) []Finding {
	var out []Finding
	malformed := func(i int, member, code, format string, args ...any) {
		out = append(out, Finding{Page: "planOverview", Field: fmt.Sprintf("plans[%d].%s", i, member), Code: code, Message: fmt.Sprintf(format, args...), Malformed: true})
	}
	ids, names, private := map[string]bool{}, map[string]bool{}, 0
	for i, p := range c.Plans {
		if ids[p.ID] {
			malformed(i, "planId", "AlreadyExists", "The plan ID %s stands twice.", p.ID) // SAS-34, CPP-32
		}
		ids[p.ID] = true
		if name := strings.ToLower(p.Name); name != "" {
			if names[name] {
				malformed(i, "name", CodeInvalid, "Another plan of the offer has this name.") // SAS-34
			}
			names[name] = true
		}
		if p.Private {
			if private++; private == maxPrivatePlans+1 {
				malformed(i, "isPrivate", CodeLimit, "An offer has at most %d private plans.", maxPrivatePlans) // SAS-33
			}
		}
		if p.PricingModel != "" && c.Plans[0].PricingModel != "" && p.PricingModel != c.Plans[0].PricingModel {
			malformed(i, "pricingModel", "PricingModelMismatch", "All plans of an offer have one pricing model.") // SAS-36
		}
		for _, f := range termsAndSeats(p) {
			malformed(i, f.Target, f.Code, "%s", f.Message)
		}
	}
	return out
}

func termsAndSeats(p Plan) fault.Findings {
	var out fault.Findings
	units := map[string]bool{}
	for i, t := range p.Terms {
		if units[t.Unit] {
			out.Add(CodeInvalid, fmt.Sprintf("terms[%d].termUnit", i), "Each billing term may stand once.") // SAS-37
		}
		units[t.Unit] = true
		for market := range t.Prices {
			if !slices.Contains(rules.Lists["markets"], market) {
				out.Add(CodeInvalid, fmt.Sprintf("terms[%d].marketPrices", i), "Prices are for markets, each by its code of two letters.")
				break
			}
		}
	}
	switch {
	case p.PricingModel == FlatRate && (p.SeatsMin != 0 || p.SeatsMax != 0):
		out.Add(CodeInvalid, "seatsMin", "User limits are for plans priced per user.") // SAS-41
	case p.SeatsMin < 0 || p.SeatsMax < 0 || (p.SeatsMax != 0 && p.SeatsMin > p.SeatsMax):
		out.Add(CodeInvalid, "seatsMin", "The lowest number of users is 1 to the highest.") // SAS-41
	}
	return out
}

// checkFixed refuses changes of what is fixed: ids at once, prices and models once published.
func checkFixed(o *Offer, next *Content) error {
	var fixed fault.Findings
	immutable := func(target, before, after string) {
		if before != after {
			fixed.Add("ImmutableField", target, "The value was fixed when the offer was created.")
		}
	}
	immutable("publisherId", o.PublisherID, next.PublisherID)
	immutable("offerId", o.OfferID, next.OfferID) // SAS-3
	immutable("offerType", o.OfferType, next.OfferType)
	if t, ok := TypeOf(o.OfferType); ok && t.AliasFixed {
		immutable("alias", o.Alias, next.Alias) // SAS-3
	}
	if err := fixed.Err(fault.Invalid, "ImmutableField", "Some values were fixed when the offer was created."); err != nil {
		return err
	}
	if o.Submission > 0 && o.TestOffer != next.TestOffer {
		return fault.New(fault.Conflict, "TestOfferLocked", "isTestOffer", "Whether an offer is a test offer is fixed since it was published.")
	}
	if o.Published == nil {
		return nil
	}
	return checkPublished(o.Published, next)
}

func checkPublished(p *Published, next *Content) error {
	if p.Transactable && !next.Transactable() { // SAS-7
		return fault.New(fault.Conflict, "ListingOptionLocked", "listingOption",
			"The offer was sold through the marketplace. Create a new list-only offer and stop distribution of this one.")
	}
	if p.Standard && !next.StandardContract() { // SAS-17
		return fault.New(fault.Conflict, "StandardContractLocked", "legal.useStandardContract",
			"The offer was sold under the standard contract and cannot change to terms of its own.")
	}
	metered := next.Metered(p)
	if err := metered.Published.CheckLocks(metered.Dimensions, metered.Plans); err != nil { // SAS-42
		return err
	}
	left := map[string]Plan{}
	for i, plan := range next.Plans {
		left[plan.ID] = plan
		if p.PricingModel != "" && plan.PricingModel != "" && plan.PricingModel != p.PricingModel { // SAS-36
			return fault.New(fault.Conflict, "PricingModelLocked", fmt.Sprintf("plans[%d].pricingModel", i), "The pricing model is fixed since the offer was published.")
		}
	}
	machines := machinePlans(next.Definition)
	for id, was := range p.Plans {
		plan, ok := left[id]
		if !ok { // CPP-32, SAS-47
			return fault.New(fault.Invalid, codePlanPublished, "plans", "The published plan %s cannot be removed; stop its distribution instead.", id)
		}
		if err := was.check(plan); err != nil {
			return err
		}
		if err := was.checkMachine(id, machines[id]); err != nil {
			return err
		}
	}
	return nil
}

func (was PublishedPlan) check(plan Plan) error {
	switch {
	case was.FreeTrial && !plan.FreeTrial: // SAS-43
		return fault.New(fault.Conflict, "FreeTrialLocked", "plans."+plan.ID+".freeTrial", "A published free trial cannot be switched off.")
	case was.Public && plan.Private: // SAS-44, PUB-42
		return fault.New(fault.Conflict, "VisibilityLocked", "plans."+plan.ID+".isPrivate", "A published public plan cannot become private.")
	case !keepsTerms(was.Terms, plan): // SAS-38
		return fault.New(fault.Conflict, "PublishedPriceLocked", "plans."+plan.ID+".terms", "A published billing term and its prices cannot change.")
	case was.Type != "" && was.Type != plan.Type:
		return fault.New(fault.Conflict, "PlanTypeLocked", "plans."+plan.ID+".planType", "The type of a published plan cannot change.")
	}
	return nil
}
