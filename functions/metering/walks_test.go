package metering_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	meteringfn "stoa/functions/metering"
	"stoa/shared/billing"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/metering"
	"stoa/shared/offer"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
	"stoa/shared/subscription"
)

// shop is the world of the acceptance walks (chapter 10) where they need a clock that stands still, or terms that take
// long: the offer cns with two plans, and every service from the request to the charge line, over the twin of the
// store. The walks themselves go through the whole local stack.
type shop struct {
	api
	ledger        *store.Ledger
	billing       *billing.Service
	subscriptions *store.Subscriptions

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

func meter(dimension, price string) offer.Meter {
	return offer.Meter{DimensionID: dimension, Enabled: true, PricePerUnitUSD: decimal.RequireFromString(price)}
}

// Live implements offer.Reader.
func (s *shop) Live(_ context.Context, publisherID, offerID string) (offer.Version, error) {
	v := offer.Version{Content: offer.Content{
		PublisherID: publisherID, OfferID: offerID, OfferType: offer.TypeSaaS, Listing: offer.Listing{Name: "Contoso Notifications"},
		Technical: offer.Technical{TenantID: "t1", AppID: "a1"}, Dimensions: []offer.Dimension{{ID: "email"}, {ID: "text"}},
		Plans: []offer.Plan{
			{ID: "Basic", Name: "The basic plan", Meters: []offer.Meter{meter("email", "1"), meter("text", "0.02")}},
			{ID: "Premium", Meters: []offer.Meter{meter("email", "0.5"), meter("text", "0.01")}},
		},
	}}
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
	db, outbox := storetest.NewTwin(s.now)
	s.outbox, s.usage, s.ledger, s.subscriptions = outbox, store.NewUsage(db, message.UsageAccepted), store.NewLedger(db), store.NewSubscriptions(db)
	applications := metering.NewApplications(store.NewApplications(db), s, s.now)
	directory, err := metering.NewDirectory(metering.NewSaaS(s.subscriptions, s, s.now), applications)
	require.NoError(t, err)
	service, err := metering.New(metering.Deps{Resources: directory, Store: s.usage, Now: s.now, NewID: storetest.Counter("event")})
	require.NoError(t, err)
	s.billing, err = billing.New(billing.Deps{
		Ledger: s.ledger, Subscriptions: directory, Resources: directory, Usage: s.usage, Rates: s.ledger, Now: s.now,
	})
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

// Walk 4, at the very borders of the 24 hours, which a running clock does not meet (MTR-38).
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

// Walk 5, at the very borders (MTR-42).
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
