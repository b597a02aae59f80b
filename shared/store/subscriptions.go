package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/store/table"
	"stoa/shared/subscription"
)

// A partition is named by the beginning of ids: those of a publisher that were bought within about a minute. So the
// partitions of a publisher lie one after the other in the order of purchase, and a page of its subscriptions is one
// query over a range of them; what was bought together can go into the store together. A row for each operation
// stands beside the subscription's. The ETag of a subscription's row guards it with its operations: every act replaces
// it. A list per tenant points at the subscriptions that a customer has a part in; a row there is written before the
// subscription it names and may outlive a purchase that was never made, so readers look at the subscription itself.
const (
	subscriptionsTable = "subscriptions"
	tokensTable        = "landingtokens"
	groupPrefix        = "group|"
	subscriptionPrefix = "sub|"
	operationPrefix    = "op|"
	tokenKey           = "token"
	claimKey           = "claim"
)

var markRow = table.Row{Partition: "mark|catchup", Key: "mark"}

// Subscriptions keeps subscriptions, their operations, landing tokens and trial claims: subscription.Store. Safe
// for concurrent use.
type Subscriptions struct {
	db       *DB
	claims   *lru.Cache[string, subscription.TrialClaim] // those that stand, by partition
	accepted *lru.Cache[string, subscription.Acceptance] // what tenants accepted, by row
	forgot   *lru.Cache[string, time.Time]               // when old lapses were removed, by publisher
}

const (
	claimsRemembered     = 10_000 // of some 300 bytes
	acceptedRemembered   = 10_000 // same
	publishersRemembered = 1000
)

// NewSubscriptions makes the repository.
func NewSubscriptions(db *DB) *Subscriptions {
	return &Subscriptions{
		db: db, claims: remember[subscription.TrialClaim](claimsRemembered),
		accepted: remember[subscription.Acceptance](acceptedRemembered), forgot: remember[time.Time](publishersRemembered),
	}
}

// remember makes a cache of the size, which is positive.
func remember[V any](size int) *lru.Cache[string, V] {
	cache, err := lru.New[string, V](size)
	if err != nil {
		panic(err)
	}
	return cache
}

// partitionDigits are those of an id that name its partition: the publisher's group and the time without what passes
// in 4 seconds. What is bought in a moment is written together; a longer one makes partitions that grow with a rush of
// customers, and with them the time of each write.
const partitionDigits = 16

// partitionOf is where a subscription and all that belongs to it lies.
func partitionOf(id string) string {
	return groupPrefix + table.Join(id[:min(partitionDigits, len(id))])
}

func subscriptionKey(id string) string { return subscriptionPrefix + table.Join(id) }

func operationKey(subscriptionID, id string) string {
	return operationPrefix + table.Join(subscriptionID, id)
}

// subscriptionRow is a subscription as it is stored. The id of the act makes its rows differ from those of another
// act that decided the same at the same instant, so that a lost answer is never taken for a lost race.
type subscriptionRow struct {
	subscription.Subscription
	Act string `json:"act"`
}

func (s *Subscriptions) row(sub subscription.Subscription) table.Row {
	return table.Row{
		Partition: partitionOf(sub.ID), Key: subscriptionKey(sub.ID), ETag: sub.ETag,
		Data: encode(subscriptionRow{Subscription: sub, Act: s.db.deps.NewID()}),
	}
}

// pointer is a row of a list.
type pointer struct {
	SubscriptionID string `json:"subscriptionId"`
}

func listOfTenant(id string) string { return table.Join("tenant", id) }

