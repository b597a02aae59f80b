package offer

import (
	"cmp"
	"fmt"

	"stoa/shared/packages/managedapp"
)

const pageApplication = "planPackages"

// OfferedIn are the clouds of an Azure application's plan.
func (p *Plan) OfferedIn() []string {
	if len(p.Clouds) == 0 {
		return []string{managedapp.Global}
	}
	return p.Clouds
}

// applicationFindings are the rules of the technical configurations of an Azure application's plans (AZA-50 to AZA-69).
func applicationFindings(c *Content) []Finding {
	var out []Finding
	for i := range c.Plans {
		p := &c.Plans[i]
		add := func(malformed bool, code, field, message string) {
			out = append(out, Finding{
				Page: pageApplication, Field: fmt.Sprintf("plans[%d].technicalConfiguration.%s", i, field), Code: code, Message: message, Malformed: malformed,
			})
		}
		if c.OfferType != TypeAzureApplication {
			if p.Technical != nil {
				add(true, "FieldNotAllowed", "version", "Only plans of Azure applications have a technical configuration.")
			}
			continue
		}
		configuration := cmp.Or(p.Technical, &managedapp.Configuration{})
		simple := p.Type != ManagedApplication
		for _, f := range configuration.Check(simple, p.OfferedIn()) {
			add(true, f.Code, f.Target, f.Message)
		}
		for _, f := range configuration.Missing(simple, p.OfferedIn()) {
			add(false, f.Code, f.Target, f.Message)
		}
	}
	return out
}
