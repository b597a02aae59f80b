package correction_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"stoa/shared/billing/billingtest"
	"stoa/shared/correction"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/metering"
	"stoa/shared/offer"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
)

// process is a handler of corrections over the world, which may die.
type process struct {
	*correction.Service
	crash *storetest.Crash
	db    *store.DB
	store *store.Corrections
}

// world is billing with the usage of subscriptions, and corrections on top.
type world struct {
	*billingtest.World
	*process
	t      *testing.T
	events *store.UsageEvents
	hours  int
	back   []message.Message // did not succeed and come again
}

var start = time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)

// closed is when the cycles of January are closed.
var closed = time.Date(2026, 2, 2, 3, 0, 0, 0, time.UTC)

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{World: billingtest.New(t, start), t: t}
	w.events = store.NewUsageEvents(w.Usage)
	w.process = w.open("first")
	w.Subscribe("s1", "0.00", "USD")
	w.Price("1")
	return w
}

// open starts another process over the same state.
func (w *world) open(name string) *process {
	p := &process{crash: storetest.NewCrash(w.World.DB.Table, w.Outbox)}
	p.db = store.New(store.Deps{Tables: p.crash.Table, Sender: p.crash, Now: w.Now, NewID: storetest.Counter(name)})
	p.store = store.NewCorrections(p.db)
	var err error
	p.Service, err = correction.New(correction.Deps{
		Store: p.store, Events: w.events, Ledger: store.NewLedger(p.db), Offers: sold{}, Contacts: owners{}, Staff: []string{"staff@example.com"}, Now: w.Now,
	})
	require.NoError(w.t, err)
	return p
}

// use accepts usage on a plan, at some hour of January 10 that had none, and returns the id of the event.
func (w *world) use(resource, plan, quantity string) string {
	w.t.Helper()
	at := time.Date(2026, 1, 10, w.hours, 5, 0, 0, time.UTC)
	w.hours++
	return w.useAt(resource, plan, quantity, at)
}

func (w *world) useAt(resource, plan, quantity string, at time.Time) string {
	w.t.Helper()
	u := metering.Usage{
		EventID: uuid.NewSHA1(uuid.Nil, []byte(resource+at.String())).String(), ResourceID: resource, PublisherID: "contoso", OfferID: "cns",
		CustomerID: "adatum", Dimension: "email", PlanID: plan, Quantity: quantity, EffectiveStart: at.Format(time.RFC3339), Effective: at, AcceptedAt: w.Now(),
	}
	outcome := w.Usage.Add(w.t.Context(), []metering.Usage{u})[0]
	require.NoError(w.t, outcome.Err)
	require.True(w.t, outcome.Added)
	require.NoError(w.t, w.Usage.Flush(w.t.Context()))
	require.NoError(w.t, w.events.Count(w.t.Context(), []metering.Usage{u}))
	return u.EventID
}

// close lets January be charged.
func (w *world) close() {
	w.t.Helper()
	require.Empty(w.t, w.Pump(w.t, nil))
	w.Set(closed)
	require.Empty(w.t, w.Pump(w.t, nil))
}

// work does what the queue brings, each message twice, until nothing is left that can be done now.
func (w *world) work() {
	w.t.Helper()
	for range 1000 {
		if w.crash.Dead() {
			return
		}
		require.NoError(w.t, w.db.Flush(w.t.Context()))
		batch := append(w.back, w.Outbox.Take(message.UsageReviews)...)
		w.back = nil
		if len(batch) == 0 {
			return
		}
		for _, m := range append(batch, batch...) {
			var work correction.Work
			require.NoError(w.t, json.Unmarshal(m.Body, &work))
			if err := w.Handle(w.t.Context(), work); err != nil {
				require.True(w.t, w.crash.Dead() || fault.As(err).Kind.Transient(), "%v", err)
				w.back = append(w.back, m)
			}
		}
	}
	w.t.Fatal("messages keep coming")
}

func report(event, lowered string) correction.Report {
	d := decimal.RequireFromString(lowered)
	return correction.Report{PublisherID: "contoso", EventID: event, NewReported: &d, Reason: "sent twice", By: "ann@contoso.example"}
}

func (w *world) submit(event, lowered string) correction.Correction {
	w.t.Helper()
	c, err := w.Submit(w.t.Context(), report(event, lowered))
	require.NoError(w.t, err)
	return c
}

func (w *world) decide(c correction.Correction, approve bool) correction.Correction {
	w.t.Helper()
	c, err := w.Decide(w.t.Context(), correction.Verdict{
		PublisherID: "contoso", CorrectionID: c.ID, Approve: approve, Note: "looked at it", By: "staff-app",
	})
	require.NoError(w.t, err)
	return c
}

// correct submits, has it investigated and approves it.
func (w *world) correct(event, lowered string) correction.Correction {
	w.t.Helper()
	c := w.submit(event, lowered)
	w.work()
	w.decide(c, true)
	w.work()
	return w.read(c)
}

func (w *world) read(c correction.Correction) correction.Correction {
	w.t.Helper()
	c, err := w.Correction(w.t.Context(), "contoso", c.ID)
	require.NoError(w.t, err)
	return c
}

// balances are those of all accounts that a sale touches; their sum is zero.
func (w *world) balances() map[string]int64 {
	w.t.Helper()
	require.NoError(w.t, w.db.Flush(w.t.Context()))
	require.Empty(w.t, w.Pump(w.t, nil))
	found := w.Balances(w.t, "USD", billingtest.Accounts...)
	sum := int64(0)
	for _, amount := range found {
		sum += amount
	}
	require.Zero(w.t, sum)
	return found
}

// sold is an offer, SaaS unless its id says otherwise.
type sold struct{}

func (sold) Sold(_ context.Context, publisherID, offerID string, _ bool) (offer.Version, error) {
	kind := offer.TypeSaaS
	if offerID == "managed" {
		kind = offer.TypeAzureApplication
	}
	return offer.Version{Content: offer.Content{PublisherID: publisherID, OfferID: offerID, OfferType: kind}}, nil
}

type owners struct{}

func (owners) Recipients(_ context.Context, publisherID string) ([]string, error) {
	return []string{"owner@" + publisherID + ".example"}, nil
}
