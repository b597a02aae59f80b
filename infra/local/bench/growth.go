package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"
	"github.com/google/uuid"

	"stoa/shared/store/table"
	"stoa/shared/subscription"
)

const publisher = "contoso"

// partition is where the store keeps a subscription.
func partition(id string) string { return "group|" + id[:16] }

// crowd gives the publisher n copies of a subscription, bought one a second, straight in the store, because buying
// 50,000 would take the time of all other figures together.
func (u *subject) crowd(ctx context.Context, n int) error {
	account, err := table.Open(table.Options{ConnectionString: u.connection})
	if err != nil {
		return err
	}
	subscriptions := account.Table("subscriptions")
	group := "group|" + subscription.GroupOf(publisher)
	page, err := subscriptions.Query(ctx, table.Query{Partition: group, PartitionEnd: table.PrefixEnd(group), From: "sub|", Until: table.PrefixEnd("sub|"), Limit: 1})
	if err != nil || len(page.Rows) == 0 {
		return fmt.Errorf("crowd: no subscription to copy: %w", err)
	}
	var copied map[string]any
	if err := json.Unmarshal(page.Rows[0].Data, &copied); err != nil {
		return fmt.Errorf("crowd: %w", err)
	}
	together := map[string][]table.Op{} // by partition
	for i := range n {
		u.crowded++
		id := subscription.NewID(publisher, u.now().Add(-time.Duration(u.crowded)*time.Second), uuid.NewString())
		copied["id"] = id
		data, err := json.Marshal(copied)
		if err != nil {
			return fmt.Errorf("crowd %d: %w", i, err)
		}
		at := partition(id)
		together[at] = append(together[at], table.Op{Action: table.Insert, Row: table.Row{Partition: at, Key: "sub|" + id, Data: data}})
	}
	for _, ops := range together {
		if _, err := subscriptions.Apply(ctx, ops...); err != nil {
			return fmt.Errorf("crowd: %w", err)
		}
	}
	return nil
}

// pages compares a page of 100 subscriptions with a bare query of 100 rows, and measures how evenly reads are
// answered when there are many callers.
func (u *subject) pages(ctx context.Context, r *Report) error {
	bareTable := u.bare.NewClient("subscriptions")
	ours := func(ctx context.Context, _ int) error {
		raw, err := u.send(ctx, http.MethodGet, "/api/saas/subscriptions"+version, nil, http.StatusOK)
		if err != nil {
			return err
		}
		var page struct {
			Subscriptions []json.RawMessage `json:"subscriptions"`
		}
		if err := json.Unmarshal(raw, &page); err != nil || len(page.Subscriptions) != 100 {
			return fmt.Errorf("page: %d subscriptions: %w", len(page.Subscriptions), err)
		}
		return nil
	}
	group := "group|" + subscription.GroupOf(publisher)
	filter, top := fmt.Sprintf("PartitionKey ge '%s' and PartitionKey lt '%s~' and RowKey ge 'sub|' and RowKey lt 'sub|~'", group, group), int32(100)
	bare := func(ctx context.Context, _ int) error {
		page, err := bareTable.NewListEntitiesPager(&aztables.ListEntitiesOptions{Filter: &filter, Top: &top}).NextPage(ctx)
		if err == nil && len(page.Entities) != 100 {
			err = fmt.Errorf("bare page: %d rows", len(page.Entities))
		}
		return err
	}
	ratio, err := u.compare(ctx, 200, fixed(ours), fixed(bare))
	if err != nil {
		return err
	}
	r.atLeast("page of 100 subscriptions of 2,000 ÷ bare 100-row query", ratio, "ratio", 0.9, 2)
	return u.evenness(ctx, r)
}

// evenness compares the slowest answers with the usual one.
func (u *subject) evenness(ctx context.Context, r *Report) error {
	ids, err := u.purchases(ctx, "even", 20)
	if err != nil {
		return err
	}
	if err := u.handler.Rest(ctx); err != nil {
		return err
	}
	const each = 50
	times := make([]time.Duration, manyCallers*each)
	errs := make([]error, manyCallers)
	var group, ready sync.WaitGroup
	ready.Add(manyCallers)
	for c := range manyCallers {
		get := func(i int) bool {
			_, err := u.send(ctx, http.MethodGet, "/api/saas/subscriptions/"+ids[i%len(ids)]+version, nil, http.StatusOK)
			errs[c] = errors.Join(errs[c], err)
			return err == nil
		}
		group.Go(func() {
			get(c) // makes the connections
			ready.Done()
			ready.Wait()
			for i := range each {
				start := time.Now()
				if !get(c + i) {
					return
				}
				times[c*each+i] = time.Since(start)
			}
		})
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	slices.Sort(times)
	r.atMost("get subscription, 64 callers: p99 ÷ median", float64(times[len(times)*99/100])/float64(times[len(times)/2]), "ratio", 4, 3)
	return nil
}

// writeRate is activations a second, the median of the rounds.
func (u *subject) writeRate(ctx context.Context, name string) (float64, error) {
	activate := u.acts()[0]
	activate.name = name
	var rates []float64
	for round := range rounds {
		work, err := u.side(activate)(ctx, round, writesOfRound)
		if err != nil {
			return 0, err
		}
		if err := u.handler.Rest(ctx); err != nil {
			return 0, err
		}
		one, err := rate(ctx, writesOfRound, work)
		if err != nil {
			return 0, err
		}
		rates = append(rates, one)
	}
	slices.Sort(rates)
	return rates[rounds/2], nil
}

// growth compares the write rate among 50,000 subscriptions with that among few.
func (u *subject) growth(ctx context.Context, r *Report, few float64) error {
	if err := u.crowd(ctx, 48_000); err != nil {
		return err
	}
	many, err := u.writeRate(ctx, "many")
	if err != nil {
		return err
	}
	r.atLeast("activate, rate with 50,000 subscriptions ÷ with few", many/few, "ratio", 0.6, 0.8)
	return nil
}
