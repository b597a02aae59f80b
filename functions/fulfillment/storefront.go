package fulfillment

import (
	"net/http"
	"strings"

	"stoa/shared/fault"
	"stoa/shared/subscription"
	"stoa/shared/web"
)

// Storefront mounts what customers and resellers do: accept terms, buy, look, configure, change, cancel (6.16).
func (h *Handler) Storefront(g *web.Group) {
	const all, one = "/storefront/v1/subscriptions", "/storefront/v1/subscriptions/{id}"
	g.Handle(http.MethodGet, "/storefront/v1/terms", web.Customer(), h.terms)
	g.Handle(http.MethodPut, "/storefront/v1/terms", web.Customer(), h.acceptTerms)
	g.Handle(http.MethodPost, "/storefront/v1/purchases", web.Customer(), h.purchase)
	g.Handle(http.MethodGet, all, web.Customer(), h.bought)
	g.Handle(http.MethodGet, one, web.Customer(), h.boughtOne)
	g.Handle(http.MethodPost, one+"/configure", web.Customer(), h.landing(subscription.ReasonConfigure))
	g.Handle(http.MethodPost, one+"/manage", web.Customer(), h.landing(subscription.ReasonManage))
	g.Handle(http.MethodPost, one+"/changePlan", web.Customer(), h.buyerChanges(false))
	g.Handle(http.MethodPost, one+"/changeQuantity", web.Customer(), h.buyerChanges(true))
	g.Handle(http.MethodPost, one+"/cancel", web.Customer(), h.buyerCancels)
	g.Handle(http.MethodPut, one+"/autoRenew", web.Customer(), h.autoRenew)
}

type beneficiary struct {
	EmailID  string `json:"emailId"`
	ObjectID string `json:"objectId"`
	TenantID string `json:"tenantId"`
	PID      string `json:"pid"`
}

type order struct {
	PublisherID string       `json:"publisherId"`
	OfferID     string       `json:"offerId"`
	PlanID      string       `json:"planId"`
	TermUnit    string       `json:"termUnit"`
	Quantity    seats        `json:"quantity"`
	Market      string       `json:"market"`
	Store       string       `json:"store"`
	Name        string       `json:"subscriptionName"`
	Beneficiary *beneficiary `json:"beneficiary"`
	Payment     struct {
		Method string `json:"method"`
	} `json:"payment"`
	AcceptedTerms []string `json:"acceptedTerms"`
	AutoRenew     *bool    `json:"autoRenew"`
}

// purchase buys a plan: 201; the same again with the same Idempotency-Key answers the same (FUL-14, FUL-15).
func (h *Handler) purchase(w http.ResponseWriter, r *http.Request) error {
	var in order
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	key := r.Header.Get("Idempotency-Key")
	if err := in.checkSizes(key); err != nil {
		return err
	}
	o := subscription.Order{
		Key: key, Buyer: web.Caller(r.Context()), PublisherID: in.PublisherID, OfferID: in.OfferID, PlanID: in.PlanID,
		TermUnit: in.TermUnit, Seats: subscription.Seats(in.Quantity), Market: strings.ToUpper(in.Market), Store: in.Store, Name: in.Name,
		PaymentMethod: in.Payment.Method, AcceptedTerms: in.AcceptedTerms, AutoRenew: in.AutoRenew == nil || *in.AutoRenew,
	}
	if b := in.Beneficiary; b != nil {
		o.Beneficiary = &subscription.Party{EmailID: b.EmailID, ObjectID: b.ObjectID, TenantID: b.TenantID, PID: b.PID}
	}
	sub, err := h.deps.Subscriptions.Purchase(r.Context(), o)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusCreated, struct {
		ID     string              `json:"subscriptionId"`
		Status subscription.Status `json:"saasSubscriptionStatus"`
	}{sub.ID, sub.Status})
}

type boughtPage struct {
	Items        []subscription.Wire `json:"items"`
	Continuation string              `json:"continuation,omitempty"`
}

