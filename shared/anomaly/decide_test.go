package anomaly_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"stoa/shared/anomaly"
	"stoa/shared/correction"
	"stoa/shared/fault"
)

func TestDecisionsTrain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		decide func(*testing.T, *world, anomaly.Anomaly) error
		flags  bool // whether the same level is unusual the week after
	}{
		{"marked", func(t *testing.T, w *world, a anomaly.Anomaly) error {
			_, err := w.Mark(t.Context(), w.deed(a.ID), nil)
			return err
		}, true},
		{"normal", func(t *testing.T, w *world, a anomaly.Anomaly) error {
			_, err := w.Dismiss(t.Context(), w.deed(a.ID), "a campaign")
			return err
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			// Every other day is twice as high, so that the days of one decision make up half of the training.
			w.usage.add("adatum", 0)
			for i := range 62 {
				quantity := int64(100)
				if i >= 28 && i%2 == 0 {
					quantity = 300
				}
				w.usage.series[0].Days = append(w.usage.series[0].Days, anomaly.Day{
					Date: first.AddDate(0, 0, i), Part: anomaly.Part{ResourceID: "s", PlanID: "basic", Quantity: decimal.NewFromInt(quantity)},
				})
			}
			for i := 28; i < 60; i += 2 { // all but the last were decided
				f := anomaly.Anomaly{
					Key: w.usage.series[0].Key, ID: anomaly.IDOf(w.usage.series[0].Key, first.AddDate(0, 0, i)), State: anomaly.Unacknowledged,
					UsageDate: first.AddDate(0, 0, i).Format(time.DateOnly), Reported: decimal.NewFromInt(300), ExpiresAt: training.AddDate(0, 0, 9),
				}
				_, err := w.store.Flag(t.Context(), f)
				require.NoError(t, err)
				require.NoError(t, c.decide(t, w, f))
			}
			before := len(w.all())
			w.train()
			flagged := map[string]bool{}
			for _, a := range w.all() {
				flagged[a.UsageDate] = true
			}
			require.Equal(t, c.flags, flagged["2026-03-06"])
			if !c.flags {
				require.Len(t, w.all(), before)
			}
		})
	}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.usage.add("adatum", 60, "1000")
	w.train()
	a := w.only()
	refuse := func(err error, kind fault.Kind, code, target string) {
		t.Helper()
		refused(t, err, kind, code, target)
		require.Equal(t, a, w.only(), "nothing was changed")
	}
	for _, lowered := range []string{"1000", "1000.0001", "1200", "-1", "-0.0001"} { // MTR-80
		_, err := w.Mark(t.Context(), w.deed(a.ID), number(lowered))
		refuse(err, fault.NotReady, correction.CodeUnderReported, "newReportedUsage")
	}
	_, err := w.Dismiss(t.Context(), w.deed(a.ID), " ")
	refuse(err, fault.Invalid, anomaly.CodeMissing, "reason")
	_, err = w.Dismiss(t.Context(), w.deed(a.ID), strings.Repeat("é", 1001))
	refuse(err, fault.Invalid, anomaly.CodeInvalid, "reason")
	for _, id := range []string{"x", "20260306-00000000000000000000000", anomaly.IDOf(anomaly.Key{}, first), "", "../a"} {
		_, err = w.Mark(t.Context(), w.deed(id), nil)
		refuse(err, fault.NotFound, "NotFound", "anomalyId")
	}
	_, err = w.Mark(t.Context(), anomaly.Deed{PublisherID: "fabrikam", AnomalyID: a.ID}, nil)
	refuse(err, fault.NotFound, "NotFound", "anomalyId")

	a, err = w.Dismiss(t.Context(), w.deed(a.ID), strings.Repeat("é", 1000))
	require.NoError(t, err)
	require.Equal(t, anomaly.NotAnAnomaly, a.State)
	a = w.only()
	_, err = w.Dismiss(t.Context(), w.deed(a.ID), "again")
	refuse(err, fault.Conflict, anomaly.CodeDecided, "state")

	w.set(training.Add(time.Hour))
	a, err = w.Mark(t.Context(), w.deed(a.ID), number("0")) // MTR-77, MTR-80: 0 is the least
	require.NoError(t, err)
	require.Equal(t, anomaly.MarkedAsAnomaly, a.State)
	a = w.only()
	require.Equal(t, []string{"1000", "0"}, []string{a.Reported.String(), a.NewReported.Decimal.String()}, "MTR-71")
	for range 2 { // MTR-77
		_, err = w.Dismiss(t.Context(), w.deed(a.ID), "no")
		refuse(err, fault.Conflict, anomaly.CodeFinal, "state")
		_, err = w.Mark(t.Context(), w.deed(a.ID), number("5"))
		refuse(err, fault.Conflict, anomaly.CodeFinal, "state")
	}
	_, err = w.Mark(t.Context(), w.deed(a.ID), number("1200"))
	refuse(err, fault.NotReady, correction.CodeUnderReported, "newReportedUsage")

	c, err := w.corrections.Correction(t.Context(), "contoso", a.CorrectionID) // MTR-82
	require.NoError(t, err)
	require.Equal(t, correction.Submitted, c.State)
	require.Equal(t, a.ID, c.AnomalyID)
	lines, next, err := w.Actions(t.Context(), "contoso", "", 10)
	require.NoError(t, err)
	require.Empty(t, next)
	require.Len(t, lines, 2, "the newest first")
	require.Equal(t, anomaly.MarkAnomaly, lines[0].Decision)
	require.Equal(t, "0", lines[0].NewReported.Decimal.String())
	require.Equal(t, anomaly.Dismiss, lines[1].Decision)
	require.Equal(t, []any{"ann@contoso.example", training}, []any{lines[1].By, lines[1].At})
}

