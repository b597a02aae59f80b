package stack_test

import (
	"strings"
	"testing"
)

const onePlan = portalOffer + "/plans/{planId}"

// distributing are the acts on offers that are live, and what ends them.
func distributing(t *testing.T, noOffer row) []endpoint {
	const copyTo, sync = `{"offerId":"walk-test"}`, `{"planIds":["metered"]}`
	stale := row{bad: invalid, name: "stale tag", header: map[string]string{"If-Match": `"old"`}, want: want{412, "DraftChanged", "If-Match"}}
	noPlan := row{bad: unknownID, name: "plan", values: map[string]string{"planId": "nothing"}, want: want{404, "NotFound", "planId"}}
	noReport := row{bad: invalid, name: "submission", query: "submission=0", want: want{400, "InvalidValue", "submission"}}
	return []endpoint{
		{method: "DELETE", pattern: portalOffer, who: contoso, rows: []row{noOffer, stale, {bad: invalid, name: "one that is live", want: want{409, "OfferPublished", ""}}}},
		{method: "POST", pattern: portalOffer, who: contoso, body: copyTo, values: map[string]string{"offerId": "walk-saas:copyTo"}, rows: append(members(t, copyTo,
			m{wrongType, "offerId", `5`, "InvalidType"}, m{overLong, "offerId", quoted(long(51)), "InvalidValue"}, m{invalid, "offerId", `null`, "Required"}),
			row{bad: unknownID, name: "act", values: map[string]string{"offerId": "walk-saas:moveTo"}, want: want{404, "NotFound", ""}},
			row{bad: unknownID, name: "offer", values: map[string]string{"offerId": "nothing:copyTo"}, long: long(2000) + ":copyTo", want: want{404, "NotFound", "offerId"}},
			row{bad: invalid, name: "no such target", body: `{"offerId":"nothing"}`, want: want{404, "NotFound", "offerId"}})},
		{method: "POST", pattern: portalOffer + "/stop", who: contoso, bodiless: true, rows: []row{noOffer, stale}},
		{method: "POST", pattern: onePlan + "/stop", who: contoso, bodiless: true, rows: []row{noOffer, noPlan, stale}},
		{method: "POST", pattern: onePlan + "/resume", who: contoso, bodiless: true, rows: []row{noOffer, noPlan, stale,
			{bad: invalid, name: "one that is not stopped", want: want{409, "InvalidPlanState", "planId"}}}},
		{method: "POST", pattern: portalOffer + "/sync-private-audience", who: contoso, body: sync, optionalBody: true, rows: append(members(t, sync,
			m{wrongType, "planIds", `"metered"`, "InvalidType"}, m{overLong, "planIds", `[` + many(101, `"p%d"`) + `]`, "InvalidValue"}), noOffer,
			row{bad: wrongType, name: "plan", body: `{"planIds":[5]}`, want: want{400, "InvalidType", "planIds[0]"}},
			row{bad: overLong, name: "plan", body: set(t, sync, "planIds.0", quoted(long(2000))), want: want{404, "NotFound", "planIds"}},
			row{bad: invalid, name: "plan", body: `{"planIds":["nothing"]}`, want: want{404, "NotFound", "planIds"}},
			row{bad: invalid, name: "a public plan", body: sync, want: want{409, "InvalidPlanState", "planIds"}})},
		{method: "GET", pattern: portalOffer + "/plans", who: contoso, rows: []row{noOffer}},
		{method: "GET", pattern: portalOffer + "/stores", who: contoso, rows: []row{noOffer}},
		{method: "GET", pattern: portalOffer + "/validationReport", who: contoso, rows: []row{noOffer, noReport,
			{bad: invalid, name: "a submission that never was", query: "submission=99", want: want{404, "NotFound", "submission"}}}},
	}
}

