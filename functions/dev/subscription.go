package dev

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/subscription"
	"stoa/shared/web"
)

// Subscriptions is what customers, their payments and the calendar do. *subscription.Service does.
type Subscriptions interface {
	Terms(ctx context.Context, in subscription.Shelf) ([]subscription.Document, error)
	Purchase(ctx context.Context, o subscription.Order) (subscription.Subscription, error)
	Landing(ctx context.Context, buyer account.Caller, id, reason string) (string, error)
	ChangeByBuyer(ctx context.Context, buyer account.Caller, id string, to subscription.Target) (subscription.Operation, error)
	CancelByBuyer(ctx context.Context, buyer account.Caller, id string) (subscription.Operation, error)
	Suspend(ctx context.Context, id string) (subscription.Operation, error)
	Reinstate(ctx context.Context, id string) (subscription.Operation, error)
	Work(ctx context.Context, w subscription.Work) error
}

// Reader reads a subscription for nobody in particular. NotFound.
type Reader interface {
	Subscription(ctx context.Context, id string) (subscription.Subscription, error)
}

// subscriptionRoutes mounts what is done to subscriptions.
func (h *Handler) subscriptionRoutes(g *web.Group) {
	const one = "/dev/subscriptions/{id}"
	g.Handle(http.MethodPost, "/dev/purchases", web.Open(), h.purchase)
	g.Handle(http.MethodGet, one, web.Open(), h.subscription)
	g.Handle(http.MethodPost, one+"/landing", web.Open(), h.landing)
	g.Handle(http.MethodPost, one+"/changePlan", web.Open(), h.act(h.changePlan))
	g.Handle(http.MethodPost, one+"/changeQuantity", web.Open(), h.act(h.changeQuantity))
	g.Handle(http.MethodPost, one+"/suspend", web.Open(), h.act(h.failPayment))
	g.Handle(http.MethodPost, one+"/failPayment", web.Open(), h.act(h.failPayment))
	g.Handle(http.MethodPost, one+"/reinstate", web.Open(), h.act(h.reinstate))
	g.Handle(http.MethodPost, one+"/renew", web.Open(), h.act(h.renew))
	g.Handle(http.MethodPost, one+"/cancel", web.Open(), h.act(h.cancel))
}

type termWire struct {
	StartDate string `json:"startDate"`
	EndDate   string `json:"endDate"`
	TermUnit  string `json:"termUnit"`
}

type subscriptionWire struct {
	ID          string              `json:"subscriptionId"`
	PublisherID string              `json:"publisherId"`
	OfferID     string              `json:"offerId"`
	PlanID      string              `json:"planId"`
	Quantity    int                 `json:"quantity,omitempty"`
	Status      subscription.Status `json:"saasSubscriptionStatus"`
	Term        *termWire           `json:"term,omitempty"`
	AutoRenew   bool                `json:"autoRenew"`
	Customer    string              `json:"customer"`
	Operation   string              `json:"operationId,omitempty"` // what the act made, else what is pending
}

func wireOf(sub *subscription.Subscription, operationID string) subscriptionWire {
	if operationID == "" {
		operationID = sub.PendingOp
	}
	out := subscriptionWire{
		ID: sub.ID, PublisherID: sub.PublisherID, OfferID: sub.OfferID, PlanID: sub.PlanID, Quantity: sub.Quantity, Status: sub.Status,
		AutoRenew: sub.AutoRenew, Customer: sub.Purchaser.EmailID, Operation: operationID,
	}
	if t, ok := sub.CurrentTerm(); ok {
		out.Term = &termWire{t.StartDate, t.EndDate, t.Unit}
	}
	return out
}

func (h *Handler) find(r *http.Request) (subscription.Subscription, error) {
	unknown := fault.New(fault.NotFound, subscription.CodeNotFound, "id", "There is no subscription with this id.")
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		return subscription.Subscription{}, unknown.Because(err)
	}
	sub, err := h.Reader.Subscription(r.Context(), id.String())
	if fault.Is(err, fault.NotFound) {
		return sub, unknown.Because(err)
	}
	return sub, err
}

func (h *Handler) subscription(w http.ResponseWriter, r *http.Request) error {
	sub, err := h.find(r)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, wireOf(&sub, ""))
}

