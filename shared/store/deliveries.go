package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"stoa/shared/fault"
	"stoa/shared/store/table"
	"stoa/shared/subscription"
)

// The webhook calls of a publisher are one partition, a row for each, the newest first; beside them a row for each
// operation that names its subscription, written with every call. One partition for each day names the publishers
// that were called for on it, so that what is old is found without a scan. A row there is written before the calls
// of its day and says nothing but what its key says.
const (
	callPrefix     = "call|"
	calledPrefix   = "op|"
	callDayPrefix  = "calls|"
	callDay        = "20060102"
	callFilterMost = 10     // pages looked through for one page of a filtered list: 5,000 calls
	callPage       = 500    // rows of a page that is looked through
	callDaysKnown  = 10_000 // remembered, so that the row of a day is written once
)

// Deliveries keeps what came of webhook calls: subscription.DeliveryLog. Safe for concurrent use.
type Deliveries struct {
	db *DB

	mu    sync.Mutex
	known map[string]bool // days and publishers whose row stands
}

// NewDeliveries makes the log.
func NewDeliveries(db *DB) *Deliveries { return &Deliveries{db: db, known: map[string]bool{}} }

var _ subscription.DeliveryLog = (*Deliveries)(nil)

// calledRow says of an operation whose it is, and when it was called for last.
type calledRow struct {
	SubscriptionID string    `json:"subscriptionId"`
	At             time.Time `json:"at"`
}

// calledDayRow names a publisher.
type calledDayRow struct {
	PublisherID string `json:"publisherId"`
}

func callsOf(publisherID string) string { return table.Join("deliveries", publisherID) }

func callKey(a subscription.DeliveryAttempt) string {
	return callPrefix + newestFirst(a.At) + "|" + table.Join(a.OperationID, string(a.Kind), strconv.Itoa(a.Attempt))
}

func calledKey(operationID string) string { return calledPrefix + table.Join(operationID) }

// Record implements subscription.DeliveryLog. Last wins: the same key is the same call, known better.
func (s *Deliveries) Record(ctx context.Context, a subscription.DeliveryAttempt) error {
	if err := s.noteDay(ctx, a); err != nil {
		return err
	}
	partition := callsOf(a.PublisherID)
	ops := []table.Op{{Action: table.Upsert, Row: table.Row{Partition: partition, Key: callKey(a), Data: encode(a)}}}
	if a.Kind != subscription.DeliveryTest {
		ops = append(ops, table.Op{Action: table.Upsert, Row: table.Row{
			Partition: partition, Key: calledKey(a.OperationID), Data: encode(calledRow{a.SubscriptionID, a.At}),
		}})
	}
	if _, err := s.db.Table(subscriptionsTable).Apply(ctx, ops...); err != nil {
		return fmt.Errorf("record a webhook call of %s: %w", a.PublisherID, err)
	}
	return nil
}

