package fulfillment_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/offer"
	"stoa/shared/subscription"
	"stoa/shared/subscription/subscriptiontest"
)

const good = `{"publisherId":"contoso","offerId":"offer1","planId":"silver","termUnit":"P1M","quantity":20,"market":"US",` +
	`"store":"AdminCenter","subscriptionName":"Contoso Cloud Solution","payment":{"method":"card"},"acceptedTerms":["standardContract"]}`

func field(t *testing.T, body, name string) string {
	t.Helper()
	var v map[string]any
	require.NoError(t, json.Unmarshal([]byte(body), &v), body)
	text, _ := v[name].(string)
	return text
}

func TestPurchaseToActiveToChange(t *testing.T) { // walks 1 to 4
	t.Parallel()
	b := newBench(t, subscription.Guide)
	buy := request{method: "POST", path: "/storefront/v1/purchases", token: "ada", body: good, header: map[string]string{"Idempotency-Key": "k"}}
	a := b.do(buy)
	require.Equal(t, 201, a.status, a.body)
	id := field(t, a.body, "subscriptionId")
	require.Equal(t, a.body, b.do(buy).body)
	require.NotEmpty(t, b.landing(id))
	require.Equal(t, 200, b.do(request{method: "POST", path: at(id) + "/activate", body: `{"planId":"silver","quantity":"20"}`}).status)
	got := b.do(request{method: "GET", path: at(id)}).body
	require.JSONEq(t, `{"id":"`+id+`","name":"Contoso Cloud Solution","publisherId":"contoso","offerId":"offer1","planId":"silver","quantity":"20",`+
		`"beneficiary":`+ada+`,"purchaser":`+ada+`,"allowedCustomerOperations":["Read","Update","Delete"],"sessionMode":"None","isFreeTrial":false,`+
		`"isTest":false,"sandboxType":"None","saasSubscriptionStatus":"Subscribed","term":{"startDate":"2019-05-31","endDate":"2019-06-29","termUnit":"P1M"}}`, got)

	a = b.do(request{method: "POST", path: "/storefront/v1/subscriptions/" + id + "/changeQuantity", token: "ada", body: `{"quantity":25}`})
	require.Equal(t, 202, a.status, a.body)
	op := field(t, a.body, "operationId")
	require.Equal(t, 409, b.do(request{method: "POST", path: "/storefront/v1/subscriptions/" + id + "/changePlan", token: "ada", body: `{"planId":"gold"}`}).status, "FUL-54")
	require.Equal(t, 400, b.do(request{method: "PATCH", path: at(id), body: `{"planId":"gold"}`}).status, "FUL-54")
	require.Equal(t, `{"operations":[]}`, b.do(request{method: "GET", path: at(id) + "/operations"}).body, "FUL-65: not in progress yet")
	b.Work()
	require.Contains(t, b.do(request{method: "GET", path: at(id) + "/operations"}).body, `"quantity":"25","action":"ChangeQuantity"`)
	require.Contains(t, b.do(request{method: "GET", path: "/storefront/v1/subscriptions/" + id, token: "ada"}).body, `"pendingOperation":{"id":"`+op)
	ack := request{method: "PATCH", path: at(id) + "/operations/" + op, body: `{"planId":"silver","quantity":"25","status":"Success"}`}
	require.Equal(t, 200, b.do(ack).status)
	require.Equal(t, 409, b.do(ack).status) // FUL-70
	require.Contains(t, b.do(request{method: "GET", path: at(id)}).body, `"quantity":"25"`)
	require.Equal(t, `{"operations":[]}`, b.do(request{method: "GET", path: at(id) + "/operations"}).body)

	a = b.do(request{method: "PATCH", path: at(id), body: `{"planId":"gold"}`})
	location, err := url.Parse(a.header.Get("Operation-Location"))
	require.NoError(t, err)
	require.Equal(t, "https://stoa.example", location.Scheme+"://"+location.Host)
	b.Work()
	require.Equal(t, 400, b.do(request{method: "PATCH", path: location.Path, body: `{"status":"Succeeded"}`, wrong: true}).status, "FUL-68")
	require.Equal(t, 200, b.do(request{method: "PATCH", path: location.Path, body: `{"status":"Failure"}`}).status)
	require.Contains(t, b.do(request{method: "GET", path: location.RequestURI()}).body, `"status":"Failed","errorStatusCode":"PublisherRejected"`)
	require.Contains(t, b.do(request{method: "GET", path: at(id)}).body, `"planId":"silver"`)
}

