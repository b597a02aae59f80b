package portal_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/robfig/cron/v3"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	expiryfn "stoa/functions/anomalyexpiry"
	trainingfn "stoa/functions/anomalytraining"
	operatorfn "stoa/functions/operator"
	portalfn "stoa/functions/portal"
	reviewsfn "stoa/functions/usagereviews"
	"stoa/shared/account"
	"stoa/shared/anomaly"
	"stoa/shared/billing/billingtest"
	"stoa/shared/correction"
	"stoa/shared/fault"
	"stoa/shared/functionshost/functionshosttest"
	"stoa/shared/message"
	"stoa/shared/metering"
	"stoa/shared/offer"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
	"stoa/shared/web"
)

type people struct{}

func (people) Verify(_ context.Context, bearer string, _ []string) (account.Caller, error) {
	if bearer == "" {
		return account.Caller{}, fault.New(fault.Unauthenticated, "Unauthenticated", "", "no")
	}
	return account.Caller{Kind: account.User, ObjectID: bearer, UPN: bearer + "@contoso.example"}, nil
}

func (people) Allow(_ context.Context, c account.Caller, publisherID string, p account.Permission) error {
	reads := p == "usageReports.read"
	if publisherID == "contoso" && (c.ObjectID == "developer" && (reads || p == "offer.edit") || c.ObjectID == "reader" && reads) {
		return nil
	}
	return fault.New(fault.Forbidden, "Forbidden", "", "no")
}

func (people) Operator(c account.Caller) bool { return c.ObjectID == "staff" }

type sold struct{}

func (sold) Sold(_ context.Context, publisherID, offerID string, _ bool) (offer.Version, error) {
	return offer.Version{Content: offer.Content{
		PublisherID: publisherID, OfferID: offerID, OfferType: offer.TypeSaaS, Listing: offer.Listing{Name: "Contoso notifications"},
		Plans: []offer.Plan{{ID: "basic", Meters: []offer.Meter{{DimensionID: "email", Enabled: true, PricePerUnitUSD: decimal.NewFromInt(1)}}}},
	}}, nil
}

type owners struct{}

func (owners) Recipients(context.Context, string) ([]string, error) {
	return []string{"owner@contoso.example"}, nil
}

// bench is the handlers over the twin of the store, with the ledger under them.
type bench struct {
	*billingtest.World
	t        *testing.T
	router   http.Handler
	training *trainingfn.Handler
	expiry   *expiryfn.Handler
	reviews  *reviewsfn.Handler
	events   *store.UsageEvents
}

func newBench(t *testing.T, now time.Time) *bench {
	t.Helper()
	w := billingtest.New(t, now)
	b := &bench{World: w, t: t, events: store.NewUsageEvents(w.Usage)}
	corrections, err := correction.New(correction.Deps{
		Store: store.NewCorrections(w.DB), Events: b.events, Ledger: w.Ledger, Offers: sold{}, Contacts: owners{}, Staff: []string{"staff@example.com"}, Now: w.Now,
	})
	require.NoError(t, err)
	anomalies, err := anomaly.New(anomaly.Deps{
		Store: store.NewAnomalies(w.DB), Usage: store.NewUsageSums(w.Usage), Offers: sold{}, Contacts: owners{}, Corrections: corrections,
		Staff: []string{"staff@example.com"}, Now: w.Now,
	})
	require.NoError(t, err)
	b.training, b.expiry = &trainingfn.Handler{Anomalies: anomalies}, &expiryfn.Handler{Anomalies: anomalies}
	b.reviews = &reviewsfn.Handler{Anomalies: anomalies, Corrections: corrections, Parked: w.DB.DeadLetters()}
	rt, err := web.New(web.Deps{Verifier: people{}, Accounts: people{}, Now: w.Now, NewID: storetest.Counter("request")})
	require.NoError(t, err)
	pages := web.Pages{Key: []byte("0123456789abcdef")}
	portal := &portalfn.Anomalies{Anomalies: anomalies, Corrections: corrections, Pages: pages, Now: w.Now}
	portal.Portal(rt.API(web.API{Prefix: "/portal/v1", Audiences: []string{"m"}}))
	staff := &operatorfn.Corrections{Corrections: corrections, Pages: pages}
	staff.Operator(rt.API(web.API{Prefix: "/operator/v1", Audiences: []string{"m"}}))
	b.router = rt
	return b
}

