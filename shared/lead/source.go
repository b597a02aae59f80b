package lead

import (
	"slices"
	"strings"
)

// Compose makes the LeadSource of a lead (LED-13 to LED-15): "SPZA-PLT|contoso.app".
func Compose(source Source, action Action, publisherID, offerID string) string {
	return actions.source(source).Token + "-" + string(action) + "|" + publisherID + "." + offerID
}

// Origin is what a LeadSource says.
type Origin struct {
	Token       string // how the storefront is written, "SPZA" for AppSource
	Action      Action
	PublisherID string
	OfferID     string
}

// ParseSource takes a LeadSource apart. Blanks around "|" are tolerated; both ids may hold dashes, the offer id
// also dots.
func ParseSource(text string) (Origin, bool) {
	left, offer, ok := strings.Cut(text, "|")
	token, action, dashed := strings.Cut(strings.TrimSpace(left), "-")
	publisher, offerID, dotted := strings.Cut(strings.TrimSpace(offer), ".")
	if !ok || !dashed || !dotted || publisher == "" || offerID == "" {
		return Origin{}, false
	}
	_, known := actions.action(Action(action))
	written := slices.ContainsFunc(actions.Sources, func(s sourceRow) bool { return s.Token == token })
	if !known || !written && !slices.Contains(actions.ReadableTokens, token) {
		return Origin{}, false
	}
	return Origin{Token: token, Action: Action(action), PublisherID: publisher, OfferID: offerID}, true
}
