package fulfillment_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stoa/functions/fulfillment"
	"stoa/shared/account"
	"stoa/shared/call"
	"stoa/shared/fault"
	"stoa/shared/identity"
	"stoa/shared/message"
	"stoa/shared/store"
	"stoa/shared/subscription"
	"stoa/shared/subscription/subscriptiontest"
	"stoa/shared/web"
)

// desk is the people of the publisher contoso: one who may edit its offers, one who may read them.
type desk struct{ staff }

func (desk) Allow(_ context.Context, c account.Caller, publisherID string, p account.Permission) error {
	may := map[string]string{"editor": "offer.read offer.edit", "reader": "offer.read"}
	if publisherID == "contoso" && strings.Contains(may[c.ObjectID], string(p)) {
		return nil
	}
	return fault.New(fault.Forbidden, "Forbidden", "", "no")
}

// portal is the webhook log's part of the portal, over a world whose calls are really signed.
type portal struct {
	*subscriptiontest.World
	t      *testing.T
	router *web.Router
	calls  *subscription.Deliveries
}

func newPortal(t *testing.T) *portal {
	t.Helper()
	return newPortalAt(t, "https://stoa.example")
}

// newPortalAt is reached at the address.
func newPortalAt(t *testing.T, publicURL string) *portal {
	t.Helper()
	w := subscriptiontest.New(t, subscription.Guide)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	block := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	signer, err := identity.NewSigner(block, "", fulfillment.WebhookIssuer(publicURL), w.Now)
	require.NoError(t, err)
	service, err := subscription.New(subscription.Deps{
		Store: w.Store, Offers: w.Offers, Publishers: subscriptiontest.Publishers{}, Calls: w.Hook, Random: rand.Reader,
		Now: w.Now, NewID: uuid.NewString,
		Sign: func(ctx context.Context, app, tenant string) (string, error) {
			return signer.Sign(ctx, identity.WebhookClaims{Audience: app, TenantID: tenant})
		},
	})
	require.NoError(t, err)
	calls, err := subscription.NewDeliveries(service, store.NewDeliveries(w.DB))
	require.NoError(t, err)
	people := tokens{
		"editor": {Kind: account.User, TenantID: subscriptiontest.App.TenantID, ObjectID: "editor"},
		"reader": {Kind: account.User, TenantID: subscriptiontest.App.TenantID, ObjectID: "reader"},
		"ada":    subscriptiontest.Ada,
	}
	rt, err := web.New(web.Deps{Verifier: people, Accounts: desk{}, Now: w.Now, NewID: uuid.NewString})
	require.NoError(t, err)
	h := &fulfillment.Deliveries{Webhooks: calls, Pages: web.Pages{Key: []byte("0123456789abcdef")}, Keys: signer.JWKS(), PublicURL: publicURL}
	h.Portal(rt.API(web.API{Prefix: "/portal/v1", Audiences: []string{"a"}}))
	return &portal{w, t, rt, calls}
}

// work works the queue until it is empty.
func (p *portal) work() {
	p.t.Helper()
	for msgs := p.Outbox.Take(message.Webhooks); len(msgs) > 0; msgs = p.Outbox.Take(message.Webhooks) {
		for _, m := range msgs {
			var w subscription.Work
			require.NoError(p.t, json.Unmarshal(m.Body, &w))
			require.NoError(p.t, p.calls.Work(ctx, w))
		}
	}
}

const (
	deliveriesPath = "/portal/v1/publishers/contoso/webhook-deliveries"
	testsPath      = "/portal/v1/publishers/contoso/webhook-tests"
	keysPath       = "/portal/v1/reference/webhook-keys"
	discoveryPath  = "/portal/v1/reference/webhook-issuer/.well-known/openid-configuration"
)

// ask calls a route and reads its answer.
func (p *portal) ask(who, method, path, body string) (status int, got map[string]any) {
	p.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if who != "" {
		r.Header.Set("Authorization", "Bearer "+who)
	}
	rec := httptest.NewRecorder()
	p.router.ServeHTTP(rec, r)
	require.NoError(p.t, json.Unmarshal(rec.Body.Bytes(), &got), rec.Body.String())
	return rec.Code, got
}

