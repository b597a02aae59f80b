package archive

import (
	"bytes"
	"context"

	"stoa/shared/packages/finding"
)

// The limits that packages are read with.
const (
	MaxEntry    = maxEntry
	MaxInflated = maxInflated
	MaxHeld     = maxHeld
	MaxHeldDeep = maxHeldDeep
)

// OpenWithin opens an archive within smaller limits.
func OpenWithin(content []byte, entry, total int64) (*finding.Report, error) {
	report := finding.New("")
	_, err := open(context.Background(), bytes.NewReader(content), int64(len(content)), &bounds{entry: entry, total: total}, report)
	return report, err
}

// NestWithin is a nest that inflates no more than this.
func NestWithin(total int64) *Nest { return &Nest{limit: bounds{entry: maxEntry, total: total}} }
