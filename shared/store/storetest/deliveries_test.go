package storetest_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"stoa/shared/fault"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
	"stoa/shared/subscription"
)

func TestDeliveries(t *testing.T) {
	t.Parallel()
	both(t, map[string]func(t *testing.T, b *backing){
		"what is recorded is read":        deliveriesRoundTrip,
		"pages go on, the newest first":   deliveriesPages,
		"what is old goes, and goes once": deliveriesForget,
	})
}

// called is the n-th call for a publisher.
func called(b *backing, publisher string, n int) subscription.DeliveryAttempt {
	return subscription.DeliveryAttempt{
		At: b.now().Add(time.Duration(n) * time.Second), Kind: subscription.DeliveryByQueue, PublisherID: publisher, OfferID: "offer/1", PlanID: "silver",
		SubscriptionID: idOf(publisher, n%3), OperationID: guid(100 + n%5), Action: subscription.ActionSuspend, Attempt: n + 1, Status: 500,
		Latency: 40 * time.Millisecond, Answer: "näh 日本 \x00 😀", Outcome: subscription.DeliveryWaiting,
	}
}

func everyCall(t testing.TB, s *store.Deliveries, f subscription.DeliveryFilter) (all []subscription.DeliveryAttempt) {
	all = []subscription.DeliveryAttempt{}
	for {
		found, next, err := s.Attempts(t.Context(), f)
		require.NoError(t, err)
		require.LessOrEqual(t, len(found), f.Limit)
		all = append(all, found...)
		if f.After = next; next == "" {
			return all
		}
	}
}

func deliveriesRoundTrip(t *testing.T, b *backing) {
	s := store.NewDeliveries(b.DB)
	a := called(b, "contoso/#?", 1)
	require.NoError(t, s.Record(t.Context(), a))
	a.Outcome, a.NextAt = subscription.DeliveryAccepted, b.now()
	require.NoError(t, s.Record(t.Context(), a), "known better")
	sample := called(b, "contoso/#?", 2)
	sample.Kind, sample.OperationID = subscription.DeliveryTest, guid(7)
	require.NoError(t, s.Record(t.Context(), sample))
	require.Equal(t, []subscription.DeliveryAttempt{sample, a}, everyCall(t, s, subscription.DeliveryFilter{PublisherID: "contoso/#?", Limit: 10}))
	require.Empty(t, everyCall(t, s, subscription.DeliveryFilter{PublisherID: "contoso", Limit: 10}))
	id, err := s.SubscriptionOf(t.Context(), "contoso/#?", a.OperationID)
	require.NoError(t, err)
	require.Equal(t, a.SubscriptionID, id)
	for _, who := range [][2]string{{"contoso", a.OperationID}, {"contoso/#?", sample.OperationID}, {"contoso/#?", "nothing/#?"}} {
		_, err = s.SubscriptionOf(t.Context(), who[0], who[1])
		requireKind(t, err, fault.NotFound)
	}
}

func deliveriesPages(t *testing.T, b *backing) {
	s := store.NewDeliveries(b.DB)
	var all []subscription.DeliveryAttempt
	for n := range 23 {
		a := called(b, "contoso", n)
		require.NoError(t, s.Record(t.Context(), a))
		require.NoError(t, s.Record(t.Context(), called(b, "fabrikam", n)))
		all = append(all, a)
	}
	slices.Reverse(all)
	for _, f := range []subscription.DeliveryFilter{
		{Limit: 1}, {Limit: 22}, {Limit: 23}, {Limit: 24}, {Limit: 4, From: all[9].At}, {Limit: 10, From: all[9].At}, {Limit: 5, From: all[9].At.Add(1)},
		{Limit: 2, SubscriptionID: idOf("contoso", 1)}, {Limit: 2, OperationID: guid(103)}, {Limit: 1, OperationID: guid(103), SubscriptionID: idOf("contoso", 0)},
		{Limit: 5, SubscriptionID: idOf("fabrikam", 1)},
	} {
		f.PublisherID = "contoso"
		want := slices.DeleteFunc(slices.Clone(all), func(a subscription.DeliveryAttempt) bool {
			return a.At.Before(f.From) || f.SubscriptionID != "" && f.SubscriptionID != a.SubscriptionID || f.OperationID != "" && f.OperationID != a.OperationID
		})
		require.Equal(t, want, everyCall(t, s, f), "%+v", f)
	}
}

