package azureapp

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"stoa/shared/packages/armexpr"
	"stoa/shared/packages/armtemplate"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/jsondoc"
)

// checkTemplates looks at each template of the package (AZA-120 to AZA-126).
func (a *app) checkTemplates() {
	for _, t := range a.Templates {
		resources := t.Root.Member("resources")
		if !t.Root.Is(jsondoc.Object) || !resources.Is(jsondoc.Array) && !resources.Is(jsondoc.Object) { // AZA-120
			if t != a.Main && t.Root.Member("$schema") == nil { // only its name says that it is a template
				continue
			}
			a.add("APP_TEMPLATE_ROOT", t, t.Root, "A template is an object whose resources are a list or an object; here resources are %s.", kindName(resources))
			continue
		}
		a.checkSections(t)
		a.checkLimits(t)
		a.checkResourceFields(t)
		if t == a.Main {
			a.checkMain(t)
		}
	}
}

// add records a finding about a value of a template.
func (a *app) add(code string, t *armtemplate.Template, v *armtemplate.Value, format string, args ...any) {
	if a.report.Full() { // only its severity counts
		a.report.Add(code, finding.Place{}, format, args...)
		return
	}
	a.report.Add(code, t.Place(v), format, args...)
}

// missing records that a template has no section of a name.
func (a *app) missing(code string, t *armtemplate.Template, section, format string, args ...any) {
	if a.report.Full() { // only its severity counts
		a.report.Add(code, finding.Place{}, format, args...)
		return
	}
	a.report.Add(code, t.PlaceOf(t.Root, section), format, args...)
}

var parameterTypes = []string{"string", "secureString", "int", "bool", "object", "secureObject", "array"}

var contentVersion = regexp.MustCompile(`^\d+\.\d+\.\d+\.\d+$`)

// checkSections looks at the types of the sections and of the parameters (AZA-121).
func (a *app) checkSections(t *armtemplate.Template) {
	for section, kind := range map[string]jsondoc.Kind{
		"parameters": jsondoc.Object, "variables": jsondoc.Object, "outputs": jsondoc.Object, "functions": jsondoc.Array,
	} {
		if v := t.Root.Member(section); v != nil && v.Kind != kind {
			a.add("APP_TEMPLATE_SECTION_TYPE", t, v, "%s is %s; it must be %s.", section, kindName(v), kindNames[kind])
		}
	}
	for _, p := range t.Parameters() {
		if kind := p.Member("type"); !isOneOf(kind.Word(), parameterTypes) {
			a.add("APP_TEMPLATE_SECTION_TYPE", t, p, "The parameter %s has the type %q; it must be one of %s.", p.Key, kind.Word(), strings.Join(parameterTypes, ", "))
		}
	}
	if v := t.Root.Member("contentVersion"); v == nil {
		a.missing("APP_CONTENT_VERSION", t, "contentVersion", "The template has no contentVersion.")
	} else if !contentVersion.MatchString(v.Text) {
		a.add("APP_CONTENT_VERSION", t, v, "contentVersion is %q and not of the form 1.0.0.0.", v.Text)
	}
}

// checkLimits compares a template with Resource Manager's limits (AZA-122).
func (a *app) checkLimits(t *armtemplate.Template) {
	over := func(section string, has, most int) {
		if has > most {
			a.add("APP_TEMPLATE_LIMIT", t, t.Root.Member(section), "The template has %d %s; it may have %d.", has, section, most)
		}
	}
	if size := len(t.Doc.Text); t.Outer == nil && size > limits.TemplateBytes {
		a.add("APP_TEMPLATE_LIMIT", t, t.Root, "The template has %d bytes; it may have %d.", size, limits.TemplateBytes)
	}
	variables := len(t.Variables()) + len(t.Loops())
	over("parameters", len(t.Parameters()), limits.Parameters)
	over("variables", variables, limits.Variables)
	over("resources", countResources(t.Root.Member("resources")), limits.Resources)
	if outputs := t.Root.Member("outputs"); outputs.Is(jsondoc.Object) {
		over("outputs", len(outputs.Below), limits.Outputs)
	}
	if variables > limits.VariablesNear && variables <= limits.Variables {
		a.add("APP_TEMPLATE_LIMIT_NEAR", t, t.Root.Member("variables"), "The template has %d variables; some editions of Resource Manager take %d.", variables, limits.VariablesNear)
	}
	for _, v := range t.Values {
		if v.Kind == jsondoc.String && len(v.Text) > limits.Expression && armexpr.Is(v.Text) && utf8.RuneCountInString(v.Text) > limits.Expression {
			a.add("APP_TEMPLATE_LIMIT", t, v, "The expression has %d characters; it may have %d.", utf8.RuneCountInString(v.Text), limits.Expression)
		}
	}
}

// countResources counts resources and those inside of them.
func countResources(list *armtemplate.Value) int {
	if list == nil {
		return 0
	}
	n := len(list.Below)
	for _, r := range list.Below {
		n += countResources(r.Member("resources"))
	}
	return n
}

// checkResourceFields looks for what every resource has (AZA-123). What an extension of the language imports has none
// of it.
func (a *app) checkResourceFields(t *armtemplate.Template) {
	for _, v := range t.Root.Member("resources").Below {
		if v.Kind != jsondoc.Object {
			a.add("APP_RESOURCE_FIELDS", t, v, "A resource is an object; here it is %s.", kindName(v))
		}
	}
	for i := range t.Resources {
		r := &t.Resources[i]
		if r.Parent.Kind == jsondoc.Object && r.Member("import") != nil {
			continue
		}
		for _, name := range []string{"type", "apiVersion", "name"} {
			if r.Member(name) == nil {
				a.add("APP_RESOURCE_FIELDS", t, r.Value, "The resource has no %s.", name)
			}
		}
	}
}

// checkMain looks at what the main template alone must have (AZA-124 to AZA-126).
func (a *app) checkMain(t *armtemplate.Template) {
	switch location := t.Parameter("location"); {
	case location == nil: // AZA-124
		a.missing("APP_LOCATION_PARAMETER_MISSING", t, "parameters", "The template has no parameter location, which the UI definition must give.")
	case location.Member("allowedValues") != nil:
		a.add("APP_LOCATION_ALLOWED_VALUES", t, location.Member("allowedValues"), "The parameter location lists allowed values; customers deploy anywhere.")
	}
	for _, p := range t.Parameters() { // AZA-125
		if p.At("metadata", "description").Word() == "" {
			a.add("APP_PARAMETER_DESCRIPTION", t, p, "The parameter %s has no description.", p.Key)
		}
	}
	schema := t.Root.Member("$schema")
	for _, scope := range []string{"subscription", "managementGroup", "tenant"} { // AZA-126
		if strings.Contains(strings.ToLower(schema.Word()), strings.ToLower(scope+"DeploymentTemplate.json")) {
			a.add("APP_TEMPLATE_SCOPE", t, schema, "The template is one of the scope %s; plans are deployed into a resource group.", scope)
		}
	}
}

var kindNames = map[jsondoc.Kind]string{
	jsondoc.Null: "null", jsondoc.Bool: "a truth value", jsondoc.Number: "a number", jsondoc.String: "a text", jsondoc.Array: "a list", jsondoc.Object: "an object",
}

// kindName is the kind of a value as it stands in a message.
func kindName(v *armtemplate.Value) string {
	if v == nil {
		return "missing"
	}
	return kindNames[v.Kind]
}

func isOneOf(word string, list []string) bool {
	for _, w := range list {
		if strings.EqualFold(w, word) {
			return true
		}
	}
	return false
}
