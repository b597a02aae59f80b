package publishing_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/functions/publishing"
	"stoa/shared/blobs/blobstest"
	"stoa/shared/fault"
	"stoa/shared/functionshost/functionshosttest"
	"stoa/shared/message"
	"stoa/shared/offer"
	"stoa/shared/publish"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
)

type runner struct {
	got         []publish.StepMessage
	correlation string
	err         error
}

func (r *runner) RunStep(ctx context.Context, m publish.StepMessage) error {
	r.got, r.correlation = append(r.got, m), message.Correlation(ctx)
	return r.err
}

type parked struct {
	letters []message.Message
	reasons []error
	err     error
}

func (p *parked) Park(_ context.Context, queue string, m message.Message, reason error) error {
	m.Queue = queue
	p.letters, p.reasons = append(p.letters, m), append(p.reasons, reason)
	return p.err
}

var step = publish.StepMessage{PublisherID: "contoso", OfferID: "app", Submission: 1, Step: "previewCreation"}

const stepJSON = `{"publisherId":"contoso","offerId":"app","submission":1,"step":"previewCreation"}`

// What may succeed later comes back; what never will is parked as it came, with its reason (HST-24).
func TestRun(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		body   any
		err    error
		back   bool
		parked string
	}{
		{"done", step, nil, false, ""},
		{"a dependency is away", step, fault.New(fault.Unavailable, "Busy", "", "no"), true, ""},
		{"someone saved in between", step, fault.New(fault.StaleETag, "Stale", "", "no"), true, ""},
		{"unknown trouble", step, errors.New("no"), true, ""},
		{"no such submission", step, fault.New(fault.NotFound, "NotFound", "", "no"), false, stepJSON},
		{"members of a later version", `{"publisherId":"contoso","offerId":"app","submission":1,"step":"previewCreation","v":2}`, nil, false, ""},
		{"poison: no JSON", "lunch", nil, false, `"lunch"`},
		{"poison: a list", `[1]`, nil, false, `[1]`},
		{"poison: a member of another type", `{"submission":"one"}`, nil, false, `{"submission":"one"}`},
		{"poison: a number that is none", `{"submission":1.5}`, nil, false, `{"submission":1.5}`},
		{"poison: cut off", `{"publisherId":"con`, nil, false, `"{\"publisherId\":\"con"`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r, p := &runner{err: row.err}, &parked{}
			h := &publishing.Handler{Publishing: r, Parked: p}
			err := h.Run(t.Context(), functionshosttest.Queue(t, "publishing", "message", row.body, 1))
			require.Equal(t, row.back, err != nil)
			if len(r.got) > 0 {
				require.Equal(t, step, r.got[0])
				require.Equal(t, "correlation-1", r.correlation)
			}
			if row.parked == "" {
				require.Empty(t, p.letters)
				return
			}
			require.Len(t, p.letters, 1)
			require.Error(t, p.reasons[0])
			require.JSONEq(t, row.parked, string(p.letters[0].Body))
			require.Equal(t, []string{"message-1", message.PublishSteps}, []string{p.letters[0].ID, p.letters[0].Queue})
		})
	}
}

func TestWhatCannotBeParkedComesBack(t *testing.T) {
	t.Parallel()
	h := &publishing.Handler{Publishing: &runner{}, Parked: &parked{err: errors.New("store is away")}}
	require.Error(t, h.Run(t.Context(), functionshosttest.Queue(t, "publishing", "message", "lunch", 1)))
}

// bench is the handler over the service and the in-memory twin.
type bench struct {
	*publishing.Handler
	service *publish.Service
	offers  *store.Offers
	outbox  *storetest.Outbox
	parked  *parked
}

