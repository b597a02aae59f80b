package packages

import (
	"context"
	"io"
	"path"
	"strings"

	"stoa/shared/packages/archive"
	"stoa/shared/packages/azureapp"
	"stoa/shared/packages/finding"
)

// Validate looks at a package. The error is that of reading the bytes or of the context; what is wrong with the
// package is in the report.
func Validate(ctx context.Context, name string, r io.ReaderAt, size int64) (*finding.Report, error) {
	report := finding.New("AzureApplication")
	defer report.Sort()
	if !strings.EqualFold(path.Ext(name), ".zip") { // AZA-101
		report.Add("PKG_WRONG_EXTENSION", finding.Place{}, "The name of a package ends in .zip.")
	}
	tree, err := archive.Open(ctx, r, size, report)
	if err != nil || tree == nil {
		return report, err
	}
	report.Files = len(tree.Files())
	return report, azureapp.Validate(ctx, tree, report)
}
