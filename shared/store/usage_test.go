package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/message"
	"stoa/shared/metering"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
	"stoa/shared/store/table"
	"stoa/shared/store/table/tabletest"
)

// reported is usage of n resources, k hours each.
func reported(n, k int, at time.Time, event string) []metering.Usage {
	var list []metering.Usage
	for r := range n {
		for h := range k {
			effective := at.Add(-time.Duration(h) * time.Hour)
			list = append(list, metering.Usage{
				EventID: fmt.Sprint(event, r, "-", h), ResourceID: fmt.Sprintf("resource-%d", r), Dimension: "email", PlanID: "p",
				Quantity: "1.50", EffectiveStart: effective.Format(time.RFC3339), Effective: effective, AcceptedAt: at,
				Owner: metering.Owner{TenantID: "t", AppID: "a"},
			})
		}
	}
	return list
}

// A request costs its inserts and two operations of the store more, however many resources it reports for.
func TestCostOfABatch(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 5, 5, 5, 5, 0, time.UTC)
	clock := func() time.Time { return at }
	var tables tabletest.Account
	outbox := storetest.NewOutbox(clock)
	crash := storetest.NewCrash(tables.Table, outbox)
	db := store.New(store.Deps{Tables: crash.Table, Sender: crash, Now: clock, NewID: storetest.Counter("id")})
	usage := store.NewUsage(db, message.UsageAccepted)
	add := func(list []metering.Usage) int {
		crash.Arm(storetest.None, 0)
		for _, o := range usage.Add(t.Context(), list) {
			require.NoError(t, o.Err)
			require.True(t, o.Added)
		}
		require.NoError(t, usage.Flush(t.Context()))
		return crash.Operations()
	}
	add(reported(25, 1, at, "first")) // the list rows are known from here on
	later := reported(25, 1, at.Add(time.Hour), "second")
	require.Equal(t, 25+2+2, add(later), "25 inserts, the intent and its removal; a send to each queue")
	require.Equal(t, 1+2+2, add(reported(1, 20, at.Add(100*time.Hour), "third")), "one transaction for one resource")
}

// The process dies at every operation in turn, with every kind of harm; afterwards each usage that is stored has
// been told to the ledger, and nothing that is not.
func TestUsageIsToldWhateverHappens(t *testing.T) {
	t.Parallel()
	for _, harm := range []storetest.Harm{storetest.Die, storetest.DieLate, storetest.Refuse, storetest.Lose} {
		for k := 1; k <= 10; k++ {
			t.Run(fmt.Sprint(harm, " at ", k), func(t *testing.T) {
				t.Parallel()
				at := time.Date(2026, 5, 5, 5, 5, 5, 0, time.UTC)
				clock := func() time.Time { return at }
				var tables tabletest.Account
				outbox := storetest.NewOutbox(clock)
				crash := storetest.NewCrash(tables.Table, outbox)
				open := func(prefix string) (*store.DB, *store.Usage) {
					db := store.New(store.Deps{Tables: crash.Table, Sender: crash, Now: clock, NewID: storetest.Counter(prefix)})
					return db, store.NewUsage(db, message.UsageAccepted)
				}
				_, usage := open("first")
				crash.Arm(harm, k)
				outcomes := usage.Add(t.Context(), reported(3, 2, at, "event"))
				require.NoError(t, usage.Flush(t.Context()))
				crash.Arm(storetest.None, 0)
				_, second := open("second")
				at = at.Add(31 * time.Second)
				_, err := second.SweepUsage(t.Context())
				require.NoError(t, err)
				told := map[string]int{}
				for _, m := range outbox.Messages(message.LedgerEvents) {
					told[m.ID]++
				}
				announced, accepted := map[metering.Ref]bool{}, map[metering.Ref]bool{}
				for _, m := range outbox.Messages(message.UsageAccepted) {
					var a metering.Announced
					require.NoError(t, json.Unmarshal(m.Body, &a))
					for _, ref := range a.Events {
						announced[ref] = true
					}
				}
				stored := 0
				for r := range 3 {
					found, err := second.Between(t.Context(), fmt.Sprintf("resource-%d", r), "email", at.AddDate(0, 0, -2), at)
					require.NoError(t, err)
					if len(found) > 0 {
						stored++
					}
					for _, u := range found {
						accepted[u.Ref()] = true
					}
				}
				require.Len(t, told, stored, "one message for each resource that has usage")
				require.Equal(t, accepted, announced)
				for i, o := range outcomes {
					if o.Added {
						require.Positive(t, stored, "outcome %d", i)
					}
				}
				at = at.Add(6 * time.Minute)
				_, err = second.SweepUsage(t.Context())
				require.NoError(t, err)
				require.NoError(t, second.Flush(context.Background()))
				page, err := tables.Table("agenda").Query(t.Context(), table.Query{Partition: "usage|", PartitionEnd: "usage~"})
				require.NoError(t, err)
				require.Empty(t, page.Rows, "no intent is left")
			})
		}
	}
}
