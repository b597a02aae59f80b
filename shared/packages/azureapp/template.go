package azureapp

import (
	"fmt"
	"regexp"
	"strings"

	"stoa/shared/packages/content"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/jsondoc"
)

var (
	contentVersion = regexp.MustCompile(`^\d+\.\d+\.\d+\.\d+$`)
	templateSchema = regexp.MustCompile(`^https?://schema\.management\.azure\.com/schemas/(2014-04-01-preview|2015-01-01|2018-05-01|2019-04-01|2019-08-01)/(deploymentTemplate|subscriptionDeploymentTemplate|managementGroupDeploymentTemplate|tenantDeploymentTemplate)\.json#?$`)
	newGUID        = regexp.MustCompile(`(?i)^\[.*newGuid\(`)
)

var parameterTypes = map[string]bool{"string": true, "securestring": true, "int": true, "bool": true, "object": true, "secureobject": true, "array": true}

// templateLimits are Resource Manager's limits on the sections of a template (AZA-122).
var templateLimits = map[string]int{"parameters": 256, "variables": 512, "outputs": 64}

const maxResources = 800

// checkTemplate looks at the main template (AZA-120 to AZA-125 and toolkit rules).
func checkTemplate(d *content.Document, report *finding.Report) {
	resources := d.Root.Get("resources")
	if !d.Root.Is(jsondoc.Object) || !resources.Is(jsondoc.Array) && !resources.Is(jsondoc.Object) { // AZA-120
		report.Add("APP_TEMPLATE_ROOT", d.At("", d.Root.Offset), "A template is an object whose resources are a list or an object.")
		return
	}
	checkSections(d, report)
	checkParameters(d, report)
	checkResources(d, resources, report)
	if v := d.Root.Get("contentVersion"); v == nil || !contentVersion.MatchString(v.Text) {
		report.Add("APP_CONTENT_VERSION", d.At("/contentVersion", offsetOf(v, d)), "contentVersion has the form 1.0.0.0.")
	}
	if s := d.Root.Get("$schema"); s == nil || !templateSchema.MatchString(s.Text) {
		report.Add("arm-ttk/DeploymentTemplate-Schema-Is-Correct", d.At("/$schema", offsetOf(s, d)), "$schema is not the address of a deployment template schema.")
	}
}

func offsetOf(n *jsondoc.Node, d *content.Document) int {
	if n == nil {
		return d.Root.Offset
	}
	return n.Offset
}

func checkSections(d *content.Document, report *finding.Report) {
	for _, section := range []string{"parameters", "variables", "outputs"} {
		n := d.Root.Get(section)
		switch {
		case n != nil && n.Kind != jsondoc.Object: // AZA-121
			report.Add("APP_TEMPLATE_SECTION_TYPE", d.At("/"+section, n.Offset), "%s must be an object.", section)
		case n != nil && len(n.Members) > templateLimits[section]: // AZA-122
			report.Add("APP_TEMPLATE_LIMIT", d.At("/"+section, n.Offset), "A template has at most %d %s.", templateLimits[section], section)
		}
	}
	if n := d.Root.Get("functions"); n != nil && n.Kind != jsondoc.Array {
		report.Add("APP_TEMPLATE_SECTION_TYPE", d.At("/functions", n.Offset), "functions must be a list.")
	}
}

func checkParameters(d *content.Document, report *finding.Report) {
	parameters := d.Root.Get("parameters")
	if !parameters.Is(jsondoc.Object) {
		parameters = &jsondoc.Node{Kind: jsondoc.Object, Offset: d.Root.Offset}
	}
	used := usedParameters(d.Root)
	for _, m := range parameters.Members {
		at := "/parameters/" + content.Pointer(m.Key)
		kind := m.Value.Get("type")
		if !kind.Is(jsondoc.String) || !parameterTypes[strings.ToLower(kind.Text)] { // AZA-121
			report.Add("APP_TEMPLATE_SECTION_TYPE", d.At(at, m.Offset), "The parameter has no valid type.")
		}
		if m.Value.Get("metadata").Get("description") == nil { // AZA-125
			report.Add("APP_PARAMETER_DESCRIPTION", d.At(at, m.Offset), "The parameter has no description.")
		}
		if !used[strings.ToLower(m.Key)] { // AZA-239
			report.Add("arm-ttk/Parameters-Must-Be-Referenced", d.At(at, m.Offset), "The parameter is used nowhere.")
		}
		def := m.Value.Get("defaultValue")
		if kind.Is(jsondoc.String) && strings.EqualFold(kind.Text, "secureString") && def != nil &&
			(def.Kind != jsondoc.String || def.Text != "" && !newGUID.MatchString(def.Text)) { // AZA-246
			report.Add("arm-ttk/Secure-String-Parameters-Cannot-Have-Default", d.At(at+"/defaultValue", def.Offset), "A secure parameter has no default.")
		}
	}
	if parameters.Get("location") == nil { // AZA-124
		report.Add("APP_LOCATION_PARAMETER_MISSING", d.At("/parameters", parameters.Offset), "The template has no parameter location.")
	}
}

