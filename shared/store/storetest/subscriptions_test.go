package storetest_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/store"
	"stoa/shared/subscription"
)

func TestSubscriptions(t *testing.T) {
	t.Parallel()
	both(t, map[string]func(t *testing.T, b *backing){
		"what is written is read":                subscriptionsRoundTrip,
		"an id is taken once":                    subscriptionsUnique,
		"a save needs what was read":             subscriptionsLocks,
		"of many saves one wins at a time":       subscriptionsRace,
		"a save is all or nothing":               subscriptionsAtomic,
		"lists go on behind a position":          subscriptionsLists,
		"a scan finds all and nothing else":      subscriptionsScan,
		"the first trial claim stands":           subscriptionsTrials,
		"what was accepted first stands":         subscriptionsAcceptances,
		"tokens and the mark are kept":           subscriptionsTokens,
		"messages go out once, due ones in time": subscriptionsMessages,
	})
}

func guid(n int) string { return fmt.Sprintf("%08d-0000-4000-8000-%012d", n, n) }

// idOf is the id of the n-th subscription to an offer of a publisher.
func idOf(publisher string, n int) string {
	return subscription.NewID(publisher, time.Date(2026, 1, 1, 0, 0, n, 0, time.UTC), guid(n))
}

func id(n int) string { return idOf("contoso", n) }

func bought(b *backing, n int) subscription.Subscription {
	at := b.now().Add(time.Duration(n))
	return subscription.Subscription{
		ID: id(n), Name: "näme 日本 😀", PublisherID: "contoso", OfferID: "offer/1", PlanID: "silver", Quantity: 3, Status: subscription.Subscribed,
		Beneficiary: subscription.Party{EmailID: "a@b", ObjectID: "o", TenantID: "t1", PID: "o"}, Purchaser: subscription.Party{TenantID: "t2"},
		TermUnit: subscription.Monthly, UnitPrice: decimal.RequireFromString("9.99"),
		Terms: []subscription.Term{{Number: 1, Unit: subscription.Monthly, StartDate: "2026-01-31", EndDate: "2026-02-27", UnitPrice: decimal.RequireFromString("9.99")}},
		Plans: []subscription.PlanSpan{{PlanID: "silver", From: at, UnitPrice: decimal.New(0, 0)}}, CreatedAt: at, ChangedAt: at,
	}
}

func operation(b *backing, sub string, n int) subscription.Operation {
	return subscription.Operation{ID: guid(1000 + n), SubscriptionID: sub, Action: subscription.ActionRenew, Status: subscription.Succeeded,
		CreatedAt: b.now(), UnitPrice: decimal.New(0, 0)}
}

func subscriptionsRoundTrip(t *testing.T, b *backing) {
	s := store.NewSubscriptions(b.DB)
	want := bought(b, 1)
	require.NoError(t, s.Create(t.Context(), want))
	got, err := s.Subscription(t.Context(), want.ID)
	require.NoError(t, err)
	require.NotEmpty(t, got.ETag)
	want.ETag = got.ETag
	require.Equal(t, want, got)
	o := operation(b, want.ID, 1)
	require.NoError(t, s.Save(t.Context(), subscription.Change{Subscription: got, Operations: []subscription.Operation{o}}))
	stored, err := s.Operation(t.Context(), want.ID, o.ID)
	require.NoError(t, err)
	require.NotEmpty(t, stored.ETag)
	o.ETag = stored.ETag
	require.Equal(t, o, stored)
	_, err = s.Operation(t.Context(), want.ID, id(9))
	requireKind(t, err, fault.NotFound)
	_, err = s.Subscription(t.Context(), id(9))
	requireKind(t, err, fault.NotFound)
}

func subscriptionsUnique(t *testing.T, b *backing) {
	s := store.NewSubscriptions(b.DB)
	var won, lost atomic.Int32
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			sub := bought(b, 1)
			sub.Name = fmt.Sprint(i)
			switch err := s.Create(context.Background(), sub); {
			case err == nil:
				won.Add(1)
			case fault.Is(err, fault.Conflict):
				lost.Add(1)
			}
		})
	}
	group.Wait()
	require.Equal(t, []int32{1, 7}, []int32{won.Load(), lost.Load()})
}

func subscriptionsLocks(t *testing.T, b *backing) {
	s := store.NewSubscriptions(b.DB)
	require.NoError(t, s.Create(t.Context(), bought(b, 1)))
	require.Error(t, s.Save(t.Context(), subscription.Change{Subscription: bought(b, 1)}), "it was never read")
	first, err := s.Subscription(t.Context(), id(1))
	require.NoError(t, err)
	second := first
	first.Quantity = 4
	require.NoError(t, s.Save(t.Context(), subscription.Change{Subscription: first}))
	second.Quantity = 5
	requireKind(t, s.Save(t.Context(), subscription.Change{Subscription: second}), fault.StaleETag)
	got, err := s.Subscription(t.Context(), id(1))
	require.NoError(t, err)
	require.EqualValues(t, 4, got.Quantity)
	got.Quantity = 4 // the same again: still another act, with another row
	require.NoError(t, s.Save(t.Context(), subscription.Change{Subscription: got}))
	requireKind(t, s.Save(t.Context(), subscription.Change{Subscription: got}), fault.StaleETag)
}

