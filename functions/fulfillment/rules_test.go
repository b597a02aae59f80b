package fulfillment_test

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"stoa/shared/dimension"
	"stoa/shared/message"
	"stoa/shared/metering"
	"stoa/shared/offer"
	"stoa/shared/store"
	"stoa/shared/subscription"
	"stoa/shared/subscription/subscriptiontest"
)

func TestIdsGoWithWhatARequestCauses(t *testing.T) { // FUL-8
	t.Parallel()
	b := newBench(t, subscription.Guide)
	pending, active := b.Buy("silver", 20).ID, b.In(subscription.Subscribed).ID
	other := b.In(subscription.Subscribed).ID
	for name, q := range map[string]request{
		"change":  {method: "PATCH", path: at(active), body: `{"planId":"gold"}`},
		"cancel":  {method: "DELETE", path: at(pending)},
		"buyer":   {method: "POST", path: "/storefront/v1/subscriptions/" + other + "/changeQuantity", token: "ada", body: `{"quantity":5}`},
		"suspend": {method: "POST", path: "/operator/v1/subscriptions/" + b.In(subscription.Subscribed).ID + "/suspend", token: "operator"},
		"refused": {method: "GET", path: at(active), token: "other"},
	} {
		b.Outbox.Take(message.Webhooks)
		b.logs.Reset()
		before := b.operationIDs()
		q.header = map[string]string{"x-ms-requestid": "request " + name, "x-ms-correlationid": "correlation " + name}
		a := b.do(q)
		var line struct{ RequestID, CorrelationID string }
		require.NoError(t, json.Unmarshal([]byte(b.logs.String()), &line), "one line")
		require.Equal(t, []string{"request " + name, "correlation " + name}, []string{line.RequestID, line.CorrelationID})
		if name == "refused" {
			require.Equal(t, 403, a.status)
			continue
		}
		require.Equal(t, 202, a.status, a.body)
		made := 0
		_, ops, _, err := b.Store.Scan(ctx, "", 1000)
		require.NoError(t, err)
		for _, o := range ops {
			if !before[o.ID] {
				made++
				require.Equal(t, []string{"request " + name, "correlation " + name}, []string{o.RequestID, o.CorrelationID})
			}
		}
		require.Equal(t, 1, made, name)
		for _, m := range b.Outbox.Take(message.Webhooks) {
			require.Equal(t, message.Cause{RequestID: "request " + name, CorrelationID: "correlation " + name}, m.Cause())
		}
	}
	b.logs.Reset()
	b.do(request{method: "GET", path: at(active)})
	require.Contains(t, b.logs.String(), `"requestId":"`, "ids that were generated are logged too")
}

func (b *bench) operationIDs() map[string]bool {
	_, ops, _, err := b.Store.Scan(ctx, "", 1000)
	require.NoError(b.t, err)
	all := map[string]bool{}
	for _, o := range ops {
		all[o.ID] = true
	}
	return all
}

func TestTheWebhookCarriesTheCorrelationOfTheRequest(t *testing.T) { // FUL-8, FUL-81
	t.Parallel()
	b := newBench(t, subscription.Guide)
	id := b.In(subscription.Subscribed).ID
	b.do(request{method: "PATCH", path: at(id), body: `{"planId":"gold"}`, header: map[string]string{"x-ms-correlationid": "c 7"}})
	b.Work()
	require.Equal(t, "c 7", b.Hook.Calls()[0].Header["x-ms-correlationid"])
}

func TestResolveSaysTheSameTwice(t *testing.T) { // FUL-25
	t.Parallel()
	for _, profile := range []subscription.Profile{subscription.Guide, subscription.Current} {
		b := newBench(t, profile)
		id, _ := b.in("Subscribed, change done")
		a := b.do(request{method: "POST", path: root + "/resolve", header: map[string]string{"x-ms-marketplace-token": b.landing(id)}})
		var got map[string]any
		require.NoError(t, json.Unmarshal([]byte(a.body), &got))
		nested := got["subscription"].(map[string]any)
		for outer, inner := range map[string]string{"id": "id", "subscriptionName": "name", "offerId": "offerId", "planId": "planId", "quantity": "quantity"} {
			require.NotEmpty(t, got[outer], outer)
			require.Equal(t, nested[inner], got[outer], outer)
		}
		require.EqualValues(t, map[subscription.Profile]any{subscription.Guide: "25", subscription.Current: 25.0}[profile], got["quantity"])
		one := b.do(request{method: "GET", path: at(id)})
		var read map[string]any
		require.NoError(t, json.Unmarshal([]byte(one.body), &read))
		require.Equal(t, read, nested, "the same as Get")
	}
}