// Create inserts a subscription. Conflict when the id is taken.
func (s *Subscriptions) Create(ctx context.Context, sub subscription.Subscription, msgs ...message.Message) error {
	if subscription.Group(sub.ID) != subscription.GroupOf(sub.PublisherID) {
		return fmt.Errorf("create subscription %s: the id is not one of publisher %s", sub.ID, sub.PublisherID)
	}
	// The lists first: a subscription that is on no list would be lost, a row without a subscription is skipped.
	// Last wins because the row says nothing but what its key says.
	lists := map[string]bool{listOfTenant(sub.Purchaser.TenantID): true, listOfTenant(sub.Beneficiary.TenantID): true}
	var entries []table.Op
	for list := range lists {
		entries = append(entries, table.Op{Action: table.Upsert, Row: table.Row{
			Partition: list, Key: sub.Position(), Data: encode(pointer{SubscriptionID: sub.ID}),
		}})
	}
	if err := parallel(entries, func(op table.Op) error {
		_, err := s.db.Table(subscriptionsTable).Apply(ctx, op)
		return err
	}); err != nil {
		return fmt.Errorf("list subscription %s: %w", sub.ID, err)
	}
	ops := []table.Op{{Action: table.Insert, Row: s.row(sub)}}
	if _, err := s.db.Commit(ctx, subscriptionsTable, ops, msgs...); err != nil {
		return fmt.Errorf("create subscription %s: %w", sub.ID, err)
	}
	return nil
}

// Subscription reads one. NotFound.
func (s *Subscriptions) Subscription(ctx context.Context, id string) (subscription.Subscription, error) {
	var sub subscription.Subscription
	row, err := s.db.Table(subscriptionsTable).Get(ctx, partitionOf(id), subscriptionKey(id))
	if err != nil {
		return sub, fmt.Errorf("read subscription %s: %w", id, err)
	}
	err = decode(row, &sub)
	sub.ETag = row.ETag
	return sub, err
}

// Operation reads one of the subscription's operations. NotFound.
func (s *Subscriptions) Operation(ctx context.Context, subscriptionID, id string) (subscription.Operation, error) {
	var o subscription.Operation
	row, err := s.db.Table(subscriptionsTable).Get(ctx, partitionOf(subscriptionID), operationKey(subscriptionID, id))
	if err != nil {
		return o, fmt.Errorf("read operation %s of %s: %w", id, subscriptionID, err)
	}
	err = decode(row, &o)
	o.ETag = row.ETag
	return o, err
}

// Save replaces what was read, with its operations and messages, in one transaction. StaleETag when someone
// saved in between.
func (s *Subscriptions) Save(ctx context.Context, c subscription.Change) error {
	if lapses(c.Subscription) {
		if err := s.lapse(ctx, c.Subscription); err != nil {
			return err
		}
	}
	partition := partitionOf(c.Subscription.ID)
	ops := []table.Op{{Action: table.Replace, Row: s.row(c.Subscription)}}
	for _, o := range c.Operations {
		op := table.Op{Action: table.Insert, Row: table.Row{Partition: partition, Key: operationKey(o.SubscriptionID, o.ID), ETag: o.ETag, Data: encode(o)}}
		if o.ETag != "" {
			op.Action = table.Replace
		}
		ops = append(ops, op)
	}
	if _, err := s.db.Commit(ctx, subscriptionsTable, ops, c.Messages...); err != nil {
		return fmt.Errorf("save subscription %s: %w", c.Subscription.ID, err)
	}
	if lapses(c.Subscription) {
		s.forgetLapses(ctx, c.Subscription.PublisherID)
	}
	return nil
}

// OfPublisher lists a publisher's subscriptions by id, those behind after. Fewer than limit are the last.
func (s *Subscriptions) OfPublisher(ctx context.Context, publisherID, after string, limit int) ([]subscription.Subscription, error) {
	group := groupPrefix + subscription.GroupOf(publisherID)
	q := table.Query{
		Partition: group, PartitionEnd: table.PrefixEnd(group),
		From: subscriptionPrefix, Until: table.PrefixEnd(subscriptionPrefix), Limit: limit,
	}
	if after != "" {
		// Ids and partitions have the same order, so all that comes behind is in this partition or a later one, and
		// has a key behind this one.
		q.Partition, q.From = partitionOf(after), subscriptionKey(after)+" "
	}
	var found []subscription.Subscription
	for {
		page, err := s.db.Table(subscriptionsTable).Query(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("list the subscriptions of %s: %w", publisherID, err)
		}
		for _, row := range page.Rows {
			var sub subscription.Subscription
			if err := decode(row, &sub); err != nil {
				return nil, err
			}
			if sub.PublisherID == publisherID { // another one may be in the group
				found = append(found, sub)
			}
		}
		if len(found) >= limit {
			return found[:limit], nil
		}
		if page.Next == "" {
			return found, nil
		}
		q.After = page.Next
	}
}

