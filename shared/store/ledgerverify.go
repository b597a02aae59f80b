package store

import (
	"context"
	"fmt"
	"strings"

	"stoa/shared/billing"
	"stoa/shared/fault"
	"stoa/shared/store/table"
)

// Verify implements billing.Ledger.
func (s *Ledger) Verify(ctx context.Context, account, currency string) (billing.Verification, error) {
	v := billing.Verification{Account: account, Currency: currency}
	months, err := s.months(ctx, account)
	if err != nil {
		return v, fmt.Errorf("verify %s: %w", account, err)
	}
	for _, month := range months {
		// The end of the chain first: what is posted meanwhile stands behind it.
		sum, _, err := s.sum(ctx, accountMonth(account, month), currency)
		if err != nil {
			return v, fmt.Errorf("verify %s: %w", account, err)
		}
		entries, err := s.chain(ctx, accountMonth(account, month), currency, sum.Count)
		if err != nil {
			return v, fmt.Errorf("verify %s: %w", account, err)
		}
		v.Entries += len(entries)
		end := billing.Chain{Month: month, Count: sum.Count, Head: sum.Head, Debit: sum.Debit, Credit: sum.Credit}
		if v.Break = end.Verify(entries); v.Break != nil {
			return v, nil
		}
	}
	if v.Entries == 0 {
		return v, fault.New(fault.NotFound, "NotFound", "account", "The account %s has no postings in %s.", account, currency)
	}
	return v, nil
}

// chain reads the first so many entries of a chain, and any that have no place in it.
func (s *Ledger) chain(ctx context.Context, partition, currency string, count int) ([]billing.Entry, error) {
	var entries []billing.Entry
	for after := ""; ; {
		page, next, err := s.postings(ctx, partition, currency, after, table.MaxPage)
		if err != nil {
			return nil, err
		}
		for _, e := range page {
			if e.N <= count {
				entries = append(entries, e)
			}
		}
		if after = next; after == "" {
			return entries, nil
		}
	}
}

// Journal implements billing.Ledger.
func (s *Ledger) Journal(ctx context.Context, publisherID, after string, limit int) (billing.Journal, string, error) {
	var j billing.Journal
	page, err := s.db.Table(ledgerTable).Query(ctx, table.Query{
		Partition: journalOf(publisherID), From: collectPrefix, Until: table.PrefixEnd(txPrefix), Limit: limit, After: after,
	})
	if err != nil {
		return j, "", fmt.Errorf("journal of %s: %w", publisherID, err)
	}
	for _, row := range page.Rows {
		if err := readJournal(&j, row); err != nil {
			return j, "", fmt.Errorf("journal of %s: %w", publisherID, err)
		}
	}
	return j, page.Next, nil
}

// readJournal adds a row to the stretch; what is not part of it is left out.
func readJournal(j *billing.Journal, row table.Row) error {
	prefix, _, _ := strings.Cut(row.Key, "|")
	switch prefix + "|" {
	case txPrefix:
		return decodeTo(&j.Transactions, row)
	case linePrefix:
		return decodeTo(&j.Lines, row)
	case openPrefix:
		return decodeTo(&j.Releases, row)
	case collectPrefix:
		return decodeTo(&j.Collections, row)
	case creditPrefix:
		return decodeTo(&j.Credits, row)
	}
	return nil
}

// decodeTo appends the document of a row.
func decodeTo[T any](list *[]T, row table.Row) error {
	var v T
	if err := decode(row, &v); err != nil {
		return err
	}
	*list = append(*list, v)
	return nil
}