func TestTheNextLink(t *testing.T) {
	t.Parallel()
	b := newBench(t, subscription.Guide)
	for range 205 {
		b.SetClock(b.Now().Add(time.Second))
		b.Buy("silver", 1)
	}
	read := func(address string) (ids []string, next string) {
		t.Helper()
		a := b.do(request{method: "GET", path: address})
		require.Equal(t, 200, a.status, a.body)
		var v struct {
			Subscriptions []struct{ ID string }
			Next          string `json:"@nextLink"`
		}
		require.NoError(t, json.Unmarshal([]byte(a.body), &v))
		for _, s := range v.Subscriptions {
			ids = append(ids, s.ID)
		}
		return ids, v.Next
	}
	first, link := read(root)
	u, err := url.Parse(link)
	require.NoError(t, err)
	token := u.Query().Get("continuationToken")
	require.Equal(t, []string{"https", "stoa.example", "2018-08-31"}, []string{u.Scheme, u.Host, u.Query().Get("api-version")}, "FUL-36 a full address")
	require.Equal(t, "/api/saas/subscriptions/", u.Path)
	require.NotEmpty(t, token)
	second, link2 := read(u.RequestURI())
	cut, cutLink := read(root + "?continuationToken=" + url.QueryEscape(token))
	require.Equal(t, second, cut, "FUL-36 the token can be cut out and sent by itself")
	require.Equal(t, link2, cutLink)
	require.NotContains(t, second, first[99])
	u2, err := url.Parse(link2)
	require.NoError(t, err)
	third, last := read(u2.RequestURI())
	require.Equal(t, []int{100, 100, 5, 0}, []int{len(first), len(second), len(third), len(last)}, "FUL-36 the last page has no link")
	again, _ := read(root + "?continuationToken=")
	require.Equal(t, first, again, "FUL-37 an empty token is the first page")

	refused := func(why, token, caller string, status int) {
		t.Helper()
		a := b.serve(request{method: "GET", path: root + "?continuationToken=" + url.QueryEscape(token), token: caller})
		require.Equal(t, status, a.status, "FUL-37 %s: %s", why, a.body)
	}
	for i := range token {
		for _, c := range []byte{'A', 'z', '_'} {
			if token[i] != c {
				refused("changed", token[:i]+string(c)+token[i+1:], "app", 400)
			}
		}
	}
	for _, foreign := range []string{"x", first[99], token + "A", token[1:], token[:len(token)-1], strings.Repeat("A", 5000), `[{"token":"+RID"}]`, "\x00"} {
		refused("not made here", foreign, "app", 400)
	}
	refused("of another caller", token, "other", 400)
	refused("who has no access is told so first (FUL-6)", "x", "sibling", 403)
	store := b.do(request{method: "GET", path: "/storefront/v1/subscriptions", token: "ada"})
	refused("of another list", field(t, store.body, "continuation"), "app", 400)
}

// walkTexts visits every text of a JSON value.
func walkTexts(v any, visit func(string)) {
	switch v := v.(type) {
	case string:
		visit(v)
	case []any:
		for _, e := range v {
			walkTexts(e, visit)
		}
	case map[string]any:
		for k, e := range v {
			visit(k)
			walkTexts(e, visit)
		}
	}
}