// call answers the status and the body of a request.
func (b *bench) call(as, method, path, body string) (int, map[string]any) {
	b.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Authorization", "Bearer "+as)
	w := httptest.NewRecorder()
	b.router.ServeHTTP(w, r)
	var out map[string]any
	require.NoError(b.t, json.Unmarshal(w.Body.Bytes(), &out), "%s", w.Body.String())
	return w.Code, out
}

const publisher = "/portal/v1/publishers/contoso"

// refuses requires a refusal with its code and target.
func (b *bench) refuses(as, method, path, body string, status int, code, target string) {
	b.t.Helper()
	got, out := b.call(as, method, path, body)
	e, _ := out["error"].(map[string]any)
	at, _ := e["target"].(string)
	require.Equal(b.t, []any{status, code, target}, []any{got, e["code"], at}, "%s %s %s: %v", method, path, body, out)
}

func (b *bench) value(as, path string) []map[string]any {
	b.t.Helper()
	status, out := b.call(as, "GET", path, "")
	require.Equal(b.t, http.StatusOK, status, "%v", out)
	var rows []map[string]any
	for _, row := range out["value"].([]any) {
		rows = append(rows, row.(map[string]any))
	}
	return rows
}

// use accepts usage and counts it, as the metering API and its queue do.
func (b *bench) use(quantity string, at time.Time) string {
	b.t.Helper()
	u := metering.Usage{
		EventID: uuid.NewSHA1(uuid.Nil, []byte(at.String())).String(), ResourceID: "s1", PublisherID: "contoso", OfferID: "cns", CustomerID: "adatum",
		Dimension: "email", PlanID: "basic", Quantity: quantity, EffectiveStart: at.Format(time.RFC3339), Effective: at, AcceptedAt: at,
	}
	out := b.Usage.Add(b.t.Context(), []metering.Usage{u})[0]
	require.NoError(b.t, out.Err)
	require.True(b.t, out.Added)
	require.NoError(b.t, b.Usage.Flush(b.t.Context()))
	require.NoError(b.t, b.events.Count(b.t.Context(), []metering.Usage{u}))
	return u.EventID
}

// train lets the timer come, twice, and the queue be worked off.
func (b *bench) train() {
	b.t.Helper()
	for _, late := range []bool{false, true} {
		require.NoError(b.t, b.training.Run(b.t.Context(), functionshosttest.Timer(b.t, "anomalytraining", "timer", late)))
	}
	b.work()
}

// work delivers what the queue holds, each message twice.
func (b *bench) work() {
	b.t.Helper()
	for range 100 {
		batch := b.Outbox.Take(message.UsageReviews)
		if len(batch) == 0 {
			return
		}
		for _, m := range append(batch, batch...) {
			require.NoError(b.t, b.reviews.Run(b.t.Context(), functionshosttest.Queue(b.t, "usagereviews", "message", json.RawMessage(m.Body), 1)))
		}
	}
	b.t.Fatal("messages keep coming")
}

func (b *bench) mails() map[string]int {
	kinds := map[string]int{}
	for _, m := range b.Outbox.Messages(message.Notifications) {
		var mail struct{ Kind string }
		require.NoError(b.t, json.Unmarshal(m.Body, &mail))
		kinds[mail.Kind]++
	}
	return kinds
}

var (
	january = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	monday  = time.Date(2026, 3, 9, 2, 0, 0, 0, time.UTC)
)

// sixtyDays is the usage of walk 9: 60 days of 100 +/- 5, then one of 1000, at 1 USD.
func sixtyDays(t *testing.T) (*bench, string) {
	t.Helper()
	b := newBench(t, january)
	b.Subscribe("s1", "0.00", "USD")
	b.Price("1")
	last := ""
	for i := range 61 {
		quantity := fmt.Sprint(95 + (i*7)%11)
		if i == 60 {
			quantity = "1000"
		}
		at := january.AddDate(0, 0, i).Add(9*time.Hour + 30*time.Minute)
		b.Set(at)
		last = b.use(quantity, at)
	}
	require.Empty(t, b.Pump(t, nil))
	b.Set(monday)
	require.Empty(t, b.Pump(t, nil))
	b.train()
	return b, last
}

