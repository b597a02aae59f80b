package storetest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/message"
	"stoa/shared/metering"
	"stoa/shared/store"
	"stoa/shared/store/table"
)

func TestUsage(t *testing.T) {
	t.Parallel()
	both(t, map[string]func(t *testing.T, b *backing){
		"what is added is read":                                        usageRoundTrip,
		"MTR-53 of many in one hour one is accepted":                   usageRace,
		"MTR-49 dimensions and hours are apart":                        usageApart,
		"MTR-58 a repeat does not harm the others":                     usageMixed,
		"an odd name is a key of its own":                              usageNames,
		"a page is not the end":                                        usageMany,
		"the ledger is told of each resource once":                     usageTold,
		"a process that died is made up for by a sweep":                usageSwept,
		"MTR-53 of one batch sent by 50 at once each is accepted once": usageBatchRace,
		"a dry run is told of, but not to the ledger":                  usageDry,
	})
}

func used(b *backing, resource, dimension, id string, hours int) metering.Usage {
	at := b.now().Truncate(time.Hour).Add(-time.Duration(hours) * time.Hour)
	return metering.Usage{
		EventID: id, PublisherID: "contoso", OfferID: "cns", CustomerID: "adatum", ResourceID: resource, Dimension: dimension, PlanID: "p", Quantity: "0.10", EffectiveStart: at.Format(time.RFC3339),
		Effective: at, AcceptedAt: b.now(), Owner: metering.Owner{TenantID: "T", AppID: "a"},
	}
}

func add(t *testing.T, s *store.Usage, usages ...metering.Usage) []metering.Outcome {
	t.Helper()
	out := s.Add(t.Context(), usages)
	require.Len(t, out, len(usages))
	for _, o := range out {
		require.NoError(t, o.Err)
	}
	return out
}

func between(t *testing.T, b *backing, s *store.Usage, resource, dimension string, hours int) []metering.Usage {
	t.Helper()
	found, err := s.Between(t.Context(), resource, dimension, b.now().Add(-time.Duration(hours)*time.Hour), b.now().Add(1))
	require.NoError(t, err)
	return found
}

func eventIDs(usages []metering.Usage) []string {
	out := []string{}
	for _, u := range usages {
		out = append(out, u.EventID)
	}
	return out
}

func usageRoundTrip(t *testing.T, b *backing) {
	s := store.NewUsage(b.DB)
	want := used(b, "r1", "email", "1", 0)
	require.True(t, add(t, s, want)[0].Added)
	got := between(t, b, s, "r1", "email", 24)
	require.Len(t, got, 1)
	require.Equal(t, want.EventID, got[0].EventID)
	require.Equal(t, "0.10", got[0].Quantity, "as it was sent")
	require.True(t, want.Effective.Equal(got[0].Effective))
	require.Empty(t, between(t, b, s, "r2", "email", 24))
}

func usageRace(t *testing.T, b *backing) {
	var won, met atomic.Int32
	var group sync.WaitGroup
	for i := range 8 {
		s := store.NewUsage(b.open(fmt.Sprint("process", i)))
		group.Go(func() {
			o := s.Add(context.Background(), []metering.Usage{used(b, "r1", "email", fmt.Sprint("event", i), 0)})[0]
			switch {
			case o.Added:
				won.Add(1)
			case o.Err == nil && o.Existing.EventID != "":
				met.Add(1)
			}
			_ = s.Flush(context.Background())
		})
	}
	group.Wait()
	require.Equal(t, []int32{1, 7}, []int32{won.Load(), met.Load()})
	require.Len(t, between(t, b, store.NewUsage(b.DB), "r1", "email", 24), 1)
}

func usageApart(t *testing.T, b *backing) {
	s := store.NewUsage(b.DB)
	for _, o := range add(t, s, used(b, "r1", "email", "1", 0), used(b, "r1", "text", "2", 0), used(b, "r1", "email", "3", 1), used(b, "r2", "email", "4", 0)) {
		require.True(t, o.Added)
	}
	require.Equal(t, []string{"3", "1"}, eventIDs(between(t, b, s, "r1", "email", 24)), "in time order")
	require.Equal(t, []string{"2"}, eventIDs(between(t, b, s, "r1", "text", 24)))
	require.Equal(t, []string{"4"}, eventIDs(between(t, b, s, "R2", "email", 24)))
}

func usageMixed(t *testing.T, b *backing) {
	s := store.NewUsage(b.DB)
	add(t, s, used(b, "r1", "email", "first", 1))
	out := add(t, s, used(b, "r1", "email", "new", 0), used(b, "r1", "email", "repeat", 1), used(b, "r1", "text", "other", 1))
	require.Equal(t, []bool{true, false, true}, []bool{out[0].Added, out[1].Added, out[2].Added})
	require.True(t, add(t, s, used(b, "r1", "email", "first", 1))[0].Added, "one that is added again meets itself")
	require.Equal(t, "first", out[1].Existing.EventID)
	require.ElementsMatch(t, []string{"first", "new"}, eventIDs(between(t, b, s, "r1", "email", 24)))
}

