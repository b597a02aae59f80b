package stack_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/infra/local/trade"
)

const (
	racers  = 50
	noOne   = "21111111-0000-4000-8000-000000000001"
	inside  = "aaaaaaaa-0000-4000-8000-000000000001" // an instance of the managed application
	another = "aaaaaaaa-0000-4000-8000-000000000002"
)

// The acceptance walks of chapter 07, in one marketplace, in the order of its clock.
func TestMeteringWalks(t *testing.T) {
	t.Parallel()
	n := newNotifier(t)
	n.application(t, inside, another)
	sold := map[string]string{}
	for name, plan := range map[string]string{
		"billed": "basic", "repeated": "basic", "batched": "basic", "raced": "basic", "late": "basic", "cancelled": "basic", "suspended": "basic",
		"infinite": "enterprise", "foreign": "basic", "watched": "basic",
	} {
		sold[name] = n.sell(t, name, plan)
	}
	n.pass(t, n.day.Add(10*time.Hour+21*time.Minute)) // after the reconciliation of this hour
	t.Run("walk 1, accepted", func(t *testing.T) { n.accept(t, event{sold["billed"], "email", "2.5", n.at("10:05:00"), "basic"}) })
	first := n.accept(t, event{sold["repeated"], "email", "2.5", n.at("10:05:00"), "basic"})
	t.Run("walk 3", func(t *testing.T) { n.batches(t, sold["batched"]) })
	t.Run("same batch at once", func(t *testing.T) { n.race(t, sold["raced"]) })
	t.Run("walk 4", func(t *testing.T) { n.window(t, sold["late"]) })
	t.Run("walk 6, accepted", func(t *testing.T) { n.infinite(t, sold["infinite"]) })
	t.Run("walk 7", func(t *testing.T) { n.identities(t, sold["foreign"]) })
	t.Run("walk 8", func(t *testing.T) { n.locks(t) })
	n.pass(t, n.day.Add(11*time.Hour+10*time.Minute))
	t.Run("walk 2", func(t *testing.T) { n.repeat(t, sold["repeated"], first) })
	t.Run("walk 10", func(t *testing.T) { n.readBack(t, sold["repeated"]) })
	n.pass(t, n.day.Add(15*time.Hour))
	t.Run("walk 5", func(t *testing.T) { n.cancellation(t, sold["cancelled"], sold["suspended"]) })
	t.Run("walk 9", func(t *testing.T) { n.watch(t, sold["watched"]) })
	t.Run("walks 1, 6 and 7, charged", func(t *testing.T) { // the month of the walks is closed by now
		n.charged(t, sold["billed"], "email", 250) // MTR-63, MTR-64: nothing is subtracted for the 10,000 included
		n.charged(t, sold["infinite"], "text", 50)
		n.charged(t, inside, "email", 100)
		require.Equal(t, []string{`email: Accepted of "Gold", AzureApplication "Contoso Notifications", 1 events of 1.0, processed 1.0`}, n.read(t, inside))
	})
}

// repeat sends an hour again, with another quantity and minute.
func (n *notifier) repeat(t *testing.T, id string, first outcomeOfEvent) {
	status, got := n.single(t, "", event{id, "email", "7", n.at("10:59:59"), "basic"})
	require.Equal(t, http.StatusConflict, status)
	require.Equal(t, "Conflict", got.Code)
	accepted := got.AdditionalInfo.AcceptedMessage
	require.NotNil(t, accepted)
	require.Equal(t, outcomeOfEvent{UsageEventID: first.UsageEventID, Status: "Duplicate", Quantity: "2.5", EffectiveStartTime: n.at("10:05:00")}, *accepted) // MTR-52
	n.accept(t, event{id, "text", "1", n.at("10:05:00"), "basic"})                                                                                            // MTR-49
	n.accept(t, event{id, "email", "7", n.at("11:00:00"), "basic"})                                                                                           // MTR-50
}

