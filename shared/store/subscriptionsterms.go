package store

import (
	"context"
	"fmt"

	"stoa/shared/fault"
	"stoa/shared/store/table"
	"stoa/shared/subscription"
)

// acceptanceRow is where it stands that a tenant accepted a document: what a tenant accepted is one partition, a row
// for each document. A row is inserted once and never changes, so it is remembered.
func acceptanceRow(k subscription.AcceptanceKey) table.Row {
	return table.Row{Partition: table.Join("terms", k.TenantID), Key: table.Join(k.PublisherID, k.OfferID, k.Document)}
}

// Accept notes that a tenant accepted a document. What was accepted before stands.
func (s *Subscriptions) Accept(ctx context.Context, a subscription.Acceptance) error {
	row := acceptanceRow(a.AcceptanceKey)
	known := row.Partition + "/" + row.Key
	if _, ok := s.accepted.Get(known); ok {
		return nil
	}
	row.Data = encode(a)
	_, err := s.db.Table(subscriptionsTable).Apply(ctx, table.Op{Action: table.Insert, Row: row})
	if fault.Is(err, fault.Conflict) {
		_, err = s.Acceptance(ctx, a.AcceptanceKey) // remembers the one that stands
		return err
	}
	if err != nil {
		return fmt.Errorf("note an acceptance: %w", err)
	}
	s.accepted.Add(known, a)
	return nil
}

// Acceptance reads who accepted a document for a tenant, and when. NotFound.
func (s *Subscriptions) Acceptance(ctx context.Context, k subscription.AcceptanceKey) (subscription.Acceptance, error) {
	at := acceptanceRow(k)
	known := at.Partition + "/" + at.Key
	if a, ok := s.accepted.Get(known); ok {
		return a, nil
	}
	var a subscription.Acceptance
	row, err := s.db.Table(subscriptionsTable).Get(ctx, at.Partition, at.Key)
	if err != nil {
		return a, fmt.Errorf("read an acceptance: %w", err)
	}
	if err := decode(row, &a); err != nil {
		return a, err
	}
	s.accepted.Add(known, a)
	return a, nil
}
