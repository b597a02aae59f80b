package identity_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	issuer "stoa/infra/local/identity"
	"stoa/shared/fault"
	"stoa/shared/identity"
	"stoa/shared/web"
)

const (
	tenant   = "c0c0c0c0-0000-4000-8000-000000000001"
	stranger = "fabfabfa-0000-4000-8000-000000000002"
	app      = "c0c0c0c0-0000-4000-8000-0000000000a1"
	resource = "20e940b3-4c77-4b0b-9a53-9e16a1b010a7"
	v1Issuer = "https://sts.windows.net/" + tenant + "/"
)

var wanted = []string{resource}

// clock is a time that tests move.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.at.Store(time.Date(2021, 11, 22, 10, 0, 0, 0, time.UTC).UnixNano())
	return c
}
func (c *clock) Now() time.Time              { return time.Unix(0, c.at.Load()).UTC() }
func (c *clock) move(by time.Duration)       { c.at.Add(int64(by)) }
func (c *clock) unix(by time.Duration) int64 { return c.Now().Add(by).Unix() }

// authority is the stand-in issuer behind a door that counts and can be shut.
type authority struct {
	*issuer.Issuer
	clock   *clock
	url     string
	fetches atomic.Int64 // of the key set
	shut    atomic.Bool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{clock: newClock()}
	i, err := issuer.New(issuer.Options{Now: a.clock.Now})
	require.NoError(t, err)
	a.Issuer = i
	inner := i.Handler()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.shut.Load() {
			http.Error(w, "away", http.StatusServiceUnavailable)
			return
		}
		if strings.HasSuffix(r.URL.Path, "/keys") {
			a.fetches.Add(1)
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	a.url = server.URL
	return a
}

func (a *authority) verifier(t *testing.T, change ...func(*identity.Options)) *identity.Verifier {
	t.Helper()
	o := identity.Options{Authority: a.url, Now: a.clock.Now, MinRefresh: time.Nanosecond}
	for _, c := range change {
		c(&o)
	}
	v, err := identity.New(o)
	require.NoError(t, err)
	return v
}

// claims are those of a good v1 application token, changed by pairs of name and value; nil removes.
func (a *authority) claims(pairs ...any) map[string]any {
	c := map[string]any{
		"aud": resource, "iss": v1Issuer, "tid": tenant, "appid": app, "oid": "0b", "ver": "1.0",
		"iat": a.clock.unix(0), "nbf": a.clock.unix(0), "exp": a.clock.unix(time.Hour),
	}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == nil {
			delete(c, pairs[i].(string))
			continue
		}
		c[pairs[i].(string)] = pairs[i+1]
	}
	return c
}

func (a *authority) sign(t *testing.T, pairs ...any) string {
	t.Helper()
	token, err := a.Sign(a.claims(pairs...))
	require.NoError(t, err)
	return token
}

// request asks the stand-in's token endpoint over HTTP.
func (a *authority) request(t *testing.T, path, form string) string {
	t.Helper()
	values, err := url.ParseQuery(form)
	require.NoError(t, err)
	reply, err := http.PostForm(a.url+path, values)
	require.NoError(t, err)
	return accessToken(t, reply)
}

func accessToken(t *testing.T, reply *http.Response) string {
	t.Helper()
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, reply.StatusCode, string(body))
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	require.NoError(t, json.Unmarshal(body, &answer))
	return answer.AccessToken
}

// requireRefused checks that the one answer to every bad token came, with its cause behind it.
func requireRefused(t *testing.T, err error) {
	t.Helper()
	require.Error(t, err)
	f := fault.As(err)
	require.Equal(t, fault.Unauthenticated, f.Kind, err)
	require.Equal(t, "InvalidToken", f.Code)
	require.Error(t, f.Err, "the cause is for the log")
}

// publicKey reads the first published key.
func (a *authority) publicKey(t *testing.T) *rsa.PublicKey {
	t.Helper()
	reply, err := http.Get(a.url + "/common/discovery/v2.0/keys")
	require.NoError(t, err)
	defer reply.Body.Close()
	var set struct {
		Keys []struct{ N, E string }
	}
	require.NoError(t, json.NewDecoder(reply.Body).Decode(&set))
	return rsaKey(t, set.Keys[0].N, set.Keys[0].E)
}

var otherKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// forge signs with any method, key and header.
func forge(t *testing.T, method jwt.SigningMethod, key any, claims, header map[string]any) string {
	t.Helper()
	token := jwt.NewWithClaims(method, jwt.MapClaims(claims))
	maps.Copy(token.Header, header)
	signed, err := token.SignedString(key)
	require.NoError(t, err)
	return signed
}

func TestClaims(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	v := a.verifier(t)
	const v2Issuer = "https://login.microsoftonline.com/" + tenant + "/v2.0"
	checkClaims(t, a, v, []claimRow{
		{"FUL-2 v1 token of an application", true, nil},
		{"FUL-2 v2 token of an application", true, []any{"iss", v2Issuer, "appid", nil, "azp", app}},
		{"v2 issuer of the authority's own name", true, []any{"iss", a.url + "/" + tenant + "/v2.0"}},
		{"FUL-2 audience in the spn form", true, []any{"aud", "spn:" + resource}},
		{"audience with a closing slash", true, []any{"aud", resource + "/"}},
		{"audience in a list", true, []any{"aud", []string{"x", resource}}},
		{"MTR-28 wrong audience", false, []any{"aud", "https://graph.microsoft.com"}},
		{"audience that begins like ours", false, []any{"aud", resource + "0"}},
		{"twice spn", false, []any{"aud", "spn:spn:" + resource}},
		{"empty audience", false, []any{"aud", ""}},
		{"no audience", false, []any{"aud", nil}},
		{"audience of a wrong type", false, []any{"aud", 7}},
		{"MTR-28 wrong issuer", false, []any{"iss", "https://sts.example/" + tenant + "/"}},
		{"issuer without the closing slash", false, []any{"iss", strings.TrimSuffix(v1Issuer, "/")}},
		{"issuer of another directory than tid", false, []any{"tid", stranger}},
		{"tid of another directory than the issuer", false, []any{"iss", "https://sts.windows.net/" + stranger + "/"}},
		{"issuer with the template left in", false, []any{"iss", "https://sts.windows.net/{tid}/", "tid", "{tid}"}},
		{"no issuer", false, []any{"iss", nil}},
		{"FUL-2 no tid", false, []any{"tid", nil}},
		{"tid is no GUID", false, []any{"tid", "contoso/../x", "iss", "https://sts.windows.net/contoso/../x/"}},
		{"FUL-2 neither appid nor azp", false, []any{"appid", nil}},
		{"empty appid", false, []any{"appid", ""}},
		{"appid and azp differ", false, []any{"azp", "x"}},
		{"a person without oid", false, []any{"scp", "user_impersonation", "oid", nil}},
		{"scp of a wrong type", false, []any{"scp", []string{"a"}}},
	})
}

func TestLife(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	checkClaims(t, a, a.verifier(t), []claimRow{
		{"FUL-2 expired by the skew less one second", true, []any{"exp", a.clock.unix(-59 * time.Second)}},
		{"FUL-2 expired by exactly the skew", false, []any{"exp", a.clock.unix(-60 * time.Second)}},
		{"FUL-2 expired by one second past the skew", false, []any{"exp", a.clock.unix(-61 * time.Second)}},
		{"no exp", false, []any{"exp", nil}},
		{"exp as text", false, []any{"exp", "soon"}},
		{"FUL-2 begins in exactly the skew", true, []any{"nbf", a.clock.unix(60 * time.Second)}},
		{"FUL-2 begins one second later than the skew", false, []any{"nbf", a.clock.unix(61 * time.Second)}},
		{"no nbf", false, []any{"nbf", nil}},
	})
}

// claimRow is a change to the claims of a good token and whether it stays one.
type claimRow struct {
	name  string
	good  bool
	pairs []any
}

