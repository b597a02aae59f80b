package identity

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"stoa/shared/account"
	"stoa/shared/fault"
)

// algorithm is the one that tokens are signed with.
const algorithm = "RS256"

// maxToken bounds a token before anything is parsed. Tokens of Entra ID stay below half of it.
const maxToken = 16 << 10

// The defaults of Options.
const (
	DefaultAuthority    = "https://login.microsoftonline.com"
	DefaultSkew         = time.Minute
	defaultMinRefresh   = 5 * time.Second
	defaultRefreshEvery = time.Hour
	defaultCacheSize    = 10_000
)

// Options say whose tokens are accepted. Only Now is required.
type Options struct {
	// Authority is the base URL under which discovery and keys are found; empty takes DefaultAuthority.
	// It must be https, but for loopback.
	Authority string
	// Issuers are the accepted iss claims, with {tid} where the directory's id stands. Empty takes those of
	// Entra ID (v1 and v2) and the v2 form of Authority.
	Issuers []string
	// Now is the clock that tokens are held against.
	Now func() time.Time
	// HTTPClient fetches the keys; nil takes one with a time limit that follows no redirects.
	HTTPClient *http.Client
	// Skew is the tolerance at both ends of a token's life; 0 takes DefaultSkew.
	Skew time.Duration
	// MinRefresh is the shortest time between two fetches of the keys; 0 takes 5 seconds. It runs on the
	// machine's clock, which is the one that the authority's load runs on.
	MinRefresh time.Duration
	// RefreshEvery is the age at which the keys are fetched again without an occasion; 0 takes an hour.
	RefreshEvery time.Duration
	// CacheSize bounds how many verified tokens are remembered; 0 takes 10,000.
	CacheSize int
	// Log hears of keys that could not be fetched; nil is silent.
	Log *slog.Logger
}

// Verifier tells who a bearer token speaks for.
type Verifier struct {
	issuers []string
	now     func() time.Time
	skew    time.Duration
	parser  *jwt.Parser
	keys    *keySet
	seen    *cache
}

// New makes a verifier. It calls nobody: keys are fetched for the first token.
func New(o Options) (*Verifier, error) {
	if o.Now == nil {
		return nil, errors.New("token verifier: Options.Now is required")
	}
	if o.Authority == "" {
		o.Authority = DefaultAuthority
	}
	o.Authority = strings.TrimSuffix(o.Authority, "/")
	if o.Skew == 0 {
		o.Skew = DefaultSkew
	}
	if o.CacheSize == 0 {
		o.CacheSize = defaultCacheSize
	}
	if len(o.Issuers) == 0 {
		o.Issuers = []string{
			"https://sts.windows.net/{tid}/", DefaultAuthority + "/{tid}/v2.0", o.Authority + "/{tid}/v2.0",
		}
	}
	keys, err := newKeySet(o)
	if err != nil {
		return nil, fmt.Errorf("token verifier: %w", err)
	}
	return &Verifier{
		issuers: o.Issuers, now: o.Now, skew: o.Skew, keys: keys, seen: newCache(o.CacheSize),
		parser: jwt.NewParser(
			jwt.WithValidMethods([]string{algorithm}), jwt.WithStrictDecoding(), jwt.WithLeeway(o.Skew),
			jwt.WithTimeFunc(o.Now), jwt.WithExpirationRequired(), jwt.WithNotBeforeRequired(),
		),
	}, nil
}

// verified is what is remembered of a token that passed: all that may differ at its next use.
type verified struct {
	caller    account.Caller
	audiences []string
	notBefore time.Time // skew included
	expires   time.Time // skew included
	key       *key
}

// Verify tells who the token speaks for. The token must be meant for one of the audiences, in the bare or the
// spn: form (FUL-2). A token that is not accepted is an Unauthenticated fault; Unavailable means that the keys
// of the authority have never been reachable.
func (v *Verifier) Verify(ctx context.Context, bearer string, audiences []string) (account.Caller, error) {
	if bearer == "" || len(bearer) > maxToken {
		return account.Caller{}, refused("expected 1 to %d bytes, found %d", maxToken, len(bearer))
	}
	hash := sha256.Sum256([]byte(bearer))
	t, known := v.seen.get(hash)
	if known && !v.keys.current(t.key) {
		v.seen.drop(hash)
		known = false
	}
	if !known {
		var err error
		if t, err = v.parse(ctx, bearer); err != nil {
			return account.Caller{}, err
		}
	}
	switch now := v.now(); {
	case now.Before(t.notBefore):
		v.seen.drop(hash)
		return account.Caller{}, early(t.notBefore.Add(v.skew), now)
	case !now.Before(t.expires):
		v.seen.drop(hash)
		return account.Caller{}, expired(t.expires.Add(-v.skew), now)
	case !meant(t.audiences, audiences):
		return account.Caller{}, refused("aud: expected one of %s, found %s", shownAll(audiences), shownAll(t.audiences))
	}
	if !known {
		v.seen.put(hash, t)
	}
	return t.caller, nil
}

// parse checks everything about a token that does not depend on the route.
func (v *Verifier) parse(ctx context.Context, bearer string) (verified, error) {
	var (
		c       claims
		k       *key
		outside error // why the key could not be asked for, which is not the token's fault
	)
	token, err := v.parser.ParseWithClaims(bearer, &c, func(t *jwt.Token) (any, error) {
		id, err := keyID(t)
		if err != nil {
			return nil, err
		}
		// A token that cannot be accepted under any key is not worth a fetch.
		if err := c.consistent(v.issuers); err != nil {
			return nil, err
		}
		if k, err = v.keys.find(ctx, id); err != nil {
			if fault.Is(err, fault.Unavailable) {
				outside = err
			}
			return nil, err
		}
		if !k.serves(c.TenantID) {
			return nil, refused("kid: the key %s does not sign for the directory %s", shown(id), shown(c.TenantID))
		}
		return k.public, nil
	})
	if outside != nil {
		return verified{}, outside
	}
	if err != nil {
		return verified{}, v.explain(token, &c, err)
	}
	return verified{
		caller: c.caller(), audiences: c.Audience, key: k,
		notBefore: c.NotBefore.Add(-v.skew), expires: c.ExpiresAt.Add(v.skew),
	}, nil
}

// keyID reads the header of a token. A header that demands something we do not know (crit, RFC 7515 4.1.11)
// refuses the token; one that brings its own key (jwk, jku, x5c, x5u) is not listened to.
func keyID(t *jwt.Token) (string, error) {
	if _, critical := t.Header["crit"]; critical {
		return "", refused("crit: expected no critical header members")
	}
	id, _ := t.Header["kid"].(string)
	if id == "" {
		return "", refused("kid: expected the id of a published key in the header, found none")
	}
	return id, nil
}

// meant reports whether an audience of the token is one of the wanted. A route that wants none accepts none.
func meant(token, wanted []string) bool {
	for _, w := range wanted {
		for _, t := range token {
			if w != "" && strings.EqualFold(plainAudience(t), plainAudience(w)) {
				return true
			}
		}
	}
	return false
}

// plainAudience strips what does not tell two audiences apart: the spn: form (FUL-2), and the closing slash that
// the directory keeps from the request.
func plainAudience(a string) string {
	if len(a) > 4 && strings.EqualFold(a[:4], "spn:") {
		a = a[4:]
	}
	return strings.TrimSuffix(a, "/")
}
