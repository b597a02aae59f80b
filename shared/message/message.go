// Package message is the vocabulary of what leaves an act: messages for queues, at once or when they are due.
//
// A message carries ids, a kind and the ids of the request that caused it, never a copy of the state: the consumer
// reads the state and decides again. Delivery is at least once and unordered.
package message

import (
	"encoding/json"
	"fmt"
	"time"
)

// Queue names, as in infra/resources.json.
const (
	PublishSteps  = "publish-steps"
	Webhooks      = "webhooks"
	LedgerEvents  = "ledger-events"
	Leads         = "leads"
	TestDrives    = "test-drives"
	PayoutItems   = "payout-items"
	Notifications = "notifications"
	UsageAccepted = "usage-accepted"
	UsageReviews  = "usage-reviews"
)

// Queues are all of them.
var Queues = []string{PublishSteps, Webhooks, LedgerEvents, Leads, TestDrives, PayoutItems, Notifications, UsageAccepted, UsageReviews}

// Message is one thing to send after the commit of the act that causes it.
type Message struct {
	// ID makes the message unique: a second one with the same id within the queue's window is dropped.
	// Derive it from what causes the message, so that a repeated act meets itself.
	ID string `json:"id"`
	// Queue is the name of the queue the message is for.
	Queue string `json:"queue"`
	// Body is the JSON the consumer reads.
	Body json.RawMessage `json:"body"`
	// Due is when the message may be sent. Zero means at once; later ones wait in the agenda.
	Due time.Time `json:"due,omitzero"`
	// RequestID and CorrelationID tie the message to the request that caused it (FUL-8).
	RequestID     string `json:"requestId,omitempty"`
	CorrelationID string `json:"correlationId,omitempty"`
}

// New makes a message whose body is the JSON of v. It panics when v cannot be marshalled, which is a broken
// program and not an input.
func New(id, queue string, v any) Message {
	body, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("message %s for %s: %v", id, queue, err))
	}
	return Message{ID: id, Queue: queue, Body: body}
}

// At returns the message, due at t.
func (m Message) At(t time.Time) Message {
	m.Due = t
	return m
}

// Caused returns the message with the ids of the request that causes it.
func (m Message) Caused(c Cause) Message {
	m.RequestID, m.CorrelationID = c.RequestID, c.CorrelationID
	return m
}

// Cause is the request that caused the message, for the context of what is done about it.
func (m Message) Cause() Cause { return Cause{RequestID: m.RequestID, CorrelationID: m.CorrelationID} }
