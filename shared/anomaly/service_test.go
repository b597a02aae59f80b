package anomaly_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"stoa/shared/anomaly"
	"stoa/shared/fault"
)

func refused(t *testing.T, err error, kind fault.Kind, code, target string) {
	t.Helper()
	require.Error(t, err)
	f := fault.As(err)
	require.Equal(t, []any{kind, code, target}, []any{f.Kind, f.Code, f.Target}, "%v", err)
}

func number(text string) *decimal.Decimal {
	d := decimal.RequireFromString(text)
	return &d
}

func TestFlag(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.usage.add("adatum", 60, "1000")
	w.train()
	a := w.only()
	require.Equal(t, anomaly.Unacknowledged, a.State)
	require.Equal(t, "2026-03-06", a.UsageDate)
	require.Equal(t, "Contoso notifications", a.OfferName)
	require.Equal(t, "Company adatum", a.CustomerName)
	require.Equal(t, "1000", a.Reported.String())
	require.InDelta(t, 100, a.Expected.InexactFloat64(), 6)
	require.Equal(t, "1000", a.Extended.String(), "price x reported")
	require.InDelta(t, 900, a.Impact.InexactFloat64(), 6)
	want := a.Reported.Sub(a.Expected).Div(a.Expected).Mul(decimal.NewFromInt(100)).Round(2)
	require.Equal(t, want.String(), a.Deviation.Decimal.String())
	require.Equal(t, training, a.FlaggedAt)
	require.Equal(t, training.AddDate(0, 0, 30), a.ExpiresAt)
	require.Len(t, w.mails("usage.anomaly"), 1)
	require.Empty(t, w.mails("usage.anomalyRisk"))
	n, err := w.Alerts(t.Context(), "contoso", "cns") // MTR-74
	require.NoError(t, err)
	require.Equal(t, 1, n)
	n, err = w.Alerts(t.Context(), "contoso", "other")
	require.NoError(t, err)
	require.Zero(t, n)
}

func TestWhatIsFlagged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		usual int
		then  []string
		want  []string // usage dates
	}{
		{"MTR-73 a spike", 60, []string{"1000"}, []string{"2026-03-06"}},
		{"MTR-73 a dip", 60, []string{"10"}, []string{"2026-03-06"}},
		{"MTR-73 both", 59, []string{"300", "2"}, []string{"2026-03-06", "2026-03-05"}},
		{"inside the band", 61, nil, nil},
		{"MTR-38 Sunday is not final on Monday at 02:00", 62, []string{"1000"}, nil},
		{"Saturday is", 61, []string{"1000"}, []string{"2026-03-07"}},
		{"the week before the first run is judged", 55, []string{"1000", "100", "100", "100", "100"}, []string{"2026-03-01"}},
		{"and no day before it", 54, []string{"1000", "100", "100", "100", "100"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.usage.add("adatum", c.usual, c.then...)
			w.train()
			var days []string
			for _, a := range w.all() {
				days = append(days, a.UsageDate)
				require.Equal(t, 1, a.Deviation.Decimal.Sign(), "9.2: a distance")
				require.Equal(t, a.Reported.Cmp(a.Expected), a.Impact.Sign(), "9.2: signed")
			}
			require.Equal(t, c.want, days)
		})
	}
}

// 28 observed days of the last 90 are needed; days without usage and older ones do not count.
func TestObservedDays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		from int // first day of the series
		gone func(i int) bool
		want int
	}{
		{"28 days", 0, func(i int) bool { return i < 33 }, 1},
		{"27 days", 0, func(i int) bool { return i < 34 }, 0},
		{"28 days with gaps", 0, func(i int) bool { return i != 60 && (i%2 == 0 || i > 53) }, 1},
		{"27 days with gaps", 0, func(i int) bool { return i != 60 && (i%2 == 0 || i > 51) }, 0},
		{"older than 90 days", -60, func(i int) bool { return i > -29 && i < 34 }, 0},
		{"90 days old", -60, func(i int) bool { return i > -28 && i < 34 }, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.usage.add("adatum", 0)
			for i := c.from; i <= 60; i++ {
				if c.gone(i) {
					continue
				}
				quantity := int64(100)
				if i == 60 {
					quantity = 1000
				}
				w.usage.series[0].Days = append(w.usage.series[0].Days, anomaly.Day{
					Date: first.AddDate(0, 0, i), Part: anomaly.Part{ResourceID: "s", PlanID: "basic", Quantity: decimal.NewFromInt(quantity)},
				})
			}
			w.train()
			require.Len(t, w.all(), c.want)
		})
	}
}

