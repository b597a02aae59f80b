package testdrives

import (
	"net/http"
	"strconv"
	"time"

	"stoa/shared/fault"
	"stoa/shared/lead"
	"stoa/shared/offer"
	"stoa/shared/testdrive"
	"stoa/shared/web"
)

// Storefront mounts what customers do with test drives.
func (h *Handler) Storefront(g *web.Group) {
	g.Handle("POST", "/storefront/v1/testdrives", web.Customer(), h.start)
	g.Handle("GET", "/storefront/v1/testdrives/{sessionId}", web.Customer(), h.show)
	g.Handle("DELETE", "/storefront/v1/testdrives/{sessionId}", web.Customer(), h.end)
}

// Portal mounts what publishers see of their sessions (TDR-66).
func (h *Handler) Portal(g *web.Group) {
	g.Handle("GET", "/portal/v1/publishers/{publisherId}/offers/{offerId}/test-drive/sessions", web.Publisher("offer.read"), h.sessions)
}

// startBody is the body of a start (6.4).
type startBody struct {
	PublisherID           string        `json:"publisherId"`
	OfferID               string        `json:"offerId"`
	Storefront            string        `json:"storefront"`
	Slot                  string        `json:"slot"`
	Customer              lead.Customer `json:"customer"`
	AcceptedTerms         bool          `json:"acceptedTerms"`
	AcceptedPrivacyPolicy bool          `json:"acceptedPrivacyPolicy"`
	ShareContact          bool          `json:"shareContact"`
}

// start reserves a test drive: 202, or 200 with the session the customer has already (TDR-56).
func (h *Handler) start(w http.ResponseWriter, r *http.Request) error {
	var in startBody
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	slot, err := offer.ParseSlot(in.Slot)
	if err != nil {
		return err
	}
	if in.Storefront == "" {
		in.Storefront = string(lead.AzureMarketplace)
	}
	s, err := h.TestDrives.Start(r.Context(), testdrive.Request{
		Caller: web.Caller(r.Context()), Source: lead.Source(in.Storefront), PublisherID: in.PublisherID, OfferID: in.OfferID, Slot: slot,
		Contact: in.Customer, AcceptedTerms: in.AcceptedTerms, AcceptedPrivacyPolicy: in.AcceptedPrivacyPolicy, ShareContact: in.ShareContact,
	})
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/storefront/v1/testdrives/"+s.ID)
	if s.Existing {
		return web.WriteJSON(w, http.StatusOK, h.wireOf(s.Session))
	}
	return web.WriteJSON(w, http.StatusAccepted, h.wireOf(s.Session))
}

// show answers a session of the caller, with the way in while it is active (TDR-60, TDR-65).
func (h *Handler) show(w http.ResponseWriter, r *http.Request) error {
	s, err := h.TestDrives.Session(r.Context(), web.Caller(r.Context()), r.PathValue("sessionId"))
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	return web.WriteJSON(w, http.StatusOK, h.wireOf(s))
}

// end ends a session early: 202, also when it has ended already.
func (h *Handler) end(w http.ResponseWriter, r *http.Request) error {
	s, err := h.TestDrives.End(r.Context(), web.Caller(r.Context()), r.PathValue("sessionId"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusAccepted, h.wireOf(s))
}

// sessionWire is a session as its customer sees it.
type sessionWire struct {
	SessionID   string           `json:"sessionId"`
	PublisherID string           `json:"publisherId"`
	OfferID     string           `json:"offerId"`
	State       testdrive.State  `json:"state"`
	RequestedAt time.Time        `json:"requestedAt"`
	ReadyAt     time.Time        `json:"readyAt,omitzero"`
	ExpiresAt   time.Time        `json:"expiresAt,omitzero"`
	EndedAt     time.Time        `json:"endedAt,omitzero"`
	EndReason   testdrive.Reason `json:"endReason,omitempty"`
	SecondsLeft int              `json:"secondsLeft"`
	Warning     string           `json:"warning,omitempty"`
	Access      *accessWire      `json:"access,omitempty"`
}

type accessWire struct {
	HTML    string             `json:"html"`
	Outputs []testdrive.Output `json:"outputs"`
}

func (h *Handler) wireOf(s testdrive.Session) sessionWire {
	out := sessionWire{
		SessionID: s.ID, PublisherID: s.Pool.PublisherID, OfferID: s.Pool.OfferID, State: s.State, RequestedAt: s.RequestedAt,
		ReadyAt: s.ReadyAt, ExpiresAt: s.ExpiresAt, EndedAt: s.EndedAt, EndReason: s.Reason, SecondsLeft: s.SecondsLeft(h.Now()),
	}
	if access := s.Access(); access != nil {
		out.Access = &accessWire{HTML: access.HTML, Outputs: access.Outputs}
		if access.Outputs == nil {
			out.Access.Outputs = []testdrive.Output{}
		}
		switch left := out.SecondsLeft; { // TDR-64
		case left <= 5*60:
			out.Warning = "The test drive ends in less than 5 minutes."
		case left <= 30*60:
			out.Warning = "The test drive ends in less than 30 minutes."
		}
	}
	return out
}

// publisherWire is a session as its publisher sees it (TDR-66): nothing that lets one in, and no customer.
type publisherWire struct {
	SessionID   string           `json:"sessionId"`
	Type        string           `json:"type"`
	State       testdrive.State  `json:"state"`
	RequestedAt time.Time        `json:"requestedAt"`
	ReadyAt     time.Time        `json:"readyAt,omitzero"`
	ExpiresAt   time.Time        `json:"expiresAt,omitzero"`
	EndedAt     time.Time        `json:"endedAt,omitzero"`
	CleanedAt   time.Time        `json:"cleanedAt,omitzero"`
	EndReason   testdrive.Reason `json:"endReason,omitempty"`
	Duration    int              `json:"durationHours"`
	Error       string           `json:"error,omitempty"`
	LeadID      string           `json:"leadId,omitempty"`
}

func (h *Handler) sessions(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	slot, err := offer.ParseSlot(query.Get("slot"))
	if err != nil {
		return err
	}
	limit := 50
	if text := query.Get("top"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > 200 {
			return fault.New(fault.Invalid, "InvalidValue", "top", "must be a whole number from 1 to 200")
		}
	}
	id := testdrive.PoolID{PublisherID: r.PathValue("publisherId"), OfferID: r.PathValue("offerId"), Slot: slot}
	scope := "sessions|" + id.PublisherID + "|" + id.OfferID + "|" + string(slot)
	after, err := h.Pages.Decode(scope, query.Get("continuation"))
	if err != nil {
		return err
	}
	list, next, err := h.TestDrives.Sessions(r.Context(), id, after, limit)
	if err != nil {
		return err
	}
	out := make([]publisherWire, len(list))
	for i, s := range list {
		out[i] = publisherWire{
			SessionID: s.ID, Type: s.Kind, State: s.State, RequestedAt: s.RequestedAt, ReadyAt: s.ReadyAt, ExpiresAt: s.ExpiresAt,
			EndedAt: s.EndedAt, CleanedAt: s.CleanedAt, EndReason: s.Reason, Duration: s.Config.DurationHours, Error: s.Error, LeadID: s.LeadID,
		}
	}
	return web.WriteJSON(w, http.StatusOK, web.Page[publisherWire]{Value: out, Continuation: h.Pages.Encode(scope, next)})
}