func TestNothingIsPadded(t *testing.T) { // FUL-40
	t.Parallel()
	for _, profile := range []subscription.Profile{subscription.Guide, subscription.Current} {
		b := newBench(t, profile)
		id, op := b.in("Subscribed, ChangePlan InProgress")
		bodies := []string{string(b.Hook.Calls()[0].Body)}
		for _, path := range []string{root, at(id), at(id) + "/listAvailablePlans", at(id) + "/operations", at(id) + "/operations/" + op} {
			bodies = append(bodies, b.do(request{method: "GET", path: path}).body)
		}
		bodies = append(bodies, b.do(request{method: "POST", path: root + "/resolve", header: map[string]string{"x-ms-marketplace-token": b.landing(id)}}).body)
		for _, body := range bodies {
			var v any
			require.NoError(t, json.Unmarshal([]byte(body), &v))
			walkTexts(v, func(text string) { require.Equal(t, strings.TrimSpace(text), text) })
		}
	}
}

var location = regexp.MustCompile(`^https://stoa\.example/api/saas/subscriptions/([0-9a-f-]{36})/operations/([0-9a-f-]{36})\?api-version=2018-08-31$`)

func TestAcceptedChangesSayWhereToAsk(t *testing.T) { // FUL-53
	t.Parallel()
	for _, profile := range []subscription.Profile{subscription.Guide, subscription.Current} {
		b := newBench(t, profile)
		for _, tc := range []struct{ method, body, action, status string }{
			{"PATCH", `{"planId":"gold"}`, "ChangePlan", "NotStarted"},
			{"PATCH", `{"quantity":25}`, "ChangeQuantity", "NotStarted"},
			{"DELETE", "", "Unsubscribe", "Succeeded"},
		} {
			id := b.In(subscription.Subscribed).ID
			a := b.do(request{method: tc.method, path: at(id), body: tc.body})
			require.Equal(t, []any{202, ""}, []any{a.status, a.body}, "an empty body")
			parts := location.FindStringSubmatch(a.header.Get("Operation-Location"))
			require.NotNil(t, parts, a.header.Get("Operation-Location"))
			require.Equal(t, id, parts[1])
			u, err := url.Parse(parts[0])
			require.NoError(t, err)
			var o map[string]any
			read := b.do(request{method: "GET", path: u.RequestURI()})
			require.NoError(t, json.Unmarshal([]byte(read.body), &o), "readable before anything else happens: %s", read.body)
			require.Equal(t, []any{parts[2], tc.action, tc.status, id}, []any{o["id"], o["action"], o["status"], o["subscriptionId"]})
		}
	}
}

func TestUsageIsTakenWhileSubscribedOnly(t *testing.T) { // FUL-94
	t.Parallel()
	b := newBench(t, subscription.Guide)
	c := subscriptiontest.Content()
	c.Dimensions = []offer.Dimension{{ID: "email", DisplayName: "Mails", UnitOfMeasure: "each"}}
	c.Plans[0].Meters = []offer.Meter{{DimensionID: "email", Enabled: true, PricePerUnitUSD: decimal.New(1, -2)}}
	b.Offers.Put(offer.Version{Slot: offer.Production, Content: c})
	b.SetClock(b.Now().Add(3 * time.Second))
	usage, err := metering.New(metering.Deps{
		Resources: metering.NewSaaS(b.Store, b.Offers, b.Now), Store: store.NewUsage(b.DB), Now: b.Now, NewID: uuid.NewString,
	})
	require.NoError(t, err)
	for state, want := range map[subscription.Status]metering.Status{
		subscription.PendingFulfillmentStart: metering.ResourceNotActive, subscription.Subscribed: metering.Accepted,
		subscription.Suspended: metering.ResourceNotActive, subscription.Unsubscribed: metering.ResourceNotActive,
	} {
		id := b.In(state).ID
		event := metering.Event{ResourceID: id, Dimension: "email", Quantity: "1", PlanID: "silver", EffectiveStart: b.Now().Format(time.RFC3339)}
		got := usage.Accept(ctx, metering.Report{Caller: subscriptiontest.App, Events: []metering.Event{event}})
		require.Equal(t, want, got[0].Status, "%s: %v", state, got[0].Details)
	}
}

