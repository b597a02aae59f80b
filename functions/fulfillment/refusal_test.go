package fulfillment_test

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stoa/functions/fulfillment"
	issuer "stoa/infra/local/identity"
	"stoa/shared/identity"
	"stoa/shared/store"
	"stoa/shared/subscription"
	"stoa/shared/subscription/subscriptiontest"
	"stoa/shared/web"
)

const marketplace = "20e940b3-4c77-4b0b-9a53-9e16a1b010a7"

// verified is the API and the storefront behind the verifier of real tokens, and what signs them.
func verified(t *testing.T) (*bench, *issuer.Issuer) {
	t.Helper()
	w := subscriptiontest.New(t, subscription.Guide)
	authority, err := issuer.New(issuer.Options{Now: w.Now})
	require.NoError(t, err)
	server := httptest.NewServer(authority.Handler())
	t.Cleanup(server.Close)
	verifier, err := identity.New(identity.Options{Authority: server.URL, Now: w.Now})
	require.NoError(t, err)
	rt, err := web.New(web.Deps{Verifier: verifier, Accounts: staff{}, Now: w.Now, NewID: uuid.NewString})
	require.NoError(t, err)
	h, err := fulfillment.New(fulfillment.Deps{
		Subscriptions: w.Service, Pages: web.Pages{Key: []byte("0123456789abcdef")}, Audiences: []string{marketplace}, PublicURL: "https://stoa.example",
	})
	require.NoError(t, err)
	h.Routes(rt)
	h.Storefront(rt.API(web.API{Prefix: "/storefront/v1", Audiences: []string{marketplace}}))
	return &bench{World: w, t: t, router: rt}, authority
}

