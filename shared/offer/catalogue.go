package offer

import (
	"context"
	"sync"
	"time"

	"stoa/shared/fault"
)

const (
	versionLife = 2 * time.Second // how long a version is trusted after it was read (FUL-13)
	maxVersions = 1000
)

// Catalogue remembers the versions that others see for a moment, so that what hangs on an offer costs no read of
// the offer each time. It is a Reader, safe for concurrent use.
type Catalogue struct {
	offers Reader
	now    func() time.Time

	mu    sync.Mutex
	known map[versionKey]*knownVersion
}

type versionKey struct {
	publisherID, offerID string
	slot                 Slot
}

// knownVersion is a version as last read. Its lock is held while it is read again, so that of many who need it
// only one reads.
type knownVersion struct {
	mu      sync.Mutex
	version Version
	at      time.Time
}

// NewCatalogue makes a catalogue of what the reader reads.
func NewCatalogue(offers Reader, now func() time.Time) *Catalogue {
	return &Catalogue{offers: offers, now: now, known: map[versionKey]*knownVersion{}}
}

// Live implements Reader.
func (c *Catalogue) Live(ctx context.Context, publisherID, offerID string) (Version, error) {
	return c.version(ctx, versionKey{publisherID, offerID, Production}, c.offers.Live)
}

// InPreview implements Reader.
func (c *Catalogue) InPreview(ctx context.Context, publisherID, offerID string) (Version, error) {
	return c.version(ctx, versionKey{publisherID, offerID, Preview}, c.offers.InPreview)
}

// Sold is the version a subscription lives by: what is live, or the preview for one that was bought there as long
// as there is one. NotFound.
func (c *Catalogue) Sold(ctx context.Context, publisherID, offerID string, preview bool) (Version, error) {
	if preview {
		v, err := c.InPreview(ctx, publisherID, offerID)
		if !fault.Is(err, fault.NotFound) {
			return v, err
		}
	}
	return c.Live(ctx, publisherID, offerID)
}

func (c *Catalogue) version(ctx context.Context, key versionKey, read func(context.Context, string, string) (Version, error)) (Version, error) {
	c.mu.Lock()
	k := c.known[key]
	c.mu.Unlock()
	if k == nil {
		return c.first(ctx, key, read)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	now := c.now()
	if age := now.Sub(k.at); age >= 0 && age < versionLife {
		return k.version, nil
	}
	v, err := read(ctx, key.publisherID, key.offerID)
	if err != nil {
		return v, err
	}
	k.version, k.at = v, now
	return v, nil
}

// first reads a version that is not known yet. One that is not there stays unknown.
func (c *Catalogue) first(ctx context.Context, key versionKey, read func(context.Context, string, string) (Version, error)) (Version, error) {
	now := c.now()
	v, err := read(ctx, key.publisherID, key.offerID)
	if err != nil {
		return v, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxVersions {
		clear(c.known)
	}
	c.known[key] = &knownVersion{version: v, at: now}
	return v, nil
}
