package publish

import (
	"fmt"
	"strings"

	"github.com/shopspring/decimal"

	"stoa/shared/offer"
)

// maxTestPrice is the most a plan of a test offer should cost, in US dollars.
var maxTestPrice = decimal.NewFromInt(100)

// testOfferFindings say where a test offer is set up as if it were for customers (SAS-58).
func testOfferFindings(c *offer.Content) []finding {
	var out []finding
	add := func(code, page, field, text string) {
		out = append(out, finding{code: code, page: page, field: field, text: text})
	}
	if !strings.HasSuffix(c.Alias, offer.TestSuffix) {
		add("testOffer.alias", pageOfferSetup, "alias", "The alias of a test offer ends with "+offer.TestSuffix+".")
	}
	for i, p := range c.Plans {
		at := fmt.Sprintf("plans[%d].", i)
		if !strings.HasSuffix(p.ID, offer.TestSuffix) {
			add("testOffer.planId", pagePlans, at+"planId", "The ID of a test offer's plan ends with "+offer.TestSuffix+".")
		}
		for j, t := range p.Terms {
			if t.PriceUSD.GreaterThan(maxTestPrice) {
				add("testOffer.price", pagePlans, fmt.Sprintf("%sterms[%d].priceUSD", at, j), "A test purchase is charged: the price should be at most 100.00 US dollars.")
			}
		}
		if p.FreeTrial {
			add("testOffer.freeTrial", pagePlans, at+"freeTrial", "A test offer has no free trial.")
		}
	}
	if c.ResellThrough != "" && c.ResellThrough != "none" {
		add("testOffer.csp", "resellThroughCsp", "resellThroughCsp", "A test offer is not sold through resellers.")
	}
	return out
}