func newBench(t *testing.T) *bench {
	t.Helper()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	db, outbox := storetest.NewTwin(clock)
	snapshots := store.NewSnapshots(&blobstest.Account{})
	b := &bench{offers: store.NewOffers(db, snapshots), outbox: outbox, parked: &parked{}}
	b.service = &publish.Service{Store: b.offers, Snapshots: snapshots, Now: clock}
	b.Handler = &publishing.Handler{Publishing: b.service, Parked: b.parked}
	o, err := offer.New(offer.NewOffer{PublisherID: "contoso", OfferID: "app", OfferType: "SaaS", Alias: "App"}, now)
	require.NoError(t, err)
	o.ListingOption, o.OfferURL = offer.GetItNowFree, "https://contoso.com"
	o.Listing = offer.Listing{Name: "App", Summary: "s", Description: "d", PrivacyPolicy: "https://contoso.com/p", Categories: []string{"a"},
		LargeLogo: "l", Documents: []offer.File{{Name: "n", Blob: "b"}}}
	require.NoError(t, b.offers.Create(t.Context(), o))
	return b
}

// deliver hands the messages of the queue over, each as often as told, and gives those that came.
func (b *bench) deliver(t *testing.T, times int) []message.Message {
	t.Helper()
	var all []message.Message
	for msgs := b.outbox.Take(message.PublishSteps); len(msgs) > 0; msgs = b.outbox.Take(message.PublishSteps) {
		for _, m := range msgs {
			for n := range times {
				require.NoError(t, b.Run(t.Context(), functionshosttest.Queue(t, "publishing", "message", string(m.Body), n+1)))
			}
		}
		all = append(all, msgs...)
	}
	return all
}

// Redelivery, and a replay of everything when all is done, have no second effect.
func TestRedeliveryAndReplay(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	request := publish.Request{PublisherID: "contoso", OfferID: "app", By: "owner"}
	_, err := b.service.Publish(t.Context(), request)
	require.NoError(t, err)
	all := b.deliver(t, 3)
	_, err = b.service.GoLive(t.Context(), request)
	require.NoError(t, err)
	all = append(all, b.deliver(t, 3)...)
	before, err := b.offers.Offer(t.Context(), "contoso", "app")
	require.NoError(t, err)
	require.Equal(t, []any{offer.StatusLive, 1}, []any{before.Status, before.Version})
	history, _, err := b.offers.History(t.Context(), "contoso", "app", "", 100)
	require.NoError(t, err)
	require.Len(t, history, 2+len(all), "one event for each step, the submission and the sign-off")
	for _, m := range all {
		require.NoError(t, b.Run(t.Context(), functionshosttest.Queue(t, "publishing", "message", string(m.Body), 9)))
	}
	after, err := b.offers.Offer(t.Context(), "contoso", "app")
	require.NoError(t, err)
	require.Equal(t, before, after)
	require.Empty(t, b.outbox.Take(message.PublishSteps))
	require.Empty(t, b.parked.letters)
}

// A message that names nothing that exists is parked.
func TestNamesNothing(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]publish.StepMessage{
		"an unknown publisher":      {PublisherID: "nobody", OfferID: "app", Submission: 1, Step: "previewCreation"},
		"an unknown offer":          {PublisherID: "contoso", OfferID: "none", Submission: 1, Step: "previewCreation"},
		"an unknown submission":     {PublisherID: "contoso", OfferID: "app", Submission: 7, Step: "previewCreation"},
		"a submission below zero":   {PublisherID: "contoso", OfferID: "app", Submission: -7, Step: "previewCreation"},
		"a cancel of nothing":       {PublisherID: "contoso", OfferID: "none", Submission: 1, Step: "cancel"},
		"nothing at all":            {},
		"ids no key may be made of": {PublisherID: "a/\\#?\x00b", OfferID: "\u0085", Submission: 1, Step: "finalPublish"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			require.NoError(t, b.Run(t.Context(), functionshosttest.Queue(t, "publishing", "message", m, 1)))
			require.Len(t, b.parked.letters, 1)
		})
	}
}
