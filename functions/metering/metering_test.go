package metering_test

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	meteringfn "stoa/functions/metering"
	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/metering"
	"stoa/shared/offer"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
	"stoa/shared/subscription"
	"stoa/shared/web"
)

//go:embed openapi.json
var description []byte

var now = time.Date(2022, 3, 2, 12, 0, 0, 123456700, time.UTC)

const (
	sub1 = "11111111-0000-4000-8000-000000000001"
	none = "21111111-0000-4000-8000-000000000001"
	away = "31111111-0000-4000-8000-000000000001"
)

type tokens map[string]account.Caller

func (t tokens) Verify(_ context.Context, bearer string, audiences []string) (account.Caller, error) {
	c, ok := t[bearer]
	if !ok || len(audiences) == 0 {
		return c, fault.New(fault.Unauthenticated, "InvalidToken", "authorization", "no")
	}
	return c, nil
}

type nobody struct{}

func (nobody) Allow(context.Context, account.Caller, string, account.Permission) error {
	return fault.New(fault.Forbidden, "Forbidden", "", "no")
}
func (nobody) Operator(account.Caller) bool { return false }

type resources struct{}

func (r resources) Find(ctx context.Context, wanted map[string]time.Time) map[string]metering.Found {
	return metering.FindEach(ctx, slices.Collect(maps.Keys(wanted)), r.Resource)
}

func (resources) Owner(context.Context, string, string) (metering.Owner, error) {
	return metering.Owner{TenantID: "t1", AppID: "a1"}, nil
}

func (resources) Resource(_ context.Context, ref string) (metering.Resource, error) {
	switch ref {
	case away:
		return metering.Resource{}, fault.New(fault.Unavailable, "Away", "", "secret cause")
	case sub1:
		return metering.ResourceOf(subscription.Subscription{
			ID: sub1, PublisherID: "contoso", OfferID: "cns", PlanID: "basic", Status: subscription.Subscribed, ActivatedAt: now.AddDate(0, 0, -3),
		}, offer.Version{Content: offer.Content{
			Technical: offer.Technical{TenantID: "t1", AppID: "a1"}, Dimensions: []offer.Dimension{{ID: "email"}, {ID: "text"}},
			Plans: []offer.Plan{{ID: "basic", Meters: []offer.Meter{
				{DimensionID: "email", Enabled: true, PricePerUnitUSD: decimal.NewFromInt(1)}, {DimensionID: "text", Enabled: true},
			}}},
		}}), nil
	}
	return metering.Resource{}, fault.New(fault.NotFound, "NotFound", "", "no")
}

// api is the handler under the real router, with its description.
type api struct {
	handler http.Handler
	routes  routers.Router
	usage   *store.Usage
	outbox  *storetest.Outbox
}

var callers = tokens{
	"app": {Kind: account.App, TenantID: "t1", AppID: "a1"}, "foreign": {Kind: account.App, TenantID: "t1", AppID: "a2"},
	"user": {Kind: account.User, TenantID: "t1", ObjectID: "o"}, "identity": {Kind: account.ManagedIdentity, TenantID: "t1", AppID: "m"},
}

func newAPI(t testing.TB) api {
	t.Helper()
	clock := func() time.Time { return now }
	db, outbox := storetest.NewTwin(clock)
	usage := store.NewUsage(db, message.UsageAccepted)
	service, err := metering.New(metering.Deps{Resources: resources{}, Store: usage, Now: clock, NewID: storetest.Counter("event")})
	require.NoError(t, err)
	return serve(t, meteringfn.Deps{Metering: service}, api{usage: usage, outbox: outbox})
}

// serve mounts a handler.
func serve(t testing.TB, d meteringfn.Deps, a api) api {
	t.Helper()
	rt, err := web.New(web.Deps{Verifier: callers, Accounts: nobody{}, Now: func() time.Time { return now }, NewID: storetest.Counter("request")})
	require.NoError(t, err)
	d.Audiences = []string{"m"}
	h, err := meteringfn.New(d)
	require.NoError(t, err)
	h.Routes(rt)
	doc, err := openapi3.NewLoader().LoadFromData(description)
	require.NoError(t, err)
	require.NoError(t, doc.Validate(t.Context()))
	routes, err := gorillamux.NewRouter(doc)
	require.NoError(t, err)
	a.handler, a.routes = rt, routes
	return a
}

// count counts what was announced, as the queue's handler does.
func (a api) count(t testing.TB) {
	t.Helper()
	require.NoError(t, a.usage.Flush(t.Context()))
	counter, err := metering.NewCounter(a.usage)
	require.NoError(t, err)
	for _, m := range a.outbox.Take(message.UsageAccepted) {
		var announced metering.Announced
		require.NoError(t, json.Unmarshal(m.Body, &announced))
		require.NoError(t, counter.Count(t.Context(), announced))
	}
}

