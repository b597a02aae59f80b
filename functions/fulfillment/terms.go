package fulfillment

import (
	"net/http"
	"time"

	"stoa/shared/fault"
	"stoa/shared/subscription"
	"stoa/shared/web"
)

// document is a text that the customer accepts before it buys (SAS-19).
type document struct {
	ID         string    `json:"id"` // for acceptedTerms
	Kind       string    `json:"kind"`
	Version    int       `json:"offerVersion,omitempty"`
	Text       string    `json:"text,omitempty"`
	Accepted   bool      `json:"accepted"`
	AcceptedAt time.Time `json:"acceptedAt,omitzero"`
}

// terms answers what the caller's tenant accepts before it buys from an offer, and what it has accepted.
func (h *Handler) terms(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	in := shelf{PublisherID: q.Get("publisherId"), OfferID: q.Get("offerId"), PlanID: q.Get("planId")}
	if err := in.check(nil); err != nil {
		return err
	}
	docs, err := h.deps.Subscriptions.Terms(r.Context(), in.of(r))
	if err != nil {
		return err
	}
	return writeTerms(w, docs)
}

// acceptTerms notes that the caller's tenant accepts some of them: 200 with all, the same when it comes again.
func (h *Handler) acceptTerms(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		shelf
		AcceptedTerms []string `json:"acceptedTerms"`
	}
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	if err := in.check(in.AcceptedTerms); err != nil {
		return err
	}
	docs, err := h.deps.Subscriptions.Accept(r.Context(), in.of(r), in.AcceptedTerms)
	if err != nil {
		return err
	}
	return writeTerms(w, docs)
}

// shelf names an offer, and maybe one of its plans.
type shelf struct {
	PublisherID string `json:"publisherId"`
	OfferID     string `json:"offerId"`
	PlanID      string `json:"planId"`
}

func (in *shelf) check(ids []string) error {
	var found sizes
	for _, f := range []struct{ target, value string }{{"publisherId", in.PublisherID}, {"offerId", in.OfferID}} {
		if f.value == "" {
			found.Add(subscription.CodeRequired, f.target, "The %s is required.", f.target)
		}
		found.text(f.target, f.value, maxID)
	}
	found.text("planId", in.PlanID, maxID)
	found.documents(ids)
	return found.Err(fault.Invalid, subscription.CodeBadRequest, "The terms cannot be found as asked for.")
}

func (in *shelf) of(r *http.Request) subscription.Shelf {
	return subscription.Shelf{Buyer: web.Caller(r.Context()), PublisherID: in.PublisherID, OfferID: in.OfferID, PlanID: in.PlanID}
}

func writeTerms(w http.ResponseWriter, docs []subscription.Document) error {
	out := struct {
		Terms []document `json:"terms"`
	}{make([]document, len(docs))}
	for i, d := range docs {
		out.Terms[i] = document{
			ID: d.ID, Kind: d.Kind, Version: d.Version, Text: d.Text, Accepted: !d.AcceptedAt.IsZero(), AcceptedAt: d.AcceptedAt,
		}
	}
	return web.WriteJSON(w, http.StatusOK, out)
}
