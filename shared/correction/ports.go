package correction

import (
	"context"
	"time"

	"github.com/shopspring/decimal"

	"stoa/shared/billing"
	"stoa/shared/message"
	"stoa/shared/offer"
)

// Event is an accepted usage event.
type Event struct {
	ID         string
	OfferID    string
	Meter      string // the dimension
	CustomerID string
	ResourceID string
	PlanID     string
	Quantity   decimal.Decimal
	Effective  time.Time
}

// Events finds accepted usage.
type Events interface {
	// Event reads an event of the publisher by its id. NotFound, also for one that is never billed.
	Event(ctx context.Context, publisherID, usageEventID string) (Event, error)
}

// Store keeps corrections, the claims they have on usage, and what they have taken off charge lines.
type Store interface {
	// Save writes a change as a whole. Conflict when a new part of it exists, StaleETag when a replaced part was
	// changed; then nothing was written.
	Save(ctx context.Context, c Change) error
	// Correction reads one. NotFound.
	Correction(ctx context.Context, publisherID, id string) (Correction, error)
	// Corrections reads those of a publisher, the newest first, at most limit after a continuation.
	Corrections(ctx context.Context, publisherID, after string, limit int) ([]Correction, string, error)
	// Claim reads the claim on usage, or makes an empty one.
	Claim(ctx context.Context, c Claim) (Claim, error)
	// Given reads what was taken off a charge line, or makes an empty one.
	Given(ctx context.Context, publisherID, lineID string) (Given, error)
	// OpenCase shows a correction to staff; doing it again changes nothing.
	OpenCase(ctx context.Context, c Correction) error
	// CloseCase shows it no longer; doing it again changes nothing.
	CloseCase(ctx context.Context, c Correction) error
	// Cases reads the corrections that staff are shown, of all publishers, the oldest first.
	Cases(ctx context.Context, after string, limit int) ([]Correction, string, error)
	// Send sends messages without a change of state.
	Send(ctx context.Context, msgs ...message.Message) error
}

// Ledger is what of the ledger a credit needs. A billing.Ledger is one.
type Ledger interface {
	Apply(ctx context.Context, b billing.Batch) error
	Line(ctx context.Context, publisherID, lineID string) (billing.Line, error)
	Release(ctx context.Context, publisherID string, eligibleAt time.Time, lineID string) (billing.Release, error)
	Cycle(ctx context.Context, publisherID, resourceID, dimension, month string) (billing.Cycle, error)
}

// Offers reads what is sold. An *offer.Catalogue does.
type Offers interface {
	Sold(ctx context.Context, publisherID, offerID string, preview bool) (offer.Version, error)
}

// Contacts finds the people to mail about a publisher's offers.
type Contacts interface {
	Recipients(ctx context.Context, publisherID string) ([]string, error)
}
