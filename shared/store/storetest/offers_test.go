package storetest_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"stoa/shared/fault"
	"stoa/shared/offer"
	"stoa/shared/packages"
	"stoa/shared/store"
)

func repository(b *backing) *store.Offers {
	return store.NewOffers(b.DB, store.NewSnapshots(b.blobs))
}

func requireKind(t *testing.T, err error, kind fault.Kind) {
	t.Helper()
	require.Truef(t, fault.Is(err, kind), "got %v, want a fault of kind %s", err, kind)
}

// draft is an offer with something in every part, and letters that storage is known to damage.
func draft(b *backing, publisher, id string, plans int) offer.Offer {
	o := offer.Offer{
		Content: offer.Content{PublisherID: publisher, OfferID: id, OfferType: "SaaS", Alias: "Ünïcode 日本 😀", ListingOption: offer.SellThroughMicrosoft,
			Listing:         offer.Listing{Name: "näme", Description: "déscription", Categories: []string{"a"}},
			LeadDestination: offer.LeadDestination{Kind: "table", SealedSecrets: map[string]string{"k": "v"}},
			Dimensions:      []offer.Dimension{{ID: "email", DisplayName: "E-mails", UnitOfMeasure: "per mail"}}},
		ProductID: offer.GUID(publisher, id), Status: offer.StatusDraft, Notes: "n", CreatedAt: b.now(), ChangedAt: b.now(),
	}
	for i := range plans {
		o.Plans = append(o.Plans, offer.Plan{ID: fmt.Sprint("plan", i), Name: fmt.Sprint("Plan ", i), PricingModel: offer.FlatRate,
			Terms:  []offer.PlanTerm{{Unit: "P1M", PriceUSD: decimal.RequireFromString("9.90"), Prices: map[string]decimal.Decimal{"DE": decimal.RequireFromString("8.000")}}},
			Meters: []offer.Meter{{DimensionID: "email", Enabled: true, PricePerUnitUSD: decimal.RequireFromString("0.0001"), MonthlyIncluded: 5}}})
	}
	return o
}

// same compares offers as their JSON does: a price keeps its value, not its form.
func same(t *testing.T, want, got offer.Offer) {
	t.Helper()
	require.Equal(t, offer.Fingerprint(&want.Content), offer.Fingerprint(&got.Content))
	want.Content, got.Content = offer.Content{}, offer.Content{}
	want.Lock, want.Saved, got.Lock, got.Saved = "", nil, "", nil
	require.Equal(t, want, got)
}

func TestOffers(t *testing.T) {
	t.Parallel()
	both(t, map[string]func(t *testing.T, b *backing){
		"what is written is read":                       offersRoundTrip,
		"SAS-2 an id is taken once":                     offersUnique,
		"a save needs what was read":                    offersLocks,
		"of many saves one wins at a time":              offersRace,
		"plans come and go":                             offersPlans,
		"plans have a limit":                            offersLimit,
		"lists are by id and skip what never came":      offersLists,
		"history is the newest first and paged":         offersHistory,
		"a reader never sees half of a save":            offersTorn,
		"slots show what they point at":                 offersSlots,
		"packages are recorded":                         offersPackages,
		"publishers and offers are kept apart":          offersApart,
		"SAS-30 a registration has one owner":           offersClaims,
		"nothing of a deleted offer is left":            offersDelete,
		"announcements are told in parts":               offersTell,
		"PUB-59 events of two acts never share a place": offersEvents,
	})
}

func offersRoundTrip(t *testing.T, b *backing) {
	s := repository(b)
	want := draft(b, "contoso", "app", 3)
	want.Listing.Description = strings.Repeat("é", 40_000) // over several columns
	require.NoError(t, s.Create(t.Context(), want, offer.NewEvent(offer.OfferCreated, "o", "", b.now())))
	want.Events = 1
	got, err := s.Offer(t.Context(), "contoso", "app")
	require.NoError(t, err)
	require.NotEmpty(t, got.Lock)
	same(t, want, got)

	got.Status, got.Version, got.Submission = offer.StatusLive, 2, 3
	got.Preview = &offer.Frozen{Submission: 3, SubmissionID: "s", Version: 3, At: b.now(), Snapshot: "n"}
	got.Production = &offer.Frozen{Submission: 2, SubmissionID: "r", Version: 2, At: b.now(), Snapshot: "m"}
	got.Published = offer.PublishedFacts(nil, got.Content)
	require.NoError(t, s.Save(t.Context(), got))
	again, err := s.Offer(t.Context(), "contoso", "app")
	require.NoError(t, err)
	same(t, got, again)
	_, err = s.Offer(t.Context(), "contoso", "none")
	requireKind(t, err, fault.NotFound)
}

