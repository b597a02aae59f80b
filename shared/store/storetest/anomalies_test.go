package storetest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"stoa/infra/local/azurite/azuritetest"
	"stoa/shared/anomaly"
	"stoa/shared/correction"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/store"
	"stoa/shared/store/table"
	"stoa/shared/store/table/tabletest"
)

// TestAnomalies is the behaviour of the repository over the twin and over Azurite.
func TestAnomalies(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]func(t *testing.T, b *backing){
		"an anomaly is flagged once":                  anomalyFlagged,
		"a decision and what it leads to are one act": anomalyDecided,
		"MTR-76 what is due comes in order, and goes": anomalyDue,
		"runs, the newest first":                      anomalyRuns,
		"corrections, claims and cases":               correctionKept,
		"an odd customer is a key of its own":         anomalyNames,
	} {
		t.Run("twin/"+name, func(t *testing.T) {
			t.Parallel()
			test(t, newBacking(new(tabletest.Account).Table, nil))
		})
		t.Run("azurite/"+name, func(t *testing.T) {
			t.Parallel()
			account, err := table.Open(table.Options{ConnectionString: azuritetest.Storage(t).ConnectionString()})
			require.NoError(t, err)
			prefix := fmt.Sprint("anomalous", prefixes.Add(1))
			for _, name := range []string{"anomalies", "agenda"} {
				require.NoError(t, account.Create(context.Background(), prefix+name))
			}
			test(t, newBacking(func(name string) table.Table { return account.Table(prefix + name) }, nil))
		})
	}
}

func anomalous(b *backing, customer string, daysAgo int) anomaly.Anomaly {
	date := b.now().Truncate(24*time.Hour).AddDate(0, 0, -daysAgo)
	k := anomaly.Key{PublisherID: "contoso", OfferID: "cns", Meter: "email", CustomerID: customer}
	return anomaly.Anomaly{
		ID: anomaly.IDOf(k, date), Key: k, UsageDate: date.Format(time.DateOnly), State: anomaly.Unacknowledged,
		Reported: decimal.RequireFromString("1000.000000001"), Impact: decimal.NewFromInt(900), FlaggedAt: b.now(), ExpiresAt: b.now().AddDate(0, 0, 30),
		Deviation: decimal.NewNullDecimal(decimal.NewFromInt(900)), Parts: []anomaly.Part{{ResourceID: "r", PlanID: "p", Quantity: decimal.NewFromInt(1)}},
	}
}

func anomalyFlagged(t *testing.T, b *backing) {
	s := store.NewAnomalies(b.DB)
	a := anomalous(b, "adatum", 2)
	for n := range 2 {
		added, err := s.Flag(t.Context(), a, message.New("mail", message.Notifications, map[string]any{}))
		require.NoError(t, err)
		require.Equal(t, n == 0, added)
	}
	require.NoError(t, b.Flush(t.Context()))
	require.Len(t, b.outbox.Messages(message.Notifications), 1)
	read, err := s.Anomaly(t.Context(), "contoso", a.ID)
	require.NoError(t, err)
	require.NotEmpty(t, read.Tag)
	read.Tag = ""
	require.Equal(t, a.FlaggedAt, read.FlaggedAt)
	require.Equal(t, fmt.Sprint(a), fmt.Sprint(read))
	_, err = s.Anomaly(t.Context(), "fabrikam", a.ID)
	require.True(t, fault.Is(err, fault.NotFound))
}

