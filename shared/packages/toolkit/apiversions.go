package toolkit

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"stoa/shared/packages/armexpr"
	"stoa/shared/packages/armtemplate"
	"stoa/shared/packages/jsondoc"
)

const (
	versionsTest   = "apiVersions-Should-Be-Recent"
	referencesTest = "apiVersions-Should-Be-Recent-In-Reference-Functions"
)

// catalogueText has one line for resource types that have the same versions: the types, in lower case, and behind them
// the versions, the newest first. State of August 2026.
//
//go:embed data/apiversions.txt
var catalogueText string

// catalogue are the API versions of resource types, the newest first. A type inside of another one that is missing has
// the versions of that. It is read when it is first asked for, which most processes never do.
var catalogue = sync.OnceValue(func() map[string][]string {
	out := map[string][]string{}
	for line := range strings.Lines(catalogueText) {
		words := strings.Fields(line)
		first := slices.IndexFunc(words, func(w string) bool { return !strings.Contains(w, "/") })
		for _, kind := range words[:first] {
			out[kind] = words[first:]
		}
	}
	return out
})

// versionsOf are the versions of a type, or of the nearest type around it.
func versionsOf(kind string) []string {
	kind = strings.ToLower(kind)
	for {
		if versions := catalogue()[kind]; versions != nil {
			return versions
		}
		slash := strings.LastIndexByte(kind, '/')
		if slash < 0 || !strings.Contains(kind[:slash], "/") {
			return nil
		}
		kind = kind[:slash]
	}
}

// versionDate is a date at the begin of a version, or anywhere in a text.
var versionDate = regexp.MustCompile(`\d{4}-\d{2}-\d{2}(?:-\w+)?`)

// verdict says what is wrong with an API version of a type, or what is to be noted.
func verdict(kind, version string, now time.Time, days int) (fault, note string) {
	versions, version := versionsOf(kind), strings.ToLower(version)
	at := slices.Index(versions, version)
	date, err := time.Parse(time.DateOnly, version[:len(time.DateOnly)])
	preview := strings.Count(version, "-") >= 3
	switch {
	case err != nil:
		return "is no date", ""
	case preview && at > 0 && slices.ContainsFunc(versions[:at], stable):
		return "is a preview, and a newer version of " + kind + " is none, such as " + newestStable(versions), ""
	case preview && at == 0 && len(versions) > 1 && versions[1] == withoutWord(version):
		return "is a preview, and " + versions[1] + " of the same date is none", ""
	case at > 0 && !now.IsZero() && now.Sub(date) > time.Duration(days)*24*time.Hour &&
		!(at == 1 && withoutWord(versions[0]) == version) && version != newestStable(versions):
		return fmt.Sprintf("is more than %d days old; the newest of %s is %s", days, kind, newestStable(versions)), ""
	case at < 0:
		return "", "is not among the known versions of " + kind
	default:
		return "", ""
	}
}

func stable(version string) bool { return strings.Count(version, "-") < 3 }

func newestStable(versions []string) string {
	for _, v := range versions {
		if !strings.Contains(v, "preview") {
			return v
		}
	}
	return ""
}

// withoutWord is a version without the last word, which of a preview leaves the date.
func withoutWord(version string) string {
	return version[:max(strings.LastIndexByte(version, '-'), 0)]
}

// apiVersions: AZA-224.
func apiVersions(in *Input, found *Found) {
	days, flag := parameterOf[int](versionsTest, "numberOfDays"), parameterOf[string](versionsTest, "skipMetadataFlag")
	for _, t := range in.Templates {
		for i := range t.Resources {
			r := &t.Resources[i]
			v := r.Member("apiVersion")
			if v == nil || flagged(r, flag) || r.OfType(armtemplate.Deployments) && (t.Bicep() || hasPrefixFold(r.Member("name").Word(), "pid-")) {
				continue // what tracks usage has the version that the documentation gives
			}
			switch text := strings.TrimSpace(v.Text); {
			case v.Kind != jsondoc.String:
				found.On(t, v, "The API version is %s and not a text.", written(v))
			case v.Expr != nil || versionDate.FindString(text) == "":
				found.On(t, v, "The API version %q is not a date that is written out.", short(text))
			case strings.Contains(strings.ToLower(r.Type), "/providers/"):
				found.Note(t, v, "The type %s does not say which provider's versions apply.", short(r.Type))
			default:
				report(in, found, t, v, r.Type, versionDate.FindString(text), days)
			}
		}
	}
}

