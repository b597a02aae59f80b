package store_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/offer"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
	"stoa/shared/store/table"
	"stoa/shared/store/table/tabletest"
	"stoa/shared/subscription"
	"stoa/shared/subscription/subscriptiontest"
)

// counted counts the calls of a table.
type counted struct {
	table.Table
	count func(what string)
}

func (c counted) Get(ctx context.Context, partition, key string) (table.Row, error) {
	c.count("get")
	return c.Table.Get(ctx, partition, key)
}

func (c counted) Apply(ctx context.Context, ops ...table.Op) ([]string, error) {
	c.count("apply")
	return c.Table.Apply(ctx, ops...)
}

func (c counted) Query(ctx context.Context, q table.Query) (table.Page, error) {
	c.count("query")
	return c.Table.Query(ctx, q)
}

// Reading a subscription is one read, activating it one read and one transaction, once its offer is known.
func TestCallsOfTheHotPaths(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	calls := map[string]int{}
	var account tabletest.Account
	now := func() time.Time { return time.Date(2019, 5, 31, 10, 0, 0, 0, time.UTC) }
	tables := func(name string) table.Table {
		if name != "subscriptions" {
			return account.Table(name)
		}
		return counted{account.Table(name), func(what string) {
			mu.Lock()
			defer mu.Unlock()
			calls[what]++
		}}
	}
	db := store.New(store.Deps{Tables: tables, Sender: storetest.NewOutbox(now), Now: now, NewID: uuid.NewString})
	offers := &subscriptiontest.Offers{}
	c := subscriptiontest.Content()
	c.Plans = c.Plans[:2] // without trials
	offers.Put(offer.Version{Slot: offer.Production, Content: c})
	service, err := subscription.New(subscription.Deps{
		Store: store.NewSubscriptions(db), Offers: offers, Publishers: subscriptiontest.Publishers{}, Calls: &subscriptiontest.Hook{},
		Sign:   func(context.Context, string, string) (string, error) { return "", nil },
		Random: rand.Reader, Now: now, NewID: uuid.NewString,
	})
	require.NoError(t, err)
	sub, err := service.Purchase(t.Context(), subscriptiontest.Order("silver", 20))
	require.NoError(t, err)
	require.NoError(t, db.Flush(t.Context()))
	take := func() map[string]int {
		mu.Lock()
		defer mu.Unlock()
		taken := calls
		calls = map[string]int{}
		return taken
	}
	take()
	sub, err = service.Owned(t.Context(), subscriptiontest.App, sub.ID)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"get": 1}, take())
	// The second apply removes the outbox row behind the answer.
	require.NoError(t, service.Activate(t.Context(), sub, subscription.Activation{PlanID: "silver"}))
	require.NoError(t, db.Flush(t.Context()))
	require.Equal(t, map[string]int{"apply": 2}, take())
}

func example(id string, at time.Time) subscription.Subscription {
	party := subscription.Party{EmailID: "a@b", ObjectID: "o", TenantID: "t1", PID: "o"}
	return subscription.Subscription{
		ID: id, Name: "näme", PublisherID: "contoso", OfferID: "offer/1", PlanID: "silver", Quantity: 3, Status: subscription.Subscribed,
		Beneficiary: party, Purchaser: subscription.Party{TenantID: "t2"}, TermUnit: subscription.Monthly, UnitPrice: decimal.RequireFromString("9.99"),
		Terms: []subscription.Term{{Number: 1, Unit: subscription.Monthly, StartDate: "2019-05-31", EndDate: "2019-06-29", UnitPrice: decimal.RequireFromString("9.99")}},
		Plans: []subscription.PlanSpan{{PlanID: "silver", From: at, UnitPrice: decimal.New(0, 0)}}, CreatedAt: at, ChangedAt: at,
	}
}

