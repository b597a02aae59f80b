package packages

import (
	"fmt"
	"regexp"
	"strings"

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
func checkTemplate(d *document, report *Report) {
	resources := d.root.Get("resources")
	if !d.root.Is(jsondoc.Object) || !resources.Is(jsondoc.Array) && !resources.Is(jsondoc.Object) { // AZA-120
		d.find(report, "APP_TEMPLATE_ROOT", "", d.root.Offset, "A template is an object whose resources are a list or an object.")
		return
	}
	checkSections(d, report)
	checkParameters(d, report)
	checkResources(d, resources, report)
	if v := d.root.Get("contentVersion"); v == nil || !contentVersion.MatchString(v.Text) {
		d.find(report, "APP_CONTENT_VERSION", "/contentVersion", offsetOf(v, d), "contentVersion has the form 1.0.0.0.")
	}
	if s := d.root.Get("$schema"); s == nil || !templateSchema.MatchString(s.Text) {
		d.find(report, "arm-ttk/DeploymentTemplate-Schema-Is-Correct", "/$schema", offsetOf(s, d), "$schema is not the address of a deployment template schema.")
	}
}

func offsetOf(n *jsondoc.Node, d *document) int {
	if n == nil {
		return d.root.Offset
	}
	return n.Offset
}

func checkSections(d *document, report *Report) {
	for _, section := range []string{"parameters", "variables", "outputs"} {
		n := d.root.Get(section)
		switch {
		case n != nil && n.Kind != jsondoc.Object: // AZA-121
			d.find(report, "APP_TEMPLATE_SECTION_TYPE", "/"+section, n.Offset, section+" must be an object.")
		case n != nil && len(n.Members) > templateLimits[section]: // AZA-122
			d.find(report, "APP_TEMPLATE_LIMIT", "/"+section, n.Offset, fmt.Sprintf("A template has at most %d %s.", templateLimits[section], section))
		}
	}
	if n := d.root.Get("functions"); n != nil && n.Kind != jsondoc.Array {
		d.find(report, "APP_TEMPLATE_SECTION_TYPE", "/functions", n.Offset, "functions must be a list.")
	}
}

func checkParameters(d *document, report *Report) {
	parameters := d.root.Get("parameters")
	if !parameters.Is(jsondoc.Object) {
		parameters = &jsondoc.Node{Kind: jsondoc.Object, Offset: d.root.Offset}
	}
	used := usedParameters(d.root)
	for _, m := range parameters.Members {
		at := "/parameters/" + pointer(m.Key)
		kind := m.Value.Get("type")
		if !kind.Is(jsondoc.String) || !parameterTypes[strings.ToLower(kind.Text)] { // AZA-121
			d.find(report, "APP_TEMPLATE_SECTION_TYPE", at, m.Offset, "The parameter has no valid type.")
		}
		if m.Value.Get("metadata").Get("description") == nil { // AZA-125
			d.find(report, "APP_PARAMETER_DESCRIPTION", at, m.Offset, "The parameter has no description.")
		}
		if !used[strings.ToLower(m.Key)] { // AZA-239
			d.find(report, "arm-ttk/Parameters-Must-Be-Referenced", at, m.Offset, "The parameter is used nowhere.")
		}
		def := m.Value.Get("defaultValue")
		if kind.Is(jsondoc.String) && strings.EqualFold(kind.Text, "secureString") && def != nil &&
			(def.Kind != jsondoc.String || def.Text != "" && !newGUID.MatchString(def.Text)) { // AZA-246
			d.find(report, "arm-ttk/Secure-String-Parameters-Cannot-Have-Default", at+"/defaultValue", def.Offset, "A secure parameter has no default.")
		}
	}
	if parameters.Get("location") == nil { // AZA-124
		d.find(report, "APP_LOCATION_PARAMETER_MISSING", "/parameters", parameters.Offset, "The template has no parameter location.")
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

func checkResources(d *document, resources *jsondoc.Node, report *Report) {
	list := resources.Items
	for _, m := range resources.Members {
		list = append(list, m.Value)
	}
	if len(list) > maxResources {
		d.find(report, "APP_TEMPLATE_LIMIT", "/resources", resources.Offset, fmt.Sprintf("A template has at most %d resources.", maxResources))
	}
	symbolic := resources.Kind == jsondoc.Object
	for i, r := range list {
		at := fmt.Sprintf("/resources/%d", i)
		if symbolic {
			at = "/resources/" + pointer(resources.Members[i].Key)
		}
		if symbolic && r.Get("import") != nil {
			continue
		}
		for _, name := range []string{"type", "apiVersion", "name"} { // AZA-123
			if r.Get(name) == nil {
				d.find(report, "APP_RESOURCE_FIELDS", at, r.Offset, "The resource has no "+name+".")
			}
		}
	}
}

// pointer escapes a key for a JSON pointer.
func pointer(key string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(key) }

const uiSchema = "https://schema.management.azure.com/schemas/0.1.2-preview/CreateUIDefinition.MultiVm.json#"

// checkUI looks at the UI definition (AZA-150 and toolkit rules).
func checkUI(d, template *document, report *Report) {
	if !d.root.Is(jsondoc.Object) {
		d.find(report, "APP_UI_STRUCTURE", "", d.root.Offset, "A UI definition is an object.")
		return
	}
	if s, v := d.root.Get("$schema"), d.root.Get("version"); s == nil || s.Text != uiSchema || v == nil || v.Text != "0.1.2-preview" { // AZA-204
		d.find(report, "arm-ttk/CreateUIDefinition-Should-Have-Schema", "/$schema", offsetOf(s, d), "$schema and version must be those of 0.1.2-preview.")
	}
	if h := d.root.Get("handler"); !h.Is(jsondoc.String) || // AZA-206
		!strings.EqualFold(h.Text, "Microsoft.Compute.MultiVm") && !strings.EqualFold(h.Text, "Microsoft.Azure.CreateUIDef") {
		d.find(report, "arm-ttk/Handler-Must-Be-Correct", "/handler", offsetOf(h, d), "The handler must be Microsoft.Azure.CreateUIDef or Microsoft.Compute.MultiVm.")
	}
	parameters := d.root.Get("parameters")
	if !parameters.Is(jsondoc.Object) { // AZA-150
		d.find(report, "APP_UI_STRUCTURE", "/parameters", offsetOf(parameters, d), "The UI definition has no object parameters.")
		return
	}
	for _, name := range []string{"basics", "steps", "outputs"} {
		kind := jsondoc.Array
		if name == "outputs" {
			kind = jsondoc.Object
		}
		if n := parameters.Get(name); !n.Is(kind) {
			d.find(report, "APP_UI_STRUCTURE", "/parameters/"+name, parameters.Offset, "The section "+name+" is missing or of a wrong type.")
		}
	}
	known := template.root.Get("parameters")
	outputs := parameters.Get("outputs")
	if outputs == nil || !template.root.Is(jsondoc.Object) {
		return
	}
	for _, m := range outputs.Members { // AZA-209
		if known.Get(m.Key) == nil {
			d.find(report, "arm-ttk/Outputs-Must-Be-Present-In-Template-Parameters", "/parameters/outputs/"+pointer(m.Key), m.Offset, "The main template has no parameter of this name.")
		}
	}
}
