package fulfillment

import (
	"net/http"

	"stoa/shared/web"
)

// Where receivers of webhook calls find what they verify tokens with.
const (
	issuerPath = "/portal/v1/reference/webhook-issuer"
	keysPath   = "/portal/v1/reference/webhook-keys"
)

// WebhookIssuer is the issuer that the tokens of webhook calls name (FUL-81). Its discovery document and keys are
// served by Deliveries, so that a verifier of OpenID Connect needs nothing but this address.
func WebhookIssuer(publicURL string) string { return publicURL + issuerPath }

// discovery answers the OpenID Connect discovery document of the issuer of webhook tokens. Nobody signs in there: it
// says whose tokens are verified with which keys, as the issuers of workloads do.
func (h *Deliveries) discovery(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Cache-Control", keysLife)
	return web.WriteJSON(w, http.StatusOK, struct {
		Issuer        string   `json:"issuer"`
		KeysURL       string   `json:"jwks_uri"`
		ResponseTypes []string `json:"response_types_supported"`
		SubjectTypes  []string `json:"subject_types_supported"`
		Algorithms    []string `json:"id_token_signing_alg_values_supported"`
		Claims        []string `json:"claims_supported"`
	}{
		Issuer: WebhookIssuer(h.PublicURL), KeysURL: h.PublicURL + keysPath,
		ResponseTypes: []string{"id_token"}, SubjectTypes: []string{"public"}, Algorithms: []string{"RS256"},
		Claims: []string{"aud", "iss", "sub", "iat", "nbf", "exp", "tid", "appid", "azp"},
	})
}

// keysLife is how long receivers may keep the keys and where they are.
const keysLife = "public, max-age=3600"

// keys answers the key set that receivers verify the tokens of webhook calls with.
func (h *Deliveries) keys(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", keysLife)
	_, err := w.Write(h.Keys)
	return err
}