func report(in *Input, found *Found, t *armtemplate.Template, v *armtemplate.Value, kind, version string, days int) {
	fault, note := verdict(kind, version, in.Now, days)
	if fault != "" {
		found.On(t, v, "The API version %s %s.", version, fault)
	} else if note != "" && kind != "" {
		found.Note(t, v, "The API version %s %s.", version, note)
	}
}

// flagged reports whether the metadata of a resource switch the test off.
func flagged(r *armtemplate.Resource, flag string) bool {
	metadata := r.Member("metadata")
	if metadata == nil {
		return false
	}
	return strings.EqualFold(metadata.Word(), flag) ||
		slices.ContainsFunc(metadata.Below, func(v *armtemplate.Value) bool {
			return strings.EqualFold(v.Word(), flag) && metadata.Kind == jsondoc.Array
		})
}

// referenceVersions: AZA-225. The type is read from resourceId() in the call, or found by the variable that names the
// resource.
func referenceVersions(in *Input, found *Found) {
	days := parameterOf[int](referencesTest, "numberOfDays")
	for _, t := range in.Templates {
		if t.Bicep() {
			continue
		}
		named := typesByVariable(t)
		everyExpression(t, func(at *armtemplate.Value, n *armexpr.Node) bool {
			if n.Kind != armexpr.Call || !strings.EqualFold(n.Text, "reference") && !hasPrefixFold(n.Text, "list") {
				return true
			}
			version := ""
			n.Walk(func(part *armexpr.Node) bool {
				if version == "" && part.Kind == armexpr.String {
					version = versionDate.FindString(part.Text)
				}
				return true
			})
			if kind := referencedType(n, named); kind != "" && version != "" && versionsOf(kind) != nil {
				report(in, found, t, at, kind, version, days)
			}
			return false
		})
	}
}

func hasPrefixFold(text, prefix string) bool {
	return len(text) >= len(prefix) && strings.EqualFold(text[:len(prefix)], prefix)
}

// referencedType is the type of the resource that a call asks for, "" when it does not say.
func referencedType(call *armexpr.Node, named map[string]string) string {
	kinds, variable := []string{}, ""
	call.Walk(func(n *armexpr.Node) bool {
		if n.Calls("resourceId") && len(kinds) == 0 {
			for i := range n.Args {
				if segment, plain := n.Argument(i); plain && strings.Contains(segment, "/") {
					kinds = append(kinds, segment)
				}
			}
		}
		if name, plain := n.Argument(0); plain && variable == "" && n.Calls("variables") {
			variable = name
		}
		return true
	})
	if len(kinds) > 0 || variable == "" {
		return strings.Join(kinds, "/")
	}
	return named[strings.ToLower(variable)]
}

// typesByVariable are the types of resources by the variables that their names are made with, in lower case. Where
// two names use a variable, the first counts.
func typesByVariable(t *armtemplate.Template) map[string]string {
	out := map[string]string{}
	for i := range t.Resources {
		name := t.Resources[i].Member("name")
		if name == nil {
			continue
		}
		name.Expr.Walk(func(n *armexpr.Node) bool {
			if variable, plain := n.Argument(0); plain && n.Calls("variables") && out[strings.ToLower(variable)] == "" {
				out[strings.ToLower(variable)] = t.Resources[i].Type
			}
			return true
		})
	}
	return out
}
