package offers

import (
	"bytes"
	"encoding/json"
	"net/http"

	"stoa/shared/fault"
	"stoa/shared/offer"
	"stoa/shared/web"
)

const portalOffers = "/portal/v1/publishers/{publisherId}/offers"

// Portal mounts the offer pages of the portal.
func (h *Handler) Portal(g *web.Group) {
	const one = portalOffers + "/{offerId}"
	g.Handle(http.MethodPost, portalOffers, web.Publisher(mayCreate), h.create)
	g.Handle(http.MethodGet, portalOffers, web.Publisher(mayRead), h.list)
	g.Handle(http.MethodGet, one, web.Publisher(mayRead), h.get)
	g.Handle(http.MethodPut, one+"/pages/{page}", web.Publisher(mayEdit), h.savePage)
	g.Handle(http.MethodPost, one+"/plans", web.Publisher(mayEdit), h.addPlan)
	g.Handle(http.MethodPut, one+"/plans/{planId}", web.Publisher(mayEdit), h.savePlan)
	g.Handle(http.MethodDelete, one+"/plans/{planId}", web.Publisher(mayEdit), h.deletePlan)
	g.Handle(http.MethodGet, one+"/review", web.Publisher(mayRead), h.review)
	g.Handle(http.MethodPut, one+"/review/notes", web.Publisher(mayEdit), h.notes)
	g.Handle(http.MethodPost, one+"/publish", web.Publisher(maySubmit), h.publish)
	g.Handle(http.MethodPost, one+"/golive", web.Publisher(maySubmit), h.goLive)
	g.Handle(http.MethodPost, one+"/cancel", web.Publisher(maySubmit), h.cancel)
	g.Handle(http.MethodGet, one+"/overview", web.Publisher(mayRead), h.overview)
	g.Handle(http.MethodGet, one+"/history", web.Publisher(mayRead), h.history)
	g.Handle(http.MethodPost, one+"/uploads", web.Publisher(mayUpload), h.upload)
	g.Handle(http.MethodPut, one+"/listing/assets", web.Publisher(mayEdit), h.asset)
	g.Handle(http.MethodGet, one+"/validationReport", web.Publisher(mayRead), h.validationReport)
	h.distribution(g)
	h.audiences(g)
}

// view is an offer as the portal shows it.
type view struct {
	offer.Content
	Status     offer.Status `json:"status"`
	StatusText string       `json:"statusText"`
	Version    int          `json:"version"`
	ProductID  string       `json:"productGuid"`
	ETag       string       `json:"etag"`
}

func (h *Handler) answer(w http.ResponseWriter, status int, o offer.Offer) error {
	web.SetETag(w, o.Tag())
	return web.WriteJSON(w, status, view{
		Content: o.Masked(), Status: o.Status, StatusText: o.Status.Text(), Version: o.Version, ProductID: o.ProductID, ETag: o.Tag(),
	})
}

// create makes an offer: 201 (SAS-1, SAS-2).
func (h *Handler) create(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		OfferID   string `json:"offerId"`
		OfferType string `json:"offerType"`
		Alias     string `json:"alias"`
		TestOffer bool   `json:"isTestOffer"`
	}
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	o, err := h.deps.Offers.Create(r.Context(), offer.NewOffer{
		PublisherID: r.PathValue("publisherId"), OfferID: in.OfferID, OfferType: in.OfferType, Alias: in.Alias, TestOffer: in.TestOffer,
	}, by(r))
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/portal/v1/publishers/"+o.PublisherID+"/offers/"+o.OfferID)
	return h.answer(w, http.StatusCreated, o)
}

const pageSize = 50

// list answers one page of the publisher's offers.
func (h *Handler) list(w http.ResponseWriter, r *http.Request) error {
	publisherID := r.PathValue("publisherId")
	scope := "portal/offers/" + publisherID
	after, err := h.deps.Pages.Decode(scope, r.URL.Query().Get("continuation"))
	if err != nil {
		return err
	}
	offers, next, err := h.deps.Catalogue.Offers(r.Context(), publisherID, after, pageSize)
	if err != nil {
		return err
	}
	type item struct {
		OfferID    string       `json:"offerId"`
		OfferType  string       `json:"offerType"`
		Alias      string       `json:"alias"`
		Status     offer.Status `json:"status"`
		StatusText string       `json:"statusText"`
		Version    int          `json:"version"`
	}
	items := []item{}
	for _, o := range offers {
		items = append(items, item{o.OfferID, o.OfferType, o.Alias, o.Status, o.Status.Text(), o.Version})
	}
	return web.WriteJSON(w, http.StatusOK, listing[item]{Items: items, Continuation: h.deps.Pages.Encode(scope, next)})
}