// readBack reads the day before and after it is reconciled.
func (n *notifier) readBack(t *testing.T, id string) {
	becomes := func(want ...string) {
		t.Helper()
		var got []string
		require.Eventually(t, func() bool {
			got = n.read(t, id)
			return slices.Equal(want, got)
		}, 30*time.Second, 50*time.Millisecond, "%q", &got)
	}
	becomes(`email: Submitted of "", SaaS "", 2 events of 9.5, processed 0.0`, `text: Submitted of "", SaaS "", 1 events of 1.0, processed 0.0`) // MTR-86, MTR-89
	require.Eventually(t, func() bool {                                                                                                          // the ledger has it
		cycles, err := n.client.Cycles(t.Context(), id)
		require.NoError(t, err)
		return len(cycles) == 2 && cycles[0].Quantities["basic"] == "9.5" && cycles[1].Quantities["basic"] == "1"
	}, 30*time.Second, 50*time.Millisecond)
	n.pass(t, n.day.Add(11*time.Hour+20*time.Minute))
	becomes(`email: Accepted of "The basic plan", SaaS "Contoso Notifications", 2 events of 9.5, processed 9.5`, // MTR-88
		`text: Accepted of "The basic plan", SaaS "Contoso Notifications", 1 events of 1.0, processed 1.0`)
}

// batches sends good and bad events together, and too many.
func (n *notifier) batches(t *testing.T, id string) {
	got := n.batch(t, "", event{id, "email", "1", n.at("09:30:00"), "basic"}, event{id, "email", "2", n.at("09:45:00"), "basic"},
		event{noOne, "email", "1", n.at("09:30:00"), "basic"}, event{id, "fax", "1", n.at("09:30:00"), "basic"})
	var statuses []string
	for _, r := range got {
		statuses = append(statuses, r.Status)
	}
	require.Equal(t, []string{"Accepted", "Duplicate", "ResourceNotFound", "InvalidDimension"}, statuses)             // MTR-57, MTR-58
	require.Equal(t, got[0].UsageEventID, got[1].Error.AdditionalInfo.AcceptedMessage.UsageEventID)                   // MTR-59
	many := slices.Repeat([]event{{id, "text", "1", n.at("09:30:00"), "basic"}}, 26)                                  // MTR-56
	require.Equal(t, http.StatusBadRequest, n.post(t, "/api/batchUsageEvent", "", object{"request": many}).Status)    //
	require.Equal(t, "Accepted", n.batch(t, "", many[0])[0].Status, "nothing of the batch that was too long is kept") //
}

// race sends the same batch many times at once: each event is accepted once, and all others name it (MTR-53).
func (n *notifier) race(t *testing.T, id string) {
	var events []event
	for i := range 25 {
		at := n.day.Add(10*time.Hour - time.Duration(i/2)*time.Hour)
		events = append(events, event{id, []string{"email", "text"}[i%2], "1", at.Format("2006-01-02T15:04:05"), "basic"})
	}
	answers := make([][]outcomeOfEvent, racers)
	var group sync.WaitGroup
	for i := range answers {
		group.Go(func() { answers[i] = n.batch(t, "", events...) })
	}
	group.Wait()
	for i, e := range events {
		accepted, named := []string{}, map[string]bool{}
		for _, a := range answers {
			if a[i].Status == "Accepted" {
				accepted = append(accepted, a[i].UsageEventID)
				continue
			}
			require.Equal(t, "Duplicate", a[i].Status, "%+v", e)
			named[a[i].Error.AdditionalInfo.AcceptedMessage.UsageEventID] = true
		}
		require.Len(t, accepted, 1, "%+v", e)
		require.Equal(t, map[string]bool{accepted[0]: true}, named, "%+v", e)
	}
}

// window sends events from the borders of the 24 hours, as near as a running clock allows.
func (n *notifier) window(t *testing.T, id string) {
	now := n.Clock.Now()
	for _, c := range []struct {
		at     time.Time
		zone   *time.Location
		layout string
		status int
	}{
		{now.Add(-24*time.Hour + time.Minute), time.UTC, "2006-01-02T15:04:05", 200}, // MTR-38
		{now.Add(-24*time.Hour - time.Second), time.UTC, "2006-01-02T15:04:05", 400},
		{now.Add(time.Hour), time.UTC, "2006-01-02T15:04:05", 400},                                  // MTR-39
		{now.Add(-30 * time.Minute), time.FixedZone("", 2*60*60), "2006-01-02T15:04:05Z07:00", 200}, // MTR-40
	} {
		text := c.at.In(c.zone).Format(c.layout)
		status, got := n.single(t, "", event{id, "email", "1", text, "basic"})
		require.Equal(t, c.status, status, "%s at %s: %+v", text, now, got)
		if status == http.StatusOK {
			require.Equal(t, text, got.EffectiveStartTime)
		} else {
			require.Equal(t, "effectiveStartTime", got.target())
		}
	}
}

