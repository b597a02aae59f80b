package metering

import (
	"context"
	"fmt"
	"slices"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/offer"
	"stoa/shared/subscription"
)

// Subscriptions reads subscriptions.
type Subscriptions interface {
	// Subscription reads one. NotFound.
	Subscription(ctx context.Context, id string) (subscription.Subscription, error)
	// Lapsed names the subscriptions of a publisher that may have ceased to be Subscribed since a time. False
	// when there are too many to tell.
	Lapsed(ctx context.Context, publisherID string, since time.Time) (map[string]bool, bool, error)
}

// SaaS finds the resources that are SaaS subscriptions. A change of status counts at once, whichever process it was
// made by (MTR-41).
//
// A batch of 25 events for 25 subscriptions would read 25 rows to learn each time that nothing has changed. So a
// Subscribed one is remembered for a while. What it was up to the moment it was read cannot change any more, and
// that suffices for usage of before then; only its present status can, and those whose status may have changed
// since are few and stand in one list per publisher, which is read for each batch.
type SaaS struct {
	subscriptions Subscriptions
	offers        *offer.Catalogue
	now           func() time.Time
	remembered    *lru.Cache[string, remembered]
}

type remembered struct {
	subscription subscription.Subscription
	at           time.Time // before it was read
}

const (
	rememberedMost = 5000 // some 2 kB each
	rememberedFor  = 10 * time.Minute
	listWorth      = 2 // remembered resources of a publisher from which on its list costs less than to read them
)

// NewSaaS makes the finder.
func NewSaaS(subscriptions Subscriptions, offers offer.Reader, now func() time.Time) *SaaS {
	cache, err := lru.New[string, remembered](rememberedMost)
	if err != nil {
		panic(err) // of a size that is not positive
	}
	return &SaaS{subscriptions: subscriptions, offers: offer.NewCatalogue(offers, now), now: now, remembered: cache}
}

// Find implements Finder.
func (s *SaaS) Find(ctx context.Context, wanted map[string]time.Time) map[string]Found {
	known := s.recall(ctx, wanted)
	var unknown []string
	for ref := range wanted {
		if _, ok := known[ref]; !ok {
			unknown = append(unknown, ref)
		}
	}
	found := FindEach(ctx, unknown, s.Resource)
	for ref, sub := range known {
		r, err := s.resource(ctx, sub)
		found[ref] = Found{Resource: r, Err: err}
	}
	return found
}

// recall gives those of the wanted subscriptions that are remembered and certainly as they were.
func (s *SaaS) recall(ctx context.Context, wanted map[string]time.Time) map[string]subscription.Subscription {
	now := s.now()
	byPublisher := map[string][]remembered{}
	for ref, upTo := range wanted {
		m, ok := s.remembered.Get(ref)
		if ok && upTo.Before(m.at.Add(-tolerance)) && now.Sub(m.at) < rememberedFor && !now.Before(m.at) {
			byPublisher[m.subscription.PublisherID] = append(byPublisher[m.subscription.PublisherID], m)
		}
	}
	known := map[string]subscription.Subscription{}
	for publisherID, all := range byPublisher {
		if len(all) < listWorth {
			continue
		}
		oldest := slices.MinFunc(all, func(a, b remembered) int { return a.at.Compare(b.at) })
		lapsed, complete, err := s.subscriptions.Lapsed(ctx, publisherID, oldest.at.Add(-tolerance))
		if err != nil || !complete {
			continue // they are read, and say themselves what is wrong
		}
		for _, m := range all {
			if !lapsed[m.subscription.ID] {
				known[m.subscription.ID] = m.subscription
			}
		}
	}
	return known
}

// Resource implements Resources.
func (s *SaaS) Resource(ctx context.Context, ref string) (Resource, error) {
	if account.GUID(ref) == "" {
		return Resource{}, fault.New(fault.NotFound, "NotFound", memberResource, "there is no such resource")
	}
	at := s.now()
	sub, err := s.subscriptions.Subscription(ctx, ref)
	if err != nil {
		return Resource{}, fmt.Errorf("metered resource %s: %w", ref, err)
	}
	if sub.Status == subscription.Subscribed {
		s.remembered.Add(ref, remembered{sub, at})
	} else {
		s.remembered.Remove(ref)
	}
	return s.resource(ctx, sub)
}

// resource gives the subscription the meters of its offer.
func (s *SaaS) resource(ctx context.Context, sub subscription.Subscription) (Resource, error) {
	version, err := s.offers.Sold(ctx, sub.PublisherID, sub.OfferID, sub.Preview)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return Resource{}, fmt.Errorf("offer of resource %s: %w", sub.ID, err)
	}
	// An offer that nobody can see any more has no meters and nobody to report for it.
	return ResourceOf(sub, version), nil
}

// Owner implements Finder: the identity of what is live, or of the preview as long as nothing is.
func (s *SaaS) Owner(ctx context.Context, publisherID, offerID string) (Owner, error) {
	version, err := s.offers.Live(ctx, publisherID, offerID)
	if fault.Is(err, fault.NotFound) {
		version, err = s.offers.InPreview(ctx, publisherID, offerID)
	}
	if err != nil {
		return Owner{}, fmt.Errorf("metering identity of %s: %w", offerID, err)
	}
	return OwnerOf(version), nil
}
