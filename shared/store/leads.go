package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"stoa/shared/fault"
	"stoa/shared/lead"
	"stoa/shared/message"
	"stoa/shared/offer"
	"stoa/shared/store/table"
)

// The leads of a publisher are one partition: a row per lead, the newest first, and a row per lead id that says
// under which time the lead stands. The second never changes; inserting it is the check that a lead is new. One
// more partition names the leads that wait for a replay, of all publishers. A row there is written before the
// lead waits and may outlive that, so readers look at the lead itself.
const (
	leadsTable     = "leads"
	leadPrefix     = "lead|"
	leadIDPrefix   = "id|"
	waitingPrefix  = "w|" // apart from the outbox rows
	waitingAge     = time.Hour
	leadFilterMost = 10 // pages looked through for one page of a filtered list
)

var waitingLeads = table.Join("waiting", "all")

// Leads keeps leads: lead.Store. Safe for concurrent use.
type Leads struct{ db *DB }

// NewLeads makes the repository.
func NewLeads(db *DB) *Leads { return &Leads{db: db} }

var _ lead.Store = (*Leads)(nil)

// leadRow is a lead as it is stored, field for field.
type leadRow struct {
	ID            string         `json:"id"`
	EventID       string         `json:"eventId"`
	PublisherID   string         `json:"publisherId"`
	PublisherName string         `json:"publisherName,omitempty"`
	OfferID       string         `json:"offerId"`
	OfferTitle    string         `json:"offerTitle"`
	PlanID        string         `json:"planId,omitempty"`
	Slot          offer.Slot     `json:"slot"`
	Source        lead.Source    `json:"source"`
	Action        lead.Action    `json:"action"`
	Kind          lead.Kind      `json:"kind"`
	LeadSource    string         `json:"leadSource"`
	Customer      lead.Customer  `json:"customer"`
	Description   string         `json:"description,omitempty"`
	SessionID     string         `json:"sessionId,omitempty"`
	OccurredAt    time.Time      `json:"occurredAt"`
	CapturedAt    time.Time      `json:"capturedAt"`
	State         lead.State     `json:"state"`
	Reason        string         `json:"reason,omitempty"`
	Destination   string         `json:"destination,omitempty"`
	Round         time.Time      `json:"round"`
	Tries         int            `json:"tries,omitempty"`
	Next          int            `json:"next"`
	DueAt         time.Time      `json:"dueAt,omitzero"`
	EndedAt       time.Time      `json:"endedAt,omitzero"`
	Erased        bool           `json:"erased,omitempty"`
	Attempts      []lead.Attempt `json:"attempts,omitempty"`
	Lock          string         `json:"-"`
	Repeated      bool           `json:"-"`
}

type leadPlace struct {
	CapturedAt time.Time `json:"capturedAt"`
}

type waitingRow struct {
	PublisherID string    `json:"publisherId"`
	LeadID      string    `json:"leadId"`
	At          time.Time `json:"at"`
}

func leadsOf(publisherID string) string { return table.Join("publisher", publisherID) }

// newestFirst is a part of a key that sorts later times first.
func newestFirst(t time.Time) string { return fmt.Sprintf("%019d", math.MaxInt64-t.UnixNano()) }

func leadKey(capturedAt time.Time, id string) string {
	return leadPrefix + newestFirst(capturedAt) + "|" + table.Join(id)
}

func leadIDKey(id string) string { return leadIDPrefix + table.Join(id) }

func waitingKey(id string) string { return waitingPrefix + table.Join(id) }

// Add implements lead.Store.
func (s *Leads) Add(ctx context.Context, l lead.Lead, msgs ...message.Message) error {
	if err := s.announce(ctx, l); err != nil {
		return fmt.Errorf("add lead %s: %w", l.ID, err)
	}
	partition := leadsOf(l.PublisherID)
	_, err := s.db.Commit(ctx, leadsTable, []table.Op{
		{Action: table.Insert, Row: table.Row{Partition: partition, Key: leadIDKey(l.ID), Data: encode(leadPlace{l.CapturedAt})}},
		{Action: table.Insert, Row: table.Row{Partition: partition, Key: leadKey(l.CapturedAt, l.ID), Data: encode(leadRow(l))}},
	}, msgs...)
	if err != nil {
		return fmt.Errorf("add lead %s: %w", l.ID, err)
	}
	return nil
}

// announce names a lead that waits, before it does. Last wins because all rows of a lead say the same but the
// time, and the latest time is right.
func (s *Leads) announce(ctx context.Context, l lead.Lead) error {
	if !l.State.Waits() {
		return nil
	}
	row := table.Row{Partition: waitingLeads, Key: waitingKey(l.ID), Data: encode(waitingRow{l.PublisherID, l.ID, s.db.deps.Now().UTC()})}
	_, err := s.db.Table(leadsTable).Apply(ctx, table.Op{Action: table.Upsert, Row: row})
	return err
}

// Save implements lead.Store.
func (s *Leads) Save(ctx context.Context, l lead.Lead, msgs ...message.Message) error {
	if l.Lock == "" {
		return fmt.Errorf("save lead %s: it was never read, it has no lock", l.ID)
	}
	if err := s.announce(ctx, l); err != nil {
		return fmt.Errorf("save lead %s: %w", l.ID, err)
	}
	_, err := s.db.Commit(ctx, leadsTable, []table.Op{{Action: table.Replace, Row: table.Row{
		Partition: leadsOf(l.PublisherID), Key: leadKey(l.CapturedAt, l.ID), ETag: l.Lock, Data: encode(leadRow(l)),
	}}}, msgs...)
	if err != nil {
		return fmt.Errorf("save lead %s: %w", l.ID, err)
	}
	return nil
}

