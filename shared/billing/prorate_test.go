package billing_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"stoa/shared/billing"
	"stoa/shared/billing/billingtest"
	"stoa/shared/subscription"
)

// change is one that succeeded at an instant: seats and price from then on.
type change struct {
	at    string
	seats int
	price string
}

// seated is a world in which s1 was activated at an instant, with one seat of the price, for a term of the unit.
func seated(t *testing.T, at, unit, end, price string) (*billingtest.World, subscription.Subscription) {
	t.Helper()
	w := billingtest.New(t, instant(at))
	sub := w.Subscribe("s1", price, "USD")
	sub.TermUnit = unit
	sub.Terms[0].Unit, sub.Terms[0].EndDate, sub.Terms[0].Quantity, sub.Terms[0].ChargedAt = unit, end, 1, w.Now()
	sub.Plans = []subscription.PlanSpan{{PlanID: "basic", From: w.Now(), Quantity: 1, UnitPrice: decimal.RequireFromString(price)}}
	w.Save(sub)
	return w, sub
}

func instant(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

// with is the subscription after a change, whose operation is o1, o2 …
func with(sub subscription.Subscription, c change) subscription.Subscription {
	sub.Plans = append(append([]subscription.PlanSpan(nil), sub.Plans...), subscription.PlanSpan{
		PlanID: "basic", From: instant(c.at), Quantity: c.seats, UnitPrice: decimal.RequireFromString(c.price), Operation: fmt.Sprint("o", len(sub.Plans)),
	})
	return sub
}

// shownLines are lines as they are compared: part, net, days, charge date.
func shownLines(lines []billing.Line) []string {
	var out []string
	for _, l := range lines {
		out = append(out, fmt.Sprintf("%s %d %d/%d %s", l.SourceKey[strings.LastIndex(l.SourceKey, ":")+1:], l.Net, l.Days, l.PeriodDays, l.ChargeDate))
	}
	return out
}

// stored are the lines of an operation in the ledger.
func stored(t *testing.T, w *billingtest.World, op string) []billing.Line {
	t.Helper()
	var out []billing.Line
	for _, part := range []string{"reversal", "used", "new"} {
		if l, err := w.Ledger.Line(t.Context(), "contoso", billing.LineID("segment:s1:"+op+":"+part)); err == nil {
			out = append(out, l)
		}
	}
	return out
}

func TestProration(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, start, unit, end, price string
		changes                       []change
		want                          [][]string // by operation
		fees, shares                  []int64    // of the first one
		cash, credit                  int64      // after the capture of the term and all changes
	}{
		{
			"BIL-47 a seat more in a month", "2022-01-13T10:00:00Z", "P1M", "2022-02-12", "4.00",
			[]change{{"2022-02-01T12:00:00Z", 2, "4.00"}},
			[][]string{{"reversal -400 31/31 2022-01-13", "used 245 19/31 2022-01-13", "new 310 12/31 2022-02-01"}},
			[]int64{-12, 7, 9}, []int64{-388, 238, 301}, 400 + 155, 0, // walk 5
		},
		{
			"BIL-47 a seat more in a year, twice", "2022-01-01T00:00:00Z", "P1Y", "2022-12-31", "211.20",
			[]change{{"2022-01-02T00:00:00Z", 2, "211.20"}, {"2022-01-29T23:59:59Z", 2, "211.20"}},
			[][]string{
				{"reversal -21120 365/365 2022-01-01", "used 58 1/365 2022-01-01", "new 42124 364/365 2022-01-02"},
				{"reversal -42124 364/365 2022-01-02", "used 3125 27/365 2022-01-02", "new 39000 337/365 2022-01-29"},
			},
			nil, nil, 58 + 3125 + 39000, 0,
		},
		{
			"BIL-51 two changes on one day", "2022-01-13T10:00:00Z", "P1M", "2022-02-12", "4.00",
			[]change{{"2022-02-01T00:00:00Z", 2, "4.00"}, {"2022-02-01T23:59:59Z", 1, "4.00"}},
			[][]string{
				{"reversal -400 31/31 2022-01-13", "used 245 19/31 2022-01-13", "new 310 12/31 2022-02-01"},
				{"reversal -310 12/31 2022-02-01", "new 155 12/31 2022-02-01"},
			},
			nil, nil, 400 + 155, 155, // BIL-49: what it is less is customer credit, no money back
		},
		{
			"BIL-49 fewer seats become credit", "2022-01-13T10:00:00Z", "P1M", "2022-02-12", "40.00",
			[]change{{"2022-02-01T12:00:00Z", 1, "20.00"}},
			[][]string{{"reversal -4000 31/31 2022-01-13", "used 2452 19/31 2022-01-13", "new 774 12/31 2022-02-01"}},
			nil, nil, 4000, 774,
		},
		{
			"BIL-53 a change behind the term is none inside it", "2022-01-13T10:00:00Z", "P1M", "2022-02-12", "4.00",
			[]change{{"2022-02-13T00:00:00Z", 2, "4.00"}}, [][]string{nil}, nil, nil, 400, 0,
		},
		{
			"BIL-46 the last day of the term", "2022-01-13T10:00:00Z", "P1M", "2022-02-12", "31.00",
			[]change{{"2022-02-12T23:59:59Z", 2, "31.00"}},
			[][]string{{"reversal -3100 31/31 2022-01-13", "used 3000 30/31 2022-01-13", "new 200 1/31 2022-02-12"}}, nil, nil, 3200, 0,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, sub := seated(t, c.start, c.unit, c.end, c.price)
			w.Charge(t, "s1", 1)
			firm := w.Now().Add(14*24*time.Hour + time.Second)
			if c.unit == "P1M" {
				firm = w.Now().Add(24*time.Hour + time.Second)
			}
			pump := func(at time.Time) {
				t.Helper()
				if at.After(w.Now()) {
					w.Set(at)
				}
				require.Empty(t, w.Pump(t, nil))
			}
			pump(w.Now())
			if firm.Before(instant(c.changes[0].at)) {
				pump(firm)
			}
			for i, change := range c.changes {
				pump(instant(change.at))
				sub = with(sub, change)
				preview, err := w.Billing.Preview(t.Context(), sub)
				require.NoError(t, err)
				w.Save(sub)
				for range 2 { // BIL-9
					require.NoError(t, w.Billing.ChargeChange(t.Context(), "s1", 1, fmt.Sprint("o", i+1)))
				}
				require.Equal(t, c.want[i], shownLines(stored(t, w, fmt.Sprint("o", i+1))), "BIL-50")
				require.Equal(t, shownLines(stored(t, w, fmt.Sprint("o", i+1))), shownLines(preview.Lines), "BIL-54")
			}
			for i, l := range stored(t, w, "o1") {
				require.Equal(t, l.Net, l.Fee+l.Share)
				if c.fees != nil {
					require.Equal(t, []int64{c.fees[i], c.shares[i]}, []int64{l.Fee, l.Share})
				}
			}
			pump(firm)
			balances := w.Balances(t, "USD", billingtest.Accounts...)
			require.Equal(t, []int64{c.cash, -c.credit}, []int64{balances["platform:cash"], balances["customer:adatum:credit"]}, "%v", balances)
			require.Zero(t, balances["customer:adatum:unbilled"]+balances["customer:adatum:receivable"]+balances["publisher:{p}:accrued"])
			paid, err := w.Cards.Payments(t.Context(), "adatum")
			require.NoError(t, err)
			require.Equal(t, c.cash, paid["USD"], "the card was charged what the ledger says")
			balanced(t, w)
		})
	}
}