// call sends a request and checks the answer against the description.
func (a api) call(t testing.TB, method, target, token, body string) (int, string) {
	t.Helper()
	status, answer := a.send(t, method, target, token, body)
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	route, params, err := a.routes.FindRoute(r)
	require.NoError(t, err)
	err = openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route},
		Status:                 status, Header: answer.Header(), Body: io.NopCloser(bytes.NewReader(answer.Body.Bytes())),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	})
	require.NoError(t, err, answer.Body.String())
	return status, answer.Body.String()
}

func (a api) send(t testing.TB, method, target, token, body string) (int, *httptest.ResponseRecorder) {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	return w.Code, w
}

const (
	version = "?api-version=2018-08-31"
	single  = "/api/usageEvent" + version
	batch   = "/api/batchUsageEvent" + version
	read    = "/api/usageEvents" + version
	good    = `{"resourceId":"` + sub1 + `","quantity":5.0,"dimension":"email","effectiveStartTime":"2022-03-02T11:05:00","planId":"basic"}`
)

func TestSingle(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	status, body := a.call(t, "POST", single, "app", strings.ReplaceAll(good, `"planId"`, `"PLANID"`)) // MTR-23
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, `{"usageEventId":"event-000001","status":"Accepted","messageTime":"2022-03-02T12:00:00.1234567Z","resourceId":"`+sub1+
		`","quantity":5.0,"dimension":"email","effectiveStartTime":"2022-03-02T11:05:00","planId":"basic"}`, body)
	status, body = a.call(t, "POST", single, "app", strings.ReplaceAll(good, "5.0", "9.1234567890123461"))
	require.Equal(t, http.StatusConflict, status)
	require.Equal(t, `{"additionalInfo":{"acceptedMessage":{"usageEventId":"event-000001","status":"Duplicate","messageTime":"2022-03-02T12:00:00.1234567Z",`+
		`"resourceId":"`+sub1+`","quantity":5.0,"dimension":"email","effectiveStartTime":"2022-03-02T11:05:00","planId":"basic"}},`+
		`"message":"This usage event already exist.","code":"Conflict"}`, body) // MTR-52
	_, body = a.call(t, "POST", single, "app", `{"resourceUri":"`+sub1+`","quantity":1,"dimension":"text","effectiveStartTime":"2022-03-02T11:05:00Z","planId":"basic"}`)
	require.Contains(t, body, `"resourceId":"`+sub1+`","resourceUri":"`+sub1+`"`) // MTR-37
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	const wrong, forbidden = `"code":"BadArgument"}`, `{"message":"User is not allowed authorized to call this","code":"Forbidden"}`
	foreign := `{"message":"Client is not authorized for this usage resource.","code":"Forbidden"}`
	for _, c := range []struct {
		name, method, target, token, body string
		status                            int
		want                              string
	}{
		{"MTR-21 no api-version", "POST", "/api/usageEvent", "app", good, 400, wrong},
		{"MTR-21 another", "POST", "/api/usageEvent?api-version=2019-08-31", "app", good, 400, `"target":"api-version"`},
		{"MTR-21 in other letters", "GET", "/api/usageEvents?ApiVersion=2018-08-31&USAGEstartdate=2022-03-02", "app", "", 200, "[]"},
		{"MTR-24 no token", "POST", single, "", good, 403, forbidden},
		{"MTR-24 a bad token", "POST", single, "x", good, 403, forbidden},
		{"a person", "POST", single, "user", good, 403, forbidden},
		{"MTR-28 another application", "POST", single, "foreign", good, 403, foreign},
		{"MTR-30 a managed identity", "POST", single, "identity", good, 403, foreign},
		{"MTR-31 a managed identity on batch", "POST", batch, "identity", `{"request":[` + good + `]}`, 403, forbidden},
		{"MTR-36 an empty object", "POST", single, "app", "{}", 400,
			`"details":[{"message":"The resourceId is required.","target":"ResourceId","code":"BadArgument"},`},
		{"no body", "POST", single, "app", "", 400, "Content-Length"},
		{"not JSON", "POST", single, "app", "{", 400, wrong},
		{"a list", "POST", single, "app", "[]", 400, wrong},
		{"MTR-48 a string", "POST", single, "app", strings.ReplaceAll(good, "5.0", `"5.0"`), 400, `"target":"Quantity"`},
		{"MTR-48 null", "POST", single, "app", strings.ReplaceAll(good, "5.0", "null"), 400, `The quantity is required.`},
		{"MTR-48 zero", "POST", single, "app", strings.ReplaceAll(good, "5.0", "0"), 400, `The quantity must be greater than 0.`},
		{"unknown resource", "POST", single, "app", strings.ReplaceAll(good, sub1, none), 400, `"target":"resourceId"`},
		{"our own failure", "POST", single, "app", strings.ReplaceAll(good, sub1, away), 500, `{"message":"An unexpected error occurred.","code":"InternalServerError"}`},
		{"MTR-56 empty", "POST", batch, "app", `{"request":[]}`, 400, wrong},
		{"MTR-56 missing", "POST", batch, "app", `{}`, 400, wrong},
		{"MTR-56 26 events", "POST", batch, "app", `{"request":[` + strings.Repeat(good+",", 25) + good + `]}`, 400,
			`{"message":"Batch events request payload count is more than 25. Please check you request body and retry with count less than 25.","target":"batchUsageEventRequest","code":"BadArgument"}`},
		{"MTR-87 no start", "GET", read, "app", "", 400, `"target":"usageStartDate"`},
		{"MTR-87 not a date", "GET", read + "&usageStartDate=3.12.2020", "app", "", 400, `"target":"usageStartDate"`},
		{"MTR-89 end before start", "GET", read + "&usageStartDate=2022-03-02T10:00&usageEndDate=2022-03-02T09:59", "app", "", 400, `"target":"usageEndDate"`},
		{"MTR-90 nothing", "GET", read + "&usageStartDate=2022-03-01", "app", "", 200, "[]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			status, body := newAPI(t).call(t, c.method, c.target, c.token, c.body)
			require.Equal(t, c.status, status, body)
			require.Contains(t, body, c.want)
		})
	}
}