func anomalyDecided(t *testing.T, b *backing) {
	s := store.NewAnomalies(b.DB)
	for i := range 3 {
		_, err := s.Flag(t.Context(), anomalous(b, fmt.Sprint("c", i), i))
		require.NoError(t, err)
	}
	list, next, err := s.Anomalies(t.Context(), anomaly.Filter{PublisherID: "contoso", From: b.now().AddDate(0, 0, -1).Truncate(24 * time.Hour), Now: b.now(), Limit: 10})
	require.NoError(t, err)
	require.Empty(t, next)
	require.Equal(t, []string{"c0", "c1"}, []string{list[0].CustomerID, list[1].CustomerID}, "the newest usage first")
	require.Len(t, list, 2)

	a, err := s.Anomaly(t.Context(), "contoso", list[1].ID)
	require.NoError(t, err)
	stale := a
	a.State = anomaly.MarkedAsAnomaly
	line := anomaly.Action{AnomalyID: a.ID, Key: a.Key, UsageDate: a.UsageDate, Decision: anomaly.MarkAnomaly, At: b.now(), By: "ann"}
	filed := &correction.Change{
		Correction: correction.Correction{ID: "20260131100000-0000000000000001", PublisherID: "contoso", SubmittedAt: b.now()},
		Claims:     []correction.Claim{{PublisherID: "contoso", ResourceID: "r", Meter: "email", PlanID: "p", UsageDate: a.UsageDate, Whole: "x"}},
		Messages:   []message.Message{message.New("work", message.UsageReviews, map[string]any{})},
	}
	require.NoError(t, s.Decide(t.Context(), a, line, filed))
	require.True(t, fault.Is(s.Decide(t.Context(), stale, anomaly.Action{AnomalyID: a.ID, At: b.now().Add(1)}, nil), fault.StaleETag))
	require.NoError(t, b.Flush(t.Context()))
	require.Len(t, b.outbox.Messages(message.UsageReviews), 1)
	log, _, err := s.Actions(t.Context(), "contoso", "", 10)
	require.NoError(t, err)
	require.Len(t, log, 1)
	marked, err := s.MarkedDays(t.Context(), "contoso", b.now().AddDate(0, 0, -1).Truncate(24*time.Hour))
	require.NoError(t, err)
	require.Equal(t, []anomaly.Marked{{Key: a.Key, UsageDate: a.UsageDate}}, marked)
	marked, err = s.MarkedDays(t.Context(), "contoso", b.now().Truncate(24*time.Hour))
	require.NoError(t, err)
	require.Empty(t, marked)
	c, err := store.NewCorrections(b.DB).Correction(t.Context(), "contoso", filed.Correction.ID)
	require.NoError(t, err)
	require.NotEmpty(t, c.Tag)

	other, err := s.Anomaly(t.Context(), "contoso", list[0].ID) // its claim is taken: nothing of the act happens
	require.NoError(t, err)
	other.State = anomaly.MarkedAsAnomaly
	filed.Correction.ID = "20260131100000-0000000000000002"
	err = s.Decide(t.Context(), other, anomaly.Action{AnomalyID: other.ID, At: b.now().Add(2)}, filed)
	require.True(t, fault.Is(err, fault.Conflict), "%v", err)
	other, err = s.Anomaly(t.Context(), "contoso", other.ID)
	require.NoError(t, err)
	require.Equal(t, anomaly.Unacknowledged, other.State)
}

func anomalyDue(t *testing.T, b *backing) {
	s := store.NewAnomalies(b.DB)
	start := b.now()
	for i := range 5 {
		a := anomalous(b, fmt.Sprint("c", i), 1)
		a.ExpiresAt = start.Add(time.Duration(i) * 20 * time.Hour)
		_, err := s.Flag(t.Context(), a)
		require.NoError(t, err)
	}
	due, err := s.Due(t.Context(), start.Add(60*time.Hour), 10)
	require.NoError(t, err)
	require.Len(t, due, 3, "not the one of that instant")
	for i, d := range due {
		require.Equal(t, start.Add(time.Duration(i)*20*time.Hour), d.At)
	}
	some, err := s.Due(t.Context(), start.Add(60*time.Hour), 2)
	require.NoError(t, err)
	require.Equal(t, due[:2], some)
	require.NoError(t, s.Settled(t.Context(), some))
	require.NoError(t, s.Settled(t.Context(), some))
	due, err = s.Due(t.Context(), start.Add(60*time.Hour), 10)
	require.NoError(t, err)
	require.Len(t, due, 1)
	a, err := s.Anomaly(t.Context(), "contoso", due[0].AnomalyID)
	require.NoError(t, err)
	stale := a
	a.State = anomaly.Expired
	require.NoError(t, s.Expire(t.Context(), a))
	stale.State, stale.Reason = anomaly.Expired, "another"
	require.True(t, fault.Is(s.Expire(t.Context(), stale), fault.StaleETag))
}

func anomalyRuns(t *testing.T, b *backing) {
	s := store.NewAnomalies(b.DB)
	_, err := s.RunBefore(t.Context(), "2026-01-12")
	require.True(t, fault.Is(err, fault.NotFound))
	for _, id := range []string{"2025-12-29", "2026-01-05", "2026-01-12"} {
		for range 2 {
			require.NoError(t, s.AddRun(t.Context(), anomaly.Run{ID: id, Until: b.now()}, message.New(id, message.UsageReviews, map[string]any{})))
		}
	}
	require.NoError(t, b.Flush(t.Context()))
	require.Len(t, b.outbox.Messages(message.UsageReviews), 3)
	r, err := s.RunBefore(t.Context(), "2026-01-12")
	require.NoError(t, err)
	require.Equal(t, "2026-01-05", r.ID)
	stale := r
	r.Page = 1
	require.NoError(t, s.SaveRun(t.Context(), r))
	stale.Page = 2
	require.True(t, fault.Is(s.SaveRun(t.Context(), stale), fault.StaleETag))
	r, err = s.Run(t.Context(), "2026-01-05")
	require.NoError(t, err)
	require.Equal(t, []any{1, b.now()}, []any{r.Page, r.Until})
	_, err = s.Run(t.Context(), "2026-01-06")
	require.True(t, fault.Is(err, fault.NotFound))
	_, err = s.Run(t.Context(), "x")
	require.True(t, fault.Is(err, fault.NotFound))
}

