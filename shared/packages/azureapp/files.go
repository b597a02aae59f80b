package azureapp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
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
			report.Add("APP_FILE_NAME_CASE", finding.Place{File: name}, "The file is called %s; names are case-sensitive and it must be called %s.", name, view)
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

// otherKinds are the kinds of package that call their template like this (AZA-113).
var otherKinds = map[string]string{"main-template.json": "a test drive", "azuredeploy.json": "a quickstart template"}

func missing(want, code string, names map[string]bool, report *finding.Report) {
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if strings.EqualFold(name, want) {
			report.Add("APP_FILE_NAME_CASE", finding.Place{File: name}, "The file is called %s; names are case-sensitive and it must be called %s.", name, want)
			return
		}
		if kind := otherKinds[name]; want == mainTemplate && kind != "" {
			report.Add("APP_WRONG_TEMPLATE_NAME", finding.Place{File: name}, "%s is the template of %s; that of a plan is called %s.", name, kind, want)
			return
		}
	}
	report.Add(code, finding.Place{}, "The root of the package has no %s.", want)
}

// readDocuments reads the JSON files of a package. Those that cannot be read are left out after a finding.
func readDocuments(ctx context.Context, tree *content.Tree, report *finding.Report) ([]*content.Document, error) {
	docs := []*content.Document{}
	for _, f := range tree.Files() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !f.Has(".json", ".jsonc") {
			continue
		}
		doc, err := readDocument(f, report)
		if err != nil {
			return nil, err
		}
		if doc != nil {
			docs = append(docs, doc)
		}
	}
	return docs, nil
}

// readDocument parses a JSON file; nil after a finding that leaves nothing to read (AZA-114 to AZA-117).
func readDocument(f *content.File, report *finding.Report) (*content.Document, error) {
	most := int64(content.MaxInMemory) // AZA-100
	if f.Name == mainTemplate || f.Name == uiDefinition {
		most = int64(limits.TemplateBytes) // AZA-122
	}
	if f.Size > most && !strings.Contains(f.Name, "/") {
		report.Add("APP_TEMPLATE_LIMIT", finding.Place{File: f.Name}, "The file has %d bytes; it may have %d.", f.Size, most)
		return nil, nil
	}
	text, err := f.Read()
	switch {
	case errors.Is(err, content.ErrTooLong) && f.Has(".json"):
		return nil, checkSyntax(f, report)
	case errors.Is(err, content.ErrTooLong):
		return nil, nil
	case err != nil:
		return nil, err
	case f.Has(".jsonc"): // the toolkit reads them; comments are theirs
		if doc, _ := jsondoc.Parse(text); doc == nil {
			report.Add("arm-ttk/JSONFiles-Should-Be-Valid", finding.Place{File: f.Name, Line: 1, Column: 1}, "The file cannot be read as JSON.")
		}
		return nil, nil
	}
	return content.Parse(f.Name, text, report), nil
}

// checkSyntax reads a file that is too long to be held, byte by byte (AZA-100).
func checkSyntax(f *content.File, report *finding.Report) error {
	r, err := f.Open()
	if err != nil {
		return fmt.Errorf("open %s: %w", f.Name, err)
	}
	defer r.Close()
	s := &scanner{r: bufio.NewReaderSize(r, 64<<10), line: 1}
	if err := s.scan(); err != nil {
		return fmt.Errorf("read %s: %w", f.Name, err)
	}
	if s.fault != "" {
		report.Add("APP_JSON_INVALID", finding.Place{File: f.Name, Line: s.line, Column: s.column}, "%s", s.fault)
	}
	return nil
}

// templateFolder and scriptFolder are where nested templates and scripts belong (AZA-119).
const (
	templateFolder = "nestedtemplates"
	scriptFolder   = "scripts"
)

// checkFolders looks where nested templates and scripts lie (AZA-119). Scripts of Windows machines may lie in the root,
// because the extension that runs them takes no folders.
func (a *app) checkFolders() {
	for _, t := range a.Templates {
		if t.Outer == nil && !t.Main && !inFolder(t.Doc.File, templateFolder) {
			a.report.Add("APP_FOLDER_CONVENTION", t.Place(t.Root), "The template lies outside of %s/.", templateFolder)
		}
	}
	for _, f := range a.tree.Files() {
		windows := f.Has(".ps1", ".psm1", ".cmd", ".bat")
		if windows && strings.Contains(f.Name, "/") && !inFolder(f.Name, scriptFolder) || f.Has(".sh", ".bash", ".py") && !inFolder(f.Name, scriptFolder) {
			a.report.Add("APP_FOLDER_CONVENTION", finding.Place{File: f.Name}, "The script lies outside of %s/.", scriptFolder)
		}
	}
}

func inFolder(name, folder string) bool {
	first, _, below := strings.Cut(name, "/")
	return below && strings.EqualFold(first, folder)
}