func TestWindow(t *testing.T) {
	t.Parallel()
	end := training.AddDate(0, 0, 30)
	for _, c := range []struct {
		name    string
		at      time.Time
		expires bool // the timer comes first
		code    string
	}{
		{"MTR-76 the last instant", end, true, ""},
		{"MTR-76 one nanosecond later", end.Add(1), false, anomaly.CodeWindowClosed},
		{"MTR-76 after the timer", end.Add(1), true, anomaly.CodeWindowClosed},
		{"MTR-76 day 31", end.AddDate(0, 0, 1), false, anomaly.CodeWindowClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.usage.add("untouched", 60, "1000")
			w.usage.add("dismissed", 60, "1000")
			w.train()
			id := map[string]string{}
			for _, a := range w.all() {
				id[a.CustomerID] = a.ID
			}
			_, err := w.Dismiss(t.Context(), w.deed(id["dismissed"]), "a campaign")
			require.NoError(t, err)
			w.set(c.at)
			if c.expires {
				for range 2 {
					require.NoError(t, w.Expire(t.Context()))
				}
			}
			for _, customer := range []string{"untouched", "dismissed"} {
				_, err = w.Mark(t.Context(), w.deed(id[customer]), number("110"))
				if c.code == "" {
					require.NoError(t, err)
					continue
				}
				refused(t, err, fault.Conflict, c.code, "actionExpiryDate")
			}
			if c.code == "" {
				return
			}
			for _, a := range w.all() { // it stays visible
				want := anomaly.Expired
				if a.CustomerID == "dismissed" {
					want = anomaly.NotAnAnomaly
				}
				require.Equal(t, want, a.State, a.CustomerID)
			}
			stored, err := w.store.Anomaly(t.Context(), "contoso", id["untouched"])
			require.NoError(t, err)
			require.Equal(t, c.expires, stored.State == anomaly.Expired)
			n, err := w.Alerts(t.Context(), "contoso", "cns")
			require.NoError(t, err)
			require.Zero(t, n)
		})
	}
}

func TestExpireMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 450 {
		k := anomaly.Key{PublisherID: "contoso", OfferID: "cns", Meter: "email", CustomerID: fmt.Sprint(i)}
		_, err := w.store.Flag(t.Context(), anomaly.Anomaly{
			Key: k, ID: anomaly.IDOf(k, first), UsageDate: first.Format(time.DateOnly), State: anomaly.Unacknowledged, ExpiresAt: training.Add(time.Duration(i) * time.Minute),
		})
		require.NoError(t, err)
	}
	w.set(training.Add(440 * time.Minute))
	require.NoError(t, w.Expire(t.Context()))
	w.work()
	left, err := w.store.Due(t.Context(), training.AddDate(0, 0, 9), 1000)
	require.NoError(t, err)
	require.Len(t, left, 10, "those whose window closes at or after that instant")
	stored := 0
	for i := range 450 {
		a, err := w.store.Anomaly(t.Context(), "contoso", anomaly.IDOf(anomaly.Key{PublisherID: "contoso", OfferID: "cns", Meter: "email", CustomerID: fmt.Sprint(i)}, first))
		require.NoError(t, err)
		if a.State == anomaly.Expired {
			stored++
		}
	}
	require.Equal(t, 440, stored)
}

func TestDecideAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.usage.add("adatum", 60, "1000")
	w.train()
	a := w.only()
	errs := make(chan error, 8)
	for range cap(errs) {
		go func() {
			_, err := w.Mark(t.Context(), w.deed(a.ID), number("110"))
			errs <- err
		}()
	}
	won := 0
	for range cap(errs) {
		if err := <-errs; err == nil {
			won++
		} else {
			refused(t, err, fault.Conflict, anomaly.CodeFinal, "state")
		}
	}
	require.Equal(t, 1, won)
	lines, _, err := w.Actions(t.Context(), "contoso", "", 10)
	require.NoError(t, err)
	require.Len(t, lines, 1)
	list, _, err := w.corrections.Corrections(t.Context(), "contoso", "", 10)
	require.NoError(t, err)
	require.Len(t, list, 1)
}

func TestSeveralPlans(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.usage.add("adatum", 60)
	for _, p := range []anomaly.Part{
		{ResourceID: "s1", PlanID: "gold", Quantity: decimal.NewFromInt(400)}, {ResourceID: "s2", PlanID: "basic", Quantity: decimal.NewFromInt(600)},
	} {
		w.usage.series[0].Days = append(w.usage.series[0].Days, anomaly.Day{Date: first.AddDate(0, 0, 60), Part: p})
	}
	w.train()
	a := w.only()
	require.Equal(t, "1000", a.Reported.String())
	require.Equal(t, "800", a.Extended.String())
	want := a.Reported.Sub(a.Expected).Mul(decimal.RequireFromString("0.8")).RoundBank(2)
	require.Equal(t, want.String(), a.Impact.String())
	require.Equal(t, "s2", a.Parts[0].ResourceID, "the largest first")
	a, err := w.Mark(t.Context(), w.deed(a.ID), number("500"))
	require.NoError(t, err)
	c, err := w.corrections.Correction(t.Context(), "contoso", a.CorrectionID)
	require.NoError(t, err)
	require.Equal(t, []string{"300", "200"}, []string{c.Parts[0].Reduced.String(), c.Parts[1].Reduced.String()})
}

func TestTooManyResources(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.usage.add("adatum", 60)
	for i := range 41 {
		w.usage.series[0].Days = append(w.usage.series[0].Days, anomaly.Day{
			Date: first.AddDate(0, 0, 60), Part: anomaly.Part{ResourceID: fmt.Sprint("s", i), PlanID: "basic", Quantity: decimal.NewFromInt(100)},
		})
	}
	w.train()
	a := w.only()
	_, err := w.Mark(t.Context(), w.deed(a.ID), number("500"))
	refused(t, err, fault.Conflict, correction.CodeTooMany, "newReportedUsage")
	_, err = w.Mark(t.Context(), w.deed(a.ID), nil)
	require.NoError(t, err)
}