func correctionKept(t *testing.T, b *backing) {
	s := store.NewCorrections(b.DB)
	ids := []string{"20260131100000-0000000000000001", "20260131100001-0000000000000000", "20260131100002-0000000000000000"}
	for i, id := range ids {
		c := correction.Correction{
			ID: id, PublisherID: "contoso", State: correction.UnderInvestigation, SubmittedAt: b.now().Add(time.Duration(i) * time.Second),
			Parts: []correction.Part{{Usage: correction.Usage{ResourceID: "r", Quantity: decimal.RequireFromString("9.1234567890123461")}}},
		}
		require.NoError(t, s.Save(t.Context(), correction.Change{Correction: c}))
		require.True(t, fault.Is(s.Save(t.Context(), correction.Change{Correction: correction.Correction{ID: id, PublisherID: "contoso", Reason: "another"}}), fault.Conflict))
		for range 2 {
			require.NoError(t, s.OpenCase(t.Context(), c))
		}
	}
	idsOf := func(list []correction.Correction, next string, err error) []string {
		require.NoError(t, err)
		require.Empty(t, next)
		var got []string
		for _, c := range list {
			require.Equal(t, "9.1234567890123461", c.Parts[0].Quantity.String())
			got = append(got, c.ID)
		}
		return got
	}
	require.Equal(t, []string{ids[2], ids[1], ids[0]}, idsOf(s.Corrections(t.Context(), "contoso", "", 10)), "the newest first")
	require.Empty(t, idsOf(s.Corrections(t.Context(), "fabrikam", "", 10)))
	require.Equal(t, ids, idsOf(s.Cases(t.Context(), "", 10)), "the oldest first")

	c, err := s.Correction(t.Context(), "contoso", ids[0])
	require.NoError(t, err)
	claim, err := s.Claim(t.Context(), correction.Claim{PublisherID: "contoso", ResourceID: "r", Meter: "m", PlanID: "p", UsageDate: "2026-01-10"})
	require.NoError(t, err)
	require.Empty(t, claim.Tag)
	claim.Events = map[string]string{"e1": c.ID}
	given, err := s.Given(t.Context(), "contoso", "line")
	require.NoError(t, err)
	require.Empty(t, given.Tag)
	given.Net = 5
	stale := c
	c.State = correction.Declined
	require.NoError(t, s.Save(t.Context(), correction.Change{Correction: c, Claims: []correction.Claim{claim}, Given: []correction.Given{given}}))
	stale.Reason = "another"
	require.True(t, fault.Is(s.Save(t.Context(), correction.Change{Correction: stale}), fault.StaleETag))
	claim, err = s.Claim(t.Context(), correction.Claim{PublisherID: "contoso", ResourceID: "r", Meter: "m", PlanID: "p", UsageDate: "2026-01-10"})
	require.NoError(t, err)
	require.Equal(t, []any{true, c.ID}, []any{claim.Tag != "", claim.Events["e1"]})
	given, err = s.Given(t.Context(), "contoso", "line")
	require.NoError(t, err)
	require.Equal(t, []any{true, int64(5)}, []any{given.Tag != "", given.Net})
	require.Equal(t, ids[1:], idsOf(s.Cases(t.Context(), "", 10)), "a decided one is left out")
	for range 2 {
		require.NoError(t, s.CloseCase(t.Context(), c))
	}
}

func anomalyNames(t *testing.T, b *backing) {
	s := store.NewAnomalies(b.DB)
	seen := map[string]bool{}
	for _, customer := range []string{"a|b", "a%7Cb", "a/b", `a"b`, "", "#?", "ü"} {
		a := anomalous(b, customer, 1)
		require.True(t, anomaly.ValidID(a.ID))
		require.False(t, seen[a.ID])
		seen[a.ID] = true
		added, err := s.Flag(t.Context(), a)
		require.NoError(t, err)
		require.True(t, added)
		read, err := s.Anomaly(t.Context(), "contoso", a.ID)
		require.NoError(t, err)
		require.Equal(t, customer, read.CustomerID)
	}
}
