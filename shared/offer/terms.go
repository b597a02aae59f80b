package offer

import (
	"encoding/json"
	"fmt"
)

// keepsTerms reports whether a plan still has every published term with the published prices. Terms and markets
// may be added (SAS-38).
func keepsTerms(published string, plan Plan) bool {
	var before []PlanTerm
	if published == "" {
		return true
	}
	if err := json.Unmarshal([]byte(published), &before); err != nil {
		panic(fmt.Sprintf("published terms of %s: %v", plan.ID, err)) // written by PublishedFacts
	}
	for _, was := range before {
		is, ok := plan.Term(was.Unit)
		if !ok || !is.PriceUSD.Equal(was.PriceUSD) {
			return false
		}
		for market, price := range was.Prices {
			now, ok := is.Prices[market]
			if !ok || !now.Equal(price) {
				return false
			}
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