func TestPlansOfTheCurrentProfile(t *testing.T) { // 6.7
	t.Parallel()
	b := newBench(t, subscription.Current)
	o := subscriptiontest.Order("silver", 20)
	o.Market = "DE"
	id := b.Activate(b.BuyOrder(o).ID).ID
	require.JSONEq(t, `{"plans":[{"planId":"gold","displayName":"The gold plan","isPrivate":false,"description":"","minQuantity":1,"maxQuantity":500,
		"hasFreeTrials":false,"isPricePerSeat":true,"isStopSell":false,"market":"DE","sourceOffers":[],"planComponents":{"meteringDimensions":[],
		"recurrentBillingTerms":[
			{"currency":"EUR","price":19,"termUnit":"P1M","termDescription":"One month","meteredQuantityIncluded":[]},
			{"currency":"USD","price":200,"termUnit":"P1Y","termDescription":"One year","meteredQuantityIncluded":[]}]}}]}`,
		b.do(request{method: "GET", path: at(id) + "/listAvailablePlans?planId=gold"}).body)
	c := subscriptiontest.Content()
	c.Dimensions = []offer.Dimension{{ID: "email", DisplayName: "Mails", UnitOfMeasure: "each"}, {ID: "sms", DisplayName: "Texts", UnitOfMeasure: "each"}}
	c.Plans[1].PricingModel = offer.FlatRate
	c.Dimensions = append(c.Dimensions, offer.Dimension{ID: "fax", DisplayName: "Faxes", UnitOfMeasure: "each"})
	c.Plans[1].Meters = []offer.Meter{
		{DimensionID: "email", Enabled: true, PricePerUnitUSD: decimal.New(15, -1), MonthlyIncluded: 10, AnnualIncluded: 120,
			Prices: map[string]dimension.Price{"DE": {Price: decimal.New(125, -2)}, "FR": {Price: decimal.New(9, 0)}}},
		{DimensionID: "sms"},
		{DimensionID: "fax", Enabled: true, PricePerUnitUSD: decimal.New(1, 0), MonthlyInfinite: true, AnnualInfinite: true},
	}
	b.Offers.Put(offer.Version{Slot: offer.Production, Content: c})
	b.SetClock(b.Now().Add(3 * time.Second))
	body := b.do(request{method: "GET", path: at(id) + "/listAvailablePlans?planId=gold"}).body
	// MTR-15: what is not enabled is hidden, what is never charged marked.
	require.Contains(t, body, `"meteringDimensions":[{"id":"email","currency":"EUR","pricePerUnit":1.25,"unitOfMeasure":"each","displayName":"Mails"},`+
		`{"id":"fax","currency":"USD","pricePerUnit":0,"unitOfMeasure":"each","displayName":"Faxes","neverCharged":true}]`)
	require.Contains(t, body, `"meteredQuantityIncluded":[{"dimensionId":"email","units":10},{"dimensionId":"fax","units":0,"infinite":true}]`)
	require.Contains(t, body, `"meteredQuantityIncluded":[{"dimensionId":"email","units":120},{"dimensionId":"fax","units":0,"infinite":true}]`)
	require.Contains(t, body, `"minQuantity":0,"maxQuantity":0`)
}

func TestGetShowsTheWholeSubscription(t *testing.T) { // FUL-39
	t.Parallel()
	b := newBench(t, subscription.Guide)
	sub := b.Active("silver", 20)
	a := b.do(request{method: "GET", path: at(sub.ID)})
	require.Equal(t, 200, a.status, a.body)
	party := func(p subscription.Party) string {
		return `{"emailId":"` + p.EmailID + `","objectId":"` + p.ObjectID + `","tenantId":"` + p.TenantID + `","pid":"` + p.PID + `","puid":"` + p.PID + `"}`
	}
	require.JSONEq(t, `{"id":"`+sub.ID+`","name":"Contoso Cloud Solution","publisherId":"contoso","offerId":"offer1","planId":"silver","quantity":"20",
		"beneficiary":`+party(sub.Beneficiary)+`,"purchaser":`+party(sub.Purchaser)+`,"allowedCustomerOperations":["Read","Update","Delete"],
		"sessionMode":"None","isFreeTrial":false,"isTest":false,"sandboxType":"None","saasSubscriptionStatus":"Subscribed",
		"term":{"startDate":"2019-05-31","endDate":"2019-06-29","termUnit":"P1M"}}`, string(a.body))
	require.Equal(t, 403, b.do(request{method: "GET", path: at(sub.ID), token: "other"}).status)
	require.Equal(t, 404, b.do(request{method: "GET", path: at(uuid.NewString())}).status)
}

