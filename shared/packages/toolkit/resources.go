package toolkit

import (
	"regexp"
	"strings"

	"stoa/shared/packages/armexpr"
	"stoa/shared/packages/armtemplate"
	"stoa/shared/packages/jsondoc"
)

// debugSetting: AZA-229.
func debugSetting(in *Input, found *Found) {
	for _, t := range in.Templates {
		for _, kind := range inResources(t, "type") {
			level := kind.Parent.At("properties", "debugSetting", "detailLevel")
			if strings.EqualFold(kind.Word(), armtemplate.Deployments) && level != nil && truthy(level.Node) && !strings.EqualFold(level.Text, "None") {
				found.On(t, level, "The debug level of the deployment is %s; it must be none or absent, because it records secrets.", written(level))
			}
		}
	}
}

// locationCall is where the location of the group or of the deployment is asked for.
var locationCall = regexp.MustCompile(`(?i)(?:resourceGroup|deployment)\(\).location`)

// hardcodedLocation: AZA-234.
func hardcodedLocation(in *Input, found *Found) {
	for _, t := range in.Templates {
		locationParameter(t, found)
		deployments := deployments(t)
		everyText(t, func(at *armtemplate.Value, text string, _ *armexpr.Node) {
			if at.Section != "parameters" && strings.Contains(text, "()") && locationCall.MatchString(text) && !within(at, deployments) {
				found.On(t, at, "The location is asked for here; use the parameter location.")
			}
		})
		for i := range t.Resources {
			if v := t.Resources[i].Member("location"); v != nil && v.Expr == nil && !strings.EqualFold(v.Text, "global") {
				found.On(t, v, "The location is %s; it must be an expression or global.", written(v))
			}
		}
	}
}

func deployments(t *armtemplate.Template) map[*armtemplate.Value]bool {
	out := map[*armtemplate.Value]bool{}
	for _, kind := range t.Find("type") {
		if strings.EqualFold(kind.Word(), armtemplate.Deployments) {
			out[kind.Parent] = true
		}
	}
	return out
}

// locationParameter looks at the declaration of the parameter location. Where the template is linked, its value is
// handed down.
func locationParameter(t *armtemplate.Template, found *Found) {
	p := t.Parameter("location")
	if p == nil || p.Kind == jsondoc.Null {
		return
	}
	if kind := p.Member("type"); !strings.EqualFold(kind.Word(), "string") {
		found.On(t, p, "The parameter location is of type %s; it must be string.", written(kind))
	}
	value := p.Member("defaultValue")
	switch {
	case value == nil || value.Kind == jsondoc.Null:
	case t.Main:
		if truthy(value.Node) && !oneOf(value.Word(), []string{"[resourceGroup().location]", "[deployment().location]", "global"}) {
			found.On(t, value, "The default of location is %s; it must be [resourceGroup().location], [deployment().location] or global.", written(value))
		}
	case !locationCall.MatchString(value.Text):
		found.On(t, value, "The default of location is %s; in a linked template the value is handed down.", written(value))
	}
}

// resourceLocation: AZA-243. Only resources of the first level are tested.
func resourceLocation(in *Input, found *Found) {
	for _, t := range in.Templates {
		list := t.Root.Member("resources")
		if list == nil {
			continue
		}
		for _, r := range list.Below {
			v := r.Member("location")
			if v == nil || !truthy(v.Node) {
				continue
			}
			if word := v.Word(); !strings.EqualFold(word, "global") && !(strings.HasPrefix(word, "[") && strings.HasSuffix(word, "]")) {
				found.On(t, v, "The location is %s; it must be an expression or global.", written(v))
			}
		}
	}
}

// previewImages: AZA-250.
func previewImages(in *Input, found *Found) {
	for _, t := range in.Templates {
		for _, profile := range t.Find("storageProfile") {
			if !aroundOf(profile, "Microsoft.Compute/virtualMachines", "Microsoft.Compute/virtualMachineScaleSets") {
				continue
			}
			resolved := profile
			if v := variable(t, profile); v != nil {
				resolved = v
			}
			image := resolved.Member("imageReference")
			for _, v := range []*armtemplate.Value{image, image.Member("version"), image.Member("sku"), image.Member("offer")} {
				if v.Is(jsondoc.String) && hasSuffixFold(v.Text, "preview") {
					found.On(t, profile, "The machine uses the preview image %s.", short(v.Text))
					break
				}
			}
		}
	}
}

// aroundOf reports whether one of the objects around a value is of one of the types.
func aroundOf(v *armtemplate.Value, types ...string) bool {
	for v = v.Parent; v != nil; v = v.Parent {
		if kind := v.Member("type").Word(); kind != "" && oneOf(kind, types) {
			return true
		}
	}
	return false
}

func hasSuffixFold(text, suffix string) bool {
	return len(text) >= len(suffix) && strings.EqualFold(text[len(text)-len(suffix):], suffix)
}

// variable is what the variable holds that an expression is: variables('x') or a member of it. It is looked up once;
// what it holds may be an expression again.
func variable(t *armtemplate.Template, v *armtemplate.Value) *armtemplate.Value {
	if v == nil || v.Expr == nil || !v.Expr.Root().Calls("variables") {
		return nil
	}
	name, _ := v.Expr.Root().Argument(0)
	return takenOf(t.Root.At("variables", name), v.Expr)
}

// takenOf takes the members and items of a value that an expression takes of its root.
func takenOf(root *armtemplate.Value, e *armexpr.Node) *armtemplate.Value {
	switch e.Kind {
	case armexpr.Member:
		return takenOf(root, e.Args[0]).Member(e.Text)
	case armexpr.Index:
		list, i, whole := takenOf(root, e.Args[0]), 0, false
		if i, whole = e.Args[1].Int(); !whole || list == nil || i < 0 || i >= len(list.Below) {
			return nil
		}
		return list.Below[i]
	default:
		return root
	}
}

var parameterCall = regexp.MustCompile(`(?i)parameters\s*\(\s*'`)

// vmSizes: AZA-252. A size that is handed to a nested template is tested like one of a machine.
func vmSizes(in *Input, found *Found) {
	for _, t := range in.Templates {
		for _, size := range t.Find("vmSize") {
			if size.Section == "parameters" || declaresParameter(size) || size.Section == "" {
				continue
			}
			if fromParameter(size) || fromParameter(variable(t, size)) || fromParameter(variable(t, size.Member("value"))) {
				continue
			}
			found.On(t, size, "The size of the machine is %s; it must come from a parameter.", written(size))
		}
	}
}

// declaresParameter reports whether a value is a parameter of a nested template, and not a value that is handed to
// one.
func declaresParameter(v *armtemplate.Value) bool {
	for ; v.Parent != nil; v = v.Parent {
		if strings.EqualFold(v.Parent.Key, "parameters") {
			deployment := v.Parent.Parent // the object that has the parameters
			return deployment == nil || !strings.EqualFold(deployment.Key, "properties")
		}
	}
	return false
}

// fromParameter reports whether a text in a value names a parameter.
func fromParameter(v *armtemplate.Value) bool {
	found := false
	if v != nil {
		texts(v, func(_ *armtemplate.Value, text string, _ *armexpr.Node) {
			found = found || parameterCall.MatchString(text)
		})
	}
	return found
}