func offersUnique(t *testing.T, b *backing) {
	s := repository(b)
	var won, lost atomic.Int32
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			o := draft(b, "contoso", "app", 1)
			o.Alias = fmt.Sprint(i) // the same act at the same time would be taken for one whose answer was lost
			switch err := s.Create(context.Background(), o); {
			case err == nil:
				won.Add(1)
			case fault.Is(err, fault.Conflict) && fault.As(err).Code == "AlreadyExists":
				lost.Add(1)
			}
		})
	}
	group.Wait()
	require.Equal(t, []int32{1, 7}, []int32{won.Load(), lost.Load()})
}

func offersLocks(t *testing.T, b *backing) {
	s := repository(b)
	require.NoError(t, s.Create(t.Context(), draft(b, "contoso", "app", 1)))
	require.Error(t, s.Save(t.Context(), draft(b, "contoso", "app", 1)), "it was never read")
	first, err := s.Offer(t.Context(), "contoso", "app")
	require.NoError(t, err)
	second := first
	first.Listing.Name = "first"
	require.NoError(t, s.Save(t.Context(), first))
	second.Listing.Name = "second"
	requireKind(t, s.Save(t.Context(), second), fault.StaleETag)
	got, err := s.Offer(t.Context(), "contoso", "app")
	require.NoError(t, err)
	require.Equal(t, "first", got.Listing.Name)
}

func offersRace(t *testing.T, b *backing) {
	s := repository(b)
	require.NoError(t, s.Create(t.Context(), draft(b, "contoso", "app", 1)))
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			for {
				o, err := s.Offer(context.Background(), "contoso", "app")
				if err != nil {
					continue
				}
				o.Plans = append(o.Plans, offer.Plan{ID: fmt.Sprint("of-", i)})
				if s.Save(context.Background(), o, offer.NewEvent(offer.PlanCreated, "o", "", b.now())) == nil {
					return
				}
			}
		})
	}
	group.Wait()
	o, err := s.Offer(t.Context(), "contoso", "app")
	require.NoError(t, err)
	require.Len(t, o.Plans, 5, "nothing was overwritten")
	require.Equal(t, 4, o.Events)
}

func offersPlans(t *testing.T, b *backing) {
	s := repository(b)
	require.NoError(t, s.Create(t.Context(), draft(b, "contoso", "app", 3)))
	o, err := s.Offer(t.Context(), "contoso", "app")
	require.NoError(t, err)
	kept := o.Plans[2]
	kept.Name = "renamed"
	o.Plans = []offer.Plan{kept, {ID: "a|b/c#?"}, o.Plans[0]}
	require.NoError(t, s.Save(t.Context(), o))
	got, err := s.Offer(t.Context(), "contoso", "app")
	require.NoError(t, err)
	require.Equal(t, []string{"plan2", "a|b/c#?", "plan0"}, []string{got.Plans[0].ID, got.Plans[1].ID, got.Plans[2].ID})
	require.Equal(t, "renamed", got.Plans[0].Name)
	got.Plans = nil
	require.NoError(t, s.Save(t.Context(), got))
	got, err = s.Offer(t.Context(), "contoso", "app")
	require.NoError(t, err)
	require.Empty(t, got.Plans)
}

func offersLimit(t *testing.T, b *backing) {
	s := repository(b)
	requireKind(t, s.Create(t.Context(), draft(b, "contoso", "many", 110)), fault.Invalid)
	require.NoError(t, s.Create(t.Context(), draft(b, "contoso", "app", 60)))
	o, err := s.Offer(t.Context(), "contoso", "app")
	require.NoError(t, err)
	for i := range 40 { // 100 plans, the most an offer has, come in steps
		o.Plans = append(o.Plans, offer.Plan{ID: fmt.Sprint("more", i)})
	}
	require.NoError(t, s.Save(t.Context(), o))
	o, err = s.Offer(t.Context(), "contoso", "app")
	require.NoError(t, err)
	require.Len(t, o.Plans, 100)
}

