package armtemplate

import (
	"strings"

	"stoa/shared/packages/jsondoc"
)

// Deployments is the type of the resource that deploys another template.
const Deployments = "Microsoft.Resources/deployments"

// Resource is one resource of a template.
type Resource struct {
	*Value
	Type   string    // the whole type, that of the resource around it in front; "" when it is not written out
	Around *Resource // the resource inside of which it stands
}

// resources reads a list of resources, or an object of them by their symbolic names, and what they hold.
func (t *Template) resources(list *Value, around *Resource) {
	if list == nil {
		return
	}
	for _, v := range list.Below {
		if v.Kind != jsondoc.Object {
			continue
		}
		r := &Resource{Value: v, Type: whole(around, v.Member("type").Word()), Around: around}
		t.Resources = append(t.Resources, *r)
		t.resources(v.Member("resources"), r)
		if r.OfType(Deployments) {
			t.resources(v.At("properties", "template", "resources"), nil)
		}
	}
}

// whole is the type with that of the resource around it, unless it already begins with that.
func whole(around *Resource, kind string) string {
	if around == nil || around.Type == "" || kind == "" || around.OfType(Deployments) {
		return kind
	}
	if len(kind) > len(around.Type) && strings.EqualFold(kind[:len(around.Type)], around.Type) {
		return kind
	}
	return around.Type + "/" + kind
}

// OfType reports whether the resource is of one of the types, case aside.
func (r *Resource) OfType(types ...string) bool {
	for _, t := range types {
		if strings.EqualFold(r.Type, t) {
			return true
		}
	}
	return false
}

// Begins reports whether the type begins with one of the prefixes, case aside.
func (r *Resource) Begins(prefixes ...string) bool {
	for _, p := range prefixes {
		if len(r.Type) >= len(p) && strings.EqualFold(r.Type[:len(p)], p) {
			return true
		}
	}
	return false
}
