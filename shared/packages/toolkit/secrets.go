package toolkit

import (
	"regexp"
	"strings"

	"stoa/shared/packages/armexpr"
	"stoa/shared/packages/armtemplate"
	"stoa/shared/packages/jsondoc"
)

// anyBrackets is what the toolkit takes for an expression where it looks for literals.
var anyBrackets = regexp.MustCompile(`\[[^\]]+\]`)

var (
	passwordProperties = parameterOf[[]string]("adminPassword-Should-Not-Be-A-Literal", "properties")
	usernameProperties = parameterOf[[]string]("adminUsername-Should-Not-Be-A-Literal", "properties")
)

// adminPassword: AZA-222.
func adminPassword(in *Input, found *Found) {
	literals(in, found, passwordProperties)
}

// adminUsername: AZA-223.
func adminUsername(in *Input, found *Found) {
	literals(in, found, usernameProperties)
}

// literals finds properties that are no expressions, or that are a variable with a literal value.
func literals(in *Input, found *Found, properties []string) {
	for _, t := range in.Templates {
		for _, name := range properties {
			for _, v := range t.Find(name) {
				if v.Section != "resources" && v.Section != "variables" {
					continue
				}
				if v.Section == "resources" && v.Kind != jsondoc.String { // a value that is handed to a nested template
					v = v.Member("value")
				}
				if !v.Is(jsondoc.String) {
					continue
				}
				if !anyBrackets.MatchString(v.Text) {
					found.On(t, v, "%s is the literal %q; it must be an expression.", name, short(v.Text))
				} else if variable := literalVariable(t, v.Text); variable != "" {
					found.On(t, v, "%s is the variable %s, whose value is a literal.", name, variable)
				}
			}
		}
	}
}

// loneVariable is a text that opens with a variable, whatever is taken of it.
var loneVariable = regexp.MustCompile(`(?i)^\s*\[\s*variables\s*\(\s*'([^']+)'\s*\)`)

// literalVariable is the name of the variable that a text opens with, when the variable holds no expression.
func literalVariable(t *armtemplate.Template, text string) string {
	match := loneVariable.FindStringSubmatch(text)
	variables := t.Root.Member("variables")
	if match == nil || variables == nil || t.Looped(match[1]) {
		return ""
	}
	computed := false
	if v := variables.Member(match[1]); v != nil {
		texts(v, func(_ *armtemplate.Value, _ string, e *armexpr.Node) { computed = computed || e != nil })
	}
	if computed {
		return ""
	}
	return match[1]
}

// listCall is a call of a function such as listKeys. A function of the template whose name only holds the word list
// does not stand behind one of these characters.
var listCall = regexp.MustCompile(`(?i)[\[(,]\s*(list\w*)\s*\(`)

// listsSecrets is the name of a list function that an expression of a text calls.
func listsSecrets(text string) (name string, expression bool) {
	if !containsFold(text, "list") {
		return "", false
	}
	at := listCall.FindStringSubmatchIndex(text)
	if at == nil {
		return "", false
	}
	return text[at[2]:at[3]], strings.Contains(text[:at[0]+1], "[")
}

// scriptType is the types of the extensions that run a command.
var scriptType = regexp.MustCompile("(?i)" + parameterOf[string]("CommandToExecute-Must-Use-ProtectedSettings-For-Secrets", "typePattern"))

// commandToExecute: AZA-227.
func commandToExecute(in *Input, found *Found) {
	for _, t := range in.Templates {
		names, uses := secureNames(t), usesByValue(t, "parameters")
		for _, v := range t.Find("commandToExecute") {
			settings := v.Parent
			if settings.Parent == nil || !scriptType.MatchString(settings.Parent.Member("type").Word()) || protected(settings) || v.Kind != jsondoc.String {
				continue
			}
			if list, _ := listsSecrets(v.Text); list != "" {
				found.On(t, v, "commandToExecute calls %s() and is not in protectedSettings.", list)
				continue
			}
			for _, use := range uses[v] {
				if kind := names[use.Name]; kind != "" {
					found.On(t, v, "commandToExecute uses the %s parameter %s and is not in protectedSettings.", kind, use.Name)
				}
			}
		}
	}
}

// protected reports whether one of the objects around has the command in its protected settings.
func protected(settings *armtemplate.Value) bool {
	for v := settings.Parent; v != nil; v = v.Parent {
		if command := v.At("protectedSettings", "commandToExecute"); command != nil && truthy(command.Node) {
			return true
		}
	}
	return false
}

