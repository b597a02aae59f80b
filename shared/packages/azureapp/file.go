package azureapp

import (
	"context"
	"strings"

	"stoa/shared/packages/content"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/jsondoc"
	"stoa/shared/packages/toolkit"
	"stoa/shared/packages/uidefinition"
)

// ValidateFile looks at a lone file, a template, a UI definition or a parameters file, with the tests of the toolkit for
// its kind. What compares files with each other is not looked at. The error is that of the source.
func ValidateFile(ctx context.Context, f *content.File, options Options, report *finding.Report) error {
	docs, err := readDocuments(ctx, content.NewTree([]*content.File{f}), report)
	if err != nil || len(docs) == 0 {
		return err
	}
	in := toolkit.NewInput(docs, options.Now)
	if schema := docs[0].Root.Get("$schema"); in.UI == nil && schema.Is(jsondoc.String) && strings.Contains(strings.ToLower(schema.Text), "createuidefinition") {
		in.UI, in.Definition = docs[0], uidefinition.New(docs[0])
	}
	toolkit.Run(in, report)
	return nil
}