// OfTenant lists what a tenant bought or benefits from by position, those behind after. Fewer than limit are the
// last.
func (s *Subscriptions) OfTenant(ctx context.Context, tenantID, after string, limit int) ([]subscription.Subscription, error) {
	q := table.Query{Partition: listOfTenant(tenantID), Limit: limit}
	if after != "" {
		q.From = after + " "
	}
	var found []subscription.Subscription
	for {
		page, err := s.db.Table(subscriptionsTable).Query(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("list the subscriptions of tenant %s: %w", tenantID, err)
		}
		subs, err := s.pointed(ctx, page.Rows)
		if err != nil {
			return nil, fmt.Errorf("list the subscriptions of tenant %s: %w", tenantID, err)
		}
		found = append(found, subs...)
		if len(found) >= limit {
			return found[:limit], nil
		}
		if page.Next == "" {
			return found, nil
		}
		q.After = page.Next
	}
}

// pointed reads the subscriptions that rows of a list point at, in their order. A row that no purchase came
// after, or that an earlier try of the same purchase left, is skipped.
func (s *Subscriptions) pointed(ctx context.Context, rows []table.Row) ([]subscription.Subscription, error) {
	subs := make([]subscription.Subscription, len(rows))
	places := make([]int, len(rows))
	for i := range places {
		places[i] = i
	}
	err := parallel(places, func(i int) error {
		var p pointer
		if err := decode(rows[i], &p); err != nil {
			return err
		}
		sub, err := s.Subscription(ctx, p.SubscriptionID)
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err == nil && sub.Position() == rows[i].Key {
			subs[i] = sub
		}
		return err
	})
	var found []subscription.Subscription
	for _, sub := range subs {
		if sub.ID != "" {
			found = append(found, sub)
		}
	}
	return found, err
}

// Scan reads a stretch of all subscriptions and operations. Next is empty at the end.
func (s *Subscriptions) Scan(ctx context.Context, after string, limit int) ([]subscription.Subscription, []subscription.Operation, string, error) {
	page, err := s.db.Table(subscriptionsTable).Query(ctx, table.Query{
		Partition: groupPrefix, PartitionEnd: table.PrefixEnd(groupPrefix), Limit: limit, After: after,
	})
	if err != nil {
		return nil, nil, "", fmt.Errorf("scan subscriptions: %w", err)
	}
	var subs []subscription.Subscription
	var ops []subscription.Operation
	var errs []error
	for _, row := range page.Rows {
		switch {
		case strings.HasPrefix(row.Key, subscriptionPrefix):
			var sub subscription.Subscription
			errs = append(errs, decode(row, &sub))
			subs = append(subs, sub)
		case strings.HasPrefix(row.Key, operationPrefix):
			var o subscription.Operation
			errs = append(errs, decode(row, &o))
			ops = append(ops, o)
		}
	}
	return subs, ops, page.Next, errors.Join(errs...)
}

type orderClaim struct {
	SubscriptionID string `json:"subscriptionId"`
}

func orderPartition(key string) string { return table.Join("order", key) }

// ClaimOrder inserts the claim unless the key has one, and returns the id of the one that stands.
func (s *Subscriptions) ClaimOrder(ctx context.Context, key, id string) (string, error) {
	row := table.Row{Partition: orderPartition(key), Key: claimKey, Data: encode(orderClaim{id})}
	_, err := s.db.Table(subscriptionsTable).Apply(ctx, table.Op{Action: table.Insert, Row: row})
	if fault.Is(err, fault.Conflict) {
		return s.OrderID(ctx, key)
	}
	if err != nil {
		return "", fmt.Errorf("claim an order: %w", err)
	}
	return id, nil
}