func checkClaims(t *testing.T, a *authority, v *identity.Verifier, rows []claimRow) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			who, err := v.Verify(t.Context(), a.sign(t, row.pairs...), wanted)
			if !row.good {
				requireRefused(t, err)
				require.Zero(t, who)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tenant, who.TenantID)
			require.Equal(t, app, who.AppID)
		})
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	good := a.sign(t)
	parts := strings.Split(good, ".")
	payload := func(pairs ...any) string {
		raw, err := json.Marshal(a.claims(pairs...))
		require.NoError(t, err)
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	header := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	checkRefused(t, a.verifier(t), map[string]string{
		"empty":                             "",
		"garbage":                           "garbage",
		"only dots":                         "..",
		"four parts":                        good + ".x",
		"two parts":                         parts[0] + "." + parts[1],
		"signature cut off":                 parts[0] + "." + parts[1] + ".",
		"tampered payload":                  parts[0] + "." + payload("tid", stranger) + "." + parts[2],
		"payload of another audience":       parts[0] + "." + payload("aud", "https://graph.microsoft.com") + "." + parts[2],
		"padded base64":                     parts[0] + "." + parts[1] + "." + parts[2] + "==",
		"header is no JSON":                 header("{") + "." + parts[1] + "." + parts[2],
		"header is a list":                  header("[]") + "." + parts[1] + "." + parts[2],
		"payload is null":                   parts[0] + "." + header("null") + "." + parts[2],
		"unknown algorithm":                 header(`{"alg":"XX1","kid":"`+a.KeyID()+`"}`) + "." + parts[1] + "." + parts[2],
		"no algorithm":                      header(`{"kid":"`+a.KeyID()+`"}`) + "." + parts[1] + "." + parts[2],
		"algorithm None with capitals":      header(`{"alg":"None","kid":"`+a.KeyID()+`"}`) + "." + parts[1] + ".",
		"surrounding blank":                 " " + good,
		"line break inside":                 parts[0] + "." + parts[1] + "\n." + parts[2],
		"another spelling of the signature": respelled(good),
	})
}

// respelled changes bits of the last character that carry nothing: the same bytes, another text.
func respelled(token string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, token[len(token)-1])
	return token[:len(token)-1] + alphabet[last^1:][:1]
}

func TestForgeries(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	public := a.publicKey(t)
	kid := map[string]any{"kid": a.KeyID()}
	pkix, err := x509.MarshalPKIXPublicKey(public)
	require.NoError(t, err)
	checkRefused(t, a.verifier(t), map[string]string{
		"algorithm none":                   forge(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, a.claims(), kid),
		"HS256 with the public key, PKIX":  forge(t, jwt.SigningMethodHS256, pkix, a.claims(), kid),
		"HS256 with the public key, PKCS1": forge(t, jwt.SigningMethodHS256, x509.MarshalPKCS1PublicKey(public), a.claims(), kid),
		"HS256 with the modulus":           forge(t, jwt.SigningMethodHS256, public.N.Bytes(), a.claims(), kid),
		"RS256 with another key":           forge(t, jwt.SigningMethodRS256, otherKey(), a.claims(), kid),
		"RS512 with another key":           forge(t, jwt.SigningMethodRS512, otherKey(), a.claims(), kid),
		"PS256 with another key":           forge(t, jwt.SigningMethodPS256, otherKey(), a.claims(), kid),
		"unknown kid":                      forge(t, jwt.SigningMethodRS256, otherKey(), a.claims(), map[string]any{"kid": "nobody"}),
		"no kid":                           forge(t, jwt.SigningMethodRS256, otherKey(), a.claims(), nil),
		"kid is a number":                  forge(t, jwt.SigningMethodRS256, otherKey(), a.claims(), map[string]any{"kid": 1}),
		"brings its own key": forge(t, jwt.SigningMethodRS256, otherKey(), a.claims(), map[string]any{"kid": "mine",
			"jwk": map[string]any{"kty": "RSA", "kid": "mine"}, "jku": a.url + "/mine"}),
	})
}

