package storetest_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/offer"
	"stoa/shared/packages"
	"stoa/shared/publish"
)

// offersClaims: of many who claim a registration one becomes its owner, and only from its owner is it taken over.
func offersClaims(t *testing.T, b *backing) {
	s := repository(b)
	r := offer.Registration{TenantID: "11111111-1111-1111-1111-111111111111", AppID: "22222222-2222-2222-2222-222222222222"}
	owners := make([]string, 6)
	var group sync.WaitGroup
	for i := range owners {
		group.Go(func() {
			owner, err := s.Claim(context.Background(), r, fmt.Sprint("publisher", i))
			if err == nil {
				owners[i] = owner
			}
		})
	}
	group.Wait()
	for _, owner := range owners {
		require.Equal(t, owners[0], owner, "SAS-30")
		require.NotEmpty(t, owner)
	}
	requireKind(t, s.Reclaim(t.Context(), r, "somebody", "another"), fault.StaleETag)
	require.NoError(t, s.Reclaim(t.Context(), r, owners[0], "another"))
	owner, err := s.Claim(t.Context(), r, "late")
	require.NoError(t, err)
	require.Equal(t, "another", owner)
}

// offersDelete: nothing of a deleted offer is left, and what lies beside it stays.
func offersDelete(t *testing.T, b *backing) {
	s := repository(b)
	for _, id := range []string{"app", "app2"} {
		require.NoError(t, s.Create(t.Context(), draft(b, "contoso", id, 3), offer.NewEvent(offer.OfferCreated, "o", "", b.now())))
		require.NoError(t, s.SavePackage(t.Context(), packages.Record{PublisherID: "contoso", OfferID: id, Name: "a.zip"}))
	}
	o, err := s.Offer(t.Context(), "contoso", "app")
	require.NoError(t, err)
	stale := o
	require.NoError(t, s.Commit(t.Context(), publish.Change{Offer: o, Submissions: []publish.Submission{{PublisherID: "contoso", OfferID: "app", Number: 1}}}))
	requireKind(t, s.Delete(t.Context(), stale), fault.StaleETag)
	require.Error(t, s.Delete(t.Context(), draft(b, "contoso", "app", 1)), "it was never read")
	o, err = s.Offer(t.Context(), "contoso", "app")
	require.NoError(t, err, "an act that failed leaves the offer")
	require.NoError(t, s.Delete(t.Context(), o))
	_, err = s.Offer(t.Context(), "contoso", "app")
	requireKind(t, err, fault.NotFound)
	_, err = s.Submission(t.Context(), "contoso", "app", 1)
	requireKind(t, err, fault.NotFound)
	_, err = s.Package(t.Context(), "contoso", "app", "a.zip")
	requireKind(t, err, fault.NotFound)
	events, _, err := s.History(t.Context(), "contoso", "app", "", 10)
	require.NoError(t, err)
	require.Empty(t, events)
	_, err = s.Package(t.Context(), "contoso", "app2", "a.zip")
	require.NoError(t, err)
	listed, _, err := s.Offers(t.Context(), "contoso", "", 10)
	require.NoError(t, err)
	require.Len(t, listed, 1)
	require.NoError(t, s.Create(t.Context(), draft(b, "contoso", "app", 1), offer.NewEvent(offer.OfferCreated, "o", "", b.now())), "its id is free")
}

// offersTell: the parts of an announcement are sent, also when one is told again.
func offersTell(t *testing.T, b *backing) {
	s := repository(b)
	for range 2 {
		require.NoError(t, s.Tell(t.Context(), "2026/01", "", []message.Message{message.New("announcement|contoso", message.Notifications, "hello")}))
	}
	require.NoError(t, b.Flush(t.Context()))
	require.NotEmpty(t, b.outbox.Messages(message.Notifications))
}
