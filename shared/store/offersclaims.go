package store

import (
	"context"
	"fmt"

	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/offer"
	"stoa/shared/store/table"
)

// Beside the offers the table has a partition for each application registration, whose one row names the publisher
// that uses it, and one for each announcement, with a row for each part of it that was sent.
const (
	registrationKey = "owner"
	maxRemoved      = 90 // rows of one transaction
)

func registrationPartition(r offer.Registration) string {
	return table.Join("registration", r.TenantID, r.AppID)
}

type registrationRow struct {
	PublisherID string `json:"publisherId"`
}

// Claim implements offer.Registrations: to insert is the check that nobody else was there.
func (s *Offers) Claim(ctx context.Context, r offer.Registration, publisherID string) (string, error) {
	row := table.Row{Partition: registrationPartition(r), Key: registrationKey, Data: encode(registrationRow{publisherID})}
	_, err := s.db.Table(offersTable).Apply(ctx, table.Op{Action: table.Insert, Row: row})
	if err == nil {
		return publisherID, nil
	}
	if !fault.Is(err, fault.Conflict) {
		return "", fmt.Errorf("claim of %s: %w", publisherID, err)
	}
	held, _, err := s.claim(ctx, r)
	return held, err
}

func (s *Offers) claim(ctx context.Context, r offer.Registration) (owner, etag string, err error) {
	row, err := s.db.Table(offersTable).Get(ctx, registrationPartition(r), registrationKey)
	if err != nil {
		return "", "", fmt.Errorf("read the owner of a registration: %w", err)
	}
	var held registrationRow
	err = decode(row, &held)
	return held.PublisherID, row.ETag, err
}

// Reclaim implements offer.Registrations.
func (s *Offers) Reclaim(ctx context.Context, r offer.Registration, owner, publisherID string) error {
	held, etag, err := s.claim(ctx, r)
	if err != nil {
		return err
	}
	if held != owner {
		return fault.New(fault.StaleETag, "PreconditionFailed", "", "The registration was claimed in between.")
	}
	row := table.Row{Partition: registrationPartition(r), Key: registrationKey, ETag: etag, Data: encode(registrationRow{publisherID})}
	if _, err := s.db.Table(offersTable).Apply(ctx, table.Op{Action: table.Replace, Row: row}); err != nil {
		return fmt.Errorf("claim of %s: %w", publisherID, err)
	}
	return nil
}

// Tell sends the messages of one part of an announcement, as one act. The same part again sends the same messages,
// whose ids say so.
func (s *Offers) Tell(ctx context.Context, announcement, part string, msgs []message.Message) error {
	row := table.Row{Partition: table.Join("announcement", announcement), Key: table.Join("part", part), Data: encode(len(msgs))}
	if _, err := s.db.Commit(ctx, offersTable, []table.Op{{Action: table.Upsert, Row: row}}, msgs...); err != nil {
		return fmt.Errorf("announcement %s: %w", announcement, err)
	}
	return nil
}

// Delete removes an offer that was read before with everything in its partition, what points at it first and its
// head last, so that an act that was cut short can be done again. StaleETag when it was saved in between.
func (s *Offers) Delete(ctx context.Context, o offer.Offer) error {
	if o.Lock == "" {
		return fmt.Errorf("delete offer %s: it was never read, it has no lock", o.OfferID)
	}
	partition := offerPartition(o.PublisherID, o.OfferID)
	for _, prefix := range []string{eventPrefix, submissionPrefix, packagePrefix} {
		if err := s.removeRows(ctx, partition, prefix); err != nil {
			return fmt.Errorf("delete offer %s: %w", o.OfferID, err)
		}
	}
	ops := []table.Op{{Action: table.Delete, Row: table.Row{Partition: partition, Key: headKey, ETag: o.Lock}}}
	for key := range o.Saved {
		ops = append(ops, table.Op{Action: table.Remove, Row: table.Row{Partition: partition, Key: key}})
	}
	if _, err := s.db.Commit(ctx, offersTable, ops); err != nil {
		return fmt.Errorf("delete offer %s: %w", o.OfferID, err)
	}
	entry := table.Row{Partition: publisherList(o.PublisherID), Key: table.Join(o.OfferID)}
	if _, err := s.db.Table(offersTable).Apply(ctx, table.Op{Action: table.Remove, Row: entry}); err != nil && !fault.Is(err, fault.NotFound) {
		return fmt.Errorf("take offer %s off its list: %w", o.OfferID, err)
	}
	return nil
}

func (s *Offers) removeRows(ctx context.Context, partition, prefix string) error {
	for {
		page, err := s.db.Table(offersTable).Query(ctx, table.Query{Partition: partition, From: prefix, Until: table.PrefixEnd(prefix), Limit: maxRemoved})
		if err != nil || len(page.Rows) == 0 {
			return err
		}
		ops := make([]table.Op, len(page.Rows))
		for i, row := range page.Rows {
			ops[i] = table.Op{Action: table.Remove, Row: table.Row{Partition: partition, Key: row.Key}}
		}
		if _, err := s.db.Table(offersTable).Apply(ctx, ops...); err != nil {
			return err
		}
	}
}