var parameterUse = regexp.MustCompile(`(?i)parameters\s*\(\s*'([^']+)'\s*\)`)

// usedParameters are the names, in lower case, that expressions of the template use.
func usedParameters(root *jsondoc.Node) map[string]bool {
	used := map[string]bool{}
	collect := func(text string) {
		if !strings.HasPrefix(strings.TrimSpace(text), "[") {
			return
		}
		for _, match := range parameterUse.FindAllStringSubmatch(text, -1) {
			used[strings.ToLower(match[1])] = true
		}
	}
	root.Walk(func(n *jsondoc.Node) {
		if n.Kind == jsondoc.String {
			collect(n.Text)
		}
		for _, m := range n.Members {
			collect(m.Key)
		}
	})
	return used
}

func checkResources(d *content.Document, resources *jsondoc.Node, report *finding.Report) {
	list := resources.Items
	for _, m := range resources.Members {
		list = append(list, m.Value)
	}
	if len(list) > maxResources {
		report.Add("APP_TEMPLATE_LIMIT", d.At("/resources", resources.Offset), "A template has at most %d resources.", maxResources)
	}
	symbolic := resources.Kind == jsondoc.Object
	for i, r := range list {
		at := fmt.Sprintf("/resources/%d", i)
		if symbolic {
			at = "/resources/" + content.Pointer(resources.Members[i].Key)
		}
		if symbolic && r.Get("import") != nil {
			continue
		}
		for _, name := range []string{"type", "apiVersion", "name"} { // AZA-123
			if r.Get(name) == nil {
				report.Add("APP_RESOURCE_FIELDS", d.At(at, r.Offset), "The resource has no %s.", name)
			}
		}
	}
}

const uiSchema = "https://schema.management.azure.com/schemas/0.1.2-preview/CreateUIDefinition.MultiVm.json#"

// checkUI looks at the UI definition (AZA-150 and toolkit rules).
func checkUI(d, template *content.Document, report *finding.Report) {
	if !d.Root.Is(jsondoc.Object) {
		report.Add("APP_UI_STRUCTURE", d.At("", d.Root.Offset), "A UI definition is an object.")
		return
	}
	if s, v := d.Root.Get("$schema"), d.Root.Get("version"); s == nil || s.Text != uiSchema || v == nil || v.Text != "0.1.2-preview" { // AZA-204
		report.Add("arm-ttk/CreateUIDefinition-Should-Have-Schema", d.At("/$schema", offsetOf(s, d)), "$schema and version must be those of 0.1.2-preview.")
	}
	if h := d.Root.Get("handler"); !h.Is(jsondoc.String) || // AZA-206
		!strings.EqualFold(h.Text, "Microsoft.Compute.MultiVm") && !strings.EqualFold(h.Text, "Microsoft.Azure.CreateUIDef") {
		report.Add("arm-ttk/Handler-Must-Be-Correct", d.At("/handler", offsetOf(h, d)), "The handler must be Microsoft.Azure.CreateUIDef or Microsoft.Compute.MultiVm.")
	}
	parameters := d.Root.Get("parameters")
	if !parameters.Is(jsondoc.Object) { // AZA-150
		report.Add("APP_UI_STRUCTURE", d.At("/parameters", offsetOf(parameters, d)), "The UI definition has no object parameters.")
		return
	}
	for _, name := range []string{"basics", "steps", "outputs"} {
		kind := jsondoc.Array
		if name == "outputs" {
			kind = jsondoc.Object
		}
		if n := parameters.Get(name); !n.Is(kind) {
			report.Add("APP_UI_STRUCTURE", d.At("/parameters/"+name, parameters.Offset), "The section %s is missing or of a wrong type.", name)
		}
	}
	known := template.Root.Get("parameters")
	outputs := parameters.Get("outputs")
	if outputs == nil || !template.Root.Is(jsondoc.Object) {
		return
	}
	for _, m := range outputs.Members { // AZA-209
		if known.Get(m.Key) == nil {
			report.Add("arm-ttk/Outputs-Must-Be-Present-In-Template-Parameters", d.At("/parameters/outputs/"+content.Pointer(m.Key), m.Offset), "The main template has no parameter of this name.")
		}
	}
}
