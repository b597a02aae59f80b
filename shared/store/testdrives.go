package store

import (
	"context"
	"fmt"
	"time"

	"stoa/shared/fault"
	"stoa/shared/lead"
	"stoa/shared/message"
	"stoa/shared/store/table"
	"stoa/shared/testdrive"
)

// The test drives of one slot of an offer are one partition: the pool and a row per session, the newest first,
// so that a reservation and its session are one act. One more row per session, in a partition of its own, says
// where the session stands; it is written first and may name a session that never came to be.
const (
	testDrivesTable = "testdrives"
	poolKey         = "pool"
	sessionPrefix   = "s|"
	placeKey        = "place"
)

// TestDrives keeps pools and sessions: testdrive.Store. Safe for concurrent use.
type TestDrives struct{ db *DB }

// NewTestDrives makes the repository.
func NewTestDrives(db *DB) *TestDrives { return &TestDrives{db: db} }

var _ testdrive.Store = (*TestDrives)(nil)

type poolRow struct {
	ID      testdrive.PoolID   `json:"id"`
	Holders []testdrive.Holder `json:"holders,omitempty"`
	Lock    string             `json:"-"`
}

// sessionRow is a session as it is stored, field for field.
type sessionRow struct {
	ID          string             `json:"id"`
	Pool        testdrive.PoolID   `json:"pool"`
	Kind        string             `json:"kind"`
	Customer    string             `json:"customer"`
	Contact     lead.Customer      `json:"contact"`
	Source      lead.Source        `json:"source"`
	Config      testdrive.Config   `json:"config"`
	State       testdrive.State    `json:"state"`
	RequestedAt time.Time          `json:"requestedAt"`
	ReadyAt     time.Time          `json:"readyAt,omitzero"`
	ExpiresAt   time.Time          `json:"expiresAt,omitzero"`
	EndedAt     time.Time          `json:"endedAt,omitzero"`
	CleanedAt   time.Time          `json:"cleanedAt,omitzero"`
	Reason      testdrive.Reason   `json:"reason,omitempty"`
	Error       string             `json:"error,omitempty"`
	Outputs     []testdrive.Output `json:"outputs,omitempty"`
	LeadID      string             `json:"leadId,omitempty"`
	LeadError   string             `json:"leadError,omitempty"`
	PollURL     string             `json:"pollUrl,omitempty"`
	Provision   int                `json:"provision"`
	Cleanup     int                `json:"cleanup,omitempty"`
	CleanFrom   time.Time          `json:"cleanFrom,omitzero"`
	Unsettled   bool               `json:"unsettled,omitempty"`
	Lock        string             `json:"-"`
}

type sessionPlace struct {
	Pool        testdrive.PoolID `json:"pool"`
	RequestedAt time.Time        `json:"requestedAt"`
}

func poolPartition(id testdrive.PoolID) string {
	return table.Join("pool", id.PublisherID, id.OfferID, string(id.Slot))
}

func sessionKey(requestedAt time.Time, id string) string {
	return sessionPrefix + newestFirst(requestedAt) + "|" + table.Join(id)
}

func placePartition(id string) string { return table.Join("session", id) }

// Pool implements testdrive.Store.
func (s *TestDrives) Pool(ctx context.Context, id testdrive.PoolID) (testdrive.Pool, error) {
	row, err := s.db.Table(testDrivesTable).Get(ctx, poolPartition(id), poolKey)
	if fault.Is(err, fault.NotFound) {
		return testdrive.Pool{ID: id}, nil
	}
	if err != nil {
		return testdrive.Pool{}, fmt.Errorf("read test drive pool of %s: %w", id.OfferID, err)
	}
	var p poolRow
	if err := decode(row, &p); err != nil {
		return testdrive.Pool{}, err
	}
	p.Lock = row.ETag
	return testdrive.Pool(p), nil
}

// Session implements testdrive.Store.
func (s *TestDrives) Session(ctx context.Context, id string) (testdrive.Session, error) {
	unknown := fault.New(fault.NotFound, "NotFound", "sessionId", "There is no such session.")
	row, err := s.db.Table(testDrivesTable).Get(ctx, placePartition(id), placeKey)
	if fault.Is(err, fault.NotFound) {
		return testdrive.Session{}, unknown.Because(err)
	}
	if err != nil {
		return testdrive.Session{}, fmt.Errorf("find test drive session %s: %w", id, err)
	}
	var place sessionPlace
	if err := decode(row, &place); err != nil {
		return testdrive.Session{}, err
	}
	row, err = s.db.Table(testDrivesTable).Get(ctx, poolPartition(place.Pool), sessionKey(place.RequestedAt, id))
	if fault.Is(err, fault.NotFound) {
		return testdrive.Session{}, unknown.Because(err)
	}
	if err != nil {
		return testdrive.Session{}, fmt.Errorf("read test drive session %s: %w", id, err)
	}
	return fromSessionRow(row)
}

func fromSessionRow(row table.Row) (testdrive.Session, error) {
	var r sessionRow
	if err := decode(row, &r); err != nil {
		return testdrive.Session{}, err
	}
	r.Lock = row.ETag
	return testdrive.Session(r), nil
}

// Save implements testdrive.Store.
func (s *TestDrives) Save(ctx context.Context, session testdrive.Session, pool testdrive.Pool, msgs ...message.Message) error {
	if session.Lock == "" {
		// Last wins because every try to start the session writes the same.
		row := table.Row{Partition: placePartition(session.ID), Key: placeKey, Data: encode(sessionPlace{session.Pool, session.RequestedAt})}
		if _, err := s.db.Table(testDrivesTable).Apply(ctx, table.Op{Action: table.Upsert, Row: row}); err != nil {
			return fmt.Errorf("save test drive session %s: %w", session.ID, err)
		}
	}
	partition := poolPartition(session.Pool)
	_, err := s.db.Commit(ctx, testDrivesTable, []table.Op{
		save(table.Row{Partition: partition, Key: poolKey, ETag: pool.Lock, Data: encode(poolRow(pool))}),
		save(table.Row{Partition: partition, Key: sessionKey(session.RequestedAt, session.ID), ETag: session.Lock, Data: encode(sessionRow(session))}),
	}, msgs...)
	if fault.Is(err, fault.Conflict) {
		return fault.New(fault.StaleETag, "PreconditionFailed", "", "The test drive was changed in between.").Because(err)
	}
	if err != nil {
		return fmt.Errorf("save test drive session %s: %w", session.ID, err)
	}
	return nil
}

// save inserts a row that was never read and replaces one that was.
func save(row table.Row) table.Op {
	if row.ETag == "" {
		return table.Op{Action: table.Insert, Row: row}
	}
	return table.Op{Action: table.Replace, Row: row}
}

// Sessions implements testdrive.Store.
func (s *TestDrives) Sessions(ctx context.Context, id testdrive.PoolID, after string, limit int) ([]testdrive.Session, string, error) {
	page, err := s.db.Table(testDrivesTable).Query(ctx, table.Query{
		Partition: poolPartition(id), From: sessionPrefix, Until: table.PrefixEnd(sessionPrefix), Limit: limit, After: after, WithETags: true,
	})
	if err != nil {
		return nil, "", fmt.Errorf("list test drive sessions of %s: %w", id.OfferID, err)
	}
	out := make([]testdrive.Session, len(page.Rows))
	for i, row := range page.Rows {
		if out[i], err = fromSessionRow(row); err != nil {
			return nil, "", err
		}
	}
	return out, page.Next, nil
}
