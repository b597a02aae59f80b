package stack_test

import "testing"

const (
	goodCorrection = `{"usageEventId":"21111111-0000-4000-8000-000000000001","newReportedUsage":1,"reason":"Sent twice."}`
	noAnomaly      = "adadadad0000000000000000000000000000000000000000000000000000000000"
)

// usageAndAnomalies are what a publisher sees of its usage, and decides on.
func usageAndAnomalies(t *testing.T) []endpoint {
	const publisher = "/portal/v1/publishers/{publisherId}"
	unknown := row{bad: unknownID, name: "anomaly", values: map[string]string{"anomalyId": noAnomaly}, want: want{404, "NotFound", "anomalyId"}}
	const dismissal, mark = `{"reason":"A campaign."}`, `{"newReportedUsage":5}`
	filters := []row{value("top", "0"), value("top", "201"), value("top", "many"), value("offer", long(101)), value("meter", long(101))}
	return []endpoint{
		{method: "GET", pattern: publisher + "/anomalies", who: contoso, rows: append(filters, continuation,
			value("period", "31"), value("period", "month"), value("impact", "some"), value("state", "Gone"))},
		{method: "GET", pattern: publisher + "/anomalies/actions", who: contoso, rows: []row{continuation, value("top", "0"), value("top", "201"), value("top", "many")}},
		{method: "POST", pattern: publisher + "/anomalies/{anomalyId}/mark", who: contoso, body: mark, optionalBody: true, noText: true,
			rows: append(members(t, mark, m{wrongType, "newReportedUsage", `"few"`, "InvalidValue"}, m{wrongType, "newReportedUsage", `{}`, "InvalidValue"}), unknown)},
		{method: "POST", pattern: publisher + "/anomalies/{anomalyId}/dismiss", who: contoso, body: dismissal,
			rows: append(members(t, dismissal, m{wrongType, "reason", `5`, "InvalidType"}, m{overLong, "reason", quoted(long(1001)), "InvalidValue"}), unknown)},
		{method: "GET", pattern: publisher + "/usage", who: contoso, rows: []row{value("from", "yesterday"), value("to", "2026-02-30"), value("to", "9999-01-01"), value("group", "week"),
			value("offer", long(101)), value("meter", long(101)), {bad: invalid, name: "backwards", query: "from=2026-02-01&to=2026-01-01", want: want{400, "InvalidValue", "to"}}}},
		{method: "GET", pattern: publisher + "/usage-corrections", who: contoso, rows: []row{continuation, value("top", "0"), value("top", "201"), value("top", "many")}},
		{method: "POST", pattern: publisher + "/usage-corrections", who: contoso, body: goodCorrection, rows: members(t, goodCorrection,
			m{wrongType, "usageEventId", `5`, "InvalidType"}, m{wrongType, "newReportedUsage", `"few"`, "InvalidValue"}, m{wrongType, "reason", `5`, "InvalidType"},
			m{overLong, "reason", quoted(long(1001)), "InvalidValue"}, m{overLong, "usageEventId", quoted(long(2000)), "InvalidValue"},
			m{invalid, "newReportedUsage", `null`, "MissingValue"},
			m{invalid, "usageEventId", `null`, "MissingValue"})},
	}
}

// corrections are what staff decide on.
func corrections(t *testing.T) []endpoint {
	const one = "/operator/v1/usage-corrections/{publisherId}/{correctionId}"
	const note = `{"note":"Seen."}`
	unknown := []row{
		{bad: unknownID, name: "correction", values: map[string]string{"correctionId": "21111111-0000-4000-8000-000000000001"}, want: want{404, "NotFound", "correctionId"}},
		{bad: unknownID, name: "publisher", values: map[string]string{"publisherId": "nobody"}, want: want{404, "NotFound", "correctionId"}},
	}
	rows := append(members(t, note, m{wrongType, "note", `5`, "InvalidType"}, m{overLong, "note", quoted(long(1001)), "InvalidValue"}), unknown...)
	return []endpoint{
		{method: "GET", pattern: "/operator/v1/usage-corrections", who: staff, rows: []row{continuation, value("top", "0"), value("top", "201"), value("top", "many")}},
		{method: "GET", pattern: one, who: staff, rows: unknown},
		{method: "POST", pattern: one + "/approve", who: staff, body: note, optionalBody: true, rows: rows},
		{method: "POST", pattern: one + "/decline", who: staff, body: note, optionalBody: true, rows: rows},
	}
}

// value is a row of a parameter of the query with a value that is not allowed.
func value(name, text string) row {
	return row{bad: invalid, name: name + " " + text[:min(len(text), 20)], query: name + "=" + text, want: want{400, "InvalidValue", name}}
}