func offersLists(t *testing.T, b *backing) {
	s := repository(b)
	var want []string
	for i := range 7 {
		id := fmt.Sprintf("app-%d", i)
		want = append(want, id)
		require.NoError(t, s.Create(t.Context(), draft(b, "contoso", id, 1)))
		require.NoError(t, s.List(t.Context(), "contoso", id))
		require.NoError(t, s.List(t.Context(), "contoso", id), "listing twice is fine")
	}
	require.NoError(t, s.Create(t.Context(), draft(b, "contoso-2", "other", 1)))
	require.NoError(t, s.List(t.Context(), "contoso", "never-came"))
	var got []string
	after := ""
	for {
		page, next, err := s.Offers(t.Context(), "contoso", after, 3)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page), 3)
		for _, o := range page {
			got = append(got, o.OfferID)
			require.Empty(t, o.Plans, "a list is without drafts")
		}
		if after = next; next == "" {
			break
		}
	}
	require.Equal(t, want, got)
	live, _, err := s.LiveOffers(t.Context(), "", 100)
	require.NoError(t, err)
	require.Empty(t, live, "what is listed is live when its offer says so")
}

func offersHistory(t *testing.T, b *backing) {
	s := repository(b)
	require.NoError(t, s.Create(t.Context(), draft(b, "contoso", "app", 1), offer.NewEvent(offer.OfferCreated, "o", "", b.now())))
	for i := range 12 {
		o, err := s.Offer(t.Context(), "contoso", "app")
		require.NoError(t, err)
		require.NoError(t, s.Save(t.Context(), o, offer.NewEvent(offer.PlanCreated, "o", fmt.Sprint(i), b.now())))
	}
	var labels []string
	after := ""
	for {
		page, next, err := s.History(t.Context(), "contoso", "app", after, 5)
		require.NoError(t, err)
		for _, e := range page {
			labels = append(labels, e.Label)
		}
		if after = next; next == "" {
			break
		}
	}
	require.Len(t, labels, 13)
	require.Equal(t, []string{"Created plan: 11", "Created plan: 0", "Created offer"}, []string{labels[0], labels[11], labels[12]})
	none, next, err := s.History(t.Context(), "contoso", "none", "", 5)
	require.NoError(t, err)
	require.Empty(t, none)
	require.Empty(t, next)
}

func offersTorn(t *testing.T, b *backing) {
	s := repository(b)
	require.NoError(t, s.Create(t.Context(), draft(b, "contoso", "app", 4)))
	ctx, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			for ctx.Err() == nil {
				o, err := s.Offer(context.Background(), "contoso", "app")
				if fault.Is(err, fault.Unavailable) {
					continue
				}
				if err != nil {
					t.Errorf("read while it is written: %v", err)
					return
				}
				for _, p := range o.Plans {
					if o.Listing.Summary != "" && p.Description != o.Listing.Summary {
						t.Errorf("plan of %q in a draft of %q", p.Description, o.Listing.Summary)
						return
					}
				}
			}
		})
	}
	for i := range 12 {
		o, err := s.Offer(t.Context(), "contoso", "app")
		require.NoError(t, err)
		o.Listing.Summary = fmt.Sprint("state ", i)
		for j := range o.Plans {
			o.Plans[j].Description = o.Listing.Summary
		}
		require.NoError(t, s.Save(t.Context(), o))
	}
	stop()
	group.Wait()
}