// MTR-72: one model for each meter and customer. What is unusual for one is usual for the other.
func TestModelsAreApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.usage.add("small", 60, "1000")
	w.usage.add("large", 0)
	for i := range 61 {
		w.usage.series[1].Days = append(w.usage.series[1].Days, anomaly.Day{
			Date: first.AddDate(0, 0, i), Part: anomaly.Part{ResourceID: "s", PlanID: "basic", Quantity: decimal.NewFromInt(int64(990 + i%20))},
		})
	}
	w.train()
	require.Equal(t, "small", w.only().CustomerID)
}

// MTR-72: every week from the days since the run before. A week without a run is made up for.
func TestRuns(t *testing.T) {
	t.Parallel()
	for now, want := range map[string]string{
		"2026-03-09T02:00:00Z": "2026-03-09", "2026-03-09T01:55:00Z": "2026-03-09", "2026-03-09T01:54:59Z": "2026-03-02", "2026-03-15T23:00:00Z": "2026-03-09", "2026-03-16T02:00:00Z": "2026-03-16",
	} {
		at, err := time.Parse(time.RFC3339, now)
		require.NoError(t, err)
		require.Equal(t, want, anomaly.Monday(at), now)
	}
	w := newWorld(t)
	w.usage.add("adatum", 70, "1000", "100", "100", "100", "100", "100", "100", "100", "100", "100", "100")
	w.train()
	require.Empty(t, w.all())
	w.set(training.AddDate(0, 0, 21)) // two weeks were missed
	w.train()
	a := w.only()
	require.Equal(t, "2026-03-16", a.UsageDate)
	require.Equal(t, "2026-03-30", a.Run)
	r, err := w.store.Run(t.Context(), "2026-03-30")
	require.NoError(t, err)
	require.Equal(t, time.Date(2026, 3, 8, 0, 0, 0, 0, time.UTC), r.From, "where the run before ended")
	require.Equal(t, time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC), r.Until)
	require.Equal(t, 1, r.Flagged)
}

// Pages go on by messages; every series is looked at once, whatever comes twice or in between.
func TestPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.usage.perPage = 3
	for i := range 10 {
		w.usage.add(fmt.Sprint("c", i), 60, "1000")
	}
	require.NoError(t, w.Train(t.Context()))
	require.NoError(t, w.Handle(t.Context(), anomaly.Work{Kind: anomaly.KindTrain, Run: "2026-03-09", Page: 0}))
	r, err := w.store.Run(t.Context(), "2026-03-09")
	require.NoError(t, err)
	require.Equal(t, []any{1, "3", 3}, []any{r.Page, r.After, r.Series}, "where it goes on stands in the run")
	refused(t, w.Handle(t.Context(), anomaly.Work{Kind: anomaly.KindTrain, Run: "2026-03-09", Page: 2}), fault.Unavailable, "NotYetDue", "page")
	w.work()
	r, err = w.store.Run(t.Context(), "2026-03-09")
	require.NoError(t, err)
	require.Equal(t, []any{4, 10, 10}, []any{r.Page, r.Series, r.Flagged})
	require.False(t, r.EndedAt.IsZero())
	require.Len(t, w.all(), 10)
	require.Len(t, w.mails("usage.anomaly"), 10, "once for each")
	require.NoError(t, w.Handle(t.Context(), anomaly.Work{Kind: anomaly.KindTrain, Run: "2026-03-09", Page: 3}), "again: nothing")
	refused(t, w.Handle(t.Context(), anomaly.Work{Kind: anomaly.KindTrain, Run: "2026-03-02"}), fault.NotFound, "NotFound", "")
	refused(t, w.Handle(t.Context(), anomaly.Work{Kind: "other"}), fault.Invalid, "UnknownKind", "kind")
}

// MTR-76: a later run that flags the day again does not restart the window, and nobody is told twice.
func TestFlaggedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.usage.add("adatum", 60, "1000")
	w.train()
	a := w.only()
	w.set(training.AddDate(0, 0, 3))
	again := a
	again.FlaggedAt, again.ExpiresAt = w.clock(), w.clock().AddDate(0, 0, 30)
	added, err := w.store.Flag(t.Context(), again)
	require.NoError(t, err)
	require.False(t, added)
	require.Equal(t, a.ExpiresAt, w.only().ExpiresAt)
	require.Len(t, w.mails("usage.anomaly"), 1)
}

