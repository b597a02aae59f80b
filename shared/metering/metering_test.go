package metering_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/metering"
	"stoa/shared/offer"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
	"stoa/shared/subscription"
)

var now = time.Date(2022, 3, 2, 12, 0, 0, 0, time.UTC)

const (
	sub1   = "11111111-0000-4000-8000-000000000001"
	gone   = "11111111-0000-4000-8000-000000000002"
	paused = "11111111-0000-4000-8000-000000000003"
	fresh  = "11111111-0000-4000-8000-000000000004"
	other  = "11111111-0000-4000-8000-000000000005"
	broken = "11111111-0000-4000-8000-000000000006"
	moved  = "11111111-0000-4000-8000-000000000007"
)

var reporter = account.Caller{Kind: account.App, TenantID: "t1", AppID: "a1"}

// world is the resources of the tests.
type world map[string]metering.Resource

func (w world) Find(ctx context.Context, wanted map[string]time.Time) map[string]metering.Found {
	return metering.FindEach(ctx, slices.Collect(maps.Keys(wanted)), w.Resource)
}

func (w world) Resource(_ context.Context, ref string) (metering.Resource, error) {
	if ref == broken {
		return metering.Resource{}, fault.New(fault.Unavailable, "Away", "", "away")
	}
	r, ok := w[ref]
	if !ok {
		return r, fault.New(fault.NotFound, "NotFound", "", "unknown")
	}
	return r, nil
}

// Owner is the application of the tests for the offer cns, and nobody for others.
func (w world) Owner(_ context.Context, _, offerID string) (metering.Owner, error) {
	if offerID != "cns" {
		return metering.Owner{}, fault.New(fault.NotFound, "NotFound", "", "unknown")
	}
	return metering.Owner{TenantID: "t1", AppID: "a1"}, nil
}

func report(s *metering.Service, caller account.Caller, events []metering.Event) []metering.Result {
	return s.Accept(context.Background(), metering.Report{Caller: caller, Events: events})
}

// count counts what was announced, as the queue's handler does.
func count(t testing.TB, usage *store.Usage, outbox *storetest.Outbox) {
	t.Helper()
	require.NoError(t, usage.Flush(t.Context()))
	counter, err := metering.NewCounter(usage)
	require.NoError(t, err)
	for _, m := range outbox.Take(message.UsageAccepted) {
		var a metering.Announced
		require.NoError(t, json.Unmarshal(m.Body, &a))
		require.NoError(t, counter.Count(t.Context(), a))
	}
}

func resource(id string) metering.Resource {
	version := offer.Version{Content: offer.Content{
		Technical:  offer.Technical{TenantID: "T1", AppID: "A1"},
		Dimensions: []offer.Dimension{{ID: "email"}, {ID: "text"}, {ID: "spare"}, {ID: "infinite"}},
		Plans: []offer.Plan{{ID: "basic", Meters: []offer.Meter{
			{DimensionID: "email", Enabled: true, PricePerUnitUSD: decimal.NewFromInt(1)}, {DimensionID: "text", Enabled: true},
			{DimensionID: "spare"}, {DimensionID: "infinite", Enabled: true, MonthlyInfinite: true},
			{DimensionID: "undefined", Enabled: true},
		}}, {ID: "gold", Meters: []offer.Meter{{DimensionID: "email", Enabled: true}}}},
	}}
	return metering.ResourceOf(subscription.Subscription{
		ID: id, PublisherID: "contoso", OfferID: "cns", PlanID: "basic", Status: subscription.Subscribed, TermUnit: "P1M",
		ActivatedAt: now.Add(-48 * time.Hour),
	}, version)
}