func offersSlots(t *testing.T, b *backing) {
	s := repository(b)
	snapshots := store.NewSnapshots(b.blobs)
	publisher := offer.GUID(t.Name())
	o := draft(b, publisher, "app", 1)
	name := publisher + "/app/000001-x.json"
	require.NoError(t, snapshots.Freeze(t.Context(), name, o.Content))
	require.NoError(t, snapshots.Freeze(t.Context(), name, o.Content), "again is fine")
	require.NoError(t, s.Create(t.Context(), o))
	for _, read := range []func(context.Context, string, string) (offer.Version, error){s.Live, s.InPreview} {
		_, err := read(t.Context(), publisher, "app")
		requireKind(t, err, fault.NotFound)
		_, err = read(t.Context(), publisher, "none")
		requireKind(t, err, fault.NotFound)
	}
	stored, err := s.Offer(t.Context(), publisher, "app")
	require.NoError(t, err)
	stored.Preview = &offer.Frozen{Submission: 2, SubmissionID: "two", Version: 2, At: b.now(), Snapshot: name}
	stored.Production = &offer.Frozen{Submission: 1, SubmissionID: "one", Version: 1, At: b.now(), Snapshot: name}
	stored.Status = offer.StatusLive
	require.NoError(t, s.Save(t.Context(), stored))
	require.NoError(t, s.List(t.Context(), publisher, "app"))
	live, err := s.Live(t.Context(), publisher, "app")
	require.NoError(t, err)
	require.Equal(t, []any{offer.Production, 1, "one"}, []any{live.Slot, live.Number, live.Submission})
	require.Equal(t, offer.Fingerprint(&o.Content), offer.Fingerprint(&live.Content))
	preview, err := s.InPreview(t.Context(), publisher, "app")
	require.NoError(t, err)
	require.Equal(t, []any{offer.Preview, 2, "two"}, []any{preview.Slot, preview.Number, preview.Submission})
	list, _, err := s.LiveOffers(t.Context(), "", 10)
	require.NoError(t, err)
	require.Len(t, list, 1)

	stored, err = s.Offer(t.Context(), publisher, "app")
	require.NoError(t, err)
	stored.Status = offer.StatusNotAvailable
	require.NoError(t, s.Save(t.Context(), stored))
	list, _, err = s.LiveOffers(t.Context(), "", 10)
	require.NoError(t, err)
	require.Empty(t, list)
	_, err = snapshots.Frozen(t.Context(), publisher+"/none.json")
	requireKind(t, err, fault.NotFound)
}

func offersPackages(t *testing.T, b *backing) {
	s := repository(b)
	_, err := s.Package(t.Context(), "contoso", "app", "a.zip")
	requireKind(t, err, fault.NotFound)
	record := packages.Record{PublisherID: "contoso", OfferID: "app", Name: "a b|c.zip", ETag: "1", Report: "r", Errors: 2, Blocking: true, At: b.now()}
	for _, etag := range []string{"1", "2", "2"} { // last wins
		record.ETag = etag
		require.NoError(t, s.SavePackage(t.Context(), record))
		got, err := s.Package(t.Context(), "contoso", "app", "a b|c.zip")
		require.NoError(t, err)
		require.Equal(t, record, got)
	}
	reports := store.NewReports(b.blobs)
	name := offer.GUID(t.Name()) + "/r.json"
	require.NoError(t, reports.PutReport(t.Context(), name, []byte(`{"a":1}`)))
	require.NoError(t, reports.PutReport(t.Context(), name, []byte(`{"a":1}`)))
	body, err := reports.Report(t.Context(), name)
	require.NoError(t, err)
	require.JSONEq(t, `{"a":1}`, string(body))
}

func offersApart(t *testing.T, b *backing) {
	s := repository(b)
	for _, ids := range [][2]string{{"a", "b-c"}, {"a-b", "c"}, {"a", "b"}, {"b", "a"}} {
		require.NoError(t, s.Create(t.Context(), draft(b, ids[0], ids[1], 1)))
	}
	for _, ids := range [][2]string{{"a", "b-c"}, {"a-b", "c"}, {"a", "b"}, {"b", "a"}} {
		o, err := s.Offer(t.Context(), ids[0], ids[1])
		require.NoError(t, err)
		require.Equal(t, ids, [2]string{o.PublisherID, o.OfferID})
	}
	of, _, err := s.Offers(t.Context(), "a", "", 10)
	require.NoError(t, err)
	require.Len(t, of, 2)
}

func offersEvents(t *testing.T, b *backing) {
	s := repository(b)
	require.NoError(t, s.Create(t.Context(), draft(b, "contoso", "app", 1)))
	one, err := s.Offer(t.Context(), "contoso", "app")
	require.NoError(t, err)
	two := one
	require.NoError(t, s.Save(t.Context(), one, offer.NewEvent(offer.PlanCreated, "o", "one", b.now())))
	requireKind(t, s.Save(t.Context(), two, offer.NewEvent(offer.PlanCreated, "o", "two", b.now())), fault.StaleETag)
	events, _, err := s.History(t.Context(), "contoso", "app", "", 10)
	require.NoError(t, err)
	require.Len(t, events, 1)
	require.Equal(t, "Created plan: one", events[0].Label)
}
