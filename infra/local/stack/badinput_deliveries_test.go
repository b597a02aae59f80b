package stack_test

import "testing"

// webhookLog are the routes of the log of webhook calls, and of calls by hand.
func webhookLog(t *testing.T) []endpoint {
	const publisher = "/portal/v1/publishers/{publisherId}"
	const sample = `{"offerId":"walk-saas","planId":"metered","action":"Renew","slot":"live"}`
	query := func(b bad, name, value string) row {
		return row{bad: b, name: name + " " + value[:min(len(value), 20)], query: name + "=" + value, want: want{400, "InvalidValue", name}}
	}
	return []endpoint{
		{method: "GET", pattern: publisher + "/webhook-deliveries", who: contoso, rows: []row{
			continuation, query(invalid, "subscriptionId", "nothing"), query(overLong, "subscriptionId", long(2000)),
			query(invalid, "operationId", "nothing"), query(overLong, "operationId", long(2000)),
			query(invalid, "from", "yesterday"), query(invalid, "from", "2026-01-31"), query(invalid, "from", "9999-12-31T00:00:00Z"),
			query(invalid, "top", "0"), query(invalid, "top", "201"), query(invalid, "top", "many"), query(overLong, "top", long9(40))}},
		{method: "POST", pattern: publisher + "/webhook-deliveries/{operationId}/redeliver", who: contoso, bodiless: true, rows: []row{
			{bad: unknownID, name: "operation", values: map[string]string{"operationId": "nothing"}, want: want{404, "NotFound", "operationId"}},
			{bad: unknownID, name: "operation that is a GUID", values: map[string]string{"operationId": "11111111-0000-4000-8000-000000000001"},
				want: want{404, "NotFound", "operationId"}}}},
		{method: "POST", pattern: publisher + "/webhook-tests", who: contoso, body: sample, rows: append(members(t, sample,
			m{wrongType, "offerId", `5`, "InvalidType"}, m{wrongType, "planId", `[]`, "InvalidType"}, m{wrongType, "action", `{}`, "InvalidType"},
			m{wrongType, "slot", `true`, "InvalidType"}, m{overLong, "offerId", quoted(long(101)), "InvalidValue"},
			m{overLong, "planId", quoted(long(101)), "InvalidValue"}, m{overLong, "action", quoted(long(5000)), "InvalidValue"},
			m{overLong, "slot", quoted(long(5000)), "InvalidValue"}, m{invalid, "offerId", `""`, "RequiredField"},
			m{invalid, "planId", `"nothing"`, "InvalidValue"}, m{invalid, "action", `"Transfer"`, "InvalidValue"},
			m{invalid, "action", `null`, "RequiredField"}, m{invalid, "slot", `"draft"`, "InvalidValue"}),
			row{bad: unknownID, name: "offer", body: `{"offerId":"nothing","action":"Renew"}`, want: want{404, "NotFound", "offerId"}})},
		{method: "GET", pattern: "/portal/v1/reference/webhook-keys"},
		{method: "GET", pattern: "/portal/v1/reference/webhook-issuer/.well-known/openid-configuration"},
	}
}
