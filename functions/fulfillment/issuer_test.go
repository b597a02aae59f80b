package fulfillment_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"stoa/functions/fulfillment"
	"stoa/shared/subscription/subscriptiontest"
)

// fetch reads a JSON document, as any client does.
func fetch(t *testing.T, address string) (document map[string]any) {
	t.Helper()
	reply, err := http.Get(address)
	require.NoError(t, err)
	defer reply.Body.Close()
	require.Equal(t, http.StatusOK, reply.StatusCode, address)
	require.Contains(t, reply.Header.Get("Content-Type"), "application/json")
	require.NoError(t, json.NewDecoder(reply.Body).Decode(&document))
	return document
}

// discovered is a verifier of OpenID Connect that knows nothing but the issuer and its own client id: it finds the
// keys by discovery (OpenID Connect Discovery 1.0, 4) and verifies a token by them.
func discovered(t *testing.T, issuer, clientID string, p *portal) func(token string) error {
	t.Helper()
	document := fetch(t, strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration")
	require.Equal(t, issuer, document["issuer"], "4.3: exactly the issuer that was asked")
	for _, list := range []string{"response_types_supported", "subject_types_supported"} {
		require.NotEmpty(t, document[list], "required by 3")
	}
	var algorithms []string
	for _, a := range document["id_token_signing_alg_values_supported"].([]any) {
		algorithms = append(algorithms, a.(string))
	}
	keyOf := published(t, fetch(t, document["jwks_uri"].(string)))
	parser := jwt.NewParser(jwt.WithTimeFunc(p.Now), jwt.WithValidMethods(algorithms), jwt.WithIssuer(issuer),
		jwt.WithAudience(clientID), jwt.WithExpirationRequired(), jwt.WithIssuedAt())
	return func(token string) error {
		_, err := parser.Parse(token, keyOf)
		return err
	}
}

// A receiver that is given the issuer, and nothing else of the marketplace, verifies a call (FUL-81).
func TestAReceiverVerifiesACallWithTheIssuerAlone(t *testing.T) {
	t.Parallel()
	var p *portal
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.router.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	p = newPortalAt(t, server.URL)
	_, err := p.Service.Suspend(ctx, p.Active("silver", 20).ID)
	require.NoError(t, err)
	p.work()
	token := strings.TrimPrefix(p.Hook.Calls()[0].Header["Authorization"], "Bearer ")

	claims := jwt.MapClaims{}
	_, _, err = jwt.NewParser().ParseUnverified(token, claims)
	require.NoError(t, err)
	issuer := fulfillment.WebhookIssuer(server.URL)
	require.Equal(t, issuer, claims["iss"])
	require.NoError(t, discovered(t, issuer, subscriptiontest.App.AppID, p)(token))
	require.ErrorIs(t, discovered(t, issuer, subscriptiontest.OtherApp.AppID, p)(token), jwt.ErrTokenInvalidAudience)
	other := newPortalAt(t, server.URL) // other keys, the same issuer
	_, err = other.Service.Suspend(ctx, other.Active("silver", 20).ID)
	require.NoError(t, err)
	other.work()
	forged := strings.TrimPrefix(other.Hook.Calls()[0].Header["Authorization"], "Bearer ")
	require.Error(t, discovered(t, issuer, subscriptiontest.App.AppID, p)(forged))
	p.SetClock(p.Now().Add(3601e9))
	require.ErrorIs(t, discovered(t, issuer, subscriptiontest.App.AppID, p)(token), jwt.ErrTokenExpired)
}
