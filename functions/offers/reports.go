package offers

import (
	"net/http"
	"strconv"
	"time"

	"stoa/shared/fault"
	"stoa/shared/offer"
	"stoa/shared/publish"
	"stoa/shared/web"
)

// validationReport answers what offer validation found, of the submission under way or of ?submission=n: 404 until
// it is there (SAS-64).
func (h *Handler) validationReport(w http.ResponseWriter, r *http.Request) error {
	number := 0
	if text := r.URL.Query().Get("submission"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return fault.New(fault.Invalid, offer.CodeInvalid, "submission", "The number of a submission is a whole number from 1.")
		}
		number = n
	}
	report, err := h.deps.Publish.ValidationReport(r.Context(), r.PathValue("publisherId"), r.PathValue("offerId"), number)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, report)
}

// checklist shows staff what certification looks at, and what is known of it (SAS-66).
func (h *Handler) checklist(w http.ResponseWriter, r *http.Request) error {
	items, err := h.deps.Publish.Checklist(r.Context(), r.PathValue("publisherId"), r.PathValue("offerId"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, listing[publish.CheckItem]{Items: append([]publish.CheckItem{}, items...)})
}

// announce mails a part of the publishers and answers where the next part begins: 202. The caller goes on with the
// continuation until there is none; told again, nobody gets the mail twice (SAS-66).
func (h *Handler) announce(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		ID           string    `json:"id"`
		Subject      string    `json:"subject"`
		Text         string    `json:"text"`
		TakenOverBy  time.Time `json:"takeOverBy"`
		Continuation string    `json:"continuation"`
	}
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	a := publish.Announcement{ID: in.ID, Subject: in.Subject, Text: in.Text, By: in.TakenOverBy}
	if err := a.Check(); err != nil {
		return err
	}
	scope := "operator/announcements/" + in.ID
	after, err := h.deps.Pages.Decode(scope, in.Continuation)
	if err != nil {
		return err
	}
	told, next, err := h.deps.Publish.Announce(r.Context(), h.deps.Catalogue, a, after)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusAccepted, struct {
		Told         int    `json:"told"`
		Continuation string `json:"continuation,omitempty"`
	}{told, h.deps.Pages.Encode(scope, next)})
}
