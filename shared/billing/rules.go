package billing

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/shopspring/decimal"
)

//go:embed posting-rules.json
var rulesJSON []byte

// rule is how one event is posted.
type rule struct {
	Event          string        `json:"event"`
	IdempotencyKey string        `json:"idempotencyKey"`
	Postings       []rulePosting `json:"postings"`

	key pattern
}

type rulePosting struct {
	Account  string `json:"account"`
	Side     Side   `json:"side"`
	Amount   string `json:"amount"`   // named minor units, joined with + or -
	Currency string `json:"currency"` // txn or pay

	terms   []term
	account pattern
}

// term is one named amount of an expression.
type term struct {
	name     string
	negative bool
}

// feeRate is the store fee of a span of days, both ends included.
type feeRate struct {
	From    string          `json:"from"`
	To      string          `json:"to"`
	Percent decimal.Decimal `json:"percent"`
}

type ruleTable struct {
	rules map[string]rule
	fees  []feeRate
}

var rules = mustReadRules(rulesJSON)

func mustReadRules(data []byte) ruleTable {
	var file struct {
		Rules         []rule    `json:"rules"`
		StoreFeeRates []feeRate `json:"storeFeeRates"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		panic(fmt.Sprintf("posting-rules.json: %v", err))
	}
	t := ruleTable{rules: map[string]rule{}, fees: file.StoreFeeRates}
	for _, r := range file.Rules {
		for i := range r.Postings {
			p := &r.Postings[i]
			p.terms, p.account = mustParseAmount(r.Event, p.Amount), parsePattern(p.Account)
			if p.Side != Debit && p.Side != Credit || p.Currency != "txn" && p.Currency != "pay" {
				panic(fmt.Sprintf("posting-rules.json: %s: side %q, currency %q", r.Event, p.Side, p.Currency))
			}
		}
		r.key = parsePattern(r.IdempotencyKey)
		t.rules[r.Event] = r
	}
	return t
}

var amountTerm = regexp.MustCompile(`^[+-]?[A-Za-z]+`)

func mustParseAmount(event, text string) []term {
	var terms []term
	for rest := text; rest != ""; {
		next := amountTerm.FindString(rest)
		if next == "" {
			panic(fmt.Sprintf("posting-rules.json: %s: amount %q", event, text))
		}
		terms = append(terms, term{name: strings.TrimLeft(next, "+-"), negative: next[0] == '-'})
		rest = rest[len(next):]
	}
	return terms
}

// FeePercent is the store fee of a charge date, YYYY-MM-DD.
func FeePercent(chargeDate string) (decimal.Decimal, error) {
	for _, f := range rules.fees {
		if f.From <= chargeDate && (f.To == "" || chargeDate <= f.To) {
			return f.Percent, nil
		}
	}
	return decimal.Decimal{}, fmt.Errorf("there is no store fee for %s", chargeDate)
}

var placeholder = regexp.MustCompile(`\{([A-Za-z]+)\}`)

// pattern is a text with placeholders, such as "publisher:{p}:accrued", taken apart: text, name, text, name …
type pattern []string

func parsePattern(text string) pattern {
	var parts pattern
	for {
		at := placeholder.FindStringSubmatchIndex(text)
		if at == nil {
			return append(parts, text)
		}
		parts = append(parts, text[:at[0]], text[at[2]:at[3]])
		text = text[at[1]:]
	}
}

// fill puts names into a pattern.
func (p pattern) fill(names map[string]string) (string, error) {
	var text strings.Builder
	for i, part := range p {
		if i%2 == 1 {
			name := part
			if part = names[name]; part == "" {
				return "", fmt.Errorf("%s is not given", name)
			}
		}
		text.WriteString(part)
	}
	return text.String(), nil
}
