package publicclient_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"stoa/infra/local/publicclient"
)

// Only a token that is signed by the issuer, for this application and directory, of the marketplace and of now, is
// the marketplace's.
func TestVerify(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, "key", err)
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, "key", err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		text := base64.RawURLEncoding.EncodeToString
		json.NewEncoder(w).Encode(map[string]any{"keys": []map[string]string{
			{"kty": "RSA", "kid": "k1", "n": text(key.N.Bytes()), "e": text(big.NewInt(int64(key.E)).Bytes())}}})
	}))
	t.Cleanup(server.Close)
	now := time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)
	c := &publicclient.Caller{Issuer: "https://issuer", KeysURL: server.URL, ClientID: "app", TenantID: "tenant", HTTP: server.Client(), Now: func() time.Time { return now }}
	for name, row := range map[string]struct {
		claim string
		value any
		key   *rsa.PrivateKey
		kid   string
		good  bool
	}{
		"as it should be":     {good: true},
		"azp in place of it":  {claim: "azp", value: publicclient.MarketplaceApp, good: true},
		"another audience":    {claim: "aud", value: "other"},
		"another issuer":      {claim: "iss", value: "https://other"},
		"another directory":   {claim: "tid", value: "other"},
		"no directory":        {claim: "tid"},
		"another caller":      {claim: "appid", value: "app"},
		"no caller":           {claim: "appid"},
		"expired":             {claim: "exp", value: now.Add(-2 * time.Minute).Unix()},
		"not yet good":        {claim: "nbf", value: now.Add(2 * time.Minute).Unix()},
		"without an end":      {claim: "exp"},
		"signed by another":   {key: other},
		"a key never seen of": {kid: "k2"},
	} {
		claims := jwt.MapClaims{"aud": "app", "iss": "https://issuer", "tid": "tenant", "appid": publicclient.MarketplaceApp,
			"nbf": now.Unix(), "exp": now.Add(time.Hour).Unix()}
		switch {
		case row.claim == "azp":
			delete(claims, "appid")
			claims["azp"] = row.value
		case row.claim != "" && row.value == nil:
			delete(claims, row.claim)
		case row.claim != "":
			claims[row.claim] = row.value
		}
		token := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
		token.Header["kid"] = "k1"
		if row.kid != "" {
			token.Header["kid"] = row.kid
		}
		by := key
		if row.key != nil {
			by = row.key
		}
		text, err := token.SignedString(by)
		must(t, name, err)
		if err := c.Verify(t.Context(), text); (err == nil) != row.good {
			t.Errorf("%s: %v", name, err)
		}
	}
	unsigned, err := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims{"aud": "app"}).SignedString(jwt.UnsafeAllowNoneSignatureType)
	must(t, "unsigned", err)
	if c.Verify(t.Context(), unsigned) == nil {
		t.Error("an unsigned token is not the marketplace's")
	}
}
