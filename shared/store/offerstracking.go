package store

import (
	"context"
	"fmt"

	"stoa/shared/fault"
	"stoa/shared/packages/tracking"
	"stoa/shared/store/table"
)

// trackingList is the partition of tracking IDs: a row for each, with the offer it belongs to. An ID is claimed once
// and never given away (CUA-3, CUA-11).
const trackingList = "tracking"

// PackageType is the type of an offer and its tracking ID, which it gets now when it has none. NotFound.
func (s *Offers) PackageType(ctx context.Context, publisherID, offerID string) (offerType, trackingID string, err error) {
	o, err := s.Offer(ctx, publisherID, offerID)
	if err != nil {
		return "", "", err
	}
	trackingID, err = s.trackingID(ctx, publisherID, offerID)
	return o.OfferType, trackingID, err
}

// trackingID claims the plain form, and the other one when another offer has it.
func (s *Offers) trackingID(ctx context.Context, publisherID, offerID string) (string, error) {
	plain := tracking.ID(publisherID, offerID, func(string) bool { return false })
	row := table.Row{Partition: trackingList, Key: table.Join(plain), Data: encode(listRow{publisherID, offerID})}
	_, err := s.db.Table(offersTable).Apply(ctx, table.Op{Action: table.Insert, Row: row})
	if err == nil {
		return plain, nil
	}
	if !fault.Is(err, fault.Conflict) {
		return "", fmt.Errorf("claim the tracking ID of %s: %w", offerID, err)
	}
	claimed, err := s.db.Table(offersTable).Get(ctx, row.Partition, row.Key)
	if err != nil {
		return "", fmt.Errorf("read who has the tracking ID %s: %w", plain, err)
	}
	var owner listRow
	if err := decode(claimed, &owner); err != nil {
		return "", err
	}
	if owner == (listRow{publisherID, offerID}) {
		return plain, nil
	}
	return tracking.ID(publisherID, offerID, func(id string) bool { return id == plain }), nil
}
