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
)

// OpenWithin opens an archive within smaller limits.
func OpenWithin(content []byte, entry, total int64) (*finding.Report, error) {
	report := finding.New("")
	_, err := open(context.Background(), bytes.NewReader(content), int64(len(content)), bounds{entry: entry, total: total}, report)
	return report, err
}
