package store

import (
	"context"
	"errors"
	"sync"

	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/store/table"
)

// outboxPrefix begins the key of an outbox row, in the partition of the aggregate whose change causes its
// messages. Queries of aggregates never meet it: none of their keys begins so.
const outboxPrefix = "outbox|"

// act is one transaction with its messages.
type act struct {
	table, partition string
	id               string
	ops              []table.Op // the outbox row is the last
	msgs             []message.Message
}

func newAct(tableName string, ops []table.Op, id string, msgs []message.Message) act {
	a := act{table: tableName, partition: ops[0].Row.Partition, id: id, msgs: msgs}
	a.ops = append(append(make([]table.Op, 0, len(ops)+1), ops...), table.Op{Action: table.Insert, Row: table.Row{
		Partition: a.partition,
		Key:       outboxPrefix + table.Join(id),
		Data:      encode(msgs),
	}})
	return a
}

func (a act) outboxRow() position {
	return position{a.table, a.partition, outboxPrefix + table.Join(a.id)}
}

// place is a partition of a table.
type place struct{ table, partition string }

// remove removes rows, those of one partition together. A row that is gone already is fine.
func (db *DB) remove(ctx context.Context, rows []position) error {
	groups := map[place][]table.Op{}
	seen := make(map[position]bool, len(rows))
	for _, r := range rows {
		if !seen[r] {
			seen[r] = true
			at := place{r.table, r.partition}
			groups[at] = append(groups[at], table.Op{Action: table.Remove, Row: table.Row{Partition: r.partition, Key: r.key}})
		}
	}
	var chunks []chunk
	for at, ops := range groups {
		for len(ops) > 0 {
			n := min(len(ops), table.MaxOps)
			chunks = append(chunks, chunk{db.Table(at.table), ops[:n]})
			ops = ops[n:]
		}
	}
	return parallel(chunks, func(c chunk) error { return c.apply(ctx, fault.NotFound) })
}

// chunk is operations of one partition that need not hold together: a transaction only because that is cheaper.
type chunk struct {
	table table.Table
	ops   []table.Op
}

// apply performs the operations; those that fail with the kind are as good as done.
func (c chunk) apply(ctx context.Context, fine fault.Kind) error {
	_, err := c.table.Apply(ctx, c.ops...)
	if err == nil || !fault.Is(err, fine) {
		return err
	}
	if len(c.ops) == 1 {
		return nil
	}
	return parallel(c.ops, func(op table.Op) error {
		return chunk{c.table, []table.Op{op}}.apply(ctx, fine)
	})
}

// width is how many calls a batch makes at the same time.
const width = 16

// parallel runs the function for all items, width at a time, and joins the errors.
func parallel[T any](items []T, run func(T) error) error {
	if len(items) == 1 {
		return run(items[0])
	}
	errs := make([]error, len(items))
	var group sync.WaitGroup
	turns := make(chan struct{}, width)
	for i, item := range items {
		turns <- struct{}{}
		group.Go(func() {
			errs[i] = run(item)
			<-turns
		})
	}
	group.Wait()
	return errors.Join(errs...)
}
