package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"stoa/shared/billing"
	"stoa/shared/fault"
	"stoa/shared/store/table"
)

const (
	postingPrefix = "p|"
	sumPrefix     = "sum|"
	postTries     = 40
	postWait      = 5 * time.Millisecond
	monthLayout   = "2006-01"
)

func accountMonths(account string) string { return table.Join("account", account) }

func accountMonth(account, month string) string { return table.Join("account", account, month) }

// accountSum is what the postings of an account, month and currency add up to.
type accountSum struct {
	Debit  int64 `json:"debit"`
	Credit int64 `json:"credit"`

	Count int    `json:"count,omitempty"` // of the entries (BIL-98)
	Head  string `json:"head,omitempty"`  // hash of the newest
}

func (a *accountSum) add(side billing.Side, amount int64) error {
	sum := &a.Debit
	if side == billing.Credit {
		sum = &a.Credit
	}
	if amount > math.MaxInt64-*sum {
		return errors.New("the sum of an account does not fit")
	}
	*sum += amount
	return nil
}

// leg is a posting on its way to its account.
type leg struct {
	key      string
	currency string
	entry    billing.Entry
}

// Distribute implements billing.Ledger.
func (s *Ledger) Distribute(ctx context.Context, publisherID string, keys []string) error {
	type place struct{ account, month string }
	legs := map[place][]leg{}
	for _, key := range keys {
		t, err := s.Transaction(ctx, publisherID, key)
		if err != nil {
			return err
		}
		for i, p := range t.Postings {
			at := place{p.Account, t.OccurredAt.UTC().Format(monthLayout)} // BIL-96
			legs[at] = append(legs[at], leg{
				key:      postingPrefix + table.Join(p.Currency, t.PostedAt.UTC().Format(dueInstant), t.Key, fmt.Sprint(i)),
				currency: p.Currency,
				entry: billing.Entry{
					Transaction: t.ID, Key: t.Key, Event: t.Event, LineID: t.LineID,
					OccurredAt: t.OccurredAt, PostedAt: t.PostedAt, Side: p.Side, Amount: p.Amount,
				},
			})
		}
	}
	var places []place
	for at := range legs {
		places = append(places, at)
	}
	return parallel(places, func(at place) error {
		list := position{ledgerTable, accountMonths(at.account), table.Join(at.month)}
		if err := s.listed(ctx, list); err != nil {
			return fmt.Errorf("post to %s: %w", at.account, err)
		}
		for rest := legs[at]; len(rest) > 0; {
			n := min(len(rest), table.MaxOps/2)
			if err := s.post(ctx, accountMonth(at.account, at.month), rest[:n]); err != nil {
				return fmt.Errorf("post to %s: %w", at.account, err)
			}
			rest = rest[n:]
		}
		return nil
	})
}

// post inserts postings together with the new sums. A posting that is there already is left out, so that it is
// not added twice.
func (s *Ledger) post(ctx context.Context, partition string, legs []leg) error {
	lock := &s.locks[shardOf(partition, len(s.locks))]
	lock.Lock()
	defer lock.Unlock()
	var err error
	for try := range postTries {
		if len(legs) == 0 {
			return nil
		}
		var ops []table.Op
		if ops, err = s.postOps(ctx, partition, legs); err != nil {
			return err
		}
		_, err = s.db.Table(ledgerTable).Apply(ctx, ops...)
		n := table.FailedOp(err)
		switch {
		case err == nil:
			return nil
		case fault.Is(err, fault.Conflict) && n >= 0 && n < len(legs):
			if legs, err = s.missing(ctx, partition, legs); err != nil {
				return err
			}
			continue
		case !fault.Is(err, fault.Conflict) && !fault.Is(err, fault.StaleETag):
			return err
		}
		select { // another process has changed the sums
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(rand.Int64N(int64(postWait) * int64(try+1)))):
		}
	}
	return err
}

// missing are the postings that are not there yet. All are looked for when one was found, because postings come
// together: a message that is told again has all of them in the way.
func (s *Ledger) missing(ctx context.Context, partition string, legs []leg) ([]leg, error) {
	there := make([]bool, len(legs))
	indexes := make([]int, len(legs))
	for i := range indexes {
		indexes[i] = i
	}
	err := parallel(indexes, func(i int) error {
		_, err := s.db.Table(ledgerTable).Get(ctx, partition, legs[i].key)
		there[i] = err == nil
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		return err
	})
	var missing []leg
	for i, l := range legs {
		if !there[i] {
			missing = append(missing, l)
		}
	}
	return missing, err
}

