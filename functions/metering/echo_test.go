package metering_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	meteringfn "stoa/functions/metering"
	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/metering"
	"stoa/shared/store/storetest"
	"stoa/shared/web"
)

// Numbers and times come back as they were sent, in the answer and as the duplicate of a later event.
func TestEcho(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, number, at, status string }{
		{"trailing zeros", "5.000", "2022-03-02T11:05:00", "Accepted"},
		{"a whole number", "5", "2022-03-02T11:05:00", "Accepted"},
		{"an exponent", "1e-7", "2022-03-02T11:05:00", "Accepted"},
		{"a large exponent", "1.5E+3", "2022-03-02T11:05:00", "Accepted"},
		{"20 digits", "0.12345678901234567890", "2022-03-02T11:05:00", "Accepted"},
		{"20 digits before the point", "99999999999999999999", "2022-03-02T11:05:00", "InvalidQuantity"},
		{"minus zero", "-0.0", "2022-03-02T11:05:00", "InvalidQuantity"},
		{"100 digits", "0." + strings.Repeat("1", 98), "2022-03-02T11:05:00", "BadArgument"},
		{"MTR-40 Z", "1", "2022-03-02T11:05:00Z", "Accepted"},
		{"MTR-40 a fraction", "1", "2022-03-02T11:05:00.123456789", "Accepted"},
		{"MTR-40 more digits than a clock has", "1", "2022-03-02T11:05:00.12345678901Z", "Accepted"},
		{"MTR-40 an offset", "1", "2022-03-02T16:35:00+05:30", "Accepted"},
		{"MTR-40 an offset that moves the day", "1", "2022-03-01T23:05:00.5-12:00", "Accepted"},
		{"MTR-40 no seconds", "1", "2022-03-02T11:05", "Accepted"},
		{"MTR-40 no seconds, with a zone", "1", "2022-03-02T11:05Z", "Accepted"},
		{"MTR-40 a leap second", "1", "2022-03-01T23:59:60", "Accepted"},
		{"MTR-40 a leap second elsewhere", "1", "2022-03-02T05:29:60+05:30", "Accepted"},
		{"MTR-40 no leap second", "1", "2022-03-02T11:05:60", "BadArgument"},
		{"MTR-40 the 30th of February", "1", "2022-02-30T11:05:00", "BadArgument"},
		{"MTR-40 a date", "1", "2022-03-02", "BadArgument"},
		{"MTR-40 a blank for the T", "1", "2022-03-02 11:05:00", "BadArgument"},
		{"MTR-40 a zone by name", "1", "2022-03-02T11:05:00 UTC", "BadArgument"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t)
			event := fmt.Sprintf(`{"resourceId":%q,"quantity":%s,"dimension":"email","effectiveStartTime":%q,"planId":"basic"}`, sub1, c.number, c.at)
			members := strings.Trim(event, "{}")
			_, body := a.call(t, "POST", batch, "app", `{"request":[`+event+`]}`)
			require.Contains(t, body, `"status":"`+c.status+`"`)
			require.Contains(t, body, members+"}", "as it was sent")
			if c.status == "Accepted" {
				status, body := a.call(t, "POST", single, "app", event)
				require.Equal(t, http.StatusConflict, status)
				require.Contains(t, body, members+"}}", "MTR-52 as it was sent")
			}
		})
	}
}

