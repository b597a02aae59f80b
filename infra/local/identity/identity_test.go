package identity_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/infra/local/identity"
)

const (
	tenant   = "c0c0c0c0-0000-4000-8000-000000000001"
	app      = "c0c0c0c0-0000-4000-8000-0000000000a1"
	resource = "20e940b3-4c77-4b0b-9a53-9e16a1b010a7"

	appForm  = "grant_type=client_credentials&client_id=" + app + "&client_secret=contoso-dev-secret"
	userForm = "grant_type=password&client_id=stoa-local&username=olga.owner@contoso.example&password=olga"
)

type stack struct {
	*identity.Server
	at atomic.Int64
}

func start(t *testing.T, change ...func(*identity.Options)) *stack {
	t.Helper()
	s := &stack{}
	s.at.Store(1525110400)
	o := identity.Options{Now: func() time.Time { return time.Unix(s.at.Load(), 0) }}
	for _, c := range change {
		c(&o)
	}
	server, err := identity.Start(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	s.Server = server
	return s
}

func (s *stack) post(t *testing.T, path, form string) (int, map[string]any) {
	t.Helper()
	reply, err := http.Post(s.URL()+path, "application/x-www-form-urlencoded", strings.NewReader(form))
	require.NoError(t, err)
	return decode(t, reply)
}

func (s *stack) get(t *testing.T, path string) (int, map[string]any) {
	t.Helper()
	reply, err := http.Get(s.URL() + path)
	require.NoError(t, err)
	return decode(t, reply)
}

func decode(t *testing.T, reply *http.Response) (int, map[string]any) {
	t.Helper()
	defer reply.Body.Close()
	raw, err := io.ReadAll(reply.Body)
	require.NoError(t, err)
	var body map[string]any
	require.NoError(t, json.Unmarshal(raw, &body), string(raw))
	return reply.StatusCode, body
}

// claims verifies a token with the standard library and the published keys, and gives what it says.
func (s *stack) claims(t *testing.T, token any) map[string]any {
	t.Helper()
	parts := strings.Split(token.(string), ".")
	require.Len(t, parts, 3)
	bytes := func(part string) []byte {
		raw, err := base64.RawURLEncoding.DecodeString(part)
		require.NoError(t, err)
		return raw
	}
	var header, claims map[string]any
	require.NoError(t, json.Unmarshal(bytes(parts[0]), &header))
	require.NoError(t, json.Unmarshal(bytes(parts[1]), &claims))
	require.Equal(t, "RS256", header["alg"])
	_, set := s.get(t, "/common/discovery/keys")
	for _, k := range set["keys"].([]any) {
		key := k.(map[string]any)
		if key["kid"] != header["kid"] {
			continue
		}
		number := func(name string) *big.Int { return new(big.Int).SetBytes(bytes(key[name].(string))) }
		public := &rsa.PublicKey{N: number("n"), E: int(number("e").Int64())}
		sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
		require.NoError(t, rsa.VerifyPKCS1v15(public, crypto.SHA256, sum[:], bytes(parts[2])))
		return claims
	}
	t.Fatalf("key %v is not published", header["kid"])
	return nil
}

// The answer of the v1 endpoint is strings throughout, times come from the given clock (MTR-27, FUL-1).
func TestV1Answer(t *testing.T) {
	t.Parallel()
	s := start(t)
	status, body := s.post(t, "/"+tenant+"/oauth2/token", appForm+"&resource="+resource)
	require.Equal(t, 200, status)
	token := body["access_token"]
	delete(body, "access_token")
	require.Equal(t, map[string]any{
		"token_type": "Bearer", "expires_in": "3600", "ext_expires_in": "0", "expires_on": "1525114000",
		"not_before": "1525110400", "resource": resource,
	}, body)
	c := s.claims(t, token)
	for name, want := range map[string]any{
		"aud": resource, "iss": "https://sts.windows.net/" + tenant + "/", "tid": tenant, "appid": app, "ver": "1.0",
		"oid": identity.ServicePrincipalID(tenant, app), "sub": identity.ServicePrincipalID(tenant, app),
		"iat": 1525110400.0, "nbf": 1525110400.0, "exp": 1525114000.0, "roles": []any{"Manager"},
	} {
		require.Equal(t, want, c[name], name)
	}
	require.NotContains(t, c, "scp")
	require.NotContains(t, c, "azp")
}

func TestV2Answer(t *testing.T) {
	t.Parallel()
	s := start(t)
	status, body := s.post(t, "/"+tenant+"/oauth2/v2.0/token", appForm+"&scope="+resource+"/.default")
	require.Equal(t, 200, status)
	require.EqualValues(t, 3600, body["expires_in"])
	c := s.claims(t, body["access_token"])
	require.Equal(t, "https://login.microsoftonline.com/"+tenant+"/v2.0", c["iss"])
	require.Equal(t, app, c["azp"])
	require.Equal(t, "2.0", c["ver"])
	require.Equal(t, resource, c["aud"])
	require.NotContains(t, c, "appid")
}

func TestUserTokens(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, path := range []string{"/" + tenant + "/oauth2/token", "/common/oauth2/token"} {
		status, body := s.post(t, path, userForm+"&resource="+resource)
		require.Equal(t, 200, status)
		require.Equal(t, "user_impersonation", body["scope"])
		c := s.claims(t, body["access_token"])
		require.Equal(t, "user_impersonation", c["scp"])
		require.Equal(t, "olga.owner@contoso.example", c["upn"])
		require.Equal(t, "Olga Owner", c["name"])
		require.Equal(t, "c0c0c0c0-0000-4000-8000-0000000000b1", c["oid"])
		require.Equal(t, tenant, c["tid"])
		require.Equal(t, "stoa-local", c["appid"])
	}
	status, body := s.post(t, "/"+tenant+"/oauth2/v2.0/token", userForm+"&scope=openid+profile+"+resource+"/.default")
	require.Equal(t, 200, status)
	require.Equal(t, "olga.owner@contoso.example", s.claims(t, body["access_token"])["preferred_username"])
	status, _ = s.post(t, "/adadadad-0000-4000-8000-000000000003/oauth2/token", "grant_type=password&client_id=stoa-local&"+
		"username=ADA@adatum.example&password=ada&resource="+resource)
	require.Equal(t, 200, status, "a customer's user; names have no case")
}

func TestFieldNamesAndSecrets(t *testing.T) {
	t.Parallel()
	s := start(t)
	status, _ := s.post(t, "/"+strings.ToUpper(tenant)+"/oauth2/token", "Grant_type=client_credentials&Client_id="+
		strings.ToUpper(app)+"&client_secret=contoso-dev-secret&Resource=%20"+resource)
	require.Equal(t, 200, status, "MTR-26 names without case, SUB-2 a blank before the resource")

	r, err := http.NewRequest(http.MethodPost, s.URL()+"/"+tenant+"/oauth2/token",
		strings.NewReader("grant_type=client_credentials&resource="+resource))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	r.SetBasicAuth(app, url.QueryEscape("contoso-dev-secret"))
	reply, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	status, _ = decode(t, reply)
	require.Equal(t, 200, status)
}

func TestResources(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *identity.Options) { o.Resources = []string{"api://ours"} })
	for _, asked := range []string{
		resource, "spn:" + resource, "https://cloudpartner.azure.com", "https://api.partner.microsoft.com",
		"https://management.azure.com/", "https://graph.microsoft.com", "api://ours",
	} {
		status, body := s.post(t, "/"+tenant+"/oauth2/token", appForm+"&resource="+url.QueryEscape(asked))
		require.Equal(t, 200, status, asked)
		require.Equal(t, asked, s.claims(t, body["access_token"])["aud"])
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	s := start(t)
	v1, v2 := "/"+tenant+"/oauth2/token", "/"+tenant+"/oauth2/v2.0/token"
	with := "&resource=" + resource
	for name, row := range map[string]struct {
		path, form string
		status     int
		word       string
		code       float64
	}{
		"empty form":              {v1, "", 400, "invalid_request", 900144},
		"unknown grant":           {v1, "grant_type=refresh_token" + with, 400, "unsupported_grant_type", 70003},
		"no client":               {v1, "grant_type=client_credentials" + with, 400, "invalid_request", 900144},
		"no secret":               {v1, "grant_type=client_credentials&client_id=" + app + with, 401, "invalid_client", 7000216},
		"wrong secret":            {v1, appForm + "x" + with, 401, "invalid_client", 7000215},
		"unknown application":     {v1, "grant_type=client_credentials&client_id=x&client_secret=y" + with, 400, "unauthorized_client", 700016},
		"foreign application":     {"/fabfabfa-0000-4000-8000-000000000002/oauth2/token", appForm + with, 400, "unauthorized_client", 700016},
		"unknown resource":        {v1, appForm + "&resource=https://other.example", 400, "invalid_resource", 500011},
		"no resource":             {v1, appForm, 400, "invalid_request", 900144},
		"no scope":                {v2, appForm, 400, "invalid_request", 900144},
		"scope without default":   {v2, appForm + "&scope=" + resource, 400, "invalid_scope", 1002012},
		"two resources":           {v2, appForm + "&scope=" + resource + "/.default+https://graph.microsoft.com/.default", 400, "invalid_scope", 70011},
		"scope of unknown API":    {v2, appForm + "&scope=https://other.example/.default", 400, "invalid_resource", 500011},
		"unknown tenant":          {"/00000000-0000-4000-8000-000000000009/oauth2/token", appForm + with, 400, "invalid_request", 90002},
		"tenant that is no name":  {"/nonsense/oauth2/token", appForm + with, 400, "invalid_request", 900023},
		"application in common":   {"/common/oauth2/token", appForm + with, 400, "invalid_request", 50059},
		"wrong password":          {v1, userForm + "x" + with, 400, "invalid_grant", 50126},
		"unknown user":            {v1, strings.Replace(userForm, "olga.owner", "nobody", 1) + with, 400, "invalid_grant", 50034},
		"user of another tenant":  {"/adadadad-0000-4000-8000-000000000003/oauth2/token", userForm + with, 400, "invalid_grant", 50034},
		"no user name":            {v1, "grant_type=password&client_id=stoa-local&password=x" + with, 400, "invalid_request", 900144},
		"user of another client":  {v1, strings.Replace(userForm, "stoa-local", "x", 1) + with, 400, "unauthorized_client", 700016},
		"form that is not read":   {v1, "grant_type=%zz", 400, "invalid_request", 90014},
		"form that is too large":  {v1, appForm + "&x=" + strings.Repeat("a", 65<<10), 400, "invalid_request", 90014},
		"line breaks in a tenant": {"/a%0Ab/oauth2/token", appForm + with, 400, "invalid_request", 900023},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, body := s.post(t, row.path, row.form)
			require.Equal(t, row.status, status, body)
			require.Equal(t, row.word, body["error"])
			require.Equal(t, []any{row.code}, body["error_codes"])
			require.Contains(t, body["error_description"], "AADSTS")
			require.Equal(t, "2018-04-30 17:46:40Z", body["timestamp"])
			require.NotEmpty(t, body["trace_id"])
			require.NotEmpty(t, body["correlation_id"])
			require.NotContains(t, body["error_description"], "secretx", "no secret is repeated")
		})
	}
}

