package store

import (
	"context"
	"fmt"

	"stoa/shared/billing"
	"stoa/shared/fault"
	"stoa/shared/store/table"
)

func collectionKey(subscriptionID string) string { return collectPrefix + table.Join(subscriptionID) }

func creditKey(account, currency string) string { return creditPrefix + table.Join(account, currency) }

// putCollections puts the rows of collections and credits. A credit below 0 is refused in the write (BIL-99).
func putCollections(put func(key, tag string, v any), b billing.Batch) error {
	for _, c := range b.Collections {
		put(collectionKey(c.SubscriptionID), c.Tag, c)
	}
	for _, c := range b.Credits {
		if c.Free < 0 {
			return fault.New(fault.Invalid, "CreditExceeded", c.BillingAccount, "the credit of %s in %s would be %d", c.BillingAccount, c.Currency, c.Free)
		}
		put(creditKey(c.BillingAccount, c.Currency), c.Tag, c)
	}
	return nil
}

// Collection implements billing.Ledger.
func (s *Ledger) Collection(ctx context.Context, publisherID, subscriptionID string) (c billing.Collection, err error) {
	c.Tag, err = s.read(ctx, publisherID, collectionKey(subscriptionID), &c)
	return c, err
}

// Credit implements billing.Ledger.
func (s *Ledger) Credit(ctx context.Context, publisherID, account, currency string) (c billing.CustomerCredit, err error) {
	c.Tag, err = s.read(ctx, publisherID, creditKey(account, currency), &c)
	return c, err
}

// dueList names the subscriptions of a billing account that may have something due.
func dueList(account string) string { return table.Join("due", account) }

// dueOf lists the subscriptions of a billing account that may have something due.
func dueOf(ctx context.Context, db *DB, account string) ([]string, error) {
	var ids []string
	for after := ""; ; {
		page, err := db.Table(ledgerTable).Query(ctx, table.Query{Partition: dueList(account), From: "!", Until: "~", Limit: table.MaxPage, After: after})
		if err != nil {
			return nil, fmt.Errorf("what is due of %s: %w", account, err)
		}
		for _, row := range page.Rows {
			ids = append(ids, row.Key) // ids of subscriptions have no character that a key escapes
		}
		if after = page.Next; after == "" {
			return ids, nil
		}
	}
}
