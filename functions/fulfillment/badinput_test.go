package fulfillment_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stoa/shared/offer"
	"stoa/shared/subscription"
	"stoa/shared/subscription/subscriptiontest"
)

func TestIdsThatAreNone(t *testing.T) { // FUL-6
	t.Parallel()
	b := newBench(t, subscription.Guide)
	id := b.In(subscription.Subscribed).ID
	ids := []string{
		"42", "null", "undefined", "-", strings.Repeat("0", 36), strings.ReplaceAll(id, "-", ""), id + "0", id[:35], "{" + id + "}",
		"urn:uuid:" + id, id + "%20", "%20" + id, strings.Replace(id, "-", "_", 1), "g" + id[1:], "%00" + id[3:], strings.Repeat("a", 3000),
		"%C3%A9" + id[1:], uuid.NewString(), uuid.Nil.String(), "*", "%27%20or%201%3D1", "..%2f" + id,
	}
	for _, bad := range ids {
		for _, call := range []struct{ method, path, body string }{
			{"GET", at(bad), ""}, {"PATCH", at(bad), `{"planId":"gold"}`}, {"DELETE", at(bad), ""}, {"POST", at(bad) + "/activate", `{"planId":"silver"}`},
			{"GET", at(bad) + "/operations", ""}, {"GET", at(bad) + "/operations/" + bad, ""}, {"PATCH", at(bad) + "/operations/" + bad, `{"status":"Success"}`},
			{"GET", at(id) + "/operations/" + bad, ""}, {"PATCH", at(id) + "/operations/" + bad, `{"status":"Success"}`},
		} {
			a := b.serve(request{method: call.method, path: call.path, body: call.body})
			require.Equal(t, 404, a.status, "%s %s: %s", call.method, call.path, a.body)
			require.Less(t, len(a.body), 1000)
		}
		if !strings.Contains(bad, "%00") && !strings.Contains(bad, "%2f") { // which is no path at all
			require.Equal(t, `{"plans":[]}`, b.serve(request{method: "GET", path: at(bad) + "/listAvailablePlans"}).body, "FUL-44 %s", bad)
		}
	}
	require.Equal(t, "Subscribed silver 20", b.stateOf(id))
}

func TestPlansAndQuantitiesThatCannotBe(t *testing.T) {
	t.Parallel()
	b := newBench(t, subscription.Guide)
	other := subscriptiontest.Content()
	other.OfferID, other.Plans[0].ID = "offer2", "elsewhere"
	b.Offers.Put(offer.Version{Slot: offer.Production, Content: other})
	id := b.In(subscription.Subscribed).ID
	for body, detail := range map[string]string{
		`{"planId":"tin"}`:                                 "InvalidValue planId", // FUL-49
		`{"planId":"elsewhere"}`:                           "InvalidValue planId", // a plan of another offer
		`{"planId":"Gold"}`:                                "InvalidValue planId", // exact compare
		`{"planId":" gold"}`:                               "InvalidValue planId",
		`{"planId":"silver"}`:                              "InvalidValue planId",
		`{"planId":"platinum"}`:                            "InvalidValue planId",
		`{"planId":"stopped"}`:                             "InvalidValue planId",
		`{"planId":["gold"]}`:                              "InvalidValue planId",
		`{"planId":1}`:                                     "InvalidValue planId",
		`{"planId":""}`:                                    "BadRequest subscriptionRequest", // FUL-46
		`{"plan":"gold"}`:                                  "BadRequest subscriptionRequest",
		`{"planId":"gold","quantity":5}`:                   "BadRequest subscriptionRequest",
		`{"planId":"gold","quantity":20}`:                  "BadRequest subscriptionRequest",
		`{"quantity":0}`:                                   "InvalidValue quantity", // FUL-50
		`{"quantity":51}`:                                  "InvalidValue quantity",
		`{"quantity":20}`:                                  "InvalidValue quantity",
		`{"quantity":1000001}`:                             "InvalidValue quantity",
		`{"quantity":-1}`:                                  "InvalidValue quantity",
		`{"quantity":1.5}`:                                 "InvalidValue quantity",
		`{"quantity":1e1}`:                                 "InvalidValue quantity",
		`{"quantity":"ten"}`:                               "InvalidValue quantity",
		`{"quantity":"+5"}`:                                "InvalidValue quantity",
		`{"quantity":true}`:                                "InvalidValue quantity",
		`{"quantity":[5]}`:                                 "InvalidValue quantity",
		`{"quantity":99999999999999999999999}`:             "InvalidValue quantity",
		`{"quantity":"` + strings.Repeat("9", 5000) + `"}`: "InvalidValue quantity",
		`[]`:                                 "InvalidValue ",
		`"gold"`:                             "InvalidValue ",
		`{"planId":`:                         "BadRequest ",
		"\xff\xfe":                           "BadRequest ",
		``:                                   "RequiredField ",
		`{"planId":"gold"}{"planId":"gold"}`: "BadRequest ",
	} {
		a := b.do(request{method: "PATCH", path: at(id), body: body, wrong: true})
		require.Equal(t, 400, a.status, "%.80s: %s", body, a.body)
		code, target, _ := strings.Cut(detail, " ")
		require.Contains(t, a.body, fmt.Sprintf(`"target":"%s","code":"%s"}]`, target, code), "%.80s", body)
		require.Less(t, len(a.body), 1000)
	}
	require.Equal(t, "Subscribed silver 20", b.stateOf(id))
	order := request{method: "POST", path: "/storefront/v1/purchases", token: "ada", body: strings.Replace(good, "silver", "elsewhere", 1)}
	require.Equal(t, 404, b.do(order).status, "a plan of another offer")
}

