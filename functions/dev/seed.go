package dev

import (
	"net/http"

	"stoa/shared/account"
	"stoa/shared/web"
)

// fixture is the part of the local stack's fixtures that is registered here. Everything else in it is for the
// identity stand-in and ignored.
type fixture struct {
	Publishers []struct {
		PublisherID string `json:"publisherId"`
		TenantID    string `json:"tenantId"`
		Name        string `json:"name"`
		Apps        []struct {
			AppID    string   `json:"appId"`
			TenantID string   `json:"tenantId"`
			Use      string   `json:"use"`
			Roles    []string `json:"roles"`
		} `json:"apps"`
		Users []struct {
			ObjectID string   `json:"objectId"`
			TenantID string   `json:"tenantId"`
			UPN      string   `json:"upn"`
			Roles    []string `json:"roles"`
		} `json:"users"`
	} `json:"publishers"`
}

// seed registers the publishers of a fixture. Registering the same ones again changes nothing.
func (h *Handler) seed(w http.ResponseWriter, r *http.Request) error {
	var in fixture
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	ids := []string{}
	for _, p := range in.publishers() {
		if err := h.Accounts.Register(r.Context(), p); err != nil {
			return err
		}
		ids = append(ids, p.ID)
	}
	return web.WriteJSON(w, http.StatusOK, map[string]any{"publishers": ids})
}

func (f fixture) publishers() []account.Publisher {
	out := make([]account.Publisher, len(f.Publishers))
	for i, p := range f.Publishers {
		out[i] = account.Publisher{ID: p.PublisherID, TenantID: p.TenantID, Name: p.Name}
		for _, a := range p.Apps {
			out[i].Apps = append(out[i].Apps, account.AppGrant{TenantID: a.TenantID, AppID: a.AppID, Use: a.Use, Roles: a.Roles})
		}
		for _, u := range p.Users {
			out[i].Users = append(out[i].Users, account.UserGrant{TenantID: u.TenantID, ObjectID: u.ObjectID, UPN: u.UPN, Roles: u.Roles})
		}
	}
	return out
}
