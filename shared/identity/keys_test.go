package identity_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	issuer "stoa/infra/local/identity"
	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/identity"
)

func rsaKey(t *testing.T, n, e string) *rsa.PublicKey {
	t.Helper()
	number := func(s string) *big.Int {
		raw, err := base64.RawURLEncoding.DecodeString(s)
		require.NoError(t, err)
		return new(big.Int).SetBytes(raw)
	}
	return &rsa.PublicKey{N: number(n), E: int(number(e).Int64())}
}

// keyDocument publishes one key; changes replace its members.
func keyDocument(t *testing.T, key *rsa.PublicKey, changes map[string]any) (document []byte, kid string) {
	t.Helper()
	m := map[string]any{
		"kty": "RSA", "kid": "k1", "use": "sig", "e": "AQAB", "n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()),
	}
	for name, value := range changes {
		m[name] = value
	}
	set, err := json.Marshal(map[string]any{"keys": []any{map[string]any{"kty": "EC", "crv": "?"}, m}})
	require.NoError(t, err)
	return set, "k1"
}

// serveKeys is an authority with a fixed key set.
func serveKeys(t *testing.T, set []byte) string {
	t.Helper()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	mux.HandleFunc("/common/v2.0/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(map[string]string{"jwks_uri": server.URL + "/k"})
	})
	mux.HandleFunc("/k", func(w http.ResponseWriter, _ *http.Request) { w.Write(set) })
	return server.URL
}

func TestStandIn(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	v := a.verifier(t)
	const vm = "/subscriptions/s/resourceGroups/managed/providers/Microsoft.Compute/virtualMachines/vm"
	credentials := "grant_type=client_credentials&client_id=" + app + "&client_secret=contoso-dev-secret&"
	person := "grant_type=password&client_id=stoa-local&username=olga.owner@contoso.example&password=olga&"
	reply, err := http.Get(a.url + "/" + tenant + "/msi/token?resource=" + resource + "&mi_res_id=" + vm)
	require.NoError(t, err)
	machine := accessToken(t, reply)

	for name, row := range map[string]struct {
		token string
		kind  account.CallerKind
	}{
		"app, v1":  {a.request(t, "/"+tenant+"/oauth2/token", credentials+"resource="+resource), account.App},
		"app, v2":  {a.request(t, "/"+tenant+"/oauth2/v2.0/token", credentials+"scope="+resource+"/.default"), account.App},
		"user, v1": {a.request(t, "/"+tenant+"/oauth2/token", person+"resource="+resource), account.User},
		"user, v2": {a.request(t, "/"+tenant+"/oauth2/v2.0/token", person+"scope="+resource+"/.default"), account.User},
		"MTR-29":   {machine, account.ManagedIdentity},
	} {
		who, err := v.Verify(t.Context(), row.token, wanted)
		require.NoError(t, err, name)
		require.Equal(t, row.kind, who.Kind, name)
		require.Equal(t, tenant, who.TenantID, name)
		require.NotEmpty(t, who.ObjectID, name)
		switch row.kind {
		case account.App:
			require.Equal(t, app, who.AppID, name)
		case account.User:
			require.Equal(t, "olga.owner@contoso.example", who.UPN, name)
			require.Equal(t, "Olga Owner", who.Name, name)
			require.Equal(t, "stoa-local", who.AppID, name)
		case account.ManagedIdentity:
			require.Equal(t, vm, who.ResourceID, name)
		}
	}
	require.EqualValues(t, 1, a.fetches.Load())
}

func TestParallelCallersFetchOnce(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	v := a.verifier(t, func(o *identity.Options) { o.MinRefresh = time.Hour })
	token := a.sign(t)
	var callers sync.WaitGroup
	var good atomic.Int64
	for range 100 {
		callers.Go(func() {
			if _, err := v.Verify(t.Context(), token, wanted); err == nil {
				good.Add(1)
			}
		})
	}
	callers.Wait()
	require.EqualValues(t, 100, good.Load())
	require.EqualValues(t, 1, a.fetches.Load())
}