func subscriptionsRace(t *testing.T, b *backing) {
	s := store.NewSubscriptions(b.DB)
	require.NoError(t, s.Create(t.Context(), bought(b, 1)))
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for {
				sub, err := s.Subscription(context.Background(), id(1))
				if err != nil {
					continue
				}
				sub.Quantity++
				if s.Save(context.Background(), subscription.Change{Subscription: sub}) == nil {
					return
				}
			}
		})
	}
	group.Wait()
	sub, err := s.Subscription(t.Context(), id(1))
	require.NoError(t, err)
	require.EqualValues(t, 7, sub.Quantity, "no change was lost")
}

func subscriptionsAtomic(t *testing.T, b *backing) {
	s := store.NewSubscriptions(b.DB)
	require.NoError(t, s.Create(t.Context(), bought(b, 1)))
	sub, err := s.Subscription(t.Context(), id(1))
	require.NoError(t, err)
	require.NoError(t, s.Save(t.Context(), subscription.Change{Subscription: sub, Operations: []subscription.Operation{operation(b, sub.ID, 1)}}))
	o, err := s.Operation(t.Context(), sub.ID, guid(1001))
	require.NoError(t, err)
	stale := sub // its lock is spent
	o.Status = subscription.Failed
	change := subscription.Change{Subscription: stale, Operations: []subscription.Operation{o, operation(b, sub.ID, 2)},
		Messages: []message.Message{message.New("never", message.Webhooks, 1)}}
	requireKind(t, s.Save(t.Context(), change), fault.StaleETag)
	kept, err := s.Operation(t.Context(), sub.ID, guid(1001))
	require.NoError(t, err)
	require.Equal(t, subscription.Succeeded, kept.Status)
	_, err = s.Operation(t.Context(), sub.ID, guid(1002))
	requireKind(t, err, fault.NotFound)
	require.NoError(t, b.Flush(t.Context()))
	require.Empty(t, b.outbox.Messages(message.Webhooks))
}

func subscriptionsLists(t *testing.T, b *backing) {
	s := store.NewSubscriptions(b.DB)
	var want []string
	byID := func(sub *subscription.Subscription) string { return sub.ID }
	for i := range 7 {
		require.NoError(t, s.Create(t.Context(), bought(b, i)))
		want = append(want, id(i))
	}
	other := bought(b, 100)
	other.ID = idOf("contoso-2", 100)
	other.PublisherID, other.Beneficiary.TenantID, other.Purchaser.TenantID = "contoso-2", "t3", "t3"
	require.NoError(t, s.Create(t.Context(), other))
	for _, list := range []struct {
		name     string
		read     func(ctx context.Context, id, after string, limit int) ([]subscription.Subscription, error)
		of       string
		position func(*subscription.Subscription) string
	}{
		{"publisher", s.OfPublisher, "contoso", byID},
		{"beneficiary", s.OfTenant, "t1", (*subscription.Subscription).Position},
		{"purchaser", s.OfTenant, "t2", (*subscription.Subscription).Position},
	} {
		var got []string
		for after := ""; ; {
			page, err := list.read(t.Context(), list.of, after, 3)
			require.NoError(t, err)
			for _, sub := range page {
				got = append(got, sub.ID)
				after = list.position(&sub)
			}
			if len(page) < 3 {
				break
			}
		}
		require.Equal(t, want, got, list.name)
	}
	both, err := s.OfTenant(t.Context(), "t3", "", 10)
	require.NoError(t, err)
	require.Len(t, both, 1, "who buys for himself finds it once")
}

func subscriptionsScan(t *testing.T, b *backing) {
	s := store.NewSubscriptions(b.DB)
	want := map[string]bool{}
	for i := range 9 {
		require.NoError(t, s.Create(t.Context(), bought(b, i)))
		sub, err := s.Subscription(t.Context(), id(i))
		require.NoError(t, err)
		require.NoError(t, s.Save(t.Context(), subscription.Change{Subscription: sub, Operations: []subscription.Operation{operation(b, sub.ID, i)}}))
		want[id(i)], want[guid(1000+i)] = true, true
	}
	_, err := s.ClaimTrial(t.Context(), subscription.TrialClaim{TenantID: "t1", PublisherID: "contoso", OfferID: "o", SubscriptionID: id(1), At: b.now()})
	require.NoError(t, err)
	got := map[string]bool{}
	for after := ""; ; {
		subs, ops, next, err := s.Scan(t.Context(), after, 4)
		require.NoError(t, err)
		for _, sub := range subs {
			got[sub.ID] = true
		}
		for _, o := range ops {
			got[o.ID] = true
		}
		if after = next; next == "" {
			break
		}
	}
	require.Equal(t, want, got)
}