func TestSubscriptionsRoundTrip(t *testing.T) {
	t.Parallel()
	ctx, now := t.Context(), time.Date(2019, 5, 31, 10, 0, 0, 7, time.UTC)
	db, outbox := storetest.NewTwin(func() time.Time { return now })
	s := store.NewSubscriptions(db)
	id := subscription.NewID("contoso", now, uuid.NewString())
	want := example(id, now)
	require.NoError(t, s.Create(ctx, want, message.New("m1", message.Webhooks, 1)))
	require.True(t, fault.Is(s.Create(ctx, want), fault.Conflict))
	require.Len(t, outbox.Messages(message.Webhooks), 1)
	got, err := s.Subscription(ctx, id)
	require.NoError(t, err)
	require.NotEmpty(t, got.ETag)
	want.ETag = got.ETag
	require.Equal(t, want, got)

	o := subscription.Operation{ID: uuid.NewString(), SubscriptionID: id, Action: subscription.ActionRenew, Status: subscription.Succeeded, CreatedAt: now, UnitPrice: decimal.New(0, 0)}
	got.PendingOp = o.ID
	change := subscription.Change{Subscription: got, Operations: []subscription.Operation{o}, Messages: []message.Message{message.New("m2", message.Webhooks, 2)}}
	require.NoError(t, s.Save(ctx, change))
	require.True(t, fault.Is(s.Save(ctx, change), fault.StaleETag), "the ETag that was read is spent")
	require.Len(t, outbox.Messages(message.Webhooks), 2)
	first, err := db.Table("subscriptions").Get(ctx, "group|"+id[:16], "sub|"+id)
	require.NoError(t, err)
	got, err = s.Subscription(ctx, id)
	require.NoError(t, err)
	require.NoError(t, s.Save(ctx, subscription.Change{Subscription: got}))
	second, err := db.Table("subscriptions").Get(ctx, "group|"+id[:16], "sub|"+id)
	require.NoError(t, err)
	require.NotEqual(t, string(first.Data), string(second.Data), "two acts never leave the same row")
	stored, err := s.Operation(ctx, id, o.ID)
	require.NoError(t, err)
	o.ETag = stored.ETag
	require.Equal(t, o, stored)
	_, err = s.Operation(ctx, id, uuid.NewString())
	require.True(t, fault.Is(err, fault.NotFound))
	_, err = s.Subscription(ctx, uuid.NewString())
	require.True(t, fault.Is(err, fault.NotFound))
}

func TestListsSkipWhatWasNeverBought(t *testing.T) {
	t.Parallel()
	ctx, now := t.Context(), time.Date(2019, 5, 31, 10, 0, 0, 0, time.UTC)
	db, _ := storetest.NewTwin(func() time.Time { return now })
	s := store.NewSubscriptions(db)
	var ids []string
	for i := range 7 {
		at := now.Add(time.Duration(i) * 1500 * time.Millisecond) // over several partitions
		sub := example(subscription.NewID("contoso", at, uuid.NewString()), at)
		ids = append(ids, sub.ID)
		require.NoError(t, s.Create(ctx, sub))
	}
	// The process died between list and subscription, and the purchase was repeated later.
	again := example(ids[3], now.Add(time.Hour))
	require.True(t, fault.Is(s.Create(ctx, again), fault.Conflict))
	dangling := table.Row{Partition: "tenant|t1", Key: now.Format("2006-01-02T15:04:05.000000000Z") + "|x", Data: []byte(`{"subscriptionId":"x"}`)}
	_, err := db.Table("subscriptions").Apply(ctx, table.Op{Action: table.Insert, Row: dangling})
	require.NoError(t, err)

	// Another publisher's whose group is the same by chance.
	foreign := example(ids[4][:35]+"x", now)
	foreign.PublisherID = "fabrikam"
	data, err := json.Marshal(foreign)
	require.NoError(t, err)
	_, err = db.Table("subscriptions").Apply(ctx, table.Op{Action: table.Insert, Row: table.Row{Partition: "group|" + foreign.ID[:16], Key: "sub|" + foreign.ID, Data: data}})
	require.NoError(t, err)
	require.Error(t, s.Create(ctx, example(uuid.NewString(), now)), "an id that no list would lead to")

	byID := func(sub *subscription.Subscription) string { return sub.ID }
	for _, list := range []struct {
		read     func(after string) ([]subscription.Subscription, error)
		position func(*subscription.Subscription) string
	}{
		{func(after string) ([]subscription.Subscription, error) {
			return s.OfPublisher(ctx, "contoso", after, 3)
		}, byID},
		{func(after string) ([]subscription.Subscription, error) { return s.OfTenant(ctx, "t1", after, 3) }, (*subscription.Subscription).Position},
		{func(after string) ([]subscription.Subscription, error) { return s.OfTenant(ctx, "t2", after, 3) }, (*subscription.Subscription).Position},
	} {
		var found []string
		after := ""
		for {
			subs, err := list.read(after)
			require.NoError(t, err)
			for _, sub := range subs {
				found = append(found, sub.ID)
				after = list.position(&sub)
			}
			if len(subs) < 3 {
				break
			}
		}
		require.Equal(t, ids, found)
	}
	subs, ops, next, err := s.Scan(ctx, "", 1000)
	require.NoError(t, err)
	require.Len(t, subs, 8, "lists, claims and marks are no subscriptions")
	require.Empty(t, ops)
	require.Empty(t, next)
}

