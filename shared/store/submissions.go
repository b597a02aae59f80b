package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"stoa/shared/fault"
	"stoa/shared/offer"
	"stoa/shared/packages"
	"stoa/shared/publish"
	"stoa/shared/store/table"
)

const (
	submissionPrefix = "submission|"
	lastSubmission   = 99_999_999
	submissionsBlobs = "submissions"
	maxSnapshot      = 32 << 20
	maxKept          = 256
)

// submissionKey sorts the newest first.
func submissionKey(number int) string {
	return fmt.Sprintf("%s%08d", submissionPrefix, lastSubmission-number)
}

// Submission reads one submission by its number. NotFound.
func (s *Offers) Submission(ctx context.Context, publisherID, offerID string, number int) (publish.Submission, error) {
	row, err := s.db.Table(offersTable).Get(ctx, offerPartition(publisherID, offerID), submissionKey(number))
	if fault.Is(err, fault.NotFound) {
		return publish.Submission{}, fault.New(fault.NotFound, "NotFound", "submission", "The offer %s has no submission %d.", offerID, number)
	}
	if err != nil {
		return publish.Submission{}, fmt.Errorf("read submission %d of %s: %w", number, offerID, err)
	}
	return fromSubmissionRow(row)
}

func fromSubmissionRow(row table.Row) (publish.Submission, error) {
	var sub publish.Submission
	err := decode(row, &sub)
	sub.Lock = row.ETag
	return sub, err
}

// Submissions lists the newest first, those below a number; 0 starts at the newest.
func (s *Offers) Submissions(ctx context.Context, publisherID, offerID string, below, limit int) ([]publish.Submission, error) {
	from := submissionPrefix
	if below > 0 {
		from = submissionKey(below - 1)
	}
	page, err := s.db.Table(offersTable).Query(ctx, table.Query{
		Partition: offerPartition(publisherID, offerID), From: from, Until: table.PrefixEnd(submissionPrefix), Limit: limit, WithETags: true,
	})
	if err != nil {
		return nil, fmt.Errorf("list submissions of %s: %w", offerID, err)
	}
	var out []publish.Submission
	for _, row := range page.Rows {
		sub, err := fromSubmissionRow(row)
		if err != nil {
			return nil, err
		}
		out = append(out, sub)
	}
	return out, nil
}

// History lists events, the newest first.
func (s *Offers) History(ctx context.Context, publisherID, offerID, after string, limit int) ([]offer.Event, string, error) {
	page, err := s.db.Table(offersTable).Query(ctx, table.Query{
		Partition: offerPartition(publisherID, offerID), From: eventPrefix, Until: table.PrefixEnd(eventPrefix), Limit: limit, After: after,
	})
	if err != nil {
		return nil, "", fmt.Errorf("history of %s: %w", offerID, err)
	}
	out := make([]offer.Event, len(page.Rows))
	for i, row := range page.Rows {
		if err := decode(row, &out[i]); err != nil {
			return nil, "", err
		}
	}
	return out, page.Next, nil
}

// Commit writes a change of publishing: the offer, its submissions, history events and the messages, as one act.
func (s *Offers) Commit(ctx context.Context, c publish.Change) error {
	partition := offerPartition(c.Offer.PublisherID, c.Offer.OfferID)
	var ops []table.Op
	for _, sub := range c.Submissions {
		op := table.Op{Action: table.Insert, Row: table.Row{Partition: partition, Key: submissionKey(sub.Number), ETag: sub.Lock, Data: encode(sub)}}
		if sub.Lock != "" {
			op.Action = table.Replace
		}
		ops = append(ops, op)
	}
	return s.commit(ctx, c.Offer, c.Events, ops, c.Messages)
}

// List puts the offer on the list of what may be live. Last wins because the row says nothing but its key.
func (s *Offers) List(ctx context.Context, publisherID, offerID string) error {
	row := table.Row{Partition: liveList, Key: offerPartition(publisherID, offerID), Data: encode(listRow{publisherID, offerID})}
	if _, err := s.db.Table(offersTable).Apply(ctx, table.Op{Action: table.Upsert, Row: row}); err != nil {
		return fmt.Errorf("list offer %s: %w", offerID, err)
	}
	return nil
}

