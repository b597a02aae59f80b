// Package azureapp validates the deployment package of an Azure application plan: its files, its main template and
// its UI definition (rules AZA-107 to AZA-163).
//
// Findings of a stage are collected; the run stops after the files when a root file is missing or unreadable.
// Validate is pure and safe for concurrent use.
package azureapp

import (
	"context"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"

	"stoa/shared/packages/content"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/jsondoc"
)

// The files a package has in its root.
const (
	mainTemplate = "mainTemplate.json"
	uiDefinition = "createUiDefinition.json"
	view         = "viewDefinition.json"
)

// rootJSON is how many bytes a root template may have (AZA-122).
const rootJSON = 4 << 20

// Validate looks at an open package. The error is that of the source or of the context.
func Validate(ctx context.Context, tree *content.Tree, report *finding.Report) error {
	checkRootFiles(tree, report)
	docs := map[string]*content.Document{}
	for _, f := range tree.Files() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !f.Has(".json") {
			continue
		}
		doc, err := readDocument(f, report)
		if err != nil {
			return err
		}
		docs[f.Name] = doc
	}
	template, ui := docs[mainTemplate], docs[uiDefinition]
	if template == nil || ui == nil {
		return nil
	}
	checkTemplate(template, report)
	checkUI(ui, template, report)
	return nil
}

// checkRootFiles looks for the two files of the root (AZA-110 to AZA-113).
func checkRootFiles(tree *content.Tree, report *finding.Report) {
	names := map[string]bool{}
	for _, f := range tree.Files() {
		names[f.Name] = true
	}
	if folder := wrappingFolder(names); folder != "" && !names[mainTemplate] && !names[uiDefinition] {
		report.Add("APP_WRAPPED_IN_FOLDER", finding.Place{}, "The files of the package are inside the folder %s; they belong into the root.", folder)
		return
	}
	if !names[mainTemplate] {
		missing(mainTemplate, "APP_MAIN_TEMPLATE_MISSING", names, report)
	}
	if !names[uiDefinition] {
		missing(uiDefinition, "APP_UI_DEFINITION_MISSING", names, report)
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if strings.EqualFold(name, view) && name != view {
			report.Add("APP_FILE_NAME_CASE", finding.Place{File: name}, "The file must be called %s.", view)
		}
	}
}

// wrappingFolder is a folder that holds both files.
func wrappingFolder(names map[string]bool) string {
	for _, name := range slices.Sorted(maps.Keys(names)) {
		dir, base := path.Split(name)
		if dir != "" && base == mainTemplate && names[dir+uiDefinition] {
			return strings.TrimSuffix(dir, "/")
		}
	}
	return ""
}

func missing(want, code string, names map[string]bool, report *finding.Report) {
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if strings.EqualFold(name, want) {
			report.Add("APP_FILE_NAME_CASE", finding.Place{File: name}, "The file must be called %s.", want)
			return
		}
		if want == mainTemplate && (name == "main-template.json" || name == "azuredeploy.json") {
			report.Add("APP_WRONG_TEMPLATE_NAME", finding.Place{File: name}, "The name belongs to another kind of package; the template of a plan is called %s.", want)
			return
		}
	}
	report.Add(code, finding.Place{}, "The root of the package has no %s.", want)
}

// readDocument parses a .json file; nil after a finding that leaves nothing to read (AZA-114 to AZA-117).
func readDocument(f *content.File, report *finding.Report) (*content.Document, error) {
	root := f.Name == mainTemplate || f.Name == uiDefinition
	if root && f.Size > rootJSON {
		report.Add("APP_TEMPLATE_LIMIT", finding.Place{File: f.Name}, "The file has more than %d bytes.", rootJSON)
		return nil, nil
	}
	text, err := f.Read()
	if errors.Is(err, content.ErrTooLong) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	doc := content.Parse(f.Name, text, report)
	if doc != nil && emptyRoot(doc.Root) {
		report.Add("arm-ttk/JSONFiles-Should-Be-Valid", doc.Place("", doc.Root), "The file holds no object and no list.")
	}
	return doc, nil
}

func emptyRoot(n *jsondoc.Node) bool {
	return n.Is(jsondoc.Null) || n.Is(jsondoc.Array) && len(n.Items) == 0 || n.Is(jsondoc.String) && n.Text == "" ||
		n.Is(jsondoc.Bool) && n.Text == "false" || n.Is(jsondoc.Number) && strings.Trim(n.Text, "-0.eE+") == ""
}
