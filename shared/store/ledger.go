package store

import (
	"context"
	"fmt"
	"sync"
	"time"

	"stoa/shared/billing"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/store/table"
)

// The journal of a publisher is one partition: its charge lines, transactions, open releases and metered cycles,
// so that what belongs together changes together. The journal is the truth. The postings of an account in a month
// are a partition as well, with the sums beside them; they are derived from the journal, by a message that goes
// with each batch, and can be derived again.
const (
	ledgerTable   = "ledger"
	linePrefix    = "line|"
	txPrefix      = "tx|"
	openPrefix    = "open|"
	cyclePrefix   = "cycle|"
	collectPrefix = "collect|"
	creditPrefix  = "credit|"
	maxPublishers = 4096
)

// Ledger keeps the ledger: billing.Ledger. Safe for concurrent use.
type Ledger struct {
	db    *DB
	locks [64]sync.Mutex // by account and month: the sums there are a bottleneck

	mu    sync.Mutex
	known map[position]bool // list rows that are certainly there
}

// NewLedger makes the repository.
func NewLedger(db *DB) *Ledger { return &Ledger{db: db, known: map[position]bool{}} }

var _ billing.Ledger = (*Ledger)(nil)

func journalOf(publisherID string) string { return table.Join("journal", publisherID) }

// unpaidList names the publishers that may have something to be paid.
var unpaidList = table.Join("unpaid", "all")

func lineKey(id string) string { return linePrefix + table.Join(id) }

func txKey(key string) string { return txPrefix + table.Join(key) }

// openKey sorts releases by eligibility and line, as a payment order takes them.
func openKey(eligibleAt time.Time, lineID string) string {
	return openPrefix + eligibleAt.UTC().Format(dueInstant) + "|" + table.Join(lineID)
}

func cycleKey(resourceID, dimension, month string) string {
	return cyclePrefix + table.Join(resourceID, dimension, month)
}

// Apply implements billing.Ledger.
func (s *Ledger) Apply(ctx context.Context, b billing.Batch) error {
	if b.PublisherID == "" {
		return fmt.Errorf("apply a batch: it names no publisher")
	}
	partition := journalOf(b.PublisherID)
	var ops []table.Op
	put := func(key, tag string, v any) {
		row := table.Row{Partition: partition, Key: key, ETag: tag, Data: encode(v)}
		if tag == "" {
			ops = append(ops, table.Op{Action: table.Insert, Row: row})
			return
		}
		ops = append(ops, table.Op{Action: table.Replace, Row: row})
	}
	var keys []string
	for _, t := range b.Transactions {
		if err := t.Check(); err != nil { // BIL-91
			return err
		}
		put(txKey(t.Key), "", t)
		keys = append(keys, t.Key)
	}
	for _, l := range b.Lines {
		put(lineKey(l.ID), l.Tag, l)
	}
	for _, r := range b.Releases {
		put(openKey(r.EligibleAt, r.LineID), r.Tag, r)
	}
	for _, r := range b.Paid {
		row := table.Row{Partition: partition, Key: openKey(r.EligibleAt, r.LineID), ETag: r.Tag}
		ops = append(ops, table.Op{Action: table.Delete, Row: row})
	}
	for _, c := range b.Cycles {
		put(cycleKey(c.ResourceID, c.Dimension, c.Month), c.Tag, c)
	}
	if err := putCollections(put, b); err != nil {
		return fmt.Errorf("apply a batch of %s: %w", b.PublisherID, err)
	}
	if err := s.list(ctx, b); err != nil {
		return fmt.Errorf("apply a batch of %s: %w", b.PublisherID, err)
	}
	msgs := b.Messages
	if len(keys) > 0 {
		msgs = append(append([]message.Message(nil), msgs...), message.New("post:"+b.PublisherID+":"+keys[0], message.LedgerEvents,
			billing.Signal{Kind: billing.SignalPost, PublisherID: b.PublisherID, Keys: keys}))
	}
	if _, err := s.db.Commit(ctx, ledgerTable, ops, msgs...); err != nil {
		return fmt.Errorf("apply a batch of %s: %w", b.PublisherID, err)
	}
	return nil
}

// list puts publishers and collections on the lists they are found by, before the batch: one that is on a list and not
// there is skipped.
func (s *Ledger) list(ctx context.Context, b billing.Batch) error {
	if len(b.Releases) > 0 {
		if err := s.listed(ctx, position{ledgerTable, unpaidList, table.Join(b.PublisherID)}); err != nil {
			return err
		}
	}
	for _, c := range b.Collections {
		if c.State != billing.Due {
			continue
		}
		if err := s.listed(ctx, position{ledgerTable, dueList(c.BillingAccount), table.Join(c.SubscriptionID)}); err != nil {
			return err
		}
	}
	return nil
}

