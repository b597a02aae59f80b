package azureapp

import (
	"fmt"
	"slices"
	"strings"

	"stoa/shared/packages/content"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/jsondoc"
	"stoa/shared/packages/uidefinition"
)

// uiCheck looks at a UI definition.
type uiCheck struct {
	*uidefinition.Definition
	report *finding.Report
}

// checkUI looks at the UI definition of the package (AZA-150 to AZA-153).
func (a *app) checkUI() {
	u := uiCheck{a.Definition, a.report}
	if !u.Root.Is(jsondoc.Object) { // AZA-150
		u.add("APP_UI_STRUCTURE", u.Root.At(), "The UI definition is %s; it must be an object.", kindOf(u.Root.Node))
		return
	}
	u.checkRoot()
	if u.Parameters != nil {
		u.checkParameters()
		u.checkConfig()
		u.checkElements("basics", u.Basics)
		u.checkSteps()
	}
}

// add records a finding about a place of the definition.
func (u *uiCheck) add(code string, where uidefinition.Spot, format string, args ...any) {
	if u.report.Full() { // only its severity counts
		u.report.Put(finding.Finding{Code: code})
		return
	}
	pointer, begin := where.Place()
	u.report.Add(code, u.Doc.At(pointer, begin), format, args...)
}

var (
	uiRoot       = []string{"$schema", "handler", "version", "parameters"}
	uiParameters = []string{"config", "basics", "steps", "outputs", "resourceTypes"}
	uiConfig     = []string{"description", "subscription", "resourceGroup", "location"}
)

// checkRoot looks at the members of the root (AZA-150).
func (u *uiCheck) checkRoot() {
	u.only(u.Root, uiRoot, "The UI definition")
	for _, name := range uiRoot[1:] {
		if u.Root.Get(name) == nil {
			u.add("APP_UI_STRUCTURE", u.Root.At(name), "The UI definition has no %s.", name)
		}
	}
	if p := u.Root.Get("parameters"); p != nil {
		u.kind(u.Root, "parameters", jsondoc.Object)
	}
}

// checkParameters looks at the sections (AZA-150). Without basics or steps there are none.
func (u *uiCheck) checkParameters() {
	u.only(u.Parameters, uiParameters, "The section parameters")
	for _, name := range []string{"basics", "steps", "resourceTypes"} {
		u.kind(u.Parameters, name, jsondoc.Array)
	}
	u.kind(u.Parameters, "config", jsondoc.Object)
	if u.Parameters.Get("outputs") == nil {
		u.add("APP_UI_STRUCTURE", u.Parameters.At("outputs"), "The section parameters has no outputs.")
	}
	u.kind(u.Parameters, "outputs", jsondoc.Object)
}

// checkConfig looks at what config says of the first page (AZA-151).
func (u *uiCheck) checkConfig() {
	for _, o := range u.Objects {
		if o.Up(0) != nil && o.Up(0).Up(0) == u.Parameters && strings.EqualFold(o.Up(0).Key, "config") && strings.EqualFold(o.Key, "basics") {
			u.only(o, uiConfig, "basics of config")
		}
	}
}

// only looks for members that the object may not have.
func (u *uiCheck) only(o *uidefinition.Object, names []string, what string) {
	for _, m := range o.Members {
		if !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, m.Key) }) {
			u.add("APP_UI_STRUCTURE", o.At(m.Key), "%s has the member %s; it has no others than %s.", what, clip(m.Key), strings.Join(names, ", "))
		}
	}
}

// kind looks whether a member is of the kind, when it is there.
func (u *uiCheck) kind(o *uidefinition.Object, name string, kind jsondoc.Kind) {
	if n := o.Get(name); n != nil && n.Kind != kind {
		u.add("APP_UI_STRUCTURE", o.At(name), "%s is %s; it must be %s.", name, kindOf(n), kindNames[kind])
	}
}

// checkSteps looks at the steps and their elements (AZA-151, AZA-152).
func (u *uiCheck) checkSteps() {
	seen := map[string]bool{}
	for _, s := range u.Steps {
		const code = "APP_UI_STEP_FIELDS"
		if !s.Is(jsondoc.Object) {
			u.add(code, s.At(), "The step is %s; it must be an object.", kindOf(s.Node))
			continue
		}
		u.named(code, s.Object, "step")
		u.labelled(code, s.Object, "step")
		if n := s.Get("elements"); !n.Is(jsondoc.Array) {
			u.add(code, s.At("elements"), "The elements of the step %s are %s; they must be a list.", clip(s.Name), kindOf(n))
		}
		u.unique(seen, s.Object, "There is another step of the name %s.")
		u.checkElements("the step "+clip(s.Name), s.Elements)
	}
}

