package packages

import (
	"context"
	"fmt"
	"io"

	"stoa/shared/packages/archive"
	"stoa/shared/packages/azureapp"
	"stoa/shared/packages/tracking"
)

// mainTemplate is the file that gets the tracking resource.
const mainTemplate = "mainTemplate.json"

// stamp keeps a copy of an Azure application's package that has the tracking resource, where the package has none and
// may have one (CUA-4 to CUA-10). A package with an error is not stamped.
func (r *run) stamp(ctx context.Context, trackingID string, facts azureapp.Facts) error {
	if r.tree == nil || r.report.Type != AzureApplication || trackingID == "" || r.report.Blocking {
		return nil
	}
	r.record.TrackingID = trackingID
	r.record.LacksJIT, r.record.AsksJIT = facts.LacksJIT, facts.AsksJIT
	if !facts.Stamp {
		return nil
	}
	text, err := r.tree.File(mainTemplate).Read()
	if err != nil {
		return err
	}
	stamped, err := tracking.Stamp(text, trackingID)
	if err != nil {
		return err
	}
	name := r.blob + "/" + r.version + ".zip"
	err = r.Processed.PutProcessed(ctx, name, func(w io.Writer) error {
		return archive.Replace(w, r.upload, r.upload.Size, mainTemplate, stamped)
	})
	if err != nil {
		return fmt.Errorf("keep the stamped package: %w", err)
	}
	r.record.Processed = name
	return nil
}
