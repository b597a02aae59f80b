package azureapp

import (
	"stoa/shared/packages/content"
	"stoa/shared/packages/tracking"
)

// checkTracking looks at the tracking resources of the package's templates (CUA-4 to CUA-9). It reports whether the
// tracking resource is to be added to the main template.
func (a *app) checkTracking() bool {
	if a.Main == nil || a.options.TrackingID == "" {
		return false
	}
	var others []*content.Document
	for _, d := range a.Files {
		if d != a.Main.Doc && d.Root.Get("resources") != nil {
			others = append(others, d)
		}
	}
	o := tracking.Options{ID: a.options.TrackingID, Fold: a.Main.Folder(nil).Text}
	return tracking.Check(a.Main.Doc, others, o, a.report)
}
