package subscription

import (
	"time"

	"github.com/shopspring/decimal"
)

// Action is what an operation does (3.13).
type Action string

// The actions, which are the events of the webhook as well.
const (
	ActionChangePlan     Action = "ChangePlan"
	ActionChangeQuantity Action = "ChangeQuantity"
	ActionReinstate      Action = "Reinstate"
	ActionRenew          Action = "Renew"
	ActionSuspend        Action = "Suspend"
	ActionUnsubscribe    Action = "Unsubscribe"
)

// Patchable reports whether the publisher acknowledges operations of this action (FUL-71).
func (a Action) Patchable() bool { return a.change() || a == ActionReinstate }

func (a Action) change() bool { return a == ActionChangePlan || a == ActionChangeQuantity }

// OperationStatus is the state of an operation (FUL-67).
type OperationStatus string

// The statuses of an operation.
const (
	NotStarted OperationStatus = "NotStarted"
	InProgress OperationStatus = "InProgress"
	Succeeded  OperationStatus = "Succeeded"
	Failed     OperationStatus = "Failed"
	Conflict   OperationStatus = "Conflict"
)

// Source says who asked for an operation.
type Source string

// The sources (FUL-56).
const (
	FromAzure   Source = "Azure"
	FromPartner Source = "Partner"
)

// Reasons of failed operations (5.2).
const (
	ReasonRejected    = "PublisherRejected"
	ReasonUndelivered = "WebhookDeliveryFailed"
	ReasonInvalid     = "ValidationFailed"
	ReasonCancelled   = "Cancelled"
	ReasonSuspended   = "Suspended"
)

// DeliveryState is the state of the webhook call of an operation (5.3).
type DeliveryState string

// The states of a delivery.
const (
	DeliveryNone       DeliveryState = ""           // the publisher is not told
	DeliveryQueued     DeliveryState = "Queued"     // no attempt yet
	DeliveryWaiting    DeliveryState = "Waiting"    // an attempt failed, the next one is due
	DeliveryAccepted   DeliveryState = "Accepted"   // answered 2xx
	DeliveryRejected   DeliveryState = "Rejected"   // answered 4xx to a change, profile current only
	DeliveryAbandoned  DeliveryState = "Abandoned"  // retries used up
	DeliverySuperseded DeliveryState = "Superseded" // ended by a Suspend or Unsubscribe
)

// Delivery is what is known of the webhook call.
type Delivery struct {
	State      DeliveryState `json:"state,omitempty"`
	Attempts   int           `json:"attempts,omitempty"` // finished ones
	FirstAt    time.Time     `json:"firstAt,omitzero"`
	NextAt     time.Time     `json:"nextAt,omitzero"` // of the attempt that is due
	AcceptedAt time.Time     `json:"acceptedAt,omitzero"`
	AckBy      time.Time     `json:"ackBy,omitzero"` // completed as Success when nobody acknowledges until then
}

// Operation is a change of a subscription, asked for or done (3.13).
type Operation struct {
	ID             string          `json:"id"`
	ActivityID     string          `json:"activityId"`
	SubscriptionID string          `json:"subscriptionId"`
	PublisherID    string          `json:"publisherId"`
	OfferID        string          `json:"offerId"`
	PlanID         string          `json:"planId"`             // requested, or current
	Quantity       int             `json:"quantity,omitempty"` // requested, or current
	Action         Action          `json:"action"`
	Status         OperationStatus `json:"status"`
	Source         Source          `json:"source"`
	CreatedAt      time.Time       `json:"createdAt"`
	EndedAt        time.Time       `json:"endedAt,omitzero"`
	ErrorCode      string          `json:"errorStatusCode,omitempty"`
	ErrorMessage   string          `json:"errorMessage,omitempty"`
	UnitPrice      decimal.Decimal `json:"unitPrice"`           // contract price of the requested plan
	TrialPlan      bool            `json:"trialPlan,omitempty"` // the requested plan offers a free trial
	RequestID      string          `json:"requestId,omitempty"` // of the request that made it, with its correlation id (FUL-8)
	CorrelationID  string          `json:"correlationId,omitempty"`
	Delivery       Delivery        `json:"delivery"`

	ETag string `json:"-"` // of the stored row as read; empty for a new one
}

// Pending reports whether the operation still locks its subscription (FUL-54).
func (o *Operation) Pending() bool { return o.Status == NotStarted || o.Status == InProgress }

// end gives the operation its final status (FUL-67).
func (o *Operation) end(status OperationStatus, now time.Time, code, why string) {
	o.Status, o.EndedAt, o.ErrorCode, o.ErrorMessage = status, now, code, why
}