func resources() world {
	w := world{}
	for _, id := range []string{sub1, gone, paused, fresh, other, moved} {
		w[id] = resource(id)
	}
	r := w[gone]
	r.Status, r.EndedAt = subscription.Unsubscribed, now.Add(-2*time.Hour)
	r.Statuses = []subscription.StatusChange{
		{Status: subscription.Subscribed, At: r.ActivatedAt},
		{Status: subscription.Suspended, At: now.Add(-5 * time.Hour)},
		{Status: subscription.Subscribed, At: now.Add(-4 * time.Hour)},
		{Status: subscription.Unsubscribed, At: r.EndedAt},
	}
	w[gone] = r
	r = w[paused]
	r.Status = subscription.Suspended
	w[paused] = r
	r = w[fresh]
	r.ActivatedAt = now.Add(-time.Hour + 500*time.Millisecond)
	w[fresh] = r
	r = w[other]
	r.Owner.AppID = "a2"
	w[other] = r
	r = w[moved]
	r.PlanID = "gold"
	r.Plans = []subscription.PlanSpan{{PlanID: "basic", From: r.ActivatedAt}, {PlanID: "gold", From: now.Add(-time.Hour)}}
	w[moved] = r
	return w
}

func service(t testing.TB) (*metering.Service, *store.Usage, *storetest.Outbox) {
	t.Helper()
	clock := func() time.Time { return now }
	db, outbox := storetest.NewTwin(clock)
	usage := store.NewUsage(db, message.UsageAccepted)
	s, err := metering.New(metering.Deps{Resources: resources(), Store: usage, Now: clock, NewID: storetest.Counter("event")})
	require.NoError(t, err)
	return s, usage, outbox
}

func event(change func(*metering.Event)) metering.Event {
	e := metering.Event{ResourceID: sub1, Quantity: "2.5", Dimension: "email", EffectiveStart: "2022-03-02T10:05:00", PlanID: "basic"}
	if change != nil {
		change(&e)
	}
	return e
}