func checkRefused(t *testing.T, v *identity.Verifier, tokens map[string]string) {
	t.Helper()
	for name, token := range tokens {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := v.Verify(t.Context(), token, wanted)
			requireRefused(t, err)
		})
	}
}

// Tokens signed with the right key are refused too when their header asks for another algorithm or for
// something that is not known.
func TestRightKeyWrongHeader(t *testing.T) {
	t.Parallel()
	key := otherKey()
	set, kid := keyDocument(t, &key.PublicKey, nil)
	c := newClock()
	a := &authority{clock: c}
	a.url = serveKeys(t, set)
	v := a.verifier(t)
	header := map[string]any{"kid": kid}

	_, err := v.Verify(t.Context(), forge(t, jwt.SigningMethodRS256, key, a.claims(), header), wanted)
	require.NoError(t, err)
	for _, method := range []jwt.SigningMethod{
		jwt.SigningMethodRS384, jwt.SigningMethodRS512, jwt.SigningMethodPS256,
	} {
		_, err := v.Verify(t.Context(), forge(t, method, key, a.claims(), header), wanted)
		requireRefused(t, err)
	}
	critical := map[string]any{"kid": kid, "crit": []string{"b64"}, "b64": true}
	_, err = v.Verify(t.Context(), forge(t, jwt.SigningMethodRS256, key, a.claims(), critical), wanted)
	requireRefused(t, err)
}

func TestOversizedTokenIsNotParsed(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	v := a.verifier(t)
	_, err := v.Verify(t.Context(), a.sign(t, "name", strings.Repeat("a", 16<<10)), wanted)
	requireRefused(t, err)
	require.Zero(t, a.fetches.Load(), "an oversized token costs no fetch")

	_, err = v.Verify(t.Context(), a.sign(t, "name", strings.Repeat("a", 8<<10)), wanted)
	require.NoError(t, err)
}

func TestImplausibleTokenCostsNoFetch(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	v := a.verifier(t)
	_, err := v.Verify(t.Context(), a.sign(t, "iss", "https://sts.example/"), wanted)
	requireRefused(t, err)
	require.Zero(t, a.fetches.Load())
}

func TestOptions(t *testing.T) {
	t.Parallel()
	now := newClock().Now
	for name, row := range map[string]struct {
		o    identity.Options
		good bool
	}{
		"production":      {identity.Options{Now: now}, true},
		"no clock":        {identity.Options{}, false},
		"http":            {identity.Options{Now: now, Authority: "http://login.example"}, false},
		"http, loopback":  {identity.Options{Now: now, Authority: "http://127.0.0.1:7072"}, true},
		"http, localhost": {identity.Options{Now: now, Authority: "http://localhost:7072/"}, true},
		"no URL":          {identity.Options{Now: now, Authority: "login"}, false},
		"file":            {identity.Options{Now: now, Authority: "file:///keys"}, false},
	} {
		_, err := identity.New(row.o)
		require.Equal(t, row.good, err == nil, "%s: %v", name, err)
	}
}

func FuzzVerify(f *testing.F) {
	a := &authority{clock: newClock()}
	f.Add("Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.eyJ0aWQiOiJ4In0.AAAA")
	f.Add("bearer ..")
	f.Add("Bearer eyJhbGciOiJub25lIn0.e30.")
	f.Add("Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6MX0.bnVsbA.AA")
	f.Add("Bearer e30.eyJleHAiOjFlMzAwLCJuYmYiOi0xZTMwMCwiYXVkIjpbXX0.e30")
	v, err := identity.New(identity.Options{
		Authority: "http://127.0.0.1:1", Now: a.clock.Now,
		HTTPClient: &http.Client{Transport: noNetwork{}},
	})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, header string) {
		token, ok := web.Bearer(header)
		require.Equal(t, ok, token != "")
		for _, bearer := range []string{token, header} {
			who, err := v.Verify(t.Context(), bearer, wanted)
			require.Error(t, err, "nobody signed this")
			require.Zero(t, who)
		}
	})
}

type noNetwork struct{}

func (noNetwork) RoundTrip(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }
