package payout

import (
	"context"
	"io"
	"time"

	"stoa/shared/billing"
	"stoa/shared/message"
	"stoa/shared/money"
)

// RunState is the state of a run (5.5).
type RunState string

// The states.
const (
	Open      RunState = "open"      // its publishers are being listed
	Assessing RunState = "assessing" // every publisher has an item
)

// Run is the payout run of a month (3.9). While it is open, Pages and After say how far its publishers are
// listed, so that a listing that broke off goes on there.
type Run struct {
	ID         string    `json:"runId"`
	Month      Month     `json:"month"`
	State      RunState  `json:"state"`
	Cutoff     time.Time `json:"cutoff"`
	SendDate   string    `json:"sendDate"` // YYYY-MM-DD
	Publishers int       `json:"publishers"`
	Pages      int       `json:"-"`
	After      string    `json:"-"`
	OpenedAt   time.Time `json:"openedAt"`

	Tag string `json:"-"` // of the stored row as read
}

// ItemState is the state of a publisher's part of a run (5.5).
type ItemState string

// The states. nothingDue, negative, belowThreshold, carried and sent are final.
const (
	Queued         ItemState = "queued"
	Assessed       ItemState = "assessed" // its lines are fixed, its pages are being posted
	NothingDue     ItemState = "nothingDue"
	Negative       ItemState = "negative"
	BelowThreshold ItemState = "belowThreshold"
	Carried        ItemState = "carried" // was not worked on before the next run opened, which takes its lines (PAY-43)
	Prepared       ItemState = "prepared"
	Sent           ItemState = "sent"
)

// final reports whether nothing happens to the item any more.
func (s ItemState) final() bool {
	return s == NothingDue || s == Negative || s == BelowThreshold || s == Carried || s == Sent
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
	Posted      int              `json:"postedPages,omitempty"` // of the pages, at least so many
	Digest      string           `json:"digest,omitempty"`      // of the line ids (PAY-28)
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

// Store keeps runs and items. Messages go with the write they are given to: both happen, or neither.
type Store interface {
	// AddRun creates a run, and returns the one that stands when the month has one; then nothing is sent (PAY-20).
	AddRun(ctx context.Context, r Run, msgs ...message.Message) (Run, error)
	// Run reads a run. NotFound.
	Run(ctx context.Context, runID string) (Run, error)
	// SaveRun replaces a run that was read. StaleETag.
	SaveRun(ctx context.Context, r Run, msgs ...message.Message) error
	// AddItems creates items and queues the work on each. An item that exists is left alone.
	AddItems(ctx context.Context, items []Item) error
	// Item reads an item. NotFound.
	Item(ctx context.Context, publisherID string, month Month) (Item, error)
	// SaveItem replaces an item that was read. StaleETag.
	SaveItem(ctx context.Context, it Item, msgs ...message.Message) (Item, error)
	// Items reads the items of a publisher, the newest month first.
	Items(ctx context.Context, publisherID, after string, limit int) ([]Item, string, error)
	// AddPage keeps a page of a payment order, before the order is fixed. The same page again is nothing.
	AddPage(ctx context.Context, publisherID, paymentID string, page int, lines []PaidLine) error
	// Page reads a page. NotFound.
	Page(ctx context.Context, publisherID, paymentID string, page int) ([]PaidLine, error)
	// NextPaymentID takes the next of 12 digits.
	NextPaymentID(ctx context.Context) (string, error)
	// Send sends messages without a change.
	Send(ctx context.Context, msgs ...message.Message) error
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

// Statements keeps statement documents. Put streams one, over an earlier one of that name; a reader that fails
// writes nothing.
type Statements interface {
	Put(ctx context.Context, container, name string, r io.Reader, contentType string) error
}