func TestEveryOperationCanBeRead(t *testing.T) { // FUL-66
	t.Parallel()
	b := newBench(t, subscription.Guide)
	sub, other := b.Active("silver", 20), b.Active("silver", 20)
	do := func(method, path, token, body string) {
		t.Helper()
		a := b.do(request{method: method, path: path, token: token, body: body})
		require.Equal(t, 202, a.status, a.body)
		b.Work()
		b.Advance(11 * time.Second) // nobody acknowledges a change: done
	}
	do("PATCH", at(sub.ID), "", `{"planId":"gold"}`)
	do("PATCH", at(sub.ID), "", `{"quantity":"5"}`)
	b.AdvanceTo(time.Date(2019, 6, 30, 0, 0, 1, 0, time.UTC)) // renewed
	do("POST", "/operator/v1/subscriptions/"+sub.ID+"/suspend", "operator", "")
	do("POST", "/operator/v1/subscriptions/"+sub.ID+"/reinstate", "operator", "")
	do("DELETE", at(sub.ID), "", "")
	b.Advance(31 * 24 * time.Hour)
	_, ops, _, err := b.Store.Scan(ctx, "", 1000)
	require.NoError(t, err)
	read := map[subscription.Action]bool{}
	for _, o := range ops {
		if o.SubscriptionID != sub.ID {
			continue
		}
		a := b.do(request{method: "GET", path: at(sub.ID) + "/operations/" + o.ID})
		require.Equal(t, 200, a.status, a.body)
		var got struct {
			ID, SubscriptionID, Status string
			Action                     subscription.Action
		}
		require.NoError(t, json.Unmarshal([]byte(a.body), &got))
		require.Equal(t, []string{o.ID, sub.ID, string(o.Status)}, []string{got.ID, got.SubscriptionID, got.Status})
		read[got.Action] = true
		require.Equal(t, 404, b.do(request{method: "GET", path: at(other.ID) + "/operations/" + o.ID}).status)
	}
	require.Equal(t, map[subscription.Action]bool{
		subscription.ActionChangePlan: true, subscription.ActionChangeQuantity: true, subscription.ActionRenew: true,
		subscription.ActionSuspend: true, subscription.ActionReinstate: true, subscription.ActionUnsubscribe: true,
	}, read)
}

// A publisher that acknowledges a Reinstate as it did in profile guide hears that nothing waits for it, and changes
// nothing; those of the other actions that only notify are refused as such (FUL-70, FUL-71, 6.1).
func TestAcknowledgementsOfWhatOnlyNotifies(t *testing.T) {
	t.Parallel()
	b := newBench(t, subscription.Current)
	id, op := b.in("Subscribed, Reinstate done")
	b.Work()
	require.Equal(t, []string{"Suspend", "Reinstate"}, b.Hook.Actions(t))
	require.Equal(t, "Succeeded", b.Hook.Bodies(t)[1]["status"], "6.1")
	for _, status := range []string{"Success", "Failure"} {
		a := b.do(request{method: "PATCH", path: at(id) + "/operations/" + op, body: `{"status":"` + status + `"}`})
		require.Equal(t, []any{409, "Conflict"}, []any{a.status, a.code(t)}, a.body)
		require.Contains(t, a.body, "found Succeeded")
	}
	require.Equal(t, "Subscribed silver 20", b.stateOf(id))
	require.Equal(t, `{"operations":[]}`, b.do(request{method: "GET", path: at(id) + "/operations"}).body, "FUL-65")
	suspend := b.Hook.Bodies(t)[0]["id"].(string)
	require.Equal(t, 400, b.do(request{method: "PATCH", path: at(id) + "/operations/" + suspend, body: `{"status":"Success"}`}).status)
}
