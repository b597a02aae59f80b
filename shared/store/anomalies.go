package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"stoa/shared/anomaly"
	"stoa/shared/correction"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/store/table"
)

// What a publisher's usage gave rise to is one partition, so that a decision, its line of the action log and the
// correction it leads to are one act:
//
//	a|day|id          an anomaly, the newest usage first
//	log|time|id       a line of the action log, the newest first
//	m|day|id          a day that was marked as an anomaly
//	c|id              a correction, the newest first; its id begins with its time
//	claim|usage|day   which usage of a day has been corrected
//	given|line        what corrections have taken off a charge line
//
// Partitions of their own hold the runs, the corrections that staff are shown, and, for each day, the anomalies whose
// window closes on it. A row of the latter is written before its anomaly and may name one that never came to be.
const (
	anomaliesTable = "anomalies"
	anomalyPrefix  = "a|"
	actionPrefix   = "log|"
	markedPrefix   = "m|"
	dueDayPrefix   = "anomaly-due|"
	compactDay     = "20060102"
	anomalyPage    = 500 // rows of a page that is looked through
	anomalyMost    = 10  // pages looked through for one page of a list
	mostMarked     = 100_000
	dayComplement  = 99_999_999
)

// Anomalies keeps anomalies, decisions, training runs and corrections: anomaly.Store. Safe for concurrent use.
type Anomalies struct{ db *DB }

// NewAnomalies makes the repository.
func NewAnomalies(db *DB) *Anomalies { return &Anomalies{db: db} }

var _ anomaly.Store = (*Anomalies)(nil)

var trainingRuns = table.Join("runs", "all")

func anomaliesOf(publisherID string) string { return table.Join("publisher", publisherID) }

// dayFirst sorts the newest day first.
func dayFirst(date time.Time) string {
	return fmt.Sprintf("%08d", dayComplement-(date.Year()*10000+int(date.Month())*100+date.Day()))
}

// anomalyKey puts an anomaly under its day, with which its id begins.
func anomalyKey(id string) string {
	text, _, _ := strings.Cut(id, "-")
	date, err := time.Parse(compactDay, text)
	if err != nil {
		return anomalyPrefix + "!" // no anomaly has such an id
	}
	return anomalyPrefix + dayFirst(date) + "|" + table.Join(id)
}

func dueKey(d anomaly.Due) position {
	at := d.At.UTC()
	return position{anomaliesTable, dueDayPrefix + at.Format(compactDay), at.Format(dueInstant) + "|" + table.Join(d.PublisherID, d.AnomalyID)}
}

// read reads one row of a publisher into v and returns its ETag.
func (s *Anomalies) read(ctx context.Context, partition, key string, v any) (string, error) {
	row, err := s.db.Table(anomaliesTable).Get(ctx, partition, key)
	if err != nil {
		return "", err
	}
	return row.ETag, decode(row, v)
}

// Flag implements anomaly.Store.
func (s *Anomalies) Flag(ctx context.Context, a anomaly.Anomaly, msgs ...message.Message) (bool, error) {
	partition, key := anomaliesOf(a.PublisherID), anomalyKey(a.ID)
	if _, err := s.db.Table(anomaliesTable).Get(ctx, partition, key); !fault.Is(err, fault.NotFound) {
		if err != nil {
			err = fmt.Errorf("flag anomaly %s: %w", a.ID, err)
		}
		return false, err
	}
	due := anomaly.Due{PublisherID: a.PublisherID, AnomalyID: a.ID, At: a.ExpiresAt}
	at := dueKey(due)
	// Last wins because the row says nothing but its key.
	row := table.Row{Partition: at.partition, Key: at.key, Data: encode(due)}
	if _, err := s.db.Table(anomaliesTable).Apply(ctx, table.Op{Action: table.Upsert, Row: row}); err != nil {
		return false, fmt.Errorf("flag anomaly %s: %w", a.ID, err)
	}
	_, err := s.db.Commit(ctx, anomaliesTable, []table.Op{{Action: table.Insert, Row: table.Row{Partition: partition, Key: key, Data: encode(a)}}}, msgs...)
	switch {
	case fault.Is(err, fault.Conflict):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("flag anomaly %s: %w", a.ID, err)
	}
	return true, nil
}

// Anomaly implements anomaly.Store.
func (s *Anomalies) Anomaly(ctx context.Context, publisherID, id string) (a anomaly.Anomaly, err error) {
	if a.Tag, err = s.read(ctx, anomaliesOf(publisherID), anomalyKey(id), &a); err != nil {
		return a, fmt.Errorf("read anomaly %s: %w", id, err)
	}
	return a, nil
}