// Every path of the contract is below /api, with and without a closing slash, and nothing else is.
func TestPaths(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for path, method := range map[string]string{"/usageEvent": "POST", "/batchUsageEvent": "POST", "/usageEvents": "GET"} {
		for target, want := range map[string]int{"/api" + path: 403, "/api" + path + "/": 403, path: 404, "/api" + path + "/x": 404} {
			status, _ := a.send(t, method, target+version, "", "")
			require.Equal(t, want, status, "MTR-20 %s %s", method, target)
		}
	}
}

func TestMethodsAndHeaders(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	status, answer := a.send(t, "GET", single, "app", "")
	require.Equal(t, http.StatusMethodNotAllowed, status)
	require.Equal(t, "POST", answer.Header().Get("Allow"))
	r := httptest.NewRequest("POST", "/api/USAGEEVENT/"+version, strings.NewReader(good))
	r.Header.Set("Authorization", "Bearer app")
	r.Header.Set("X-Ms-Requestid", "mine")
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "mine", w.Header().Get("X-Ms-Requestid")) // MTR-22
	require.NotEmpty(t, w.Header().Get("X-Ms-Correlationid"))
}

func TestBatchAndReadBack(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	status, body := a.call(t, "POST", batch, "app", `{"request":[`+good+","+strings.ReplaceAll(good, ":05:00", ":45:00")+","+
		strings.ReplaceAll(good, sub1, none)+","+strings.ReplaceAll(good, "email", "fax")+`,{},null,`+strings.ReplaceAll(good, sub1, away)+`]}`)
	require.Equal(t, http.StatusOK, status)
	var answer struct {
		Count  int
		Result []struct {
			Status, MessageTime, UsageEventID string
			Quantity                          json.Number
			Error                             struct{ Code, Target string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(body), &answer))
	require.Equal(t, 7, answer.Count) // MTR-57
	var statuses []string
	for i, r := range answer.Result {
		statuses = append(statuses, r.Status)
		if i > 0 {
			require.Equal(t, "0001-01-01T00:00:00", r.MessageTime) // MTR-62
			require.Empty(t, r.UsageEventID)
		}
	}
	require.Equal(t, []string{"Accepted", "Duplicate", "ResourceNotFound", "InvalidDimension", "BadArgument", "BadArgument", "Error"}, statuses)
	require.Equal(t, "Conflict", answer.Result[1].Error.Code)
	require.Equal(t, "usageEventRequest", answer.Result[2].Error.Target)
	require.NotContains(t, body, "secret")

	_, body = a.call(t, "GET", read+"&usageStartDate=2022-03-02", "app", "")
	require.Equal(t, "[]", body, "it is read back when it is counted")
	a.count(t)
	_, body = a.call(t, "GET", read+"&usageStartDate=2022-03-02&usageEndDate=2022-03-02", "app", "")
	require.Equal(t, `[{"usageDate":"2022-03-02T00:00:00Z","usageResourceId":"`+sub1+`","dimension":"email","planId":"basic","planName":"","offerId":"cns",`+
		`"offerName":"","offerType":"SaaS","azureSubscriptionId":"","reconStatus":"Submitted","submittedQuantity":5.0,"processedQuantity":0.0,"submittedCount":1}]`, body)
	for query, want := range map[string]string{"&dimension=text": "[]", "&reconStatus=accepted": "[]", "&azureSubscriptionId=x": "[]"} {
		_, body = a.call(t, "GET", read+"&usageStartDate=2022-03-02"+query, "app", "")
		require.Equal(t, want, body, query)
	}
	_, body = a.call(t, "GET", read+"&usageStartDate=2022-03-02", "foreign", "")
	require.Equal(t, "[]", body, "MTR-86 only what is of the caller's offers")
}

// Whatever arrives, the answer is JSON with a status of the contract; a batch has a result for each item.
func FuzzBodies(f *testing.F) {
	for _, seed := range []string{
		good, `{"request":[` + good + `]}`, `{"request":[null,{}]}`, `{"quantity":1e999}`, `{"quantity":-0}`, `[]`, `{"request":{}}`, "\xef\xbb\xbf{}",
		`{"request":[` + strings.Repeat("0,", 24) + `0]}`, `{"REQUEST":[{"Quantity":1.5E+3,"quantity":"x"}],"request":[[]]}`, `{"request":[{"resourceUri":"` + sub1 + `"}]}`,
		`{"resourceId":{"a":[1,{}]},"planId":"\ud800","dimension":"\u0000"}`,
	} {
		f.Add(seed)
	}
	a := newAPI(f)
	f.Fuzz(func(t *testing.T, body string) {
		for _, target := range []string{single, batch} {
			status, answer := a.send(t, "POST", target, "app", body)
			require.True(t, json.Valid(answer.Body.Bytes()))
			require.Contains(t, []int{200, 400, 403, 409, 413}, status)
			if target == single || status != 200 {
				continue
			}
			var got struct {
				Count  int
				Result []struct{ Status metering.Status }
			}
			require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &got))
			require.Len(t, got.Result, got.Count)
			for _, r := range got.Result {
				require.NotEmpty(t, metering.InfoOf(r.Status).Status)
			}
		}
	})
}

