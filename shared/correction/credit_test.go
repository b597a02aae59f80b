package correction_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"stoa/shared/correction"
	"stoa/shared/fault"
	"stoa/shared/store/storetest"
)

func TestCredit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	event := w.use("s1", "basic", "1000")
	w.use("s1", "basic", "50")
	w.close()
	charged := w.balances()
	require.Equal(t, map[string]int64{"platform:cash": 105_000, "publisher:{p}:escrow": -101_850, "platform:revenue:storeFee": -3_150}, charged)
	w.Price("7")
	c := w.correct(event, "110")
	require.Equal(t, correction.Credited, c.State)
	p := c.Parts[0]
	require.Equal(t, []any{"1", "USD", "890", int64(89_000), int64(2_670)}, []any{p.UnitPrice.String(), p.Currency, p.Reduced.String(), p.Net, p.Fee})
	require.Equal(t, map[string]int64{"platform:cash": 16_000, "publisher:{p}:escrow": -15_520, "platform:revenue:storeFee": -480}, w.balances())
	line, err := w.Ledger.Line(t.Context(), "contoso", p.CreditID) // BIL-27
	require.NoError(t, err)
	require.Equal(t, []any{"correction:" + c.ID, correction.KindLine, int64(-89_000), int64(-2_670), int64(-86_330), "2026-01-31"},
		[]any{line.SourceKey, line.Kind, line.Net, line.Fee, line.Share, line.ChargeDate})
	original, err := w.Ledger.Line(t.Context(), "contoso", p.LineID)
	require.NoError(t, err)
	require.Equal(t, []any{int64(105_000), "1050"}, []any{original.Net, original.Quantity.String()}, "MTR-71 history is not rewritten")

	w.Set(closed.AddDate(0, 0, 31)) // the rest of the share matures
	require.Equal(t, map[string]int64{"platform:cash": 16_000, "publisher:{p}:payable": -15_520, "platform:revenue:storeFee": -480}, w.balances())
}

func TestCreditAfterTheHoldingPeriod(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	event := w.use("s1", "basic", "100")
	w.close()
	w.Set(closed.AddDate(0, 0, 31))
	require.Equal(t, int64(-9_700), w.balances()["publisher:{p}:payable"])
	c := w.correct(event, "0")
	require.Empty(t, w.balances(), "all of it was given back")
	owed, _, err := w.Ledger.Releases(t.Context(), "contoso", w.Now().Add(time.Hour), "", 10)
	require.NoError(t, err)
	require.Len(t, owed, 2)
	require.Equal(t, []any{c.Parts[0].CreditID, int64(-9_700), true}, []any{owed[1].LineID, owed[1].Amount.Minor, owed[1].Matured}, "PAY-10")
}

func TestCreditOfAWholeLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	event := w.use("s1", "basic", "100")
	w.close()
	w.correct(event, "0")
	require.Empty(t, w.balances())
	w.Set(closed.AddDate(0, 0, 31))
	require.Empty(t, w.balances())
	open, _, err := w.Ledger.Releases(t.Context(), "contoso", w.Now().AddDate(1, 0, 0), "", 10)
	require.NoError(t, err)
	require.Empty(t, open)
}

func TestCreditWaitsForTheCharge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	event := w.use("s1", "basic", "1000")
	require.Empty(t, w.Pump(t, nil))
	c := w.correct(event, "110")
	require.Equal(t, correction.Approved, c.State)
	require.Empty(t, w.balances())
	w.Set(closed.Add(-time.Hour - time.Second)) // before the credit is due again, the cycle is charged
	require.Equal(t, int64(100_000), w.balances()["platform:cash"])
	w.work()
	require.Equal(t, correction.Approved, w.read(c).State)
	w.Set(closed)
	w.work()
	require.Equal(t, correction.Credited, w.read(c).State)
	require.Equal(t, int64(11_000), w.balances()["platform:cash"])
}

func TestNotProrated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	event := w.use("s1", "basic", "100")
	require.Empty(t, w.Pump(t, nil))
	sub, err := w.Subscription(t.Context(), "s1")
	require.NoError(t, err)
	sub.EndedAt = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	w.Save(sub)
	w.Set(sub.EndedAt)
	require.NoError(t, w.Billing.EndUsage(t.Context(), "s1"))
	w.Set(sub.EndedAt.Add(24*time.Hour + time.Second))
	require.Equal(t, int64(10_000), w.balances()["platform:cash"], "100 x 1.00, half a month or not")
	c := w.correct(event, "60")
	require.Equal(t, correction.Credited, c.State, "its cycle is closed")
	require.Equal(t, int64(6_000), w.balances()["platform:cash"], "40 x 1.00")
}

func TestNeverMoreThanTheLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Price("0.005") // each alone is 0.015, which goes up to 0.02; all are 0.105, which is 0.10
	var events []string
	for range 7 {
		events = append(events, w.use("s1", "basic", "3"))
	}
	w.close()
	require.Equal(t, int64(10), w.balances()["platform:cash"], "21 x 0.005 = 0.105")
	for i, event := range events {
		w.Set(closed.Add(time.Duration(i+1) * time.Second))
		c := w.correct(event, "0")
		require.Equal(t, correction.Credited, c.State)
		require.GreaterOrEqual(t, w.balances()["platform:cash"], int64(0), "after %d", i+1)
	}
	require.Empty(t, w.balances())
}

func TestCreditOfNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Price("0")
	event := w.use("s1", "basic", "1000")
	w.close()
	c := w.correct(event, "0")
	require.Equal(t, correction.Credited, c.State)
	require.Zero(t, c.Parts[0].Net)
	require.Empty(t, w.balances())
}

func TestDayOfSeveralResources(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Subscribe("s2", "0.00", "USD")
	w.Subscribe("s3", "0.00", "USD")
	usages := []correction.Usage{}
	for i, quantity := range []string{"100", "100", "100"} {
		resource := fmt.Sprint("s", i+1)
		w.use(resource, "basic", quantity)
		usages = append(usages, correction.Usage{ResourceID: resource, PlanID: "basic", Quantity: *d(quantity)})
	}
	w.close()
	filed, err := w.File(t.Context(), correction.Correction{
		PublisherID: "contoso", OfferID: "cns", Meter: "email", CustomerID: "adatum", UsageDate: "2026-01-10", AnomalyID: "a",
		Reported: decimal.NewFromInt(300), NewReported: decimal.NewFromInt(100), SubmittedBy: "ann",
	}, usages)
	require.NoError(t, err)
	sum := decimal.Zero
	for _, p := range filed.Correction.Parts {
		sum = sum.Add(p.Reduced)
	}
	require.Equal(t, "200", sum.String())
	require.NoError(t, w.store.Save(t.Context(), filed))
	w.work()
	w.decide(filed.Correction, true)
	w.work()
	c := w.read(filed.Correction)
	require.Equal(t, correction.Credited, c.State)
	require.Equal(t, []int64{6_667, 6_667, 6_667}, []int64{c.Parts[0].Net, c.Parts[1].Net, c.Parts[2].Net}, "each is a line of its own, rounded once")
	require.Equal(t, int64(30_000-20_001), w.balances()["platform:cash"])
	_, err = w.File(t.Context(), correction.Correction{Reported: decimal.NewFromInt(2)}, make([]correction.Usage, 41))
	refused(t, err, fault.Conflict, correction.CodeTooMany, "newReportedUsage")
}

func TestLateUsage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.use("s1", "basic", "10")
	w.close()
	event := w.useAt("s1", "gold", "40", time.Date(2026, 1, 31, 23, 30, 0, 0, time.UTC))
	require.Empty(t, w.Pump(t, nil))
	c := w.correct(event, "10")
	require.Equal(t, correction.Approved, c.State, "its cycle is open")
	w.Set(time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC))
	require.Equal(t, int64(5_000), w.balances()["platform:cash"])
	w.work()
	require.Equal(t, correction.Credited, w.read(c).State)
	require.Equal(t, int64(2_000), w.balances()["platform:cash"])
	line, err := w.Ledger.Line(t.Context(), "contoso", w.read(c).Parts[0].LineID)
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(line.SourceKey, "2026-02:2026-01"), line.SourceKey)
}

func TestCreditWhateverHappens(t *testing.T) {
	t.Parallel()
	for _, harm := range []storetest.Harm{storetest.Die, storetest.DieLate, storetest.Refuse, storetest.Lose} {
		t.Run(fmt.Sprint(harm), func(t *testing.T) {
			t.Parallel()
			for k := 1; ; k++ {
				w := newWorld(t)
				event := w.use("s1", "basic", "1000")
				w.close()
				c := w.submit(event, "110")
				w.work()
				w.decide(c, true)
				require.NoError(t, w.db.Flush(t.Context()))
				w.crash.Arm(harm, k)
				w.work()
				operations := w.crash.Operations()
				w.process = w.open("second")
				for range 2 {
					w.Set(w.Now().Add(10 * time.Minute))
					_, err := w.db.Sweep(t.Context())
					require.NoError(t, err)
					w.work()
				}
				require.Equal(t, correction.Credited, w.read(c).State, "harm at %d", k)
				require.Equal(t, map[string]int64{"platform:cash": 11_000, "publisher:{p}:escrow": -10_670, "platform:revenue:storeFee": -330}, w.balances(), "harm at %d", k)
				given, err := w.store.Given(t.Context(), "contoso", w.read(c).Parts[0].LineID)
				require.NoError(t, err)
				require.Equal(t, int64(89_000), given.Net, "harm at %d", k)
				if k > operations {
					require.Greater(t, k, 10)
					return
				}
			}
		})
	}
}

// MTR-81: under-reported usage is neither billed to the customer nor paid to the publisher, not even before its cycle
// is closed.
func TestUnderReported(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	event := w.use("s1", "basic", "1000")
	_, err := w.Submit(t.Context(), report(event, "1200"))
	refused(t, err, fault.NotReady, correction.CodeUnderReported, "newReportedUsage")
	w.work()
	w.close()
	_, err = w.Submit(t.Context(), report(event, "1200"))
	refused(t, err, fault.NotReady, correction.CodeUnderReported, "newReportedUsage")
	w.work()
	require.Equal(t, map[string]int64{"platform:cash": 100_000, "publisher:{p}:escrow": -97_000, "platform:revenue:storeFee": -3_000}, w.balances())
}
