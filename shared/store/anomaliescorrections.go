package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"stoa/shared/correction"
	"stoa/shared/fault"
	"stoa/shared/store/table"
)

const (
	correctionPrefix = "c|"
	claimPrefix      = "claim|"
	givenPrefix      = "given|"
	casePrefix       = "case|"
	timeComplement   = 99_999_999_999_999
)

// openCases names the corrections that staff are shown, the oldest first.
var openCases = table.Join("cases", "open")

var _ correction.Store = (*Corrections)(nil)

// Corrections keeps corrections: correction.Store. They stand in the partitions of Anomalies. Safe for concurrent use.
type Corrections struct{ *Anomalies }

// NewCorrections makes the repository.
func NewCorrections(db *DB) *Corrections { return &Corrections{NewAnomalies(db)} }

// correctionKey sorts the newest first; an id begins with its time.
func correctionKey(id string) string {
	text, _, _ := strings.Cut(id, "-")
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > timeComplement {
		return correctionPrefix + "!" // no correction has such an id
	}
	return correctionPrefix + fmt.Sprintf("%014d", timeComplement-n) + "|" + table.Join(id)
}

func usageClaimKey(c correction.Claim) string {
	return claimPrefix + table.Join(c.ResourceID, c.Meter, c.PlanID, c.UsageDate)
}

func givenKey(lineID string) string { return givenPrefix + table.Join(lineID) }

func caseKey(c correction.Correction) string {
	return casePrefix + c.SubmittedAt.UTC().Format(dueInstant) + "|" + table.Join(c.PublisherID, c.ID)
}

// changeOps are the operations of a change, all in one partition.
func changeOps(c correction.Change) []table.Op {
	partition := anomaliesOf(c.Correction.PublisherID)
	ops := []table.Op{save(table.Row{
		Partition: partition, Key: correctionKey(c.Correction.ID), ETag: c.Correction.Tag, Data: encode(c.Correction),
	})}
	for _, claim := range c.Claims {
		ops = append(ops, save(table.Row{Partition: partition, Key: usageClaimKey(claim), ETag: claim.Tag, Data: encode(claim)}))
	}
	for _, given := range c.Given {
		ops = append(ops, save(table.Row{Partition: partition, Key: givenKey(given.LineID), ETag: given.Tag, Data: encode(given)}))
	}
	return ops
}

// Save implements correction.Store.
func (s *Corrections) Save(ctx context.Context, c correction.Change) error {
	if _, err := s.db.Commit(ctx, anomaliesTable, changeOps(c), c.Messages...); err != nil {
		return fmt.Errorf("save correction %s: %w", c.Correction.ID, err)
	}
	return nil
}

// Correction implements correction.Store.
func (s *Corrections) Correction(ctx context.Context, publisherID, id string) (c correction.Correction, err error) {
	if c.Tag, err = s.read(ctx, anomaliesOf(publisherID), correctionKey(id), &c); err != nil {
		return c, fmt.Errorf("read correction %s: %w", id, err)
	}
	return c, nil
}

// Corrections implements correction.Store.
func (s *Corrections) Corrections(ctx context.Context, publisherID, after string, limit int) ([]correction.Correction, string, error) {
	page, err := s.db.Table(anomaliesTable).Query(ctx, table.Query{
		Partition: anomaliesOf(publisherID), From: correctionPrefix, Until: table.PrefixEnd(correctionPrefix), Limit: limit, After: after,
	})
	if err != nil {
		return nil, "", fmt.Errorf("corrections of %s: %w", publisherID, err)
	}
	list := make([]correction.Correction, len(page.Rows))
	for i, row := range page.Rows {
		if err := decode(row, &list[i]); err != nil {
			return nil, "", err
		}
	}
	return list, page.Next, nil
}

// Claim implements correction.Store.
func (s *Corrections) Claim(ctx context.Context, c correction.Claim) (correction.Claim, error) {
	tag, err := s.read(ctx, anomaliesOf(c.PublisherID), usageClaimKey(c), &c)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return c, fmt.Errorf("read a claim on usage of %s: %w", c.ResourceID, err)
	}
	c.Tag = tag
	return c, nil
}

// Given implements correction.Store.
func (s *Corrections) Given(ctx context.Context, publisherID, lineID string) (correction.Given, error) {
	g := correction.Given{PublisherID: publisherID, LineID: lineID}
	tag, err := s.read(ctx, anomaliesOf(publisherID), givenKey(lineID), &g)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return g, fmt.Errorf("read what line %s gave back: %w", lineID, err)
	}
	g.Tag = tag
	return g, nil
}

// caseRow names a correction.
type caseRow struct {
	PublisherID  string `json:"publisherId"`
	CorrectionID string `json:"correctionId"`
}

// OpenCase implements correction.Store.
func (s *Corrections) OpenCase(ctx context.Context, c correction.Correction) error {
	_, err := s.db.Table(anomaliesTable).Apply(ctx, table.Op{Action: table.Insert, Row: table.Row{
		Partition: openCases, Key: caseKey(c), Data: encode(caseRow{c.PublisherID, c.ID}),
	}})
	if err != nil && !fault.Is(err, fault.Conflict) {
		return fmt.Errorf("open the case of correction %s: %w", c.ID, err)
	}
	return nil
}

// CloseCase implements correction.Store.
func (s *Corrections) CloseCase(ctx context.Context, c correction.Correction) error {
	return s.db.remove(ctx, []position{{anomaliesTable, openCases, caseKey(c)}})
}

// Cases implements correction.Store. A row whose correction is decided is left out.
func (s *Corrections) Cases(ctx context.Context, after string, limit int) ([]correction.Correction, string, error) {
	page, err := s.db.Table(anomaliesTable).Query(ctx, table.Query{
		Partition: openCases, From: casePrefix, Until: table.PrefixEnd(casePrefix), Limit: limit, After: after,
	})
	if err != nil {
		return nil, "", fmt.Errorf("corrections under investigation: %w", err)
	}
	read := make([]correction.Correction, len(page.Rows))
	indexes := make([]int, len(page.Rows))
	for i := range indexes {
		indexes[i] = i
	}
	err = parallel(indexes, func(i int) error {
		var at caseRow
		if err := decode(page.Rows[i], &at); err != nil {
			return err
		}
		c, err := s.Correction(ctx, at.PublisherID, at.CorrectionID)
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		read[i] = c
		return err
	})
	if err != nil {
		return nil, "", fmt.Errorf("corrections under investigation: %w", err)
	}
	list := []correction.Correction{}
	for _, c := range read {
		if c.State == correction.Submitted || c.State == correction.UnderInvestigation {
			list = append(list, c)
		}
	}
	return list, page.Next, nil
}
