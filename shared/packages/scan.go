package packages

import (
	"context"
	"fmt"
	"io"

	"stoa/shared/fault"
	"stoa/shared/packages/content"
	"stoa/shared/packages/finding"
)

// scan asks the scanner about every file of the package, before anything of it is stored as processed (AZA-106). A file
// that is too long for the scanner is a warning; a scanner that is away is an error, so that the package waits.
func (r *run) scan(ctx context.Context) error {
	r.record.Malware = NotScanned
	if r.Scanner == nil || r.subject.Bytes == nil {
		return nil
	}
	files := []*content.File{single(r.subject)}
	if r.tree != nil {
		files = r.tree.Files()
	}
	r.record.Malware = Clean
	for _, f := range files {
		if err := r.scanFile(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) scanFile(ctx context.Context, f *content.File) error {
	at := finding.Place{File: f.Name}
	stream, err := f.Open()
	if err != nil {
		return fmt.Errorf("open %s for the scanner: %w", f.Name, err)
	}
	defer stream.Close()
	found, err := r.Scanner.Scan(ctx, io.LimitReader(stream, f.Size))
	switch {
	case fault.Is(err, fault.TooLarge):
		r.report.Add("PKG_NOT_SCANNED", at, "The file has %d bytes, more than the malware scanner takes.", f.Size)
	case err != nil:
		return fmt.Errorf("scan %s: %w", f.Name, err)
	case found != "":
		r.report.Add("APP_MALWARE", at, "The malware scanner finds %s.", found)
		r.record.Malware = Infected
	}
	return nil
}
