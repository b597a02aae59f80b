// Package toolkit runs the tests of the public ARM template test toolkit, under their public names, over the JSON files
// of a package (rules AZA-200 to AZA-252).
//
// Each test is one function that gives the toolkit's verdict on the same input; the tables templateTests,
// parameterTests and uiTests say which function is which test, and PARITY.md how they compare on the toolkit's own
// inputs. Severities are those of the toolkit's Marketplace profile and come from the table of codes; exemption lists
// and other parameters come from data/rules.json. Tests only read: Run is safe for concurrent use.
package toolkit

import (
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"stoa/shared/packages/armtemplate"
	"stoa/shared/packages/content"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/jsondoc"
	"stoa/shared/packages/uidefinition"
)

// Input is what the tests look at.
type Input struct {
	Main       *armtemplate.Template    // mainTemplate.json or what stands in its place; nil when nothing does that can be read
	UI         *content.Document        // createUiDefinition.json in any case of letters; nil when there is none that can be read
	Definition *uidefinition.Definition // the same as a model
	Templates  []*armtemplate.Template  // every template of the package: main, linked, and nested ones cut out of those
	Parameters []*content.Document      // every parameter file
	Files      []*content.Document      // every JSON file that can be read
	Now        time.Time                // ages of API versions are counted back from here
}

// The files of a package's root, in any case of letters. The main template may have the name that another kind of
// package gives it.
const uiDefinition = "createuidefinition.json"

var mainNames = []string{"maintemplate.json", "azuredeploy.json", "main-template.json"}

// NewInput sorts the JSON files of a package by what they are: by their $schema, and without one by their name
// (section 4.5.1 of the Azure chapter).
func NewInput(files []*content.Document, now time.Time) *Input {
	in := &Input{Files: files, Now: now}
	mainFile := rootFile(files, mainNames)
	for _, d := range files {
		main := d.File == mainFile
		switch kind := kindOf(d); {
		case main || kind == "deploymentTemplate":
			read := armtemplate.New(d, main)
			in.Templates = append(in.Templates, read...)
			if main {
				in.Main = read[0]
			}
		case strings.EqualFold(d.File, uiDefinition) && in.UI == nil:
			in.UI, in.Definition = d, uidefinition.New(d)
		case kind == "deploymentParameters":
			in.Parameters = append(in.Parameters, d)
		}
	}
	return in
}

// templateNames are the names of files that are templates without a $schema.
var templateNames = []string{"maintemplate.json", "azuredeploy.json", "prereq.azuredeploy.json"}

// rootFile is the file of the root with the first of some names, in any case of letters.
func rootFile(files []*content.Document, names []string) string {
	for _, name := range names {
		for _, d := range files {
			if strings.EqualFold(d.File, name) {
				return d.File
			}
		}
	}
	return ""
}

// kindOf is the group of tests for a file, "" when there is none.
func kindOf(d *content.Document) string {
	name := strings.ToLower(path.Base(d.File))
	if schema := d.Root.Get("$schema"); truthy(schema) {
		for _, kind := range []string{"deploymentTemplate", "deploymentParameters"} {
			if strings.Contains(strings.ToLower(schema.Text), strings.ToLower(kind)) {
				return kind
			}
		}
		return ""
	}
	switch {
	case strings.HasSuffix(name, ".parameters.json"):
		return "deploymentParameters"
	case slices.Contains(templateNames, name), truthy(d.Root.Get("resources")):
		return "deploymentTemplate"
	default:
		return ""
	}
}

// truthy is what the language of the toolkit takes for true: neither null, false, zero, an empty text nor an empty
// list.
func truthy(n *jsondoc.Node) bool {
	switch {
	case n == nil || n.Kind == jsondoc.Null:
		return false
	case n.Kind == jsondoc.Array:
		return len(n.Items) > 1 || len(n.Items) == 1 && truthy(n.Items[0])
	case n.Kind == jsondoc.Number:
		return !zero(n.Text)
	case n.Kind == jsondoc.Bool:
		return n.Text == "true"
	case n.Kind == jsondoc.String:
		return n.Text != ""
	default:
		return true
	}
}

// zero reports whether the digits in front of an exponent are all 0.
func zero(number string) bool {
	digits, _, _ := strings.Cut(strings.ToLower(number), "e")
	return strings.Trim(digits, "-0.") == ""
}

// Test is one test of the toolkit. What it finds is recorded under the name it is registered with.
type Test func(in *Input, found *Found)

// tests are all tests by their public names.
var tests = func() map[string]Test {
	all := maps.Clone(templateTests)
	maps.Copy(all, parameterTests)
	maps.Copy(all, uiTests)
	return all
}()

// Names are the names of all tests, sorted.
func Names() []string { return slices.Sorted(maps.Keys(tests)) }

// Run runs all tests.
func Run(in *Input, report *finding.Report) {
	for _, name := range Names() {
		tests[name](in, &Found{code: "arm-ttk/" + name, report: report})
	}
}