// page reads a page of the log: operations, kinds and outcomes, and the continuation.
func (p *portal) page(query string) (lines [][3]string, next string) {
	p.t.Helper()
	status, got := p.ask("reader", "GET", deliveriesPath+"?"+query, "")
	require.Equal(p.t, 200, status, got)
	for _, v := range got["value"].([]any) {
		d := v.(map[string]any)
		lines = append(lines, [3]string{d["operationId"].(string), d["kind"].(string), d["outcome"].(string)})
	}
	next, _ = got["continuation"].(string)
	return lines, next
}

func TestTheLogOfWebhooks(t *testing.T) {
	t.Parallel()
	p := newPortal(t)
	sub, other := p.Active("silver", 20), p.Active("silver", 20)
	p.Hook.Answer(func(call.Request) (call.Reply, error) {
		return call.Reply{Status: 500, Body: []byte("no database"), Elapsed: 41 * time.Millisecond}, nil
	})
	o, err := p.Service.Suspend(ctx, sub.ID)
	require.NoError(t, err)
	p.work()
	p.Hook.Answer(nil)
	p.SetClock(p.Now().Add(time.Minute))
	p.Outbox.Advance(p.Now())
	p.work()
	o2, err := p.Service.Suspend(ctx, other.ID)
	require.NoError(t, err)
	p.SetClock(p.Now().Add(time.Second))
	p.work()

	all, next := p.page("")
	require.Empty(t, next)
	require.Equal(t, [][3]string{{o2.ID, "automatic", "Accepted"}, {o.ID, "automatic", "Accepted"}, {o.ID, "automatic", "Waiting"}}, all)
	_, got := p.ask("reader", "GET", deliveriesPath+"?operationId="+strings.ToUpper(o.ID), "")
	ids := p.Hook.Calls()[0].Header
	require.NotEmpty(t, ids["x-ms-requestid"])
	require.Equal(t, map[string]any{
		"requestId": ids["x-ms-requestid"], "correlationId": ids["x-ms-correlationid"], "time": "2019-05-31T10:00:00Z", "kind": "automatic", "operationId": o.ID, "subscriptionId": sub.ID, "offerId": "offer1", "planId": "silver",
		"action": "Suspend", "attempt": 1.0, "status": 500.0, "latencyMs": 41.0, "answer": "no database", "nextAttemptAt": "2019-05-31T10:00:57.6Z",
		"outcome": "Waiting",
	}, got["value"].([]any)[1])

	var walked [][3]string
	for query := "top=1"; query != ""; {
		lines, next := p.page(query)
		walked = append(walked, lines...)
		query = ""
		if next != "" {
			query = "top=1&continuation=" + url.QueryEscape(next)
		}
	}
	require.Equal(t, all, walked)
	lines, _ := p.page("subscriptionId=" + other.ID)
	require.Equal(t, all[:1], lines)
	lines, _ = p.page("from=2019-05-31T12:01:00%2B02:00")
	require.Equal(t, all[:2], lines, "an instant, in any zone")
	_, next = p.page("top=1")
	status, got := p.ask("reader", "GET", deliveriesPath+"?operationId="+o.ID+"&continuation="+url.QueryEscape(next), "")
	require.Equal(t, []string{"400", "InvalidContinuation"}, []string{jsonText(status), codeOf(got)}, "a continuation of another list")
}

func jsonText(v any) string {
	raw, _ := json.Marshal(v)
	return string(raw)
}

func codeOf(got map[string]any) string { return got["error"].(map[string]any)["code"].(string) }

func TestCallsByHand(t *testing.T) {
	t.Parallel()
	p := newPortal(t)
	sub := p.Active("silver", 20)
	o, err := p.Service.Suspend(ctx, sub.ID)
	require.NoError(t, err)
	p.work()
	p.Hook.Answer(func(call.Request) (call.Reply, error) {
		return call.Reply{}, fault.New(fault.Unavailable, "CallFailed", "url", "The address refused the connection.")
	})
	status, got := p.ask("editor", "POST", deliveriesPath+"/"+o.ID+"/redeliver", "")
	require.Equal(t, 200, status)
	require.Equal(t, map[string]any{"code": "CallFailed", "message": "The address refused the connection."}, got["error"])
	require.Equal(t, []any{"manual", "Failed", "Suspend", nil, ""}, []any{got["kind"], got["outcome"], got["action"], got["status"], got["answer"]})

	p.Hook.Status(204)
	status, got = p.ask("editor", "POST", testsPath, `{"offerId":"offer1","action":"ChangePlan","planId":"gold"}`)
	require.Equal(t, 200, status)
	require.Equal(t, []any{"test", "Accepted", "ChangePlan", 204.0, "gold"}, []any{got["kind"], got["outcome"], got["action"], got["status"], got["planId"]})
	lines, _ := p.page("")
	require.Len(t, lines, 3)

	p.Hook.Answer(func(call.Request) (call.Reply, error) {
		f := fault.New(fault.Throttled, "ReceiverBusy", "url", "later")
		f.RetryAfter = 2 * time.Second
		return call.Reply{}, f
	})
	status, got = p.ask("editor", "POST", testsPath, `{"offerId":"offer1","action":"Renew"}`)
	require.Equal(t, []string{"429", "ReceiverBusy"}, []string{jsonText(status), codeOf(got)})
}