// MTR-78: a marked day is left out of the training, one that was said to be normal stays in.
// MTR-79: from 10,000 USD on staff are alerted, of either sign.
func TestRisk(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, usage string
		want        int
	}{{"below", "10080", 0}, {"above", "10120", 1}, {"far above", "1e9", 1}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.usage.add("adatum", 0)
			for i := range 60 {
				w.usage.series[0].Days = append(w.usage.series[0].Days, anomaly.Day{
					Date: first.AddDate(0, 0, i), Part: anomaly.Part{ResourceID: "s", PlanID: "basic", Quantity: decimal.NewFromInt(100)},
				})
			}
			w.usage.series[0].Days = append(w.usage.series[0].Days, anomaly.Day{
				Date: first.AddDate(0, 0, 60), Part: anomaly.Part{ResourceID: "s", PlanID: "basic", Quantity: decimal.RequireFromString(c.usage)},
			})
			w.train()
			require.Len(t, w.mails("usage.anomalyRisk"), c.want)
			require.Len(t, w.mails("usage.anomaly"), 1)
		})
	}
	w := newWorld(t)
	w.usage.add("adatum", 0)
	for i := range 61 {
		quantity := int64(20_000)
		if i == 60 {
			quantity = 1
		}
		w.usage.series[0].Days = append(w.usage.series[0].Days, anomaly.Day{
			Date: first.AddDate(0, 0, i), Part: anomaly.Part{ResourceID: "s", PlanID: "basic", Quantity: decimal.NewFromInt(quantity)},
		})
	}
	w.train()
	require.Len(t, w.mails("usage.anomalyRisk"), 1, "under-reported")
}

// MTR-75: only what is over 100 USD, unless all are asked for; the impact is signed.
func TestList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	flag := func(offerID, meter, customer string, daysAgo int, impact string) {
		date := training.Truncate(24*time.Hour).AddDate(0, 0, -daysAgo)
		k := anomaly.Key{PublisherID: "contoso", OfferID: offerID, Meter: meter, CustomerID: customer}
		_, err := w.store.Flag(t.Context(), anomaly.Anomaly{
			Key: k, ID: anomaly.IDOf(k, date), UsageDate: date.Format(time.DateOnly), State: anomaly.Unacknowledged,
			Impact: decimal.RequireFromString(impact), Reported: decimal.NewFromInt(1000), ExpiresAt: training.AddDate(0, 0, 30),
		})
		require.NoError(t, err)
	}
	flag("cns", "email", "over", 2, "100.01")
	flag("cns", "email", "at", 3, "100")
	flag("cns", "text", "under", 30, "-900")
	flag("cns", "text", "month", 30, "200")
	flag("other", "email", "more", 31, "500")
	flag("other", "email", "two", 60, "500")
	flag("other", "email", "three", 90, "500")
	flag("other", "email", "never", 91, "500")
	for _, c := range []struct {
		name string
		list anomaly.List
		want []string
	}{
		{"MTR-75 default", anomaly.List{}, []string{"over", "month"}},
		{"MTR-75 all", anomaly.List{All: true}, []string{"over", "at", "month", "under"}},
		{"MTR-75 60 days", anomaly.List{Period: 60}, []string{"over", "month", "more", "two"}},
		{"MTR-75 90 days", anomaly.List{Period: 90}, []string{"over", "month", "more", "two", "three"}},
		{"MTR-75 offer", anomaly.List{Period: 90, OfferID: "other"}, []string{"more", "two", "three"}},
		{"MTR-75 meter", anomaly.List{Period: 90, Meter: "text"}, []string{"month"}},
		{"state", anomaly.List{Period: 90, State: anomaly.Expired}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, limit := range []int{1, 2, 100} {
				var got []string
				l := c.list
				l.PublisherID, l.Limit = "contoso", limit
				for {
					page, next, err := w.List(t.Context(), l)
					require.NoError(t, err)
					require.LessOrEqual(t, len(page), limit)
					for _, a := range page {
						got = append(got, a.CustomerID)
					}
					if l.After = next; next == "" {
						break
					}
				}
				require.ElementsMatch(t, c.want, got)
			}
		})
	}
	_, _, err := w.List(t.Context(), anomaly.List{PublisherID: "contoso", Period: 45})
	refused(t, err, fault.Invalid, anomaly.CodeInvalid, "period")
}

// MTR-76: the last instant of the 30 days is in time, the next is not, whether the timer has come or not.
// What expires on one day may be more than a page.
// Two who decide at once: one wins, the other is told.
// A day of several plans and resources: the estimates go by what each plan costs.
// A customer with more resources than one act can correct: marked without a lower usage, or event by event.