// BIL-51: the plan of 20.00 swapped to one of 10.00 on the first day.
func TestSwapOnTheFirstDay(t *testing.T) {
	t.Parallel()
	w, sub := seated(t, "2022-01-13T10:00:00Z", "P1M", "2022-02-12", "20.00")
	w.Charge(t, "s1", 1)
	require.Empty(t, w.Pump(t, nil))
	w.Save(with(sub, change{"2022-01-13T11:00:00Z", 1, "10.00"}))
	require.NoError(t, w.Billing.ChargeChange(t.Context(), "s1", 1, "o1"))
	require.Equal(t, []string{"reversal -2000 31/31 2022-01-13", "new 1000 31/31 2022-01-13"}, shownLines(stored(t, w, "o1")), "BIL-51")
	require.Equal(t, billing.Pending, stored(t, w, "o1")[1].State, "BIL-34: nothing is captured inside the free window")
	w.Set(w.Now().Add(24*time.Hour + time.Second))
	require.Empty(t, w.Pump(t, nil))
	require.Equal(t, int64(1000), w.Balances(t, "USD", billingtest.Accounts...)["platform:cash"], "one invoice of all")
	reversed, err := w.Ledger.Transaction(t.Context(), "contoso", "reverse:"+billing.LineID("term:s1:1:seats"))
	require.NoError(t, err)
	require.Equal(t, "charge:"+billing.LineID("term:s1:1:seats"), reversed.Reverses, "BIL-92")
}

