package operator

import (
	"net/http"
	"time"

	"stoa/shared/metering"
	"stoa/shared/web"
)

// ManagedApplications lets the deployment of managed applications, and staff, say which there are, so that usage is
// reported against them (MTR-34, MTR-44).
type ManagedApplications struct{ Applications *metering.Applications }

// Operator mounts the routes.
func (h *ManagedApplications) Operator(g *web.Group) {
	const path = "/operator/v1/managed-applications/{resourceUsageId}"
	g.Handle("PUT", path, web.Operator(), h.register)
	g.Handle("GET", path, web.Operator(), h.show)
	g.Handle("DELETE", path, web.Operator(), h.remove)
}

// registration is what is told of an application.
type registration struct {
	ResourceURI            string    `json:"resourceUri"`
	ManagedResourceGroupID string    `json:"managedResourceGroupId"`
	PublisherID            string    `json:"publisherId"`
	OfferID                string    `json:"offerId"`
	PlanID                 string    `json:"planId"`
	CustomerTenantID       string    `json:"customerTenantId"`
	Market                 string    `json:"market"`
	Currency               string    `json:"currency"`
	Preview                bool      `json:"preview"`
	Test                   bool      `json:"test"`
	CreatedAt              time.Time `json:"createdAt"`
}

// application is an application as it is shown.
type application struct {
	ResourceUsageID string `json:"resourceUsageId"`
	registration
	Plans     []planSpan `json:"planHistory"`
	DeletedAt time.Time  `json:"deletedAt,omitzero"`
}

type planSpan struct {
	PlanID string    `json:"planId"`
	From   time.Time `json:"from"`
}

func applicationOf(a metering.Application) application {
	out := application{
		ResourceUsageID: a.ID, DeletedAt: a.DeletedAt,
		registration: registration{
			ResourceURI: a.URI, ManagedResourceGroupID: a.GroupID, PublisherID: a.PublisherID, OfferID: a.OfferID, PlanID: a.PlanID(),
			CustomerTenantID: a.CustomerID, Market: a.Market, Currency: a.Currency, Preview: a.Preview, Test: a.Test, CreatedAt: a.CreatedAt,
		},
	}
	for _, p := range a.Plans {
		out.Plans = append(out.Plans, planSpan{p.PlanID, p.From})
	}
	return out
}

// register adds an application, 201, or moves it to another plan, 200. A second time changes nothing.
func (h *ManagedApplications) register(w http.ResponseWriter, r *http.Request) error {
	var in registration
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	a, created, err := h.Applications.Register(r.Context(), metering.Registration{
		ID: r.PathValue("resourceUsageId"), URI: in.ResourceURI, GroupID: in.ManagedResourceGroupID, PublisherID: in.PublisherID,
		OfferID: in.OfferID, PlanID: in.PlanID, CustomerID: in.CustomerTenantID, Market: in.Market, Currency: in.Currency,
		Preview: in.Preview, Test: in.Test, CreatedAt: in.CreatedAt,
	})
	if err != nil {
		return err
	}
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	return web.WriteJSON(w, status, applicationOf(a))
}

func (h *ManagedApplications) show(w http.ResponseWriter, r *http.Request) error {
	a, err := h.Applications.Application(r.Context(), r.PathValue("resourceUsageId"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, applicationOf(a))
}

// remove tells that the application was deleted: from now on it takes no usage.
func (h *ManagedApplications) remove(w http.ResponseWriter, r *http.Request) error {
	if _, err := h.Applications.Delete(r.Context(), r.PathValue("resourceUsageId")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