// landing answers the address of the landing page with a new token, as the customer's button opens it.
func (h *Handler) landing(w http.ResponseWriter, r *http.Request) error {
	sub, err := h.find(r)
	if err != nil {
		return err
	}
	address, err := h.open(r.Context(), &sub)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store") // the token opens the purchase
	return web.WriteJSON(w, http.StatusOK, map[string]string{"landingUrl": address})
}

// act does something to a subscription and answers 202 with the subscription as it stands then; the publisher is
// told later, by its webhook.
func (h *Handler) act(do func(r *http.Request, sub *subscription.Subscription) (operationID string, err error)) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		sub, err := h.find(r)
		if err != nil {
			return err
		}
		operationID, err := do(r, &sub)
		if err != nil {
			return err
		}
		if sub, err = h.find(r); err != nil {
			return err
		}
		return web.WriteJSON(w, http.StatusAccepted, wireOf(&sub, operationID))
	}
}

// made is what came of an act: the operation it made, or a fault that names the subscription if it names nothing.
func made(o subscription.Operation, err error) (string, error) { return o.ID, about(err, "id") }

// failPayment is a charge that failed: Suspended at once, the webhook says Suspend (FUL-84).
func (h *Handler) failPayment(r *http.Request, sub *subscription.Subscription) (string, error) {
	return made(h.Subscriptions.Suspend(r.Context(), sub.ID))
}

// reinstate is a payment in the grace period: the webhook says Reinstate (FUL-86).
func (h *Handler) reinstate(r *http.Request, sub *subscription.Subscription) (string, error) {
	return made(h.Subscriptions.Reinstate(r.Context(), sub.ID))
}

func (h *Handler) cancel(r *http.Request, sub *subscription.Subscription) (string, error) {
	return made(h.Subscriptions.CancelByBuyer(r.Context(), buyerOf(sub), sub.ID))
}

func (h *Handler) changePlan(r *http.Request, sub *subscription.Subscription) (string, error) {
	var in struct {
		PlanID string `json:"planId"`
	}
	if err := web.Decode(r, &in); err != nil {
		return "", err
	}
	if in.PlanID == "" {
		return "", fault.New(fault.Invalid, subscription.CodeRequired, "planId", "The planId is required.")
	}
	return made(h.Subscriptions.ChangeByBuyer(r.Context(), buyerOf(sub), sub.ID, subscription.Target{PlanID: in.PlanID}))
}

func (h *Handler) changeQuantity(r *http.Request, sub *subscription.Subscription) (string, error) {
	var in struct {
		Quantity quantity `json:"quantity"`
	}
	if err := web.Decode(r, &in); err != nil {
		return "", err
	}
	if !in.Quantity.Given {
		return "", fault.New(fault.Invalid, subscription.CodeRequired, "quantity", "The quantity is required.")
	}
	return made(h.Subscriptions.ChangeByBuyer(r.Context(), buyerOf(sub), sub.ID, subscription.Target{Seats: subscription.Seats(in.Quantity)}))
}

// renew lets the term of a subscription end: the clock of the whole stack goes ahead to that instant, and the
// subscription renews, converts its trial, or ends when it does not renew (FUL-88, FUL-89, FUL-95).
func (h *Handler) renew(r *http.Request, sub *subscription.Subscription) (string, error) {
	term, ok := sub.CurrentTerm()
	if !ok || sub.Status != subscription.Subscribed {
		return "", fault.New(fault.Conflict, subscription.CodeConflict, "saasSubscriptionStatus",
			"The subscription is %s: only a Subscribed one renews.", sub.Status)
	}
	if err := h.passTo(r.Context(), term.EndsAt()); err != nil {
		return "", err
	}
	return "", about(h.Subscriptions.Work(r.Context(), subscription.Work{SubscriptionID: sub.ID, Kind: subscription.TermEnd}), "id")
}

// passTo moves the clock ahead to an instant, unless it has come already.
func (h *Handler) passTo(ctx context.Context, at time.Time) error {
	wait := at.Sub(h.Clock.Now())
	if wait <= 0 {
		return nil
	}
	if _, err := h.Clock.Advance(wait); err != nil {
		return err
	}
	if h.Moved == nil {
		return nil
	}
	return h.Moved(ctx)
}

// about gives a fault that names no field one.
func about(err error, target string) error {
	var f *fault.Error
	if !errors.As(err, &f) || f.Target != "" || len(f.Details) > 0 {
		return err
	}
	named := *f
	named.Target = target
	return &named
}