func subscriptionsTrials(t *testing.T, b *backing) {
	var group sync.WaitGroup
	claims := make([]subscription.TrialClaim, 6)
	for i := range claims {
		s := store.NewSubscriptions(b.open(fmt.Sprint("process", i))) // each in a process of its own
		group.Go(func() {
			claims[i], _ = s.ClaimTrial(context.Background(), subscription.TrialClaim{
				TenantID: "t1", PublisherID: "contoso", OfferID: "offer/1", SubscriptionID: id(i), At: b.now(),
			})
		})
	}
	group.Wait()
	for _, c := range claims {
		require.NotEmpty(t, c.SubscriptionID)
		require.Equal(t, claims[0], c, "all meet the one that stands")
	}
	s := store.NewSubscriptions(b.DB)
	other, err := s.ClaimTrial(t.Context(), subscription.TrialClaim{TenantID: "t2", PublisherID: "contoso", OfferID: "offer/1", SubscriptionID: "x", At: b.now()})
	require.NoError(t, err)
	require.Equal(t, "x", other.SubscriptionID, "another tenant has its own")
}

// subscriptionsAcceptances are of a tenant, an offer and a document; every process sees the first one (SAS-19).
func subscriptionsAcceptances(t *testing.T, b *backing) {
	here, there := store.NewSubscriptions(b.DB), store.NewSubscriptions(b.open("there"))
	of := func(tenant, offer, document string) subscription.AcceptanceKey {
		return subscription.AcceptanceKey{TenantID: tenant, PublisherID: "contoso", OfferID: offer, Document: document}
	}
	first := subscription.Acceptance{AcceptanceKey: of("t1", "offer/1", "terms:#?"), ObjectID: "o1", At: b.now()}
	_, err := there.Acceptance(t.Context(), first.AcceptanceKey)
	requireKind(t, err, fault.NotFound)
	require.NoError(t, here.Accept(t.Context(), first))
	b.advance(time.Hour)
	for _, s := range []*store.Subscriptions{there, here} {
		require.NoError(t, s.Accept(t.Context(), subscription.Acceptance{AcceptanceKey: first.AcceptanceKey, ObjectID: "o2", At: b.now()}))
		got, err := s.Acceptance(t.Context(), first.AcceptanceKey)
		require.NoError(t, err)
		require.Equal(t, first, got)
	}
	for _, k := range []subscription.AcceptanceKey{of("t2", "offer/1", "terms:#?"), of("t1", "offer", "terms:#?"), of("t1", "offer/1", "terms:"), {TenantID: "t1", Document: "terms:#?"}} {
		_, err := here.Acceptance(t.Context(), k)
		requireKind(t, err, fault.NotFound)
	}
}

func subscriptionsTokens(t *testing.T, b *backing) {
	s := store.NewSubscriptions(b.DB)
	token := subscription.LandingToken{Hash: "abc", SubscriptionID: "a", PublisherID: "contoso", Reason: "Configure", IssuedAt: b.now(), ExpiresAt: b.now()}
	require.NoError(t, s.AddToken(t.Context(), token))
	got, err := s.Token(t.Context(), "abc")
	require.NoError(t, err)
	require.Equal(t, token, got)
	_, err = s.Token(t.Context(), "abd")
	requireKind(t, err, fault.NotFound)
	for _, mark := range []string{"", "x", "y|z", ""} {
		require.NoError(t, s.SetMark(t.Context(), mark))
		got, err := s.Mark(t.Context())
		require.NoError(t, err)
		require.Equal(t, mark, got)
	}
}

func subscriptionsMessages(t *testing.T, b *backing) {
	s := store.NewSubscriptions(b.DB)
	later := message.New("later", message.Webhooks, 2).At(b.now().AddDate(0, 0, 30))
	require.NoError(t, s.Create(t.Context(), bought(b, 1), message.New("now", message.Webhooks, 1), later))
	require.NoError(t, b.Flush(t.Context()))
	require.Len(t, b.outbox.Messages(message.Webhooks), 1)
	b.advance(30*24*time.Hour - 1)
	n, err := b.Release(t.Context(), b.now(), 10)
	require.NoError(t, err)
	require.Zero(t, n)
	b.advance(1)
	n, err = b.Release(t.Context(), b.now(), 10)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.NoError(t, b.Flush(t.Context()))
	require.Len(t, b.outbox.Messages(message.Webhooks), 2)
}