// Walk 9 of the chapter on metering.
func TestWalk9(t *testing.T) {
	t.Parallel()
	b, event := sixtyDays(t)
	rows := b.value("reader", publisher+"/anomalies") // MTR-75: it is over 100 USD
	require.Len(t, rows, 1)
	a := rows[0]
	id := a["id"].(string)
	require.Equal(t, []any{"Contoso notifications", "email", "adatum", "2026-03-06", 1000.0, 1000.0, "Unacknowledged", "2026-04-08T02:00:00Z", nil},
		[]any{a["offerName"], a["meterId"], a["customerId"], a["usageDate"], a["reportedUsage"], a["estimatedExtendedChargePC"], a["state"], a["actionExpiryDate"], a["newReportedUsage"]})
	require.InDelta(t, 900, a["estimatedFinancialImpactUsd"], 10)
	require.InDelta(t, 900, a["deviation"], 50)
	require.Equal(t, 1, b.mails()["usage.anomaly"])
	n, err := b.reviews.Anomalies.Alerts(t.Context(), "contoso", "cns") // MTR-74
	require.NoError(t, err)
	require.Equal(t, 1, n)

	b.refuses("developer", "POST", publisher+"/anomalies/"+id+"/mark", `{"newReportedUsage":1200}`, 422, correction.CodeUnderReported, "newReportedUsage")
	status, a := b.call("developer", "POST", publisher+"/anomalies/"+id+"/mark", `{"newReportedUsage":110}`)
	require.Equal(t, http.StatusOK, status, "%v", a)
	require.Equal(t, []any{"MarkedAsAnomaly", 1000.0, 110.0, "developer@contoso.example"}, []any{a["state"], a["reportedUsage"], a["newReportedUsage"], a["actionTakenBy"]})
	b.refuses("developer", "POST", publisher+"/anomalies/"+id+"/dismiss", `{"reason":"a campaign"}`, 409, anomaly.CodeFinal, "state") // MTR-77
	b.refuses("developer", "POST", publisher+"/anomalies/"+id+"/mark", `{"newReportedUsage":1200}`, 422, correction.CodeUnderReported, "newReportedUsage")
	log := b.value("reader", publisher+"/anomalies/actions")
	require.Len(t, log, 1)
	require.Equal(t, []any{"Marked as Anomaly", 110.0, id}, []any{log[0]["decision"], log[0]["newReportedUsage"], log[0]["anomalyId"]})

	mine := b.value("reader", publisher+"/usage-corrections") // MTR-82
	require.Len(t, mine, 1)
	require.Equal(t, []any{"Submitted", id, 110.0}, []any{mine[0]["state"], mine[0]["anomalyId"], mine[0]["newReportedUsage"]})
	b.refuses("developer", "POST", publisher+"/usage-corrections", `{"usageEventId":"`+event+`","newReportedUsage":5,"reason":"too"}`,
		409, correction.CodeCorrected, "newReportedUsage")
	b.work()
	cases := b.value("staff", "/operator/v1/usage-corrections")
	require.Len(t, cases, 1)
	one := "/operator/v1/usage-corrections/contoso/" + cases[0]["id"].(string)
	require.Equal(t, "UnderInvestigation", cases[0]["state"])
	b.refuses("staff", "POST", one+"/decline", "", 400, correction.CodeMissing, "note")
	b.refuses("developer", "POST", one+"/approve", "", 403, "Forbidden", "authorization")
	status, c := b.call("staff", "POST", one+"/approve", "")
	require.Equal(t, []any{http.StatusOK, "Approved"}, []any{status, c["state"]})
	b.refuses("staff", "POST", one+"/decline", `{"note":"no"}`, 409, correction.CodeState, "state")
	b.work()
	_, c = b.call("staff", "GET", one, "")
	require.Equal(t, "Approved", c["state"], "March is not charged yet")

	b.Set(time.Date(2026, 4, 2, 3, 0, 0, 0, time.UTC))
	require.Empty(t, b.Pump(t, nil))
	paid := b.Balances(t, "USD", "platform:cash")["platform:cash"]
	b.work()
	_, c = b.call("staff", "GET", one, "")
	require.Equal(t, "Credited", c["state"])
	part := c["parts"].([]any)[0].(map[string]any)
	require.Equal(t, []any{890.0, 1.0, map[string]any{"amount": 89_000.0, "currency": "USD"}, true}, []any{part["reducedBy"], part["unitPrice"], part["credit"], part["posted"]})
	require.Empty(t, b.Pump(t, nil))
	require.Equal(t, int64(89_000), paid-b.Balances(t, "USD", "platform:cash")["platform:cash"])
	require.Empty(t, b.value("staff", "/operator/v1/usage-corrections"))
	require.Equal(t, map[string]int{"usage.anomaly": 1, "correction.investigate": 1, "correction.approved": 1}, b.mails())
	trend := b.value("reader", publisher+"/usage?from=2026-03-06&to=2026-03-06")
	require.Equal(t, 1000.0, trend[0]["totalUsage"], "MTR-71 what was reported stays")
}

