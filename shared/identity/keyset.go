package identity

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/MicahParks/jwkset"

	"stoa/shared/fault"
)

const (
	fetchTimeout = 5 * time.Second // for discovery and keys together
	maxDocument  = 1 << 20
	minKeyBits   = 2048
	firstRetry   = time.Second // the longest pause between tries while no key is known at all
)

// key is a published signing key.
type key struct {
	id     string
	public *rsa.PublicKey
	issuer string // issuer the key is published for, with {tenantid} for every directory; may be empty
}

// serves reports whether the key may sign for a directory: keys that are published for one directory only, such
// as that of personal accounts, sign for no other.
func (k *key) serves(tenant string) bool {
	u, err := url.Parse(k.issuer)
	if err != nil {
		return false
	}
	owner, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	return owner == "" || owner == "{tenantid}" || strings.EqualFold(owner, tenant)
}

// keys is one state of the key set; it never changes.
type keys struct {
	byID    map[string]*key
	fetched time.Time
}

// keySet is the keys of the authority as last fetched. The library's own set is not used: it fetches when it is
// made, lets an unknown key id wait for the rate limit instead of refusing it, and takes fixed addresses, without
// discovery and without the issuer that a key is published for.
type keySet struct {
	authority    *url.URL
	client       *http.Client
	minRefresh   time.Duration
	refreshEvery time.Duration
	log          *slog.Logger

	known atomic.Pointer[keys] // nil until the first fetch that succeeds

	mu      sync.Mutex
	flight  *flight   // the fetch that is under way, nil when none is
	tried   time.Time // start of the last fetch
	problem error     // of the last fetch, nil when it succeeded
}

// flight is a fetch that several callers may wait for.
type flight struct{ done chan struct{} }

func newKeySet(o Options) (*keySet, error) {
	authority, err := url.Parse(o.Authority)
	if err != nil {
		return nil, fmt.Errorf("authority: %w", err)
	}
	if authority.Host == "" || authority.Scheme != "https" && !(authority.Scheme == "http" && loopback(authority)) {
		return nil, fmt.Errorf("authority %s: want an https URL", authority.Redacted())
	}
	s := &keySet{
		authority: authority, client: o.HTTPClient, minRefresh: o.MinRefresh, refreshEvery: o.RefreshEvery, log: o.Log,
	}
	if s.client == nil {
		s.client = &http.Client{
			Timeout:       fetchTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	if s.minRefresh == 0 {
		s.minRefresh = defaultMinRefresh
	}
	if s.refreshEvery == 0 {
		s.refreshEvery = defaultRefreshEvery
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s, nil
}

func loopback(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// current reports whether a key is still published, as far as is known. Old knowledge is renewed in the
// background.
func (s *keySet) current(k *key) bool {
	known := s.known.Load()
	if known == nil {
		return false
	}
	if time.Since(known.fetched) >= s.refreshEvery {
		s.refresh()
	}
	now, ok := known.byID[k.id]
	return ok && now.issuer == k.issuer && now.public.Equal(k.public)
}

// find gives a key by its id. An id that is not known is looked for at the authority, if it was not asked just
// before. The error is Unavailable when no key is known at all.
func (s *keySet) find(ctx context.Context, id string) (*key, error) {
	if k := s.lookup(id); k != nil {
		s.current(k)
		return k, nil
	}
	if f := s.refresh(); f != nil {
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, unreachable(context.Cause(ctx))
		}
	}
	// Looked up again even without a refresh: one may have ended between the first look and now.
	if k := s.lookup(id); k != nil {
		return k, nil
	}
	if s.known.Load() == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		return nil, unreachable(s.problem)
	}
	return nil, refused("kid: expected the id of a published key, found %s", shown(id))
}

func unreachable(cause error) error {
	return fault.New(fault.Unavailable, "IdentityUnavailable", "", "access tokens cannot be verified at the moment").
		Because(cause)
}

func (s *keySet) lookup(id string) *key {
	if known := s.known.Load(); known != nil {
		return known.byID[id]
	}
	return nil
}

// refresh starts a fetch, or gives the one under way. It gives nil when the last one is too recent.
func (s *keySet) refresh() *flight {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flight != nil {
		return s.flight
	}
	pause := s.minRefresh
	if s.known.Load() == nil {
		pause = min(pause, firstRetry)
	}
	if !s.tried.IsZero() && time.Since(s.tried) < pause {
		return nil
	}
	s.tried = time.Now()
	f := &flight{done: make(chan struct{})}
	s.flight = f
	// The fetch serves all who wait, so it does not end with the request that began it.
	go s.run(f)
	return f
}

func (s *keySet) run(f *flight) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	fresh, err := s.fetch(ctx)
	if err != nil {
		s.log.Warn("signing keys not fetched, the known ones stay in use", "error", err)
	} else {
		s.known.Store(fresh)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problem, s.flight = err, nil
	close(f.done)
}

// fetch reads discovery and the keys that it names. The v2 set says which directory a key serves.
func (s *keySet) fetch(ctx context.Context) (*keys, error) {
	begun := time.Now()
	var discovered struct {
		JWKSURI string `json:"jwks_uri"`
	}
	if err := s.get(ctx, s.authority.String()+"/common/v2.0/.well-known/openid-configuration", &discovered); err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	at, err := url.Parse(discovered.JWKSURI)
	if err != nil || at.Scheme != s.authority.Scheme || at.Host != s.authority.Host {
		return nil, fmt.Errorf("discovery: jwks_uri %q is not at the authority", discovered.JWKSURI)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := s.get(ctx, at.String(), &set); err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	fresh := &keys{byID: map[string]*key{}, fetched: begun}
	for _, raw := range set.Keys {
		k, err := parseKey(raw)
		if err != nil {
			s.log.Debug("published key passed over", "error", err)
			continue
		}
		fresh.byID[k.id] = k
	}
	if len(fresh.byID) == 0 {
		return nil, errors.New("keys: none that can sign")
	}
	return fresh, nil
}

// parseKey reads one published key. Those of other kinds are an error, which concerns that key only.
func parseKey(raw json.RawMessage) (*key, error) {
	var extra struct {
		Issuer string `json:"issuer"`
	}
	if err := json.Unmarshal(raw, &extra); err != nil {
		return nil, err
	}
	parsed, err := jwkset.NewJWKFromRawJSON(raw, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{SkipAll: true})
	if err != nil {
		return nil, err
	}
	m := parsed.Marshal()
	public, ok := parsed.Key().(*rsa.PublicKey)
	switch {
	case !ok || m.KID == "":
		return nil, fmt.Errorf("key %q: want an RSA key with an id", m.KID)
	case m.USE != "" && m.USE != jwkset.UseSig, m.ALG != "" && m.ALG != jwkset.AlgRS256:
		return nil, fmt.Errorf("key %q: for %s %s, want RS256 signatures", m.KID, m.USE, m.ALG)
	case public.N.BitLen() < minKeyBits || public.E < 3 || public.E%2 == 0:
		return nil, fmt.Errorf("key %q: %d bits, exponent %d: too weak", m.KID, public.N.BitLen(), public.E)
	}
	return &key{id: m.KID, public: public, issuer: extra.Issuer}, nil
}

// get reads one JSON document.
func (s *keySet) get(ctx context.Context, from string, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Accept", "application/json")
	reply, err := s.client.Do(r)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", from, reply.Status)
	}
	body, err := io.ReadAll(io.LimitReader(reply.Body, maxDocument+1))
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	if len(body) > maxDocument {
		return fmt.Errorf("%s: more than %d bytes", from, maxDocument)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	return nil
}