func TestHeadersThatAreMissingOrOdd(t *testing.T) {
	t.Parallel()
	b := newBench(t, subscription.Guide)
	sub := b.Buy("silver", 20)
	token := b.landing(sub.ID)
	with := func(h map[string]string) request {
		return request{method: "POST", path: root + "/resolve", header: h, wrong: true}
	}
	for name, tc := range map[string]struct {
		q    request
		want int
		code string
	}{
		"FUL-22 no token":          {with(nil), 400, "HeaderNotPresent"},
		"FUL-22 blank token":       {with(map[string]string{"x-ms-marketplace-token": "  "}), 400, "HeaderNotPresent"},
		"FUL-3 no authorization":   {request{method: "POST", path: root + "/resolve", token: "-", wrong: true}, 403, "Forbidden"},
		"FUL-3 another scheme":     {with(map[string]string{"Authorization": "Basic YXBwOg=="}), 403, "Forbidden"},
		"FUL-3 no token in it":     {with(map[string]string{"Authorization": "Bearer "}), 403, "Forbidden"},
		"FUL-3 two tokens":         {with(map[string]string{"Authorization": "Bearer app app"}), 403, "Forbidden"},
		"FUL-5 no version":         {request{method: "POST", path: root + "/resolve", version: "-", wrong: true}, 400, "ApiVersionUnspecified"},
		"FUL-5 empty version":      {request{method: "POST", path: root + "/resolve?api-version=", version: "-", wrong: true}, 400, "ApiVersionUnspecified"},
		"FUL-5 metering's version": {request{method: "POST", path: root + "/resolve", version: "2018-08-31-preview", wrong: true}, 400, "UnsupportedApiVersion"},
		"FUL-9 no content type":    {with(map[string]string{"Content-Type": "", "x-ms-marketplace-token": token}), 200, ""},
		"FUL-9 text":               {with(map[string]string{"Content-Type": "text/plain", "x-ms-marketplace-token": token}), 200, ""},
	} {
		a := b.do(tc.q)
		require.Equal(t, tc.want, a.status, "%s: %s", name, a.body)
		require.Equal(t, tc.code, a.code(t), name)
		require.NotEmpty(t, a.header.Get("x-ms-requestid"), name)
		require.NotEmpty(t, a.header.Get("x-ms-correlationid"), name)
	}
	activate := request{method: "POST", path: at(sub.ID) + "/activate", body: `{"planId":"silver"}`, header: map[string]string{"Content-Type": ""}}
	require.Equal(t, 200, b.serve(activate).status, "FUL-9 a body without content type")
}

func TestTokensReplayedAndTampered(t *testing.T) { // FUL-19, FUL-22
	t.Parallel()
	b := newBench(t, subscription.Guide)
	sub := b.Buy("silver", 20)
	token := b.landing(sub.ID)
	again := b.landing(sub.ID)
	require.NotEqual(t, token, again, "each click makes a new one")
	resolve := func(token string) answer {
		return b.serve(request{method: "POST", path: root + "/resolve", header: map[string]string{"x-ms-marketplace-token": token}})
	}
	b.Activate(sub.ID)
	for range 3 {
		require.Equal(t, 200, resolve(token).status, "a token may be used again")
	}
	require.Equal(t, 200, resolve(again).status)
	for i := range len(token) {
		for _, c := range []byte{'A', 'B', '=', '!'} {
			if token[i] == c {
				continue
			}
			a := resolve(token[:i] + string(c) + token[i+1:])
			require.Equal(t, 400, a.status, "at %d: %s", i, a.body)
			require.Equal(t, "InvalidToken", a.code(t))
		}
	}
	for _, other := range []string{token[:43], token + "=", token + token, strings.ToLower(token), strings.ReplaceAll(token, "=", ""), url.QueryEscape(token)} {
		if other != token {
			require.Equal(t, "InvalidToken", resolve(other).code(t), other)
		}
	}
	b.SetClock(b.Now().Add(24 * time.Hour))
	require.Equal(t, "TokenExpired", resolve(token).code(t))
	require.Equal(t, 200, resolve(b.landing(sub.ID)).status, "a new click, a new token")
}