// cancellation cancels one subscription and suspends another at 15:00, and reports for both at 17:00.
func (n *notifier) cancellation(t *testing.T, cancelled, suspended string) {
	require.NoError(t, n.client.Unsubscribe(t.Context(), cancelled))
	_, err := n.client.Do(t.Context(), trade.Request{As: trade.Operator, Method: http.MethodPost, Path: "/operator/v1/subscriptions/" + suspended + "/suspend"}, http.StatusOK, http.StatusAccepted)
	require.NoError(t, err)
	for id, want := range map[string]string{cancelled: "Unsubscribed", suspended: "Suspended"} {
		require.Eventually(t, func() bool {
			sub, err := n.client.Subscription(t.Context(), id)
			require.NoError(t, err)
			return sub.Status == want
		}, time.Minute, 50*time.Millisecond, "%s", want)
	}
	n.pass(t, n.day.Add(17*time.Hour))
	for _, c := range []struct{ id, at, want string }{
		{cancelled, "14:30:00", "Accepted"}, {cancelled, "15:30:00", "ResourceNotActive"}, // MTR-42
		{suspended, "14:30:00", "ResourceNotActive"}, // MTR-41
	} {
		require.Equal(t, c.want, n.batch(t, "", event{c.id, "email", "1", n.at(c.at), "basic"})[0].Status, "%s", c.at)
	}
}

// infinite reports on a plan that includes e-mails without end (MTR-46).
func (n *notifier) infinite(t *testing.T, id string) {
	got := n.batch(t, "", event{id, "email", "1", n.at("10:05:00"), "enterprise"}, event{id, "text", "100", n.at("10:05:00"), "enterprise"})
	require.Equal(t, []string{"InvalidDimension", "Accepted"}, []string{got[0].Status, got[1].Status})
}

// identities reports as others than the application of the offer.
func (n *notifier) identities(t *testing.T, id string) {
	contoso, _ := n.Fixtures.Publisher(trade.PublisherID)
	appB := n.token(t, contoso.TenantID, url.Values{"grant_type": {"client_credentials"}, "client_id": {contoso.Apps[1].AppID}, "client_secret": {contoso.Apps[1].Secret}})
	e := event{id, "email", "1", n.at("10:05:00"), "basic"}
	status, got := n.single(t, appB, e) // MTR-28
	require.Equal(t, []any{http.StatusForbidden, "Forbidden", "Client is not authorized for this usage resource."}, []any{status, got.Code, got.Message})
	require.Equal(t, "ResourceNotAuthorized", n.batch(t, appB, e)[0].Status) // MTR-61
	status, _ = n.single(t, "none", e)                                       // MTR-24
	require.Equal(t, http.StatusForbidden, status)

	machine := n.insider(t, inside)
	used := func(instance, dimension string) event {
		return event{instance, dimension, "1", n.Clock.Now().Format("2006-01-02T15:04:05"), "gold"}
	}
	status, got = n.single(t, machine, used(inside, "email")) // MTR-30
	require.Equal(t, []any{http.StatusOK, applicationURI(inside)}, []any{status, got.ResourceURI}, "%+v", got)
	status, _ = n.single(t, machine, used(another, "email"))
	require.Equal(t, http.StatusForbidden, status)
	require.Equal(t, http.StatusForbidden, n.post(t, "/api/batchUsageEvent", machine, object{"request": []event{used(inside, "text")}}).Status) // MTR-31
}

