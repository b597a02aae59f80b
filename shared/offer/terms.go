package offer

import "stoa/shared/dimension"

// fixTerms notes the terms of a plan that goes live with their prices, by unit; nil when there are none.
func fixTerms(terms []PlanTerm) map[string]dimension.Fixed {
	if len(terms) == 0 {
		return nil
	}
	out := map[string]dimension.Fixed{}
	for _, t := range terms {
		out[t.Unit] = dimension.Fix(t.PriceUSD.String(), t.Prices)
	}
	return out
}

// keepsTerms reports whether a plan still has every published term with the published prices. Terms and markets
// may be added (SAS-38).
func keepsTerms(published map[string]dimension.Fixed, plan Plan) bool {
	for unit, was := range published {
		is, ok := plan.Term(unit)
		if !ok || !was.Holds(is.PriceUSD.String(), is.Prices) {
			return false
		}
	}
	return true
}

// Term finds a billing term of the plan.
func (p *Plan) Term(unit string) (PlanTerm, bool) {
	for _, t := range p.Terms {
		if t.Unit == unit {
			return t, true
		}
	}
	return PlanTerm{}, false
}
