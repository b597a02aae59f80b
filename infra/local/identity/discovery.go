package identity

import "net/http"

// configuration is what a discovery document says, as far as clients and verifiers read it.
type configuration struct {
	TokenEndpoint  string   `json:"token_endpoint"`
	TokenAuth      []string `json:"token_endpoint_auth_methods_supported"`
	JWKSURI        string   `json:"jwks_uri"`
	SubjectTypes   []string `json:"subject_types_supported"`
	Algorithms     []string `json:"id_token_signing_alg_values_supported"`
	Grants         []string `json:"grant_types_supported"`
	Issuer         string   `json:"issuer"`
	Authorization  string   `json:"authorization_endpoint"`
	ResponseTypes  []string `json:"response_types_supported"`
	TenantRegion   *string  `json:"tenant_region_scope"`
	CloudInstance  string   `json:"cloud_instance_name"`
	ClaimsProvided []string `json:"claims_supported"`
}

// discovery serves the document of a directory, or the shared one, whose issuer has {tenantid} in it.
func (i *Issuer) discovery(v version) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("tenant")
		tenant, no := i.directory(name)
		if no != nil {
			i.writeRefusal(w, r, no)
			return
		}
		if tenant == "" {
			tenant = "{tenantid}"
		}
		base := i.authority(r) + "/" + name
		generation := ""
		if v == v2 {
			generation = "/v2.0"
		}
		writeJSON(w, http.StatusOK, configuration{
			TokenEndpoint: base + "/oauth2" + generation + "/token",
			TokenAuth:     []string{"client_secret_post", "client_secret_basic"},
			JWKSURI:       base + "/discovery" + generation + "/keys",
			SubjectTypes:  []string{"pairwise"},
			Algorithms:    []string{"RS256"},
			Grants:        []string{"client_credentials", "password"},
			Issuer:        v.issuer(tenant),
			Authorization: base + "/oauth2" + generation + "/authorize",
			ResponseTypes: []string{"token"},
			CloudInstance: "microsoftonline.com",
			ClaimsProvided: []string{"sub", "iss", "aud", "exp", "iat", "nbf", "tid", "oid", "appid", "azp", "upn",
				"name", "scp", "roles", "ver"},
		})
	}
}

// jwks serves the published keys. All directories share them, as in the real one.
func (i *Issuer) jwks(v version) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if name := r.PathValue("tenant"); name != "" {
			if _, no := i.directory(name); no != nil {
				i.writeRefusal(w, r, no)
				return
			}
		}
		issuer := ""
		if v == v2 {
			issuer = v2.issuer("{tenantid}")
		}
		writeJSON(w, http.StatusOK, map[string]any{"keys": i.keys.published(issuer)})
	}
}
