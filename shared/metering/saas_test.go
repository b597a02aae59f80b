package metering_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/fault"
	"stoa/shared/metering"
	"stoa/shared/offer"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
	"stoa/shared/subscription"
)

// counted counts how many subscriptions are read.
type counted struct {
	*store.Subscriptions
	reads atomic.Int32
}

func (c *counted) Subscription(ctx context.Context, id string) (subscription.Subscription, error) {
	c.reads.Add(1)
	return c.Subscriptions.Subscription(ctx, id)
}

// oneOffer is the live offer of everything.
type oneOffer struct{}

func (oneOffer) Live(context.Context, string, string) (offer.Version, error) {
	return offer.Version{Content: offer.Content{Plans: []offer.Plan{{ID: "basic"}, {ID: "gold"}}}}, nil
}

func (oneOffer) InPreview(context.Context, string, string) (offer.Version, error) {
	return offer.Version{}, fault.New(fault.NotFound, "NotFound", "", "not in preview")
}

func TestRememberedSubscriptions(t *testing.T) {
	t.Parallel()
	var moved atomic.Int64
	clock := func() time.Time { return now.Add(time.Duration(moved.Load())) }
	db, _ := storetest.NewTwin(clock)
	here := &counted{Subscriptions: store.NewSubscriptions(db)}
	elsewhere := store.NewSubscriptions(db) // another process
	finder := metering.NewSaaS(here, oneOffer{}, clock)
	const n = 5
	id := func(i int) string {
		return subscription.NewID("contoso", now, fmt.Sprintf("00000000-0000-4000-8000-%012d", i))
	}
	for i := range n {
		require.NoError(t, elsewhere.Create(t.Context(), subscription.Subscription{
			ID: id(i), PublisherID: "contoso", OfferID: "cns", PlanID: "basic", Status: subscription.Subscribed, ActivatedAt: now.AddDate(0, 0, -1),
		}))
	}
	find := func(upTo time.Time, reads int) map[string]metering.Found {
		t.Helper()
		wanted := map[string]time.Time{}
		for i := range n {
			wanted[id(i)] = upTo
		}
		here.reads.Store(0)
		found := finder.Find(t.Context(), wanted)
		require.Len(t, found, n)
		for ref, f := range found {
			require.NoError(t, f.Err)
			require.Equal(t, ref, f.Resource.ID)
			require.Contains(t, f.Resource.Meters, "gold")
		}
		require.EqualValues(t, reads, here.reads.Load())
		return found
	}
	save := func(i int, change func(*subscription.Subscription)) {
		t.Helper()
		sub, err := elsewhere.Subscription(t.Context(), id(i))
		require.NoError(t, err)
		change(&sub)
		require.NoError(t, elsewhere.Save(t.Context(), subscription.Change{Subscription: sub}))
	}
	past := now.Add(-time.Hour)
	find(past, n)
	find(past, 0)

	// MTR-41: whoever suspends it, it counts at once.
	save(1, func(s *subscription.Subscription) { s.Status = subscription.Suspended })
	require.Equal(t, subscription.Suspended, find(past, 1)[id(1)].Resource.Status)
	save(2, func(s *subscription.Subscription) { s.Status, s.EndedAt = subscription.Unsubscribed, now })
	found := find(past, 2)
	require.Equal(t, subscription.Unsubscribed, found[id(2)].Resource.Status)

	// MTR-45: the plan of a time after the reading is read.
	save(3, func(s *subscription.Subscription) { s.PlanID = "gold" })
	require.Equal(t, "basic", find(past, 2)[id(3)].Resource.PlanID)
	require.Equal(t, "gold", find(now, n)[id(3)].Resource.PlanID)

	// After a while everything is read again.
	moved.Store(int64(10 * time.Minute))
	find(past, n)
	find(past, 2)

	// A list that is too long to tell, or that has been shortened, is not believed.
	for i := range 500 {
		require.NoError(t, elsewhere.Create(t.Context(), subscription.Subscription{ID: id(n + i), PublisherID: "contoso"}))
		sub, err := elsewhere.Subscription(t.Context(), id(n+i))
		require.NoError(t, err)
		sub.Status = subscription.Unsubscribed
		require.NoError(t, elsewhere.Save(t.Context(), subscription.Change{Subscription: sub}))
	}
	find(past, n)
	_, complete, err := elsewhere.Lapsed(t.Context(), "contoso", clock().Add(-51*time.Minute))
	require.NoError(t, err)
	require.False(t, complete)
}
