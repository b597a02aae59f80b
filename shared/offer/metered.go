package offer

import (
	"slices"
	"strings"

	"stoa/shared/dimension"
	"stoa/shared/fault"
)

// Billing terms of plans.
const (
	monthly = "P1M"
	annual  = "P1Y"
)

// Metered is what dimensions are about of a content (07 3), with what of it has been live, which may be nil. It may
// be changed and leaves the content alone.
func (c *Content) Metered(live *Published) dimension.Offer {
	out := dimension.Offer{
		Kind: dimension.Unmetered, Transactable: c.Transactable(), Dimensions: slices.Clone(c.Dimensions), Published: live.dimensions(),
		Identity: dimension.Identity{TenantID: c.Technical.TenantID, AppID: c.Technical.AppID},
	}
	switch c.OfferType {
	case TypeSaaS:
		out.Kind = dimension.SaaS
	case TypeAzureApplication:
		// Who names no application at all lets the managed applications report by their own identities (MTR-7).
		out.Kind, out.ManagedIdentityOnly = dimension.AzureApplication, out.Identity == dimension.Identity{}
	}
	for i := range c.Plans {
		p := c.Plans[i].Metered()
		p.Monthly = p.Monthly || out.Kind == dimension.AzureApplication // managed applications are billed by the month only
		out.Plans = append(out.Plans, p)
	}
	return out
}

// Metered is what dimensions are about of a plan.
func (p *Plan) Metered() dimension.Plan {
	out := dimension.Plan{
		ID: p.ID, PerUser: p.PricingModel == PerUser, FreeTrial: p.FreeTrial, Private: p.Private, Markets: p.Markets, Meters: slices.Clone(p.Meters),
		SolutionTemplate: p.Type == SolutionTemplate, Government: slices.Contains(p.Clouds, AzureGovernment),
	}
	_, out.Monthly = p.Term(monthly)
	_, out.Annual = p.Term(annual)
	return out
}

// dimensions is what of dimensions and meters has been live.
func (p *Published) dimensions() dimension.Published {
	if p == nil {
		return dimension.Published{}
	}
	out := dimension.Published{Dimensions: p.Dimensions, Plans: map[string]map[string]dimension.Lock{}}
	for id, plan := range p.Plans {
		out.Plans[id] = plan.Meters
	}
	return out
}

// meteringCodes are the codes of findings that chapter 05 names otherwise than chapter 07.
var meteringCodes = map[string]string{dimension.CodeTrial: "TrialNotAllowedWithMetering"} // SAS-43

// contradicts reports whether what was found is kept in the draft until it is published: it is missing, or hangs on
// what is said elsewhere. A quantity that can never be right is refused by its field.
func contradicts(c *Content, f fault.Detail) bool {
	switch f.Code {
	case dimension.CodeRequired, dimension.CodeIdentity:
		return true
	case dimension.CodeNotAllowed:
		return !c.Transactable()
	}
	return strings.HasSuffix(f.Target, "Included")
}

// meteringFindings is what the rules of dimensions say about a content (07 4.1, 4.2).
func meteringFindings(c *Content) []Finding {
	if len(c.Dimensions) == 0 && !slices.ContainsFunc(c.Plans, func(p Plan) bool { return len(p.Meters) > 0 }) {
		return nil
	}
	of := c.Metered(nil)
	var out []Finding
	for _, f := range of.Findings() {
		finding := Finding{Page: "planOverview", Field: f.Target, Code: f.Code, Message: f.Message, Malformed: !contradicts(c, f)}
		if f.Code == dimension.CodeIdentity {
			finding.Page = "technicalConfiguration"
		}
		if code, ok := meteringCodes[f.Code]; ok {
			finding.Code = code
		}
		out = append(out, finding)
	}
	return out
}
