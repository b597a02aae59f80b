package billing

import (
	"encoding/json"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"stoa/shared/fault"
	"stoa/shared/money"
)

type example struct {
	Event   string
	Example *struct {
		Inputs   map[string]json.RawMessage
		Postings []Posting
	}
}

func examples(t testing.TB) []example {
	t.Helper()
	var file struct{ Rules []example }
	require.NoError(t, json.Unmarshal(rulesJSON, &file))
	require.Greater(t, len(file.Rules), 30)
	return file.Rules
}

// namesFor are the placeholders of a rule, as the examples fill them.
func namesFor(r rule, e example) map[string]string {
	names := map[string]string{"b": "b1", "p": "p1"}
	for _, m := range placeholder.FindAllStringSubmatch(r.IdempotencyKey, -1) {
		if names[m[1]] == "" {
			names[m[1]] = "x"
		}
	}
	for _, p := range e.Example.Postings {
		if m := regexp.MustCompile(`^tax:([A-Z]{2}):`).FindStringSubmatch(p.Account); m != nil {
			names["cc"], names["publisherCountry"] = m[1], m[1]
		}
	}
	return names
}

// Every rule of the table gives what its example says, and balances (BIL-90, BIL-91).
func TestExamplesOfTheTable(t *testing.T) {
	t.Parallel()
	for _, e := range examples(t) {
		t.Run(e.Event, func(t *testing.T) {
			t.Parallel()
			require.NotNil(t, e.Example)
			in := Inputs{Names: namesFor(rules.rules[e.Event], e), Amounts: map[string]int64{"infra": 0, "over": 0, "feeTax": 0, "tax": 0}}
			for name, raw := range e.Example.Inputs {
				var amount int64
				var text string
				if json.Unmarshal(raw, &amount) == nil {
					in.Amounts[name] = amount
				} else if json.Unmarshal(raw, &text) == nil {
					in.Names[name] = text
				}
			}
			in.Currency, in.PayCurrency = in.Names["currency"], in.Names["payCurrency"]
			got, err := Post(e.Event, in)
			require.NoError(t, err)
			require.ElementsMatch(t, e.Example.Postings, got.Postings)
		})
	}
}

func TestPostIsRefused(t *testing.T) {
	t.Parallel()
	good := Inputs{
		Names:    map[string]string{"p": "p1", "lineId": "l1", "n": "1"},
		Amounts:  map[string]int64{"released": 5},
		Currency: "USD",
	}
	_, err := Post("earning.reported", good)
	require.NoError(t, err)
	for name, change := range map[string]func(*Inputs){
		"no amount":              func(in *Inputs) { in.Amounts = nil },
		"no name":                func(in *Inputs) { in.Names = map[string]string{"p": "p1"} },
		"BIL-8 unknown currency": func(in *Inputs) { in.Currency = "XXX" },
		"nothing to post":        func(in *Inputs) { in.Amounts = map[string]int64{"released": 0} },
	} {
		in := good
		change(&in)
		_, err := Post("earning.reported", in)
		require.Error(t, err, name)
	}
	_, err = Post("no.such", good)
	require.Error(t, err)
	bad := Transaction{Key: "k", Postings: []Posting{
		{Account: "a", Currency: "USD", Side: Debit, Amount: 5}, {Account: "b", Currency: "EUR", Side: Credit, Amount: 5},
	}}
	require.True(t, fault.Is(bad.Check(), fault.Invalid))                                   // BIL-91: balanced per currency
	for n, fine := range map[int]bool{0: false, 1: false, 2: true, 200: true, 202: false} { // 3.8
		var tx Transaction
		for i := range n {
			tx.Postings = append(tx.Postings, Posting{Account: "a", Currency: "USD", Side: []Side{Debit, Credit}[i%2], Amount: 1})
		}
		require.Equal(t, fine, tx.Check() == nil, "%d postings", n)
	}
	for _, amount := range []int64{0, -5} { // 3.8: the side says the sign
		tx := Transaction{Postings: []Posting{{Account: "a", Currency: "USD", Side: Debit, Amount: amount}, {Account: "b", Currency: "USD", Side: Credit, Amount: amount}}}
		require.True(t, fault.Is(tx.Check(), fault.Invalid))
	}
}

// The id of a transaction sorts by its posting, its hash is that of its content and not of its times (3.8, BIL-93).
func TestIdentityOfATransaction(t *testing.T) {
	t.Parallel()
	post := func(at time.Time, minor int64) Transaction {
		tx, err := Post("earning.reported", Inputs{
			Names: map[string]string{"p": "p1", "lineId": "l1", "n": "1"}, Amounts: map[string]int64{"released": minor},
			Currency: "USD", OccurredAt: at, PostedAt: at,
		})
		require.NoError(t, err)
		return tx
	}
	at := time.Date(2026, 1, 9, 23, 59, 59, 999_999_999, time.UTC)
	first, second, other := post(at, 5), post(at.Add(1), 5), post(at, 6)
	require.Less(t, first.ID, second.ID)
	require.Equal(t, first.Hash, second.Hash, "BIL-93")
	require.NotEqual(t, first.Hash, other.Hash, "BIL-93")
	require.Equal(t, first.Key, other.Key)
}

// Whatever the amounts, a charge and its reversal balance and take each other back.
func TestEveryChargeBalances(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		net := rapid.Int64Range(1, 1<<50).Draw(t, "net")
		l := Line{ID: "l1", BillingAccount: "b1", PublisherID: "p1", Market: "US", Currency: "USD", Net: net, Tax: rapid.Int64Range(0, 1<<40).Draw(t, "tax")}
		percent, err := FeePercent("2026-01-01")
		require.NoError(t, err)
		fee, err := money.Amount{Minor: net, Currency: "USD"}.Percent(percent)
		require.NoError(t, err)
		l.Fee, l.Share = fee.Minor, net-fee.Minor
		balance := map[string]int64{}
		for _, event := range []string{"charge.posted", "charge.voided"} {
			tx, err := Post(event, l.inputs(time.Unix(0, 0)))
			require.NoError(t, err)
			for _, p := range tx.Postings {
				if p.Side == Credit {
					p.Amount = -p.Amount
				}
				balance[p.Account] += p.Amount
			}
		}
		for account, sum := range balance {
			require.Zero(t, sum, account)
		}
	})
}

func TestFeeByDate(t *testing.T) {
	t.Parallel()
	for day, want := range map[string]string{"2021-07-13": "20", "2021-07-14": "3", "2026-01-01": "3"} {
		got, err := FeePercent(day)
		require.NoError(t, err)
		require.Equal(t, want, got.String(), day)
	}
}