func TestChecks(t *testing.T) {
	t.Parallel()
	at := func(text string) func(*metering.Event) {
		return func(e *metering.Event) { e.EffectiveStart = text }
	}
	on := func(id, text string) func(*metering.Event) {
		return func(e *metering.Event) { e.ResourceID, e.EffectiveStart = id, text }
	}
	number := func(text string) func(*metering.Event) { return func(e *metering.Event) { e.Quantity = text } }
	for _, c := range []struct {
		name   string
		change func(*metering.Event)
		want   metering.Status
		target string
	}{
		{"as it should be", nil, metering.Accepted, ""},
		{"MTR-34 a GUID in resourceUri", func(e *metering.Event) { e.ResourceID, e.ResourceURI = "", sub1 }, metering.Accepted, ""},
		{"MTR-35 both, the same", func(e *metering.Event) { e.ResourceURI = sub1 }, metering.Accepted, ""},
		{"MTR-35 both, different", func(e *metering.Event) { e.ResourceURI = gone }, metering.BadArgument, "ResourceUri"},
		{"MTR-35 an ARM id of something else", func(e *metering.Event) { e.ResourceURI = "/subscriptions/s/x" }, metering.BadArgument, "ResourceUri"},
		{"MTR-36 neither", func(e *metering.Event) { e.ResourceID = "" }, metering.BadArgument, "ResourceId"},
		{"not a GUID", func(e *metering.Event) { e.ResourceID = "x" }, metering.BadArgument, "ResourceId"},
		{"GUID in capitals", func(e *metering.Event) { e.ResourceID = strings.ToUpper(sub1) }, metering.Accepted, ""},
		{"unknown", func(e *metering.Event) { e.ResourceID = "21111111-0000-4000-8000-000000000001" }, metering.ResourceNotFound, "resourceId"},
		{"store away", func(e *metering.Event) { e.ResourceID = broken }, metering.Failed, ""},
		{"MTR-61 of another application", func(e *metering.Event) { e.ResourceID = other }, metering.ResourceNotAuthorized, ""},
		{"MTR-41 suspended, before the suspension", on(paused, "2022-03-01T13:00:00"), metering.ResourceNotActive, "resourceId"},
		{"MTR-42 before the cancellation", on(gone, "2022-03-02T09:59:59"), metering.Accepted, ""},
		{"MTR-42 at the cancellation", on(gone, "2022-03-02T10:00:00"), metering.ResourceNotActive, "resourceId"},
		{"MTR-42 while it was suspended", on(gone, "2022-03-02T07:30:00"), metering.ResourceNotActive, "resourceId"},
		{"MTR-43 before the activation", on(fresh, "2022-03-02T10:59:59"), metering.BadArgument, "effectiveStartTime"},
		{"MTR-43 the second of the activation", on(fresh, "2022-03-02T11:00:00"), metering.Accepted, ""},
		{"MTR-38 exactly 24 hours old", at("2022-03-01T12:00:00"), metering.Accepted, ""},
		{"MTR-38 one second older", at("2022-03-01T11:59:59"), metering.Expired, "effectiveStartTime"},
		{"MTR-38 the instant counts, not the hour", at("2022-03-01T11:59:59.9999999"), metering.Expired, "effectiveStartTime"},
		{"MTR-39 ahead, inside the tolerance", at("2022-03-02T12:05:00Z"), metering.Accepted, ""},
		{"MTR-39 ahead, outside", at("2022-03-02T12:05:01Z"), metering.Expired, "effectiveStartTime"},
		{"MTR-40 an offset", at("2022-03-02T13:30:00+02:00"), metering.Accepted, ""},
		{"MTR-40 no time", at("yesterday"), metering.BadArgument, "EffectiveStartTime"},
		{"MTR-45 another plan", func(e *metering.Event) { e.PlanID = "gold" }, metering.InvalidDimension, "dimension"},
		{"MTR-45 the old plan before the change", on(moved, "2022-03-02T10:59:59"), metering.Accepted, ""},
		{"MTR-45 the old plan after it", on(moved, "2022-03-02T11:00:00"), metering.InvalidDimension, "dimension"},
		{"MTR-46 not of the offer", func(e *metering.Event) { e.Dimension = "undefined" }, metering.InvalidDimension, "dimension"},
		{"MTR-46 not enabled", func(e *metering.Event) { e.Dimension = "spare" }, metering.InvalidDimension, "dimension"},
		{"MTR-46 infinite", func(e *metering.Event) { e.Dimension = "infinite" }, metering.InvalidDimension, "dimension"},
		{"MTR-47 other letters", func(e *metering.Event) { e.Dimension = "Email" }, metering.InvalidDimension, "dimension"},
		{"MTR-48 zero", number("0"), metering.InvalidQuantity, "quantity"},
		{"MTR-48 negative", number("-1"), metering.InvalidQuantity, "quantity"},
		{"MTR-48 the least", number("0.0000000001"), metering.Accepted, ""},
		{"MTR-48 the most", number("1e12"), metering.Accepted, ""},
		{"MTR-48 more", number("1000000000000.1"), metering.InvalidQuantity, "quantity"},
		{"MTR-48 far more", number("1e300"), metering.InvalidQuantity, "quantity"},
		{"an absurd exponent", number("1e999999999"), metering.BadArgument, "Quantity"},
		{"an absurd negative exponent", number("1e-999999999"), metering.BadArgument, "Quantity"},
		{"zero with an exponent", number("0e300"), metering.InvalidQuantity, "quantity"},
		{"MTR-48 not a number", func(e *metering.Event) { e.Quantity, e.Malformed = "", []string{"quantity"} }, metering.BadArgument, "Quantity"},
		{"MTR-48 absent", number(""), metering.BadArgument, "Quantity"},
		{"the window is looked at before the dimension", func(e *metering.Event) {
			e.EffectiveStart, e.Dimension = "2022-02-28T13:00:00", "undefined"
		}, metering.Expired, "effectiveStartTime"},
		{"the dimension before the quantity", func(e *metering.Event) { e.Dimension, e.Quantity = "undefined", "0" }, metering.InvalidDimension, "dimension"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, _, _ := service(t)
			got := report(s, reporter, []metering.Event{event(c.change)})[0]
			require.Equal(t, c.want, got.Status, "%+v", got)
			if c.target != "" {
				require.Len(t, got.Details, 1)
				require.Equal(t, c.target, got.Details[0].Target)
			}
		})
	}
}

func TestEverythingMissingIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	s, _, _ := service(t)
	got := report(s, reporter, []metering.Event{{}})[0]
	require.Equal(t, metering.BadArgument, got.Status)
	require.Len(t, got.Details, 5)
	require.Equal(t, fault.Detail{Code: "BadArgument", Target: "ResourceId", Message: "The resourceId is required."}, got.Details[0]) // MTR-36
}

func TestManagedIdentityOwnsNoSubscription(t *testing.T) {
	t.Parallel()
	s, _, _ := service(t)
	identity := reporter
	identity.Kind = account.ManagedIdentity
	got := report(s, identity, []metering.Event{event(nil)})[0]
	require.Equal(t, metering.ResourceNotAuthorized, got.Status) // MTR-30
}

func TestOneAnHour(t *testing.T) {
	t.Parallel()
	s, usage, outbox := service(t)
	accept := func(change func(*metering.Event)) metering.Result {
		return report(s, reporter, []metering.Event{event(change)})[0]
	}
	first := accept(nil)
	require.Equal(t, metering.Accepted, first.Status)
	again := accept(func(e *metering.Event) { e.Quantity, e.EffectiveStart = "7", "2022-03-02T10:59:59.9" })
	require.Equal(t, metering.Duplicate, again.Status) // MTR-50, MTR-51
	require.Equal(t, first.Usage.EventID, again.Existing.EventID)
	require.Equal(t, "2.5", again.Existing.Quantity) // MTR-52
	require.Equal(t, "2022-03-02T10:05:00", again.Existing.EffectiveStart)
	require.Equal(t, metering.Accepted, accept(func(e *metering.Event) { e.Dimension = "text" }).Status)                     // MTR-49
	require.Equal(t, metering.Accepted, accept(func(e *metering.Event) { e.EffectiveStart = "2022-03-02T11:00:00" }).Status) // MTR-50
	require.Equal(t, metering.Accepted, accept(func(e *metering.Event) { e.EffectiveStart = "2022-03-02T02:00:00" }).Status) // MTR-54
	require.Equal(t, metering.InvalidQuantity, accept(func(e *metering.Event) { e.EffectiveStart, e.Quantity = "2022-03-02T03:00:00", "0" }).Status)
	require.Equal(t, metering.Accepted, accept(func(e *metering.Event) { e.EffectiveStart = "2022-03-02T03:30:00" }).Status) // MTR-51: a refused one does not block
	require.NoError(t, usage.Flush(t.Context()))
	require.Len(t, outbox.Messages(message.LedgerEvents), 5)

	count(t, usage, outbox)
	days, err := s.Reported(t.Context(), reporter, metering.Filter{Start: now.AddDate(0, 0, -1)})
	require.NoError(t, err)
	require.Len(t, days, 2) // MTR-86
	require.Equal(t, "email", days[0].Dimension)
	require.Equal(t, 4, days[0].Count())
	require.Equal(t, "10", days[0].Sum.String())
}