func TestRotation(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	v := a.verifier(t)
	old := a.sign(t)
	_, err := v.Verify(t.Context(), old, wanted)
	require.NoError(t, err)

	require.NoError(t, a.RotateKey())
	_, err = v.Verify(t.Context(), a.sign(t), wanted)
	require.NoError(t, err, "the new key is found without a restart")
	_, err = v.Verify(t.Context(), old, wanted)
	require.NoError(t, err, "the old key is still published")

	require.NoError(t, a.WithdrawOldKeys())
	require.NoError(t, a.RotateKey())
	_, err = v.Verify(t.Context(), a.sign(t), wanted)
	require.NoError(t, err)
	_, err = v.Verify(t.Context(), old, wanted)
	requireRefused(t, err) // though it was remembered
}

func TestAgeRefreshesInTheBackground(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	v := a.verifier(t, func(o *identity.Options) { o.RefreshEvery = time.Nanosecond })
	old := a.sign(t)
	_, err := v.Verify(t.Context(), old, wanted)
	require.NoError(t, err)
	require.NoError(t, a.RotateKey())
	require.NoError(t, a.WithdrawOldKeys())
	// No token of the new key comes: age alone must find out.
	require.Eventually(t, func() bool {
		_, err := v.Verify(t.Context(), old, wanted)
		return fault.Is(err, fault.Unauthenticated)
	}, 5*time.Second, 5*time.Millisecond)
}

func TestUnknownKeysAreRateLimited(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	v := a.verifier(t, func(o *identity.Options) { o.MinRefresh = time.Hour })
	_, err := v.Verify(t.Context(), a.sign(t), wanted)
	require.NoError(t, err)
	for range 20 {
		unknown := forge(t, jwt.SigningMethodRS256, otherKey(), a.claims(), map[string]any{"kid": rand.Text()})
		_, err := v.Verify(t.Context(), unknown, wanted)
		requireRefused(t, err)
	}
	require.EqualValues(t, 1, a.fetches.Load())
}

func TestAuthorityAway(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	v := a.verifier(t)
	token := a.sign(t)

	a.shut.Store(true)
	_, err := v.Verify(t.Context(), token, wanted)
	require.Equal(t, fault.Unavailable, fault.As(err).Kind, "no key known: nobody can tell")

	a.shut.Store(false)
	_, err = v.Verify(t.Context(), token, wanted)
	require.NoError(t, err, "it recovers without a restart")

	a.shut.Store(true)
	_, err = v.Verify(t.Context(), a.sign(t, "name", "new token"), wanted)
	require.NoError(t, err, "known keys stay in use")
	_, err = v.Verify(t.Context(), forge(t, jwt.SigningMethodRS256, otherKey(), a.claims(), map[string]any{"kid": "x"}), wanted)
	requireRefused(t, err)
	_, err = v.Verify(t.Context(), a.sign(t, "name", "after the failed refresh"), wanted)
	require.NoError(t, err, "a failed refresh drops nothing")
}

func TestSlowAuthorityHoldsNobodyLongerThanTheirContext(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) })
	a := newAuthority(t)
	v := a.verifier(t, func(o *identity.Options) { o.Authority = server.URL })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := v.Verify(ctx, a.sign(t), wanted)
	require.Equal(t, fault.Unavailable, fault.As(err).Kind)
	require.ErrorIs(t, err, context.Canceled)
}

