package azureapp

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"stoa/shared/packages/armtemplate"
	"stoa/shared/packages/content"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/jsondoc"
)

//go:embed data/views.json
var viewsJSON []byte

// views are the forms of view definitions.
var views = func() (out struct {
	Schema       string              `json:"schema"`
	Kinds        []string            `json:"kinds"`
	ChartTypes   []string            `json:"chartTypes"`
	Aggregations []string            `json:"aggregationTypes"`
	Version      string              `json:"viewVersion"`
	Required     map[string][]string `json:"required"`
}) {
	if err := json.Unmarshal(viewsJSON, &out); err != nil {
		panic(fmt.Sprintf("views.json: %v", err))
	}
	return out
}()

const (
	customResources = "CustomResources"
	associations    = "Associations"
	customProviders = "Microsoft.CustomProviders/resourceProviders"
)

// checkView looks at the view definition (AZA-160 to AZA-163). Plans of solution templates ignore it.
func (a *app) checkView() {
	i := slices.IndexFunc(a.Files, func(d *content.Document) bool { return d.File == view })
	if i < 0 {
		return
	}
	root := viewValue{Node: a.Files[i].Root, doc: a.Files[i], begin: a.Files[i].Root.Offset}
	a.forPlan(SolutionTemplate, finding.Finding{Code: "APP_VIEW_IN_SOLUTION_TEMPLATE", File: view, Line: 1, Column: 1,
		Message: "The package has a view definition; a solution template has no views, it is ignored."}) // AZA-160
	if a.options.PlanType == SolutionTemplate {
		return
	}
	v := viewCheck{report: a.report, titles: map[string]bool{}, types: map[string]bool{}}
	v.actions, v.computed = actionsOf(a.Templates)
	v.checkRoot(root)
}

// viewValue is a value of a view definition and its place.
type viewValue struct {
	*jsondoc.Node // nil when it is not there
	doc           *content.Document
	pointer       string
	begin         int
}

// get is a member. One that is not there stands where the object begins.
func (v viewValue) get(key string) viewValue {
	out := viewValue{doc: v.doc, pointer: v.pointer + "/" + key, begin: v.begin}
	if v.Node == nil {
		return out
	}
	for _, m := range v.Members {
		if strings.EqualFold(m.Key, key) {
			return viewValue{Node: m.Value, doc: v.doc, pointer: v.pointer + "/" + m.Key, begin: m.Offset}
		}
	}
	return out
}

func (v viewValue) items() []viewValue {
	if v.Node == nil {
		return nil
	}
	out := make([]viewValue, len(v.Items))
	for i, item := range v.Items {
		out[i] = viewValue{Node: item, doc: v.doc, pointer: v.pointer + "/" + strconv.Itoa(i), begin: item.Offset}
	}
	return out
}

func (v viewValue) word() string {
	if !v.Is(jsondoc.String) {
		return ""
	}
	return strings.TrimSpace(v.Text)
}

// viewCheck looks at a view definition.
type viewCheck struct {
	report   *finding.Report
	titles   map[string]bool // by kind and title
	types    map[string]bool // the types of the views of custom resources
	actions  map[string]bool // the names of the custom providers' actions
	computed bool            // some names of actions are not known
}

func (v *viewCheck) add(code string, at viewValue, format string, args ...any) {
	if v.report.Full() { // only its severity counts
		v.report.Put(finding.Finding{Code: code})
		return
	}
	v.report.Add(code, at.doc.At(at.pointer, at.begin), format, args...)
}

// checkRoot looks at the root and its views (AZA-161).
func (v *viewCheck) checkRoot(root viewValue) {
	if !v.object(root, "root", "The view definition") {
		return
	}
	if schema := root.get("$schema"); schema.Node != nil && !strings.EqualFold(strings.TrimSuffix(schema.word(), "#"), strings.TrimSuffix(views.Schema, "#")) {
		v.add("APP_VIEW_STRUCTURE", schema, "$schema is %s; it must be %s.", shown(schema.Node), views.Schema)
	}
	for _, one := range v.list(root.get("views"), 1) {
		v.checkView(one)
	}
}

// checkView looks at one view by the form of its kind (AZA-161, AZA-162).
func (v *viewCheck) checkView(one viewValue) {
	if !v.object(one, "view", "The view") || !v.oneOf(one.get("kind"), views.Kinds) || one.get("kind").Node == nil {
		return
	}
	kind, properties := one.get("kind").word(), one.get("properties")
	required := views.Required[kind+".properties"]
	if properties.Node == nil && len(required) == 0 {
		return
	}
	if !v.object(properties, kind+".properties", "The view of kind "+kind) {
		return
	}
	v.oneOf(properties.get("version"), []string{views.Version})
	for _, chart := range v.list(properties.get("charts"), 1) {
		v.checkChart(chart)
	}
	for _, column := range v.list(properties.get("columns"), 0) {
		v.object(column, "column", "The column")
	}
	for _, command := range v.list(properties.get("commands"), 0) {
		v.checkCommand(command)
	}
	if kind == customResources || kind == associations { // AZA-162
		v.unique(v.titles, kind+"\x00", properties.get("displayName"))
	}
	if kind == customResources {
		v.unique(v.types, "", properties.get("resourceType"))
	}
}

