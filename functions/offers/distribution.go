package offers

import (
	"net/http"
	"strings"
	"unicode/utf8"

	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/offer"
	"stoa/shared/publish"
	"stoa/shared/web"
)

// Permissions of distribution and audiences (PUB-69).
const (
	mayStop account.Permission = "offer.stopDistribution"
	maySync account.Permission = "audience.sync"
)

// distribution mounts what happens to offers and plans that are live, and what ends them.
func (h *Handler) distribution(g *web.Group) {
	const one = portalOffers + "/{offerId}"
	g.Handle(http.MethodDelete, one, web.Publisher(mayEdit), h.delete)
	g.Handle(http.MethodPost, one, web.Publisher(mayEdit), h.copyTo)
	g.Handle(http.MethodPost, one+"/stop", web.Publisher(mayStop), h.stop)
	g.Handle(http.MethodPost, one+"/plans/{planId}/stop", web.Publisher(mayStop), h.stopPlan)
	g.Handle(http.MethodPost, one+"/plans/{planId}/resume", web.Publisher(mayStop), h.resumePlan)
	g.Handle(http.MethodPost, one+"/sync-private-audience", web.Publisher(maySync), h.sync)
	g.Handle(http.MethodGet, one+"/plans", web.Publisher(mayRead), h.plans)
	g.Handle(http.MethodGet, one+"/stores", web.Publisher(mayRead), h.stores)
}

// delete removes an offer that was never in preview: 204 (PUB-58).
func (h *Handler) delete(w http.ResponseWriter, r *http.Request) error {
	if err := h.deps.Offers.Delete(r.Context(), draft(r)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// copyTo is POST {offerId}:copyTo, which copies to the test offer of a production offer or the other way round: 200
// with the offer that was copied to (SAS-59). If-Match is the tag of that one.
func (h *Handler) copyTo(w http.ResponseWriter, r *http.Request) error {
	id, act, _ := strings.Cut(r.PathValue("offerId"), ":")
	if !strings.EqualFold(act, "copyTo") {
		return fault.New(fault.NotFound, "NotFound", "", "An offer can be asked to copyTo another.")
	}
	var in struct {
		OfferID string `json:"offerId"`
	}
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	switch {
	case in.OfferID == "":
		return fault.New(fault.Invalid, offer.CodeRequired, "offerId", "The offer to copy to is required.")
	case utf8.RuneCountInString(in.OfferID) > maxPolicy:
		return tooLong("offerId", maxPolicy)
	}
	target := draft(r)
	target.OfferID = in.OfferID
	o, err := h.deps.Offers.CopyTo(r.Context(), offer.DraftRef{PublisherID: target.PublisherID, OfferID: id, By: target.By}, target)
	if err != nil {
		return err
	}
	return h.answer(w, http.StatusOK, o)
}

// stop asks to end the distribution of the offer: 202 (PUB-50).
func (h *Handler) stop(w http.ResponseWriter, r *http.Request) error {
	o, err := h.deps.Publish.Stop(r.Context(), request(r))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusAccepted, map[string]string{"status": string(o.Status), "statusText": o.Status.Text()})
}

// stopPlan asks to end the distribution of a plan with the next go live: 202 (PUB-51).
func (h *Handler) stopPlan(w http.ResponseWriter, r *http.Request) error {
	o, err := h.deps.Offers.StopPlan(r.Context(), draft(r), r.PathValue("planId"))
	if err != nil {
		return err
	}
	return h.answer(w, http.StatusAccepted, o)
}

// resumePlan withdraws the stop of a plan that waits: 200 (PUB-52).
func (h *Handler) resumePlan(w http.ResponseWriter, r *http.Request) error {
	o, err := h.deps.Offers.ResumePlan(r.Context(), draft(r), r.PathValue("planId"))
	if err != nil {
		return err
	}
	return h.answer(w, http.StatusOK, o)
}

// sync publishes private audiences and nothing else: 202 with what changed (PUB-46, SAS-45).
func (h *Handler) sync(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		PlanIDs []string `json:"planIds"`
	}
	if err := web.DecodeOptional(r, &in); err != nil {
		return err
	}
	if len(in.PlanIDs) > maxListed {
		return fault.New(fault.Invalid, offer.CodeInvalid, "planIds", "At most %d plans can be named.", maxListed)
	}
	synced, err := h.deps.Publish.SyncAudience(r.Context(), request(r), in.PlanIDs)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusAccepted, map[string][]publish.Synced{"synced": synced})
}

// planRow is a plan in the overview of plans (05 3.8).
type planRow struct {
	ID           string             `json:"planId"`
	Name         string             `json:"name"`
	PricingModel string             `json:"pricingModel,omitempty"`
	Private      bool               `json:"isPrivate"`
	Status       offer.PlanStatus   `json:"status"`
	Actions      []string           `json:"actions"`
	Stores       []offer.Storefront `json:"stores"`
}

// plans lists the plans of the draft with what can be done to them (SAS-47). An offer has at most 100.
func (h *Handler) plans(w http.ResponseWriter, r *http.Request) error {
	o, err := h.deps.Catalogue.Offer(r.Context(), r.PathValue("publisherId"), r.PathValue("offerId"))
	if err != nil {
		return err
	}
	items := []planRow{}
	for _, p := range o.Plans {
		items = append(items, planRow{
			ID: p.ID, Name: p.Name, PricingModel: p.PricingModel, Private: p.Private, Status: o.PlanStatus(p), Actions: o.PlanActions(p), Stores: o.PlanStores(p),
		})
	}
	return web.WriteJSON(w, http.StatusOK, listing[planRow]{Items: items})
}

// stores answers where the offer and each plan are found (SAS-50).
func (h *Handler) stores(w http.ResponseWriter, r *http.Request) error {
	o, err := h.deps.Catalogue.Offer(r.Context(), r.PathValue("publisherId"), r.PathValue("offerId"))
	if err != nil {
		return err
	}
	plans := map[string][]offer.Storefront{}
	for _, p := range o.Plans {
		plans[p.ID] = o.PlanStores(p)
	}
	return web.WriteJSON(w, http.StatusOK, map[string]any{"stores": o.Stores(), "plans": plans})
}
