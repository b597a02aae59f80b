package identity

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Options say how the stand-in runs. The zero value is a working one with the people of fixtures.json.
type Options struct {
	Port       int              // loopback port; 0 takes a free one
	Fixtures   Fixtures         // people and applications; empty takes DevFixtures
	Authority  string           // base URL that discovery names; empty takes the host that the request names
	Resources  []string         // further resources that tokens may be asked for
	KeyFile    string           // keeps the signing keys over restarts; empty makes new ones at each start
	KeyOverlap time.Duration    // how long a rotated key stays published; 0 takes 24 hours
	Now        func() time.Time // the clock of the tokens; nil takes the machine's
	Log        *slog.Logger     // nil logs nothing
}

// marketplaceResources are the resources besides Fixtures.Resource that callers of the marketplace's APIs, and
// the marketplace itself, ask tokens for.
var marketplaceResources = []string{
	"https://cloudpartner.azure.com",         // CPP-4
	"https://api.partner.microsoft.com",      // SUB-2
	"https://management.azure.com",           // MTR-29
	"https://management.core.windows.net",    // test drives in a publisher's subscription
	"https://graph.microsoft.com",            // test drives that invite users
	"https://graph.windows.net",              // the same, older
	"https://storage.azure.com",              // package uploads
	"https://marketplaceapi.microsoft.com",   // fulfillment, by its URL
	"https://manage.devcenter.microsoft.com", // analytics
}

// Issuer issues tokens and publishes the keys that they verify with.
type Issuer struct {
	options Options
	keys    *keyring
	tenants map[string]bool
}

// New makes an issuer, with its signing key. An error means that the key file cannot be used or written.
func New(options Options) (*Issuer, error) {
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	if options.KeyOverlap == 0 {
		options.KeyOverlap = 24 * time.Hour
	}
	if len(options.Fixtures.tenants()) == 0 {
		options.Fixtures = DevFixtures()
	}
	options.Authority = strings.TrimSuffix(options.Authority, "/")
	keys, err := newKeyring(options.KeyFile, options.KeyOverlap, options.Now)
	if err != nil {
		return nil, err
	}
	return &Issuer{options: options, keys: keys, tenants: options.Fixtures.tenants()}, nil
}

// Fixtures are the people and applications tokens are issued for.
func (i *Issuer) Fixtures() Fixtures { return i.options.Fixtures }

// RotateKey makes a new signing key. Tokens of the old one stay good while it is published (Options.KeyOverlap).
func (i *Issuer) RotateKey() error { return i.keys.rotate() }

// WithdrawOldKeys stops publishing all keys but the one that signs, as after a leak.
func (i *Issuer) WithdrawOldKeys() error { return i.keys.withdraw() }

// KeyID names the key that signs now.
func (i *Issuer) KeyID() string { return i.keys.current().id }

// Sign signs any claims with the current key. It is for tests that need a token no endpoint would issue.
func (i *Issuer) Sign(claims map[string]any) (string, error) {
	key := i.keys.current()
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims(claims))
	token.Header["kid"] = key.id
	token.Header["x5t"] = key.id
	signed, err := token.SignedString(key.private)
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return signed, nil
}

// Handler serves the endpoints.
func (i *Issuer) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/{tenant}/oauth2/token", i.token(v1))
	mux.HandleFunc("/{tenant}/oauth2/v2.0/token", i.token(v2))
	mux.HandleFunc("GET /{tenant}/msi/token", i.managedIdentityToken)
	mux.HandleFunc("GET /{tenant}/.well-known/openid-configuration", i.discovery(v1))
	mux.HandleFunc("GET /{tenant}/v2.0/.well-known/openid-configuration", i.discovery(v2))
	mux.HandleFunc("GET /{tenant}/discovery/keys", i.jwks(v1))
	mux.HandleFunc("GET /{tenant}/discovery/v2.0/keys", i.jwks(v2))
	mux.HandleFunc("GET /discovery/keys", i.jwks(v1))
	mux.HandleFunc("GET /discovery/v2.0/keys", i.jwks(v2))
	mux.HandleFunc("POST /rotate", i.rotate)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]any{"tokenRequests": i.options.Fixtures.TokenRequests})
	})
	return mux
}

// rotate is the admin endpoint: a new key, with ?withdraw=true the old ones disappear at once.
func (i *Issuer) rotate(w http.ResponseWriter, r *http.Request) {
	err := i.RotateKey()
	if err == nil && r.URL.Query().Get("withdraw") == "true" {
		err = i.WithdrawOldKeys()
	}
	if err != nil {
		i.options.Log.ErrorContext(r.Context(), "rotate the signing key", "error", err)
		writeJSON(w, http.StatusInternalServerError, map[string]string{"error": "server_error"})
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"kid": i.KeyID()})
}

// authority is the base URL that documents name.
func (i *Issuer) authority(r *http.Request) string {
	if i.options.Authority != "" {
		return i.options.Authority
	}
	return "http://" + r.Host
}

// shared are the names that stand for "any directory".
var shared = []string{"common", "organizations", "consumers"}

// directory checks a tenant of a path. It gives the empty tenant for a shared name.
func (i *Issuer) directory(name string) (string, *refusal) {
	lower := strings.ToLower(name)
	switch {
	case i.tenants[lower]:
		return lower, nil
	case slices.Contains(shared, lower):
		return "", nil
	case !guid(lower) && !strings.Contains(lower, "."):
		return "", refuse("invalid_request", 900023,
			"Specified tenant identifier '%s' is neither a valid DNS name, nor a valid external domain.", quoted(name))
	}
	return "", refuse("invalid_request", 90002, "Tenant '%s' not found. Check to make sure you have the correct "+
		"tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may "+
		"happen if there are no active subscriptions for the tenant.", quoted(name))
}

// resource checks a resource that a token is asked for and gives the audience of the token: what was asked, as
// it was asked.
func (i *Issuer) resource(asked, tenant string) (string, *refusal) {
	bare := plainResource(asked)
	known := slices.Concat([]string{i.options.Fixtures.Resource}, marketplaceResources, i.options.Resources)
	for _, k := range known {
		if strings.EqualFold(plainResource(k), bare) {
			return asked, nil
		}
	}
	return "", refuse("invalid_resource", 500011, "The resource principal named %s was not found in the tenant "+
		"named %s. This can happen if the application has not been installed by the administrator of the tenant or "+
		"consented to by any user in the tenant. You might have sent your authentication request to the wrong "+
		"tenant.", quoted(asked), tenant)
}

// plainResource strips what does not tell two resources apart: the spn: form (FUL-2) and a closing slash.
func plainResource(asked string) string {
	return strings.TrimSuffix(strings.TrimPrefix(asked, "spn:"), "/")
}

// guid reports whether a lower-case name is a GUID in the form with hyphens.
func guid(s string) bool {
	if len(s) != 36 {
		return false
	}
	for n, c := range []byte(s) {
		hyphen := n == 8 || n == 13 || n == 18 || n == 23
		if hyphen != (c == '-') || !hyphen && !strings.ContainsRune("0123456789abcdef", rune(c)) {
			return false
		}
	}
	return true
}