// published finds the key of a token in a key set, as a library for receivers does.
func published(t *testing.T, document map[string]any) jwt.Keyfunc {
	t.Helper()
	var set jwkset.JWKSMarshal
	require.NoError(t, json.Unmarshal([]byte(jsonText(document)), &set))
	keys, err := set.JWKSlice()
	require.NoError(t, err)
	byID := map[string]any{}
	for _, k := range keys {
		byID[k.Marshal().KID] = k.Key()
	}
	return func(token *jwt.Token) (any, error) { return byID[token.Header["kid"].(string)], nil }
}

// A receiver that knows nothing but the published keys can verify a call (FUL-81).
func TestAReceiverVerifiesACallWithThePublishedKeys(t *testing.T) {
	t.Parallel()
	p := newPortal(t)
	sub := p.Active("silver", 20)
	_, err := p.Service.Suspend(ctx, sub.ID)
	require.NoError(t, err)
	p.work()
	status, _ := p.ask("editor", "POST", testsPath, `{"offerId":"offer1","action":"Suspend"}`)
	require.Equal(t, 200, status)
	status, document := p.ask("", "GET", keysPath, "")
	require.Equal(t, 200, status)
	require.NotContains(t, jsonText(document), `"d"`)
	keyOf := published(t, document)
	require.Len(t, p.Hook.Calls(), 2)
	for _, c := range p.Hook.Calls() {
		bearer, ok := strings.CutPrefix(c.Header["Authorization"], "Bearer ")
		require.True(t, ok)
		claims := jwt.MapClaims{}
		_, err = jwt.NewParser(jwt.WithTimeFunc(p.Now), jwt.WithValidMethods([]string{"RS256"}), jwt.WithIssuer(fulfillment.WebhookIssuer("https://stoa.example")),
			jwt.WithAudience(subscriptiontest.App.AppID), jwt.WithExpirationRequired(), jwt.WithIssuedAt()).ParseWithClaims(bearer, claims, keyOf)
		require.NoError(t, err)
		const marketplace = "20e940b3-4c77-4b0b-9a53-9e16a1b010a7"
		require.Equal(t, []any{subscriptiontest.App.TenantID, marketplace, marketplace}, []any{claims["tid"], claims["appid"], claims["azp"]})
		forged := bearer[:len(bearer)-8] + "AAAAAAAA"
		_, err = jwt.NewParser(jwt.WithTimeFunc(p.Now)).Parse(forged, keyOf)
		require.ErrorIs(t, err, jwt.ErrTokenSignatureInvalid)
	}
}