// locks changes what is live, and adds to it.
func (n *notifier) locks(t *testing.T) {
	shop := &shelf{t, n.client, n.shop.path}
	try := func(status int, code, method, path string, body object) {
		t.Helper()
		var got struct{ Error struct{ Code string } }
		require.NoError(t, shop.do(method, shop.path+path, body, status).Decode(&got))
		require.Equal(t, code, got.Error.Code, "%s %s", method, path)
	}
	push := object{"dimensionId": "push", "displayName": "Pushes", "unitOfMeasure": "per push"}
	try(409, "DimensionLocked", "PUT", "/dimensions/email", object{"displayName": "Letters", "unitOfMeasure": "per 100 emails"})    // MTR-11
	try(409, "PublishedPriceLocked", "PUT", "/plans/basic/meters/email", object{"pricePerUnitUsd": "2", "monthlyIncluded": 10_000}) // MTR-12
	try(201, "", "POST", "/dimensions", push)
	gold := flatRate("gold", "900", object{"pricePerUnitUsd": "0.1"}, object{"pricePerUnitUsd": "0.001"})
	gold["meters"] = append(gold["meters"].([]object), object{"dimensionId": "push", "enabled": true, "pricePerUnitUsd": "0.3"})
	try(201, "", "POST", "/plans", gold)
	try(409, "PublishedPriceLocked", "PUT", "/plans/basic/meters/push", object{"pricePerUnitUsd": "1"}) // MTR-13
	var got struct {
		Value []struct {
			DimensionID string
			Plans       []struct {
				PlanID  string
				Enabled bool
			}
		}
	}
	require.NoError(t, shop.do("GET", shop.path+"/dimensions", nil, http.StatusOK).Decode(&got))
	require.Equal(t, "push", got.Value[2].DimensionID)
	for _, p := range got.Value[2].Plans {
		require.Equal(t, p.PlanID == "gold", p.Enabled, "push on %s", p.PlanID)
	}
	for i := range 27 { // MTR-9
		try(201, "", "POST", "/dimensions", object{"dimensionId": fmt.Sprint("d", i), "displayName": fmt.Sprint("D", i), "unitOfMeasure": "each"})
	}
	try(400, "DimensionLimitExceeded", "POST", "/dimensions", object{"dimensionId": "d31", "displayName": "D31", "unitOfMeasure": "each"})
}

// anomalyShown is a day that does not fit, as far as the walk looks at it.
type anomalyShown struct {
	ID, MeterID, UsageDate, State, CorrectionID string
	Reported                                    json.Number `json:"reportedUsage"`
	Impact                                      json.Number `json:"estimatedFinancialImpactUsd"`
}

// watch reports 60 usual days and one that is not, and lets the weekly run judge them.
func (n *notifier) watch(t *testing.T, id string) {
	unusual := n.day.AddDate(0, 0, 62).Add(12 * time.Hour)
	for day := n.day.AddDate(0, 0, 2).Add(12 * time.Hour); !day.After(unusual); day = day.AddDate(0, 0, 1) {
		n.pass(t, day)
		quantity := json.Number(fmt.Sprint(95 + day.YearDay()*7%11))
		if day.Equal(unusual) {
			quantity = "1000"
		}
		at := day.Format("2006-01-02T15:04:05")
		for _, r := range n.batch(t, "", event{id, "email", quantity, at, "basic"}, event{id, "text", quantity, at, "basic"}) {
			require.Equal(t, "Accepted", r.Status, "%s: %+v", at, r)
		}
	}
	monday := unusual.Truncate(24*time.Hour).AddDate(0, 0, 2)
	for monday.Weekday() != time.Monday {
		monday = monday.AddDate(0, 0, 1)
	}
	// The clock of the timer is ahead of the handler's, by as much as the time is moved (MTR-72).
	n.pass(t, monday.Add(2*time.Hour-time.Minute))
	n.pass(t, monday.Add(2*time.Hour))
	var all []anomalyShown
	require.Eventually(t, func() bool { // MTR-72, MTR-73
		all = n.anomalies(t, "impact=all")
		return len(all) == 2
	}, 30*time.Second, 100*time.Millisecond, "%+v", &all)
	var overview struct{ Anomalies int }
	shop := &shelf{t, n.client, n.shop.path}
	require.NoError(t, shop.do(http.MethodGet, shop.path+"/overview", nil, http.StatusOK).Decode(&overview))
	require.Equal(t, 2, overview.Anomalies) // MTR-74
	n.decide(t, unusual.Format(time.DateOnly))
	sold := n.day.AddDate(0, 0, -1)
	var sub trade.Subscription
	require.Eventually(t, func() bool { // MTR-67: what a publisher counts by begins again on the day of the purchase
		var err error
		sub, err = n.client.Subscription(t.Context(), id)
		require.NoError(t, err)
		return sub.Term.StartDate == sold.AddDate(0, 2, 0).Format(time.DateOnly) && sub.Term.EndDate == sold.AddDate(0, 3, -1).Format(time.DateOnly)
	}, time.Minute, 100*time.Millisecond, "%+v", &sub)
	n.pass(t, n.Clock.Now().AddDate(0, 0, 31))
	var texts anomalyShown
	for _, a := range n.anomalies(t, "impact=all&period=90&meter=text") {
		texts = a
	}
	require.Equal(t, "ActionWindowClosed", n.act(t, texts.ID, "/mark", nil, http.StatusConflict)) // MTR-76
}