func TestBatch(t *testing.T) {
	t.Parallel()
	s, usage, outbox := service(t)
	got := report(s, reporter, []metering.Event{
		event(func(e *metering.Event) { e.EffectiveStart = "2022-03-02T09:30:00" }),
		event(func(e *metering.Event) { e.EffectiveStart, e.Quantity = "2022-03-02T09:45:00", "9" }),
		event(func(e *metering.Event) { e.ResourceID = "21111111-0000-4000-8000-000000000001" }),
		event(func(e *metering.Event) { e.Dimension = "fax" }),
		event(func(e *metering.Event) { e.ResourceID = other }),
		event(func(e *metering.Event) { e.ResourceID, e.EffectiveStart = gone, "2022-03-02T09:30:00" }),
	})
	var statuses []metering.Status
	for _, r := range got {
		statuses = append(statuses, r.Status)
	}
	// MTR-58, MTR-59, MTR-60, MTR-61
	require.Equal(t, []metering.Status{
		metering.Accepted, metering.Duplicate, metering.ResourceNotFound, metering.InvalidDimension, metering.ResourceNotAuthorized, metering.Accepted,
	}, statuses)
	require.Equal(t, got[0].Usage, got[1].Existing)
	require.NoError(t, usage.Flush(t.Context()))
	require.Len(t, outbox.Messages(message.LedgerEvents), 2, "one message for each resource")
}

// Fifty callers send the same batch at once: each event is accepted exactly once (MTR-53).
func TestSameBatchAtOnce(t *testing.T) {
	t.Parallel()
	s, _, _ := service(t)
	var events []metering.Event
	for hour := range 12 {
		for _, id := range []string{sub1, fresh} {
			if id == fresh && hour != 11 {
				continue
			}
			events = append(events, event(func(e *metering.Event) {
				e.ResourceID, e.EffectiveStart = id, fmt.Sprintf("2022-03-02T%02d:30:00", hour)
			}))
		}
	}
	accepted := make([]atomic.Int32, len(events))
	ids := make([]sync.Map, len(events))
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			for i, r := range report(s, reporter, events) {
				switch r.Status {
				case metering.Accepted:
					accepted[i].Add(1)
					ids[i].Store(r.Usage.EventID, true)
				case metering.Duplicate:
					ids[i].Store(r.Existing.EventID, true)
				default:
					t.Errorf("event %d: %v %v", i, r.Status, r.Err)
				}
			}
		})
	}
	group.Wait()
	for i := range events {
		require.EqualValues(t, 1, accepted[i].Load(), "event %d", i)
		n := 0
		ids[i].Range(func(any, any) bool { n++; return true })
		require.Equal(t, 1, n, "all answers of event %d name the same event", i)
	}
}

func TestRangeOfReadingBack(t *testing.T) {
	t.Parallel()
	s, _, _ := service(t)
	for name, f := range map[string]metering.Filter{
		"MTR-87 no start":         {},
		"MTR-89 end before start": {Start: now, End: now.Add(-1)},
		"MTR-89 over 366 days":    {Start: now.Add(-366*24*time.Hour - 1), End: now},
	} {
		_, err := s.Reported(t.Context(), reporter, f)
		require.True(t, fault.Is(err, fault.Invalid), name)
	}
	days, err := s.Reported(t.Context(), reporter, metering.Filter{Start: now.Add(-366 * 24 * time.Hour), End: now})
	require.NoError(t, err)
	require.Empty(t, days)
}

// Whatever is sent, an accepted quantity is the text that was sent, and nothing else is stored.
func TestQuantityStaysAsSent(t *testing.T) {
	t.Parallel()
	s, usage, _ := service(t)
	hours := atomic.Int64{}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[1-9][0-9]{0,11}(\.[0-9]{1,20})?`).Draw(t, "quantity")
		hour := now.Add(-time.Duration(hours.Add(1)%23) * time.Hour).Format("2006-01-02T15:04:05")
		got := report(s, reporter, []metering.Event{event(func(e *metering.Event) {
			e.Quantity, e.EffectiveStart = text, hour
		})})[0]
		if got.Status == metering.Duplicate {
			return
		}
		require.Equal(t, metering.Accepted, got.Status)
		stored, err := usage.Between(context.Background(), sub1, "email", got.Usage.Effective, got.Usage.Effective.Add(1))
		require.NoError(t, err)
		require.Equal(t, text, stored[0].Quantity)
	})
}