func TestCache(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	v := a.verifier(t, func(o *identity.Options) { o.CacheSize = 4 })
	token := a.sign(t)
	for range 2 {
		_, err := v.Verify(t.Context(), token, wanted)
		require.NoError(t, err)
		_, err = v.Verify(t.Context(), token, []string{"https://cloudpartner.azure.com"})
		requireRefused(t, err) // a remembered token is good for its own audience only
		_, err = v.Verify(t.Context(), token, nil)
		requireRefused(t, err)
		_, err = v.Verify(t.Context(), token, []string{""})
		requireRefused(t, err)
	}
	_, err := v.Verify(t.Context(), a.sign(t, "aud", ""), []string{""})
	requireRefused(t, err) // no audience is nobody's audience
	for range 20 {         // more tokens than it remembers
		_, err := v.Verify(t.Context(), a.sign(t, "uti", rand.Text()), wanted)
		require.NoError(t, err)
	}
	_, err = v.Verify(t.Context(), token, wanted)
	require.NoError(t, err)
	a.clock.move(time.Hour + time.Minute - time.Second)
	_, err = v.Verify(t.Context(), token, wanted)
	require.NoError(t, err)
	a.clock.move(time.Second)
	_, err = v.Verify(t.Context(), token, wanted)
	requireRefused(t, err) // remembered, and expired since
}

func TestPublishedKeys(t *testing.T) {
	t.Parallel()
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	key := otherKey()
	for name, row := range map[string]struct {
		key     *rsa.PrivateKey
		changes map[string]any
		good    bool
	}{
		"as Entra publishes it":     {key, map[string]any{"x5t": "k1", "issuer": "https://login.microsoftonline.com/{tenantid}/v2.0"}, true},
		"says RS256":                {key, map[string]any{"alg": "RS256"}, true},
		"no use":                    {key, map[string]any{"use": ""}, true},
		"of this directory":         {key, map[string]any{"issuer": "https://login.microsoftonline.com/" + tenant + "/v2.0"}, true},
		"of another directory":      {key, map[string]any{"issuer": "https://login.microsoftonline.com/" + stranger + "/v2.0"}, false},
		"for encryption":            {key, map[string]any{"use": "enc"}, false},
		"for another algorithm":     {key, map[string]any{"alg": "RS512"}, false},
		"weak":                      {weak, nil, false},
		"exponent one":              {key, map[string]any{"e": "AQ"}, false},
		"without id":                {key, map[string]any{"kid": ""}, false},
		"modulus that is no base64": {key, map[string]any{"n": "!"}, false},
		"symmetric":                 {key, map[string]any{"kty": "oct", "k": "AAAA"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set, kid := keyDocument(t, &row.key.PublicKey, row.changes)
			a := &authority{clock: newClock(), url: serveKeys(t, set)}
			token := forge(t, jwt.SigningMethodRS256, row.key, a.claims(), map[string]any{"kid": kid})
			_, err := a.verifier(t).Verify(t.Context(), token, wanted)
			require.Equal(t, row.good, err == nil, "%v", err)
		})
	}
}

func TestDiscoveryMayNotLeadAway(t *testing.T) {
	t.Parallel()
	key := otherKey()
	set, kid := keyDocument(t, &key.PublicKey, nil)
	elsewhere := serveKeys(t, set)
	for name, handler := range map[string]http.HandlerFunc{
		"jwks_uri at another host": func(w http.ResponseWriter, _ *http.Request) {
			json.NewEncoder(w).Encode(map[string]string{"jwks_uri": elsewhere + "/k"})
		},
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere+r.URL.Path, http.StatusFound)
		},
		"not JSON":  func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>")) },
		"endless":   func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 2<<20)) },
		"no answer": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		a := &authority{clock: newClock(), url: server.URL}
		token := forge(t, jwt.SigningMethodRS256, key, a.claims(), map[string]any{"kid": kid})
		_, err := a.verifier(t).Verify(t.Context(), token, wanted)
		require.Equal(t, fault.Unavailable, fault.As(err).Kind, name)
	}
}

func BenchmarkVerify(b *testing.B) {
	a := &authority{clock: newClock()}
	i, err := issuer.New(issuer.Options{Now: a.clock.Now})
	require.NoError(b, err)
	server := httptest.NewServer(i.Handler())
	b.Cleanup(server.Close)
	v, err := identity.New(identity.Options{Authority: server.URL, Now: a.clock.Now})
	require.NoError(b, err)
	token, err := i.Sign(a.claims())
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(b.Context(), token, wanted); err != nil {
			b.Fatal(err)
		}
	}
}
