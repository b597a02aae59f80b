package anomaly_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"stoa/shared/anomaly"
	"stoa/shared/correction"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/offer"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
)

// world is the service over the twin of the store, with usage and offers in memory and a clock that is moved.
type world struct {
	*anomaly.Service
	t           *testing.T
	db          *store.DB
	store       *store.Anomalies
	corrections *correction.Service
	outbox      *storetest.Outbox
	usage       *sums

	mu  sync.Mutex
	now time.Time
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) set(now time.Time) {
	w.mu.Lock()
	w.now = now
	w.mu.Unlock()
	w.outbox.Advance(now)
}

// first is the first day of the series: a Monday.
var first = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// training is the run that judges the week of days 55 to 61 of a series that starts on first.
var training = time.Date(2026, 3, 9, 2, 0, 0, 0, time.UTC)

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, usage: &sums{}, now: training}
	w.db, w.outbox = storetest.NewTwin(w.clock)
	w.open(w.db)
	return w
}

// open makes the services over a store.
func (w *world) open(db *store.DB) {
	w.t.Helper()
	w.db, w.store = db, store.NewAnomalies(db)
	catalogue := sold{}
	var err error
	w.corrections, err = correction.New(correction.Deps{
		Store: store.NewCorrections(w.db), Events: noEvents{}, Ledger: store.NewLedger(w.db), Offers: catalogue, Contacts: owners{}, Now: w.clock,
	})
	require.NoError(w.t, err)
	w.Service, err = anomaly.New(anomaly.Deps{
		Store: w.store, Usage: w.usage, Offers: catalogue, Contacts: owners{}, Corrections: w.corrections,
		Staff: []string{"staff@example.com"}, Now: w.clock,
	})
	require.NoError(w.t, err)
}

// train runs the training of now to its end, each message twice.
func (w *world) train() {
	w.t.Helper()
	for range 2 {
		require.NoError(w.t, w.Train(w.t.Context()))
	}
	w.work()
}

func (w *world) work() {
	w.t.Helper()
	for range 1000 {
		batch := w.outbox.Take(message.UsageReviews)
		if len(batch) == 0 {
			return
		}
		for _, m := range append(batch, batch...) {
			var work anomaly.Work
			require.NoError(w.t, json.Unmarshal(m.Body, &work))
			if work.Kind == anomaly.KindTrain || work.Kind == anomaly.KindExpire {
				require.NoError(w.t, w.Handle(w.t.Context(), work))
			}
		}
	}
	w.t.Fatal("messages keep coming")
}

// all lists every anomaly of contoso in the last 90 days.
func (w *world) all() []anomaly.Anomaly {
	w.t.Helper()
	list, next, err := w.List(w.t.Context(), anomaly.List{PublisherID: "contoso", Period: 90, All: true, Limit: 200})
	require.NoError(w.t, err)
	require.Empty(w.t, next)
	return list
}

// only is the one anomaly there is.
func (w *world) only() anomaly.Anomaly {
	w.t.Helper()
	list := w.all()
	require.Len(w.t, list, 1)
	return list[0]
}

func (w *world) deed(id string) anomaly.Deed {
	return anomaly.Deed{PublisherID: "contoso", AnomalyID: id, By: "ann@contoso.example"}
}

func (w *world) mails(kind string) []string {
	var ids []string
	for _, m := range w.outbox.Messages(message.Notifications) {
		var body struct{ ID, Kind string }
		require.NoError(w.t, json.Unmarshal(m.Body, &body))
		if body.Kind == kind {
			ids = append(ids, body.ID)
		}
	}
	return ids
}

// sums is usage in memory, a page for each so many series.
type sums struct {
	mu      sync.Mutex
	series  []anomaly.Series
	perPage int
	daily   []anomaly.Daily
	asked   []anomaly.TrendQuery
}

func (s *sums) Series(_ context.Context, from, until time.Time, after string) ([]anomaly.Series, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, _ := strconv.Atoi(after)
	end := len(s.series)
	if s.perPage > 0 {
		end = min(end, at+s.perPage)
	}
	var page []anomaly.Series
	for _, one := range s.series[at:end] {
		cut := one
		cut.Days = nil
		for _, d := range one.Days {
			if !d.Date.Before(from) && d.Date.Before(until) {
				cut.Days = append(cut.Days, d)
			}
		}
		page = append(page, cut)
	}
	if end == len(s.series) {
		return page, "", nil
	}
	return page, strconv.Itoa(end), nil
}

func (s *sums) Daily(_ context.Context, q anomaly.TrendQuery, limit int) ([]anomaly.Daily, error) {
	s.asked = append(s.asked, q)
	return s.daily[:min(len(s.daily), limit+1)], nil
}

// add adds a series of a customer: so many usual days, then the given ones.
func (s *sums) add(customer string, usual int, then ...string) {
	series := anomaly.Series{Key: anomaly.Key{PublisherID: "contoso", OfferID: "cns", Meter: "email", CustomerID: customer}, CustomerName: "Company " + customer}
	put := func(quantity string) {
		series.Days = append(series.Days, anomaly.Day{
			Date: first.AddDate(0, 0, len(series.Days)),
			Part: anomaly.Part{ResourceID: "sub-" + customer, PlanID: "basic", Quantity: decimal.RequireFromString(quantity)},
		})
	}
	for i := range usual {
		put(fmt.Sprint(95 + (i*7)%11)) // 100 +/- 5
	}
	for _, q := range then {
		put(q)
	}
	s.series = append(s.series, series)
}

// sold is an offer whose meter costs 1 USD on basic and 0.50 on gold.
type sold struct{}

func (sold) Sold(_ context.Context, publisherID, offerID string, _ bool) (offer.Version, error) {
	if offerID != "cns" {
		return offer.Version{}, fault.New(fault.NotFound, "NotFound", "", "no such offer")
	}
	meter := func(price string) []offer.Meter {
		return []offer.Meter{{DimensionID: "email", Enabled: true, PricePerUnitUSD: decimal.RequireFromString(price)}}
	}
	return offer.Version{Content: offer.Content{
		PublisherID: publisherID, OfferID: offerID, OfferType: offer.TypeSaaS, Listing: offer.Listing{Name: "Contoso notifications"},
		Plans: []offer.Plan{{ID: "basic", Meters: meter("1")}, {ID: "gold", Meters: meter("0.5")}},
	}}, nil
}

type owners struct{}

func (owners) Recipients(_ context.Context, publisherID string) ([]string, error) {
	return []string{"owner@" + publisherID + ".example"}, nil
}

type noEvents struct{}

func (noEvents) Event(context.Context, string, string) (correction.Event, error) {
	return correction.Event{}, fault.New(fault.NotFound, "NotFound", "", "no such event")
}
