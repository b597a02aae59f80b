package leads

import (
	"strings"
	"time"

	"stoa/shared/lead"
	"stoa/shared/offer"
)

// wire is a lead as publishers and staff see it.
type wire struct {
	LeadID      string         `json:"leadId"`
	PublisherID string         `json:"publisherId"`
	OfferID     string         `json:"offerId"`
	OfferTitle  string         `json:"offerTitle"`
	PlanID      string         `json:"planId,omitempty"`
	Slot        string         `json:"slot"`
	Source      lead.Source    `json:"source"`
	Action      lead.Action    `json:"action"`
	Kind        lead.Kind      `json:"kind"`
	LeadSource  string         `json:"leadSource"`
	State       lead.State     `json:"state"`
	Reason      string         `json:"reason,omitempty"`
	Destination string         `json:"destination,omitempty"`
	OccurredAt  time.Time      `json:"occurredAt"`
	CapturedAt  time.Time      `json:"capturedAt"`
	NextAttempt time.Time      `json:"nextAttemptAt,omitzero"`
	SessionID   string         `json:"sessionId,omitempty"`
	Customer    lead.Customer  `json:"customer"`
	Description string         `json:"description"`
	Attempts    []lead.Attempt `json:"attempts"`
}

func wires(list []lead.Lead, show bool) []wire {
	out := make([]wire, len(list))
	for i, l := range list {
		out[i] = wireOf(l, show)
	}
	return out
}

func wireOf(l lead.Lead, show bool) wire {
	if !show {
		l = l.Masked()
	}
	slot := "live"
	if l.Slot == offer.Preview {
		slot = strings.ToLower(string(l.Slot))
	}
	attempts := l.Attempts
	if attempts == nil {
		attempts = []lead.Attempt{}
	}
	return wire{
		LeadID: l.ID, PublisherID: l.PublisherID, OfferID: l.OfferID, OfferTitle: l.OfferTitle, PlanID: l.PlanID, Slot: slot,
		Source: l.Source, Action: l.Action, Kind: l.Kind, LeadSource: l.LeadSource, State: l.State, Reason: l.Reason,
		Destination: l.Destination, OccurredAt: l.OccurredAt, CapturedAt: l.CapturedAt, NextAttempt: l.DueAt, SessionID: l.SessionID,
		Customer: l.Customer, Description: l.Description, Attempts: attempts,
	}
}
