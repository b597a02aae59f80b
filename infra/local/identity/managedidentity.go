package identity

import (
	"net/http"
	"strings"
)

// managedIdentityToken answers as the instance metadata service does, for the identity of the Azure resource
// that mi_res_id names (MTR-29). The directory is that of the resource's subscription.
func (i *Issuer) managedIdentityToken(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	tenant, no := i.directory(r.PathValue("tenant"))
	if no == nil && tenant == "" {
		no = refuse("invalid_request", 50059, "A managed identity lives in one directory.")
	}
	id := query.Get("mi_res_id")
	if id == "" {
		id = query.Get("msi_res_id")
	}
	if no == nil && query.Get("resource") == "" {
		no = missing("resource")
	}
	if no == nil && !strings.HasPrefix(strings.ToLower(id), "/subscriptions/") {
		no = refuse("invalid_request", 900144, "mi_res_id must be the ARM id of a resource: /subscriptions/…")
	}
	var audience string
	if no == nil {
		audience, no = i.resource(query.Get("resource"), tenant)
	}
	if no != nil {
		i.writeRefusal(w, r, no)
		return
	}
	client := ManagedIdentityAppID(tenant, id)
	who := subject{tenant: tenant, client: client, object: ServicePrincipalID(tenant, client), resource: id}
	i.answer(w, r, v1, who, audience)
}