// listed makes sure that a row which says nothing but its key is there.
func (s *Ledger) listed(ctx context.Context, at position) error {
	s.mu.Lock()
	known := s.known[at]
	s.mu.Unlock()
	if known {
		return nil
	}
	_, err := s.db.Table(at.table).Apply(ctx, table.Op{Action: table.Insert, Row: table.Row{
		Partition: at.partition, Key: at.key, Data: []byte("{}"),
	}})
	if err != nil && !fault.Is(err, fault.Conflict) {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) >= maxPublishers {
		clear(s.known)
	}
	s.known[at] = true
	return nil
}

// read reads one row of a journal into v and returns its ETag.
func (s *Ledger) read(ctx context.Context, publisherID, key string, v any) (string, error) {
	row, err := s.db.Table(ledgerTable).Get(ctx, journalOf(publisherID), key)
	if err != nil {
		return "", fmt.Errorf("read the journal of %s: %w", publisherID, err)
	}
	return row.ETag, decode(row, v)
}

// Line implements billing.Ledger.
func (s *Ledger) Line(ctx context.Context, publisherID, lineID string) (l billing.Line, err error) {
	l.Tag, err = s.read(ctx, publisherID, lineKey(lineID), &l)
	return l, err
}

// Transaction implements billing.Ledger.
func (s *Ledger) Transaction(ctx context.Context, publisherID, key string) (t billing.Transaction, err error) {
	_, err = s.read(ctx, publisherID, txKey(key), &t)
	return t, err
}

// Release implements billing.Ledger.
func (s *Ledger) Release(ctx context.Context, publisherID string, eligibleAt time.Time, lineID string) (r billing.Release, err error) {
	r.Tag, err = s.read(ctx, publisherID, openKey(eligibleAt, lineID), &r)
	return r, err
}

// Cycle implements billing.Ledger.
func (s *Ledger) Cycle(ctx context.Context, publisherID, resourceID, dimension, month string) (c billing.Cycle, err error) {
	c.Tag, err = s.read(ctx, publisherID, cycleKey(resourceID, dimension, month), &c)
	return c, err
}

// Releases implements billing.Ledger. Eligible at the very instant is not before it (PAY-7).
func (s *Ledger) Releases(ctx context.Context, publisherID string, before time.Time, after string, limit int) ([]billing.Release, string, error) {
	page, err := s.db.Table(ledgerTable).Query(ctx, table.Query{
		Partition: journalOf(publisherID), From: openPrefix, Until: openPrefix + before.UTC().Format(dueInstant),
		Limit: limit, After: after, WithETags: true,
	})
	if err != nil {
		return nil, "", fmt.Errorf("releases of %s: %w", publisherID, err)
	}
	list := make([]billing.Release, len(page.Rows))
	for i, row := range page.Rows {
		if err := decode(row, &list[i]); err != nil {
			return nil, "", fmt.Errorf("releases of %s: %w", publisherID, err)
		}
		list[i].Tag = row.ETag
	}
	return list, page.Next, nil
}

// Cycles implements billing.Ledger.
func (s *Ledger) Cycles(ctx context.Context, publisherID, resourceID, after string, limit int) ([]billing.Cycle, string, error) {
	prefix := cyclePrefix + table.Join(resourceID) + "|"
	page, err := s.db.Table(ledgerTable).Query(ctx, table.Query{
		Partition: journalOf(publisherID), From: prefix, Until: table.PrefixEnd(prefix), Limit: limit, After: after,
	})
	if err != nil {
		return nil, "", fmt.Errorf("cycles of %s: %w", resourceID, err)
	}
	list := make([]billing.Cycle, len(page.Rows))
	for i, row := range page.Rows {
		if err := decode(row, &list[i]); err != nil {
			return nil, "", fmt.Errorf("cycles of %s: %w", resourceID, err)
		}
	}
	return list, page.Next, nil
}

// Publishers lists the publishers that may have something to be paid, at most limit after a continuation.
func (s *Ledger) Publishers(ctx context.Context, after string, limit int) ([]string, string, error) {
	page, err := s.db.Table(ledgerTable).Query(ctx, table.Query{Partition: unpaidList, From: "!", Until: "~", Limit: limit, After: after})
	if err != nil {
		return nil, "", fmt.Errorf("publishers with earnings: %w", err)
	}
	ids := make([]string, len(page.Rows))
	for i, row := range page.Rows {
		ids[i] = row.Key // publisher ids have no character that a key escapes
	}
	return ids, page.Next, nil
}
