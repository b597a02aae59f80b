package subscription

import (
	"context"
	"time"

	"stoa/shared/account"
	"stoa/shared/message"
)

// Change is what one act saves together: the subscription, operations that are new (no ETag) or changed, and the
// messages they cause.
type Change struct {
	Subscription Subscription
	Operations   []Operation
	Messages     []message.Message
}

// Store keeps subscriptions, operations, landing tokens, trial claims and what tenants accepted.
type Store interface {
	// Create inserts a subscription and makes it findable for its publisher and customers. Its id is of NewID for
	// its publisher. Conflict when the id is taken.
	Create(ctx context.Context, s Subscription, msgs ...message.Message) error
	// Subscription reads one. NotFound.
	Subscription(ctx context.Context, id string) (Subscription, error)
	// Operation reads one of the subscription's operations. NotFound.
	Operation(ctx context.Context, subscriptionID, id string) (Operation, error)
	// Save replaces what was read. StaleETag when someone saved in between, then nothing was saved.
	Save(ctx context.Context, c Change) error
	// OfPublisher lists by id, those behind after, at most limit.
	OfPublisher(ctx context.Context, publisherID, after string, limit int) ([]Subscription, error)
	// OfTenant lists those that a tenant bought or benefits from, by Position.
	OfTenant(ctx context.Context, tenantID, after string, limit int) ([]Subscription, error)
	// Scan reads a stretch of everything, in no order that means anything. Next is empty at the end.
	Scan(ctx context.Context, after string, limit int) (subs []Subscription, ops []Operation, next string, err error)
	// ClaimOrder notes the id that the order with the key shall have, and returns the one that stands: that of the
	// first. OrderID reads it. NotFound.
	ClaimOrder(ctx context.Context, key, id string) (string, error)
	OrderID(ctx context.Context, key string) (string, error)
	// ClaimTrial notes that the subscription was activated on an offer with trials, and returns the claim that
	// stands: that of the tenant's first one.
	ClaimTrial(ctx context.Context, c TrialClaim) (TrialClaim, error)
	// Accept notes that a tenant accepted a document, unless it did before. Acceptance reads it. NotFound.
	Accept(ctx context.Context, a Acceptance) error
	Acceptance(ctx context.Context, k AcceptanceKey) (Acceptance, error)
	// AddToken and Token keep landing tokens by their hash. NotFound.
	AddToken(ctx context.Context, t LandingToken) error
	Token(ctx context.Context, hash string) (LandingToken, error)
	// NotePreviewCall notes that a call was made for a purchase from a preview, for certification (SAS-66).
	NotePreviewCall(ctx context.Context, s Subscription, call PreviewCall) error
	// Mark and SetMark remember how far the catch-up scan came; empty at the start.
	Mark(ctx context.Context) (string, error)
	SetMark(ctx context.Context, mark string) error
	// Send sends messages without a change of state.
	Send(ctx context.Context, msgs ...message.Message) error
}

// PreviewCall is a call that certification wants to have seen for a purchase from a preview (SAS-66).
type PreviewCall string

// The calls.
const (
	PreviewResolve  PreviewCall = "resolve"
	PreviewActivate PreviewCall = "activate"
)

// Publishers finds the publisher account an application belongs to. Forbidden when it belongs to none.
type Publishers interface {
	OfCaller(ctx context.Context, caller account.Caller) (string, error)
}

// Sign makes the bearer token of a webhook call for the application and directory of the offer (FUL-81).
type Sign func(ctx context.Context, appID, tenantID string) (string, error)

// TrialClaim is the one activation of a tenant that decides about its trial of an offer (5.5).
type TrialClaim struct {
	TenantID       string    `json:"tenantId"`
	PublisherID    string    `json:"publisherId"`
	OfferID        string    `json:"offerId"`
	SubscriptionID string    `json:"subscriptionId"`
	At             time.Time `json:"at"`
}

// LandingToken is what is known of a purchase identification token (3.14).
type LandingToken struct {
	Hash           string    `json:"-"`
	SubscriptionID string    `json:"subscriptionId"`
	PublisherID    string    `json:"publisherId"`
	Reason         string    `json:"reason"` // Configure or Manage
	IssuedAt       time.Time `json:"issuedAt"`
	ExpiresAt      time.Time `json:"expiresAt"`
}