// Lead implements lead.Store.
func (s *Leads) Lead(ctx context.Context, publisherID, id string) (lead.Lead, error) {
	unknown := fault.New(fault.NotFound, "NotFound", "leadId", "There is no such lead.")
	row, err := s.db.Table(leadsTable).Get(ctx, leadsOf(publisherID), leadIDKey(id))
	if fault.Is(err, fault.NotFound) {
		return lead.Lead{}, unknown.Because(err)
	}
	if err != nil {
		return lead.Lead{}, fmt.Errorf("read lead %s: %w", id, err)
	}
	var place leadPlace
	if err := decode(row, &place); err != nil {
		return lead.Lead{}, err
	}
	row, err = s.db.Table(leadsTable).Get(ctx, leadsOf(publisherID), leadKey(place.CapturedAt, id))
	if err != nil {
		return lead.Lead{}, fmt.Errorf("read lead %s: %w", id, err)
	}
	return fromLeadRow(row)
}

func fromLeadRow(row table.Row) (lead.Lead, error) {
	var r leadRow
	if err := decode(row, &r); err != nil {
		return lead.Lead{}, err
	}
	l := lead.Lead(r)
	l.Lock = row.ETag
	return l, nil
}

// Leads implements lead.Store. A filtered page looks through a few pages of rows at most.
func (s *Leads) Leads(ctx context.Context, f lead.Filter) ([]lead.Lead, string, error) {
	query := table.Query{
		Partition: leadsOf(f.PublisherID), From: leadPrefix, Until: table.PrefixEnd(leadPrefix), Limit: f.Limit, After: f.After, WithETags: true,
	}
	var out []lead.Lead
	for range leadFilterMost {
		page, err := s.db.Table(leadsTable).Query(ctx, query)
		if err != nil {
			return nil, "", fmt.Errorf("list leads of %s: %w", f.PublisherID, err)
		}
		for _, row := range page.Rows {
			l, err := fromLeadRow(row)
			if err != nil {
				return nil, "", err
			}
			if selects(f, l) {
				out = append(out, l)
			}
		}
		query.After = page.Next
		// A page is given out as it is, so that its continuation never skips a lead.
		if len(out) > 0 || page.Next == "" {
			break
		}
	}
	return out, query.After, nil
}

func selects(f lead.Filter, l lead.Lead) bool {
	return (f.OfferID == "" || f.OfferID == l.OfferID) && (f.State == "" || f.State == l.State) && (f.Action == "" || f.Action == l.Action)
}

// Waiting implements lead.Store. It removes what names a lead that has long moved on.
func (s *Leads) Waiting(ctx context.Context, after string, limit int) ([]lead.Lead, string, error) {
	page, err := s.db.Table(leadsTable).Query(ctx, table.Query{
		Partition: waitingLeads, From: waitingPrefix, Until: table.PrefixEnd(waitingPrefix), Limit: limit, After: after, WithETags: true,
	})
	if err != nil {
		return nil, "", fmt.Errorf("list waiting leads: %w", err)
	}
	found, errs := make([]*lead.Lead, len(page.Rows)), make([]error, len(page.Rows))
	var wait sync.WaitGroup
	busy := make(chan struct{}, 8)
	for i, row := range page.Rows {
		busy <- struct{}{}
		wait.Go(func() {
			defer func() { <-busy }()
			found[i], errs[i] = s.waiting(ctx, row)
		})
	}
	wait.Wait()
	var out []lead.Lead
	for _, l := range found {
		if l != nil {
			out = append(out, *l)
		}
	}
	return out, page.Next, errors.Join(errs...)
}

func (s *Leads) waiting(ctx context.Context, row table.Row) (*lead.Lead, error) {
	var w waitingRow
	if err := decode(row, &w); err != nil {
		return nil, err
	}
	l, err := s.Lead(ctx, w.PublisherID, w.LeadID)
	if err == nil && l.State.Waits() {
		return &l, nil
	}
	if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	// A young row may be of a lead that is just about to wait.
	if s.db.deps.Now().Sub(w.At) > waitingAge {
		_, err := s.db.Table(leadsTable).Apply(ctx, table.Op{Action: table.Delete, Row: row})
		if err != nil && !fault.Is(err, fault.StaleETag) && !fault.Is(err, fault.NotFound) {
			return nil, err
		}
	}
	return nil, nil
}

// PublisherOf implements lead.Store.
func (s *Leads) PublisherOf(ctx context.Context, id string) (string, error) {
	row, err := s.db.Table(leadsTable).Get(ctx, waitingLeads, waitingKey(id))
	if fault.Is(err, fault.NotFound) {
		return "", fault.New(fault.NotFound, "NotFound", "leadId", "No such lead waits.").Because(err)
	}
	if err != nil {
		return "", fmt.Errorf("find lead %s: %w", id, err)
	}
	var w waitingRow
	if err := decode(row, &w); err != nil {
		return "", err
	}
	return w.PublisherID, nil
}