// Anomalies implements anomaly.Store. A page looks through a few pages of rows at most.
func (s *Anomalies) Anomalies(ctx context.Context, f anomaly.Filter) ([]anomaly.Anomaly, string, error) {
	q := table.Query{
		Partition: anomaliesOf(f.PublisherID), From: anomalyPrefix, Until: table.PrefixEnd(anomalyPrefix + dayFirst(f.From)), Limit: anomalyPage,
	}
	if f.After != "" {
		q.From = f.After + " " // the first key there can be behind it
	}
	found := []anomaly.Anomaly{}
	last := ""
	for range anomalyMost {
		page, err := s.db.Table(anomaliesTable).Query(ctx, q)
		if err != nil {
			return nil, "", fmt.Errorf("anomalies of %s: %w", f.PublisherID, err)
		}
		for _, row := range page.Rows {
			if len(found) == f.Limit {
				return found, last, nil
			}
			last = row.Key
			var a anomaly.Anomaly
			if err := decode(row, &a); err != nil {
				return nil, "", err
			}
			if f.Takes(&a) {
				found = append(found, a)
			}
		}
		if page.Next == "" {
			return found, "", nil
		}
		q.After = page.Next
	}
	return found, last, nil
}

// Decide implements anomaly.Store.
func (s *Anomalies) Decide(ctx context.Context, a anomaly.Anomaly, line anomaly.Action, filed *correction.Change) error {
	partition := anomaliesOf(a.PublisherID)
	ops := []table.Op{
		{Action: table.Replace, Row: table.Row{Partition: partition, Key: anomalyKey(a.ID), ETag: a.Tag, Data: encode(a)}},
		{Action: table.Insert, Row: table.Row{
			Partition: partition, Key: actionPrefix + newestFirst(line.At) + "|" + table.Join(a.ID, string(line.Decision)), Data: encode(line),
		}},
	}
	if a.State == anomaly.MarkedAsAnomaly {
		marked := anomaly.Marked{Key: a.Key, UsageDate: a.UsageDate}
		ops = append(ops, table.Op{Action: table.Insert, Row: table.Row{Partition: partition, Key: markedPrefix + a.ID, Data: encode(marked)}})
	}
	var msgs []message.Message
	if filed != nil {
		ops, msgs = append(ops, changeOps(*filed)...), filed.Messages
	}
	if _, err := s.db.Commit(ctx, anomaliesTable, ops, msgs...); err != nil {
		return fmt.Errorf("decide anomaly %s: %w", a.ID, err)
	}
	return nil
}

// Actions implements anomaly.Store.
func (s *Anomalies) Actions(ctx context.Context, publisherID, after string, limit int) ([]anomaly.Action, string, error) {
	page, err := s.db.Table(anomaliesTable).Query(ctx, table.Query{
		Partition: anomaliesOf(publisherID), From: actionPrefix, Until: table.PrefixEnd(actionPrefix), Limit: limit, After: after,
	})
	if err != nil {
		return nil, "", fmt.Errorf("action log of %s: %w", publisherID, err)
	}
	lines := make([]anomaly.Action, len(page.Rows))
	for i, row := range page.Rows {
		if err := decode(row, &lines[i]); err != nil {
			return nil, "", err
		}
	}
	return lines, page.Next, nil
}

// MarkedDays implements anomaly.Store.
func (s *Anomalies) MarkedDays(ctx context.Context, publisherID string, since time.Time) ([]anomaly.Marked, error) {
	q := table.Query{
		Partition: anomaliesOf(publisherID), From: markedPrefix + since.UTC().Format(compactDay), Until: table.PrefixEnd(markedPrefix),
	}
	var days []anomaly.Marked
	for len(days) < mostMarked {
		page, err := s.db.Table(anomaliesTable).Query(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("marked days of %s: %w", publisherID, err)
		}
		for _, row := range page.Rows {
			var m anomaly.Marked
			if err := decode(row, &m); err != nil {
				return nil, err
			}
			days = append(days, m)
		}
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	return days, nil
}

// Due implements anomaly.Store.
func (s *Anomalies) Due(ctx context.Context, before time.Time, limit int) ([]anomaly.Due, error) {
	before = before.UTC()
	q := table.Query{
		Partition: dueDayPrefix, PartitionEnd: dueDayPrefix + before.AddDate(0, 0, 1).Format(compactDay), Until: before.Format(dueInstant), Limit: limit,
	}
	var all []anomaly.Due
	for len(all) < limit {
		page, err := s.db.Table(anomaliesTable).Query(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("anomalies that are due: %w", err)
		}
		for _, row := range page.Rows[:min(len(page.Rows), limit-len(all))] {
			var d anomaly.Due
			if err := decode(row, &d); err != nil {
				return nil, err
			}
			all = append(all, d)
		}
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	return all, nil
}

// Expire implements anomaly.Store.
func (s *Anomalies) Expire(ctx context.Context, a anomaly.Anomaly) error {
	_, err := s.db.Table(anomaliesTable).Apply(ctx, table.Op{Action: table.Replace, Row: table.Row{
		Partition: anomaliesOf(a.PublisherID), Key: anomalyKey(a.ID), ETag: a.Tag, Data: encode(a),
	}})
	if err != nil {
		return fmt.Errorf("expire anomaly %s: %w", a.ID, err)
	}
	return nil
}

// Settled implements anomaly.Store.
func (s *Anomalies) Settled(ctx context.Context, done []anomaly.Due) error {
	rows := make([]position, len(done))
	for i, d := range done {
		rows[i] = dueKey(d)
	}
	return s.db.remove(ctx, rows)
}

// Send implements anomaly.Store and correction.Store.
func (s *Anomalies) Send(ctx context.Context, msgs ...message.Message) error {
	return s.db.Send(ctx, msgs...)
}
