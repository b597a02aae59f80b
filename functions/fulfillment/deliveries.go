package fulfillment

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/subscription"
	"stoa/shared/web"
)

// The permissions of the webhook log: reading it goes with reading offers, calling a webhook with configuring it.
const (
	mayReadOffers = "offer.read"
	mayEditOffers = "offer.edit"
)

// Deliveries shows publishers what came of their webhook calls, and calls webhooks when they ask for it.
type Deliveries struct {
	Webhooks *subscription.Deliveries
	Pages    web.Pages
	Keys     []byte // the JWKS document that the tokens of webhook calls are verified with (FUL-81)
	// PublicURL is how receivers reach us, without a closing slash. The issuer of the tokens is its WebhookIssuer.
	PublicURL string
}

// Portal mounts the log of webhook calls, calls by hand, and the keys of their tokens.
func (h *Deliveries) Portal(g *web.Group) {
	const publisher = "/portal/v1/publishers/{publisherId}"
	g.Handle(http.MethodGet, publisher+"/webhook-deliveries", web.Publisher(mayReadOffers), h.list)
	g.Handle(http.MethodPost, publisher+"/webhook-deliveries/{operationId}/redeliver", web.Publisher(mayEditOffers), h.redeliver)
	g.Handle(http.MethodPost, publisher+"/webhook-tests", web.Publisher(mayEditOffers), h.test)
	g.Handle(http.MethodGet, keysPath, web.Open(), h.keys)
	g.Handle(http.MethodGet, issuerPath+"/.well-known/openid-configuration", web.Open(), h.discovery)
}

// delivery is a webhook call as its publisher sees it.
type delivery struct {
	Time           time.Time                  `json:"time"`
	Kind           subscription.DeliveryKind  `json:"kind"`
	OperationID    string                     `json:"operationId"`
	SubscriptionID string                     `json:"subscriptionId"`
	OfferID        string                     `json:"offerId"`
	PlanID         string                     `json:"planId"`
	Action         subscription.Action        `json:"action"`
	RequestID      string                     `json:"requestId,omitempty"`
	CorrelationID  string                     `json:"correlationId,omitempty"`
	Attempt        int                        `json:"attempt,omitempty"`
	Status         int                        `json:"status,omitempty"`
	Error          *deliveryError             `json:"error,omitempty"`
	LatencyMs      int64                      `json:"latencyMs"`
	Answer         string                     `json:"answer"`
	NextAttemptAt  time.Time                  `json:"nextAttemptAt,omitzero"`
	Outcome        subscription.DeliveryState `json:"outcome"`
}

// deliveryError says why no answer came.
type deliveryError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func deliveryOf(a *subscription.DeliveryAttempt) delivery {
	d := delivery{
		Time: a.At, Kind: a.Kind, OperationID: a.OperationID, SubscriptionID: a.SubscriptionID, OfferID: a.OfferID, PlanID: a.PlanID,
		Action: a.Action, RequestID: a.RequestID, CorrelationID: a.CorrelationID, Attempt: a.Attempt, Status: a.Status, LatencyMs: a.Latency.Milliseconds(), Answer: a.Answer,
		NextAttemptAt: a.NextAt, Outcome: a.Outcome,
	}
	if a.ErrorCode != "" {
		d.Error = &deliveryError{Code: a.ErrorCode, Message: a.ErrorMessage}
	}
	return d
}

// list answers a page of the publisher's webhook calls, the newest first. A filter of a subscription or an operation
// is looked for in a stretch of some thousand calls at a time, so a page may have fewer than were asked for, also none,
// and still be continued: a list is at its end when it has no continuation, not before.
func (h *Deliveries) list(w http.ResponseWriter, r *http.Request) error {
	f, err := deliveryFilter(r)
	if err != nil {
		return err
	}
	scope := strings.Join([]string{"webhook-deliveries", f.PublisherID, f.SubscriptionID, f.OperationID, f.From.Format(time.RFC3339Nano)}, "|")
	if f.After, err = h.Pages.Decode(scope, r.URL.Query().Get("continuation")); err != nil {
		return err
	}
	found, next, err := h.Webhooks.List(r.Context(), f)
	if err != nil {
		return err
	}
	out := web.Page[delivery]{Value: make([]delivery, len(found)), Continuation: h.Pages.Encode(scope, next)}
	for i := range found {
		out.Value[i] = deliveryOf(&found[i])
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

const (
	deliveriesPage = 50
	deliveriesMost = 200
)

// deliveryFilter reads what the query selects, and finds all that is wrong with it.
func deliveryFilter(r *http.Request) (subscription.DeliveryFilter, error) {
	query := r.URL.Query()
	f := subscription.DeliveryFilter{PublisherID: r.PathValue("publisherId"), Limit: deliveriesPage}
	var found fault.Findings
	id := func(name string) string {
		text := strings.ToLower(query.Get(name))
		if text != "" && account.GUID(text) == "" {
			found.Add(subscription.CodeInvalid, name, "must be a GUID, such as 37f9dea2-4345-438f-b0bd-03d40d28c7e0, found %s", shown(text))
		}
		return text
	}
	f.SubscriptionID, f.OperationID = id("subscriptionId"), id("operationId")
	if text := query.Get("from"); text != "" {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil || at.Year() < 1970 || at.Year() > 2200 {
			found.Add(subscription.CodeInvalid, "from", "must be a time like 2026-01-31T10:00:00Z (RFC 3339), of the years 1970 to 2200, found %s", shown(text))
		}
		f.From = at.UTC()
	}
	if text := query.Get("top"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > deliveriesMost {
			found.Add(subscription.CodeInvalid, "top", "must be a whole number from 1 to %d, found %s", deliveriesMost, shown(text))
		}
		f.Limit = n
	}
	return f, found.Err(fault.Invalid, subscription.CodeBadRequest, "the query has several errors")
}

// redeliver calls the webhook of an operation once more and answers what came of it.
func (h *Deliveries) redeliver(w http.ResponseWriter, r *http.Request) error {
	a, err := h.Webhooks.Redeliver(r.Context(), r.PathValue("publisherId"), r.PathValue("operationId"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, deliveryOf(&a))
}

// maxTestID bounds the ids of a test; those of offers and plans are shorter.
const maxTestID = 100

// test sends a sample of an action to an offer's webhook and answers what came of it.
func (h *Deliveries) test(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		OfferID string `json:"offerId"`
		PlanID  string `json:"planId"`
		Action  string `json:"action"`
		Slot    string `json:"slot"`
	}
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	var found sizes
	for _, id := range []struct{ name, value string }{{"offerId", in.OfferID}, {"planId", in.PlanID}} {
		found.text(id.name, id.value, maxTestID)
	}
	if err := found.Err(fault.Invalid, subscription.CodeBadRequest, "the body has several errors"); err != nil {
		return err
	}
	a, err := h.Webhooks.Test(r.Context(), subscription.WebhookTest{
		PublisherID: r.PathValue("publisherId"), OfferID: in.OfferID, PlanID: in.PlanID, Action: subscription.Action(in.Action), Slot: in.Slot,
	})
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, deliveryOf(&a))
}
