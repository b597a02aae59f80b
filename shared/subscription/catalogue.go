package subscription

import (
	"context"
	"sync"
	"time"

	"stoa/shared/fault"
	"stoa/shared/offer"
)

const (
	versionLife = 2 * time.Second // how long a version is trusted after it was read (FUL-13)
	maxVersions = 1000
)

// catalogue remembers versions of offers for a moment, so that reading a subscription costs one read.
type catalogue struct {
	offers offer.Reader
	now    func() time.Time

	mu    sync.Mutex
	known map[versionKey]knownVersion
}

type versionKey struct {
	publisherID, offerID string
	slot                 offer.Slot
}

type knownVersion struct {
	version offer.Version
	at      time.Time
}

func newCatalogue(offers offer.Reader, now func() time.Time) *catalogue {
	return &catalogue{offers: offers, now: now, known: map[versionKey]knownVersion{}}
}

// of is the version a subscription lives by: what is live, or the preview for one that was bought there as long
// as there is one. NotFound.
func (c *catalogue) of(ctx context.Context, sub *Subscription) (offer.Version, error) {
	if sub.Preview {
		v, err := c.version(ctx, versionKey{sub.PublisherID, sub.OfferID, offer.Preview})
		if !fault.Is(err, fault.NotFound) {
			return v, err
		}
	}
	return c.version(ctx, versionKey{sub.PublisherID, sub.OfferID, offer.Production})
}

func (c *catalogue) version(ctx context.Context, key versionKey) (offer.Version, error) {
	now := c.now()
	c.mu.Lock()
	k, ok := c.known[key]
	c.mu.Unlock()
	if age := now.Sub(k.at); ok && age >= 0 && age < versionLife {
		return k.version, nil
	}
	read := c.offers.Live
	if key.slot == offer.Preview {
		read = c.offers.InPreview
	}
	v, err := read(ctx, key.publisherID, key.offerID)
	if err != nil {
		return v, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxVersions {
		clear(c.known)
	}
	c.known[key] = knownVersion{version: v, at: now}
	return v, nil
}
