package stack_test

import (
	"strings"
	"testing"
)

// operatorAPI is everything below /operator/v1.
func operatorAPI(t *testing.T) *api {
	const root = "/operator/v1"
	a := &api{
		name: "operator", read: portalError,
		refusals: map[bad]want{
			missingToken: {401, "InvalidToken", "authorization"}, invalidToken: {401, "InvalidToken", "authorization"},
			foreign: {403, "Forbidden", "authorization"}, malformed: {400, "MalformedJson", ""}, wrongType: {400, "InvalidType", ""},
			tooLarge: {413, "BodyTooLarge", ""}, mediaType: {415, "UnsupportedMediaType", "Content-Type"}, chunked: {400, "MissingBody", ""},
		},
		strangers: map[string]string{"Operator": contoso},
	}
	number := func(name, value string) row {
		return row{bad: invalid, name: name + " " + value, query: name + "=" + value, want: want{400, "InvalidValue", name}}
	}
	unknown := func(value, code, target string) row {
		return row{bad: unknownID, name: value, values: map[string]string{value: "21111111-0000-4000-8000-000000000001"}, want: want{404, code, target}}
	}
	const paymentEvent = `{"id":"pe-1","subscriptionId":"21111111-0000-4000-8000-000000000001","type":"PaymentFailed"}`
	const verdict = `{"result":"Failed","failedPolicies":[{"policyId":"100.1","description":"No."}],"reviewNotes":"No."}`
	const app = `{"resourceUri":"/subscriptions/21111111-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.Solutions/applications/a",` +
		`"managedResourceGroupId":"/subscriptions/21111111-0000-4000-8000-000000000001/resourceGroups/mrg","publisherId":"contoso","offerId":"walk-saas",` +
		`"planId":"metered","customerTenantId":"21111111-0000-4000-8000-000000000002","market":"US","currency":"USD"}`
	const announcement, card = `{"id":"a1","subject":"News","text":"All is well.","takeOverBy":"2027-01-01T00:00:00Z"}`, `{"state":"valid","next":["declined"]}`
	noAccount := row{bad: unknownID, name: "account", values: map[string]string{"billingAccountId": "me"}, want: want{400, "InvalidValue", "billingAccountId"}}
	rates := row{bad: overLong, name: "rate", body: `{"EUR":"1.123456789"}`, want: want{400, "InvalidValue", "EUR"}}
	a.endpoints = []endpoint{
		{method: "GET", pattern: root + "/deadletters", who: staff, rows: []row{continuation, number("top", "0"), number("top", "201"), number("top", "many"),
			number("queue", "nothing"), number("queue", long(2000))}},
		{method: "POST", pattern: root + "/deadletters/{id}/replay", who: staff, bodiless: true, rows: []row{
			{bad: unknownID, values: map[string]string{"id": "bm90aGluZw"}, long: strings.Repeat("eHh4", 500), want: want{404, "NotFound", "id"}},
			{bad: unknownID, name: "no key", values: map[string]string{"id": "AAECAwQ"}, want: want{404, "NotFound", "id"}}}},
		{method: "GET", pattern: root + "/leads/parked", who: staff, rows: []row{continuation, number("top", "0"), number("top", "201"), number("top", "many")}},
		{method: "POST", pattern: root + "/leads/{leadId}/replay", who: staff, bodiless: true, rows: []row{unknown("leadId", "NotFound", "leadId"),
			{bad: invalid, name: "a lead that does not wait", want: want{404, "NotFound", "leadId"}}}},
		{method: "POST", pattern: root + "/subscriptions/{id}/suspend", who: staff, bodiless: true, rows: []row{unknown("id", "EntityNotFound", "subscriptionId")}},
		{method: "POST", pattern: root + "/subscriptions/{id}/reinstate", who: staff, bodiless: true, rows: []row{unknown("id", "EntityNotFound", "subscriptionId")}},
		{method: "POST", pattern: root + "/billing/events", who: staff, body: paymentEvent, rows: members(t, paymentEvent,
			m{wrongType, "id", `5`, "InvalidType"}, m{wrongType, "subscriptionId", `5`, "InvalidType"}, m{wrongType, "type", `5`, "InvalidType"},
			m{overLong, "id", quoted(long(129)), "InvalidValue"}, m{invalid, "id", `""`, "RequiredField"}, m{invalid, "type", `"Refunded"`, "InvalidValue"},
			m{invalid, "type", `null`, "RequiredField"}, m{invalid, "subscriptionId", `null`, "RequiredField"})},
		{method: "GET", pattern: root + "/ledger/accounts/{account}", who: staff, query: "currency=USD", rows: []row{
			{bad: unknownID, name: "account", values: map[string]string{"account": "nothing"}, want: want{404, "NotFound", "account"}},
			{bad: invalid, name: "currency", query: "currency=gold", want: want{400, "InvalidValue", "currency"}},
			{bad: invalid, name: "no currency", query: "x=1", want: want{400, "InvalidValue", "currency"}},
			{bad: invalid, name: "limit", query: "currency=USD&limit=0", want: want{400, "InvalidValue", "limit"}},
			{bad: invalid, name: "continuation", query: "currency=USD&continuation=YWJj", want: continuation.want}}},
		{method: "GET", pattern: root + "/ledger/cycles/{resourceId}", who: staff, rows: []row{unknown("resourceId", "NotFound", ""),
			continuation, number("limit", "0"), number("limit", "1001"), number("limit", "many")}},
		{method: "PUT", pattern: root + "/fxRates/{date}", who: staff, body: `{"EUR":"0.90"}`, rows: []row{rates,
			{bad: unknownID, name: "date", values: map[string]string{"date": "yesterday"}, want: want{400, "InvalidDate", "date"}},
			{bad: wrongType, name: "rate", body: `{"EUR":"much"}`, want: want{400, "InvalidValue", "EUR"}},
			{bad: wrongType, name: "rates", body: `{"EUR":{}}`, want: want{400, "InvalidValue", "EUR"}},
			{bad: invalid, name: "currency", body: `{"XXY":"1"}`, want: want{400, "InvalidValue", "XXY"}},
			{bad: invalid, name: "nothing", body: `{}`, want: want{400, "MissingValue", ""}},
			{bad: invalid, name: "one of two", body: `{"EUR":"0.90","GBP":"-1"}`, want: want{400, "InvalidValue", "GBP"}}}},
		{method: "PUT", pattern: root + "/managed-applications/{resourceUsageId}", who: staff, body: app, rows: append(members(t, app,
			m{wrongType, "resourceUri", `5`, "InvalidType"}, m{wrongType, "market", `{}`, "InvalidType"}, m{invalid, "resourceUri", `"/subscriptions/x"`, "InvalidValue"},
			m{overLong, "resourceUri", quoted("/subscriptions/21111111-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.Solutions/applications/" + long(2000)), "InvalidValue"},
			m{invalid, "managedResourceGroupId", `"mrg"`, "InvalidValue"}, m{invalid, "customerTenantId", `"me"`, "InvalidValue"}, m{invalid, "market", `"USA"`, "InvalidValue"},
			m{invalid, "currency", `"GOLD"`, "InvalidValue"}, m{invalid, "createdAt", `"2100-01-01T00:00:00Z"`, "InvalidValue"}, m{unknownID, "offerId", `"nothing"`, "InvalidValue"},
			m{invalid, "planId", `"metered"`, "InvalidValue"}),
			row{bad: unknownID, values: map[string]string{"resourceUsageId": "me"}, want: want{400, "InvalidValue", "resourceUsageId"}})},
		{method: "GET", pattern: root + "/managed-applications/{resourceUsageId}", who: staff, rows: []row{unknown("resourceUsageId", "NotFound", "resourceUsageId")}},
		{method: "DELETE", pattern: root + "/managed-applications/{resourceUsageId}", who: staff, bodiless: true, rows: []row{unknown("resourceUsageId", "NotFound", "resourceUsageId")}},
		{method: "POST", pattern: root + "/payoutRuns", who: staff, body: `{"month":"2026-01"}`, rows: members(t, `{"month":"2026-01"}`,
			m{wrongType, "month", `202601`, "InvalidType"}, m{overLong, "month", quoted(long(100)), "InvalidMonth"}, m{invalid, "month", `"January"`, "InvalidMonth"},
			m{invalid, "month", `"2026-13"`, "InvalidMonth"}, m{invalid, "month", `null`, "InvalidMonth"})},
		{method: "POST", pattern: root + "/publishers/{publisherId}/offers/{offerId}/certification", who: staff, body: verdict, rows: append(members(t, verdict,
			m{wrongType, "result", `5`, "InvalidType"}, m{wrongType, "failedPolicies", `{}`, "InvalidType"}, m{wrongType, "reviewNotes", `5`, "InvalidType"},
			m{overLong, "result", quoted(long(100)), "InvalidValue"}, m{overLong, "reviewNotes", quoted(long(4001)), "InvalidValue"},
			m{overLong, "failedPolicies", `[` + many(101, `{"policyId":"%d"}`) + `]`, "InvalidValue"}, m{invalid, "result", `"Perhaps"`, "InvalidValue"},
			m{invalid, "result", `null`, "InvalidValue"}, m{invalid, "failedPolicies", `[]`, "Required"}),
			row{bad: overLong, name: "policy", body: set(t, verdict, "failedPolicies.0.policyId", quoted(long(51))), want: want{400, "InvalidValue", "failedPolicies[0].policyId"}},
			row{bad: overLong, name: "description", body: set(t, verdict, "failedPolicies.0.description", quoted(long(4001))),
				want: want{400, "InvalidValue", "failedPolicies[0].description"}},
			row{bad: unknownID, name: "offer", values: map[string]string{"offerId": "nothing"}, want: want{404, "NotFound", "offerId"}},
			row{bad: unknownID, name: "publisher", values: map[string]string{"publisherId": "nobody"}, want: want{404, "NotFound", "offerId"}},
			row{bad: invalid, name: "nothing to certify", want: want{409, "InvalidOfferState", ""}})},
		{method: "GET", pattern: root + "/publishers/{publisherId}/offers/{offerId}/certification", who: staff, rows: []row{
			{bad: unknownID, name: "offer", values: map[string]string{"offerId": "nothing"}, want: want{404, "NotFound", "offerId"}},
			{bad: unknownID, name: "publisher", values: map[string]string{"publisherId": "nobody"}, want: want{404, "NotFound", "offerId"}}}},
		{method: "POST", pattern: root + "/announcements", who: staff, body: announcement, rows: members(t, announcement,
			m{wrongType, "id", `5`, "InvalidType"}, m{wrongType, "takeOverBy", `5`, "InvalidType"}, m{overLong, "id", quoted(long(101)), "InvalidValue"},
			m{overLong, "subject", quoted(long(501)), "InvalidValue"}, m{overLong, "text", quoted(long(20_001)), "InvalidValue"}, m{invalid, "id", `null`, "Required"},
			m{invalid, "subject", `""`, "Required"}, m{invalid, "text", `""`, "Required"}, m{invalid, "takeOverBy", `"soon"`, "InvalidType"},
			m{invalid, "continuation", `"YWJj"`, "InvalidContinuation"})},
		{method: "GET", pattern: root + "/billing/instruments/{billingAccountId}", who: staff, rows: []row{noAccount}},
		{method: "PUT", pattern: root + "/billing/instruments/{billingAccountId}", who: staff, body: card, rows: append(members(t, card,
			m{wrongType, "state", `5`, "InvalidType"}, m{wrongType, "next", `"declined"`, "InvalidType"}, m{overLong, "state", quoted(long(101)), "InvalidValue"},
			m{overLong, "next", `[` + many(101, `"valid%d"`) + `]`, "InvalidValue"}, m{invalid, "state", `"lost"`, "InvalidValue"}, m{invalid, "state", `null`, "InvalidValue"}), noAccount)},
		{method: "GET", pattern: root + "/billing/collections/{subscriptionId}", who: staff, rows: []row{unknown("subscriptionId", "NotFound", "subscriptionId")}},
		{method: "GET", pattern: root + "/ledger/verify", who: staff, query: "account=platform:cash&currency=USD", rows: []row{
			{bad: invalid, name: "account", query: "account=nothing&currency=USD", want: want{404, "NotFound", "account"}},
			{bad: invalid, name: "a long account", query: "currency=USD&account=" + long(2000), want: want{404, "NotFound", "account"}},
			{bad: invalid, name: "no account", query: "currency=USD", want: want{400, "InvalidValue", "account"}},
			{bad: invalid, name: "currency", query: "account=platform:cash&currency=gold", want: want{400, "InvalidValue", "currency"}}}},
		{method: "GET", pattern: root + "/ledger/invariants/{publisherId}", who: staff, anyID: true},
	}
	a.endpoints = append(a.endpoints, corrections(t)...)
	return a
}