// Walk 9, the last sentence: on day 31 after the flag an untouched anomaly is refused.
func TestWalk9Untouched(t *testing.T) {
	t.Parallel()
	for _, timer := range []bool{false, true} {
		b, _ := sixtyDays(t)
		id := b.value("reader", publisher+"/anomalies")[0]["id"].(string)
		b.Set(monday.AddDate(0, 0, 31))
		if timer {
			require.NoError(t, b.expiry.Run(t.Context(), functionshosttest.Timer(t, "anomalyexpiry", "timer", false)))
			b.work()
		}
		for act, body := range map[string]string{"mark": `{"newReportedUsage":110}`, "dismiss": `{"reason":"a campaign"}`} {
			b.refuses("developer", "POST", publisher+"/anomalies/"+id+"/"+act, body, 409, anomaly.CodeWindowClosed, "actionExpiryDate")
		}
		rows := b.value("reader", publisher+"/anomalies?period=60&state=expired")
		require.Len(t, rows, 1, "it stays visible")
		require.Equal(t, "Expired", rows[0]["state"])
	}
}

// A publisher's own discovery (MTR-82).
func TestCorrectAnEvent(t *testing.T) {
	t.Parallel()
	b, event := sixtyDays(t)
	body := `{"usageEventId":"` + event + `","newReportedUsage":"110.5","reason":"sent twice"}`
	status, c := b.call("developer", "POST", publisher+"/usage-corrections", body)
	require.Equal(t, http.StatusAccepted, status, "%v", c)
	require.Equal(t, []any{"Submitted", event, 1000.0, 110.5, "2026-03-06", "Commercial Marketplace > Metered Billing > Wrong usage sent for SaaS offer"},
		[]any{c["state"], c["usageEventId"], c["reportedUsage"], c["newReportedUsage"], c["usageDate"], c["caseType"]})
	b.refuses("developer", "POST", publisher+"/usage-corrections", body, 409, correction.CodeCorrected, "newReportedUsage")
	id := b.value("reader", publisher+"/anomalies")[0]["id"].(string)
	b.refuses("developer", "POST", publisher+"/anomalies/"+id+"/mark", `{"newReportedUsage":5}`, 409, correction.CodeCorrected, "newReportedUsage")
	status, a := b.call("developer", "POST", publisher+"/anomalies/"+id+"/mark", "")
	require.Equal(t, []any{http.StatusOK, "MarkedAsAnomaly"}, []any{status, a["state"]}, "without a lower usage")
}