// SavePackage records what validation found of a package. Last wins: a later run looked at a later upload, or at
// the same one with the same outcome.
func (s *Offers) SavePackage(ctx context.Context, r packages.Record) error {
	row := table.Row{Partition: offerPartition(r.PublisherID, r.OfferID), Key: packagePrefix + table.Join(r.Name), Data: encode(r)}
	if _, err := s.db.Table(offersTable).Apply(ctx, table.Op{Action: table.Upsert, Row: row}); err != nil {
		return fmt.Errorf("record package %s of %s: %w", r.Name, r.OfferID, err)
	}
	return nil
}

// Package reads what validation found of a package. NotFound when it was not validated yet.
func (s *Offers) Package(ctx context.Context, publisherID, offerID, name string) (packages.Record, error) {
	var r packages.Record
	row, err := s.db.Table(offersTable).Get(ctx, offerPartition(publisherID, offerID), packagePrefix+table.Join(name))
	if fault.Is(err, fault.NotFound) {
		return r, fault.New(fault.NotFound, "NotFound", "name", "The package %s was not validated yet.", name)
	}
	if err != nil {
		return r, fmt.Errorf("package %s of %s: %w", name, offerID, err)
	}
	return r, decode(row, &r)
}

// maxPackages bounds what is read of an offer's packages.
const maxPackages = 500

// Packages are the records of an offer's packages by name.
func (s *Offers) Packages(ctx context.Context, publisherID, offerID string) ([]packages.Record, error) {
	page, err := s.db.Table(offersTable).Query(ctx, table.Query{
		Partition: offerPartition(publisherID, offerID), From: packagePrefix, Until: table.PrefixEnd(packagePrefix), Limit: maxPackages,
	})
	if err != nil {
		return nil, fmt.Errorf("packages of %s: %w", offerID, err)
	}
	out := make([]packages.Record, len(page.Rows))
	for i, row := range page.Rows {
		if err := decode(row, &out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Blobs are the containers that snapshots are kept in.
type Blobs interface {
	PutNew(ctx context.Context, container, name string, data []byte, contentType string) error
	Read(ctx context.Context, container, name string, limit int64) ([]byte, error)
}

const (
	reportsBlobs = "reports"
	maxReport    = 4 << 20
)

// Reports keeps the reports on packages as blobs that are written once.
type Reports struct{ blobs Blobs }

// NewReports makes reports over blobs.
func NewReports(blobs Blobs) *Reports { return &Reports{blobs: blobs} }

// PutReport keeps a report. The name is made of the package's version, so one that exists says the same.
func (r *Reports) PutReport(ctx context.Context, name string, report []byte) error {
	err := r.blobs.PutNew(ctx, reportsBlobs, name, report, "application/json")
	if fault.Is(err, fault.Conflict) {
		return nil
	}
	return err
}

// Report reads a report.
func (r *Reports) Report(ctx context.Context, name string) ([]byte, error) {
	return r.blobs.Read(ctx, reportsBlobs, name, maxReport)
}

// Snapshots keeps frozen contents as blobs that are written once. What was read is remembered, since it never
// changes. Safe for concurrent use.
type Snapshots struct {
	blobs Blobs

	mu   sync.Mutex
	kept map[string]offer.Content
}

// NewSnapshots makes snapshots over blobs.
func NewSnapshots(blobs Blobs) *Snapshots {
	return &Snapshots{blobs: blobs, kept: map[string]offer.Content{}}
}

// Freeze keeps a content. The name is made of the content, so one that exists holds the same.
func (s *Snapshots) Freeze(ctx context.Context, name string, c offer.Content) error {
	err := s.blobs.PutNew(ctx, submissionsBlobs, name, encode(c), "application/json")
	if fault.Is(err, fault.Conflict) {
		return nil
	}
	return err
}

// Frozen reads a content. It may not be changed.
func (s *Snapshots) Frozen(ctx context.Context, name string) (offer.Content, error) {
	s.mu.Lock()
	c, ok := s.kept[name]
	s.mu.Unlock()
	if ok {
		return c, nil
	}
	raw, err := s.blobs.Read(ctx, submissionsBlobs, name, maxSnapshot)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return c, errors.Join(fmt.Errorf("snapshot %s is not a content", name), err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.kept) >= maxKept {
		clear(s.kept) // rare, and cheaper than keeping an order
	}
	s.kept[name] = c
	return c, nil
}
