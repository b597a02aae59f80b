package store

import (
	"context"
	"fmt"
	"strings"

	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/metering"
	"stoa/shared/store/table"
)

// A managed application is a partition of the table usage. Another partition, named by its ARM id, says which
// application that is; it is written first, so that an application is always found by both.
const (
	applicationKey    = "a"
	applicationPrefix = "app"
	uriPrefix         = "appuri"
)

// Applications keeps managed applications: metering.Registry. Safe for concurrent use.
type Applications struct{ db *DB }

// NewApplications makes the repository.
func NewApplications(db *DB) *Applications { return &Applications{db} }

var _ metering.Registry = (*Applications)(nil)

// uriRow says whose an ARM id is.
type uriRow struct {
	ID string `json:"resourceUsageId"`
}

func plainRef(uri string) string { return strings.TrimSuffix(strings.ToLower(uri), "/") }

// Application implements metering.Registry.
func (s *Applications) Application(ctx context.Context, ref string) (metering.Application, error) {
	if account.GUID(ref) == "" {
		row, err := s.db.Table(usageTable).Get(ctx, table.Join(uriPrefix, plainRef(ref)), applicationKey)
		if err != nil {
			return metering.Application{}, fmt.Errorf("managed application by ARM id: %w", err)
		}
		var at uriRow
		if err := decode(row, &at); err != nil {
			return metering.Application{}, err
		}
		ref = at.ID
	}
	row, err := s.db.Table(usageTable).Get(ctx, table.Join(applicationPrefix, strings.ToLower(ref)), applicationKey)
	if err != nil {
		return metering.Application{}, fmt.Errorf("managed application %s: %w", ref, err)
	}
	a := metering.Application{ETag: row.ETag}
	return a, decode(row, &a)
}

// SaveApplication implements metering.Registry.
func (s *Applications) SaveApplication(ctx context.Context, a metering.Application) error {
	op := table.Op{Action: table.Replace, Row: table.Row{
		Partition: table.Join(applicationPrefix, strings.ToLower(a.ID)), Key: applicationKey, ETag: a.ETag, Data: encode(a),
	}}
	if a.ETag == "" {
		op.Action = table.Insert
		if err := s.claim(ctx, a); err != nil {
			return fmt.Errorf("save managed application %s: %w", a.ID, err)
		}
	}
	if _, err := s.db.Table(usageTable).Apply(ctx, op); err != nil {
		return fmt.Errorf("save managed application %s: %w", a.ID, err)
	}
	return nil
}

// claim makes the ARM id that of the application, unless it belongs to another one that exists.
func (s *Applications) claim(ctx context.Context, a metering.Application) error {
	row := table.Row{Partition: table.Join(uriPrefix, plainRef(a.URI)), Key: applicationKey, Data: encode(uriRow{a.ID})}
	_, err := s.db.Table(usageTable).Apply(ctx, table.Op{Action: table.Insert, Row: row})
	if !fault.Is(err, fault.Conflict) {
		return err
	}
	taken, err := s.db.Table(usageTable).Get(ctx, row.Partition, row.Key)
	if err != nil {
		return err
	}
	var of uriRow
	if err := decode(taken, &of); err != nil || of.ID == a.ID {
		return err
	}
	before, err := s.Application(ctx, of.ID)
	switch {
	case err != nil && !fault.Is(err, fault.NotFound): // an application that was never written has no claim
		return err
	case err == nil && before.DeletedAt.IsZero():
		return fault.New(fault.Conflict, "AlreadyExists", "resourceUri", "the ARM id belongs to another application")
	}
	row.ETag = taken.ETag
	_, err = s.db.Table(usageTable).Apply(ctx, table.Op{Action: table.Replace, Row: row})
	return err
}
