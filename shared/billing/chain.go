package billing

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
)

// Sealed is the entry as the n-th of the chain of its account, month and currency, behind the one with the hash
// before: nothing can be changed, taken out or put in later without a break that Verify finds (BIL-98).
func (e Entry) Sealed(n int, before string) Entry {
	e.N, e.Hash = n, ""
	content, err := json.Marshal(e)
	if err != nil {
		panic(fmt.Sprintf("seal %s: %v", e.Key, err)) // only plain values stand in it
	}
	sum := sha256.Sum256(append([]byte(before+"\n"), content...))
	e.Hash = hex.EncodeToString(sum[:])
	return e
}

// Chain is the end of the chain of an account, month and currency, with the sums of its entries.
type Chain struct {
	Month  string `json:"month"`
	Count  int    `json:"count"`
	Head   string `json:"head"`
	Debit  int64  `json:"debit"`
	Credit int64  `json:"credit"`
}

// Break is where a chain does not hold.
type Break struct {
	Month  string `json:"month"`
	N      int    `json:"n"` // of the first entry that is wrong, counted from 1
	Key    string `json:"idempotencyKey,omitempty"`
	Reason string `json:"reason"`
}

// Verify walks the entries of a chain, in any order, and returns the first break, nil when it holds.
func (c Chain) Verify(entries []Entry) *Break {
	entries = slices.Clone(entries)
	slices.SortFunc(entries, func(a, b Entry) int { return cmp.Compare(a.N, b.N) })
	before := ""
	var debit, credit int64
	for i, e := range entries {
		switch {
		case e.N != i+1:
			return &Break{c.Month, i + 1, e.Key, "an entry is missing, or there twice"}
		case e.Sealed(e.N, before).Hash != e.Hash:
			return &Break{c.Month, e.N, e.Key, "the entry was changed"}
		}
		if before = e.Hash; e.Side == Debit {
			debit += e.Amount
		} else {
			credit += e.Amount
		}
	}
	switch {
	case len(entries) != c.Count || before != c.Head:
		return &Break{c.Month, len(entries) + 1, "", "the end of the chain is missing"}
	case debit != c.Debit || credit != c.Credit:
		return &Break{c.Month, len(entries), "", "the entries do not add up to the balance"}
	}
	return nil
}

// Verification says whether the chains of an account hold.
type Verification struct {
	Account  string `json:"account"`
	Currency string `json:"currency"`
	Entries  int    `json:"entries"` // that were verified
	Break    *Break `json:"break"`   // the first one, null when all hold
}

// Verify walks all entries of an account in one currency and finds the first break (BIL-98). NotFound when it has none.
func (s *Service) Verify(ctx context.Context, account, currency string) (Verification, error) {
	return s.deps.Ledger.Verify(ctx, account, currency)
}