const ada = `{"emailId":"ada@adatum.example","objectId":"adadadad-0000-4000-8000-0000000000b1","tenantId":"adadadad-0000-4000-8000-000000000003",` +
	`"pid":"adadadad-0000-4000-8000-0000000000b1","puid":"adadadad-0000-4000-8000-0000000000b1"}`

// page reads a page of the list and the path of the next one.
func (b *bench) page(address string) (ids []string, next string) {
	b.t.Helper()
	a := b.do(request{method: "GET", path: address})
	require.Equal(b.t, 200, a.status, a.body)
	var v struct {
		Subscriptions []struct{ ID string }
		NextLink      string `json:"@nextLink"`
	}
	require.NoError(b.t, json.Unmarshal([]byte(a.body), &v))
	for _, s := range v.Subscriptions {
		ids = append(ids, s.ID)
	}
	return ids, strings.TrimPrefix(v.NextLink, "https://stoa.example")
}

func TestPaging(t *testing.T) { // FUL-35 to FUL-38, walk 9
	t.Parallel()
	b := newBench(t, subscription.Guide)
	require.Equal(t, `{"subscriptions":[]}`, b.do(request{method: "GET", path: root}).body)
	buy := func(n int) {
		for range n {
			b.SetClock(b.Now().Add(time.Second))
			b.Buy("silver", 1)
		}
	}
	buy(100)
	ids, next := b.page(root + "/?continuationToken=")
	require.Len(t, ids, 100)
	require.Empty(t, next, "exactly a hundred have no next page")
	buy(150)
	all := map[string]bool{}
	address, sizes := root, []int{}
	for address != "" {
		ids, address = b.page(address)
		sizes = append(sizes, len(ids))
		for _, id := range ids {
			all[id] = true
		}
		buy(1) // a new purchase neither repeats nor skips
	}
	require.Equal(t, []int{100, 100, 52}, sizes)
	require.Len(t, all, 252)
	_, next = b.page(root)
	for name, q := range map[string]request{
		"another caller's": {method: "GET", path: next, token: "other"},
		"tampered":         {method: "GET", path: strings.Replace(next, "continuationToken=", "continuationToken=A", 1)},
	} {
		a := b.do(q)
		require.Equal(t, 400, a.status, name)
		require.Contains(t, a.body, `"code":"InvalidValue"`)
	}
	require.Equal(t, `{"subscriptions":[]}`, b.do(request{method: "GET", path: root, token: "other"}).body)
	require.Equal(t, 403, b.do(request{method: "GET", path: root, token: "sibling"}).status)
}

func TestStorefront(t *testing.T) {
	t.Parallel()
	b := newBench(t, subscription.Guide)
	id := b.In(subscription.Subscribed).ID
	one := "/storefront/v1/subscriptions/" + id
	for _, tc := range []struct {
		name string
		q    request
		want int
	}{
		{"FUL-20 a stranger looks", request{method: "GET", path: one, token: "tim"}, 403},
		{"an application", request{method: "GET", path: one, token: "app"}, 403},
		{"nobody", request{method: "GET", path: one, token: "-"}, 401},
		{"FUL-57 changes in the portal", request{method: "POST", path: one + "/changePlan", token: "ada", body: `{"planId":"gold","surface":"AzurePortal"}`}, 400},
		{"plan missing", request{method: "POST", path: one + "/changePlan", token: "ada", body: `{"quantity":5}`}, 400},
		{"FUL-89 off", request{method: "PUT", path: one + "/autoRenew", token: "ada", body: `{"enabled":false}`}, 200},
		{"FUL-89 said nothing", request{method: "PUT", path: one + "/autoRenew", token: "ada", body: `{}`}, 400},
		{"a person suspends", request{method: "POST", path: "/operator/v1/subscriptions/" + id + "/suspend", token: "ada"}, 403},
		{"FUL-84 staff suspends", request{method: "POST", path: "/operator/v1/subscriptions/" + id + "/suspend", token: "operator"}, 202},
		{"FUL-84 twice", request{method: "POST", path: "/operator/v1/subscriptions/" + id + "/suspend", token: "operator"}, 409},
		{"FUL-86 staff reinstates", request{method: "POST", path: "/operator/v1/subscriptions/" + id + "/reinstate", token: "operator"}, 202},
		{"FUL-59 cancelled", request{method: "POST", path: one + "/cancel", token: "ada"}, 202},
		{"cancelled before", request{method: "POST", path: one + "/cancel", token: "ada"}, 400},
		{"FUL-21 nothing to manage", request{method: "POST", path: one + "/manage", token: "ada"}, 400},
	} {
		a := b.do(tc.q)
		require.Equal(t, tc.want, a.status, "%s: %s", tc.name, a.body)
	}
	require.Contains(t, b.do(request{method: "GET", path: "/storefront/v1/subscriptions", token: "ada"}).body, id)
	require.Equal(t, `{"items":[]}`, b.do(request{method: "GET", path: "/storefront/v1/subscriptions", token: "tim"}).body)
}