// OrderID reads the claim of a key. NotFound.
func (s *Subscriptions) OrderID(ctx context.Context, key string) (string, error) {
	row, err := s.db.Table(subscriptionsTable).Get(ctx, orderPartition(key), claimKey)
	if err != nil {
		return "", fmt.Errorf("read the claim of an order: %w", err)
	}
	var c orderClaim
	return c.SubscriptionID, decode(row, &c)
}

// ClaimTrial inserts the claim unless the tenant has one for the offer, and returns the one that stands. That one
// never changes, so it is remembered.
func (s *Subscriptions) ClaimTrial(ctx context.Context, c subscription.TrialClaim) (subscription.TrialClaim, error) {
	row := table.Row{Partition: table.Join("trial", c.TenantID, c.PublisherID, c.OfferID), Key: claimKey, Data: encode(c)}
	if stands, ok := s.claims.Get(row.Partition); ok {
		return stands, nil
	}
	_, err := s.db.Table(subscriptionsTable).Apply(ctx, table.Op{Action: table.Insert, Row: row})
	if err != nil && !fault.Is(err, fault.Conflict) {
		return c, fmt.Errorf("claim a trial: %w", err)
	}
	stands := c
	if err != nil {
		if row, err = s.db.Table(subscriptionsTable).Get(ctx, row.Partition, row.Key); err != nil {
			return c, fmt.Errorf("read a trial claim: %w", err)
		}
		stands = subscription.TrialClaim{}
		if err := decode(row, &stands); err != nil {
			return c, err
		}
	}
	s.claims.Add(row.Partition, stands)
	return stands, nil
}

// AddToken keeps a landing token by its hash.
func (s *Subscriptions) AddToken(ctx context.Context, t subscription.LandingToken) error {
	row := table.Row{Partition: table.Join(t.Hash), Key: tokenKey, Data: encode(t)}
	if _, err := s.db.Table(tokensTable).Apply(ctx, table.Op{Action: table.Insert, Row: row}); err != nil {
		return fmt.Errorf("keep a landing token: %w", err)
	}
	return nil
}

// Token reads a landing token by its hash. NotFound.
func (s *Subscriptions) Token(ctx context.Context, hash string) (subscription.LandingToken, error) {
	var t subscription.LandingToken
	row, err := s.db.Table(tokensTable).Get(ctx, table.Join(hash), tokenKey)
	if err != nil {
		return t, fmt.Errorf("read a landing token: %w", err)
	}
	err = decode(row, &t)
	t.Hash = hash
	return t, err
}

// markData is how far a walk over the table came.
type markData struct {
	After string `json:"after"`
}

// Mark tells how far the catch-up came; empty at the start.
func (s *Subscriptions) Mark(ctx context.Context) (string, error) {
	row, err := s.db.Table(subscriptionsTable).Get(ctx, markRow.Partition, markRow.Key)
	if fault.Is(err, fault.NotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the mark: %w", err)
	}
	var m markData
	return m.After, decode(row, &m)
}

// SetMark keeps how far the catch-up came. Last wins: two walks at once do the same work twice, which changes
// nothing.
func (s *Subscriptions) SetMark(ctx context.Context, after string) error {
	row := markRow
	row.Data = encode(markData{After: after})
	if _, err := s.db.Table(subscriptionsTable).Apply(ctx, table.Op{Action: table.Upsert, Row: row}); err != nil {
		return fmt.Errorf("keep the mark: %w", err)
	}
	return nil
}

// Send sends messages without a change of state.
func (s *Subscriptions) Send(ctx context.Context, msgs ...message.Message) error {
	return s.db.Send(ctx, msgs...)
}