// Bodies that are odd in other ways than their values.
func TestOddBodies(t *testing.T) {
	t.Parallel()
	replace := func(old, with string) string { return strings.Replace(good, old, with, 1) }
	for _, c := range []struct {
		name, body string
		status     int
		want       string
	}{
		{"MTR-23 members in other letters", `{"RESOURCEid":"` + sub1 + `","Quantity":5.0,"DIMENSION":"email","EffectiveStartTime":"2022-03-02T11:05:00","PlanId":"basic"}`, 200, `"quantity":5.0`},
		{"MTR-23 the guide's own spelling", replace("resourceId", "resourceID"), 200, `"resourceId":"` + sub1 + `"`},
		{"members twice: the last one counts", replace(`"quantity":5.0`, `"quantity":1,"Quantity":7.50`), 200, `"quantity":7.50,`},
		{"the last one is no number", replace(`"quantity":5.0`, `"quantity":1,"quantity":"7"`), 400, `"target":"Quantity"`},
		{"unknown members", replace(`{`, `{"extra":{"a":[1]},`), 200, `"Accepted"`},
		{"MTR-48 NaN is no JSON", replace("5.0", "NaN"), 400, `"code":"BadArgument"}`},
		{"MTR-48 infinity neither", replace("5.0", "Infinity"), 400, `"code":"BadArgument"}`},
		{"MTR-48 a plus sign neither", replace("5.0", "+5"), 400, `"code":"BadArgument"}`},
		{"MTR-48 NaN as a string", replace("5.0", `"NaN"`), 400, `"target":"Quantity"`},
		{"MTR-48 true", replace("5.0", `true`), 400, `"target":"Quantity"`},
		{"MTR-47 planId in other letters", replace("basic", "Basic"), 400, `"target":"dimension"`},
		{"MTR-36 an empty resourceId", replace(sub1, ""), 400, `"The resourceId is required."`},
		{"MTR-37 resourceId null beside a resourceUri", replace(`"resourceId":"`+sub1+`"`, `"resourceId":null,"resourceUri":"`+sub1+`"`), 200, `"resourceId":"` + sub1 + `"`},
		{"5 MB", replace(`{`, `{"extra":"`+strings.Repeat("x", 5<<20)+`",`), 413, `"BodyTooLarge"`},
		{"not UTF-8", replace("email", "\xff"), 400, `"code":"BadArgument"}`},
		{"two values", good + good, 400, `"code":"BadArgument"}`},
		{"null", "null", 400, `"The resourceId is required."`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			status, body := newAPI(t).call(t, "POST", single, "app", c.body)
			require.Equal(t, c.status, status, body)
			require.Contains(t, body, c.want)
		})
	}
}

// Everything that is wrong with the form of an event is told at once, in the texts of the table.
func TestCollectedDetails(t *testing.T) {
	t.Parallel()
	status, body := newAPI(t).call(t, "POST", single, "app", `{"quantity":null,"dimension":"","effectiveStartTime":"soon"}`)
	require.Equal(t, 400, status)
	var details []string
	for _, d := range [][2]string{
		{"The resourceId is required.", "ResourceId"}, {"The quantity is required.", "Quantity"}, {"The dimension is required.", "Dimension"},
		{"The effectiveStartTime must be a date and time such as 2018-12-01T08:30:14.", "EffectiveStartTime"}, {"The planId is required.", "PlanId"},
	} {
		details = append(details, fmt.Sprintf(`{"message":%q,"target":%q,"code":"BadArgument"}`, d[0], d[1]))
	}
	require.Equal(t, `{"message":"One or more errors have occurred.","target":"usageEventRequest","details":[`+strings.Join(details, ",")+`],"code":"BadArgument"}`, body)
}

