package toolkit

import (
	"regexp"
	"strings"

	"stoa/shared/packages/armexpr"
	"stoa/shared/packages/armtemplate"
	"stoa/shared/packages/jsondoc"
)

// dependsOn: AZA-228. Like the toolkit, a list that uses copyIndex() anywhere may use concat() everywhere.
func dependsOn(in *Input, found *Found) {
	for _, t := range in.Templates {
		for _, list := range inResources(t, "dependsOn") {
			entries := list.Below
			if list.Kind == jsondoc.String {
				entries = []*armtemplate.Value{list}
			}
			loop := false
			for _, v := range entries {
				v.Expr.Walk(func(n *armexpr.Node) bool {
					loop = loop || n.Calls("copyIndex")
					return !loop
				})
			}
			for _, v := range entries {
				if v.Expr.Calls("if") {
					found.On(t, v, "The dependency begins with if(); a condition belongs to the resource.")
				}
				if v.Expr.Calls("concat") && !loop {
					found.On(t, v, "The dependency begins with concat(); use resourceId().")
				}
			}
		}
	}
}

const hostsTest = "DeploymentTemplate-Must-Not-Contain-Hardcoded-Uri"

var (
	hosts        = lowered(parameterOf[[]string](hostsTest, "hosts"))
	hostPrefixes = lowered(parameterOf[[]string](hostsTest, "allowedPrefixes"))
)

// hardcodedHosts: AZA-230.
func hardcodedHosts(in *Input, found *Found) {
	for _, t := range in.Templates {
		everyText(t, func(at *armtemplate.Value, text string, _ *armexpr.Node) {
			if at.Section == "parameters" {
				return
			}
			for _, host := range hostsIn(text) {
				found.On(t, at, "The address of an Azure environment, %s, is hard-coded; use environment().", host)
			}
		})
	}
}

// hostsIn are the names of hosts of Azure environments in a text. Their last labels are looked for first, because
// dots are rare.
func hostsIn(text string) []string {
	var out []string
	for dot := 0; ; dot++ {
		next := strings.IndexByte(text[dot:], '.')
		if next < 0 {
			return out
		}
		dot += next
		if host, begin := hostAround(text, dot); host != "" && !excused(text[:begin]) {
			out = append(out, host)
		}
	}
}

// hostAround is the longest host whose last dot is this one, and where it begins.
func hostAround(text string, dot int) (host string, begin int) {
	for _, h := range hosts {
		last := strings.LastIndexByte(h, '.')
		begins, end := dot-last, dot+len(h)-last
		if begins < 0 || end > len(text) || len(h) <= len(host) || !strings.EqualFold(text[begins:end], h) {
			continue
		}
		host, begin = h, begins
	}
	return host, begin
}

func excused(before string) bool {
	for _, p := range hostPrefixes {
		if len(before) >= len(p) && strings.EqualFold(before[len(before)-len(p):], p) {
			return true
		}
	}
	return false
}

const templateSchemaTest = "DeploymentTemplate-Schema-Is-Correct"

var (
	templateSchemas   = parameterOf[[]string](templateSchemaTest, "schemas")
	deprecatedSchemas = parameterOf[[]string](templateSchemaTest, "deprecated")
)

// templateSchema: AZA-231. A deprecated address passes, with a note.
func templateSchema(in *Input, found *Found) {
	for _, t := range in.Templates {
		switch schema := t.Root.Member("$schema"); {
		case schema == nil || !truthy(schema.Node):
			found.Missing(t, t.Root, "$schema", "The template has no $schema.")
		case !oneOf(schema.Text, templateSchemas):
			found.On(t, schema, "The $schema %q is not the address of a template schema; use %s.", written(schema), templateSchemas[1])
		case oneOf(schema.Text, deprecatedSchemas):
			found.Note(t, schema, "The $schema of 2015-01-01 is deprecated.")
		}
	}
}

// dynamicVariables: AZA-232. The toolkit looks for concat() with one text, and a parameter behind it.
func dynamicVariables(in *Input, found *Found) {
	for _, t := range in.Templates {
		everyExpression(t, func(at *armtemplate.Value, n *armexpr.Node) bool {
			if !n.Calls("variables") || len(n.Args) != 2 || !n.Args[0].Calls("concat") || !n.Args[1].Calls("parameters") {
				return true
			}
			if _, plain := n.Args[0].Argument(0); plain && len(n.Args[0].Args) == 1 {
				found.On(t, at, "The name of a variable is made with concat(); write variables('x')[parameters('y')].")
			}
			return true
		})
	}
}

// managedIdentity: AZA-235.
func managedIdentity(in *Input, found *Found) {
	const extension = "managedidentityextension"
	for _, t := range in.Templates {
		everyText(t, func(at *armtemplate.Value, text string, _ *armexpr.Node) {
			if at.Section == "resources" && containsFold(text, extension) {
				found.On(t, at, "The managed identity extension is used.")
			}
		})
	}
}

var providersCall = regexp.MustCompile(`(?is)providers\(.*\)\.apiVersions`)

// providersVersions: AZA-241.
func providersVersions(in *Input, found *Found) {
	for _, t := range in.Templates {
		everyText(t, func(at *armtemplate.Value, text string, _ *armexpr.Node) {
			if containsFold(text, "apiversions") && providersCall.MatchString(text) {
				found.On(t, at, "An API version is looked up with providers(); write it out.")
			}
		})
	}
}

// unwanted are the functions with which the first argument of a function must not begin.
var unwanted = map[string][]string{
	"resourceid":             {"resourceGroup", "subscription", "concat", "format"},
	"subscriptionresourceid": {"subscription", "concat", "format"},
	"tenantresourceid":       {"concat", "format"},
	"extensionresourceid":    {"concat", "format"},
	"reference":              {"concat", "format"},
	"list":                   {"concat", "format"},
}

// resourceIDArguments: AZA-242.
func resourceIDArguments(in *Input, found *Found) {
	for _, t := range in.Templates {
		if t.Bicep() {
			continue
		}
		everyExpression(t, func(at *armtemplate.Value, n *armexpr.Node) bool {
			if n.Kind != armexpr.Call || len(n.Args) == 0 {
				return true
			}
			name := strings.ToLower(n.Text)
			if strings.HasPrefix(name, "list") {
				name = "list"
			}
			if first := n.Args[0].Root(); first.Calls(unwanted[name]...) {
				found.On(t, at, "%s() begins with %s().", n.Text, first.Text)
			}
			return true
		})
	}
}

var notInURIs = parameterOf[[]string]("URIs-Should-Be-Properly-Constructed", "functionsNotAllowed")

// constructedURIs: AZA-248.
func constructedURIs(in *Input, found *Found) {
	for _, t := range in.Templates {
		for _, v := range t.Values {
			if len(v.Key) < 3 || !oneOf(v.Key[len(v.Key)-3:], []string{"uri", "url"}) {
				continue
			}
			var first string // what comes first, uri() or one that must not stand outside of it
			v.Expr.Walk(func(n *armexpr.Node) bool {
				if first == "" && (n.Calls("uri") || n.Calls(notInURIs...)) {
					first = n.Text
				}
				return first == ""
			})
			if first != "" && !strings.EqualFold(first, "uri") {
				found.On(t, v, "%s is made with %s(); use uri().", v.Key, first)
			}
		}
	}
}
