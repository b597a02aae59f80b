package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"
)

const (
	batchSize  = 25
	reporters  = 240                   // subscriptions that report
	oneBatches = reporters / rounds    // batches of a round, each of a resource of its own
	manyRounds = 40                    // batches of a round, each of 25 resources
	manyFrom   = batchSize             // the first key of a resource that the other measurement leaves
	timedMany  = 400                   // batches, each of 25 resources, that are timed one by one
	usageTime  = "2006-01-02T15:04:05" // as publishers send it
)

type usageEvent struct {
	ResourceID string `json:"resourceId"`
	Quantity   int    `json:"quantity"`
	Dimension  string `json:"dimension"`
	At         string `json:"effectiveStartTime"`
	PlanID     string `json:"planId"`
}

// event is the k-th of the 46 events a resource may report within 23 hours over two dimensions.
func event(resource string, k int, now time.Time) usageEvent {
	return usageEvent{resource, 1, []string{"email", "text"}[k%2], now.Add(-time.Duration(k/2) * time.Hour).Format(usageTime), "metered"}
}

// report sends a batch and fails unless every event is accepted.
func (u *subject) report(ctx context.Context, events []usageEvent) error {
	raw, err := u.send(ctx, http.MethodPost, "/api/batchUsageEvent"+version, map[string]any{"request": events}, http.StatusOK)
	if err != nil {
		return err
	}
	if n := bytes.Count(raw, []byte(`"status":"Accepted"`)); n != len(events) {
		return fmt.Errorf("batch: %d of %d events accepted: %.500s", n, len(events), raw)
	}
	return nil
}

// meteringFigures compares batches of one resource and of 25 resources with the bare writes they come down to, and
// times single ones.
func meteringFigures(ctx context.Context, s *session, r *Report) error {
	u, err := s.ownSubject(ctx)
	if err != nil {
		return err
	}
	ids, err := u.purchases(ctx, "usage", reporters)
	if err != nil {
		return err
	}
	if _, err := rate(ctx, len(ids), func(ctx context.Context, i int) error { return u.activate(ctx, ids[i]) }); err != nil {
		return err
	}
	if err := u.walk.Pass(ctx, "PT23H"); err != nil {
		return err
	}
	u.token = u.walk.PublisherToken()
	now := u.now()
	one := func(_ context.Context, round, _ int) (func(context.Context, int) error, error) {
		return func(ctx context.Context, i int) error {
			var events []usageEvent
			for k := range batchSize {
				events = append(events, event(ids[round*oneBatches+i], k, now))
			}
			return u.report(ctx, events)
		}, nil
	}
	ratio, err := u.compare(ctx, oneBatches, one, u.bareBatches(true))
	if err != nil {
		return err
	}
	r.atLeast("batchUsageEvent, 25 of one resource ÷ bare 25-entity transactions", ratio, "ratio", 0.4, 0.7)
	many := func(_ context.Context, round, n int) (func(context.Context, int) error, error) {
		return func(ctx context.Context, i int) error {
			var events []usageEvent
			for k := range batchSize {
				e := (round*n+i)*batchSize + k
				events = append(events, event(ids[e%reporters], manyFrom+e/reporters, now))
			}
			return u.report(ctx, events)
		}, nil
	}
	if ratio, err = u.compare(ctx, manyRounds, many, u.bareBatches(false)); err != nil {
		return err
	}
	r.atLeast("batchUsageEvent, 25 of 25 resources ÷ bare inserts", ratio, "ratio", 0.6, 0.85)
	return u.batchTimes(ctx, r, ids)
}

// batchTimes times single batches, in hours that nobody has reported yet.
func (u *subject) batchTimes(ctx context.Context, r *Report, ids []string) error {
	if err := u.walk.Pass(ctx, "PT23H"); err != nil {
		return err
	}
	u.token = u.walk.PublisherToken()
	now := u.now()
	if err := u.handler.Rest(ctx); err != nil {
		return err
	}
	times := make([]time.Duration, timedMany)
	_, err := rate(ctx, timedMany, func(ctx context.Context, i int) error {
		var events []usageEvent
		for k := range batchSize {
			e := i*batchSize + k
			events = append(events, event(ids[e%reporters], e/reporters, now))
		}
		began := time.Now()
		defer func() { times[i] = time.Since(began) }()
		return u.report(ctx, events)
	})
	if err != nil {
		return err
	}
	return r.spread(fmt.Sprintf("batchUsageEvent, 25 of 25 resources, %d callers: p99 ÷ median", callers), times)
}

// bareBatches inserts 25 entities: in one transaction, or one by one, by as many callers as the other side has.
func (u *subject) bareBatches(together bool) side {
	table := u.bare.NewClient("usage")
	entity := func(partition, row string) []byte {
		raw, err := json.Marshal(map[string]string{"PartitionKey": partition, "RowKey": row, "Data": string(bytes.Repeat([]byte("x"), 500))})
		if err != nil {
			panic(err) // text always marshals
		}
		return raw
	}
	return func(_ context.Context, round, _ int) (func(context.Context, int) error, error) {
		return func(ctx context.Context, i int) error {
			partition := fmt.Sprintf("bench-%t-%d-%d", together, round, i)
			var actions []aztables.TransactionAction
			for k := range batchSize {
				row := fmt.Sprint(k)
				if together {
					actions = append(actions, aztables.TransactionAction{ActionType: aztables.TransactionTypeAdd, Entity: entity(partition, row)})
					continue
				}
				if _, err := table.AddEntity(ctx, entity(partition+"-"+row, row), nil); err != nil {
					return err
				}
			}
			if !together {
				return nil
			}
			_, err := table.SubmitTransaction(ctx, actions, nil)
			return err
		}, nil
	}
}
