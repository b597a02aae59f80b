package subscription

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"

	"stoa/shared/fault"
)

// Event is something that happens to a subscription (lifecycle.json).
type Event string

// The events that are taken through the table. Reading and resolving are allowed in every state and change none.
const (
	IssueLandingToken         Event = "IssueLandingToken"
	Activate                  Event = "Activate"
	ChangePlanByPublisher     Event = "ChangePlan.byPublisher"
	ChangePlanByCustomer      Event = "ChangePlan.byCustomer"
	ChangeQuantityByPublisher Event = "ChangeQuantity.byPublisher"
	ChangeQuantityByCustomer  Event = "ChangeQuantity.byCustomer"
	AckSuccess                Event = "Operation.AckSuccess"
	PaymentFailed             Event = "Payment.Failed"
	PaymentRecovered          Event = "Payment.Recovered"
	TermEndAutoRenewOn        Event = "Term.End.AutoRenewOn"
	TermEndAutoRenewOff       Event = "Term.End.AutoRenewOff"
	TrialEnd                  Event = "Trial.End"
	CancelByPublisher         Event = "Cancel.byPublisher"
	CancelByCustomer          Event = "Cancel.byCustomer"
	GraceExpired              Event = "Grace.Expired"
	PendingExpired            Event = "Pending.Expired"
	AutoRenewSet              Event = "AutoRenew.Set"
)

// Codes of the faults of this package: the words of the public contract.
const (
	CodeRequired     = "RequiredField"
	CodeInvalid      = "InvalidValue"
	CodeBadRequest   = "BadRequest"
	CodeNotFound     = "EntityNotFound"
	CodeConflict     = "Conflict"
	CodeForbidden    = "Forbidden"
	CodeNoHeader     = "HeaderNotPresent"
	CodeInvalidToken = "InvalidToken"
	CodeTokenExpired = "TokenExpired"

	CodeTermsNotAccepted = "TermsNotAccepted"          // SAS-19
	CodePayment          = "PaymentMethodNotSupported" // SAS-51
	CodeTrialNotEnded    = "TrialNotEnded"             // SAS-54
)

// move is one cell of the table.
type move struct {
	To        Status  `json:"to"`
	Refuse    *refuse `json:"refuse"`
	Operation Action  `json:"operation"` // the operation it makes, empty for none
	Webhook   bool    `json:"webhook"`   // the publisher is told
}

// refuse says why an event does nothing in a state; without an http status nobody waits for the answer.
type refuse struct {
	HTTP int    `json:"http"`
	Code string `json:"code"`
	Why  string `json:"why"`
}

type cell struct {
	From  Status `json:"from"`
	Event Event  `json:"event"`
}

//go:embed lifecycle.json
var lifecycleJSON []byte

var lifecycle = readLifecycle(lifecycleJSON)

// allStates are the states in the order of a life.
var allStates = []Status{PendingFulfillmentStart, Subscribed, Suspended, Unsubscribed}

func readLifecycle(raw []byte) map[cell]move {
	var file struct {
		Transitions []struct {
			cell
			move
		} `json:"transitions"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		panic(fmt.Sprintf("lifecycle.json: %v", err))
	}
	table := map[cell]move{}
	for _, t := range file.Transitions {
		if _, twice := table[t.cell]; twice {
			panic(fmt.Sprintf("lifecycle.json: %s in %s stands twice", t.Event, t.From))
		}
		table[t.cell] = t.move
	}
	return table
}

// step looks up what an event does in a state. A refusal is the fault of the contract.
func step(from Status, e Event) (move, error) {
	m, ok := lifecycle[cell{from, e}]
	if !ok {
		return move{}, fmt.Errorf("lifecycle.json does not say what %s does in %q", e, from)
	}
	if m.Refuse == nil {
		return m, nil
	}
	kind, code := fault.Conflict, CodeConflict // nobody waits: the event changes nothing
	switch m.Refuse.HTTP {
	case 400:
		kind, code = fault.Invalid, m.Refuse.Code
	case 404:
		kind, code = fault.NotFound, m.Refuse.Code
	case 409:
		code = m.Refuse.Code
	}
	return m, fault.New(kind, code, "saasSubscriptionStatus", "Expected the status %s, found %s: %s.", takes(e), from, m.Refuse.Why)
}

// takes names the states in which the event is not refused.
func takes(e Event) string {
	var in []string
	for _, s := range allStates {
		if m, ok := lifecycle[cell{s, e}]; ok && m.Refuse == nil {
			in = append(in, string(s))
		}
	}
	return strings.Join(in, " or ")
}
