package toolkit

import (
	"strings"

	"stoa/shared/packages/armexpr"
	"stoa/shared/packages/armtemplate"
	"stoa/shared/packages/jsondoc"
)

// templateTests are the tests of templates (AZA-222 to AZA-252).
var templateTests = map[string]Test{
	"adminPassword-Should-Not-Be-A-Literal":                   adminPassword,       // AZA-222
	"adminUsername-Should-Not-Be-A-Literal":                   adminUsername,       // AZA-223
	"apiVersions-Should-Be-Recent":                            apiVersions,         // AZA-224
	"apiVersions-Should-Be-Recent-In-Reference-Functions":     referenceVersions,   // AZA-225
	"artifacts-parameter":                                     artifactsParameter,  // AZA-226
	"CommandToExecute-Must-Use-ProtectedSettings-For-Secrets": commandToExecute,    // AZA-227
	"DependsOn-Best-Practices":                                dependsOn,           // AZA-228
	"Deployment-Resources-Must-Not-Be-Debug":                  debugSetting,        // AZA-229
	"DeploymentTemplate-Must-Not-Contain-Hardcoded-Uri":       hardcodedHosts,      // AZA-230
	"DeploymentTemplate-Schema-Is-Correct":                    templateSchema,      // AZA-231
	"Dynamic-Variable-References-Should-Not-Use-Concat":       dynamicVariables,    // AZA-232
	"IDs-Should-Be-Derived-From-ResourceIDs":                  derivedIDs,          // AZA-233
	"Location-Should-Not-Be-Hardcoded":                        hardcodedLocation,   // AZA-234
	"ManagedIdentityExtension-must-not-be-used":               managedIdentity,     // AZA-235
	"Min-And-Max-Value-Are-Numbers":                           minAndMax,           // AZA-236
	"Outputs-Must-Not-Contain-Secrets":                        outputSecrets,       // AZA-237
	"Parameter-Types-Should-Be-Consistent":                    parameterTypes,      // AZA-238
	"Parameters-Must-Be-Referenced":                           unusedParameters,    // AZA-239
	"Password-params-must-be-secure":                          passwordParameters,  // AZA-240
	"providers_apiVersions-Is-Not-Permitted":                  providersVersions,   // AZA-241
	"ResourceIds-should-not-contain":                          resourceIDArguments, // AZA-242
	"Resources-Should-Have-Location":                          resourceLocation,    // AZA-243
	"Resources-Should-Not-Be-Ambiguous":                       switchedOff,         // AZA-244
	"Secure-Params-In-Nested-Deployments":                     nestedSecrets,       // AZA-245
	"Secure-String-Parameters-Cannot-Have-Default":            secureDefaults,      // AZA-246
	"Template-Should-Not-Contain-Blanks":                      blanks,              // AZA-247
	"URIs-Should-Be-Properly-Constructed":                     constructedURIs,     // AZA-248
	"Variables-Must-Be-Referenced":                            unusedVariables,     // AZA-249
	"Virtual-Machines-Should-Not-Be-Preview":                  previewImages,       // AZA-250
	"VM-Images-Should-Use-Latest-Version":                     switchedOff,         // AZA-251
	"VM-Size-Should-Be-A-Parameter":                           vmSizes,             // AZA-252
}

// switchedOff is a test that the toolkit itself has switched off: it passes.
func switchedOff(*Input, *Found) {}

// inResources is every value of this name in the resources of a template.
func inResources(t *armtemplate.Template, name string) []*armtemplate.Value {
	out := []*armtemplate.Value{}
	for _, v := range t.Find(name) {
		if v.Section == "resources" {
			out = append(out, v)
		}
	}
	return out
}

// texts calls visit for every text in a value: those that stand there and the names of members.
func texts(v *armtemplate.Value, visit func(at *armtemplate.Value, text string, e *armexpr.Node)) {
	if v.Kind == jsondoc.String {
		visit(v, v.Text, v.Expr)
	}
	for _, below := range v.Below {
		if below.Key != "" {
			visit(below, below.Key, below.KeyExpr)
		}
		texts(below, visit)
	}
}

// everyText calls visit for every text of a template.
func everyText(t *armtemplate.Template, visit func(at *armtemplate.Value, text string, e *armexpr.Node)) {
	for _, v := range t.Values {
		if v.Key != "" {
			visit(v, v.Key, v.KeyExpr)
		}
		if v.Kind == jsondoc.String {
			visit(v, v.Text, v.Expr)
		}
	}
}

// everyExpression calls visit for every part of every expression of a template, until it returns false for what is
// below a part.
func everyExpression(t *armtemplate.Template, visit func(at *armtemplate.Value, n *armexpr.Node) bool) {
	for _, e := range t.Expressions {
		e.Walk(func(n *armexpr.Node) bool { return visit(e.At, n) })
	}
}

// secure reports whether a parameter is of a type that is kept secret.
func secure(parameter *armtemplate.Value) bool {
	kind := parameter.Member("type").Word()
	return strings.EqualFold(kind, "secureString") || strings.EqualFold(kind, "secureObject")
}

// secureNames are the names of the secret parameters, in lower case, with their types.
func secureNames(t *armtemplate.Template) map[string]string {
	out := map[string]string{}
	for _, p := range t.Parameters() {
		if secure(p) {
			out[strings.ToLower(p.Key)] = p.Member("type").Word()
		}
	}
	return out
}

// short is a text that is quoted in a message.
func short(s string) string {
	const most = 80
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}

// written is a value as it is quoted in a message.
func written(v *armtemplate.Value) string {
	switch {
	case v.Is(jsondoc.Object):
		return "an object"
	case v.Is(jsondoc.Array):
		return "a list"
	case v.Is(jsondoc.Null):
		return "null"
	case v == nil:
		return "nothing"
	default:
		return short(v.Text)
	}
}
