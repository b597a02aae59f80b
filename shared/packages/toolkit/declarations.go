package toolkit

import (
	"strings"

	"stoa/shared/packages/armexpr"
	"stoa/shared/packages/armtemplate"
	"stoa/shared/packages/jsondoc"
)

// artifactsParameter: AZA-226.
func artifactsParameter(in *Input, found *Found) {
	expected := parameterOf[string]("artifacts-parameter", "mainDefaultMustContain")
	for _, t := range in.Templates {
		location, token := t.Parameter("_artifactsLocation"), t.Parameter("_artifactsLocationSasToken")
		if !location.Is(jsondoc.Object) {
			continue
		}
		if kind := location.Member("type"); !oneOf(kind.Word(), []string{"string", "secureString"}) {
			found.On(t, location, "_artifactsLocation is of type %s; it must be string or secureString.", written(kind))
		}
		if token == nil {
			found.On(t, location, "There is _artifactsLocation and no _artifactsLocationSasToken.")
		} else if kind := token.Member("type"); !strings.EqualFold(kind.Word(), "secureString") {
			found.On(t, token, "_artifactsLocationSasToken is of type %s; it must be secureString.", written(kind))
		}
		if t.Main && t.Outer == nil {
			mainArtifacts(t, expected, found)
			continue
		}
		for _, p := range []*armtemplate.Value{location, token} {
			if value := p.Member("defaultValue"); value != nil && truthy(value.Node) {
				found.On(t, value, "%s has a default; in a nested or linked template the value is handed down.", p.Key)
			}
		}
	}
}

// mainArtifacts looks at the defaults that the parameters must have in the main template.
func mainArtifacts(t *armtemplate.Template, expected string, found *Found) {
	location, token := t.Parameter("_artifactsLocation"), t.Parameter("_artifactsLocationSasToken")
	switch value := location.Member("defaultValue"); {
	case value == nil || !truthy(value.Node):
		found.On(t, location, "_artifactsLocation has no default; in the main template it is [deployment().properties.templateLink.uri].")
	case !containsFold(value.Text, strings.ToLower(expected)):
		found.On(t, value, "The default of _artifactsLocation is %q; it must be made of %s.", written(value), expected)
	}
	if value := token.Member("defaultValue"); token != nil && (value == nil || value.Kind == jsondoc.Null) {
		found.On(t, token, "_artifactsLocationSasToken has no default; in the main template it is an empty text.")
	}
}

// minAndMax: AZA-236.
func minAndMax(in *Input, found *Found) {
	for _, t := range in.Templates {
		for _, p := range t.Parameters() {
			least, most := p.Member("minValue"), p.Member("maxValue")
			switch {
			case most != nil && !whole(most):
				found.On(t, most, "maxValue of %s is %s and not a whole number.", p.Key, written(most))
			case least != nil && !whole(least):
				found.On(t, least, "minValue of %s is %s and not a whole number.", p.Key, written(least))
			case least != nil && most == nil:
				found.On(t, p, "The parameter %s has a minValue and no maxValue.", p.Key)
			case most != nil && least == nil:
				found.On(t, p, "The parameter %s has a maxValue and no minValue.", p.Key)
			}
		}
	}
}

func whole(v *armtemplate.Value) bool {
	return v.Kind == jsondoc.Number && !strings.ContainsAny(v.Text, ".eE")
}

// parameterTypes: AZA-238. Only a parameter that is handed down whole is compared, and only with its nearest
// declaration.
func parameterTypes(in *Input, found *Found) {
	for _, t := range in.Templates {
		if t.Outer == nil || !t.Cut.Parent.Member("parameters").Is(jsondoc.Object) {
			continue
		}
		for _, handed := range t.Cut.Parent.Member("parameters").Below {
			value := handed
			if handed.Kind == jsondoc.Object {
				value = handed.Member("value")
			}
			if value == nil || !value.Expr.Calls("parameters") {
				continue
			}
			name, _ := value.Expr.Argument(0)
			outer := declared(t.Cut, name)
			inner := t.Parameter(handed.Key).Member("type")
			if outer.Word() != "" && !strings.EqualFold(outer.Word(), inner.Word()) {
				found.On(t.Outer, value, "The parameter %s is of type %s; the nested template declares %s of type %s.", name, written(outer), handed.Key, written(inner))
			}
		}
	}
}

// declared is the type of a parameter in the nearest object around that declares it.
func declared(v *armtemplate.Value, name string) *armtemplate.Value {
	for v = v.Parent; v != nil; v = v.Parent {
		if kind := v.At("parameters", name, "type"); kind.Word() != "" {
			return kind
		}
	}
	return nil
}

// unusedParameters: AZA-239.
func unusedParameters(in *Input, found *Found) {
	for _, t := range in.Templates {
		uses := usesByName(t, "parameters")
		for _, p := range t.Parameters() {
			if strings.HasPrefix(p.Key, "__") {
				continue
			}
			used := uses[strings.ToLower(p.Key)]
			if len(used) == 0 {
				found.On(t, p, "The parameter %s is used nowhere.", p.Key)
			}
			outsideExpressions(t, "parameter", p.Key, used, found)
		}
	}
}

// unusedVariables: AZA-249.
func unusedVariables(in *Input, found *Found) {
	for _, t := range in.Templates {
		uses, members := usesByName(t, "variables"), membersUsed(t)
		check := func(v *armtemplate.Value, name string, other bool) {
			used := uses[strings.ToLower(name)]
			if len(used) == 0 && !other {
				found.On(t, v, "The variable %s is used nowhere.", name)
			}
			outsideExpressions(t, "variable", name, used, found)
		}
		for _, v := range t.Variables() {
			loops := v.Member("copy")
			if loops == nil || loops.Kind == jsondoc.Null {
				check(v, v.Key, false)
				continue
			}
			for _, loop := range loops.Below {
				name := loop.Member("name").Word()
				check(loop, name, members[strings.ToLower(v.Key+"."+name)])
			}
		}
		for _, loop := range t.Loops() {
			check(loop, loop.Member("name").Word(), false)
		}
	}
}

func usesByName(t *armtemplate.Template, function string) map[string][]armtemplate.Use {
	out := map[string][]armtemplate.Use{}
	for _, use := range t.Uses {
		if use.Function == function {
			out[use.Name] = append(out[use.Name], use)
		}
	}
	return out
}

func outsideExpressions(t *armtemplate.Template, what, name string, uses []armtemplate.Use, found *Found) {
	for _, use := range uses {
		if !use.Expression {
			found.On(t, use.Value, "The %s %s is named outside of an expression.", what, name)
		}
	}
}

// membersUsed are the members of variables that expressions take, as variable.member in lower case.
func membersUsed(t *armtemplate.Template) map[string]bool {
	out := map[string]bool{}
	everyExpression(t, func(_ *armtemplate.Value, n *armexpr.Node) bool {
		if n.Kind == armexpr.Member && n.Args[0].Calls("variables") {
			name, _ := n.Args[0].Argument(0)
			out[strings.ToLower(name+"."+n.Text)] = true
		}
		return true
	})
	return out
}
