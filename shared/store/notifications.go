package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"stoa/shared/fault"
	"stoa/shared/mail"
	"stoa/shared/store/table"
)

const (
	notificationsTable = "notifications"
	letterKey          = "letter"
	letterPages        = 5 // read for a list
)

var letterPrefix = table.Join("letter") + "|"

// Notifications keeps letters, each in a partition of its own: mail.Mailbox. Safe for concurrent use.
type Notifications struct{ db *DB }

// NewNotifications makes the mailbox.
func NewNotifications(db *DB) *Notifications { return &Notifications{db: db} }

var _ mail.Mailbox = (*Notifications)(nil)

// letterRow is a letter as it is stored, field for field.
type letterRow struct {
	ID      string    `json:"id"`
	Kind    string    `json:"kind,omitempty"`
	To      []string  `json:"to"`
	Subject string    `json:"subject"`
	Body    string    `json:"body"`
	At      time.Time `json:"at"`
	TakenAt time.Time `json:"takenAt"`
	SentAt  time.Time `json:"sentAt,omitzero"`
	Error   string    `json:"error,omitempty"`
	Lock    string    `json:"-"`
}

func letterPartition(id string) string { return letterPrefix + table.Join(id) }

func (s *Notifications) write(ctx context.Context, action table.Action, l mail.Letter) (string, error) {
	etags, err := s.db.Table(notificationsTable).Apply(ctx, table.Op{Action: action, Row: table.Row{
		Partition: letterPartition(l.ID), Key: letterKey, ETag: l.Lock, Data: encode(letterRow(l)),
	}})
	if err != nil {
		return "", fmt.Errorf("keep letter %s: %w", l.ID, err)
	}
	return etags[0], nil
}

// Add implements mail.Mailbox.
func (s *Notifications) Add(ctx context.Context, l mail.Letter) (string, error) {
	return s.write(ctx, table.Insert, l)
}

// Save implements mail.Mailbox.
func (s *Notifications) Save(ctx context.Context, l mail.Letter) (string, error) {
	return s.write(ctx, table.Replace, l)
}

// Letter implements mail.Mailbox.
func (s *Notifications) Letter(ctx context.Context, id string) (mail.Letter, error) {
	row, err := s.db.Table(notificationsTable).Get(ctx, letterPartition(id), letterKey)
	if fault.Is(err, fault.NotFound) {
		return mail.Letter{}, fault.New(fault.NotFound, "NotFound", "id", "There is no such letter.").Because(err)
	}
	if err != nil {
		return mail.Letter{}, fmt.Errorf("read letter %s: %w", id, err)
	}
	return fromLetterRow(row)
}

func fromLetterRow(row table.Row) (mail.Letter, error) {
	var r letterRow
	if err := decode(row, &r); err != nil {
		return mail.Letter{}, err
	}
	r.Lock = row.ETag
	return mail.Letter(r), nil
}

// Letters lists the newest letters of all kept. It goes over all partitions: for the local stack, which keeps
// few; among many it knows the first thousands only.
func (s *Notifications) Letters(ctx context.Context, limit int) ([]mail.Letter, error) {
	query := table.Query{Partition: letterPrefix, PartitionEnd: table.PrefixEnd(letterPrefix)}
	var out []mail.Letter
	for range letterPages {
		page, err := s.db.Table(notificationsTable).Query(ctx, query)
		if err != nil {
			return nil, fmt.Errorf("list letters: %w", err)
		}
		for _, row := range page.Rows {
			l, err := fromLetterRow(row)
			if err != nil {
				return nil, err
			}
			out = append(out, l)
		}
		if query.After = page.Next; query.After == "" {
			break
		}
	}
	slices.SortStableFunc(out, func(a, b mail.Letter) int { return b.At.Compare(a.At) })
	return out[:min(limit, len(out))], nil
}
