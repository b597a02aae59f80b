// Package tabletest holds the in-memory twin of Table storage and the behaviour suite that the twin and the real
// store both pass.
package tabletest

import (
	"bytes"
	"context"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"sync"

	"stoa/shared/fault"
	"stoa/shared/store/table"
)

// Account is an account in memory. The zero value is ready.
type Account struct {
	mu     sync.Mutex
	tables map[string]*memoryTable
}

// Table is the table of that name, made on first use.
func (a *Account) Table(name string) table.Table {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.tables == nil {
		a.tables = map[string]*memoryTable{}
	}
	if a.tables[name] == nil {
		a.tables[name] = &memoryTable{rows: map[position]table.Row{}}
	}
	return a.tables[name]
}

type position struct{ partition, key string }

func (p position) less(q position) bool {
	return p.partition < q.partition || p.partition == q.partition && p.key < q.key
}

type memoryTable struct {
	mu      sync.Mutex
	version int
	rows    map[position]table.Row
}

// Get implements table.Table.
func (m *memoryTable) Get(_ context.Context, partition, key string) (table.Row, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	row, ok := m.rows[position{partition, key}]
	if !ok {
		return table.Row{}, fault.New(fault.NotFound, "NotFound", "", "It does not exist.")
	}
	row.Data = bytes.Clone(row.Data)
	return row, nil
}

// Apply implements table.Table.
func (m *memoryTable) Apply(ctx context.Context, ops ...table.Op) ([]string, error) {
	if err := table.Check(ops); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, op := range ops {
		if err := m.check(op); err != nil {
			return nil, &table.OpError{Index: i, Err: err}
		}
	}
	etags := make([]string, len(ops))
	for i, op := range ops {
		p := position{op.Row.Partition, op.Row.Key}
		if op.Action == table.Delete || op.Action == table.Remove {
			delete(m.rows, p)
			continue
		}
		m.version++
		row := op.Row
		row.Data = bytes.Clone(row.Data)
		row.ETag = `W/"` + strconv.Itoa(m.version) + `"`
		m.rows[p] = row
		etags[i] = row.ETag
	}
	return etags, nil
}

func (m *memoryTable) check(op table.Op) error {
	row, exists := m.rows[position{op.Row.Partition, op.Row.Key}]
	switch op.Action {
	case table.Insert:
		if exists {
			return fault.New(fault.Conflict, "AlreadyExists", "", "It exists already.")
		}
	case table.Replace, table.Delete:
		if !exists {
			return fault.New(fault.NotFound, "NotFound", "", "It does not exist.")
		}
		if row.ETag != op.Row.ETag {
			return fault.New(fault.StaleETag, "PreconditionFailed", "If-Match", "It was changed in between. Read it again.")
		}
	case table.Remove:
		if !exists {
			return fault.New(fault.NotFound, "NotFound", "", "It does not exist.")
		}
	}
	return nil
}

// Query implements table.Table.
func (m *memoryTable) Query(_ context.Context, q table.Query) (table.Page, error) {
	after, err := parseContinuation(q.After)
	if err != nil {
		return table.Page{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []position
	for p := range m.rows {
		if matches(q, p) && !p.less(after) {
			found = append(found, p)
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].less(found[j]) })
	limit := q.Limit
	if limit <= 0 || limit > table.MaxPage {
		limit = table.MaxPage
	}
	var page table.Page
	for i, p := range found {
		if i == limit {
			page.Next = fmt.Sprintf("%d:%s%s", len(p.partition), p.partition, p.key)
			break
		}
		row := m.rows[p]
		row.Data = bytes.Clone(row.Data)
		if !q.WithETags {
			row.ETag = ""
		}
		page.Rows = append(page.Rows, row)
	}
	return page, nil
}

func matches(q table.Query, p position) bool {
	if q.PartitionEnd == "" && p.partition != q.Partition {
		return false
	}
	if q.PartitionEnd != "" && (p.partition < q.Partition || p.partition >= q.PartitionEnd) {
		return false
	}
	return p.key >= q.From && (q.Until == "" || p.key < q.Until)
}

func parseContinuation(text string) (position, error) {
	if text == "" {
		return position{}, nil
	}
	size, rest, found := strings.Cut(text, ":")
	n, err := strconv.Atoi(size)
	if !found || err != nil || n < 0 || n > len(rest) {
		return position{}, fault.New(fault.Invalid, "InvalidValue", "continuationToken", "must be the continuation of an earlier answer, unchanged")
	}
	return position{rest[:n], rest[n:]}, nil
}