// devAPI is what only the local stack has, and the answer on health: nothing there asks for a token.
func devAPI(t *testing.T) *api {
	const clock, seed = `{"advance":"PT0S"}`, `{"publishers":[]}`
	const publisher = `{"publishers":[{"publisherId":"new","tenantId":"77777777-0000-4000-8000-000000000009"}]}`
	return &api{
		name: "dev", read: portalError,
		refusals: map[bad]want{
			malformed: {400, "MalformedJson", ""}, wrongType: {400, "InvalidType", ""}, tooLarge: {413, "BodyTooLarge", ""},
			mediaType: {415, "UnsupportedMediaType", "Content-Type"}, chunked: {400, "MissingBody", ""},
		},
		endpoints: append([]endpoint{
			{method: "GET", pattern: "/healthz"},
			{method: "GET", pattern: "/dev/clock"},
			{method: "POST", pattern: "/dev/clock", body: clock, rows: members(t, clock,
				m{wrongType, "advance", `5`, "InvalidType"}, m{overLong, "advance", quoted("P" + long(100)), "InvalidValue"}, m{overLong, "advance", `"P101Y"`, "InvalidValue"},
				m{invalid, "advance", `"-P1D"`, "InvalidValue"}, m{invalid, "advance", `null`, "InvalidValue"})},
			{method: "GET", pattern: "/dev/mail", rows: []row{{bad: invalid, name: "top", query: "top=0", want: want{400, "InvalidValue", "top"}}}},
			{method: "POST", pattern: "/dev/seed", body: seed, rows: append(members(t, seed, m{wrongType, "publishers", `{}`, "InvalidType"}),
				row{bad: overLong, name: "publisherId", body: set(t, publisher, "publishers.0.publisherId", quoted(long(51))), want: want{400, "InvalidValue", "publisherId"}})},
		}, devSubscriptions(t)...),
	}
}