// decide decides on the day of e-mails.
func (n *notifier) decide(t *testing.T, date string) {
	risky := n.anomalies(t, "") // MTR-75: of texts it is too little money
	require.Len(t, risky, 1)
	impact, err := risky[0].Impact.Float64()
	require.NoError(t, err)
	require.InDelta(t, 900, impact, 10)
	got := risky[0]
	got.Impact = ""
	require.Equal(t, anomalyShown{ID: got.ID, MeterID: "email", UsageDate: date, State: "Unacknowledged", Reported: "1000"}, got)
	require.Equal(t, "UnderReportedNotEligible", n.act(t, got.ID, "/mark", object{"newReportedUsage": 1200}, http.StatusUnprocessableEntity)) // MTR-80
	n.act(t, got.ID, "/mark", object{"newReportedUsage": 110}, http.StatusOK)                                                                 // MTR-82
	require.Equal(t, "DecisionFinal", n.act(t, got.ID, "/dismiss", object{"reason": "A campaign."}, http.StatusConflict))                     // MTR-77
	marked := n.anomalies(t, "state=MarkedAsAnomaly")
	require.Len(t, marked, 1)
	require.NotEmpty(t, marked[0].CorrectionID)
	require.Equal(t, json.Number("1000"), marked[0].Reported) // MTR-71
	var log struct {
		Value []struct {
			AnomalyID, Decision string
			New                 json.Number `json:"newReportedUsage"`
		}
	}
	actions := (&shelf{t, n.client, n.shop.path}).do(http.MethodGet, watchPath+"/actions", nil, http.StatusOK)
	require.NoError(t, actions.Decode(&log))
	require.Len(t, log.Value, 1)
	require.Equal(t, []any{got.ID, "Marked as Anomaly", json.Number("110")}, []any{log.Value[0].AnomalyID, log.Value[0].Decision, log.Value[0].New})
}

const watchPath = "/portal/v1/publishers/" + trade.PublisherID + "/anomalies"

func (n *notifier) anomalies(t *testing.T, query string) []anomalyShown {
	t.Helper()
	a, err := n.client.Do(t.Context(), trade.Request{As: trade.Publisher, Method: http.MethodGet, Path: watchPath + "?" + query}, http.StatusOK)
	require.NoError(t, err)
	var got struct{ Value []anomalyShown }
	require.NoError(t, a.Decode(&got))
	return got.Value
}

// act decides on an anomaly, and returns the code of a refusal.
func (n *notifier) act(t *testing.T, id, what string, body any, want int) string {
	t.Helper()
	a, err := n.client.Do(t.Context(), trade.Request{As: trade.Publisher, Method: http.MethodPost, Path: watchPath + "/" + id + what, Body: body}, want)
	require.NoError(t, err)
	var got struct{ Error struct{ Code string } }
	require.NoError(t, a.Decode(&got))
	return got.Error.Code
}
