package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"stoa/shared/store/table"
	"stoa/shared/subscription"
)

// A lapse says that a subscription may be about to cease to be Subscribed. It is written before the act, to a list
// of the publisher in the order of time, so that who reads the list after the act finds it there. An act that did
// not happen leaves a lapse all the same: readers look at the subscription itself.
const (
	lapseKept   = time.Hour        // older ones are removed
	forgetPages = 20               // of rows that are removed at once
	lapseListed = 500              // more than that are not worth telling apart
	lapseAct    = 10 * time.Minute // a lapse is at most that much older than its act
)

type lapse struct {
	SubscriptionID string `json:"subscriptionId"`
}

func lapsesOf(publisherID string) string { return table.Join("lapsed", publisherID) }

func lapses(sub subscription.Subscription) bool {
	return sub.Status == subscription.Suspended || sub.Status == subscription.Unsubscribed
}

// lapse notes that the subscription is about to be saved in a state that is not Subscribed.
func (s *Subscriptions) lapse(ctx context.Context, sub subscription.Subscription) error {
	row := table.Row{
		Partition: lapsesOf(sub.PublisherID), Key: markerKey(s.db.deps.Now()) + "|" + table.Join(sub.ID),
		Data: encode(lapse{sub.ID}),
	}
	if _, err := s.db.Table(subscriptionsTable).Apply(ctx, table.Op{Action: table.Upsert, Row: row}); err != nil {
		return fmt.Errorf("note the lapse of %s: %w", sub.ID, err)
	}
	return nil
}

// forgetLapses removes lapses that no reader asks for any more, for a publisher once in as long as they are kept,
// so that an act seldom pays for it. What stays is removed the next time.
func (s *Subscriptions) forgetLapses(ctx context.Context, publisherID string) {
	now := s.db.deps.Now()
	if last, ok := s.forgot.Get(publisherID); ok && now.Sub(last) < lapseKept {
		return
	}
	s.forgot.Add(publisherID, now)
	old := table.Query{
		Partition: lapsesOf(publisherID), Until: markerKey(now.Add(-lapseKept)), Limit: table.MaxOps,
	}
	for range forgetPages {
		page, err := s.db.Table(subscriptionsTable).Query(ctx, old)
		gone := make([]position, len(page.Rows))
		for i, row := range page.Rows {
			gone[i] = position{subscriptionsTable, row.Partition, row.Key}
		}
		if err == nil {
			err = s.db.remove(ctx, gone)
		}
		if err != nil {
			s.db.deps.Log.Warn("old lapses stay", "publisherId", publisherID, "error", err)
		}
		if err != nil || page.Next == "" {
			return
		}
	}
}

// Lapsed names the subscriptions of a publisher that may have ceased to be Subscribed since a time. False when
// there are too many to tell, or when the time lies so far back that lapses may have been removed.
func (s *Subscriptions) Lapsed(ctx context.Context, publisherID string, since time.Time) (map[string]bool, bool, error) {
	since = since.Add(-lapseAct)
	if since.Before(s.db.deps.Now().Add(-lapseKept)) {
		return nil, false, nil
	}
	page, err := s.db.Table(subscriptionsTable).Query(ctx, table.Query{
		Partition: lapsesOf(publisherID), From: markerKey(since), Limit: lapseListed,
	})
	if err != nil {
		return nil, false, fmt.Errorf("read the lapses of %s: %w", publisherID, err)
	}
	ids := make(map[string]bool, len(page.Rows))
	for _, row := range page.Rows {
		var l lapse
		if err := decode(row, &l); err != nil {
			return nil, false, err
		}
		ids[strings.ToLower(l.SubscriptionID)] = true
	}
	return ids, page.Next == "", nil
}
