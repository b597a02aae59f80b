package fulfillment

import (
	"net/http"

	"stoa/shared/subscription"
	"stoa/shared/web"
)

type resolved struct {
	ID           string            `json:"id"`
	Name         string            `json:"subscriptionName"`
	OfferID      string            `json:"offerId"`
	PlanID       string            `json:"planId"`
	Quantity     any               `json:"quantity,omitempty"`
	Subscription subscription.Wire `json:"subscription"`
}

// resolve exchanges a landing token for the subscription: 200 in every state (FUL-22 to FUL-25).
func (h *Handler) resolve(w http.ResponseWriter, r *http.Request) error {
	sub, err := h.deps.Subscriptions.Resolve(r.Context(), web.Caller(r.Context()), r.Header.Get("x-ms-marketplace-token"))
	if err != nil {
		return err
	}
	wire := h.deps.Profile.Wire(&sub)
	return web.WriteJSON(w, http.StatusOK, resolved{
		ID: wire.ID, Name: wire.Name, OfferID: wire.OfferID, PlanID: wire.PlanID, Quantity: wire.Quantity, Subscription: wire,
	})
}

// activate starts a purchased subscription: 200 with an empty body (FUL-27 to FUL-31).
func (h *Handler) activate(w http.ResponseWriter, r *http.Request) error {
	sub, err := h.owned(r)
	if err != nil {
		return err
	}
	var in struct {
		PlanID   string `json:"planId"`
		Quantity seats  `json:"quantity"`
	}
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	err = h.deps.Subscriptions.Activate(r.Context(), sub, subscription.Activation{PlanID: in.PlanID, Seats: subscription.Seats(in.Quantity)})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

type subscriptionPage struct {
	Subscriptions []subscription.Wire `json:"subscriptions"`
	NextLink      string              `json:"@nextLink,omitempty"`
}

// list answers a page of the publisher's subscriptions (FUL-35 to FUL-38).
func (h *Handler) list(w http.ResponseWriter, r *http.Request) error {
	caller := web.Caller(r.Context())
	pages := web.Pages{Key: h.deps.Pages.Key, Param: "continuationToken"}
	after, err := pages.Decode(scope(caller), r.URL.Query().Get(pages.Param))
	if err != nil {
		if refused := h.deps.Subscriptions.Registered(r.Context(), caller); refused != nil {
			return refused // FUL-6: before the parameters
		}
		return err
	}
	subs, next, err := h.deps.Subscriptions.List(r.Context(), caller, after)
	if err != nil {
		return err
	}
	out := subscriptionPage{Subscriptions: make([]subscription.Wire, len(subs)), NextLink: h.nextLink(h.deps.Pages.Encode(scope(caller), next))}
	for i := range subs {
		out.Subscriptions[i] = h.deps.Profile.Wire(&subs[i])
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

// get answers one subscription (FUL-39).
func (h *Handler) get(w http.ResponseWriter, r *http.Request) error {
	sub, err := h.owned(r)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, h.deps.Profile.Wire(&sub))
}

// change asks for another plan or other seats: 202 with the operation's place (FUL-46 to FUL-55).
func (h *Handler) change(w http.ResponseWriter, r *http.Request) error {
	sub, err := h.owned(r)
	if err != nil {
		return err
	}
	var in struct {
		PlanID   string `json:"planId"`
		Quantity seats  `json:"quantity"`
	}
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	o, err := h.deps.Subscriptions.Change(r.Context(), sub, subscription.Target{PlanID: in.PlanID, Seats: subscription.Seats(in.Quantity)})
	if err != nil {
		return err
	}
	h.accepted(w, o)
	return nil
}

// cancel ends the subscription: 202, and 200 when it had ended before (FUL-59, FUL-60).
func (h *Handler) cancel(w http.ResponseWriter, r *http.Request) error {
	sub, err := h.owned(r)
	if err != nil {
		return err
	}
	o, err := h.deps.Subscriptions.Cancel(r.Context(), sub)
	if err != nil {
		return err
	}
	if o.ID == "" {
		w.WriteHeader(http.StatusOK)
		return nil
	}
	h.accepted(w, o)
	return nil
}
