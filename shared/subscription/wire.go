package subscription

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// PartyWire is a party as the contract writes it (3.12).
type PartyWire struct {
	EmailID  string `json:"emailId"`
	ObjectID string `json:"objectId"`
	TenantID string `json:"tenantId"`
	PID      string `json:"pid,omitempty"`
	PUID     string `json:"puid"`
}

// TermWire is the term as the contract writes it: without dates while it has not begun (FUL-33).
type TermWire struct {
	StartDate string `json:"startDate,omitempty"`
	EndDate   string `json:"endDate,omitempty"`
	TermUnit  string `json:"termUnit"`
}

// Wire is a subscription as the public contract writes it, in the API and in webhook calls (6.6).
type Wire struct {
	ID          string     `json:"id"`
	Name        string     `json:"name"`
	PublisherID string     `json:"publisherId"`
	OfferID     string     `json:"offerId"`
	PlanID      string     `json:"planId"`
	Quantity    any        `json:"quantity,omitempty"` // text, in profile current a number
	Beneficiary PartyWire  `json:"beneficiary"`
	Purchaser   PartyWire  `json:"purchaser"`
	Allowed     []string   `json:"allowedCustomerOperations"`
	SessionMode string     `json:"sessionMode"`
	FreeTrial   bool       `json:"isFreeTrial"`
	Test        bool       `json:"isTest"`
	SandboxType string     `json:"sandboxType"`
	Status      Status     `json:"saasSubscriptionStatus"`
	Term        TermWire   `json:"term"`
	AutoRenew   *bool      `json:"autoRenew,omitempty"` // profile current
	Created     *time.Time `json:"created,omitempty"`
	Modified    *time.Time `json:"lastModified,omitempty"`
}

// Wire writes a subscription in the words of the contract.
func (p Profile) Wire(s *Subscription) Wire {
	w := Wire{
		ID: s.ID, Name: s.Name, PublisherID: s.PublisherID, OfferID: s.OfferID, PlanID: s.PlanID, Quantity: p.Quantity(s.Quantity),
		Beneficiary: p.party(s.Beneficiary), Purchaser: p.party(s.Purchaser), Allowed: s.Allowed(),
		SessionMode: "None", SandboxType: "None", FreeTrial: s.FreeTrial, Test: s.Preview, Status: s.Status,
		Term: TermWire{TermUnit: s.TermUnit},
	}
	if t, ok := s.CurrentTerm(); ok {
		w.Term = TermWire{StartDate: t.StartDate, EndDate: t.EndDate, TermUnit: t.Unit}
		if p == Current {
			w.Term.StartDate += "T00:00:00Z"
			w.Term.EndDate += "T00:00:00Z"
		}
	}
	if p == Current {
		w.AutoRenew, w.Created, w.Modified = &s.AutoRenew, &s.CreatedAt, &s.ChangedAt
	}
	return w
}

// Quantity writes seats: text, empty when the plan is not per seat (FUL-41), or in profile current a number that
// is left out.
func (p Profile) Quantity(seats int) any {
	switch {
	case p == Current && seats == 0:
		return nil
	case p == Current:
		return seats
	case seats == 0:
		return ""
	}
	return strconv.Itoa(seats)
}

func (p Profile) party(party Party) PartyWire {
	w := PartyWire{EmailID: party.EmailID, ObjectID: party.ObjectID, TenantID: party.TenantID, PID: party.PID, PUID: party.PID}
	if p == Current {
		w.PID = ""
	}
	return w
}

// OperationWire is an operation as the contract writes it (6.11).
type OperationWire struct {
	ID             string `json:"id"`
	ActivityID     string `json:"activityId"`
	SubscriptionID string `json:"subscriptionId"`
	OfferID        string `json:"offerId"`
	PublisherID    string `json:"publisherId"`
	PlanID         string `json:"planId"`
	Quantity       any    `json:"quantity,omitempty"`
	Action         Action `json:"action"`
	TimeStamp      string `json:"timeStamp"`
	Status         string `json:"status"`
}

// Operation writes an operation in the words of the contract.
func (p Profile) Operation(o *Operation) OperationWire {
	return OperationWire{
		ID: o.ID, ActivityID: o.ActivityID, SubscriptionID: o.SubscriptionID, OfferID: o.OfferID, PublisherID: o.PublisherID,
		PlanID: o.PlanID, Quantity: p.Quantity(o.Quantity), Action: o.Action, TimeStamp: stamp(o.CreatedAt), Status: string(o.Status),
	}
}

// payload is the body of the webhook call: the operation, with the time of the first attempt (FUL-73, 6.13).
func (s *Service) payload(sub *Subscription, o *Operation) []byte {
	body := struct {
		OperationWire
		RequestSource Source          `json:"operationRequestSource,omitempty"`
		Subscription  *Wire           `json:"subscription,omitempty"`
		PurchaseToken json.RawMessage `json:"purchaseToken,omitempty"`
	}{OperationWire: s.deps.Profile.Operation(o)}
	body.TimeStamp = stamp(o.Delivery.FirstAt)
	if o.Status == Succeeded { // notify only
		body.Status = "Success"
	}
	if s.deps.Profile == Current { // FUL-83
		wire := s.deps.Profile.Wire(sub)
		body.Status = string(o.Status)
		body.RequestSource, body.Subscription, body.PurchaseToken = o.Source, &wire, json.RawMessage("null")
	}
	raw, err := json.Marshal(body)
	if err != nil {
		panic(fmt.Sprintf("webhook of %s: %v", o.ID, err)) // texts and numbers always encode
	}
	return raw
}
