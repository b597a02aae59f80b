package store

import (
	"context"
	"fmt"

	"stoa/shared/fault"
	"stoa/shared/publish"
	"stoa/shared/store/table"
	"stoa/shared/subscription"
)

// previewCalls is the partition of the calls that an application made for purchases from the preview of an offer: a row
// for each kind of call, written by the first.
func previewCalls(publisherID, offerID string) string {
	return table.Join("previewcalls", publisherID, offerID)
}

// NotePreviewCall notes that a call was made for a purchase from a preview.
func (s *Subscriptions) NotePreviewCall(ctx context.Context, sub subscription.Subscription, call subscription.PreviewCall) error {
	row := table.Row{Partition: previewCalls(sub.PublisherID, sub.OfferID), Key: string(call), Data: encode(struct {
		SubscriptionID string `json:"subscriptionId"`
	}{sub.ID})}
	_, err := s.db.Table(subscriptionsTable).Apply(ctx, table.Op{Action: table.Insert, Row: row})
	if err != nil && !fault.Is(err, fault.Conflict) {
		return fmt.Errorf("note a call for the preview of %s: %w", sub.OfferID, err)
	}
	return nil
}

// PreviewCalls implements publish.Proof.
func (s *Subscriptions) PreviewCalls(ctx context.Context, publisherID, offerID string) (publish.Calls, error) {
	page, err := s.db.Table(subscriptionsTable).Query(ctx, table.Query{Partition: previewCalls(publisherID, offerID)})
	if err != nil {
		return publish.Calls{}, fmt.Errorf("calls for the preview of %s: %w", offerID, err)
	}
	var out publish.Calls
	for _, row := range page.Rows {
		out.Resolved = out.Resolved || row.Key == string(subscription.PreviewResolve)
		out.Activated = out.Activated || row.Key == string(subscription.PreviewActivate)
	}
	return out, nil
}