// listing is one page of a list.
type listing[T any] struct {
	Items        []T    `json:"items"`
	Continuation string `json:"continuation,omitempty"`
}

func (h *Handler) get(w http.ResponseWriter, r *http.Request) error {
	o, err := h.deps.Catalogue.Offer(r.Context(), r.PathValue("publisherId"), r.PathValue("offerId"))
	if err != nil {
		return err
	}
	return h.answer(w, http.StatusOK, o)
}

// patch is a JSON object whose numbers keep their digits: prices pass through it.
type patch map[string]any

// UnmarshalJSON reads an object.
func (p *patch) UnmarshalJSON(raw []byte) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil || m == nil {
		return fault.New(fault.Invalid, offer.CodeType, "", "The body must be a JSON object.").Because(err)
	}
	*p = m
	return nil
}

// savePage merges the members of one page into the draft (PUB-1).
func (h *Handler) savePage(w http.ResponseWriter, r *http.Request) error {
	var p patch
	if err := web.Decode(r, &p); err != nil {
		return err
	}
	o, err := h.deps.Offers.SavePage(r.Context(), draft(r), r.PathValue("page"), p)
	if err != nil {
		return err
	}
	return h.answer(w, http.StatusOK, o)
}

func (h *Handler) addPlan(w http.ResponseWriter, r *http.Request) error {
	var p patch
	if err := web.Decode(r, &p); err != nil {
		return err
	}
	o, err := h.deps.Offers.AddPlan(r.Context(), draft(r), p)
	if err != nil {
		return err
	}
	return h.answer(w, http.StatusCreated, o)
}

func (h *Handler) savePlan(w http.ResponseWriter, r *http.Request) error {
	var p patch
	if err := web.Decode(r, &p); err != nil {
		return err
	}
	o, err := h.deps.Offers.SavePlan(r.Context(), draft(r), r.PathValue("planId"), p)
	if err != nil {
		return err
	}
	return h.answer(w, http.StatusOK, o)
}

func (h *Handler) deletePlan(w http.ResponseWriter, r *http.Request) error {
	o, err := h.deps.Offers.DeletePlan(r.Context(), draft(r), r.PathValue("planId"))
	if err != nil {
		return err
	}
	web.SetETag(w, o.Tag())
	w.WriteHeader(http.StatusNoContent)
	return nil
}

type pageError struct {
	Field   string `json:"field"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

type reviewPage struct {
	ID       string           `json:"id"`
	Name     string           `json:"name"`
	Status   offer.PageStatus `json:"status"`
	Errors   []pageError      `json:"errors"`
	Selected bool             `json:"selected"`
}

// review shows how far the pages are, computed now (PUB-2).
func (h *Handler) review(w http.ResponseWriter, r *http.Request) error {
	o, err := h.deps.Catalogue.Offer(r.Context(), r.PathValue("publisherId"), r.PathValue("offerId"))
	if err != nil {
		return err
	}
	out := struct {
		Pages []reviewPage `json:"pages"`
		Notes string       `json:"notesForCertification"`
		Can   bool         `json:"canPublish"`
	}{Pages: []reviewPage{}, Notes: o.Notes, Can: o.Status != offer.StatusPublishInProgress && o.Status != offer.StatusPendingStopDistribution}
	for _, p := range o.Pages() {
		page := reviewPage{ID: p.ID, Name: p.Name, Status: p.Status, Errors: []pageError{}, Selected: true}
		for _, f := range p.Findings {
			page.Errors = append(page.Errors, pageError{Field: f.Field, Code: f.Code, Message: f.Message})
		}
		out.Can = out.Can && p.Ready()
		out.Pages = append(out.Pages, page)
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

func (h *Handler) notes(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Text *string `json:"text"`
	}
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	if in.Text == nil {
		return fault.New(fault.Invalid, offer.CodeRequired, "text", "The text is required; an empty one removes the notes.")
	}
	if err := h.deps.Offers.SaveNotes(r.Context(), draft(r), *in.Text); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