// postOps are the inserts of the postings, in order, followed by the sums of their currencies.
func (s *Ledger) postOps(ctx context.Context, partition string, legs []leg) ([]table.Op, error) {
	sums := map[string]*accountSum{}
	tags := map[string]string{}
	var ops []table.Op
	for _, l := range legs {
		if sums[l.currency] == nil {
			sum, tag, err := s.sum(ctx, partition, l.currency)
			if err != nil {
				return nil, err
			}
			sums[l.currency], tags[l.currency] = &sum, tag
		}
		if err := sums[l.currency].add(l.entry.Side, l.entry.Amount); err != nil {
			return nil, err
		}
		sum := sums[l.currency]
		sum.Count++
		entry := l.entry.Sealed(sum.Count, sum.Head)
		sum.Head = entry.Hash
		ops = append(ops, table.Op{Action: table.Insert, Row: table.Row{Partition: partition, Key: l.key, Data: encode(entry)}})
	}
	for currency, sum := range sums {
		op := table.Op{Action: table.Insert, Row: table.Row{
			Partition: partition, Key: sumPrefix + table.Join(currency), ETag: tags[currency], Data: encode(sum),
		}}
		if tags[currency] != "" {
			op.Action = table.Replace
		}
		ops = append(ops, op)
	}
	return ops, nil
}

// sum reads the sums of a currency, zero with no tag when there are none yet.
func (s *Ledger) sum(ctx context.Context, partition, currency string) (accountSum, string, error) {
	row, err := s.db.Table(ledgerTable).Get(ctx, partition, sumPrefix+table.Join(currency))
	if fault.Is(err, fault.NotFound) {
		return accountSum{}, "", nil
	}
	if err != nil {
		return accountSum{}, "", err
	}
	var sum accountSum
	return sum, row.ETag, decode(row, &sum)
}

// Account implements billing.Ledger. Postings come in the order of months and, in a month, of posting.
func (s *Ledger) Account(ctx context.Context, account, currency, after string, limit int) (billing.Statement, error) {
	page := billing.Statement{Account: account, Currency: currency}
	months, err := s.months(ctx, account)
	if err != nil {
		return page, fmt.Errorf("account %s: %w", account, err)
	}
	var total accountSum
	err = s.eachSum(ctx, account, currency, months, func(sum accountSum) error {
		return errors.Join(total.add(billing.Debit, sum.Debit), total.add(billing.Credit, sum.Credit))
	})
	if err != nil {
		return page, fmt.Errorf("account %s: %w", account, err)
	}
	if total == (accountSum{}) {
		return page, fault.New(fault.NotFound, "NotFound", "account", "The account %s has no postings in %s.", account, currency)
	}
	page.Debit, page.Credit = total.Debit, total.Credit
	month, inner, _ := strings.Cut(after, " ")
	for i, m := range months {
		if m < month {
			continue
		}
		if m != month {
			inner = ""
		}
		rows, next, err := s.postings(ctx, accountMonth(account, m), currency, inner, limit-len(page.Entries))
		if err != nil {
			return page, fmt.Errorf("account %s: %w", account, err)
		}
		page.Entries = append(page.Entries, rows...)
		if next != "" {
			page.Next = m + " " + next
			return page, nil
		}
		if len(page.Entries) >= limit {
			if i+1 < len(months) {
				page.Next = months[i+1] + " "
			}
			return page, nil
		}
	}
	return page, nil
}

// months are those in which the account has postings.
func (s *Ledger) months(ctx context.Context, account string) ([]string, error) {
	query := table.Query{Partition: accountMonths(account), From: "0", Until: table.PrefixEnd("9")}
	var months []string
	for {
		page, err := s.db.Table(ledgerTable).Query(ctx, query)
		if err != nil {
			return nil, err
		}
		for _, row := range page.Rows {
			months = append(months, row.Key)
		}
		if page.Next == "" {
			return months, nil
		}
		query.After = page.Next
	}
}

func (s *Ledger) eachSum(ctx context.Context, account, currency string, months []string, each func(accountSum) error) error {
	sums := make([]accountSum, len(months))
	indexes := make([]int, len(months))
	for i := range indexes {
		indexes[i] = i
	}
	err := parallel(indexes, func(i int) (err error) {
		sums[i], _, err = s.sum(ctx, accountMonth(account, months[i]), currency)
		return err
	})
	for _, sum := range sums {
		err = errors.Join(err, each(sum))
	}
	return err
}

func (s *Ledger) postings(ctx context.Context, partition, currency, after string, limit int) ([]billing.Entry, string, error) {
	prefix := postingPrefix + table.Join(currency) + "|"
	page, err := s.db.Table(ledgerTable).Query(ctx, table.Query{
		Partition: partition, From: prefix, Until: table.PrefixEnd(prefix), Limit: limit, After: after,
	})
	if err != nil {
		return nil, "", err
	}
	entries := make([]billing.Entry, len(page.Rows))
	for i, row := range page.Rows {
		if err := decode(row, &entries[i]); err != nil {
			return nil, "", err
		}
	}
	return entries, page.Next, nil
}
