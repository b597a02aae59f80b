package offer

import (
	"context"
	"fmt"

	"stoa/shared/account"
	"stoa/shared/fault"
)

// Registration is an application registration: a tenant and an application in it.
type Registration struct{ TenantID, AppID string }

// registration is that of a technical configuration, false while it is none.
func (t *Technical) registration() (Registration, bool) {
	r := Registration{TenantID: account.GUID(t.TenantID), AppID: account.GUID(t.AppID)}
	return r, r.TenantID != "" && r.AppID != ""
}

// Registrations remember which publisher uses an application registration (SAS-30).
type Registrations interface {
	// Claim notes the publisher as the one that uses a registration, unless another was noted. It returns who is.
	Claim(ctx context.Context, r Registration, publisherID string) (owner string, err error)
	// Reclaim notes another publisher in place of the owner. StaleETag when somebody else has done so in between.
	Reclaim(ctx context.Context, r Registration, owner, publisherID string) error
}

// claim takes the registration of the next draft for its publisher. Conflict AppRegistrationInUse when offers of
// another publisher use it. What another has noted and uses no longer is taken over.
func (s *Service) claim(ctx context.Context, before, next *Content) error {
	r, ok := next.Technical.registration()
	if was, _ := before.Technical.registration(); !ok || was == r || s.Registrations == nil {
		return nil
	}
	owner, err := s.Registrations.Claim(ctx, r, next.PublisherID)
	if err != nil {
		return fmt.Errorf("claim an application registration: %w", err)
	}
	if owner == next.PublisherID {
		return nil
	}
	used, err := s.uses(ctx, owner, r)
	if err != nil {
		return err
	}
	if used {
		return fault.New(fault.Conflict, "AppRegistrationInUse", "technicalConfiguration.aadApplicationId",
			"The application registration is used by offers of another publisher.")
	}
	if err := s.Registrations.Reclaim(ctx, r, owner, next.PublisherID); err != nil {
		return fmt.Errorf("claim an application registration: %w", err)
	}
	return nil
}

// maxClaimants bounds the offers that are read to see whether a registration is still used. A publisher with more
// keeps what it has noted.
const maxClaimants = 1000

// uses reports whether the publisher may still use the registration: a draft of it has the registration, or an offer
// of it can be seen, whose frozen content is not looked into.
func (s *Service) uses(ctx context.Context, publisherID string, r Registration) (bool, error) {
	after := ""
	for seen := 0; seen < maxClaimants; {
		page, next, err := s.Store.Offers(ctx, publisherID, after, 100)
		if err != nil {
			return false, fmt.Errorf("offers of %s: %w", publisherID, err)
		}
		for _, listed := range page {
			o, err := s.Store.Offer(ctx, publisherID, listed.OfferID)
			if fault.Is(err, fault.NotFound) {
				continue
			}
			if err != nil {
				return false, fmt.Errorf("offer of %s: %w", publisherID, err)
			}
			if has, _ := o.Technical.registration(); has == r || o.Preview != nil || o.Production != nil {
				return true, nil
			}
		}
		if seen += len(page); next == "" {
			return false, nil
		}
		after = next
	}
	return true, nil
}
