package stack_test

import "testing"

// fulfillmentAPI is the SaaS fulfillment API. Its refusals do not say which check refused (FUL-3), and its check of
// the subscription comes before that of the body (FUL-6).
func fulfillmentAPI(t *testing.T, w *world) *api {
	const all, one = "/api/saas/subscriptions", "/api/saas/subscriptions/{subscriptionId}"
	a := &api{
		name: "fulfillment", query: saasVersion, read: flatError,
		refusals: map[bad]want{
			missingVersion: {400, "ApiVersionUnspecified", "api-version"}, wrongVersion: {400, "UnsupportedApiVersion", "api-version"},
			missingToken: {403, "Forbidden", ""}, invalidToken: {403, "Forbidden", ""}, foreign: {403, "Forbidden", ""},
			malformed: {400, "BadRequest", ""}, wrongType: {400, "InvalidValue", ""}, tooLarge: {413, "BodyTooLarge", ""},
			chunked: {400, "RequiredField", ""},
		},
		strangers: map[string]string{"App": ada},
	}
	none := row{bad: unknownID, name: "subscription", values: map[string]string{"subscriptionId": "21111111-0000-4000-8000-000000000001"},
		want: want{404, "EntityNotFound", "subscriptionId"}}
	other := row{bad: foreign, name: "publisher", who: fabrikam, want: want{403, "Forbidden", ""}}
	noOperation := row{bad: unknownID, name: "operation", values: map[string]string{"operationId": "21111111-0000-4000-8000-000000000001"},
		want: want{404, "EntityNotFound", "operationId"}}
	// The subscription of an operation is looked at first, so it has to be a known one there.
	const activation, change, acknowledgement = `{"planId":"metered","quantity":""}`, `{"planId":"metered"}`, `{"status":"Success"}`
	atWaiting := map[string]string{"subscriptionId": w.values["waiting"]}
	a.endpoints = []endpoint{
		{method: "POST", pattern: all + "/resolve", who: contoso, bodiless: true, header: map[string]string{"x-ms-marketplace-token": "AAAA"}, rows: []row{
			{bad: invalid, name: "no landing token", header: map[string]string{"x-ms-marketplace-token": ""}, want: want{400, "HeaderNotPresent", "x-ms-marketplace-token"}},
			{bad: invalid, name: "landing token", want: want{400, "InvalidToken", "x-ms-marketplace-token"}},
			{bad: overLong, name: "landing token", header: map[string]string{"x-ms-marketplace-token": long(5000)}, want: want{400, "InvalidToken", "x-ms-marketplace-token"}}}},
		{method: "GET", pattern: all, who: contoso, rows: []row{
			{bad: invalid, name: "continuation", query: "continuationToken=YWJj", want: want{400, "InvalidValue", "continuationToken"}},
			{bad: overLong, name: "continuation", query: "continuationToken=" + long(5000), want: want{400, "InvalidValue", "continuationToken"}}}},
		{method: "GET", pattern: one, who: contoso, rows: []row{none, other}},
		{method: "PATCH", pattern: one, who: contoso, body: change, rows: append(members(t, change,
			m{wrongType, "planId", `5`, "InvalidValue"}, m{wrongType, "planId", `["metered"]`, "InvalidValue"}, m{overLong, "planId", quoted(long(5000)), "InvalidValue"}),
			row{bad: wrongType, name: "quantity", body: `{"quantity":"many"}`, want: want{400, "InvalidValue", "quantity"}},
			row{bad: overLong, name: "quantity", body: `{"quantity":99999999999999999999}`, want: want{400, "InvalidValue", "quantity"}},
			row{bad: invalid, name: "both", body: `{"planId":"plus","quantity":5}`, want: want{400, "BadRequest", "subscriptionRequest"}},
			row{bad: invalid, name: "state", values: atWaiting, want: want{400, "BadRequest", "saasSubscriptionStatus"}}, none, other)},
		{method: "DELETE", pattern: one, who: contoso, rows: []row{none, other}},
		{method: "POST", pattern: one + "/activate", who: contoso, body: activation, values: atWaiting, rows: append(members(t, activation,
			m{wrongType, "planId", `5`, "InvalidValue"}, m{wrongType, "quantity", `[]`, "InvalidValue"}, m{wrongType, "quantity", `1.5`, "InvalidValue"},
			m{overLong, "planId", quoted(long(5000)), "InvalidValue"}, m{overLong, "quantity", quoted(long(500)), "InvalidValue"},
			m{invalid, "planId", `"plus"`, "InvalidValue"}, m{invalid, "planId", `null`, "RequiredField"}, m{invalid, "quantity", `5`, "InvalidValue"}), none, other)},
		{method: "GET", pattern: one + "/listAvailablePlans", who: contoso, anyID: true, rows: []row{other}}, // FUL-44
		{method: "GET", pattern: one + "/operations", who: contoso, rows: []row{none, other}},
		{method: "GET", pattern: one + "/operations/{operationId}", who: contoso, rows: []row{none, noOperation, other}},
		{method: "PATCH", pattern: one + "/operations/{operationId}", who: contoso, body: acknowledgement, rows: append(members(t, acknowledgement,
			m{wrongType, "status", `true`, "InvalidValue"}, m{overLong, "status", quoted(long(5000)), "InvalidValue"},
			m{invalid, "status", `"Succeeded"`, "InvalidValue"}, m{invalid, "status", `null`, "RequiredField"}), none, noOperation, other)},
	}
	return a
}