func usesByValue(t *armtemplate.Template, function string) map[*armtemplate.Value][]armtemplate.Use {
	out := map[*armtemplate.Value][]armtemplate.Use{}
	for _, use := range t.Uses {
		if use.Function == function {
			out[use.Value] = append(out[use.Value], use)
		}
	}
	return out
}

// outputSecrets: AZA-237.
func outputSecrets(in *Input, found *Found) {
	for _, t := range in.Templates {
		outputs := t.Root.Member("outputs")
		if !outputs.Is(jsondoc.Object) {
			continue
		}
		for _, output := range outputs.Below {
			if containsFold(output.Key, "password") {
				found.On(t, output, "The name of the output %s suggests a secret.", output.Key)
			}
			texts(output, func(at *armtemplate.Value, text string, _ *armexpr.Node) {
				if list, expression := listsSecrets(text); expression {
					found.On(t, at, "The output %s calls %s(), which gives secrets.", output.Key, list)
				}
			})
		}
		names := secureNames(t)
		for _, use := range t.Uses {
			if kind := names[use.Name]; kind != "" && use.Value.Section == "outputs" && use.Function == "parameters" && use.Expression {
				found.On(t, use.Value, "An output uses the %s parameter %s.", kind, use.Name)
			}
		}
	}
}

const passwordTest = "Password-params-must-be-secure"

var (
	secretWords   = parameterOf[[]string](passwordTest, "nameContains")
	noSecretWords = parameterOf[[]string](passwordTest, "secretExemptWhenNameAlsoContains")
)

// passwordParameters: AZA-240.
func passwordParameters(in *Input, found *Found) {
	for _, t := range in.Templates {
		for _, p := range t.Parameters() {
			if !containsAny(p.Key, secretWords) || secure(p) || strings.EqualFold(p.Member("type").Word(), "bool") ||
				containsFold(p.Key, "secret") && containsAny(p.Key, noSecretWords) {
				continue
			}
			found.On(t, p, "The parameter %s is of type %s; its name suggests a secret, which must be secureString or secureObject.", p.Key, written(p.Member("type")))
		}
	}
}

func containsAny(text string, words []string) bool {
	for _, w := range words {
		if containsFold(text, w) {
			return true
		}
	}
	return false
}

// nestedSecrets: AZA-245. What is evaluated in the scope of the parent is kept in clear text with the deployment.
func nestedSecrets(in *Input, found *Found) {
	for _, t := range in.Templates {
		names, nested := secureNames(t), outerScoped(t)
		for _, use := range t.Uses {
			if kind := names[use.Name]; kind != "" && use.Function == "parameters" && use.Expression && within(use.Value, nested) {
				found.On(t, use.Value, "A nested deployment that is evaluated in the outer scope uses the %s parameter %s.", kind, use.Name)
			}
		}
		for _, v := range t.Values {
			if list, expression := listsSecrets(v.Text); v.Kind == jsondoc.String && expression && within(v, nested) {
				found.On(t, v, "A nested deployment that is evaluated in the outer scope calls %s().", list)
			}
		}
	}
}

// outerScoped are the nested templates that are evaluated as part of a template.
func outerScoped(t *armtemplate.Template) map[*armtemplate.Value]bool {
	out := map[*armtemplate.Value]bool{}
	for _, kind := range inResources(t, "type") {
		if !strings.EqualFold(kind.Word(), armtemplate.Deployments) {
			continue
		}
		properties := kind.Parent.Member("properties")
		scope := properties.At("expressionEvaluationOptions", "scope")
		if scope == nil || !truthy(scope.Node) || strings.EqualFold(scope.Word(), "outer") {
			out[properties.Member("template")] = true
		}
	}
	delete(out, nil)
	return out
}

// within reports whether a value stands in one of others.
func within(v *armtemplate.Value, others map[*armtemplate.Value]bool) bool {
	for ; v != nil && len(others) > 0; v = v.Parent {
		if others[v] {
			return true
		}
	}
	return false
}

// secureDefaults: AZA-246. secureObject is not tested.
func secureDefaults(in *Input, found *Found) {
	for _, t := range in.Templates {
		for _, p := range t.Parameters() {
			value := p.Member("defaultValue")
			if !strings.EqualFold(p.Member("type").Word(), "secureString") || value == nil || !truthy(value.Node) {
				continue
			}
			made := false
			value.Expr.Walk(func(n *armexpr.Node) bool {
				made = made || n.Calls("newGuid")
				return !made
			})
			if !made {
				found.On(t, value, "The secureString parameter %s has a default; only an empty text or an expression with newGuid() may be one.", p.Key)
			}
		}
	}
}
