package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/metering"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
)

func TestReadUsage(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 5, 5, 30, 0, 0, time.UTC)
	db, _ := storetest.NewTwin(func() time.Time { return at })
	usage := store.NewUsage(db)
	add := func(owner, resource, dimension, id string, effective time.Time) {
		out := usage.Add(t.Context(), []metering.Usage{{
			EventID: id, PublisherID: "contoso", OfferID: "cns", ResourceID: resource, Dimension: dimension, PlanID: "p", Quantity: "0.10", EffectiveStart: "as sent",
			Effective: effective, AcceptedAt: at, Owner: metering.Owner{TenantID: "T", AppID: owner},
		}})
		require.NoError(t, out[0].Err)
		require.True(t, out[0].Added)
	}
	add("a", "r1", "email", "1", at)
	add("a", "r1", "email", "2", at.Add(-time.Hour))
	add("b", "r1", "email", "3", at.Add(-2*time.Hour)) // the resource had another reporter before
	add("a", "r2", "a|b/c#?", "4", at)                 // letters that a key may not have
	add("a", "r2", "a", "5", at)
	ids := func(list []metering.Usage, err error) []string {
		require.NoError(t, err)
		var found []string
		for _, u := range list {
			require.Equal(t, "0.10", u.Quantity)
			require.Equal(t, "as sent", u.EffectiveStart)
			found = append(found, u.EventID)
		}
		return found
	}
	between := func(resource, dimension string, from, to time.Time) []string {
		return ids(usage.Between(t.Context(), resource, dimension, from, to))
	}
	require.Equal(t, []string{"3", "2", "1"}, between("r1", "email", at.Add(-2*time.Hour), at.Add(1)), "in time order")
	require.Equal(t, []string{"2"}, between("r1", "email", at.Add(-2*time.Hour+1), at), "from <= t < to, to the nanosecond")
	require.Equal(t, []string{"4"}, between("R2", "a|b/c#?", at, at.Add(1)))
	require.Equal(t, []string{"5"}, between("r2", "a", at, at.Add(1)))
	require.Empty(t, between("r3", "a", at, at.Add(1)))

	offers := func(tenant, app string) []metering.OfferRef {
		found, err := usage.Offers(t.Context(), metering.Owner{TenantID: tenant, AppID: app})
		require.NoError(t, err)
		return found
	}
	require.Equal(t, []metering.OfferRef{{PublisherID: "contoso", OfferID: "cns"}}, offers("t", "A"), "the application in any case of letters")
	require.Equal(t, offers("t", "a"), offers("T", "b"))
	require.Empty(t, offers("other", "a"))
}

// A usage whose answer was lost and which is added again meets itself, and does not hold up the others; another one
// of its hour gets to see it.
func TestUsageMeetsItself(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 5, 5, 30, 0, 0, time.UTC)
	db, _ := storetest.NewTwin(func() time.Time { return at })
	usage := store.NewUsage(db)
	one := func(id string, hours int) metering.Usage {
		return metering.Usage{EventID: id, ResourceID: "r", Dimension: "email", Quantity: "1", Effective: at.Add(time.Duration(hours) * time.Hour)}
	}
	require.True(t, usage.Add(t.Context(), []metering.Usage{one("a", 0)})[0].Added)
	out := usage.Add(t.Context(), []metering.Usage{one("a", 0), one("b", 1)})
	require.True(t, out[0].Added)
	require.True(t, out[1].Added)
	out = usage.Add(t.Context(), []metering.Usage{one("c", 2), one("d", 1), one("e", 0)})
	require.True(t, out[0].Added)
	require.Equal(t, "b", out[1].Existing.EventID)
	require.Equal(t, "a", out[2].Existing.EventID)
}
