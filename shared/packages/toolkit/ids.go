package toolkit

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"stoa/shared/packages/armtemplate"
	"stoa/shared/packages/jsondoc"
)

const idsTest = "IDs-Should-Be-Derived-From-ResourceIDs"

var (
	idSuffixes  = lowered(parameterOf[[]string](idsTest, "exemptSuffixes"))
	idFunctions = parameterOf[[]string](idsTest, "allowedFunctions")
	idFunction  = regexp.MustCompile(`(?i)\[\s*(?:` + strings.Join(idFunctions, "|") + `)\s*\(`)
)

// derivedIDs: AZA-233. Variables are looked up once, parameters are not.
func derivedIDs(in *Input, found *Found) {
	for _, t := range in.Templates {
		if t.Bicep() {
			continue
		}
		for _, id := range t.Values {
			if id.Section != "resources" || !hasSuffixFold(id.Key, "id") {
				continue
			}
			if why := underivedID(t, id); why != "" && !exemptID(id) {
				found.On(t, id, "%s is %s; it must be an expression that begins with resourceId() or another function for ids.", id.Key, why)
			}
		}
	}
}

// underivedID says what is wrong with an id, "" when nothing is.
func underivedID(t *armtemplate.Template, id *armtemplate.Value) string {
	v := id
	if v.Kind == jsondoc.Object {
		if v = v.Member("value"); !v.Is(jsondoc.String) {
			return ""
		}
	}
	switch {
	case v.Kind == jsondoc.Array || v.Kind == jsondoc.Null:
		return ""
	case !truthy(v.Node):
		return "blank"
	}
	if held := variable(t, v); held != nil {
		v = held
	}
	if v.Kind == jsondoc.Object || v.Kind == jsondoc.Array || v.Expr.Calls(idFunctions...) || idFunction.MatchString(v.Text) {
		return ""
	}
	return strconv.Quote(short(v.Text))
}

// exemptTypes are the resources, of which one stands around, whose ids are their own; with what a step of the path to
// the id must be, or end in.
var exemptTypes = []struct {
	kind *regexp.Regexp
	step func(step string) bool
}{
	{regexp.MustCompile(`(?i)^microsoft\.logic/workflows$`), nil},
	{regexp.MustCompile(`(?i)^microsoft\.apimanagement/service/backends$`), nil},
	{regexp.MustCompile(`(?i)^microsoft\.portal/dashboards$`), nil},
	{regexp.MustCompile(`(?i)^microsoft\.documentdb/databaseaccounts/\w*/collections$`), nil},
	{regexp.MustCompile(`(?i)^microsoft\.documentdb/databaseaccounts/sqldatabases`), func(s string) bool { return strings.EqualFold(s, "resource") }},
	{regexp.MustCompile(`(?i)^microsoft\.insights/webtests`), func(s string) bool { return hasPrefixFold(s, "locations") }},
	{regexp.MustCompile(`(?i)backends$`), func(s string) bool { return hasSuffixFold(s, "properties") }},
	{regexp.MustCompile(`(?i)config`), nil},
}

// exemptID reports whether a value is no id of a resource although its name ends in id.
func exemptID(id *armtemplate.Value) bool {
	steps := stepsTo(id)
	last := steps[len(steps)-1]
	for _, suffix := range idSuffixes {
		if hasSuffixFold(last, suffix) || strings.Contains(suffix, ".") && hasSuffixFold(strings.Join(steps, "."), suffix) {
			return true
		}
	}
	above := steps[:len(steps)-1]
	if len(above) > 0 && (hasPrefixFold(above[0], "parameters") || hasPrefixFold(above[0], "outputs") || strings.EqualFold(above[len(above)-1], "tags")) ||
		slices.ContainsFunc(above, func(s string) bool { return strings.EqualFold(s, "metadata") }) {
		return true
	}
	for v := id.Parent.Parent; v != nil; v = v.Parent {
		kind := v.Member("type").Word()
		if kind == "" {
			continue
		}
		for _, exempt := range exemptTypes {
			if exempt.kind.MatchString(kind) && (exempt.step == nil || slices.ContainsFunc(above, exempt.step)) {
				return true
			}
		}
	}
	return false
}

// stepsTo are the names of the members that lead from a resource of the first level to a value, its own the last.
func stepsTo(v *armtemplate.Value) []string {
	steps := []string{v.Key}
	for v = v.Parent; v != nil && v.Parent != nil && v.Parent.Parent != nil && v.Parent.Parent.Parent != nil; v = v.Parent {
		if v.Key != "" {
			steps = append(steps, v.Key)
		}
	}
	slices.Reverse(steps)
	return steps
}
