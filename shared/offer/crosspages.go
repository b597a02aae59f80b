package offer

import (
	"fmt"
	"slices"
	"strings"

	"stoa/shared/account"
)

const pageProperties = "properties"

// leadFindings say what the lead destination lacks, so that the step that registers it does not have to.
func leadFindings(c *Content) []Finding {
	d, ok := DestinationOf(c.LeadDestination.Kind)
	if !ok {
		return nil
	}
	page := pageSetup
	if t, _ := TypeOf(c.OfferType); !slices.Contains(t.Pages, page) {
		page = "definitionListing"
	}
	var out []Finding
	for _, key := range d.Required {
		if c.LeadDestination.Settings[key] == "" && c.LeadDestination.SealedSecrets[key] == "" {
			out = append(out, Finding{Page: page, Field: "leadDestination.settings." + key, Code: CodeRequired, Message: "The lead destination needs this setting."})
		}
	}
	if d.Contact { // LED-21
		addresses := c.LeadDestination.Contacts()
		if len(addresses) == 0 {
			out = append(out, Finding{Page: page, Field: "leadDestination.contactEmail", Code: CodeRequired, Message: "The lead destination needs the e-mail address of a person."})
		}
		if at := slices.IndexFunc(addresses, func(a string) bool { return !account.IsMail(a) }); at >= 0 {
			out = append(out, Finding{Page: page, Field: "leadDestination.contactEmail", Code: CodeInvalid,
				Message: fmt.Sprintf("The contact e-mail address number %d is not an address.", at+1)})
		}
	}
	return out
}

// Contacts are the addresses of people to turn to (LED-21). The portal API keeps them among the settings, separated
// by semicolons.
func (d *LeadDestination) Contacts() []string {
	var out []string
	for _, list := range append(slices.Clone(d.ContactEmail), d.Settings["contactEmail"]) {
		for part := range strings.SplitSeq(list, ";") {
			if part = strings.TrimSpace(part); part != "" {
				out = append(out, part)
			}
		}
	}
	return out
}

// legalFindings want exactly one contract, and amendments of the standard one only (SAS-17, SAS-18).
func legalFindings(c *Content) []Finding {
	var out []Finding
	add := func(field, code, message string, malformed bool) {
		out = append(out, Finding{Page: pageProperties, Field: field, Code: code, Message: message, Malformed: malformed})
	}
	own := strings.TrimSpace(c.Listing.Terms) != ""
	if s := c.Legal.Standard; s != nil && *s && own {
		add("legal.useStandardContract", CodeInvalid, "An offer is sold under the standard contract or under its own terms, not under both.", false)
	} else if s != nil && !*s && !own {
		add("listing.termsAndConditions", CodeRequired, "Without the standard contract the offer has terms of its own.", false)
	}
	if !c.StandardContract() && c.Legal.Universal != "" {
		add("legal.universalAmendment", CodeInvalid, "Only the standard contract can be amended.", false)
	}
	if !c.StandardContract() && len(c.Legal.Custom) > 0 {
		add("legal.customAmendments", CodeInvalid, "Only the standard contract can be amended.", false)
	}
	for i, a := range c.Legal.Custom {
		tenants := map[string]bool{}
		for j, t := range a.Tenants {
			if id := strings.ToLower(t.ID); id != "" && tenants[id] {
				add(fmt.Sprintf("legal.customAmendments[%d].tenants[%d].tenantId", i, j), CodeInvalid, "Each tenant may stand once in an amendment.", true)
			} else {
				tenants[id] = true
			}
		}
	}
	return out
}

// industryFindings want one or two parts of each industry that has parts, and of no other (SAS-16).
func industryFindings(c *Content) []Finding {
	var out []Finding
	seen := map[string]bool{}
	for i, industry := range c.Listing.Industries {
		add := func(member, code, message string) {
			out = append(out, Finding{Page: pageProperties, Field: fmt.Sprintf("listing.industries[%d].%s", i, member), Code: code, Message: message, Malformed: true})
		}
		if seen[industry.ID] {
			add("industry", CodeInvalid, "Each industry may stand once.")
		}
		seen[industry.ID] = true
		parts := func(id string) bool { return strings.HasPrefix(id, industry.ID+"/") }
		if len(industry.SubIndustries) == 0 && slices.ContainsFunc(rules.Lists["subIndustries"], parts) {
			add("subIndustries", CodeRequired, "An industry has one or two parts that the offer is for.")
		}
		if slices.ContainsFunc(industry.SubIndustries, func(id string) bool { return !parts(id) }) {
			add("subIndustries", CodeInvalid, "The parts are those of the industry.")
		}
	}
	return out
}

// linkFindings want each linked product once (SAS-13).
func linkFindings(c *Content) []Finding {
	var out []Finding
	seen := map[string]bool{}
	for i, l := range c.M365.Links {
		key := l.key()
		if key != "" && seen[key] {
			out = append(out, Finding{Page: "m365", Field: fmt.Sprintf("m365.links[%d].appSourceUrl", i), Code: "DuplicateLink", Message: "The product is linked already.", Malformed: true})
		}
		seen[key] = true
	}
	return out
}

// key names the product of a link, whatever language and campaign its address has.
func (l *ProductLink) key() string {
	path, _, _ := strings.Cut(strings.ToLower(l.URL), "?")
	path = strings.TrimSuffix(path, "/")
	return path[strings.LastIndexByte(path, '/')+1:]
}

// rankLinks numbers the links by their place (SAS-13).
func (c *Content) rankLinks() {
	for i := range c.M365.Links {
		c.M365.Links[i].Rank = i + 1
	}
}
