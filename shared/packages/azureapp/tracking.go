package azureapp

import (
	"context"

	"stoa/shared/packages/armtemplate"
	"stoa/shared/packages/content"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/tracking"
)

// CheckTracking looks at the tracking resources of the package's templates (CUA-4 to CUA-9). It returns the main
// template's file, nil when there is none that can be read, and whether the tracking resource is to be added to it.
func CheckTracking(ctx context.Context, tree *content.Tree, o tracking.Options, report *finding.Report) (*content.File, bool, error) {
	docs, err := readDocuments(ctx, tree, finding.New(report.Type)) // what cannot be read was found by Validate
	if err != nil {
		return nil, false, err
	}
	var main *content.Document
	var others []*content.Document
	for _, d := range docs {
		switch {
		case d.File == mainTemplate:
			main = d
		case d.Root.Get("resources") != nil:
			others = append(others, d)
		}
	}
	if main == nil {
		return nil, false, nil
	}
	templates := armtemplate.New(main, true)
	o.Fold = templates[0].Folder(nil).Text
	return tree.File(mainTemplate), tracking.Check(main, others, o, report), nil
}