func TestUsageOverTime(t *testing.T) {
	t.Parallel()
	b, _ := sixtyDays(t)
	rows := b.value("reader", publisher+"/usage") // MTR-74: the last 30 days, of which March 7 to 9 have none
	require.Len(t, rows, 1)
	require.Equal(t, []any{"cns", "email", 27.0, 27}, []any{rows[0]["offerId"], rows[0]["meterId"], rows[0]["eventCount"], len(rows[0]["days"].([]any))})
	require.Equal(t, map[string]any{"usageDate": "2026-03-06", "usage": 1000.0, "eventCount": 1.0}, rows[0]["days"].([]any)[26])
	rows = b.value("reader", publisher+"/usage?group=plan&from=2026-01-05&to=2026-01-05&offer=cns&meter=email")
	require.Equal(t, []any{"basic", 95.0}, []any{rows[0]["planId"], rows[0]["totalUsage"]})
	rows = b.value("reader", publisher+"/usage?group=customer&from=2026-01-05&to=2026-01-06")
	require.Equal(t, []any{"adatum", 197.0}, []any{rows[0]["customerId"], rows[0]["totalUsage"]})
	require.Empty(t, b.value("reader", publisher+"/usage?offer=other"))
	require.Empty(t, b.value("reader", publisher+"/usage?meter=text"))
}

