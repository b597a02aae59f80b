package payout

import (
	"context"
	"time"

	"stoa/shared/billing"
	"stoa/shared/money"
)

// Run is the payout run of a month (3.9).
type Run struct {
	ID       string    `json:"runId"`
	Month    Month     `json:"month"`
	Cutoff   time.Time `json:"cutoff"`
	SendDate string    `json:"sendDate"` // YYYY-MM-DD
	OpenedAt time.Time `json:"openedAt"`
}

// ItemState is the state of a publisher's part of a run (5.5).
type ItemState string

// The states. nothingDue, negative, belowThreshold and sent are final.
const (
	Queued         ItemState = "queued"
	Assessed       ItemState = "assessed" // its lines are fixed, its pages are being posted
	NothingDue     ItemState = "nothingDue"
	Negative       ItemState = "negative"
	BelowThreshold ItemState = "belowThreshold"
	Prepared       ItemState = "prepared"
	Sent           ItemState = "sent"
)

// final reports whether nothing happens to the item any more.
func (s ItemState) final() bool {
	return s == NothingDue || s == Negative || s == BelowThreshold || s == Sent
}

// Item is one publisher's part of a run.
type Item struct {
	RunID       string           `json:"runId"`
	Month       Month            `json:"month"`
	PublisherID string           `json:"publisherId"`
	State       ItemState        `json:"state"`
	LineCount   int              `json:"lineCount"`
	Earned      map[string]int64 `json:"earned"` // by currency of the sale, in minor units
	EarnedUSD   int64            `json:"earnedUSD"`
	Total       money.Amount     `json:"totalPayment"`
	PaymentID   string           `json:"paymentID,omitempty"`
	Pages       int              `json:"pages,omitempty"`
	Digest      string           `json:"digest,omitempty"` // of the line ids (PAY-28)
	Statement   string           `json:"statement,omitempty"`
	OpenedAt    time.Time        `json:"openedAt"`
	ChangedAt   time.Time        `json:"changedAt"`

	Tag string `json:"-"` // of the stored row as read
}

// PaidLine is one line of a payment order.
type PaidLine struct {
	billing.Release
	Pay int64 `json:"payAmount"` // in minor units of the payout currency
}

// Store keeps runs and items.
type Store interface {
	// AddRun creates a run, and returns the one that stands when the month has one (PAY-20).
	AddRun(ctx context.Context, r Run) (Run, error)
	// AddItem creates an item and queues its work; an item that exists keeps its state and is queued again.
	AddItem(ctx context.Context, it Item) error
	// Item reads an item. NotFound.
	Item(ctx context.Context, publisherID string, month Month) (Item, error)
	// SaveItem replaces an item that was read. StaleETag.
	SaveItem(ctx context.Context, it Item) (Item, error)
	// Items reads the items of a publisher, the newest month first.
	Items(ctx context.Context, publisherID, after string, limit int) ([]Item, string, error)
	// AddPage keeps a page of a payment order, before the order is fixed. The same page again is nothing.
	AddPage(ctx context.Context, publisherID, paymentID string, page int, lines []PaidLine) error
	// Page reads a page. NotFound.
	Page(ctx context.Context, publisherID, paymentID string, page int) ([]PaidLine, error)
	// NextPaymentID takes the next of 12 digits.
	NextPaymentID(ctx context.Context) (string, error)
}

// Ledger is what the payout needs of the ledger.
type Ledger interface {
	Apply(ctx context.Context, b billing.Batch) error
	Transaction(ctx context.Context, publisherID, key string) (billing.Transaction, error)
	Release(ctx context.Context, publisherID string, eligibleAt time.Time, lineID string) (billing.Release, error)
	Releases(ctx context.Context, publisherID string, before time.Time, after string, limit int) ([]billing.Release, string, error)
	Publishers(ctx context.Context, after string, limit int) ([]string, string, error)
}

// Billing is what the payout needs of billing.
type Billing interface {
	MatureRelease(ctx context.Context, r billing.Release) error
	InUSD(ctx context.Context, r billing.Release) (int64, error)
}

// Statements keeps statement documents. PutNew is Conflict when the document exists.
type Statements interface {
	PutNew(ctx context.Context, container, name string, data []byte, contentType string) error
}
