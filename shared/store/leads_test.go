package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"stoa/shared/fault"
	"stoa/shared/lead"
	"stoa/shared/message"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
)

func newLeads() (*store.Leads, *storetest.Outbox, *time.Time) {
	at := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	db, outbox := storetest.NewTwin(func() time.Time { return at })
	return store.NewLeads(db), outbox, &at
}

func TestLeadsRoundTrip(t *testing.T) {
	t.Parallel()
	leads, _, at := newLeads()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		l := lead.Lead{
			ID: fmt.Sprint("l", n, "#/", n), PublisherID: rapid.StringMatching(`[a-z/#? ]{1,6}`).Draw(t, "publisher"), OfferID: "app",
			Customer: lead.Customer{FirstName: rapid.String().Draw(t, "name"), Email: "a@b.example"}, CapturedAt: *at, State: lead.Queued, Next: 1,
			Attempts: []lead.Attempt{{Number: 1, StartedAt: *at, EndedAt: *at, Outcome: "retry"}},
		}
		require.NoError(t, leads.Add(t.Context(), l))
		got, err := leads.Lead(t.Context(), l.PublisherID, l.ID)
		require.NoError(t, err)
		require.NotEmpty(t, got.Lock)
		got.Lock = ""
		require.Equal(t, l, got)
	})
}

func TestLeadsAct(t *testing.T) {
	t.Parallel()
	leads, outbox, at := newLeads()
	ctx := t.Context()
	l := lead.Lead{ID: "l1", PublisherID: "contoso", CapturedAt: *at, State: lead.Queued}
	require.NoError(t, leads.Add(ctx, l, message.New("m1", message.Leads, 1)))
	again := l
	again.CapturedAt = at.Add(time.Hour)
	require.True(t, fault.Is(leads.Add(ctx, again, message.New("m2", message.Leads, 2)), fault.Conflict), "LED-3 whenever it comes")
	require.Len(t, outbox.Messages(message.Leads), 1, "LED-3 nothing is sent for the second")
	first, err := leads.Lead(ctx, "contoso", "l1")
	require.NoError(t, err)
	require.NoError(t, leads.Save(ctx, first))
	require.True(t, fault.Is(leads.Save(ctx, first), fault.StaleETag))
	require.Error(t, leads.Save(ctx, l), "never read")
	_, err = leads.Lead(ctx, "fabrikam", "l1")
	require.True(t, fault.Is(err, fault.NotFound), "LED-65 another publisher's lead")
}

func TestLeadsLists(t *testing.T) {
	t.Parallel()
	leads, _, at := newLeads()
	ctx := t.Context()
	for i := range 5 {
		state := lead.Queued
		if i%2 == 0 {
			state = lead.Parked
		}
		l := lead.Lead{ID: fmt.Sprint("l", i), PublisherID: "contoso", OfferID: "app", CapturedAt: at.Add(time.Duration(i) * time.Minute), State: state}
		require.NoError(t, leads.Add(ctx, l))
	}
	ids := func(f lead.Filter) (out []string) {
		for {
			page, next, err := leads.Leads(ctx, f)
			require.NoError(t, err)
			for _, l := range page {
				out = append(out, l.ID)
			}
			if f.After = next; next == "" {
				return out
			}
		}
	}
	require.Equal(t, []string{"l4", "l3", "l2", "l1", "l0"}, ids(lead.Filter{PublisherID: "contoso", Limit: 2}), "the newest first")
	require.Equal(t, []string{"l4", "l2", "l0"}, ids(lead.Filter{PublisherID: "contoso", Limit: 1, State: lead.Parked}))
	require.Empty(t, ids(lead.Filter{PublisherID: "contoso", Limit: 1, OfferID: "other"}))

	waiting, _, err := leads.Waiting(ctx, "", 10)
	require.NoError(t, err)
	require.Len(t, waiting, 3)
	p, err := leads.PublisherOf(ctx, "l2")
	require.NoError(t, err)
	require.Equal(t, "contoso", p)
	l, err := leads.Lead(ctx, "contoso", "l2")
	require.NoError(t, err)
	l.State = lead.Delivered
	require.NoError(t, leads.Save(ctx, l))
	waiting, _, err = leads.Waiting(ctx, "", 10)
	require.NoError(t, err)
	require.Len(t, waiting, 2, "one has moved on")
	_, err = leads.PublisherOf(ctx, "l2")
	require.NoError(t, err, "its row is young: it may be about to wait")
	*at = at.Add(2 * time.Hour)
	_, _, err = leads.Waiting(ctx, "", 10)
	require.NoError(t, err)
	_, err = leads.PublisherOf(ctx, "l2")
	require.True(t, fault.Is(err, fault.NotFound), "an old row of a lead that does not wait goes")
}