func TestSessionMode(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	send := func(target, mode, body string) (int, string) {
		r := httptest.NewRequest("POST", target, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer app")
		r.Header.Set("sessionmode", mode)
		w := httptest.NewRecorder()
		a.handler.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	status, body := send(single, "DryRun", good)
	require.Equal(t, 200, status, body)
	require.Contains(t, body, `"status":"Accepted"`)
	status, _ = send(single, "dryrun", good)
	require.Equal(t, 409, status)
	_, body = send(batch, "DryRun", `{"request":[`+strings.Replace(good, "5.0", "0", 1)+`]}`)
	require.Contains(t, body, `"status":"InvalidQuantity"`, "a trial is checked like what it stands for")
	status, _ = send(single, "", good)
	require.Equal(t, 200, status, "a dry run takes no hour")
	for _, target := range []string{single, batch} {
		status, body = send(target, "Wet", good)
		require.Equal(t, 400, status)
		require.Contains(t, body, `"target":"SessionMode"`)
	}
	a.count(t)
	_, body = a.call(t, "GET", read+"&usageStartDate=2022-03-02&reconStatus=DryRun", "app", "")
	require.Contains(t, body, `"reconStatus":"DryRun","submittedQuantity":5.0,"processedQuantity":0.0,"submittedCount":1}]`) // MTR-88
}

// ofAudience are tokens that are meant for one audience each: "<caller>@<audience>".
type ofAudience struct{}

func (ofAudience) Verify(ctx context.Context, bearer string, audiences []string) (account.Caller, error) {
	who, audience, _ := strings.Cut(bearer, "@")
	for _, a := range audiences {
		if a == audience {
			return callers.Verify(ctx, who, audiences)
		}
	}
	return account.Caller{}, fault.New(fault.Unauthenticated, "InvalidToken", "authorization", "of another audience")
}

// A token for Azure Resource Manager is good for a managed identity and one event (MTR-29).
func TestAudiences(t *testing.T) {
	t.Parallel()
	clock := func() time.Time { return now }
	rt, err := web.New(web.Deps{Verifier: ofAudience{}, Accounts: nobody{}, Now: clock, NewID: storetest.Counter("request")})
	require.NoError(t, err)
	service, err := metering.New(metering.Deps{Resources: resources{}, Store: newAPI(t).usage, Now: clock, NewID: storetest.Counter("event")})
	require.NoError(t, err)
	deps := meteringfn.Deps{Metering: service, Audiences: []string{"marketplace"}, IdentityAudiences: []string{"arm"}}
	_, err = meteringfn.New(deps)
	require.Error(t, err, "nobody looks whether the token of an application is meant for us")
	deps.Tokens = ofAudience{}
	h, err := meteringfn.New(deps)
	require.NoError(t, err)
	h.Routes(rt)
	const notAllowed, notYours = "User is not allowed", "Client is not authorized"
	for _, c := range []struct{ name, target, token, want string }{
		{"MTR-28 an application", single, "app@marketplace", "Accepted"},
		{"MTR-28 an application with a token for ARM", single, "app@arm", notAllowed},
		{"MTR-29 an identity", single, "identity@marketplace", notYours}, // let in, but it lives in no application
		{"MTR-29 an identity with a token for ARM", single, "identity@arm", notYours},
		{"MTR-29 an identity with another token", single, "identity@other", notAllowed},
		{"MTR-31 an identity on batch", batch, "identity@marketplace", notAllowed},
		{"MTR-31 with a token for ARM", batch, "identity@arm", notAllowed},
		{"an application on batch with a token for ARM", batch, "app@arm", notAllowed},
		{"reading back with a token for ARM", read + "&usageStartDate=2022-03-02", "app@arm", notAllowed},
	} {
		method := "POST"
		if strings.HasPrefix(c.target, "/api/usageEvents") {
			method = "GET"
		}
		_, w := api{handler: rt}.send(t, method, c.target, c.token, good)
		require.Contains(t, w.Body.String(), c.want, c.name)
		require.True(t, json.Valid(w.Body.Bytes()))
	}
}

func TestTooManyRequests(t *testing.T) {
	t.Parallel()
	throttle, err := metering.NewThrottle(metering.Pace{PerSecond: 1, Burst: 2}, func() time.Time { return now })
	require.NoError(t, err)
	base := newAPI(t)
	service, err := metering.New(metering.Deps{Resources: resources{}, Store: base.usage, Now: func() time.Time { return now }, NewID: storetest.Counter("event")})
	require.NoError(t, err)
	a := serve(t, meteringfn.Deps{Metering: service, Throttle: throttle}, base)
	for range 2 {
		status, _ := a.send(t, "POST", single, "app", good)
		require.NotEqual(t, 429, status)
	}
	status, w := a.send(t, "POST", single, "app", good)
	require.Equal(t, 429, status) // MTR-25
	require.Equal(t, "1", w.Header().Get("Retry-After"))
	require.Contains(t, w.Body.String(), `"code":"TooManyRequests"`)
	require.NotEmpty(t, w.Header().Get("X-Ms-Requestid")) // MTR-22
	status, _ = a.send(t, "POST", batch, "foreign", `{}`)
	require.Equal(t, 400, status, "another caller has a pace of its own")
}