// bought answers a page of the person's own subscriptions.
func (h *Handler) bought(w http.ResponseWriter, r *http.Request) error {
	caller := web.Caller(r.Context())
	scope := "storefront/subscriptions/" + strings.ToLower(caller.TenantID+"/"+caller.ObjectID)
	after, err := h.deps.Pages.Decode(scope, r.URL.Query().Get("continuation"))
	if err != nil {
		return err
	}
	subs, next, err := h.deps.Subscriptions.ListBought(r.Context(), caller, after)
	if err != nil {
		return err
	}
	out := boughtPage{Items: make([]subscription.Wire, len(subs)), Continuation: h.deps.Pages.Encode(scope, next)}
	for i := range subs {
		out.Items[i] = h.deps.Profile.Wire(&subs[i])
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

// boughtOne answers one of the person's subscriptions with its pending operation.
func (h *Handler) boughtOne(w http.ResponseWriter, r *http.Request) error {
	sub, err := h.deps.Subscriptions.Bought(r.Context(), web.Caller(r.Context()), r.PathValue("id"))
	if err != nil {
		return err
	}
	out := struct {
		subscription.Wire
		Renews  bool                        `json:"autoRenew"`
		Pending *subscription.OperationWire `json:"pendingOperation,omitempty"`
	}{Wire: h.deps.Profile.Wire(&sub), Renews: sub.AutoRenew}
	if sub.PendingOp != "" {
		o, err := h.deps.Subscriptions.OperationOf(r.Context(), &sub, sub.PendingOp)
		if err != nil {
			return err
		}
		wire := h.deps.Profile.Operation(&o)
		out.Pending = &wire
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

// landing answers where the browser is to go: the landing page with a new token (FUL-18 to FUL-21).
func (h *Handler) landing(reason string) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		address, err := h.deps.Subscriptions.Landing(r.Context(), web.Caller(r.Context()), r.PathValue("id"), reason)
		if err != nil {
			return err
		}
		w.Header().Set("Cache-Control", "no-store")
		return web.WriteJSON(w, http.StatusOK, map[string]string{"redirectUrl": address})
	}
}

// surfacePortal offers no changes of plan and seats (FUL-57).
const surfacePortal = "AzurePortal"

// buyerChanges asks for another plan or other seats: 202 (FUL-56, FUL-57).
func (h *Handler) buyerChanges(ofSeats bool) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		var in struct {
			PlanID   string `json:"planId"`
			Quantity seats  `json:"quantity"`
			Surface  string `json:"surface"`
		}
		if err := web.Decode(r, &in); err != nil {
			return err
		}
		if strings.EqualFold(in.Surface, surfacePortal) {
			return fault.New(fault.Invalid, subscription.CodeInvalid, "surface", "Plan and seats are changed in the Admin Center: expected another surface, found %s.", shown(in.Surface))
		}
		to := subscription.Target{PlanID: in.PlanID}
		if ofSeats {
			to = subscription.Target{Seats: subscription.Seats(in.Quantity)}
		}
		switch {
		case ofSeats && !in.Quantity.Given:
			return fault.New(fault.Invalid, subscription.CodeRequired, "quantity", "The quantity is required: expected a whole number, found none.")
		case !ofSeats && in.PlanID == "":
			return fault.New(fault.Invalid, subscription.CodeRequired, "planId", "The planId is required: expected one of the plans the subscription may have, found none.")
		}
		o, err := h.deps.Subscriptions.ChangeByBuyer(r.Context(), web.Caller(r.Context()), r.PathValue("id"), to)
		if err != nil {
			return err
		}
		return writeOperation(w, o)
	}
}

func writeOperation(w http.ResponseWriter, o subscription.Operation) error {
	return web.WriteJSON(w, http.StatusAccepted, struct {
		ID string `json:"operationId,omitempty"`
	}{o.ID})
}

// buyerCancels ends a subscription: 202, without an operation while it was pending.
func (h *Handler) buyerCancels(w http.ResponseWriter, r *http.Request) error {
	o, err := h.deps.Subscriptions.CancelByBuyer(r.Context(), web.Caller(r.Context()), r.PathValue("id"))
	if err != nil {
		return err
	}
	return writeOperation(w, o)
}

// autoRenew switches renewal on or off (FUL-89).
func (h *Handler) autoRenew(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Enabled *bool `json:"enabled"`
	}
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	if in.Enabled == nil {
		return fault.New(fault.Invalid, subscription.CodeRequired, "enabled", "The member enabled is required: expected true or false, found none.")
	}
	if err := h.deps.Subscriptions.SetAutoRenew(r.Context(), web.Caller(r.Context()), r.PathValue("id"), *in.Enabled); err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, map[string]bool{"enabled": *in.Enabled})
}
