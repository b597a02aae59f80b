package packages

import (
	"bytes"
	"context"
)

// The limits that packages are read with.
const (
	MaxEntry    = maxEntry
	MaxInflated = maxInflated
)

// ReadWithin reads the entries of an archive within smaller limits.
func ReadWithin(content []byte, entry, total int64) (Report, error) {
	var report Report
	archive := openArchive(bytes.NewReader(content), int64(len(content)), &report)
	if archive == nil {
		return report, nil
	}
	_, err := readEntries(context.Background(), archive, bounds{entry: entry, total: total}, &report)
	return report, err
}
