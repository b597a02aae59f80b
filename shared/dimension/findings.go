package dimension

import (
	"fmt"

	"stoa/shared/fault"
)

// Findings says what stands against publishing the offer with its dimensions; the targets are paths of the draft. It
// is for drafts of any origin and looks at all that Add, Change and Set look at.
func (o *Offer) Findings() fault.Findings {
	var out fault.Findings
	if len(o.Dimensions) > Most { // MTR-9
		out.Add(CodeLimit, "dimensions", "An offer has at most %d dimensions.", Most)
	}
	seen := map[string]bool{}
	for i, d := range o.Dimensions {
		target := fmt.Sprintf("dimensions[%d]", i)
		if err := d.check(); err != nil {
			for _, wrong := range fault.As(err).Details {
				out.Add(wrong.Code, target+"."+wrong.Target, "%s", wrong.Message)
			}
		}
		if seen[d.ID] {
			out.Add(CodeExists, target+".dimensionId", "The dimension ID %s stands twice.", d.ID)
		}
		seen[d.ID] = true
	}
	metered := false
	for i := range o.Plans {
		p := &o.Plans[i]
		metered = metered || p.Metered()
		out = append(out, o.planFindings(p, fmt.Sprintf("plans[%d]", i))...)
	}
	return append(out, o.identityFindings(metered)...)
}

func (o *Offer) planFindings(p *Plan, target string) fault.Findings {
	var out fault.Findings
	if err := o.meters(p); err != nil && len(p.Meters) > 0 {
		f := fault.As(err)
		out.Add(f.Code, target+".meters", "%s", f.Message)
	}
	if p.FreeTrial && p.Metered() { // MTR-4
		out.Add(CodeTrial, target+".freeTrial", "A plan with an enabled dimension has no free trial.")
	}
	for j, m := range p.Meters {
		at := fmt.Sprintf("%s.meters[%d]", target, j)
		if _, err := o.Dimension(m.DimensionID); err != nil {
			out.Add(CodeInvalid, at+".dimensionId", "The offer has no dimension %s.", m.DimensionID)
		}
		if !priced(m.PricePerUnitUSD, maxUSD) { // MTR-14
			out.Add(CodeInvalid, at+".pricePerUnitUsd", "%s", priceWords(maxUSD))
		}
		if m.MonthlyIncluded < 0 { // MTR-14
			out.Add(CodeInvalid, at+".monthlyIncluded", "An included quantity is a whole number of at least 0.")
		}
		if m.AnnualIncluded < 0 {
			out.Add(CodeInvalid, at+".annualIncluded", "An included quantity is a whole number of at least 0.")
		}
		for _, f := range o.unsold(p, m) {
			out.Add(CodeInvalid, at+"."+f.member, "%s", f.words)
		}
	}
	return out
}

// identityFindings want to know who will report usage (MTR-7). Managed applications that report nothing but by their
// own identities need nobody else.
func (o *Offer) identityFindings(metered bool) fault.Findings {
	var out fault.Findings
	if !metered || o.Kind == AzureApplication && o.ManagedIdentityOnly {
		return nil
	}
	if o.Identity.TenantID == "" {
		out.Add(CodeIdentity, "technicalConfiguration.aadTenantId", "An offer with dimensions names the directory of the application that reports usage.")
	}
	if o.Identity.AppID == "" {
		out.Add(CodeIdentity, "technicalConfiguration.aadApplicationId", "An offer with dimensions names the application that reports usage.")
	}
	return out
}
