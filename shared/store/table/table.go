// Package table is Table storage as Stoa uses it: rows of JSON, optimistic locks, entity-group transactions and
// pages, with the traps of the SDK shielded.
//
// A row is a key and a JSON document; queries go by key only, so that no request path can scan. An update or a
// delete without the ETag it was read with is refused before the call; last-wins needs the explicit Upsert or
// Remove. Errors are faults: NotFound, Conflict "AlreadyExists", StaleETag, Unavailable.
// Everything here is safe for concurrent use.
package table

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"stoa/shared/fault"
)

// Row is one entity.
type Row struct {
	Partition string
	Key       string
	ETag      string // as read; empty for a new row and for rows of a query that did not ask for it
	Data      []byte // a JSON document, at most MaxData bytes; comes back as the same JSON, not the same bytes
}

// Limits of the platform.
const (
	MaxData = 900 << 10 // bytes of a row's document; an entity may have 1 MiB in all
	MaxOps  = 100       // operations of one transaction
	MaxKey  = 512       // characters of a key we allow ourselves (the platform allows 1,024)
	MaxPage = 1000      // rows of one page
)

// Action is what an operation does to its row.
type Action int

// The actions of Apply.
const (
	Insert  Action = iota // create; Conflict when the row exists: "already exists" is the uniqueness rule
	Replace               // change a row that was read before; StaleETag when someone saved in between
	Upsert                // create or overwrite: last wins, for rows where that is right
	Delete                // remove a row that was read before; StaleETag, NotFound
	Remove                // remove whatever is there; a missing row is NotFound
)

// Op is one operation on one row.
type Op struct {
	Action Action
	Row    Row
}

// Query asks for a range of rows in key order.
type Query struct {
	// Partition is the partition to read; with PartitionEnd set, the first of a range of partitions.
	Partition string
	// PartitionEnd, when set, makes it a range of partitions: Partition <= p < PartitionEnd.
	PartitionEnd string
	// From and Until bound the row keys: From <= key < Until. Empty means open. In a range of
	// partitions they bound the keys of each.
	From, Until string
	// Limit is the most rows of a page, 1 to MaxPage; 0 means MaxPage.
	Limit int
	// After is the continuation of the page before, empty for the first.
	After string
	// WithETags asks for the rows' ETags, which costs a tenth more.
	WithETags bool
}

// Page is one page of a query.
type Page struct {
	Rows []Row
	Next string // continuation, empty on the last page; survives restarts
}

// Table is one table. Implementations: the real one of this package and the twin of tabletest.
type Table interface {
	// Get reads one row with its ETag. NotFound when it does not exist.
	Get(ctx context.Context, partition, key string) (Row, error)
	// Apply performs the operations, all or none. Several must be of one partition, each row once, at most
	// MaxOps. It returns the new ETags in the order of the operations ("" for removed rows). When it fails
	// on one operation the error is an *OpError that names it. An act that was applied although its answer
	// was lost is recognised by its content and answered as applied.
	Apply(ctx context.Context, ops ...Op) ([]string, error)
	// Query reads one page.
	Query(ctx context.Context, q Query) (Page, error)
}

// OpError says which operation of an Apply failed.
type OpError struct {
	Index int
	Err   error
}

// Error is the text for logs.
func (e *OpError) Error() string { return fmt.Sprintf("operation %d: %v", e.Index, e.Err) }

// Unwrap gives the fault.
func (e *OpError) Unwrap() error { return e.Err }

// FailedOp is the index of the operation that made Apply fail, -1 when none is to blame.
func FailedOp(err error) int {
	var op *OpError
	if errors.As(err, &op) {
		return op.Index
	}
	return -1
}

// Check refuses operations that could only be a mistake of the program; both implementations call it.
func Check(ops []Op) error {
	if len(ops) == 0 || len(ops) > MaxOps {
		return fmt.Errorf("apply %d operations: 1 to %d are allowed", len(ops), MaxOps)
	}
	seen := make(map[string]bool, len(ops))
	for i, op := range ops {
		if err := checkKey(op.Row.Partition); err != nil {
			return fmt.Errorf("operation %d: partition %w", i, err)
		}
		if err := checkKey(op.Row.Key); err != nil {
			return fmt.Errorf("operation %d: key %w", i, err)
		}
		if op.Row.Partition != ops[0].Row.Partition {
			return fmt.Errorf("operation %d: partition %q, the others are in %q", i, op.Row.Partition, ops[0].Row.Partition)
		}
		if seen[op.Row.Key] {
			return fmt.Errorf("operation %d: row %q stands twice", i, op.Row.Key)
		}
		seen[op.Row.Key] = true
		if (op.Action == Replace || op.Action == Delete) && op.Row.ETag == "" {
			return fmt.Errorf("operation %d: row %q was never read, it has no ETag", i, op.Row.Key)
		}
		if len(op.Row.Data) > MaxData {
			return fmt.Errorf("operation %d: row %q has %d bytes, at most %d are allowed", i, op.Row.Key, len(op.Row.Data), MaxData)
		}
	}
	return nil
}

// findable is NotFound for a key that no row can have, such as one that a caller made up.
func findable(partition, key string) error {
	for _, k := range []string{partition, key} {
		if err := checkKey(k); err != nil {
			return fault.New(fault.NotFound, "NotFound", "", "there is no such row").Because(err)
		}
	}
	return nil
}

// checkKey refuses the characters Table storage refuses, and the quote, which would need care in every path and
// filter. Join makes keys that pass.
func checkKey(key string) error {
	if key == "" {
		return errors.New("is empty")
	}
	if !utf8.ValidString(key) {
		return fmt.Errorf("%q is not UTF-8", key)
	}
	if utf8.RuneCountInString(key) > MaxKey {
		return fmt.Errorf("%.40q… is longer than %d characters", key, MaxKey)
	}
	for _, r := range key {
		if r < 0x20 || (r >= 0x7f && r <= 0x9f) || strings.ContainsRune(`/\#?'`, r) {
			return fmt.Errorf("%q holds %q, which is not allowed in a key", key, r)
		}
	}
	return nil
}