func TestOnlyFormsByPost(t *testing.T) {
	t.Parallel()
	s := start(t)
	v1 := "/" + tenant + "/oauth2/token"
	status, body := s.get(t, v1)
	require.Equal(t, 400, status)
	require.Equal(t, []any{900561.0}, body["error_codes"])
	reply, err := http.Post(s.URL()+v1, "application/json", strings.NewReader("{}"))
	require.NoError(t, err)
	status, _ = decode(t, reply)
	require.Equal(t, 400, status)
}

func TestManagedIdentity(t *testing.T) {
	t.Parallel()
	s := start(t)
	const vm = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm"
	status, body := s.get(t, "/"+tenant+"/msi/token?resource="+resource+"&mi_res_id="+vm)
	require.Equal(t, 200, status)
	require.Equal(t, "3600", body["expires_in"])
	c := s.claims(t, body["access_token"])
	require.Equal(t, vm, c["xms_mirid"]) // MTR-29
	require.Equal(t, identity.ManagedIdentityAppID(tenant, vm), c["appid"])
	require.Equal(t, body["client_id"], c["appid"])
	for _, bad := range []string{
		"/" + tenant + "/msi/token?mi_res_id=" + vm, "/" + tenant + "/msi/token?resource=" + resource,
		"/" + tenant + "/msi/token?mi_res_id=vm&resource=" + resource, "/common/msi/token?resource=" + resource + "&mi_res_id=" + vm,
		"/" + tenant + "/msi/token?resource=other&mi_res_id=" + vm, "/nonsense/msi/token?resource=" + resource + "&mi_res_id=" + vm,
	} {
		status, body := s.get(t, bad)
		require.Equal(t, 400, status, bad)
		require.NotEmpty(t, body["error"], bad)
	}
}

