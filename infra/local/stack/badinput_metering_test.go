package stack_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// meteringAPI is the metering API. Its code for what is bad is BadArgument; targets of required members are spelled
// as in the contract (6.1).
func meteringAPI(t *testing.T, w *world) *api {
	event := fmt.Sprintf(`{"resourceId":%q,"quantity":1,"dimension":"email","effectiveStartTime":%q,"planId":"plus"}`,
		w.values["subscriptionId"], w.Clock.Now().UTC().Format("2006-01-02T15:04:05"))
	a := &api{
		name: "metering", query: saasVersion, read: flatError,
		refusals: map[bad]want{
			missingVersion: {400, "BadArgument", "api-version"}, wrongVersion: {400, "BadArgument", "api-version"},
			missingToken: {403, "Forbidden", ""}, invalidToken: {403, "Forbidden", ""}, foreign: {403, "Forbidden", ""},
			malformed: {400, "BadArgument", ""}, wrongType: {400, "BadArgument", ""}, tooLarge: {413, "BodyTooLarge", ""},
			chunked: {400, "BadArgument", ""},
		},
		strangers: map[string]string{"App": ada, "AppOrIdentity": ada},
	}
	batch := `{"request":[` + event + `]}`
	filter := "usageStartDate=2026-01-01"
	query := func(b bad, name, query, target string) row {
		return row{bad: b, name: name, query: query, want: want{400, "BadArgument", target}}
	}
	a.endpoints = []endpoint{
		{method: "POST", pattern: "/api/usageEvent", who: contoso, body: event, rows: append(eventRows(t, event),
			row{bad: foreign, name: "publisher", who: fabrikam, want: want{403, "Forbidden", ""}})},
		{method: "POST", pattern: "/api/batchUsageEvent", who: contoso, body: batch, rows: []row{
			{bad: wrongType, name: "request", body: `{"request":"all"}`, want: want{400, "BadArgument", "request"}},
			{bad: invalid, name: "no events", body: `{"request":[]}`, want: want{400, "BadArgument", "request"}},
			{bad: overLong, name: "26 events", body: `{"request":[` + many(26, `{"n":%d}`) + `]}`, want: want{400, "BadArgument", "batchUsageEventRequest"}}}},
		{method: "GET", pattern: "/api/usageEvents", who: contoso, query: filter, rows: []row{
			query(invalid, "no start", "offerId=a", "usageStartDate"), query(wrongType, "start", "usageStartDate=yesterday", "usageStartDate"),
			query(wrongType, "end", filter+"&usageEndDate=tomorrow", "usageEndDate"), query(invalid, "end before start", filter+"&usageEndDate=2025-01-01", "usageEndDate"),
			query(overLong, "range", filter+"&usageEndDate=2028-01-01", "usageEndDate"), query(invalid, "reconStatus", filter+"&reconStatus=lost", "reconStatus"),
			query(overLong, "offerId", filter+"&offerId="+long(2000), "offerId"), query(overLong, "planId", filter+"&planId="+long(2000), "planId"),
			query(overLong, "dimension", filter+"&dimension="+long(2000), "dimension"),
			query(overLong, "azureSubscriptionId", filter+"&azureSubscriptionId="+long(2000), "azureSubscriptionId"),
			query(overLong, "reconStatus", filter+"&reconStatus="+long(2000), "reconStatus")}},
	}
	return a
}

// eventRows are what is wrong with one event.
func eventRows(t *testing.T, event string) (rows []row) {
	member := func(b bad, path, value, target string) {
		rows = append(rows, row{bad: b, name: path + " " + value[:min(len(value), 20)], body: set(t, event, path, value), want: want{400, "BadArgument", target}})
	}
	for path, target := range map[string]string{
		"resourceId": "ResourceId", "quantity": "Quantity", "dimension": "Dimension", "effectiveStartTime": "EffectiveStartTime", "planId": "PlanId",
	} {
		member(wrongType, path, `{}`, target)
		member(invalid, path, `null`, target)
	}
	member(wrongType, "quantity", `"1"`, "Quantity")
	member(overLong, "resourceId", quoted(long(5000)), "ResourceId")
	member(overLong, "resourceUri", quoted(long(5000)), "ResourceUri")
	member(overLong, "quantity", `1`+"00000000000000000000", "quantity")
	member(overLong, "dimension", quoted(long(5000)), "dimension")
	member(overLong, "effectiveStartTime", quoted(long(5000)), "EffectiveStartTime")
	member(overLong, "planId", quoted(long(5000)), "dimension") // MTR-47: a dimension is one of its plan
	member(invalid, "resourceId", `"21111111-0000-4000-8000-000000000001"`, "resourceId")
	member(invalid, "quantity", `0`, "quantity")
	member(invalid, "quantity", `-1`, "quantity")
	member(invalid, "dimension", `"fax"`, "dimension")
	member(invalid, "effectiveStartTime", `"2001-01-01T00:00:00"`, "effectiveStartTime")
	return rows
}

// A batch answers 200 whatever becomes of its events; what is bad of each is in its item, and none is kept.
func (w *world) refusesItems(t *testing.T) {
	event := fmt.Sprintf(`{"resourceId":%q,"quantity":1,"dimension":"email","effectiveStartTime":%q,"planId":"plus"}`,
		w.values["subscriptionId"], w.Clock.Now().UTC().Format("2006-01-02T15:04:05"))
	before := w.fingerprint(t)
	for _, r := range append(eventRows(t, event), row{name: "no object", body: "5", want: want{400, "BadArgument", "ResourceId"}}) {
		t.Run(r.name, func(t *testing.T) {
			got := w.good(t, "POST", "/api/batchUsageEvent?"+saasVersion, contoso, `{"request":[`+r.body+`]}`)
			var answer struct {
				Result []struct {
					UsageEventID string
					Error        json.RawMessage
				}
			}
			require.NoError(t, json.Unmarshal(got.raw, &answer))
			require.Len(t, answer.Result, 1)
			require.Empty(t, answer.Result[0].UsageEventID)
			code, target := flatError(answer.Result[0].Error)
			require.Equal(t, r.want, want{400, code, target}, "%s", got.raw)
		})
	}
	require.Equal(t, before, w.fingerprint(t), "something of a refused event was kept")
}
