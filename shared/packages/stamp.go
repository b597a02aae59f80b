package packages

import (
	"context"
	"fmt"
	"io"

	"stoa/shared/packages/archive"
	"stoa/shared/packages/azureapp"
	"stoa/shared/packages/tracking"
)

// stamp checks the tracking resources of an Azure application and, where its main template has none and may have one,
// keeps a copy of the package that has it (CUA-4 to CUA-10). A package with an error is not stamped.
func (r *run) stamp(ctx context.Context, trackingID string) error {
	if r.tree == nil || r.report.Type != AzureApplication || trackingID == "" {
		return nil
	}
	main, needed, err := azureapp.CheckTracking(ctx, r.tree, tracking.Options{ID: trackingID}, r.report)
	if err != nil || main == nil || r.report.Blocking {
		return err
	}
	r.record.TrackingID = trackingID
	if !needed {
		return nil
	}
	text, err := main.Read()
	if err != nil {
		return err
	}
	stamped, err := tracking.Stamp(text, trackingID)
	if err != nil {
		return err
	}
	name := r.blob + "/" + r.version + ".zip"
	err = r.Processed.PutProcessed(ctx, name, func(w io.Writer) error {
		return archive.Replace(w, r.upload, r.upload.Size, main.Name, stamped)
	})
	if err != nil {
		return fmt.Errorf("keep the stamped package: %w", err)
	}
	r.record.Processed = name
	return nil
}