func (s *Deliveries) noteDay(ctx context.Context, a subscription.DeliveryAttempt) error {
	row := table.Row{
		Partition: callDayPrefix + a.At.UTC().Format(callDay), Key: table.Join(a.PublisherID), Data: encode(calledDayRow{a.PublisherID}),
	}
	at := row.Partition + "/" + row.Key
	s.mu.Lock()
	known := s.known[at]
	s.mu.Unlock()
	if known {
		return nil
	}
	if _, err := s.db.Table(subscriptionsTable).Apply(ctx, table.Op{Action: table.Upsert, Row: row}); err != nil {
		return fmt.Errorf("note a day of webhook calls of %s: %w", a.PublisherID, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) >= callDaysKnown {
		clear(s.known)
	}
	s.known[at] = true
	return nil
}

// Attempts implements subscription.DeliveryLog. A filtered page looks through a few pages of rows at most.
func (s *Deliveries) Attempts(ctx context.Context, f subscription.DeliveryFilter) ([]subscription.DeliveryAttempt, string, error) {
	filtered := f.SubscriptionID != "" || f.OperationID != ""
	q := table.Query{
		Partition: callsOf(f.PublisherID), From: callPrefix, Until: table.PrefixEnd(callPrefix), Limit: f.Limit,
	}
	if f.After != "" {
		q.From = f.After + " " // the first key there can be behind it
	}
	if !f.From.IsZero() {
		q.Until = table.PrefixEnd(callPrefix + newestFirst(f.From)) // behind all calls of that instant
	}
	if filtered {
		q.Limit = callPage
	}
	found := []subscription.DeliveryAttempt{}
	last := ""
	for range callFilterMost {
		page, err := s.db.Table(subscriptionsTable).Query(ctx, q)
		if err != nil {
			return nil, "", fmt.Errorf("list the webhook calls of %s: %w", f.PublisherID, err)
		}
		for _, row := range page.Rows {
			if len(found) == f.Limit {
				return found, last, nil
			}
			last = row.Key
			var a subscription.DeliveryAttempt
			if err := decode(row, &a); err != nil {
				return nil, "", err
			}
			if chosen(&f, &a) {
				found = append(found, a)
			}
		}
		if page.Next == "" {
			return found, "", nil
		}
		if len(found) == f.Limit {
			return found, last, nil
		}
		q.After = page.Next
	}
	return found, last, nil
}

func chosen(f *subscription.DeliveryFilter, a *subscription.DeliveryAttempt) bool {
	return (f.SubscriptionID == "" || strings.EqualFold(f.SubscriptionID, a.SubscriptionID)) &&
		(f.OperationID == "" || strings.EqualFold(f.OperationID, a.OperationID))
}

// SubscriptionOf implements subscription.DeliveryLog.
func (s *Deliveries) SubscriptionOf(ctx context.Context, publisherID, operationID string) (string, error) {
	row, err := s.db.Table(subscriptionsTable).Get(ctx, callsOf(publisherID), calledKey(operationID))
	if err != nil {
		return "", fmt.Errorf("find operation %s of %s: %w", operationID, publisherID, err)
	}
	var c calledRow
	return c.SubscriptionID, decode(row, &c)
}

// Forget implements subscription.DeliveryLog. It goes by whole days, so that what is kept longest is a day older.
func (s *Deliveries) Forget(ctx context.Context, before time.Time, limit int) (n int, err error) {
	today := time.Date(before.Year(), before.Month(), before.Day(), 0, 0, 0, 0, time.UTC)
	for n < limit {
		page, err := s.db.Table(subscriptionsTable).Query(ctx, table.Query{
			Partition: callDayPrefix, PartitionEnd: callDayPrefix + today.Format(callDay), Limit: min(limit, table.MaxPage),
		})
		if err != nil || len(page.Rows) == 0 {
			return n, err
		}
		for _, row := range page.Rows {
			gone, done, err := s.forgetDay(ctx, row, limit-n)
			n += gone
			if err != nil || !done {
				return n, err
			}
		}
	}
	return n, nil
}

// forgetDay removes the calls of a publisher that are of the row's day or older, and at last the row.
func (s *Deliveries) forgetDay(ctx context.Context, row table.Row, limit int) (n int, done bool, err error) {
	var d calledDayRow
	if err := decode(row, &d); err != nil {
		return 0, false, err
	}
	day, err := time.Parse(callDay, strings.TrimPrefix(row.Partition, callDayPrefix))
	if err != nil {
		return 0, false, fmt.Errorf("row of calls %s: %w", row.Partition, err)
	}
	end := day.AddDate(0, 0, 1)
	q := table.Query{
		Partition: callsOf(d.PublisherID), From: callPrefix + newestFirst(end.Add(-1)), Until: table.PrefixEnd(callPrefix), Limit: callPage,
	}
	for n < limit {
		page, err := s.db.Table(subscriptionsTable).Query(ctx, q)
		if err != nil {
			return n, false, err
		}
		if len(page.Rows) == 0 {
			return n + 1, true, s.db.remove(ctx, []position{{subscriptionsTable, row.Partition, row.Key}})
		}
		if err := s.forgetCalls(ctx, page.Rows, end); err != nil {
			return n, false, err
		}
		n += len(page.Rows)
	}
	return n, false, nil
}

// forgetCalls removes rows of calls, and those of their operations that were not called for since.
func (s *Deliveries) forgetCalls(ctx context.Context, rows []table.Row, end time.Time) error {
	var gone []position
	operations := map[string]bool{}
	for _, row := range rows {
		gone = append(gone, position{subscriptionsTable, row.Partition, row.Key})
		var a subscription.DeliveryAttempt
		if err := decode(row, &a); err != nil {
			return err
		}
		if a.Kind != subscription.DeliveryTest {
			operations[a.OperationID] = true
		}
	}
	for id := range operations {
		row, err := s.db.Table(subscriptionsTable).Get(ctx, rows[0].Partition, calledKey(id))
		if fault.Is(err, fault.NotFound) {
			continue
		}
		var c calledRow
		if err = errors.Join(err, decode(row, &c)); err != nil {
			return err
		}
		if c.At.Before(end) {
			gone = append(gone, position{subscriptionsTable, row.Partition, row.Key})
		}
	}
	return s.db.remove(ctx, gone)
}