func TestRegistrationMovesAccess(t *testing.T) { // FUL-13
	t.Parallel()
	b := newBench(t, subscription.Guide)
	id := b.In(subscription.Subscribed).ID
	v, err := b.Offers.Live(ctx, "contoso", "offer1")
	require.NoError(t, err)
	v.Technical.TenantID, v.Technical.AppID = subscriptiontest.OtherApp.TenantID, subscriptiontest.OtherApp.AppID
	b.Offers.Put(v)
	b.SetClock(b.Now().Add(2 * time.Second))
	require.Equal(t, 403, b.do(request{method: "GET", path: at(id)}).status)
	require.Equal(t, 200, b.do(request{method: "GET", path: at(id), token: "other"}).status)
}

func TestCurrentProfile(t *testing.T) { // 6.1
	t.Parallel()
	b := newBench(t, subscription.Current)
	id := b.In(subscription.Subscribed).ID
	var got map[string]any
	require.NoError(t, json.Unmarshal([]byte(b.do(request{method: "GET", path: at(id)}).body), &got))
	require.Equal(t, []any{20.0, true}, []any{got["quantity"], got["autoRenew"]})
	require.NotContains(t, got["beneficiary"], "pid")
	require.Equal(t, "2019-06-29T00:00:00Z", got["term"].(map[string]any)["endDate"])
	require.Equal(t, 404, b.do(request{method: "GET", path: at(strings.Replace(id, id[:8], "00000000", 1)) + "/listAvailablePlans"}).status)
	plans := b.do(request{method: "GET", path: at(id) + "/listAvailablePlans?planId=gold"}).body
	require.Contains(t, plans, `"maxQuantity":500`)
	require.NotContains(t, plans, "silver")
}

func TestFlatRate(t *testing.T) { // FUL-15, FUL-29, FUL-41, FUL-50
	t.Parallel()
	b := newBench(t, subscription.Guide)
	c := subscriptiontest.Content()
	for i := range c.Plans {
		c.Plans[i].PricingModel = offer.FlatRate
	}
	b.Offers.Put(offer.Version{Slot: offer.Production, Content: c})
	buy := request{method: "POST", path: "/storefront/v1/purchases", token: "ada", body: good}
	require.Equal(t, 400, b.do(buy).status)
	buy.body = strings.Replace(good, `"quantity":20`, `"quantity":""`, 1)
	id := field(t, b.do(buy).body, "subscriptionId")
	require.Contains(t, b.do(request{method: "GET", path: at(id)}).body, `"quantity":""`)
	require.Equal(t, 400, b.do(request{method: "POST", path: at(id) + "/activate", body: `{"planId":"silver","quantity":0}`}).status)
	require.Equal(t, 200, b.do(request{method: "POST", path: at(id) + "/activate", body: `{"planId":"silver"}`}).status)
	require.Equal(t, 400, b.do(request{method: "PATCH", path: at(id), body: `{"quantity":5}`}).status)
	require.Equal(t, 202, b.do(request{method: "PATCH", path: at(id), body: `{"planId":"gold"}`}).status)
}
