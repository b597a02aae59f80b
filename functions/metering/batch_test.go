package metering_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// usage is the body of an event of the tests at a time of their day.
func usage(dimension, at string) string {
	return fmt.Sprintf(`{"resourceId":%q,"quantity":5.0,"dimension":%q,"effectiveStartTime":"2022-03-02T%s","planId":"basic"}`, sub1, dimension, at)
}

func finding(text, target string) string {
	return fmt.Sprintf(`{"message":"One or more errors have occurred.","target":"usageEventRequest",`+
		`"details":[{"message":%q,"target":%q,"code":"BadArgument"}],"code":"BadArgument"}`, text, target)
}

// An item that was refused has the body of the single call inside and repeats its members as they were sent.
func TestRefusedItems(t *testing.T) {
	t.Parallel()
	const item = `{"status":%q,"messageTime":"0001-01-01T00:00:00","error":%s,%s}` // MTR-62
	const notYours = `{"message":"Client is not authorized for this usage resource.","code":"Forbidden"}`
	const absent = "The resourceId value provided cannot be found or this resource is not active."
	precise := strings.Replace(usage("fax", "11:05:00+01:00"), "5.0", "9.1234567890123461", 1)
	for _, c := range []struct {
		name, token, sent, status, err string
	}{
		{"MTR-61 another application", "foreign", usage("email", "11:05:00"), "ResourceNotAuthorized", notYours},
		{"unknown resource", "app", strings.ReplaceAll(usage("email", "11:05:00"), sub1, none), "ResourceNotFound", finding(absent, "resourceId")},
		{"MTR-39 in the future", "app", usage("email", "12:06:00"), "Expired", finding("The effective time provided is has expired or is in future.", "effectiveStartTime")},
		{"MTR-46 with digits that no binary number has", "app", precise, "InvalidDimension", finding("The payload dimension is invalid.", "dimension")},
		{"MTR-48 negative", "app", strings.Replace(usage("email", "11:05:00"), "5.0", "-1e-3", 1), "InvalidQuantity", finding("The quantity must be greater than 0.", "quantity")},
		{"MTR-48 a string", "app", strings.Replace(usage("email", "11:05:00"), "5.0", `"5"`, 1), "BadArgument", finding("The quantity is not of the right type.", "Quantity")},
		{"our own failure", "app", strings.ReplaceAll(usage("email", "11:05:00"), sub1, away), "Error", `{"message":"An unexpected error occurred.","code":"InternalServerError"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			status, body := newAPI(t).call(t, "POST", batch, c.token, `{"request":[`+c.sent+`]}`)
			require.Equal(t, 200, status, "one refused item does not refuse the call")
			members := strings.TrimSuffix(strings.TrimPrefix(c.sent, "{"), "}")
			require.Equal(t, `{"count":1,"result":[`+fmt.Sprintf(item, c.status, c.err, members)+`]}`, body)
		})
	}
}

func TestSizesOfABatch(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	many := func(n int) string {
		return `{"request":[` + strings.TrimSuffix(strings.Repeat(usage("email", "11:05:00")+",", n), ",") + `]}`
	}
	status, _ := a.call(t, "POST", batch, "app", many(26))
	require.Equal(t, 400, status) // MTR-56
	status, body := a.call(t, "POST", batch, "app", many(25))
	require.Equal(t, 200, status)
	require.Equal(t, 1, strings.Count(body, `"Accepted"`), "nothing of the batch that was too large is stored") // MTR-59
	require.True(t, strings.HasPrefix(body, `{"count":25,`))                                                    // MTR-57
}

func TestMembersOfTheWrongType(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ from, to, target string }{
		"resourceId beside a resourceUri": {`"resourceId":`, `"resourceId":5,"resourceUri":`, "ResourceId"},
		"resourceUri":                     {`{`, `{"resourceUri":[],`, "ResourceUri"},
		"dimension":                       {`"email"`, `{}`, "Dimension"},
		"effectiveStartTime":              {`"2022-03-02T11:05:00"`, `1646219100`, "EffectiveStartTime"},
		"planId":                          {`"basic"`, `true`, "PlanId"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, body := newAPI(t).call(t, "POST", single, "app", strings.Replace(usage("email", "11:05:00"), c.from, c.to, 1))
			require.Equal(t, 400, status)
			var got struct {
				Details []struct{ Code, Target string }
			}
			require.NoError(t, json.Unmarshal([]byte(body), &got))
			require.Len(t, got.Details, 1, body)
			require.Equal(t, "BadArgument", got.Details[0].Code)
			require.Equal(t, c.target, got.Details[0].Target)
		})
	}
}

// Fifty callers send the same batch at once: each item is accepted once, and every duplicate names it (MTR-53).
func TestSameBatchAtOnce(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	var events []string
	for hour := range 12 {
		at := fmt.Sprintf("%02d:30:00", hour)
		events = append(events, usage("email", at), usage("text", at))
	}
	body := `{"request":[` + strings.Join(events, ",") + `]}`
	answers := make([]*httptest.ResponseRecorder, 50)
	var group sync.WaitGroup
	for i := range answers {
		group.Go(func() { _, answers[i] = a.send(t, "POST", batch, "app", body) })
	}
	group.Wait()
	accepted, named := map[int][]string{}, map[int]map[string]bool{}
	for _, w := range answers {
		var got struct {
			Result []struct {
				Status, UsageEventID string
				Error                struct {
					AdditionalInfo struct{ AcceptedMessage struct{ UsageEventID string } }
				}
			}
		}
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
		require.Len(t, got.Result, len(events))
		for i, r := range got.Result {
			if r.Status == "Accepted" {
				accepted[i] = append(accepted[i], r.UsageEventID)
				continue
			}
			require.Equal(t, "Duplicate", r.Status)
			if named[i] == nil {
				named[i] = map[string]bool{}
			}
			named[i][r.Error.AdditionalInfo.AcceptedMessage.UsageEventID] = true
		}
	}
	for i := range events {
		require.Len(t, accepted[i], 1, "event %d", i)
		require.Equal(t, map[string]bool{accepted[i][0]: true}, named[i], "event %d", i)
	}
}

func TestFiltersOfReadingBack(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for _, e := range []string{usage("email", "08:30:14"), usage("email", "09:30:14"), strings.Replace(usage("text", "09:30:14"), "5.0", "0.25", 1)} {
		status, _ := a.call(t, "POST", single, "app", e)
		require.Equal(t, 200, status)
	}
	a.count(t)
	const email, text = `email 10.0 2`, `text 0.25 1` // MTR-86
	for query, want := range map[string][]string{
		"usageStartDate=2022-03-02":                                          {email, text},
		"usagestartdate=2022-03-02T08:30":                                    {email, text},
		"usageStartDate=2022-03-02T09:00Z":                                   {email, text}, // a day is read as a whole
		"usageStartDate=2022-03-02&UsageEndDate=2022-03-02":                  {email, text}, // MTR-87, to the end of the day
		"usageStartDate=2022-03-02&usageEndDate=2022-03-02T08:30":            {email, text},
		"usageStartDate=2022-03-01&usageEndDate=2022-03-02T00:00":            nil,
		"usageStartDate=2022-03-01&usageEndDate=2022-03-01":                  nil,
		"usageStartDate=2022-03-02&dimension=email&planId=basic&offerId=cns": {email},
		"usageStartDate=2022-03-02&reconStatus=submitted":                    {email, text}, // MTR-88
		"usageStartDate=2022-03-02&reconStatus=Mismatch":                     nil,
		"usageStartDate=2022-03-02&planId=Basic":                             nil, // MTR-47
		"usageStartDate=2022-03-02&offerId=other":                            nil,
		"usageStartDate=2022-03-02&azureSubscriptionId=" + none:              nil,
	} {
		status, body := a.call(t, "GET", read+"&"+query, "app", "")
		require.Equal(t, 200, status, query)
		var days []struct {
			Dimension         string
			SubmittedQuantity json.Number
			SubmittedCount    int
		}
		require.NoError(t, json.Unmarshal([]byte(body), &days))
		var got []string
		for _, d := range days {
			got = append(got, fmt.Sprintf("%s %s %d", d.Dimension, d.SubmittedQuantity, d.SubmittedCount))
		}
		require.Equal(t, want, got, query)
	}
	status, _ := a.call(t, "GET", read+"&usageStartDate=2022-03-02&reconStatus=done", "app", "")
	require.Equal(t, 400, status)
}