func TestBadInputOfTheWebhookLog(t *testing.T) {
	t.Parallel()
	p := newPortal(t)
	id := "11111111-0000-4000-8000-000000000001"
	redeliver := deliveriesPath + "/" + id + "/redeliver"
	good := `{"offerId":"offer1","action":"Renew"}`
	long := strings.Repeat("x", 101)
	for name, tc := range map[string]struct {
		who, method, path, body string
		status                  int
		code, target            string
	}{
		"list, no token":          {"", "GET", deliveriesPath, "", 401, "InvalidToken", "authorization"},
		"list, a stranger":        {"ada", "GET", deliveriesPath, "", 403, "Forbidden", ""},
		"list, another publisher": {"editor", "GET", "/portal/v1/publishers/fabrikam/webhook-deliveries", "", 403, "Forbidden", ""},
		"list, subscription":      {"reader", "GET", deliveriesPath + "?subscriptionId=lunch", "", 400, "InvalidValue", "subscriptionId"},
		"list, long subscription": {"reader", "GET", deliveriesPath + "?subscriptionId=" + strings.Repeat("1", 2000), "", 400, "InvalidValue", "subscriptionId"},
		"list, operation":         {"reader", "GET", deliveriesPath + "?operationId=" + id + "0", "", 400, "InvalidValue", "operationId"},
		"list, from a day":        {"reader", "GET", deliveriesPath + "?from=2026-01-31", "", 400, "InvalidValue", "from"},
		"list, from long ago":     {"reader", "GET", deliveriesPath + "?from=0001-01-01T00:00:00Z", "", 400, "InvalidValue", "from"},
		"list, from far ahead":    {"reader", "GET", deliveriesPath + "?from=9999-01-01T00:00:00Z", "", 400, "InvalidValue", "from"},
		"list, top 0":             {"reader", "GET", deliveriesPath + "?top=0", "", 400, "InvalidValue", "top"},
		"list, top 201":           {"reader", "GET", deliveriesPath + "?top=201", "", 400, "InvalidValue", "top"},
		"list, top many":          {"reader", "GET", deliveriesPath + "?top=many", "", 400, "InvalidValue", "top"},
		"list, continuation":      {"reader", "GET", deliveriesPath + "?continuation=YWJj", "", 400, "InvalidContinuation", "continuation"},
		"redeliver, a reader":     {"reader", "POST", redeliver, "", 403, "Forbidden", ""},
		"redeliver, unknown":      {"editor", "POST", redeliver, "", 404, "NotFound", "operationId"},
		"redeliver, no GUID":      {"editor", "POST", deliveriesPath + "/" + strings.Repeat("x", 2000) + "/redeliver", "", 404, "NotFound", "operationId"},
		"test, a reader":          {"reader", "POST", testsPath, good, 403, "Forbidden", ""},
		"test, no body":           {"editor", "POST", testsPath, "", 400, "MissingBody", ""},
		"test, malformed":         {"editor", "POST", testsPath, `{"a":`, 400, "MalformedJson", ""},
		"test, a list":            {"editor", "POST", testsPath, `[]`, 400, "InvalidType", ""},
		"test, wrong type":        {"editor", "POST", testsPath, `{"offerId":5,"action":"Renew"}`, 400, "InvalidType", "offerId"},
		"test, no offer":          {"editor", "POST", testsPath, `{"action":"Renew"}`, 400, "RequiredField", "offerId"},
		"test, unknown offer":     {"editor", "POST", testsPath, `{"offerId":"nothing","action":"Renew"}`, 404, "NotFound", "offerId"},
		"test, long offer":        {"editor", "POST", testsPath, `{"offerId":"` + long + `","action":"Renew"}`, 400, "InvalidValue", "offerId"},
		"test, long plan":         {"editor", "POST", testsPath, `{"offerId":"offer1","planId":"` + long + `","action":"Renew"}`, 400, "InvalidValue", "planId"},
		"test, unknown plan":      {"editor", "POST", testsPath, `{"offerId":"offer1","planId":"nothing","action":"Renew"}`, 400, "InvalidValue", "planId"},
		"test, no action":         {"editor", "POST", testsPath, `{"offerId":"offer1"}`, 400, "RequiredField", "action"},
		"test, unknown action":    {"editor", "POST", testsPath, `{"offerId":"offer1","action":"Transfer"}`, 400, "InvalidValue", "action"},
		"test, unknown slot":      {"editor", "POST", testsPath, `{"offerId":"offer1","action":"Renew","slot":"draft"}`, 400, "InvalidValue", "slot"},
		"list, another method":    {"editor", "PUT", deliveriesPath, good, 405, "MethodNotAllowed", ""},
		"keys, another method":    {"editor", "POST", keysPath, good, 405, "MethodNotAllowed", ""},
		"issuer, another method":  {"editor", "POST", discoveryPath, good, 405, "MethodNotAllowed", ""},
		"issuer, another path":    {"editor", "GET", discoveryPath + "2", "", 404, "NotFound", ""},
	} {
		status, got := p.ask(tc.who, tc.method, tc.path, tc.body)
		require.Contains(t, got, "error", name)
		e := got["error"].(map[string]any)
		target, _ := e["target"].(string)
		require.Equal(t, []any{tc.status, tc.code, tc.target}, []any{status, e["code"], target}, name)
		require.NotEmpty(t, e["message"], name)
	}
	require.Empty(t, p.Hook.Calls())
	lines, _ := p.page("")
	require.Empty(t, lines)
}