func TestCancelInTheFreeWindowAfterChanges(t *testing.T) {
	t.Parallel()
	for _, captured := range []bool{false, true} {
		t.Run(fmt.Sprint("BIL-32 proration lines included, captured ", captured), func(t *testing.T) {
			t.Parallel()
			w, sub := seated(t, "2022-01-01T00:00:00Z", "P1Y", "2022-12-31", "1200.00")
			w.Charge(t, "s1", 1)
			require.Empty(t, w.Pump(t, nil))
			for i := range 14 { // more lines than one batch holds
				sub = with(sub, change{fmt.Sprintf("2022-01-%02dT12:00:00Z", i+1), 2 + i%3, "1200.00"})
			}
			w.Set(instant("2022-01-14T13:00:00Z"))
			w.Save(sub)
			require.NoError(t, w.Billing.ChargeTerm(t.Context(), "s1", 1))
			require.Empty(t, w.Pump(t, nil))
			require.NotZero(t, w.Balances(t, "USD", billingtest.Accounts...)["customer:adatum:unbilled"])
			if captured { // BIL-62: the news comes late
				w.Set(instant("2022-01-16T00:00:00Z"))
				require.Empty(t, w.Pump(t, nil))
				require.NotZero(t, w.Balances(t, "USD", billingtest.Accounts...)["platform:cash"])
			}
			sub.Status, sub.Waived, sub.EndedAt = subscription.Unsubscribed, true, instant("2022-01-14T14:00:00Z") // BIL-11
			w.Save(sub)
			for range 2 {
				require.NoError(t, w.Billing.ChargeTerm(t.Context(), "s1", 1))
			}
			for range 3 {
				w.Set(w.Now().AddDate(0, 1, 0))
				require.Empty(t, w.Pump(t, nil))
			}
			balanced(t, w)
			left := w.Balances(t, "USD", billingtest.Accounts...)
			credit := -left["customer:adatum:credit"]
			paid, err := w.Cards.Payments(t.Context(), "adatum")
			require.NoError(t, err)
			require.Equal(t, left["platform:cash"], paid["USD"])
			require.Equal(t, credit, left["platform:cash"], "what is left is the customer's")
			delete(left, "customer:adatum:credit")
			delete(left, "platform:cash")
			require.Empty(t, left)
		})
	}
}

func TestNoProration(t *testing.T) { // BIL-48
	t.Parallel()
	w, sub := seated(t, "2022-01-13T10:00:00Z", "P1M", "2022-02-12", "4.00")
	s, err := billing.New(billing.Deps{
		Ledger: w.Ledger, Subscriptions: w, Resources: w, Usage: w.Usage, Rates: w.Ledger, Now: w.Now, Proration: billing.NoProration,
	})
	require.NoError(t, err)
	w.Save(with(sub, change{"2022-02-01T12:00:00Z", 2, "4.00"}))
	require.NoError(t, s.ChargeChange(t.Context(), "s1", 1, "o1"))
	require.Empty(t, stored(t, w, "o1"), "BIL-48")
	preview, err := s.Preview(t.Context(), w.Sub(t, "s1"))
	require.NoError(t, err)
	require.Empty(t, preview.Lines)
	_, err = billing.New(billing.Deps{
		Ledger: w.Ledger, Subscriptions: w, Resources: w, Usage: w.Usage, Rates: w.Ledger, Now: w.Now, Proration: "weekly",
	})
	require.Error(t, err)
}

