package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"stoa/shared/store/table"
)

const (
	sweepAge  = 30 * time.Second // a younger marker's act is still in good hands
	orphanAge = 5 * time.Minute  // an older marker without an outbox row belongs to no writer any more
	sweepMost = 20               // pages of one sweep
	sweepPage = 100              // rows of markers of a page
)

// Sweep delivers what a process that died has left: the messages of acts whose markers are older than 30 s. It
// returns how many acts it delivered. A failed one does not stop the others and stays for the next sweep; two
// sweeps at the same time do no harm.
func (db *DB) Sweep(ctx context.Context) (int, error) {
	now := db.deps.Now()
	query := table.Query{
		Partition: markerPrefix, PartitionEnd: table.PrefixEnd(markerPrefix),
		Until: markerKey(now.Add(-sweepAge)), Limit: sweepPage,
	}
	var delivered int
	var errs []error
	for range sweepMost {
		page, err := db.Table(agendaTable).Query(ctx, query)
		if err != nil {
			return delivered, fmt.Errorf("sweep: %w", errors.Join(append(errs, err)...))
		}
		n, err := db.sweepMarkers(ctx, now, page.Rows)
		delivered += n
		errs = append(errs, err)
		if page.Next == "" {
			break
		}
		query.After = page.Next
	}
	if err := errors.Join(errs...); err != nil {
		return delivered, fmt.Errorf("sweep: %w", err)
	}
	return delivered, nil
}

// sweepMarkers delivers what stands in the partitions of the markers.
func (db *DB) sweepMarkers(ctx context.Context, now time.Time, rows []table.Row) (int, error) {
	sheets, err := decodeSheets[markerData](rows)
	errs := []error{err}
	type found struct {
		rows []outboxRow
		err  error
	}
	places := map[place]*found{}
	var order []place
	for _, s := range sheets {
		for _, m := range s.markers {
			at := place{m.Table, m.Partition}
			if places[at] == nil {
				places[at] = &found{}
				order = append(order, at)
			}
		}
	}
	_ = parallel(order, func(at place) error {
		places[at].rows, places[at].err = db.outboxRows(ctx, at)
		return nil
	})
	var left []outboxRow
	open := map[place]bool{} // where a message stays behind
	for _, at := range order {
		left = append(left, places[at].rows...)
		errs = append(errs, places[at].err)
		open[at] = places[at].err != nil
	}
	delivered := 0
	for i, err := range db.sendRows(ctx, left) {
		at := left[i].at
		if err != nil {
			errs = append(errs, err)
			open[place{at.table, at.partition}] = true
			continue
		}
		delivered++
	}
	// A marker has done its duty when nothing is left in its partition and it is so old that nothing will appear: a
	// slow writer may still commit under a younger one.
	var gone []position
	for _, s := range sheets {
		if now.Sub(s.written) > orphanAge && !slices.ContainsFunc(s.markers, func(m markerData) bool { return open[place{m.Table, m.Partition}] }) {
			gone = append(gone, s.at)
		}
	}
	return delivered, errors.Join(append(errs, db.remove(ctx, gone))...)
}

// writtenSheet is a row of markers as a sweep reads it.
type writtenSheet[T any] struct {
	at      position
	written time.Time
	markers []T
}

// decodeSheets reads rows of markers. One that cannot be read does not stop the others.
func decodeSheets[T any](rows []table.Row) ([]writtenSheet[T], error) {
	var sheets []writtenSheet[T]
	var errs []error
	for _, row := range rows {
		s := writtenSheet[T]{at: position{agendaTable, row.Partition, row.Key}}
		var err error
		if s.written, err = writtenAt(row.Key); err == nil {
			err = decode(row, &s.markers)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		sheets = append(sheets, s)
	}
	return sheets, errors.Join(errs...)
}

// outboxRows reads the outbox of one partition.
func (db *DB) outboxRows(ctx context.Context, at place) ([]outboxRow, error) {
	query := table.Query{Partition: at.partition, From: outboxPrefix, Until: table.PrefixEnd(outboxPrefix)}
	var rows []outboxRow
	for {
		page, err := db.Table(at.table).Query(ctx, query)
		if err != nil {
			return rows, err
		}
		for _, row := range page.Rows {
			r := outboxRow{at: position{at.table, row.Partition, row.Key}}
			if err := decode(row, &r.msgs); err != nil {
				return rows, err
			}
			rows = append(rows, r)
		}
		if page.Next == "" {
			return rows, nil
		}
		query.After = page.Next
	}
}
