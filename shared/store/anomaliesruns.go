package store

import (
	"context"
	"fmt"
	"time"

	"stoa/shared/anomaly"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/store/table"
)

const runPrefix = "r|"

// runKey sorts the newest run first.
func runKey(id string) (string, error) {
	monday, err := time.Parse(time.DateOnly, id)
	if err != nil {
		return "", fault.New(fault.NotFound, "NotFound", "run", "There is no such training run.")
	}
	return runPrefix + dayFirst(monday), nil
}

// AddRun implements anomaly.Store.
func (s *Anomalies) AddRun(ctx context.Context, r anomaly.Run, msgs ...message.Message) error {
	key, err := runKey(r.ID)
	if err == nil {
		row := table.Row{Partition: trainingRuns, Key: key, Data: encode(r)}
		_, err = s.db.Commit(ctx, anomaliesTable, []table.Op{{Action: table.Insert, Row: row}}, msgs...)
	}
	if err != nil && !fault.Is(err, fault.Conflict) {
		return fmt.Errorf("add training run %s: %w", r.ID, err)
	}
	return nil
}

// Run implements anomaly.Store.
func (s *Anomalies) Run(ctx context.Context, id string) (r anomaly.Run, err error) {
	key, err := runKey(id)
	if err == nil {
		r.Tag, err = s.read(ctx, trainingRuns, key, &r)
	}
	if err != nil {
		return r, fmt.Errorf("read training run %s: %w", id, err)
	}
	return r, nil
}

// RunBefore implements anomaly.Store.
func (s *Anomalies) RunBefore(ctx context.Context, id string) (r anomaly.Run, err error) {
	key, err := runKey(id)
	if err != nil {
		return r, err
	}
	page, err := s.db.Table(anomaliesTable).Query(ctx, table.Query{
		Partition: trainingRuns, From: key + " ", Until: table.PrefixEnd(runPrefix), Limit: 1, WithETags: true,
	})
	if err != nil {
		return r, fmt.Errorf("training run before %s: %w", id, err)
	}
	if len(page.Rows) == 0 {
		return r, fault.New(fault.NotFound, "NotFound", "run", "There is no training run before %s.", id)
	}
	r.Tag = page.Rows[0].ETag
	return r, decode(page.Rows[0], &r)
}

// SaveRun implements anomaly.Store.
func (s *Anomalies) SaveRun(ctx context.Context, r anomaly.Run, msgs ...message.Message) error {
	key, err := runKey(r.ID)
	if err == nil {
		row := table.Row{Partition: trainingRuns, Key: key, ETag: r.Tag, Data: encode(r)}
		_, err = s.db.Commit(ctx, anomaliesTable, []table.Op{{Action: table.Replace, Row: row}}, msgs...)
	}
	if err != nil {
		return fmt.Errorf("save training run %s: %w", r.ID, err)
	}
	return nil
}
