package billing

import (
	"context"
	"time"

	"github.com/shopspring/decimal"

	"stoa/shared/message"
	"stoa/shared/metering"
	"stoa/shared/subscription"
)

// Batch is what happens as a whole or not at all (BIL-94). Lines, releases, cycles, collections and credits without
// a tag are new, the others replace what was read.
type Batch struct {
	PublisherID  string
	Lines        []Line
	Transactions []Transaction
	Releases     []Release
	Paid         []Release // leave the open releases: they are in a payment order now
	Cycles       []Cycle
	Collections  []Collection
	Credits      []CustomerCredit
	Messages     []message.Message
}

// Ledger keeps the journal and what is derived from it.
type Ledger interface {
	// Apply writes a batch. Conflict when a new part of it exists, StaleETag when a replaced part was changed,
	// NotFound when one is gone, Invalid "CreditExceeded" when a credit is below 0 (BIL-99); then nothing was
	// written. The postings reach the accounts later, through a message of kind "post".
	Apply(ctx context.Context, b Batch) error
	// Line reads a charge line. NotFound.
	Line(ctx context.Context, publisherID, lineID string) (Line, error)
	// Transaction reads by idempotency key. NotFound.
	Transaction(ctx context.Context, publisherID, key string) (Transaction, error)
	// Release reads the open release of a line. NotFound when it was never opened or is paid.
	Release(ctx context.Context, publisherID string, eligibleAt time.Time, lineID string) (Release, error)
	// Releases reads open releases that are eligible before an instant, by eligibility and line, at most limit
	// after a continuation.
	Releases(ctx context.Context, publisherID string, before time.Time, after string, limit int) ([]Release, string, error)
	// Cycle reads a metered cycle. NotFound.
	Cycle(ctx context.Context, publisherID, resourceID, dimension, month string) (Cycle, error)
	// Cycles reads the cycles of a resource, at most limit after a continuation.
	Cycles(ctx context.Context, publisherID, resourceID, after string, limit int) ([]Cycle, string, error)
	// Collection reads what a subscription's customer is asked for. NotFound.
	Collection(ctx context.Context, publisherID, subscriptionID string) (Collection, error)
	// Credit reads what is owed to a customer. NotFound.
	Credit(ctx context.Context, publisherID, billingAccount, currency string) (CustomerCredit, error)
	// Journal reads a stretch of a publisher's journal, at most limit rows after a continuation.
	Journal(ctx context.Context, publisherID, after string, limit int) (Journal, string, error)
	// Verify walks the entries of an account in one currency and finds the first break. NotFound when it has none.
	Verify(ctx context.Context, account, currency string) (Verification, error)
	// Distribute writes the postings of transactions to their accounts. Doing it again changes nothing.
	Distribute(ctx context.Context, publisherID string, keys []string) error
	// Account reads postings of an account in one currency, and its balance. NotFound when it has none.
	Account(ctx context.Context, account, currency, after string, limit int) (Statement, error)
}

// Entry is a posting as it stands on its account.
type Entry struct {
	Transaction string    `json:"txId"`
	Key         string    `json:"idempotencyKey"`
	Event       string    `json:"event"`
	LineID      string    `json:"lineId,omitempty"`
	OccurredAt  time.Time `json:"occurredAt"`
	PostedAt    time.Time `json:"postedAt"`
	Side        Side      `json:"side"`
	Amount      int64     `json:"amount"`
	N           int       `json:"n,omitempty"`    // place in the chain of the account, month and currency (BIL-98)
	Hash        string    `json:"hash,omitempty"` // of the entry and the one before
}

// Statement is a page of an account's postings with the sums of all of them.
type Statement struct {
	Account  string
	Currency string
	Debit    int64 // sum of all debits, in minor units
	Credit   int64 // sum of all credits, in minor units
	Entries  []Entry
	Next     string // continuation of the next page
}

// Subscriptions reads subscriptions. NotFound.
type Subscriptions interface {
	Subscription(ctx context.Context, id string) (subscription.Subscription, error)
}

// Usage reads accepted usage of a resource and dimension for times from <= t < to.
type Usage interface {
	Between(ctx context.Context, resourceID, dimension string, from, to time.Time) ([]metering.Usage, error)
}

// Rates are the exchange rates of a day.
type Rates interface {
	// UnitsPerUSD is the rate of the day, or of the last earlier day that has one (BIL-85). NotFound when there
	// is none at all.
	UnitsPerUSD(ctx context.Context, currency, day string) (decimal.Decimal, error)
}
