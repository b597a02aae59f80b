package toolkit

import (
	"strings"

	"stoa/shared/packages/armtemplate"
	"stoa/shared/packages/jsondoc"
)

const blanksTest = "Template-Should-Not-Contain-Blanks"

var (
	mayBeBlank   = lowered(parameterOf[[]string](blanksTest, "propertiesThatCanBeEmpty"))
	blankInTypes = parameterOf[map[string]string](blanksTest, "emptyInsideResourceTypes")
)

// blanks: AZA-247.
func blanks(in *Input, found *Found) {
	for _, t := range in.Templates {
		var exempt map[string]bool
		var inside map[*armtemplate.Value]bool
		for _, v := range t.Values {
			what := blank(v)
			if what == "" || v.Key == "" || strings.Contains(v.Key, "[") || containsFold(v.Key, "/subscriptions/") {
				continue
			}
			if exempt == nil {
				exempt, inside = exemptNames(t), exemptPlaces(t)
			}
			if !exempt[strings.ToLower(v.Key)] && !within(v, inside) {
				found.On(t, v, "%s is %s; leave it out.", v.Key, what)
			}
		}
	}
}

// blank says what a value is that holds nothing, "" when it holds something.
func blank(v *armtemplate.Value) string {
	switch {
	case v.Kind == jsondoc.Null:
		return "null"
	case v.Kind == jsondoc.Object && len(v.Members) == 0:
		return "an empty object"
	case v.Kind == jsondoc.Array && len(v.Items) == 0:
		return "an empty list"
	case v.Kind == jsondoc.String && strings.TrimSpace(v.Text) == "":
		return "an empty text"
	default:
		return ""
	}
}

// exemptNames are the names of properties that may be blank. Like the toolkit, it exempts with a property that may be
// blank all those that stand beside one whose name holds such a name.
func exemptNames(t *armtemplate.Template) map[string]bool {
	out := map[string]bool{}
	for _, name := range mayBeBlank {
		out[name] = true
	}
	beside := map[string]bool{} // by the name in lower case, whether it holds one of those
	for _, v := range t.Values {
		if v.Kind != jsondoc.Object {
			continue
		}
		for _, m := range v.Below {
			holds, known := beside[m.Key]
			if !known {
				holds = containsAny(m.Key, mayBeBlank)
				beside[m.Key] = holds
			}
			if holds {
				for _, other := range v.Below {
					out[strings.ToLower(other.Key)] = true
				}
				break
			}
		}
	}
	return out
}

// exemptPlaces are the values of resources of certain types in which everything may be blank.
func exemptPlaces(t *armtemplate.Template) map[*armtemplate.Value]bool {
	out := map[*armtemplate.Value]bool{}
	for i := range t.Resources {
		for kind, path := range blankInTypes {
			if t.Resources[i].OfType(kind) {
				out[t.Resources[i].At(strings.Split(path, ".")...)] = true
			}
		}
	}
	delete(out, nil)
	return out
}