// The description lists the statuses that are sent, and no others.
func TestDescribedStatuses(t *testing.T) {
	t.Parallel()
	doc, err := openapi3.NewLoader().LoadFromData(description)
	require.NoError(t, err)
	large := `{"request":"` + strings.Repeat("x", 1<<20) + `"}`
	batchOf := func(event string) string { return `{"request":[` + event + `]}` }
	slow, err := metering.NewThrottle(metering.Pace{PerSecond: 1, Burst: 1}, func() time.Time { return now })
	require.NoError(t, err)
	type request struct{ token, target, body string }
	for path, requests := range map[string][]request{
		"/api/usageEvent": {
			{"app", single, good}, {"app", single, good}, {"app", single, "{}"}, {"", single, good}, {"app", single, large},
			{"app", single, strings.ReplaceAll(good, sub1, away)},
		},
		"/api/batchUsageEvent": {
			{"app", batch, batchOf(good)}, {"app", batch, "{}"}, {"", batch, "{}"}, {"app", batch, large},
			{"app", batch, batchOf(strings.ReplaceAll(good, sub1, away))},
		},
		"/api/usageEvents": {{"app", read + "&usageStartDate=2022-03-01", ""}, {"app", read, ""}, {"", read, ""}},
	} {
		a := newAPI(t)
		described := doc.Paths.Find(path).Post
		method := http.MethodPost
		if described == nil {
			described, method = doc.Paths.Find(path).Get, http.MethodGet
		}
		sent := map[string]bool{"500": true} // a failure of ours is possible everywhere (MTR-25)
		for _, r := range requests {
			status, _ := a.call(t, method, r.target, r.token, r.body)
			sent[strconv.Itoa(status)] = true
		}
		throttled := serve(t, meteringfn.Deps{Metering: new(metering.Service), Throttle: slow}, api{})
		require.NoError(t, slow.Take(callers["app"]), path)
		status, _ := throttled.call(t, method, requests[0].target, "app", "{}")
		sent[strconv.Itoa(status)] = true
		slow, err = metering.NewThrottle(metering.Pace{PerSecond: 1, Burst: 1}, func() time.Time { return now })
		require.NoError(t, err)
		listed := map[string]bool{}
		for status := range described.Responses.Map() {
			listed[status] = true
		}
		require.Equal(t, listed, sent, path)
	}
}