// at once calls a hundred times in parallel and counts the answers.
func (b *bench) atOnce(q func(i int) request) map[string]int {
	b.t.Helper()
	var mu sync.Mutex
	got := map[string]int{}
	var group sync.WaitGroup
	for i := range 100 {
		group.Go(func() {
			a := b.serve(q(i))
			key := fmt.Sprint(a.status)
			if a.status >= 400 {
				var v struct{ Code string }
				_ = json.Unmarshal([]byte(a.body), &v)
				key += " " + v.Code
			}
			mu.Lock()
			defer mu.Unlock()
			got[key]++
		})
	}
	group.Wait()
	return got
}

func TestManyAtOnceHaveOneWinner(t *testing.T) {
	t.Parallel()
	b := newBench(t, subscription.Guide)
	id := b.Buy("silver", 20).ID
	require.Equal(t, map[string]int{"200": 1, "400 BadRequest": 99}, b.atOnce(func(int) request {
		return request{method: "POST", path: at(id) + "/activate", body: `{"planId":"silver"}`}
	}), "FUL-31")
	require.Equal(t, map[string]int{"202": 1, "400 BadRequest": 99}, b.atOnce(func(i int) request {
		return request{method: "PATCH", path: at(id), body: []string{`{"planId":"gold"}`, `{"quantity":25}`}[i%2]}
	}), "FUL-54")
	op := b.Read(id).PendingOp
	b.Work()
	require.Equal(t, map[string]int{"200": 1, "409 Conflict": 99}, b.atOnce(func(i int) request {
		return request{method: "PATCH", path: at(id) + "/operations/" + op, body: []string{`{"status":"Success"}`, `{"status":"Failure"}`}[i%2]}
	}), "FUL-70")
	o, s := b.Operation(id, op), b.Read(id)
	changed := s.PlanID == "gold" || s.Quantity == 25
	require.Equal(t, o.Status == subscription.Succeeded, changed, "the state is that of the winner")
	require.Empty(t, s.PendingOp)
	require.Equal(t, map[string]int{"202": 1, "200": 99}, b.atOnce(func(int) request {
		return request{method: "DELETE", path: at(id)}
	}), "FUL-60")
}

// FUL-76: the acknowledgement and the deadline race, one of them decides.
func TestPatchAndDeadlineHaveOneWinner(t *testing.T) {
	t.Parallel()
	b := newBench(t, subscription.Guide)
	id, op := b.in("Subscribed, ChangePlan InProgress")
	b.SetClock(b.Operation(id, op).Delivery.AckBy)
	var timer error
	var group sync.WaitGroup
	group.Go(func() {
		timer = b.Service.Work(ctx, subscription.Work{SubscriptionID: id, OperationID: op, Kind: subscription.AckDeadline})
	})
	got := b.atOnce(func(int) request {
		return request{method: "PATCH", path: at(id) + "/operations/" + op, body: `{"status":"Failure"}`}
	})
	group.Wait()
	require.NoError(t, timer)
	refused := b.Operation(id, op).Status == subscription.Failed
	require.Equal(t, refused, b.Read(id).PlanID == "silver")
	require.Equal(t, refused, got["200"] == 1, "%v", got)
	require.Equal(t, 100-got["200"], got["409 Conflict"])
}

