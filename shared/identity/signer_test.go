package identity_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"stoa/shared/identity"
)

func pkcs1(key *rsa.PrivateKey) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
}

type publishedKey struct{ Kty, Use, Alg, Kid, N, E, D string }

func publishedKeys(t *testing.T, s *identity.Signer) []publishedKey {
	t.Helper()
	var set struct{ Keys []publishedKey }
	require.NoError(t, json.Unmarshal(s.JWKS(), &set))
	return set.Keys
}

// A publisher that verifies a webhook finds what FUL-81 promises.
func TestWebhookToken(t *testing.T) {
	t.Parallel()
	c := newClock()
	s, err := identity.NewSigner(pkcs1(otherKey()), "", "https://stoa.example/", c.Now)
	require.NoError(t, err)
	signed, err := s.Sign(t.Context(), identity.WebhookClaims{Audience: app, TenantID: tenant})
	require.NoError(t, err)

	keys := publishedKeys(t, s)
	require.Len(t, keys, 1)
	require.Empty(t, keys[0].D)
	claims := jwt.MapClaims{}
	_, err = jwt.NewParser(jwt.WithTimeFunc(c.Now), jwt.WithValidMethods([]string{"RS256"}), jwt.WithAudience(app),
		jwt.WithIssuer("https://stoa.example/"), jwt.WithExpirationRequired()).
		ParseWithClaims(signed, claims, func(token *jwt.Token) (any, error) {
			require.Equal(t, keys[0].Kid, token.Header["kid"])
			return rsaKey(t, keys[0].N, keys[0].E), nil
		})
	require.NoError(t, err)
	require.Equal(t, tenant, claims["tid"])
	require.Equal(t, resource, claims["appid"])
	require.Equal(t, resource, claims["azp"])
	require.EqualValues(t, c.unix(0), claims["nbf"])
	require.EqualValues(t, c.unix(0), claims["iat"])
	require.EqualValues(t, c.unix(time.Hour), claims["exp"])
}

func TestSignerKeys(t *testing.T) {
	t.Parallel()
	first := otherKey()
	second, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(second)
	require.NoError(t, err)
	now := newClock().Now

	before, err := identity.NewSigner(pkcs1(first), "", "i", now)
	require.NoError(t, err)
	rotated, err := identity.NewSigner(
		append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), pkcs1(first)...), "", "i", now)
	require.NoError(t, err)
	keys := publishedKeys(t, rotated)
	require.Len(t, keys, 2)
	require.Equal(t, publishedKeys(t, before)[0], keys[1], "a key keeps its id when it is rotated out")
	named, err := identity.NewSigner(pkcs1(first), "mine", "i", now)
	require.NoError(t, err)
	require.Equal(t, "mine", publishedKeys(t, named)[0].Kid)

	for name, key := range map[string][]byte{
		"empty": nil, "no PEM": []byte("secret"), "weak": pkcs1(weak),
		"damaged": []byte(strings.Replace(string(pkcs1(first)), "MII", "AAA", 1)),
	} {
		_, err := identity.NewSigner(key, "", "i", now)
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), "secret", name)
	}
	_, err = identity.NewSigner(pkcs1(first), "", "", now)
	require.Error(t, err)
	_, err = identity.NewSigner(pkcs1(first), "", "i", nil)
	require.Error(t, err)
}

func TestSignRefuses(t *testing.T) {
	t.Parallel()
	s, err := identity.NewSigner(pkcs1(otherKey()), "", "i", newClock().Now)
	require.NoError(t, err)
	_, err = s.Sign(t.Context(), identity.WebhookClaims{TenantID: tenant})
	require.Error(t, err)
	_, err = s.Sign(t.Context(), identity.WebhookClaims{Audience: app})
	require.Error(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.Sign(ctx, identity.WebhookClaims{Audience: app, TenantID: tenant})
	require.ErrorIs(t, err, context.Canceled)
}
