package publicclient

import (
	"context"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Caller tells the marketplace's webhook calls from others, by the signed token they carry.
type Caller struct {
	Issuer   string
	KeysURL  string // address of the issuer's key set
	ClientID string // of the offer's technical configuration: whom the token is for
	TenantID string // same
	HTTP     *http.Client
	Now      func() time.Time

	mu   sync.Mutex
	keys map[string]*rsa.PublicKey
}

// Verify accepts a token that the issuer has signed for this publisher's application and the marketplace calls with.
func (c *Caller) Verify(ctx context.Context, bearer string) error {
	claims := jwt.MapClaims{}
	find := func(token *jwt.Token) (any, error) {
		kid, _ := token.Header["kid"].(string)
		return c.key(ctx, kid)
	}
	if _, err := jwt.ParseWithClaims(bearer, claims, find, jwt.WithValidMethods([]string{"RS256"}), jwt.WithAudience(c.ClientID),
		jwt.WithIssuer(c.Issuer), jwt.WithExpirationRequired(), jwt.WithLeeway(time.Minute), jwt.WithTimeFunc(c.Now)); err != nil {
		return err
	}
	text := func(name string) string {
		value, _ := claims[name].(string)
		return value
	}
	caller := text("appid")
	if caller == "" {
		caller = text("azp")
	}
	for _, claim := range []struct{ name, got, want string }{
		{"tid", text("tid"), c.TenantID}, {"appid", caller, MarketplaceApp},
	} {
		if !strings.EqualFold(claim.got, claim.want) {
			return fmt.Errorf("the claim %s is %q, want %q", claim.name, claim.got, claim.want)
		}
	}
	return nil
}

// key finds a key by its id. The published keys are read again when it is not among those known.
func (c *Caller) key(ctx context.Context, id string) (*rsa.PublicKey, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if key := c.keys[id]; key != nil {
		return key, nil
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.KeysURL, nil)
	if err != nil {
		return nil, err
	}
	var set struct {
		Keys []struct{ Kty, Kid, N, E string }
	}
	if _, err := send(c.HTTP, r, http.StatusOK, &set); err != nil {
		return nil, err
	}
	c.keys = map[string]*rsa.PublicKey{}
	for _, k := range set.Keys {
		n, nErr := base64.RawURLEncoding.DecodeString(k.N)
		e, eErr := base64.RawURLEncoding.DecodeString(k.E)
		if k.Kty == "RSA" && nErr == nil && eErr == nil {
			c.keys[k.Kid] = &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
		}
	}
	if c.keys[id] == nil {
		return nil, fmt.Errorf("the issuer publishes no key %q", id)
	}
	return c.keys[id], nil
}