func (v *viewCheck) checkChart(chart viewValue) {
	if !v.object(chart, "chart", "The chart") {
		return
	}
	v.oneOf(chart.get("chartType"), views.ChartTypes)
	for _, metric := range v.list(chart.get("metrics"), 1) {
		if v.object(metric, "metric", "The metric") {
			v.oneOf(metric.get("aggregationType"), views.Aggregations)
		}
	}
}

// checkCommand looks at a button, which calls an action of a custom provider (AZA-163).
func (v *viewCheck) checkCommand(command viewValue) {
	if !v.object(command, "command", "The command") {
		return
	}
	path := command.get("path")
	name := strings.Trim(path.word(), "/")
	switch {
	case name == "":
	case strings.ContainsAny(name, "[]{}:"):
		v.add("APP_VIEW_ACTION_UNKNOWN", path, "The path is %q; it must be the name of an action as it stands in the template.", clip(name))
	case !v.computed && !v.actions[strings.ToLower(name)]:
		v.add("APP_VIEW_ACTION_UNKNOWN", path, "The path is %q; no custom provider of the template has an action of this name.", clip(name))
	}
}

// notTexts are the required members that are lists or one of some words, which is looked at where they are read.
var notTexts = []string{"views", "charts", "metrics", "kind", "aggregationType"}

// object looks whether a value is an object with the members that its form requires.
func (v *viewCheck) object(at viewValue, form, what string) bool {
	if !at.Is(jsondoc.Object) {
		v.add("APP_VIEW_STRUCTURE", at, "%s is %s; it must be an object.", what, kindOf(at.Node))
		return false
	}
	for _, name := range views.Required[form] {
		switch member := at.get(name); {
		case member.Node == nil:
			v.add("APP_VIEW_STRUCTURE", member, "%s has no %s.", what, name)
		case member.word() == "" && !slices.Contains(notTexts, name):
			v.add("APP_VIEW_STRUCTURE", member, "%s of %s is %s; it must say something.", name, strings.ToLower(what[:1])+what[1:], shown(member.Node))
		}
	}
	return true
}

// list are the items of a list, when it is there. It has at least so many.
func (v *viewCheck) list(at viewValue, least int) []viewValue {
	if at.Node == nil {
		return nil
	}
	if !at.Is(jsondoc.Array) || len(at.Items) < least {
		v.add("APP_VIEW_STRUCTURE", at, "%s is %s; it must be a list with something in it.", lastName(at.pointer), kindOf(at.Node))
	}
	return at.items()
}

// oneOf looks whether a value, when it is there, is one of the words.
func (v *viewCheck) oneOf(at viewValue, words []string) bool {
	if at.Node == nil || at.Is(jsondoc.String) && slices.Contains(words, at.Text) {
		return true
	}
	v.add("APP_VIEW_STRUCTURE", at, "%s is %s; it must be one of %s.", lastName(at.pointer), shown(at.Node), strings.Join(words, ", "))
	return false
}

func lastName(pointer string) string { return pointer[strings.LastIndexByte(pointer, '/')+1:] }

// unique looks whether a view has what another has already (AZA-162).
func (v *viewCheck) unique(seen map[string]bool, group string, at viewValue) {
	word := strings.ToLower(at.word())
	if word != "" && seen[group+word] {
		v.add("APP_VIEW_DUPLICATE", at, "Another view of the kind has %q already.", clip(at.word()))
	}
	seen[group+word] = true
}

// actionsOf are the names, in lower case, of the actions of the templates' custom providers, and whether some of the
// names are computed and not known.
func actionsOf(templates []*armtemplate.Template) (names map[string]bool, computed bool) {
	names = map[string]bool{}
	for _, t := range templates {
		folder := t.Folder(nil)
		for _, r := range t.Resources {
			if !r.OfType(customProviders) {
				continue
			}
			actions := r.At("properties", "actions")
			if actions == nil {
				continue
			}
			computed = computed || actions.Kind != jsondoc.Array
			for _, action := range actions.Below {
				name, known := folder.Text(action.Member("name").Word())
				computed = computed || !known
				names[strings.ToLower(strings.Trim(name, "/"))] = true
			}
		}
	}
	return names, computed
}
