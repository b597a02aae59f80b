package lead

import (
	"context"

	"stoa/shared/account"
	"stoa/shared/message"
)

// Filter selects leads of a publisher. Empty members select all.
type Filter struct {
	PublisherID string
	OfferID     string
	State       State
	Action      Action
	Limit       int    // most leads of a page
	After       string // continuation of the page before
}

// Store keeps leads. A lead that waits, and only such a one, is found by Waiting whatever its publisher.
type Store interface {
	// Add inserts a lead with its messages, as one act; Conflict when its id is there.
	Add(ctx context.Context, l Lead, msgs ...message.Message) error
	// Lead reads one lead of the publisher; NotFound.
	Lead(ctx context.Context, publisherID, id string) (Lead, error)
	// Save replaces a lead that was read before, with its messages; StaleETag when it was saved in between.
	Save(ctx context.Context, l Lead, msgs ...message.Message) error
	// Leads lists the newest first. A page may be shorter than its limit and not the last.
	Leads(ctx context.Context, f Filter) ([]Lead, string, error)
	// Waiting lists the leads that wait for a replay, of all publishers.
	Waiting(ctx context.Context, after string, limit int) ([]Lead, string, error)
	// PublisherOf is the publisher of a lead that waits, or waited not long ago; NotFound.
	PublisherOf(ctx context.Context, id string) (string, error)
}

// Opener opens what was sealed for the context.
type Opener interface {
	Open(sealed, context string) (string, error)
}

// Publishers reads publishers, for their names.
type Publishers interface {
	Publisher(ctx context.Context, id string) (account.Publisher, error)
}

// TableRow is a lead as a row of a publisher's own Table storage (LED-52).
type TableRow struct {
	PartitionKey         string
	RowKey               string
	CreatedTime          string
	CustomerInfo         string
	LeadSource           string
	ActionCode           string
	OfferDisplayName     string
	Description          string
	ProductID            string `json:"ProductId"`
	PublisherDisplayName string
}

// TableWriter inserts a row into table MarketplaceLeads of the storage account of the connection string, and
// makes the table if it is missing (LED-50). A row that is there already is no error (LED-51). An account that
// refuses us, or a connection string that is not acceptable, is a fault that is not transient, with a code of
// 6.6; the error never holds the connection string.
type TableWriter interface {
	Insert(ctx context.Context, connection string, row TableRow) error
}
