package billing_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/billing"
	"stoa/shared/billing/billingtest"
)

// balanced checks that the journal holds its invariants.
func balanced(t *testing.T, w *billingtest.World) {
	t.Helper()
	breaches, err := w.Billing.Check(t.Context(), "contoso")
	require.NoError(t, err)
	require.Empty(t, breaches, "BIL-97")
}

func TestBreachesAreFound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, want string
		harm       func(t *testing.T, w *billingtest.World, b *billing.Batch)
	}{
		{"BIL-97 I4 a share that no line has", "I4", func(t *testing.T, _ *billingtest.World, b *billing.Batch) {
			tx, err := billing.Post("earning.reported", billing.Inputs{
				Names: map[string]string{"p": "contoso", "lineId": "x", "n": "1"}, Amounts: map[string]int64{"released": 5}, Currency: "USD",
			})
			require.NoError(t, err)
			b.Transactions = append(b.Transactions, tx)
		}},
		{"BIL-97 I6 an invoice that no bill has", "I6", func(t *testing.T, _ *billingtest.World, b *billing.Batch) {
			tx, err := billing.Post("invoice.issued", billing.Inputs{
				Names: map[string]string{"b": "adatum", "invoiceId": "x"}, Amounts: map[string]int64{"total": 5}, Currency: "USD",
			})
			require.NoError(t, err)
			b.Transactions = append(b.Transactions, tx)
		}},
		{"BIL-97 I6 credit out of nothing", "I6", func(_ *testing.T, _ *billingtest.World, b *billing.Batch) {
			b.Credits = []billing.CustomerCredit{{BillingAccount: "adatum", Currency: "USD", Free: 7}}
		}},
		{"BIL-97 I7 a share that was changed", "I7", func(t *testing.T, w *billingtest.World, b *billing.Batch) {
			l := lineOf(t, w, "term:s1:1:flat")
			l.Share++
			b.Lines = []billing.Line{l}
		}},
		{"BIL-97 I3 a transaction that was changed", "I3", func(t *testing.T, w *billingtest.World, b *billing.Batch) {
			tx, err := w.Ledger.Transaction(t.Context(), "contoso", "charge:"+billing.LineID("term:s1:1:flat"))
			require.NoError(t, err)
			tx.Key += "x"
			b.Transactions = []billing.Transaction{tx}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := billingtest.New(t, start)
			w.Subscribe("s1", "100.00", "USD")
			w.Charge(t, "s1", 1)
			require.Empty(t, w.Pump(t, nil))
			balanced(t, w)
			b := billing.Batch{PublisherID: "contoso"}
			c.harm(t, w, &b)
			require.NoError(t, w.Ledger.Apply(t.Context(), b))
			breaches, err := w.Billing.Check(t.Context(), "contoso")
			require.NoError(t, err)
			var found []string
			for _, breach := range breaches {
				found = append(found, breach.Invariant)
			}
			require.Contains(t, found, c.want)
		})
	}
}

func TestChain(t *testing.T) {
	t.Parallel()
	w := billingtest.New(t, start)
	for _, id := range []string{"s1", "s2", "s3"} {
		w.Subscribe(id, "100.00", "USD")
		w.Charge(t, id, 1)
	}
	require.Empty(t, w.Pump(t, nil))
	w.Set(start.Add(48 * time.Hour))
	require.Empty(t, w.Pump(t, nil))
	const account = "publisher:contoso:accrued"
	v, err := w.Billing.Verify(t.Context(), account, "USD")
	require.NoError(t, err)
	require.Nil(t, v.Break)
	require.Equal(t, 6, v.Entries)
	s, err := w.Billing.Account(t.Context(), account, "USD", "", 100)
	require.NoError(t, err)
	entries := make([]billing.Entry, len(s.Entries))
	for _, e := range s.Entries {
		entries[e.N-1] = e
	}
	end := billing.Chain{Month: "2026-01", Count: 6, Head: entries[5].Hash, Debit: s.Debit, Credit: s.Credit}
	require.Nil(t, end.Verify(entries))
	for _, c := range []struct {
		name string
		harm func(e []billing.Entry, c *billing.Chain) []billing.Entry
		n    int
	}{
		{"BIL-98 an amount", func(e []billing.Entry, _ *billing.Chain) []billing.Entry { e[2].Amount++; return e }, 3},
		{"BIL-98 a line id", func(e []billing.Entry, _ *billing.Chain) []billing.Entry { e[0].LineID = "x"; return e }, 1},
		{"BIL-98 one is taken out", func(e []billing.Entry, _ *billing.Chain) []billing.Entry { return append(e[:3:3], e[4:]...) }, 4},
		{"BIL-98 the last is taken out", func(e []billing.Entry, _ *billing.Chain) []billing.Entry { return e[:5] }, 6},
		{"BIL-98 one is put in", func(e []billing.Entry, _ *billing.Chain) []billing.Entry { return append(e, billing.Entry{Key: "x"}) }, 1},
		{"BIL-98 one is changed and sealed again", func(e []billing.Entry, _ *billing.Chain) []billing.Entry {
			e[2].Amount++
			e[2] = e[2].Sealed(3, e[1].Hash)
			return e
		}, 4},
		{"BIL-98 the balance", func(e []billing.Entry, c *billing.Chain) []billing.Entry { c.Debit++; return e }, 6},
	} {
		harmed, chain := append([]billing.Entry(nil), entries...), end
		broken := chain
		harmed = c.harm(harmed, &broken)
		got := broken.Verify(harmed)
		require.NotNil(t, got, c.name)
		require.Equal(t, c.n, got.N, c.name)
	}
}
