package leads

import (
	"net/http"
	"strconv"
	"strings"

	"stoa/shared/fault"
	"stoa/shared/lead"
	"stoa/shared/offer"
	"stoa/shared/web"
)

// The permissions of LED-65 and LED-66.
const (
	manage = "leadDestination.manage"
	pii    = "customerPii.read"
)

// Portal mounts what publishers see of their leads.
func (h *Handler) Portal(g *web.Group) {
	g.Handle("GET", "/portal/v1/publishers/{publisherId}/leads", web.Publisher(manage), h.list)
	g.Handle("GET", "/portal/v1/publishers/{publisherId}/leads/{leadId}", web.Publisher(manage), h.show)
	g.Handle("POST", "/portal/v1/publishers/{publisherId}/leads/{leadId}/replay", web.Publisher(manage), h.replay)
}

// Storefront mounts what customers do.
func (h *Handler) Storefront(g *web.Group) {
	g.Handle("POST", "/storefront/v1/leads", web.Customer(), h.capture)
}

// Operator mounts what staff does about leads that wait.
func (h *Handler) Operator(g *web.Group) {
	g.Handle("GET", "/operator/v1/leads/parked", web.Operator(), h.parked)
	g.Handle("POST", "/operator/v1/leads/{leadId}/replay", web.Operator(), h.replayWaiting)
}

// captured is the body of a customer's action (3.3).
type captured struct {
	EventID       string        `json:"eventId"`
	Source        string        `json:"source"`
	CallToAction  string        `json:"callToAction"`
	PublisherID   string        `json:"publisherId"`
	OfferID       string        `json:"offerId"`
	PlanID        string        `json:"planId"`
	Slot          string        `json:"slot"`
	ConsentGiven  bool          `json:"consentGiven"`
	Customer      lead.Customer `json:"customer"`
	Note          string        `json:"note"`
	CrossListedOn string        `json:"crossListedOn"`
}

// capture records a lead: 202, 200 on a repeat, 204 without consent. Test drives make their own (LED-12).
func (h *Handler) capture(w http.ResponseWriter, r *http.Request) error {
	var in captured
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	if strings.EqualFold(in.CallToAction, string(lead.TestDrive)) {
		return fault.New(fault.Invalid, "InvalidLeadAction", "callToAction", "a test drive makes its lead when it starts")
	}
	slot, err := offer.ParseSlot(in.Slot)
	if err != nil {
		return err
	}
	caller := web.Caller(r.Context())
	l, err := h.Leads.Capture(r.Context(), lead.Event{
		EventID: in.EventID, By: caller.TenantID + "/" + caller.ObjectID, Source: lead.Source(in.Source), CallToAction: lead.CallToAction(in.CallToAction),
		PublisherID: in.PublisherID, OfferID: in.OfferID, PlanID: in.PlanID, Slot: slot, ConsentGiven: in.ConsentGiven,
		Customer: in.Customer, Note: in.Note, CrossListedOn: in.CrossListedOn,
	})
	switch {
	case err != nil:
		return err
	case l.ID == "":
		w.WriteHeader(http.StatusNoContent) // LED-4
		return nil
	case l.Repeated:
		return web.WriteJSON(w, http.StatusOK, map[string]string{"leadId": l.ID})
	}
	return web.WriteJSON(w, http.StatusAccepted, map[string]string{"leadId": l.ID})
}

// list answers a publisher's leads, the newest first; personal data only for who may read it (LED-66).
func (h *Handler) list(w http.ResponseWriter, r *http.Request) error {
	publisherID, query := r.PathValue("publisherId"), r.URL.Query()
	limit, err := top(query.Get("top"))
	if err != nil {
		return err
	}
	f := lead.Filter{
		PublisherID: publisherID, OfferID: query.Get("offerId"), State: lead.State(query.Get("state")),
		Action: lead.Action(query.Get("action")), Limit: limit,
	}
	scope := "leads|" + publisherID + "|" + f.OfferID + "|" + string(f.State) + "|" + string(f.Action)
	if f.After, err = h.Pages.Decode(scope, query.Get("continuation")); err != nil {
		return err
	}
	show, err := h.sees(r, publisherID)
	if err != nil {
		return err
	}
	found, next, err := h.Leads.Leads(r.Context(), f)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, web.Page[wire]{Value: wires(found, show), Continuation: h.Pages.Encode(scope, next)})
}

// show answers one lead with its attempts.
func (h *Handler) show(w http.ResponseWriter, r *http.Request) error {
	publisherID := r.PathValue("publisherId")
	show, err := h.sees(r, publisherID)
	if err != nil {
		return err
	}
	l, err := h.Leads.Lead(r.Context(), publisherID, r.PathValue("leadId"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, wireOf(l, show))
}

// sees reports whether the caller may read personal data.
func (h *Handler) sees(r *http.Request, publisherID string) (bool, error) {
	err := h.Accounts.Allow(r.Context(), web.Caller(r.Context()), publisherID, pii)
	if fault.Is(err, fault.Forbidden) {
		return false, nil
	}
	return err == nil, err
}

func (h *Handler) replay(w http.ResponseWriter, r *http.Request) error {
	l, err := h.Leads.Replay(r.Context(), r.PathValue("publisherId"), r.PathValue("leadId"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusAccepted, wireOf(l, false))
}

// parked answers the leads of all publishers that wait, parked or unrouted, without personal data.
func (h *Handler) parked(w http.ResponseWriter, r *http.Request) error {
	limit, err := top(r.URL.Query().Get("top"))
	if err != nil {
		return err
	}
	after, err := h.Pages.Decode("leads|parked", r.URL.Query().Get("continuation"))
	if err != nil {
		return err
	}
	found, next, err := h.Leads.Waiting(r.Context(), after, limit)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, web.Page[wire]{Value: wires(found, false), Continuation: h.Pages.Encode("leads|parked", next)})
}

func (h *Handler) replayWaiting(w http.ResponseWriter, r *http.Request) error {
	l, err := h.Leads.ReplayWaiting(r.Context(), r.PathValue("leadId"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusAccepted, wireOf(l, false))
}

// top is how many are asked for: 1 to 200, 50 when nothing is said.
func top(text string) (int, error) {
	if text == "" {
		return 50, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 200 {
		return 0, fault.New(fault.Invalid, "InvalidValue", "top", "must be a whole number from 1 to 200")
	}
	return n, nil
}
