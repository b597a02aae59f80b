package offer

// Industry is an industry the offer is for, with the parts of it (SAS-16).
type Industry struct {
	ID            string   `json:"industry"`
	SubIndustries []string `json:"subIndustries,omitempty"`
}

// UsefulLink leads customers to more about the offer.
type UsefulLink struct {
	Title string `json:"title"`
	URL   string `json:"url"`
}

// Contact is whom to turn to. Only the support address is shown to customers.
type Contact struct {
	Name       string `json:"name,omitempty"`
	Email      string `json:"email,omitempty"`
	Phone      string `json:"phone,omitempty"`
	SupportURL string `json:"supportUrl,omitempty"`
}

// Screenshot is a picture of the offer with its caption (SAS-23).
type Screenshot struct {
	Blob    string `json:"file"` // blob name in container media
	Caption string `json:"caption"`
}

// Video is a film about the offer with the picture that stands for it (SAS-23).
type Video struct {
	Name      string `json:"name"`
	URL       string `json:"url"`
	Thumbnail string `json:"thumbnail"` // blob name in container media
}

// Legal is what customers agree to (SAS-17, SAS-18). The publisher's own terms stand in the listing.
type Legal struct {
	Standard  *bool       `json:"useStandardContract,omitempty"` // absent: the standard contract when there are no own terms
	Universal string      `json:"universalAmendment,omitempty"`  // for all customers
	Custom    []Amendment `json:"customAmendments,omitempty"`
}

// Amendment changes the standard contract for some customers.
type Amendment struct {
	Terms   string            `json:"terms"`
	Tenants []AmendmentTenant `json:"tenants,omitempty"`
}

// AmendmentTenant is a customer that an amendment is for.
type AmendmentTenant struct {
	ID          string `json:"tenantId"`
	Description string `json:"description,omitempty"`
}

// M365 is the integration with Microsoft 365 (SAS-12, SAS-13).
type M365 struct {
	Graph     bool          `json:"graphIntegration,omitempty"`
	GraphApp  string        `json:"graphAppId,omitempty"`
	HasLinked bool          `json:"hasLinkedProducts,omitempty"`
	Links     []ProductLink `json:"links,omitempty"` // in the order of their rank
}

// ProductLink leads to a product of the publisher that goes with the offer.
type ProductLink struct {
	URL  string `json:"appSourceUrl"`
	Rank int    `json:"rank,omitempty"` // place in the list from 1, set when saved
}

// TakeLogo takes a large logo with the smaller ones made of it; those that are the publisher's own stay (SAS-22).
func (l *Listing) TakeLogo(large, medium, small string) {
	l.LargeLogo = large
	if !l.OwnMedium {
		l.MediumLogo = medium
	}
	if !l.OwnSmall {
		l.SmallLogo = small
	}
}

// StandardContract reports whether the offer is sold under the standard contract (SAS-17).
func (c *Content) StandardContract() bool {
	if c.Legal.Standard != nil {
		return *c.Legal.Standard
	}
	return c.Listing.Terms == ""
}

// HasAmendments reports whether the standard contract is amended (SAS-63).
func (c *Content) HasAmendments() bool {
	return c.StandardContract() && (c.Legal.Universal != "" || len(c.Legal.Custom) > 0)
}