func TestDiscovery(t *testing.T) {
	t.Parallel()
	s := start(t)
	for path, want := range map[string][2]string{
		"/" + tenant:           {"https://sts.windows.net/" + tenant + "/", "/" + tenant + "/discovery/keys"},
		"/" + tenant + "/v2.0": {"https://login.microsoftonline.com/" + tenant + "/v2.0", "/" + tenant + "/discovery/v2.0/keys"},
		"/common":              {"https://sts.windows.net/{tenantid}/", "/common/discovery/keys"},
		"/common/v2.0":         {"https://login.microsoftonline.com/{tenantid}/v2.0", "/common/discovery/v2.0/keys"},
	} {
		status, doc := s.get(t, path+"/.well-known/openid-configuration")
		require.Equal(t, 200, status, path)
		require.Equal(t, want[0], doc["issuer"])
		require.Equal(t, s.URL()+want[1], doc["jwks_uri"])
		status, set := s.get(t, want[1])
		require.Equal(t, 200, status)
		key := set["keys"].([]any)[0].(map[string]any)
		require.Equal(t, "AQAB", key["e"])
		require.NotContains(t, key, "d")
	}
	for _, path := range []string{"/nonsense/.well-known/openid-configuration", "/nonsense/discovery/keys"} {
		status, _ := s.get(t, path)
		require.Equal(t, 400, status)
	}
	for _, path := range []string{"/discovery/keys", "/discovery/v2.0/keys"} {
		status, _ := s.get(t, path)
		require.Equal(t, 200, status)
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *identity.Options) { o.KeyOverlap = time.Hour })
	published := func() int {
		_, set := s.get(t, "/discovery/keys")
		return len(set["keys"].([]any))
	}
	issue := func() any {
		_, body := s.post(t, "/"+tenant+"/oauth2/token", appForm+"&resource="+resource)
		return body["access_token"]
	}
	old := issue()
	status, body := s.post(t, "/rotate", "")
	require.Equal(t, 200, status)
	require.Equal(t, s.KeyID(), body["kid"])
	s.claims(t, old)
	s.claims(t, issue())
	require.Equal(t, 2, published())
	s.at.Add(3599)
	require.Equal(t, 2, published())
	s.at.Add(1)
	require.Equal(t, 1, published(), "the overlap is over")
	s.post(t, "/rotate?withdraw=true", "")
	require.Equal(t, 1, published())
	s.claims(t, issue())
}