func usageNames(t *testing.T, b *backing) {
	s := store.NewUsage(b.DB)
	names := []string{"a", "a|b", "a/b", `a\b`, "a#b", "a?b", "a%b", "é日本", "a b", "A"}
	for i, name := range names {
		require.True(t, add(t, s, used(b, "/subscriptions/x/resourceGroups/"+name, name, fmt.Sprint(i), 0))[0].Added, name)
	}
	for i, name := range names {
		got := between(t, b, s, "/subscriptions/x/resourceGroups/"+name, name, 24)
		require.Equal(t, []string{fmt.Sprint(i)}, eventIDs(got), name)
	}
}

func usageMany(t *testing.T, b *backing) {
	s := store.NewUsage(b.DB)
	const hours = 1_010 // more than a page of rows
	for from := 0; from < hours; from += 90 {
		var batch []metering.Usage
		for h := from; h < min(from+90, hours); h++ {
			batch = append(batch, used(b, "r1", "email", fmt.Sprint(h), h))
		}
		add(t, s, batch...)
	}
	got := between(t, b, s, "r1", "email", hours)
	require.Len(t, got, hours)
	for i := 1; i < len(got); i++ {
		require.True(t, got[i-1].Effective.Before(got[i].Effective))
	}
}

func usageTold(t *testing.T, b *backing) {
	s := store.NewUsage(b.DB)
	add(t, s, used(b, "r1", "email", "1", 0), used(b, "r1", "text", "2", 0), used(b, "r2", "email", "3", 0))
	require.NoError(t, s.Flush(t.Context()))
	require.Len(t, b.outbox.Messages(message.LedgerEvents), 2, "one for each resource")
	b.advance(time.Hour)
	n, err := s.SweepUsage(t.Context())
	require.NoError(t, err)
	require.Zero(t, n, "nothing is left to sweep")
}

func usageSwept(t *testing.T, b *backing) {
	s := store.NewUsage(b.DB)
	b.outbox.Fail(fmt.Errorf("the bus is away"))
	add(t, s, used(b, "r1", "email", "1", 0))
	require.NoError(t, s.Flush(t.Context()))
	b.outbox.Fail(nil)
	b.advance(31 * time.Second)
	_, err := store.NewUsage(b.open("second")).SweepUsage(t.Context())
	require.NoError(t, err)
	require.Len(t, b.outbox.Messages(message.LedgerEvents), 1)
	b.advance(6 * time.Minute)
	_, err = store.NewUsage(b.open("third")).SweepUsage(t.Context())
	require.NoError(t, err)
	page, err := b.tables("agenda").Query(t.Context(), table.Query{Partition: "usage|", PartitionEnd: "usage~"})
	require.NoError(t, err)
	require.Empty(t, page.Rows)
}

// Fifty callers of five processes send the same batch: 24 hours of one resource and one each of eight others.
func usageBatchRace(t *testing.T, b *backing) {
	const callers, processes = 50, 5
	var all [processes]*store.Usage
	for i := range all {
		all[i] = store.NewUsage(b.open(fmt.Sprint("process", i)))
	}
	var mu sync.Mutex
	accepted, named := map[string][]string{}, map[string]map[string]bool{}
	var group sync.WaitGroup
	for i := range callers {
		var batch []metering.Usage
		for h := range 17 {
			batch = append(batch, used(b, "r0", "email", fmt.Sprint("event", i, "-", h), h))
		}
		for r := 1; r <= 8; r++ {
			batch = append(batch, used(b, fmt.Sprint("r", r), "email", fmt.Sprint("event", i, "-r", r), 0))
		}
		group.Go(func() {
			outcomes := all[i%processes].Add(context.Background(), batch)
			mu.Lock()
			defer mu.Unlock()
			for n, o := range outcomes {
				if o.Err != nil {
					t.Errorf("event %d of caller %d: %v", n, i, o.Err)
				}
				at, id := batch[n].ResourceID+batch[n].Hour(), o.Existing.EventID
				if o.Added {
					accepted[at] = append(accepted[at], batch[n].EventID)
					id = batch[n].EventID
				}
				if named[at] == nil {
					named[at] = map[string]bool{}
				}
				named[at][id] = true
			}
		})
	}
	group.Wait()
	require.Len(t, accepted, 25)
	for at, ids := range accepted {
		require.Len(t, ids, 1, at)
		require.Equal(t, map[string]bool{ids[0]: true}, named[at], "every duplicate names the accepted event")
	}
	for _, s := range all {
		require.NoError(t, s.Flush(t.Context()))
	}
}

func usageDry(t *testing.T, b *backing) {
	s := store.NewUsage(b.DB, message.UsageAccepted)
	dry, real := used(b, "r1", "email", "dry", 0), used(b, "r1", "email", "real", 0)
	dry.Session = metering.DryRun
	require.True(t, add(t, s, dry)[0].Added)
	require.True(t, add(t, s, real)[0].Added, "a dry run takes no hour")
	require.Equal(t, "dry", add(t, s, func() metering.Usage { d := dry; d.EventID = "again"; return d }())[0].Existing.EventID)
	require.Equal(t, []string{"real"}, eventIDs(between(t, b, s, "r1", "email", 24)), "and is never billed")
	require.NoError(t, s.Flush(t.Context()))
	require.Len(t, b.outbox.Messages(message.LedgerEvents), 1)
	var told []metering.Ref
	for _, m := range b.outbox.Messages(message.UsageAccepted) {
		var a metering.Announced
		require.NoError(t, json.Unmarshal(m.Body, &a))
		told = append(told, a.Events...)
	}
	require.ElementsMatch(t, []metering.Ref{dry.Ref(), real.Ref()}, told)
}
