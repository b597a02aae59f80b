package identity

import (
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// MarketplaceAppID is the application that the marketplace is in every directory: the audience of its APIs
// (FUL-1) and the caller of webhooks (FUL-81).
const MarketplaceAppID = "20e940b3-4c77-4b0b-9a53-9e16a1b010a7"

// webhookLife is how long a webhook token is good; every attempt gets a new one.
const webhookLife = time.Hour

// WebhookClaims say whom a webhook call is for: the application and directory of the offer's technical
// configuration (FUL-81).
type WebhookClaims struct {
	Audience string        // app id of the offer
	TenantID string        // directory id of the offer
	Life     time.Duration // 0 takes an hour
}

// Signer signs the tokens of our calls to publishers.
type Signer struct {
	issuer string
	now    func() time.Time
	id     string
	key    *rsa.PrivateKey
	set    []byte
}

// NewSigner makes a signer from RSA keys in PEM (PKCS #1 or #8). The first block signs; further ones are
// published only, so that a key can be rotated without a gap. An empty key id names keys by their RFC 7638
// thumbprint; a given one names the first.
func NewSigner(pemKeys []byte, keyID, issuer string, now func() time.Time) (*Signer, error) {
	if issuer == "" || now == nil {
		return nil, errors.New("webhook signer: issuer and clock are required")
	}
	s := &Signer{issuer: issuer, now: now}
	set := struct {
		Keys []publicKey `json:"keys"`
	}{}
	for n := 1; ; n++ {
		block, rest := pem.Decode(pemKeys)
		if block == nil {
			break
		}
		pemKeys = rest
		private, err := parsePrivate(block)
		if err != nil {
			return nil, fmt.Errorf("webhook signer: key %d: %w", n, err)
		}
		public := published(&private.PublicKey)
		if s.key == nil {
			if keyID != "" {
				public.Kid = keyID
			}
			s.key, s.id = private, public.Kid
		}
		set.Keys = append(set.Keys, public)
	}
	if s.key == nil {
		return nil, errors.New("webhook signer: no PEM block in the key")
	}
	var err error
	if s.set, err = json.Marshal(set); err != nil {
		return nil, fmt.Errorf("webhook signer: %w", err)
	}
	return s, nil
}

// parsePrivate reads one key. Its errors never hold any part of it.
func parsePrivate(block *pem.Block) (*rsa.PrivateKey, error) {
	private, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		other, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, errors.New("neither PKCS #1 nor PKCS #8")
		}
		var ok bool
		if private, ok = other.(*rsa.PrivateKey); !ok {
			return nil, fmt.Errorf("%T, want an RSA key", other)
		}
	}
	if private.N.BitLen() < minKeyBits {
		return nil, fmt.Errorf("%d bits, want at least %d", private.N.BitLen(), minKeyBits)
	}
	return private, nil
}

// Sign makes the bearer token of one webhook call.
func (s *Signer) Sign(ctx context.Context, c WebhookClaims) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if c.Audience == "" || c.TenantID == "" {
		return "", errors.New("sign a webhook: audience and tenant are required")
	}
	if c.Life == 0 {
		c.Life = webhookLife
	}
	now := s.now()
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"aud": c.Audience, "tid": c.TenantID, "iss": s.issuer, "sub": MarketplaceAppID,
		"appid": MarketplaceAppID, "azp": MarketplaceAppID,
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(c.Life).Unix(),
	})
	token.Header["kid"] = s.id
	signed, err := token.SignedString(s.key)
	if err != nil {
		return "", fmt.Errorf("sign a webhook for %s: %w", c.Audience, err)
	}
	return signed, nil
}

// JWKS is the published key set that publishers verify with, as a JSON document. It holds no private part.
func (s *Signer) JWKS() []byte { return append([]byte(nil), s.set...) }

// publicKey is one of our published keys.
type publicKey struct {
	Kty string `json:"kty"`
	Use string `json:"use"`
	Alg string `json:"alg"`
	Kid string `json:"kid"`
	N   string `json:"n"`
	E   string `json:"e"`
}

func published(key *rsa.PublicKey) publicKey {
	e := base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes())
	n := base64.RawURLEncoding.EncodeToString(key.N.Bytes())
	thumbprint := sha256.Sum256(fmt.Appendf(nil, `{"e":%q,"kty":"RSA","n":%q}`, e, n))
	return publicKey{
		Kty: "RSA", Use: "sig", Alg: "RS256", N: n, E: e,
		Kid: base64.RawURLEncoding.EncodeToString(thumbprint[:]),
	}
}