// A 403 of the API says which claim of the token failed, in the envelope it always has; the storefront says the same
// with its 401 (FUL-2, FUL-3).
func TestRefusedTokensAreExplained(t *testing.T) {
	t.Parallel()
	b, authority := verified(t)
	id := b.In(subscription.Subscribed).ID
	sign := func(pairs ...any) string {
		now := b.Now()
		claims := map[string]any{
			"aud": marketplace, "iss": "https://sts.windows.net/" + subscriptiontest.App.TenantID + "/", "tid": subscriptiontest.App.TenantID,
			"appid": subscriptiontest.App.AppID, "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		}
		for i := 0; i < len(pairs); i += 2 {
			claims[pairs[i].(string)] = pairs[i+1]
		}
		token, err := authority.Sign(claims)
		require.NoError(t, err)
		return token
	}
	good := sign()
	require.Equal(t, 200, b.serve(request{method: "GET", path: at(id), token: good}).status)
	cut := strings.LastIndex(good, ".")
	for name, row := range map[string]struct {
		token string
		words []string
	}{
		"audience":      {sign("aud", "https://graph.microsoft.com"), []string{"aud:", marketplace, "https://graph.microsoft.com"}},
		"issuer":        {sign("iss", "https://sts.example/"), []string{"iss:", "https://sts.windows.net/" + subscriptiontest.App.TenantID, "https://sts.example/"}},
		"expired":       {sign("exp", b.Now().Add(-time.Hour).Unix()), []string{"exp:", "after 2019-05-31T10:00:00Z", "found 2019-05-31T09:00:00Z"}},
		"early":         {sign("nbf", b.Now().Add(time.Hour).Unix()), []string{"nbf:", "found 2019-05-31T11:00:00Z"}},
		"no directory":  {sign("tid", ""), []string{"tid:", "found none"}},
		"nobody's":      {sign("appid", ""), []string{"appid:", "found none"}},
		"tampered with": {good[:cut+1] + strings.Repeat("A", len(good)-cut-1), []string{"signature", authority.KeyID()}},
		"cut off":       {good[:cut], []string{"malformed"}},
		"no token":      {"-", []string{"Authorization", "no such header"}},
	} {
		for _, q := range []request{
			{method: "GET", path: at(id)}, {method: "PATCH", path: at(id), body: `{"planId":"gold"}`}, {method: "GET", path: at(uuid.NewString())},
			{method: "POST", path: "/storefront/v1/purchases", body: "{"}, {method: "GET", path: "/storefront/v1/terms"},
		} {
			q.token = row.token
			q.header = map[string]string{"x-ms-requestid": "request-1", "x-ms-correlationid": "correlation-1"}
			a := b.serve(q)
			var e struct {
				Code, Message string
				Error         struct{ Code, Message, Target string }
			}
			require.NoError(t, json.Unmarshal([]byte(a.body), &e))
			text := e.Message
			if strings.HasPrefix(q.path, "/api/") {
				require.Equal(t, []any{403, "Forbidden"}, []any{a.status, e.Code}, "%s: %s", name, a.body)
			} else {
				require.Equal(t, []any{401, "InvalidToken", "authorization"}, []any{a.status, e.Error.Code, e.Error.Target}, "%s: %s", name, a.body)
				text = e.Error.Message
			}
			for _, w := range row.words {
				require.Contains(t, text, w, name)
			}
			require.NotContains(t, a.body, good[:30], "never the token")
			require.Equal(t, []string{"request-1", "correlation-1"}, []string{a.header.Get("x-ms-requestid"), a.header.Get("x-ms-correlationid")}, name)
		}
	}
	require.Equal(t, "Subscribed silver 20", b.stateOf(id))
}

// Ids that are none name nothing in the storefront either (FUL-6), and a beneficiary is named by GUIDs.
func TestIdsThatAreNoneInTheStorefront(t *testing.T) {
	t.Parallel()
	b := newBench(t, subscription.Guide)
	id := b.In(subscription.Subscribed).ID
	for _, bad := range []string{"42", "null", id + "0", strings.ReplaceAll(id, "-", ""), "{" + id + "}", "g" + id[1:], "%20" + id, uuid.Nil.String(), uuid.NewString()} {
		one := "/storefront/v1/subscriptions/" + bad
		for _, q := range []request{
			{method: "GET", path: one}, {method: "POST", path: one + "/configure"}, {method: "POST", path: one + "/manage"},
			{method: "POST", path: one + "/changePlan", body: `{"planId":"gold"}`}, {method: "POST", path: one + "/changeQuantity", body: `{"quantity":5}`},
			{method: "POST", path: one + "/cancel"}, {method: "PUT", path: one + "/autoRenew", body: `{"enabled":false}`},
		} {
			q.token = "ada"
			a := b.serve(q)
			require.Equal(t, []any{404, "EntityNotFound"}, []any{a.status, a.code(t)}, "%s %s: %s", q.method, q.path, a.body)
			require.Contains(t, a.body, `"target":"subscriptionId"`)
		}
	}
	tenant, person := `"tenantId":"`+subscriptiontest.Tim.TenantID+`"`, `"objectId":"`+subscriptiontest.Tim.ObjectID+`"`
	for named, target := range map[string]string{
		tenant + "," + person: "", tenant: "", tenant + `,"objectId":""`: "",
		person: "beneficiary.tenantId", `"tenantId":"tailspin",` + person: "beneficiary.tenantId", tenant + `,"objectId":"tim"`: "beneficiary.objectId",
	} {
		a := b.do(request{method: "POST", path: "/storefront/v1/purchases", token: "ada", body: strings.Replace(good, "{", `{"beneficiary":{`+named+`},`, 1)})
		if target == "" {
			require.Equal(t, 201, a.status, a.body)
			continue
		}
		require.Equal(t, []any{400, "InvalidValue"}, []any{a.status, a.code(t)}, a.body)
		require.Contains(t, a.body, `"target":"`+target+`"`)
		require.Contains(t, a.body, "GUID, found")
	}
}

// A filtered list of webhook calls goes on over stretches that hold nothing of what is asked for: a page may be empty
// and still have a continuation, and only a page without one is the last.
func TestFilteredPagesGoOnWhenTheyAreEmpty(t *testing.T) {
	t.Parallel()
	p := newPortal(t)
	log := store.NewDeliveries(p.DB)
	wanted, other := uuid.NewString(), uuid.NewString()
	record := func(n int, subscriptionID string) {
		require.NoError(t, log.Record(ctx, subscription.DeliveryAttempt{
			At: p.Now().Add(time.Duration(n) * time.Second), Kind: subscription.DeliveryByQueue, PublisherID: "contoso", SubscriptionID: subscriptionID,
			OperationID: other, Action: subscription.ActionSuspend, Attempt: n, Outcome: subscription.DeliveryWaiting,
		}))
	}
	record(1, wanted) // the oldest
	const between = 5000
	for n := range between {
		record(n+2, other)
	}
	record(between+2, wanted)
	record(between+3, wanted)
	query := "top=2&subscriptionId=" + wanted
	var sizes []int
	for next := query; next != ""; {
		lines, continuation := p.page(next)
		sizes = append(sizes, len(lines))
		require.Less(t, len(sizes), 10)
		if next = ""; continuation != "" {
			next = query + "&continuation=" + url.QueryEscape(continuation)
		}
	}
	require.Equal(t, []int{2, 0, 1}, sizes, "the page in the middle holds nothing, and is not the last")
	lines, continuation := p.page("operationId=" + uuid.NewString())
	require.Empty(t, lines)
	require.NotEmpty(t, continuation, "a filter that matches nothing looks on")
	lines, continuation = p.page("operationId=" + strings.Repeat("1", 8) + uuid.NewString()[8:] + "&from=" + p.Now().Add(time.Hour).Format(time.RFC3339))
	require.Empty(t, lines)
	require.Empty(t, continuation, "the calls of that time were looked through at once: the end")
}
