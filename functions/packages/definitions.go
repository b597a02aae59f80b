package packages

import (
	"cmp"
	"context"
	"net/http"

	"stoa/shared/fault"
	"stoa/shared/packages/managedapp"
	"stoa/shared/publish"
	"stoa/shared/web"
)

// DefinitionStore reads application definitions. NotFound.
type DefinitionStore interface {
	Definition(ctx context.Context, n publish.DefinitionName) (managedapp.Definition, error)
}

// Definitions serves the application definitions of managed applications (02, 3.5).
type Definitions struct{ Store DefinitionStore }

// Portal mounts the routes.
func (h *Definitions) Portal(g *web.Group) {
	g.Handle(http.MethodGet, "/portal/v1/publishers/{publisherId}/offers/{offerId}/plans/{planId}/applicationDefinition", web.Publisher(mayRead), h.definition)
}

// definition answers what customers of a plan's version deploy from, in ?cloud=, AzureGlobal unless told.
func (h *Definitions) definition(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	name := publish.DefinitionName{
		PublisherID: r.PathValue("publisherId"), OfferID: r.PathValue("offerId"), PlanID: r.PathValue("planId"),
		Version: q.Get("version"), Cloud: cmp.Or(q.Get("cloud"), managedapp.Global),
	}
	if _, ok := managedapp.ParseVersion(name.Version); !ok {
		return fault.New(fault.Invalid, codeInvalid, "version", "The version is three whole numbers, such as 1.0.2.")
	}
	if name.Cloud != managedapp.Global && name.Cloud != managedapp.Government {
		return fault.New(fault.Invalid, codeInvalid, "cloud", "The cloud is %s or %s.", managedapp.Global, managedapp.Government)
	}
	d, err := h.Store.Definition(r.Context(), name)
	if fault.Is(err, fault.NotFound) {
		return fault.New(fault.NotFound, "NotFound", "planId", "The plan has no application definition of this version.").Because(err)
	}
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, d)
}