func TestRefusalsSayWhatFailed(t *testing.T) {
	t.Parallel()
	b := newBench(t, subscription.Guide)
	pending, active, suspended := b.Buy("silver", 20).ID, b.In(subscription.Subscribed).ID, b.In(subscription.Suspended).ID
	locked := b.In(subscription.Subscribed).ID
	b.do(request{method: "PATCH", path: at(locked), body: `{"planId":"gold"}`})
	changed, done := b.in("Subscribed, change done")
	token := b.landing(pending)
	unknown := uuid.NewString()
	expired := b.Now().Add(24 * time.Hour).Format("2006-01-02T15:04:05.0000000Z")
	for _, tc := range []struct {
		name  string
		q     request
		want  int
		words []string
	}{
		{"the version", request{method: "GET", path: root, version: "2017-10-31", wrong: true}, 400, []string{"2018-08-31", `\"2017-10-31\"`}},
		{"no such id", request{method: "GET", path: at(unknown)}, 404, []string{"subscriptionId", unknown}},
		{"no GUID", request{method: "GET", path: at("42")}, 404, []string{"subscriptionId", "GUID", `\"42\"`}},
		{"no such operation", request{method: "GET", path: at(active) + "/operations/" + unknown}, 404, []string{"operationId", unknown, active}},
		{"another's", request{method: "GET", path: at(active), token: "other"}, 403, []string{"tid", "appid", subscriptiontest.OtherApp.TenantID, subscriptiontest.OtherApp.AppID}},
		{"no publisher", request{method: "GET", path: root, token: "sibling"}, 403, []string{"tid", "appid", "c0c0c0c0-0000-4000-8000-0000000000a2"}},
		{"a person", request{method: "GET", path: root, token: "ada"}, 403, []string{"application"}},
		{"the plan", request{method: "POST", path: at(pending) + "/activate", body: `{"planId":"gold"}`}, 400, []string{"planId", `\"silver\"`, `\"gold\"`}},
		{"the quantity", request{method: "POST", path: at(pending) + "/activate", body: `{"planId":"silver","quantity":21}`}, 400, []string{"quantity", "20", "21"}},
		{"both at once", request{method: "POST", path: at(pending) + "/activate", body: `{"planId":"gold","quantity":21}`}, 400, []string{`"target":"planId"`, `"target":"quantity"`}},
		{"the state", request{method: "POST", path: at(active) + "/activate", body: `{"planId":"silver"}`}, 400, []string{"PendingFulfillmentStart", "Subscribed"}},
		{"the state of a change", request{method: "PATCH", path: at(suspended), body: `{"planId":"gold"}`}, 400, []string{"expected the status Subscribed", "found Suspended"}},
		{"the lock", request{method: "PATCH", path: at(locked), body: `{"quantity":5}`}, 400, []string{"pending operations", b.Read(locked).PendingOp}},
		{"the limits", request{method: "PATCH", path: at(active), body: `{"quantity":51}`}, 400, []string{"1 to 50", "51"}},
		{"the status", request{method: "PATCH", path: at(changed) + "/operations/" + done, body: `{"status":"OK"}`, wrong: true}, 400, []string{"Success", "Failure", `\"OK\"`}},
		{"not pending", request{method: "PATCH", path: at(changed) + "/operations/" + done, body: `{"status":"Success"}`}, 409, []string{"InProgress", "Succeeded"}},
		{"the market", request{method: "POST", path: "/storefront/v1/purchases", token: "ada", body: strings.Replace(good, `"US"`, `"FR"`, 1)}, 400, []string{`"target":"market"`, "US, DE", "FR"}},
		{"the term", request{method: "POST", path: "/storefront/v1/purchases", token: "ada", body: strings.Replace(good, "P1M", "P3Y", 1)}, 400, []string{`"target":"termUnit"`, "P1M, P1Y", "P3Y"}},
		{"a stranger", request{method: "GET", path: "/storefront/v1/subscriptions/" + active, token: "tim"}, 403, []string{"tid", subscriptiontest.Tim.TenantID, subscriptiontest.Tim.ObjectID}},
	} {
		q := tc.q
		q.header = map[string]string{"x-ms-requestid": "request-1", "x-ms-correlationid": "correlation-1"}
		a := b.do(q)
		require.Equal(t, tc.want, a.status, "%s: %s", tc.name, a.body)
		for _, w := range tc.words {
			require.Contains(t, strings.ToLower(a.body), strings.ToLower(w), tc.name)
		}
		require.Equal(t, []string{"request-1", "correlation-1"}, []string{a.header.Get("x-ms-requestid"), a.header.Get("x-ms-correlationid")}, tc.name)
	}
	foreign := b.do(request{method: "GET", path: at(active), token: "other"}).body
	require.NotContains(t, foreign, subscriptiontest.App.TenantID, "what was expected is not the caller's to know")
	require.NotContains(t, foreign, subscriptiontest.App.AppID)
	b.SetClock(b.Now().Add(25 * time.Hour))
	a := b.do(request{method: "POST", path: root + "/resolve", header: map[string]string{"x-ms-marketplace-token": token}})
	require.Contains(t, a.body, expired, "when the token expired")
}