func deliveriesForget(t *testing.T, b *backing) {
	s := store.NewDeliveries(b.DB)
	begun := b.now()
	for range 3 { // days
		for n := range 7 {
			require.NoError(t, s.Record(t.Context(), called(b, "contoso", n)))
			require.NoError(t, s.Record(t.Context(), called(b, "fabrikam", n)))
		}
		b.advance(24 * time.Hour)
	}
	left := func(publisher string) int {
		return len(everyCall(t, s, subscription.DeliveryFilter{PublisherID: publisher, Limit: 100}))
	}
	total := 0
	for _, step := range []struct {
		before time.Time
		want   int
	}{{begun, 21}, {begun.Add(24 * time.Hour), 14}, {begun.Add(37 * time.Hour), 14}, {begun.Add(72 * time.Hour), 0}} {
		for runs := 0; ; runs++ { // a bounded run does a part
			n, err := s.Forget(t.Context(), step.before, 5)
			require.NoError(t, err)
			require.Less(t, runs, 100)
			if total += n; n == 0 {
				break
			}
		}
		require.Equal(t, []int{step.want, step.want}, []int{left("contoso"), left("fabrikam")}, step.before)
	}
	require.Equal(t, 2*3*(7+1), total, "the calls, and for each day and publisher its row")
	_, err := s.SubscriptionOf(t.Context(), "contoso", guid(101))
	requireKind(t, err, fault.NotFound)
	require.NoError(t, s.Record(t.Context(), called(b, "contoso", 1)))
	require.Equal(t, 1, left("contoso"))
}

// Any calls are listed by any filter as they are in memory, and those of days before are forgotten.
func TestAnyDeliveries(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		now := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
		db, _ := storetest.NewTwin(func() time.Time { return now })
		s := store.NewDeliveries(db)
		hours := rapid.SliceOfNDistinct(rapid.IntRange(0, 24*5), 0, 40, rapid.ID[int]).Draw(t, "hours")
		var all []subscription.DeliveryAttempt
		for i, h := range hours {
			a := subscription.DeliveryAttempt{
				At: now.Add(time.Duration(h) * time.Hour), Kind: subscription.DeliveryByHand, PublisherID: "contoso",
				SubscriptionID: fmt.Sprint("s", i%3), OperationID: fmt.Sprint("o", i%4),
			}
			if rapid.Bool().Draw(t, "automatic") {
				a.Kind, a.Attempt = subscription.DeliveryByQueue, i+1
			}
			require.NoError(t, s.Record(t.Context(), a))
			all = append(all, a)
		}
		before := now.Add(time.Duration(rapid.IntRange(0, 24*6).Draw(t, "before")) * time.Hour)
		for {
			n, err := s.Forget(t.Context(), before, rapid.IntRange(1, 50).Draw(t, "limit"))
			require.NoError(t, err)
			if n == 0 {
				break
			}
		}
		f := subscription.DeliveryFilter{
			PublisherID: "contoso", Limit: rapid.IntRange(1, 20).Draw(t, "page"), OperationID: rapid.SampledFrom([]string{"", "o1"}).Draw(t, "operation"),
			SubscriptionID: rapid.SampledFrom([]string{"", "s2"}).Draw(t, "subscription"), From: now.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "from")) * time.Hour),
		}
		var want []subscription.DeliveryAttempt
		for _, a := range all {
			if !a.At.Before(before.Truncate(24*time.Hour)) && !a.At.Before(f.From) &&
				(f.OperationID == "" || f.OperationID == a.OperationID) && (f.SubscriptionID == "" || f.SubscriptionID == a.SubscriptionID) {
				want = append(want, a)
			}
		}
		slices.SortFunc(want, func(a, b subscription.DeliveryAttempt) int { return b.At.Compare(a.At) })
		var got []subscription.DeliveryAttempt
		for {
			found, next, err := s.Attempts(t.Context(), f)
			require.NoError(t, err)
			got = append(got, found...)
			if f.After = next; next == "" {
				break
			}
		}
		require.Equal(t, want, got)
	})
}