func TestKeyFileKeepsTokensGood(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys.json")
	keep := func(o *identity.Options) { o.KeyFile = file }
	s := start(t, keep)
	_, body := s.post(t, "/"+tenant+"/oauth2/token", appForm+"&resource="+resource)
	require.NoError(t, s.RotateKey())
	id := s.KeyID()
	s.Stop()

	s = start(t, keep)
	require.Equal(t, id, s.KeyID())
	s.claims(t, body["access_token"])
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())

	for _, content := range []string{"{", `[{"private":"x"}]`, `[{"private":"-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"}]`} {
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
		_, err := identity.New(identity.Options{KeyFile: file})
		require.Error(t, err, content)
	}
	_, err = identity.New(identity.Options{KeyFile: filepath.Join(t.TempDir(), "no", "folder")})
	require.Error(t, err)
}

func TestFixtures(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("fixtures.json")
	require.NoError(t, err)
	typed, err := json.Marshal(identity.DevFixtures())
	require.NoError(t, err)
	require.JSONEq(t, string(raw), string(typed), "the types leave nothing out")

	moved := identity.DevFixtures().WithURLs("http://127.0.0.1:1/", "http://127.0.0.1:2/")
	require.Equal(t, "http://127.0.0.1:1", moved.Authority)
	contoso, ok := moved.Publisher("contoso")
	require.True(t, ok)
	require.Equal(t, "http://127.0.0.1:2/landing", contoso.LandingPageURL)
	require.Equal(t, "http://127.0.0.1:2/webhook", contoso.WebhookURL)
	_, ok = moved.Publisher("nobody")
	require.False(t, ok)
	require.NotEqual(t, moved.Publishers[0], identity.DevFixtures().Publishers[0])

	s := start(t)
	require.Equal(t, s.URL(), s.Fixtures().Authority)
	require.NotEqual(t, app, identity.ServicePrincipalID(tenant, app)) // CPP-5
	require.NotEqual(t, identity.ServicePrincipalID(tenant, app), identity.ServicePrincipalID("other", app))
}

func TestEndOfContextStops(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s, err := identity.Start(ctx, identity.Options{})
	require.NoError(t, err)
	cancel()
	require.Eventually(t, func() bool {
		_, err := http.Get(s.URL() + "/")
		return err != nil
	}, 5*time.Second, 5*time.Millisecond)
	_, err = identity.Start(t.Context(), identity.Options{Port: 70000})
	require.Error(t, err)
}