// Bad input is refused with what is wrong, and changes nothing.
func TestBadInput(t *testing.T) {
	t.Parallel()
	b, event := sixtyDays(t)
	before := b.value("reader", publisher+"/anomalies")
	one := publisher + "/anomalies/" + before[0]["id"].(string)
	const unknown = publisher + "/anomalies/20260306-000000000000000000000000"
	long := strings.Repeat("x", 101)
	for _, c := range []struct {
		method, path, body string
		status             int
		code, target       string
	}{
		{"GET", publisher + "/anomalies?period=31", "", 400, "InvalidValue", "period"},
		{"GET", publisher + "/anomalies?period=x", "", 400, "InvalidValue", "period"},
		{"GET", publisher + "/anomalies?impact=some", "", 400, "InvalidValue", "impact"},
		{"GET", publisher + "/anomalies?state=open", "", 400, "InvalidValue", "state"},
		{"GET", publisher + "/anomalies?offer=" + long, "", 400, "InvalidValue", "offer"},
		{"GET", publisher + "/anomalies?meter=" + long, "", 400, "InvalidValue", "meter"},
		{"GET", publisher + "/anomalies?top=0", "", 400, "InvalidValue", "top"},
		{"GET", publisher + "/anomalies?top=201", "", 400, "InvalidValue", "top"},
		{"GET", publisher + "/anomalies?top=x&state=open", "", 400, "BadRequest", ""},
		{"GET", publisher + "/anomalies?continuation=x", "", 400, "InvalidContinuation", "continuation"},
		{"GET", publisher + "/anomalies/actions?top=0", "", 400, "InvalidValue", "top"},
		{"GET", publisher + "/anomalies/actions?continuation=x", "", 400, "InvalidContinuation", "continuation"},
		{"GET", publisher + "/usage-corrections?top=x", "", 400, "InvalidValue", "top"},
		{"GET", publisher + "/usage-corrections?continuation=x", "", 400, "InvalidContinuation", "continuation"},
		{"GET", publisher + "/usage?group=offer", "", 400, "InvalidValue", "group"},
		{"GET", publisher + "/usage?from=yesterday", "", 400, "InvalidValue", "from"},
		{"GET", publisher + "/usage?to=2026-13-01", "", 400, "InvalidValue", "to"},
		{"GET", publisher + "/usage?from=2026-03-02&to=2026-03-01", "", 400, "InvalidValue", "to"},
		{"GET", publisher + "/usage?from=2025-01-01&to=2026-03-01", "", 400, "InvalidValue", "to"},
		{"GET", publisher + "/usage?offer=" + long, "", 400, "InvalidValue", "offer"},
		{"GET", publisher + "/usage?meter=" + long, "", 400, "InvalidValue", "meter"},
		{"POST", one + "/mark", `{`, 400, "MalformedJson", ""},
		{"POST", one + "/mark", `[]`, 400, "InvalidType", ""},
		{"POST", one + "/mark", `{"newReportedUsage":true}`, 400, "InvalidValue", "newReportedUsage"},
		{"POST", one + "/mark", `{"newReportedUsage":"ten"}`, 400, "InvalidValue", "newReportedUsage"},
		{"POST", one + "/mark", `{"newReportedUsage":1e99999}`, 400, "InvalidValue", "newReportedUsage"},
		{"POST", one + "/mark", `{"newReportedUsage":-1}`, 422, correction.CodeUnderReported, "newReportedUsage"},
		{"POST", one + "/mark", `{"newReportedUsage":1000}`, 422, correction.CodeUnderReported, "newReportedUsage"},
		{"POST", unknown + "/mark", ``, 404, "NotFound", "anomalyId"},
		{"POST", publisher + "/anomalies/x/mark", ``, 404, "NotFound", "anomalyId"},
		{"POST", one + "/dismiss", ``, 400, "MissingBody", ""},
		{"POST", one + "/dismiss", `{}`, 400, "MissingValue", "reason"},
		{"POST", one + "/dismiss", `{"reason":" "}`, 400, "MissingValue", "reason"},
		{"POST", one + "/dismiss", `{"reason":7}`, 400, "InvalidType", "reason"},
		{"POST", one + "/dismiss", `{"reason":"` + strings.Repeat("x", 1001) + `"}`, 400, "InvalidValue", "reason"},
		{"POST", unknown + "/dismiss", `{"reason":"x"}`, 404, "NotFound", "anomalyId"},
		{"POST", publisher + "/usage-corrections", ``, 400, "MissingBody", ""},
		{"POST", publisher + "/usage-corrections", `{"newReportedUsage":1,"reason":"x"}`, 400, "MissingValue", "usageEventId"},
		{"POST", publisher + "/usage-corrections", `{"usageEventId":"x","newReportedUsage":1,"reason":"x"}`, 400, "InvalidValue", "usageEventId"},
		{"POST", publisher + "/usage-corrections", `{"usageEventId":"` + event + `","reason":"x"}`, 400, "MissingValue", "newReportedUsage"},
		{"POST", publisher + "/usage-corrections", `{"usageEventId":"` + event + `","newReportedUsage":null,"reason":"x"}`, 400, "MissingValue", "newReportedUsage"},
		{"POST", publisher + "/usage-corrections", `{"usageEventId":"` + event + `","newReportedUsage":1}`, 400, "MissingValue", "reason"},
		{"POST", publisher + "/usage-corrections", `{}`, 400, "BadRequest", ""},
		{"POST", publisher + "/usage-corrections", `{"usageEventId":"` + event + `","newReportedUsage":1001,"reason":"x"}`, 422, correction.CodeUnderReported, "newReportedUsage"},
		{"POST", publisher + "/usage-corrections", `{"usageEventId":"00000000-0000-4000-8000-000000000000","newReportedUsage":1,"reason":"x"}`, 404, "NotFound", "usageEventId"},
	} {
		b.refuses("developer", c.method, c.path, c.body, c.status, c.code, c.target)
	}
	for _, c := range []struct{ as, method, path string }{
		{"reader", "POST", one + "/mark"}, {"reader", "POST", one + "/dismiss"}, {"reader", "POST", publisher + "/usage-corrections"},
		{"stranger", "GET", publisher + "/anomalies"}, {"stranger", "GET", publisher + "/anomalies/actions"}, {"stranger", "GET", publisher + "/usage"},
		{"stranger", "GET", publisher + "/usage-corrections"}, {"developer", "GET", "/portal/v1/publishers/fabrikam/anomalies"},
	} {
		b.refuses(c.as, c.method, c.path, "", 403, "Forbidden", "")
	}
	require.Equal(t, before, b.value("reader", publisher+"/anomalies"))
	require.Empty(t, b.value("reader", publisher+"/usage-corrections"))
	require.Empty(t, b.value("reader", publisher+"/anomalies/actions"))
}

// Pages of the lists go on where they ended.
func TestListPages(t *testing.T) {
	t.Parallel()
	b, _ := sixtyDays(t)
	for i := range 5 {
		at := time.Date(2026, 3, 8, i, 0, 0, 0, time.UTC)
		event := b.use("10", at)
		status, out := b.call("developer", "POST", publisher+"/usage-corrections", `{"usageEventId":"`+event+`","newReportedUsage":1,"reason":"x"}`)
		require.Equal(t, http.StatusAccepted, status, "%v", out)
	}
	b.work()
	for path, as := range map[string]string{publisher + "/usage-corrections": "reader", "/operator/v1/usage-corrections": "staff"} {
		seen, next := map[string]bool{}, ""
		for range 10 {
			status, out := b.call(as, "GET", path+"?top=2&continuation="+next, "")
			require.Equal(t, http.StatusOK, status, "%v", out)
			for _, row := range out["value"].([]any) {
				seen[row.(map[string]any)["id"].(string)] = true
			}
			if next, _ = out["continuation"].(string); next == "" {
				break
			}
		}
		require.Len(t, seen, 5, path)
	}
	for _, path := range []string{"/operator/v1/usage-corrections?top=0", "/operator/v1/usage-corrections?top=x"} {
		b.refuses("staff", "GET", path, "", 400, "InvalidValue", "top")
	}
	b.refuses("staff", "GET", "/operator/v1/usage-corrections?continuation=x", "", 400, "InvalidContinuation", "continuation")
	b.refuses("staff", "GET", "/operator/v1/usage-corrections/contoso/x", "", 404, "NotFound", "correctionId")
	b.refuses("staff", "POST", "/operator/v1/usage-corrections/contoso/x/approve", "", 404, "NotFound", "correctionId")
	b.refuses("staff", "POST", "/operator/v1/usage-corrections/contoso/x/decline", `{"note":"x"}`, 404, "NotFound", "correctionId")
	b.refuses("staff", "POST", "/operator/v1/usage-corrections/contoso/x/approve", `{"note":"`+strings.Repeat("x", 1001)+`"}`, 400, "InvalidValue", "note")
	b.refuses("developer", "GET", "/operator/v1/usage-corrections", "", 403, "Forbidden", "authorization")
}

// MTR-72: the training comes every Monday at 02:00 UTC; anomalies expire daily.
func TestSchedules(t *testing.T) {
	t.Parallel()
	parse := func(function string) cron.Schedule {
		data, err := os.ReadFile("../" + function + "/function.json")
		require.NoError(t, err)
		var file struct{ Bindings []struct{ Schedule string } }
		require.NoError(t, json.Unmarshal(data, &file))
		s, err := cron.NewParser(cron.Second | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow).Parse(file.Bindings[0].Schedule)
		require.NoError(t, err)
		return s
	}
	at := monday.AddDate(0, 0, -7)
	for range 3 {
		at = parse("anomalytraining").Next(at)
		require.Equal(t, []any{time.Monday, 2}, []any{at.Weekday(), at.Hour()})
		require.Equal(t, at.Format(time.DateOnly), anomaly.Monday(at))
	}
	require.Equal(t, 24*time.Hour, parse("anomalyexpiry").Next(at.Add(24*time.Hour)).Sub(parse("anomalyexpiry").Next(at)))
}

// What is no timer begins nothing; what is no work is parked.
func TestPoison(t *testing.T) {
	t.Parallel()
	b := newBench(t, monday)
	require.Error(t, b.training.Run(t.Context(), functionshosttest.Queue(t, "anomalytraining", "message", "{", 1)))
	require.Error(t, b.expiry.Run(t.Context(), functionshosttest.Queue(t, "anomalyexpiry", "message", "{", 1)))
	require.Empty(t, b.Outbox.Messages(message.UsageReviews))
	for _, text := range []string{"{", `{"kind":"other"}`, `{"kind":"train","run":"2026-01-05"}`, `{"kind":"credit","publisherId":"contoso","correctionId":"x"}`} {
		b := newBench(t, monday)
		require.NoError(t, b.reviews.Run(t.Context(), functionshosttest.Queue(t, "usagereviews", "message", text, 1)))
		letters, _, err := b.DB.DeadLetters().List(t.Context(), store.DeadLetterPage{Queue: message.UsageReviews, Limit: 10})
		require.NoError(t, err)
		require.Len(t, letters, 1, text)
	}
}
