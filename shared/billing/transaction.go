package billing

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"stoa/shared/fault"
	"stoa/shared/money"
)

// Side is the side of an account a posting goes to.
type Side string

// The sides.
const (
	Debit  Side = "debit"
	Credit Side = "credit"
)

// other is the opposite side.
func (s Side) other() Side {
	if s == Debit {
		return Credit
	}
	return Debit
}

// Posting is one leg of a transaction.
type Posting struct {
	Account  string `json:"account"`
	Currency string `json:"currency"`
	Side     Side   `json:"side"`
	Amount   int64  `json:"amount"` // minor units, above 0
}

// Transaction is one balanced entry of the ledger (3.8).
type Transaction struct {
	ID         string    `json:"txId"` // sorts by posting time
	Key        string    `json:"idempotencyKey"`
	Hash       string    `json:"contentHash"`
	Event      string    `json:"event"`
	OccurredAt time.Time `json:"occurredAt"` // business time
	PostedAt   time.Time `json:"postedAt"`
	LineID     string    `json:"lineId,omitempty"`
	Reverses   string    `json:"reverses,omitempty"` // key of the transaction it takes back
	Postings   []Posting `json:"postings"`
}

// Inputs are what a posting rule is evaluated with.
type Inputs struct {
	Names       map[string]string // of the placeholders: b, p, lineId …
	Amounts     map[string]int64  // of the amount expressions, in minor units
	Currency    string            // txn
	PayCurrency string            // pay; empty: the same
	LineID      string
	Reverses    string
	OccurredAt  time.Time
	PostedAt    time.Time
}

// Post evaluates the posting rule of an event. Rows of zero are left out and a negative amount changes sides. An
// error says that the inputs do not fit the rule, or that the transaction does not balance (BIL-91): nothing may
// be written then.
func Post(event string, in Inputs) (Transaction, error) {
	r, ok := rules.rules[event]
	if !ok {
		return Transaction{}, fmt.Errorf("post %s: there is no such rule", event)
	}
	key, err := r.key.fill(in.Names)
	if err != nil {
		return Transaction{}, fmt.Errorf("post %s: %w", event, err)
	}
	t := Transaction{
		Key: key, Event: event, OccurredAt: in.OccurredAt.UTC(), PostedAt: in.PostedAt.UTC(), LineID: in.LineID, Reverses: in.Reverses,
	}
	t.Postings = make([]Posting, 0, len(r.Postings))
	for _, p := range r.Postings {
		posting, err := p.evaluate(in)
		if err != nil {
			return Transaction{}, fmt.Errorf("post %s: %w", event, err)
		}
		if posting.Amount != 0 {
			t.Postings = append(t.Postings, posting)
		}
	}
	if err := t.Check(); err != nil {
		return Transaction{}, err
	}
	t.Hash = t.hash()
	sum := sha256.Sum256([]byte(t.Key))
	t.ID = t.PostedAt.Format("20060102T150405.000000000Z") + "-" + hex.EncodeToString(sum[:6])
	return t, nil
}

func (p rulePosting) evaluate(in Inputs) (Posting, error) {
	sum := money.Amount{Currency: in.Currency}
	if p.Currency == "pay" && in.PayCurrency != "" {
		sum.Currency = in.PayCurrency
	}
	for _, t := range p.terms {
		value, ok := in.Amounts[t.name]
		if !ok {
			return Posting{}, fmt.Errorf("amount %s is not given", t.name)
		}
		part := money.Amount{Minor: value, Currency: sum.Currency}
		var err error
		if t.negative {
			sum, err = sum.Sub(part)
		} else {
			sum, err = sum.Add(part)
		}
		if err != nil {
			return Posting{}, err
		}
	}
	posting := Posting{Currency: sum.Currency, Side: p.Side, Amount: sum.Minor}
	if sum.Minor == 0 {
		return posting, nil
	}
	if sum.Minor < 0 {
		positive, err := money.Amount{Currency: sum.Currency}.Sub(sum)
		if err != nil {
			return Posting{}, err
		}
		posting.Side, posting.Amount = p.Side.other(), positive.Minor
	}
	account, err := p.account.fill(in.Names)
	posting.Account = account
	return posting, err
}

const maxPostings = 200

// Check refuses a transaction that is not one: it must have 2 to 200 postings of positive amounts in known
// currencies whose sum is zero in each (BIL-91).
func (t Transaction) Check() error {
	if len(t.Postings) < 2 || len(t.Postings) > maxPostings {
		return t.bad("has %d postings", len(t.Postings))
	}
	sums := make([]money.Amount, 0, 2)
	for _, p := range t.Postings {
		if _, known := money.MinorUnits(p.Currency); !known || p.Amount <= 0 || p.Account == "" || p.Side != Debit && p.Side != Credit {
			return t.bad("has a posting of %d %s on %q", p.Amount, p.Currency, p.Account)
		}
		i := slices.IndexFunc(sums, func(a money.Amount) bool { return a.Currency == p.Currency })
		if i < 0 {
			i, sums = len(sums), append(sums, money.Amount{Currency: p.Currency})
		}
		amount := p.Amount
		if p.Side == Credit {
			amount = -amount
		}
		sum, err := sums[i].Add(money.Amount{Minor: amount, Currency: p.Currency})
		if err != nil {
			return t.bad("does not fit: %v", err)
		}
		sums[i] = sum
	}
	for _, sum := range sums {
		if sum.Minor != 0 {
			return t.bad("is out of balance by %s", sum)
		}
	}
	return nil
}

func (t Transaction) bad(format string, args ...any) error {
	return fault.New(fault.Invalid, "InvalidTransaction", t.Key, "the transaction %s %s", t.Key, fmt.Sprintf(format, args...))
}

// hash is the content of a transaction without its times: the same act, done again later, has the same. Each part
// is led by its length, so that no two contents read alike.
func (t Transaction) hash() string {
	text := make([]byte, 0, 512)
	add := func(part string) {
		text = append(strconv.AppendInt(text, int64(len(part)), 10), ':')
		text = append(text, part...)
	}
	for _, part := range []string{t.Event, t.Key, t.LineID, t.Reverses} {
		add(part)
	}
	for _, p := range t.Postings {
		add(p.Account)
		add(p.Currency)
		add(string(p.Side))
		text = append(strconv.AppendInt(text, p.Amount, 10), ';')
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// hashOf is the SHA-256 of a value's JSON, whose member order is that of its type.
func hashOf(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("hash %T: %v", v, err)) // only plain values come here
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}
