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
	require.True(t, fault.Is(bad.Check(), fault.Invalid)) // BIL-91: balanced per currency
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