// A change is one batch: whatever write breaks, its lines are all there or none, and are there once in the end.
func TestChangeIsOneAct(t *testing.T) {
	t.Parallel()
	for _, late := range []bool{false, true} {
		for k := 1; k <= 2; k++ {
			t.Run(fmt.Sprint("BIL-94 write ", k, " breaks, done ", late), func(t *testing.T) {
				t.Parallel()
				w, sub := seated(t, "2022-01-13T10:00:00Z", "P1M", "2022-02-12", "4.00")
				w.Charge(t, "s1", 1)
				require.Empty(t, w.Pump(t, nil))
				w.Set(w.Now().Add(25 * time.Hour))
				require.Empty(t, w.Pump(t, nil))
				w.Set(instant("2022-02-01T12:00:00Z"))
				w.Save(with(sub, change{"2022-02-01T12:00:00Z", 2, "4.00"}))
				require.Error(t, serviceOver(t, w, &breaking{w.Ledger, k, late}).ChargeChange(t.Context(), "s1", 1, "o1"))
				require.Contains(t, []int{0, 3}, len(stored(t, w, "o1")), "BIL-94")
				require.NoError(t, w.Billing.ChargeChange(t.Context(), "s1", 1, "o1"))
				require.NoError(t, w.Billing.Collect(t.Context(), "s1", 0, time.Time{}))
				require.Empty(t, w.Pump(t, nil))
				require.Equal(t, int64(555), w.Balances(t, "USD", billingtest.Accounts...)["platform:cash"])
				paid, err := w.Cards.Payments(t.Context(), "adatum")
				require.NoError(t, err)
				require.Equal(t, int64(555), paid["USD"])
			})
		}
	}
}

// BIL-49: when the difference is declined, the change stays, the receivable is open and asked for again.
func TestDeclinedDifference(t *testing.T) {
	t.Parallel()
	w, sub := seated(t, "2022-01-13T10:00:00Z", "P1M", "2022-02-12", "4.00")
	w.Charge(t, "s1", 1)
	require.Empty(t, w.Pump(t, nil))
	w.Set(w.Now().Add(25 * time.Hour))
	require.Empty(t, w.Pump(t, nil))
	w.Decline(t, 1)
	w.Set(instant("2022-02-01T12:00:00Z"))
	w.Save(with(sub, change{"2022-02-01T12:00:00Z", 2, "4.00"}))
	require.NoError(t, w.Billing.ChargeChange(t.Context(), "s1", 1, "o1"))
	require.Empty(t, w.Pump(t, nil))
	balances := w.Balances(t, "USD", billingtest.Accounts...)
	require.Equal(t, []int64{400, 155}, []int64{balances["platform:cash"], balances["customer:adatum:receivable"]}, "BIL-49")
	require.Equal(t, billing.Owed, stored(t, w, "o1")[2].State)
	balanced(t, w)
	require.Empty(t, w.Answers(t), "BIL-49: it does not suspend")
	w.Set(w.Now().Add(24 * time.Hour)) // BIL-61
	require.Empty(t, w.Pump(t, nil))
	balances = w.Balances(t, "USD", billingtest.Accounts...)
	require.Equal(t, []int64{555, 0}, []int64{balances["platform:cash"], balances["customer:adatum:receivable"]})
	require.Equal(t, billing.Invoiced, stored(t, w, "o1")[2].State)
}

// BIL-58: credit of a smaller change is used before the card is charged.
func TestCreditIsUsedFirst(t *testing.T) {
	t.Parallel()
	w, sub := seated(t, "2022-01-13T10:00:00Z", "P1M", "2022-02-12", "31.00")
	w.Charge(t, "s1", 1)
	require.Empty(t, w.Pump(t, nil))
	w.Set(w.Now().Add(25 * time.Hour))
	require.Empty(t, w.Pump(t, nil))
	w.Set(instant("2022-02-02T12:00:00Z"))
	sub = with(sub, change{"2022-02-02T12:00:00Z", 1, "15.50"}) // 11 days at half price: 5.50 less
	sub = with(sub, change{"2022-02-03T12:00:00Z", 1, "31.00"}) // 10 days at the full price: 5.00 more
	w.Save(sub)
	require.NoError(t, w.Billing.ChargeTerm(t.Context(), "s1", 1))
	require.Empty(t, w.Pump(t, nil))
	balances := w.Balances(t, "USD", billingtest.Accounts...)
	require.Equal(t, []int64{3100, -50, 0}, []int64{balances["platform:cash"], balances["customer:adatum:credit"], balances["customer:adatum:receivable"]}, "BIL-58")
	credit, err := w.Ledger.Credit(t.Context(), "contoso", "adatum", "USD")
	require.NoError(t, err)
	require.Equal(t, int64(50), credit.Free)
	credit.Free = -1
	err = w.Ledger.Apply(t.Context(), billing.Batch{PublisherID: "contoso", Credits: []billing.CustomerCredit{credit}})
	require.ErrorContains(t, err, "would be -1", "BIL-99")
}