func TestTrialClaimsTokensAndMarks(t *testing.T) {
	t.Parallel()
	ctx, now := t.Context(), time.Date(2019, 5, 31, 10, 0, 0, 0, time.UTC)
	db, _ := storetest.NewTwin(func() time.Time { return now })
	s := store.NewSubscriptions(db)
	first := subscription.TrialClaim{TenantID: "t1", PublisherID: "contoso", OfferID: "offer1", SubscriptionID: "a", At: now}
	second := first
	second.SubscriptionID = "b"
	for _, c := range []subscription.TrialClaim{first, second, first} {
		stands, err := s.ClaimTrial(ctx, c)
		require.NoError(t, err)
		require.Equal(t, first, stands)
	}
	token := subscription.LandingToken{Hash: "abc", SubscriptionID: "a", PublisherID: "contoso", Reason: "Configure", IssuedAt: now, ExpiresAt: now}
	require.NoError(t, s.AddToken(ctx, token))
	got, err := s.Token(ctx, "abc")
	require.NoError(t, err)
	require.Equal(t, token, got)
	_, err = s.Token(ctx, "abd")
	require.True(t, fault.Is(err, fault.NotFound))
	for _, mark := range []string{"", "x", ""} {
		require.NoError(t, s.SetMark(ctx, mark))
		got, err := s.Mark(ctx)
		require.NoError(t, err)
		require.Equal(t, mark, got)
	}
}

// A lapse is listed as long as a reader may ask for it, and then removed.
func TestLapses(t *testing.T) {
	t.Parallel()
	ctx, now := t.Context(), time.Date(2019, 5, 31, 10, 0, 0, 0, time.UTC)
	db, _ := storetest.NewTwin(func() time.Time { return now })
	s := store.NewSubscriptions(db)
	end := func() string {
		sub := example(subscription.NewID("contoso", now, uuid.NewString()), now)
		require.NoError(t, s.Create(ctx, sub))
		sub, err := s.Subscription(ctx, sub.ID)
		require.NoError(t, err)
		sub.Status = subscription.Unsubscribed
		require.NoError(t, s.Save(ctx, subscription.Change{Subscription: sub}))
		return sub.ID
	}
	listed := func() int {
		page, err := db.Table("subscriptions").Query(ctx, table.Query{Partition: "lapsed|contoso"})
		require.NoError(t, err)
		return len(page.Rows)
	}
	first := end()
	lapsed, complete, err := s.Lapsed(ctx, "contoso", now)
	require.NoError(t, err)
	require.True(t, complete)
	require.Equal(t, map[string]bool{first: true}, lapsed)
	now = now.Add(time.Hour)
	second := end()
	require.Equal(t, 2, listed(), "an hour is not over")
	lapsed, complete, err = s.Lapsed(ctx, "contoso", now.Add(-time.Minute))
	require.NoError(t, err)
	require.True(t, complete)
	require.Equal(t, map[string]bool{second: true}, lapsed)
	now = now.Add(time.Hour + time.Minute)
	end()
	require.Equal(t, 1, listed())
}