// audienceFiles are the lists of who may see a preview and a private plan.
func audienceFiles(noOffer row) []endpoint {
	noPlan := row{bad: unknownID, name: "plan", values: map[string]string{"planId": "nothing"}, want: want{404, "NotFound", "planId"}}
	file := map[string]string{"Content-Type": "text/csv"}
	bodies := func(good string) []row {
		return []row{
			{bad: malformed, body: good + "\"", want: want{400, "InvalidValue", "row 3"}},
			{bad: wrongType, name: "another table", body: "colour\r\nred\r\n", want: want{400, "InvalidValue", "row 1"}},
			{bad: overLong, body: good + long(3000) + "\r\n", want: want{400, "InvalidValue", "row 3"}},
			{bad: tooLarge, body: good + strings.Repeat("\r\n", 2<<20), want: want{413, "BodyTooLarge", ""}},
			{bad: mediaType, header: map[string]string{"Content-Type": "application/json"}, want: want{415, "UnsupportedMediaType", "Content-Type"}},
			{bad: chunked, want: want{400, "MissingBody", ""}},
		}
	}
	const users, tenants = "ID,Description,Type\r\nolga.owner@contoso.example,Olga,MixedAadMsaId\r\n", "ID,Description,Type\r\n77777777-0000-4000-8000-000000000009,Nine,TenantID\r\n"
	return []endpoint{
		{method: "GET", pattern: portalOffer + "/previewAudience/csv", who: contoso, rows: []row{noOffer}},
		{method: "POST", pattern: portalOffer + "/previewAudience/csv", who: contoso, header: file, body: users, file: true, rows: append(bodies(users), noOffer)},
		{method: "GET", pattern: onePlan + "/audience/csv", who: contoso, rows: []row{noOffer, noPlan}},
		{method: "POST", pattern: onePlan + "/audience/csv", who: contoso, header: file, body: tenants, file: true, rows: append(bodies(tenants), noOffer, noPlan)},
	}
}

