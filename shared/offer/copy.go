package offer

import (
	"context"
	"slices"
	"strings"

	"stoa/shared/fault"
)

// TestSuffix ends the alias and the plan IDs of a test offer.
const TestSuffix = "_test"

// CopyTo copies what a test offer and its production offer have in common from one to the other (SAS-59): properties,
// listing, and of the plans their names, texts, markets and pricing model. Technical configuration, audiences, lead
// destination and prices of the target stay. A plan that the target does not have is added without prices. The
// target's tag is compared, the source's draft is read as it is.
//
// NotFound when one of them is not there; Invalid when they are not a SaaS test offer and a SaaS production offer; a
// Conflict when the target has something fixed otherwise.
func (s *Service) CopyTo(ctx context.Context, source, target DraftRef) (Offer, error) {
	from, err := s.Store.Offer(ctx, source.PublisherID, source.OfferID)
	if err != nil {
		return Offer{}, err
	}
	if _, err := s.Store.Offer(ctx, target.PublisherID, target.OfferID); err != nil {
		if fault.Is(err, fault.NotFound) {
			return Offer{}, fault.New(fault.NotFound, "NotFound", "offerId", "There is no offer to copy to.").Because(err)
		}
		return Offer{}, err
	}
	return s.Edit(ctx, target, func(c *Content) error { return c.copyFrom(&from.Content) })
}

func (c *Content) copyFrom(from *Content) error {
	if from.OfferType != TypeSaaS || c.OfferType != TypeSaaS || from.TestOffer == c.TestOffer {
		return fault.New(fault.Invalid, CodeInvalid, "offerId", "An offer is copied from a SaaS test offer to its production offer, or the other way round.")
	}
	copied, err := from.clone()
	if err != nil {
		return err
	}
	c.Listing, c.Legal = copied.Listing, copied.Legal
	for _, p := range copied.Plans {
		id := strings.TrimSuffix(p.ID, TestSuffix)
		if c.TestOffer {
			id += TestSuffix
		}
		at := slices.IndexFunc(c.Plans, func(own Plan) bool { return own.ID == id })
		if at < 0 {
			at, c.Plans = len(c.Plans), append(c.Plans, Plan{ID: id})
		}
		own := &c.Plans[at]
		own.Name, own.Description, own.PricingModel, own.Markets = p.Name, p.Description, p.PricingModel, p.Markets
	}
	return nil
}