// checkElements looks at the elements of one page (AZA-151 to AZA-153). Their names differ within the page, whatever
// sections they stand in.
func (u *uiCheck) checkElements(page string, elements []*uidefinition.Element) {
	seen := map[string]bool{}
	for _, e := range uidefinition.All(elements) {
		const code = "APP_UI_ELEMENT_FIELDS"
		if !e.Is(jsondoc.Object) {
			u.add(code, e.At(), "The element is %s; it must be an object.", kindOf(e.Node))
			continue
		}
		u.named(code, e.Object, "element")
		switch {
		case strings.TrimSpace(e.Type) == "":
			u.add(code, e.At("type"), "The element %s has no type.", clip(e.Name))
		case !e.Known(): // AZA-153
			u.add("APP_UI_ELEMENT_TYPE", e.At("type"), "The element %s is of type %s, which is not documented.", clip(e.Name), clip(e.Type))
		case e.NeedsLabel():
			u.labelled(code, e.Object, "element")
		}
		if n := e.Get("elements"); e.OfType(uidefinition.Section) && !n.Is(jsondoc.Array) {
			u.add(code, e.At("elements"), "The elements of the section %s are %s; they must be a list.", clip(e.Name), kindOf(n))
		}
		u.unique(seen, e.Object, "There is another element of the name %s in "+page+".")
	}
}

func (u *uiCheck) named(code string, o *uidefinition.Object, what string) {
	if strings.TrimSpace(o.Word("name")) == "" {
		u.add(code, o.At("name"), "The %s has no name.", what)
	}
}

// labelled looks for a label, which is a text or an object of several.
func (u *uiCheck) labelled(code string, o *uidefinition.Object, what string) {
	if n := o.Get("label"); !n.Is(jsondoc.String) && !n.Is(jsondoc.Object) {
		u.add(code, o.At("label"), "The %s %s has no label.", what, clip(o.Word("name")))
	}
}

// unique looks whether the name was seen before (AZA-152).
func (u *uiCheck) unique(seen map[string]bool, o *uidefinition.Object, format string) {
	name := strings.ToLower(o.Word("name"))
	if name != "" && seen[name] {
		u.add("APP_UI_NAME_DUPLICATE", o.At("name"), format, clip(o.Word("name")))
	}
	seen[name] = true
}

// kindOf says what a value is.
func kindOf(n *jsondoc.Node) string {
	if n == nil {
		return "missing"
	}
	return kindNames[n.Kind]
}

// clip cuts a text short, so that it can stand in a message.
func clip(text string) string {
	const most = 100
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// checkJIT says of which plans the package cannot be: of one with just-in-time access, and of one without. What is wrong
// for the plan that is known is reported.
func (a *app) checkJIT() (lacks, asks bool) {
	refuses := func(allowed bool) bool {
		looked := finding.New(a.report.Type)
		CheckJIT(a.UI, allowed, looked)
		return len(looked.Findings) > 0
	}
	if a.options.JIT != nil {
		CheckJIT(a.UI, *a.options.JIT, a.report)
	}
	return refuses(true), refuses(false)
}

// CheckJIT compares the UI definition of a package with the flag of a plan that uses it: with just-in-time access it
// has the control and the output that reads it, without it has neither (AZA-154, AZA-155).
func CheckJIT(ui *content.Document, allowed bool, report *finding.Report) {
	u := uiCheck{uidefinition.New(ui), report}
	controls := []*uidefinition.Element{}
	for _, e := range u.Elements() {
		if e.OfType(uidefinition.JITConfigurator) {
			controls = append(controls, e)
		}
	}
	output := u.Root.Get("parameters").Get("outputs").Get("jitAccessPolicy")
	steps, policy := u.Root.At("parameters", "steps"), u.Root.At("parameters", "outputs", "jitAccessPolicy")
	switch {
	case !allowed:
		for _, e := range controls {
			u.add("APP_JIT_UNEXPECTED", e.At("type"), "The element %s asks for just-in-time access, which the plan does not allow.", clip(e.Name))
		}
		if output != nil && len(controls) == 0 {
			u.add("APP_JIT_UNEXPECTED", policy, "The output jitAccessPolicy stands for just-in-time access, which the plan does not allow.")
		}
		return
	case len(controls) == 0:
		u.add("APP_JIT_CONTROL_MISSING", steps, "The plan allows just-in-time access, and no element is of the type %s.", uidefinition.JITConfigurator)
	}
	if output == nil {
		u.add("APP_JIT_OUTPUT_MISSING", policy, "The plan allows just-in-time access, and there is no output jitAccessPolicy.")
	} else if len(controls) > 0 && !readsOne(output, controls) {
		u.add("APP_JIT_OUTPUT_MISSING", policy, "The output jitAccessPolicy is %s; it must read the control %s.", shown(output), example(controls[0]))
	}
}

// readsOne reports whether an output reads one of the elements.
func readsOne(output *jsondoc.Node, elements []*uidefinition.Element) bool {
	if !output.Is(jsondoc.String) {
		return false
	}
	for _, r := range uidefinition.References(output.Text) {
		if slices.ContainsFunc(elements, r.To) {
			return true
		}
	}
	return false
}

func shown(n *jsondoc.Node) string {
	if n.Is(jsondoc.String) {
		return fmt.Sprintf("%q", clip(n.Text))
	}
	return kindOf(n)
}

// example is an expression that reads an element.
func example(e *uidefinition.Element) string {
	if e.Step == "" {
		return clip(fmt.Sprintf("[basics('%s')%s]", e.Path[0], strings.Join(append([]string{""}, e.Path[1:]...), ".")))
	}
	return clip(fmt.Sprintf("[steps('%s').%s]", e.Step, strings.Join(e.Path, ".")))
}
