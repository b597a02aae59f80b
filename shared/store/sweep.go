package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"stoa/shared/store/table"
)

const (
	sweepAge  = 30 * time.Second // a younger marker's act is still in good hands
	orphanAge = 5 * time.Minute  // an older marker without an outbox row belongs to no writer any more
	sweepMost = 20               // pages of markers of one sweep
)

// Sweep delivers what a process that died has left: the messages of acts whose markers are older than 30 s. It
// returns how many acts it delivered. A failed one does not stop the others and stays for the next sweep; two
// sweeps at the same time do no harm.
func (db *DB) Sweep(ctx context.Context) (int, error) {
	now := db.deps.Now()
	query := table.Query{
		Partition: markerPrefix, PartitionEnd: table.PrefixEnd(markerPrefix),
		Until: markerKey(now.Add(-sweepAge)),
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
func (db *DB) sweepMarkers(ctx context.Context, now time.Time, markers []table.Row) (int, error) {
	type found struct {
		rows []outboxRow
		err  error
	}
	places := map[markerData]*found{}
	var order []markerData
	for _, row := range markers {
		var at markerData
		if err := decode(row, &at); err != nil {
			return 0, err
		}
		if places[at] == nil {
			places[at] = &found{}
			order = append(order, at)
		}
	}
	_ = parallel(order, func(at markerData) error {
		places[at].rows, places[at].err = db.outboxRows(ctx, at)
		return nil
	})
	var rows []outboxRow
	var errs []error
	open := map[markerData]bool{} // places where a message stays behind
	for _, at := range order {
		rows = append(rows, places[at].rows...)
		errs = append(errs, places[at].err)
		open[at] = places[at].err != nil
	}
	delivered := 0
	sent := map[position]bool{}
	for i, err := range db.sendRows(ctx, rows) {
		sent[rows[i].at] = err == nil
		if err != nil {
			errs = append(errs, err)
			open[markerData{rows[i].at.table, rows[i].at.partition}] = true
			continue
		}
		delivered++
	}
	gone, err := finished(now, markers, sent, open)
	return delivered, errors.Join(append(errs, err, db.remove(ctx, gone))...)
}

// finished tells which markers have done their duty: the act's messages were sent just now, or there is no
// outbox row and the marker is so old that none will appear: a slow writer may still commit under a younger one.
func finished(now time.Time, markers []table.Row, sent map[position]bool, open map[markerData]bool) ([]position, error) {
	var gone []position
	var errs []error
	for _, row := range markers {
		var at markerData
		if err := decode(row, &at); err != nil {
			errs = append(errs, err)
			continue
		}
		written, id, err := markerParts(row.Key)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		done := sent[position{at.Table, at.Partition, outboxPrefix + id}]
		if done || !open[at] && now.Sub(written) > orphanAge {
			gone = append(gone, position{agendaTable, row.Partition, row.Key})
		}
	}
	return gone, errors.Join(errs...)
}

// outboxRows reads the outbox of one partition.
func (db *DB) outboxRows(ctx context.Context, at markerData) ([]outboxRow, error) {
	query := table.Query{Partition: at.Partition, From: outboxPrefix, Until: table.PrefixEnd(outboxPrefix)}
	var rows []outboxRow
	for {
		page, err := db.Table(at.Table).Query(ctx, query)
		if err != nil {
			return rows, err
		}
		for _, row := range page.Rows {
			r := outboxRow{at: position{at.Table, row.Partition, row.Key}}
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
