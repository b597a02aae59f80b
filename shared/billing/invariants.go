package billing

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Journal is a stretch of all that a publisher's journal holds.
type Journal struct {
	Transactions []Transaction
	Lines        []Line
	Releases     []Release
	Collections  []Collection
	Credits      []CustomerCredit
}

// Breach is an invariant of posting-rules.json that does not hold (BIL-97).
type Breach struct {
	Invariant string `json:"invariant"` // I1, I4 …
	Subject   string `json:"subject"`   // transaction, line, or account with its currency
	Text      string `json:"text"`
}

// books are what the journal says twice: as postings, and as what stands open.
type books struct {
	posted, open map[string]int64 // by account kind and currency; credit is positive for publishers and customer credit
	breaches     []Breach
}

const journalPage = 500

// Check walks the journal of a publisher and finds what breaks its invariants: I1, I3, I4, I6, I7 and I9 (BIL-97). What
// is being written meanwhile may seem broken, so a breach that is gone in the next check was none.
func (s *Service) Check(ctx context.Context, publisherID string) ([]Breach, error) {
	b := books{posted: map[string]int64{}, open: map[string]int64{}}
	for after := ""; ; {
		page, next, err := s.deps.Ledger.Journal(ctx, publisherID, after, journalPage)
		if err != nil {
			return nil, fmt.Errorf("check the journal of %s: %w", publisherID, err)
		}
		b.add(page)
		if after = next; next == "" {
			return b.compare(), nil
		}
	}
}

func (b *books) breach(invariant, subject, format string, args ...any) {
	b.breaches = append(b.breaches, Breach{invariant, subject, fmt.Sprintf(format, args...)})
}

func (b *books) add(page Journal) {
	for _, t := range page.Transactions {
		b.transaction(t)
	}
	for _, l := range page.Lines {
		b.line(l)
	}
	for _, r := range page.Releases {
		stage := "escrow"
		if r.Matured {
			stage = "payable"
		}
		b.open[stage+" "+r.Amount.Currency] += r.Amount.Minor
	}
	for _, c := range page.Collections {
		b.open["credit "+c.Currency] += c.Credit
		for _, bill := range c.Bills {
			switch {
			case bill.Held:
				b.open["credit "+c.Currency] += bill.Total
			case bill.Issued:
				b.open["receivable "+c.Currency] += bill.Total
			}
		}
	}
	for _, c := range page.Credits {
		if c.Free < 0 {
			b.breach("I9", c.BillingAccount, "the credit is %d", c.Free)
		}
		b.open["credit "+c.Currency] += c.Free
	}
}

func (b *books) transaction(t Transaction) {
	if err := t.Check(); err != nil {
		b.breach("I1", t.Key, "%v", err)
	}
	if t.hash() != t.Hash {
		b.breach("I3", t.Key, "the content is not that of its hash")
	}
	for _, p := range t.Postings {
		kind := p.Account[strings.LastIndex(p.Account, ":")+1:]
		amount := p.Amount
		if p.Side == Debit {
			amount = -amount
		}
		switch owner, _, _ := strings.Cut(p.Account, ":"); {
		case owner == "publisher" && (kind == "accrued" || kind == "escrow" || kind == "payable"), owner == "customer" && kind == "credit":
			b.posted[kind+" "+p.Currency] += amount
		case owner == "customer":
			b.posted[kind+" "+p.Currency] -= amount
		}
	}
}

func (b *books) line(l Line) {
	if l.Net != l.Fee+l.Share {
		b.breach("I7", l.ID, "net %d is not fee %d and share %d", l.Net, l.Fee, l.Share)
	}
	switch l.State {
	case Pending, Firm:
		b.open["unbilled "+l.Currency] += l.gross()
		b.open["accrued "+l.Currency] += l.Share
	case Owed:
		b.open["accrued "+l.Currency] += l.Share
	}
}

// compare finds the accounts that are not what stands open.
func (b *books) compare() []Breach {
	names := maps.Clone(b.open)
	maps.Copy(names, b.posted)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if b.open[name] == b.posted[name] {
			continue
		}
		invariant := "I4"
		if kind, _, _ := strings.Cut(name, " "); kind == "receivable" || kind == "unbilled" || kind == "credit" {
			invariant = "I6"
		}
		b.breach(invariant, name, "the account says %d, what stands open %d", b.posted[name], b.open[name])
	}
	return b.breaches
}