// metering are the dimensions of an offer, and what its plans make of them.
func metering(t *testing.T, noOffer row) []endpoint {
	const (
		dimension = `{"dimensionId":"push","displayName":"Pushes","unitOfMeasure":"per push","planId":"metered","pricePerUnitUsd":"0.3","monthlyIncluded":5}`
		named     = `{"displayName":"E-mails","unitOfMeasure":"per 100 emails"}`
		meter     = `{"enabled":true,"pricePerUnitUsd":"1","monthlyIncluded":5,"annualIncluded":"infinite"}`
		prices    = `{"value":[{"market":"US","currency":"USD","priceKey":"email","price":1}]}`
	)
	noPlan := row{bad: unknownID, name: "plan", values: map[string]string{"planId": "nothing"}, want: want{404, "NotFound", "planId"}}
	noDimension := row{bad: unknownID, name: "dimension", values: map[string]string{"dimensionId": "nothing"}, want: want{404, "NotFound", "dimensionId"}}
	stale := row{bad: invalid, name: "stale tag", header: map[string]string{"If-Match": `"old"`}, want: want{412, "DraftChanged", "If-Match"}}
	numbers := func(good string) []row {
		return members(t, good, m{wrongType, "pricePerUnitUsd", `{}`, "InvalidType"}, m{wrongType, "monthlyIncluded", `[]`, "InvalidType"},
			m{overLong, "pricePerUnitUsd", long9(400), "InvalidValue"}, m{overLong, "monthlyIncluded", long9(400), "InvalidValue"},
			m{invalid, "pricePerUnitUsd", `-1`, "InvalidValue"}, m{invalid, "pricePerUnitUsd", `"dear"`, "InvalidValue"},
			m{invalid, "monthlyIncluded", `-1`, "InvalidValue"}, m{invalid, "monthlyIncluded", `1.5`, "InvalidValue"}, m{invalid, "monthlyIncluded", `"much"`, "InvalidValue"})
	}
	cell := func(b bad, member, value, code string) row {
		return row{bad: b, name: member, body: set(t, prices, "value.0."+member, value), want: want{400, code, "value[0]." + member}}
	}
	return []endpoint{
		{method: "GET", pattern: portalOffer + "/dimensions", who: contoso, rows: []row{noOffer}},
		{method: "POST", pattern: portalOffer + "/dimensions", who: contoso, body: dimension, rows: append(append(numbers(dimension), members(t, dimension,
			m{wrongType, "dimensionId", `5`, "InvalidType"}, m{overLong, "dimensionId", quoted(long(51)), "InvalidValue"}, m{overLong, "displayName", quoted(long(2000)), "InvalidValue"},
			m{overLong, "unitOfMeasure", quoted(long(2000)), "InvalidValue"}, m{invalid, "dimensionId", `"a b"`, "InvalidValue"}, m{invalid, "displayName", `null`, "Required"},
			m{invalid, "unitOfMeasure", `""`, "Required"})...), noOffer, stale,
			row{bad: unknownID, name: "plan", body: set(t, dimension, "planId", `"nothing"`), want: want{404, "NotFound", "planId"}},
			row{bad: invalid, name: "one of that id", body: set(t, dimension, "dimensionId", `"email"`), want: want{409, "AlreadyExists", "dimensionId"}})},
		{method: "PUT", pattern: portalOffer + "/dimensions/{dimensionId}", who: contoso, body: named, rows: append(members(t, named,
			m{wrongType, "displayName", `5`, "InvalidType"}, m{overLong, "displayName", quoted(long(2000)), "InvalidValue"}, m{invalid, "unitOfMeasure", `null`, "Required"}),
			noOffer, noDimension, stale, row{bad: invalid, name: "one that is live", body: set(t, named, "displayName", `"Letters"`), want: want{409, "DimensionLocked", "dimensionId"}})},
		{method: "DELETE", pattern: portalOffer + "/dimensions/{dimensionId}", who: contoso, rows: []row{noOffer, noDimension, stale,
			{bad: invalid, name: "one that is live", want: want{409, "DimensionLocked", "dimensionId"}}}},
		{method: "PUT", pattern: onePlan + "/meters/{dimensionId}", who: contoso, body: meter, noText: true, rows: append(numbers(meter), noOffer, noPlan, noDimension, stale,
			row{bad: wrongType, name: "enabled", body: set(t, meter, "enabled", `"yes"`), want: want{400, "InvalidType", "enabled"}},
			row{bad: invalid, name: "a published price", body: `{"pricePerUnitUsd":"77"}`, want: want{409, "PublishedPriceLocked", "plans.metered.meters.email"}})},
		{method: "GET", pattern: onePlan + "/meters/prices", who: contoso, rows: []row{noOffer, noPlan, value("format", "pdf")}},
		{method: "PUT", pattern: onePlan + "/meters/prices", who: contoso, body: prices, rows: []row{noOffer, noPlan, stale,
			cell(wrongType, "price", `{}`, "InvalidType"), cell(overLong, "price", long9(400), "InvalidValue"), cell(overLong, "priceKey", quoted(long(2000)), "InvalidValue"),
			cell(overLong, "market", quoted(long(2000)), "InvalidValue"), cell(invalid, "market", `"XX"`, "InvalidValue"), cell(invalid, "currency", `"EUR"`, "InvalidValue"),
			cell(invalid, "price", `-1`, "InvalidValue"), cell(unknownID, "priceKey", `"nothing"`, "InvalidValue"),
			{bad: wrongType, name: "value", body: `{"value":{}}`, want: want{400, "InvalidType", "value"}},
			{bad: overLong, name: "rows", body: `{"value":[` + many(5000, `{"price":%d}`) + `]}`, want: want{400, "InvalidValue", "value"}},
			{bad: invalid, name: "no rows", body: `{"value":[]}`, want: want{400, "Required", "value"}},
			{bad: invalid, name: "no table", header: map[string]string{"Content-Type": "text/csv"}, body: "a\r\n", want: want{400, "Required", "market_iso2"}},
			{bad: invalid, name: "no spreadsheet", header: map[string]string{"Content-Type": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}, body: "PK",
				want: want{400, "InvalidValue", "value"}}}},
	}
}
