package store

import (
	"context"
	"slices"
	"sync"

	"stoa/shared/fault"
	"stoa/shared/store/table"
)

// grouper performs acts of one partition that come at the same time as one transaction: one at a time, and while
// it is under way the next one's acts gather. Acts stay independent: when a common transaction fails, each is
// tried on its own.
type grouper struct {
	db *DB

	mu    sync.Mutex
	lines map[place][]*joined // acts that wait; a partition that is at work has an entry
}

// joined is an act in line.
type joined struct {
	ctx  context.Context // ends when the act may not begin any more
	ops  []table.Op
	done chan applied
}

type applied struct {
	etags []string
	err   error
}

func newGrouper(db *DB) *grouper { return &grouper{db: db, lines: map[place][]*joined{}} }

// apply performs the operations of one partition, all or none, and returns their ETags. An act whose context ends
// while it waits has not happened; once begun it goes to its end, within commitTime.
func (g *grouper) apply(ctx context.Context, at place, ops []table.Op) ([]string, error) {
	j := &joined{ctx: ctx, ops: ops, done: make(chan applied, 1)}
	g.mu.Lock()
	line, busy := g.lines[at]
	g.lines[at] = append(line, j)
	g.mu.Unlock()
	if !busy {
		go g.work(at)
	}
	a := <-j.done
	return a.etags, a.err
}

func (g *grouper) work(at place) {
	for {
		g.mu.Lock()
		g.lines[at] = waiting(g.lines[at])
		n := together(g.lines[at])
		if n == 0 {
			delete(g.lines, at)
			g.mu.Unlock()
			return
		}
		batch := g.lines[at][:n:n]
		g.lines[at] = g.lines[at][n:]
		g.mu.Unlock()
		g.run(at, batch)
	}
}

// waiting refuses the acts that have waited too long and returns the others.
func waiting(line []*joined) []*joined {
	return slices.DeleteFunc(line, func(j *joined) bool {
		err := j.ctx.Err()
		if err != nil {
			j.done <- applied{err: fault.New(fault.Unavailable, "StorageBusy", "", "The store is busy. Try again.").Because(err)}
		}
		return err != nil
	})
}

// together is how many acts from the head of the line go into one transaction: its operations are bounded in
// number and size, and none may touch a row twice.
func together(line []*joined) int {
	rows := map[string]bool{}
	count, size := 0, 0
	for n, j := range line {
		count += len(j.ops)
		for _, op := range j.ops {
			size += len(op.Row.Data)
			if rows[op.Row.Key] && n > 0 {
				return n
			}
			rows[op.Row.Key] = true
		}
		if n > 0 && (count > table.MaxOps || size > maxChunk) {
			return n
		}
	}
	return len(line)
}

func (g *grouper) run(at place, batch []*joined) {
	ctx, cancel := context.WithTimeout(context.Background(), commitTime)
	defer cancel()
	if len(batch) > 1 {
		var ops []table.Op
		for _, j := range batch {
			ops = append(ops, j.ops...)
		}
		if etags, err := g.db.Table(at.table).Apply(ctx, ops...); err == nil {
			for _, j := range batch {
				j.done <- applied{etags: etags[:len(j.ops):len(j.ops)]}
				etags = etags[len(j.ops):]
			}
			return
		}
		// Whose fault it was, each will learn. One that has happened all the same knows its own rows again.
	}
	_ = parallel(batch, func(j *joined) error {
		etags, err := g.db.Table(at.table).Apply(ctx, j.ops...)
		j.done <- applied{etags, err}
		return nil
	})
}
