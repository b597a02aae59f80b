package metering_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	meteringfn "stoa/functions/metering"
	"stoa/shared/account"
	"stoa/shared/billing"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/metering"
	"stoa/shared/offer"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
	"stoa/shared/subscription"
	"stoa/shared/web"
)

// shop is the world of the acceptance walks (chapter 10): the offer cns with its three plans, an Azure application
// with one, and every service from the request to the charge line, over the twin of the store.
type shop struct {
	api
	db             *store.DB
	ledger         *store.Ledger
	billing        *billing.Service
	subscriptions  *store.Subscriptions
	applications   *metering.Applications
	reconciliation *metering.Reconciliation

	mu  sync.Mutex
	at  time.Time
	ids int
}

func (s *shop) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at
}

func (s *shop) set(text string) {
	at, err := time.Parse("2006-01-02T15:04:05", text)
	if err != nil {
		panic(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = at
}

func meter(dimension, price string, infinite bool) offer.Meter {
	return offer.Meter{DimensionID: dimension, Enabled: true, PricePerUnitUSD: decimal.RequireFromString(price), MonthlyInfinite: infinite}
}

// Live implements offer.Reader.
func (s *shop) Live(_ context.Context, publisherID, offerID string) (offer.Version, error) {
	v := offer.Version{Content: offer.Content{
		PublisherID: publisherID, OfferID: offerID, OfferType: offer.TypeSaaS, Listing: offer.Listing{Name: "Contoso Notifications"},
		Technical: offer.Technical{TenantID: "t1", AppID: "a1"}, Dimensions: []offer.Dimension{{ID: "email"}, {ID: "text"}},
		Plans: []offer.Plan{
			{ID: "Basic", Name: "The basic plan", Meters: []offer.Meter{meter("email", "1", false), meter("text", "0.02", false)}},
			{ID: "Premium", Meters: []offer.Meter{meter("email", "0.5", false), meter("text", "0.01", false)}},
			{ID: "Enterprise", Meters: []offer.Meter{meter("email", "0", true), meter("text", "0.005", false)}},
		},
	}}
	v.Plans[0].Meters[0].MonthlyIncluded = 10_000
	switch offerID {
	case "cns":
	case "app":
		v.OfferType = offer.TypeAzureApplication
	default:
		return offer.Version{}, fault.New(fault.NotFound, "NotFound", "", "no such offer")
	}
	return v, nil
}

// InPreview implements offer.Reader.
func (s *shop) InPreview(ctx context.Context, publisherID, offerID string) (offer.Version, error) {
	return s.Live(ctx, publisherID, offerID)
}

func openShop(t testing.TB, at string) *shop {
	t.Helper()
	s := &shop{}
	s.set(at)
	s.db, s.outbox = storetest.NewTwin(s.now)
	s.usage, s.ledger, s.subscriptions = store.NewUsage(s.db, message.UsageAccepted), store.NewLedger(s.db), store.NewSubscriptions(s.db)
	s.applications = metering.NewApplications(store.NewApplications(s.db), s, s.now)
	directory, err := metering.NewDirectory(metering.NewSaaS(s.subscriptions, s, s.now), s.applications)
	require.NoError(t, err)
	service, err := metering.New(metering.Deps{Resources: directory, Store: s.usage, Now: s.now, NewID: storetest.Counter("event")})
	require.NoError(t, err)
	s.billing, err = billing.New(billing.Deps{
		Ledger: s.ledger, Subscriptions: directory, Resources: directory, Usage: s.usage, Rates: s.ledger, Now: s.now,
	})
	require.NoError(t, err)
	s.reconciliation, err = metering.NewReconciliation(metering.ReconDeps{Store: s.usage, Ledger: store.Taken{Ledger: s.ledger}, Offers: s, Now: s.now})
	require.NoError(t, err)
	s.api = serve(t, meteringfn.Deps{Metering: service}, s.api)
	return s
}

// subscribe sells a plan, activated two days ago.
func (s *shop) subscribe(t testing.TB, planID string, change func(*subscription.Subscription)) string {
	t.Helper()
	s.ids++
	created := s.now().AddDate(0, 0, -2)
	sub := subscription.Subscription{
		ID:          subscription.NewID("contoso", created, fmt.Sprintf("00000000-0000-4000-8000-%012d", s.ids)),
		PublisherID: "contoso", OfferID: "cns", PlanID: planID, Status: subscription.Subscribed, TermUnit: "P1M", Market: "US", Currency: "USD",
		Purchaser: subscription.Party{TenantID: "adatum"}, CreatedAt: created, ActivatedAt: created,
	}
	if change != nil {
		change(&sub)
	}
	require.NoError(t, s.subscriptions.Create(t.Context(), sub))
	return sub.ID
}

// pump hands everything that was announced to the ledger and the sums.
func (s *shop) pump(t testing.TB) {
	t.Helper()
	s.count(t)
	for range 10 {
		msgs := s.outbox.Take(message.LedgerEvents)
		for _, m := range msgs {
			var signal billing.Signal
			require.NoError(t, json.Unmarshal(m.Body, &signal))
			require.NoError(t, s.billing.Handle(t.Context(), signal))
		}
		if len(msgs) == 0 {
			return
		}
	}
	t.Fatal("messages keep coming")
}

// charged is the charge line of a plan and dimension of a resource in a month.
func (s *shop) charged(t testing.TB, id, dimension, plan, month string) string {
	t.Helper()
	line, err := s.ledger.Line(t.Context(), "contoso", billing.LineID(fmt.Sprintf("metered:%s:%s:%s:%s", id, dimension, plan, month)))
	if fault.Is(err, fault.NotFound) {
		return "nothing"
	}
	require.NoError(t, err)
	return fmt.Sprintf("%s x %s = %d %s", line.Quantity, line.UnitPrice, line.Net, line.Currency)
}

type sent struct{ id, dimension, quantity, at, plan string }

func (e sent) body() string {
	return fmt.Sprintf(`{"resourceId":%q,"quantity":%s,"dimension":%q,"effectiveStartTime":%q,"planId":%q}`, e.id, e.quantity, e.dimension, e.at, e.plan)
}

func (s *shop) post(t testing.TB, token string, e sent) (int, string) {
	t.Helper()
	return s.call(t, "POST", single, token, e.body())
}

func TestWalkAcceptAndBill(t *testing.T) {
	t.Parallel()
	s := openShop(t, "2022-03-02T10:20:00")
	id := s.subscribe(t, "Basic", nil)
	status, body := s.post(t, "app", sent{id, "email", "2.5", "2022-03-02T10:05:00", "Basic"})
	require.Equal(t, 200, status, body)
	s.pump(t)
	s.set("2022-04-02T01:00:00")
	s.outbox.Advance(s.now())
	s.pump(t)
	require.Equal(t, "2.5 x 1 = 250 USD", s.charged(t, id, "email", "Basic", "2022-03"), "MTR-63, MTR-64: nothing is subtracted for the 10,000 included")
}

// Walks 2 and 10.
func TestWalkDuplicateAndReadBack(t *testing.T) {
	t.Parallel()
	s := openShop(t, "2022-03-02T10:20:00")
	id := s.subscribe(t, "Basic", nil)
	_, first := s.post(t, "app", sent{id, "email", "2.5", "2022-03-02T10:05:00", "Basic"})
	s.set("2022-03-02T11:10:00")
	status, body := s.post(t, "app", sent{id, "email", "7", "2022-03-02T10:59:59", "Basic"})
	require.Equal(t, 409, status)
	accepted := strings.Replace(first, `"Accepted"`, `"Duplicate"`, 1)
	require.Equal(t, `{"additionalInfo":{"acceptedMessage":`+accepted+`},"message":"This usage event already exist.","code":"Conflict"}`, body)
	for _, e := range []sent{{id, "text", "1", "2022-03-02T10:05:00", "Basic"}, {id, "email", "7", "2022-03-02T11:00:00", "Basic"}} {
		status, body = s.post(t, "app", e)
		require.Equal(t, 200, status, body)
	}
	s.count(t)
	day := func(dimension, names, status, quantity, processed string, count int) string {
		return fmt.Sprintf(`{"usageDate":"2022-03-02T00:00:00Z","usageResourceId":%q,"dimension":%q,"planId":"Basic",%s,"offerType":"SaaS","azureSubscriptionId":"",`+
			`"reconStatus":%q,"submittedQuantity":%s,"processedQuantity":%s,"submittedCount":%d}`, id, dimension, names, status, quantity, processed, count)
	}
	const noNames = `"planName":"","offerId":"cns","offerName":""`
	_, body = s.call(t, "GET", read+"&usageStartDate=2022-03-02", "app", "")
	require.Equal(t, "["+day("email", noNames, "Submitted", "9.5", "0.0", 2)+","+day("text", noNames, "Submitted", "1.0", "0.0", 1)+"]", body) // MTR-89
	s.pump(t)
	_, err := s.reconciliation.Run(t.Context())
	require.NoError(t, err)
	const names = `"planName":"The basic plan","offerId":"cns","offerName":"Contoso Notifications"`
	_, body = s.call(t, "GET", read+"&usageStartDate=2022-03-02", "app", "")
	require.Equal(t, "["+day("email", names, "Accepted", "9.5", "9.5", 2)+","+day("text", names, "Accepted", "1.0", "1.0", 1)+"]", body) // MTR-88
}

func TestWalkBatch(t *testing.T) {
	t.Parallel()
	s := openShop(t, "2022-03-02T10:20:00")
	id := s.subscribe(t, "Basic", nil)
	items := []string{
		sent{id, "email", "1", "2022-03-02T09:30:00", "Basic"}.body(), sent{id, "email", "2", "2022-03-02T09:45:00", "Basic"}.body(),
		sent{none, "email", "1", "2022-03-02T09:30:00", "Basic"}.body(), sent{id, "fax", "1", "2022-03-02T09:30:00", "Basic"}.body(),
	}
	status, body := s.call(t, "POST", batch, "app", `{"request":[`+strings.Join(items, ",")+`]}`)
	require.Equal(t, 200, status)
	var got struct {
		Count  int
		Result []struct {
			Status, UsageEventID string
			Error                struct {
				AdditionalInfo struct{ AcceptedMessage struct{ UsageEventID string } }
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(body), &got))
	require.Equal(t, 4, got.Count)
	require.Equal(t, []string{"Accepted", "Duplicate", "ResourceNotFound", "InvalidDimension"},
		[]string{got.Result[0].Status, got.Result[1].Status, got.Result[2].Status, got.Result[3].Status})
	require.Equal(t, got.Result[0].UsageEventID, got.Result[1].Error.AdditionalInfo.AcceptedMessage.UsageEventID)
	other := sent{id, "text", "1", "2022-03-02T09:30:00", "Basic"}.body()
	status, body = s.call(t, "POST", batch, "app", `{"request":[`+strings.Repeat(other+",", 25)+other+`]}`)
	require.Equal(t, 400, status)
	require.Contains(t, body, "payload count is more than 25.")
	status, _ = s.call(t, "POST", single, "app", other)
	require.Equal(t, 200, status, "nothing of the batch was stored")
}

func TestWalkWindow(t *testing.T) {
	t.Parallel()
	s := openShop(t, "2022-03-02T12:00:00")
	id := s.subscribe(t, "Basic", nil)
	for _, c := range []struct {
		at     string
		status int
	}{
		{"2022-03-01T12:00:00", 200}, {"2022-03-01T11:59:59", 400}, {"2022-03-02T13:00:00", 400}, {"2022-03-02T13:30:00+02:00", 200},
	} {
		status, body := s.post(t, "app", sent{id, "email", "1", c.at, "Basic"})
		require.Equal(t, c.status, status, c.at)
		if status == 200 {
			require.Contains(t, body, `"effectiveStartTime":"`+c.at+`"`)
		} else {
			require.Contains(t, body, `"target":"effectiveStartTime"`)
		}
	}
}

func TestWalkCancellation(t *testing.T) {
	t.Parallel()
	s := openShop(t, "2022-03-02T17:00:00")
	ended := time.Date(2022, 3, 2, 15, 0, 0, 0, time.UTC)
	gone := s.subscribe(t, "Basic", func(sub *subscription.Subscription) { sub.Status, sub.EndedAt = subscription.Unsubscribed, ended })
	paused := s.subscribe(t, "Basic", func(sub *subscription.Subscription) { sub.Status = subscription.Suspended })
	for _, c := range []struct{ id, at, want string }{
		{gone, "2022-03-02T14:30:00", "Accepted"}, {gone, "2022-03-02T15:30:00", "ResourceNotActive"}, {gone, "2022-03-02T15:00:00", "ResourceNotActive"},
		{gone, "2022-03-01T17:00:00", "Accepted"}, {gone, "2022-03-01T16:59:59", "Expired"}, {paused, "2022-03-02T14:30:00", "ResourceNotActive"},
	} {
		_, body := s.call(t, "POST", batch, "app", `{"request":[`+sent{c.id, "email", "1", c.at, "Basic"}.body()+`]}`)
		require.Contains(t, body, `"status":"`+c.want+`"`, c.at)
	}
}

func TestWalkInfinite(t *testing.T) {
	t.Parallel()
	s := openShop(t, "2022-03-02T12:00:00")
	id := s.subscribe(t, "Enterprise", nil)
	status, body := s.post(t, "app", sent{id, "email", "1", "2022-03-02T11:00:00", "Enterprise"})
	require.Equal(t, 400, status)
	require.Contains(t, body, `"target":"dimension"`)
	status, body = s.post(t, "app", sent{id, "text", "100", "2022-03-02T11:00:00", "Enterprise"})
	require.Equal(t, 200, status, body)
	s.pump(t)
	s.set("2022-04-02T01:00:00")
	s.outbox.Advance(s.now())
	s.pump(t)
	require.Equal(t, "100 x 0.005 = 50 USD", s.charged(t, id, "text", "Enterprise", "2022-03"))
}

const (
	azure   = "99999999-0000-4000-8000-000000000009"
	app1    = "aaaaaaaa-0000-4000-8000-000000000001"
	app2    = "aaaaaaaa-0000-4000-8000-000000000002"
	appPath = "/subscriptions/" + azure + "/resourceGroups/mine/providers/Microsoft.Solutions/applications/"
)

func TestWalkIdentity(t *testing.T) {
	t.Parallel()
	s := openShop(t, "2022-03-02T12:00:00")
	id := s.subscribe(t, "Basic", nil)
	for n, app := range []string{app1, app2} {
		_, _, err := s.applications.Register(t.Context(), metering.Registration{
			ID: app, URI: fmt.Sprint(appPath, n+1), GroupID: fmt.Sprint("/subscriptions/", azure, "/resourceGroups/mrg", n+1), PublisherID: "contoso",
			OfferID: "app", PlanID: "Basic", CustomerID: azure, Market: "US", Currency: "USD", CreatedAt: s.now().AddDate(0, 0, -2),
		})
		require.NoError(t, err)
	}
	event := sent{id, "email", "1", "2022-03-02T11:00:00", "Basic"}
	status, body := s.post(t, "foreign", event)
	require.Equal(t, 403, status)
	require.Equal(t, `{"message":"Client is not authorized for this usage resource.","code":"Forbidden"}`, body)
	_, body = s.call(t, "POST", batch, "foreign", `{"request":[`+event.body()+`]}`)
	require.Contains(t, body, `"status":"ResourceNotAuthorized"`)
	status, _ = s.post(t, "", event)
	require.Equal(t, 403, status)

	rt, err := web.New(web.Deps{Verifier: tokens{"inside": {
		Kind: account.ManagedIdentity, TenantID: azure, AppID: "m",
		ResourceID: "/subscriptions/" + azure + "/resourcegroups/MRG1/providers/Microsoft.Compute/virtualMachines/vm",
	}}, Accounts: nobody{}, Now: s.now, NewID: storetest.Counter("request")})
	require.NoError(t, err)
	directory, err := metering.NewDirectory(metering.NewSaaS(s.subscriptions, s, s.now), s.applications)
	require.NoError(t, err)
	service, err := metering.New(metering.Deps{Resources: directory, Store: s.usage, Now: s.now, NewID: storetest.Counter("inside")})
	require.NoError(t, err)
	h, err := meteringfn.New(meteringfn.Deps{Metering: service, Audiences: []string{"m"}})
	require.NoError(t, err)
	h.Routes(rt)
	inside := api{handler: rt, routes: s.routes}
	status, body = inside.call(t, "POST", single, "inside", sent{app1, "email", "1", "2022-03-02T11:00:00", "Basic"}.body()) // MTR-30
	require.Equal(t, 200, status, body)
	require.Contains(t, body, `"resourceUri":"`+appPath+`1"`) // MTR-37
	status, _ = inside.call(t, "POST", single, "inside", sent{app2, "email", "1", "2022-03-02T11:00:00", "Basic"}.body())
	require.Equal(t, 403, status)
	status, body = inside.call(t, "POST", batch, "inside", `{"request":[`+sent{app1, "text", "1", "2022-03-02T11:00:00", "Basic"}.body()+`]}`) // MTR-31
	require.Equal(t, 403, status)
	require.Contains(t, body, "User is not allowed")

	// What an application has used is charged like a subscription's, and read back by the offer's application.
	s.pump(t)
	_, err = s.reconciliation.Run(t.Context())
	require.NoError(t, err)
	_, body = s.call(t, "GET", read+"&usageStartDate=2022-03-02&azureSubscriptionId="+azure, "app", "")
	require.Contains(t, body, `"offerType":"AzureApplication","azureSubscriptionId":"`+azure+`","reconStatus":"Accepted","submittedQuantity":1.0,"processedQuantity":1.0`)
	s.set("2022-04-02T01:00:00")
	s.outbox.Advance(s.now())
	s.pump(t)
	require.Equal(t, "1 x 1 = 100 USD", s.charged(t, app1, "email", "Basic", "2022-03"))
}

// What is true at the border to billing.
func TestUsageBecomesMoney(t *testing.T) {
	t.Parallel()
	s := openShop(t, "2022-03-30T12:00:00")
	seldom := s.subscribe(t, "Basic", nil)
	tiers := s.subscribe(t, "Premium", nil)
	preview := s.subscribe(t, "Basic", func(sub *subscription.Subscription) { sub.Preview = true })
	annual := s.subscribe(t, "Premium", func(sub *subscription.Subscription) { sub.TermUnit = "P1Y" })
	for _, e := range []sent{
		{tiers, "email", "10", "2022-03-30T11:00:00", "Premium"}, {tiers, "text", "10", "2022-03-30T11:00:00", "Premium"},
		{preview, "email", "3", "2022-03-30T11:00:00", "Basic"}, {annual, "email", "1", "2022-03-30T10:00:00", "Premium"}, {annual, "email", "0.005", "2022-03-30T11:00:00", "Premium"},
	} {
		status, body := s.post(t, "app", e)
		require.Equal(t, 200, status, body)
	}
	s.pump(t)
	s.set("2022-04-30T12:00:00")
	s.outbox.Advance(s.now())
	for _, e := range []sent{{seldom, "email", "1", "2022-04-30T11:00:00", "Basic"}, {annual, "email", "2", "2022-04-30T11:00:00", "Premium"}} {
		status, body := s.post(t, "app", e)
		require.Equal(t, 200, status, body)
	}
	s.pump(t)
	s.set("2022-05-02T01:00:00")
	s.outbox.Advance(s.now())
	s.pump(t)
	for _, c := range []struct{ name, id, dimension, plan, month, want string }{
		{"MTR-94 each dimension at its own price", tiers, "email", "Premium", "2022-03", "10 x 0.5 = 500 USD"},
		{"MTR-94 each dimension at its own price", tiers, "text", "Premium", "2022-03", "10 x 0.01 = 10 USD"},
		{"MTR-70 a preview purchase is charged at the plan's price", preview, "email", "Basic", "2022-03", "3 x 1 = 300 USD"},
		{"MTR-64 rounded once, half to even", annual, "email", "Premium", "2022-03", "1.005 x 0.5 = 50 USD"},
		{"MTR-65, MTR-66 an annual plan is charged in each month too", annual, "email", "Premium", "2022-04", "2 x 0.5 = 100 USD"},
		{"MTR-55 usage after a month without", seldom, "email", "Basic", "2022-04", "1 x 1 = 100 USD"},
		{"MTR-55 a month without usage costs nothing", seldom, "email", "Basic", "2022-03", "nothing"},
	} {
		require.Equal(t, c.want, s.charged(t, c.id, c.dimension, c.plan, c.month), c.name)
	}
}
