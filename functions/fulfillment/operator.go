package fulfillment

import (
	"context"
	"net/http"

	"stoa/shared/subscription"
	"stoa/shared/web"
)

// Operator mounts what stands for the payment system: a charge that failed, one that was made up for, and the events
// that say either.
func (h *Handler) Operator(g *web.Group) {
	const one = "/operator/v1/subscriptions/{id}"
	g.Handle(http.MethodPost, one+"/suspend", web.Operator(), h.payment(h.deps.Subscriptions.Suspend))
	g.Handle(http.MethodPost, one+"/reinstate", web.Operator(), h.payment(h.deps.Subscriptions.Reinstate))
	g.Handle(http.MethodPost, "/operator/v1/billing/events", web.Operator(), h.paymentEvent)
}

// payment performs an act of the payment system on the subscription of the request: 202 with its operation (FUL-84,
// FUL-86).
func (h *Handler) payment(act func(context.Context, string) (subscription.Operation, error)) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		o, err := act(r.Context(), r.PathValue("id"))
		if err != nil {
			return err
		}
		return writeOperation(w, o)
	}
}

// paymentEvent hears of a payment: 202, also for an event that was heard before or is of no use (6.16).
func (h *Handler) paymentEvent(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		ID             string `json:"id"`
		SubscriptionID string `json:"subscriptionId"`
		Type           string `json:"type"`
	}
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	event := subscription.PaymentEvent{ID: in.ID, SubscriptionID: in.SubscriptionID, Type: in.Type}
	if err := h.deps.Subscriptions.Payment(r.Context(), event); err != nil {
		return err
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}
