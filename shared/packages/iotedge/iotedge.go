// Package iotedge validates the default deployment settings of an IoT Edge module: routes, desired properties of its
// twin, environment variables and create options (rules IOT-22 to IOT-29). Its images are the business of package
// container.
package iotedge

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"stoa/shared/packages/finding"
	"stoa/shared/packages/jsondoc"
)

// Setting is a name with a value.
type Setting struct{ Name, Value string }

// Settings are the default settings of a plan.
type Settings struct {
	Routes        []Setting
	Twin          []Setting // desired properties
	Environment   []Setting
	CreateOptions string
	ModuleNames   []string // the default name of the module, and names that mean the same (IOT-24)
}

const (
	maxSettings = 5
	maxRoute    = 512 // characters, that many included
	maxText     = 511 // characters: fewer than 512
	maxTwinName = 64  // bytes
	maxNesting  = 4
)

// ModuleName is the default name of a module: the plan's name without all but letters and digits (IOT-24).
func ModuleName(plan string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, plan)
}

// check is one run over settings.
type check struct{ report *finding.Report }

// Validate looks at the settings.
func (s *Settings) Validate(report *finding.Report) {
	c := check{report}
	c.list("defaultRoutes", s.Routes, maxRoute)
	for i, r := range s.Routes {
		c.route(fmt.Sprintf("/defaultRoutes/%d/value", i), r.Value, s.ModuleNames)
	}
	c.list("defaultTwinDesiredProperties", s.Twin, maxText)
	for i, p := range s.Twin {
		c.property(fmt.Sprintf("/defaultTwinDesiredProperties/%d", i), p)
	}
	c.list("defaultEnvironmentVariables", s.Environment, maxText)
	for i, v := range s.Environment {
		c.placeholders(fmt.Sprintf("/defaultEnvironmentVariables/%d/value", i), v.Value)
	}
	c.createOptions("/defaultContainerCreateOptions", s.CreateOptions)
}

func (c check) add(code, pointer, format string, args ...any) {
	c.report.Add(code, finding.Place{File: "technicalConfiguration", Path: pointer}, format, args...)
}

// list looks at the number, the names and the lengths of settings (IOT-22, IOT-25, IOT-26).
func (c check) list(name string, settings []Setting, limit int) {
	if len(settings) > maxSettings {
		c.add("IOT_SETTING_COUNT", "/"+name, "There are %d of them.", len(settings))
	}
	seen := map[string]bool{}
	for i, s := range settings {
		at := fmt.Sprintf("/%s/%d", name, i)
		if s.Name == "" || seen[s.Name] {
			c.add("IOT_SETTING_NAME", at+"/name", "The name is %q.", s.Name)
		}
		seen[s.Name] = true
		for field, text := range map[string]string{"name": s.Name, "value": s.Value} {
			if n := utf8.RuneCountInString(text); n > limit || n == 0 && field == "value" {
				c.add("IOT_SETTING_LENGTH", at+"/"+field, "The text has %d characters; 1 to %d are allowed.", n, limit)
			}
		}
	}
}

const segment = `(?:<[A-Za-z][A-Za-z0-9_]*>|[A-Za-z0-9_.\-]+)`

var (
	routeForm  = regexp.MustCompile(`(?is)^\s*FROM\s+(\S+)(?:\s+WHERE\s+(.+?))?\s+INTO\s+(\S+)\s*$`)
	sourceForm = regexp.MustCompile(`^(?:/\*|/messages/\*|/messages/modules/\*|/messages/modules/(` + segment + `)/(?:\*|outputs/\*|outputs/` + segment + `))$`)
	sinkForm   = regexp.MustCompile(`^(?:\$upstream|BrokeredEndpoint\("/modules/(` + segment + `)/inputs/` + segment + `"\))$`)
)

// route looks at one route (IOT-22, IOT-23).
func (c check) route(at, text string, names []string) {
	parts := routeForm.FindStringSubmatch(text)
	if parts == nil {
		c.add("IOT_ROUTE_FORMAT", at, "The route is %q.", clip(text))
		return
	}
	source, sink := sourceForm.FindStringSubmatch(parts[1]), sinkForm.FindStringSubmatch(parts[3])
	if source == nil || sink == nil {
		c.add("IOT_ROUTE_FORMAT", at, "The source is %q and the sink is %q.", clip(parts[1]), clip(parts[3]))
		return
	}
	for _, module := range []string{source[1], sink[1]} {
		if module != "" && !strings.HasPrefix(module, "<") && !contains(names, module) {
			c.add("IOT_ROUTE_MODULE", at, "The route names the module %q.", module)
		}
	}
	c.placeholders(at, text)
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

var (
	anyPlaceholder = regexp.MustCompile(`<[A-Za-z][A-Za-z0-9_]*>`)
	placeholder    = regexp.MustCompile(`^<[A-Z][A-Z0-9_]*>$`)
)

// placeholders warns of those that are not written in capitals (IOT-29).
func (c check) placeholders(at, text string) {
	for _, p := range anyPlaceholder.FindAllString(text, -1) {
		if !placeholder.MatchString(p) {
			c.add("IOT_PLACEHOLDER", at, "The placeholder is %s.", p)
			return
		}
	}
}

// property looks at a desired property (IOT-25). A value that is only a placeholder counts as a text.
func (c check) property(at string, p Setting) {
	if len(p.Name) > maxTwinName || strings.ContainsAny(p.Name, ".$") || strings.ContainsFunc(p.Name, unicode.IsSpace) || strings.ContainsFunc(p.Name, unicode.IsControl) {
		c.add("IOT_TWIN_NAME", at+"/name", "The name is %q.", clip(p.Name))
	}
	c.placeholders(at+"/value", p.Value)
	if placeholder.MatchString(p.Value) || p.Value == "" {
		return
	}
	root, problems := jsondoc.Parse([]byte(p.Value))
	switch {
	case root == nil || len(problems) > 0:
		c.add("IOT_TWIN_VALUE", at+"/value", "The value is no JSON.")
	case strings.Contains(p.Value, `\"`):
		c.add("IOT_TWIN_VALUE", at+"/value", "The value has quotation marks behind backslashes.")
	default:
		if why := unfit(root, 0); why != "" {
			c.add("IOT_TWIN_VALUE", at+"/value", "The value has %s.", why)
		}
	}
}

// unfit says what a twin cannot hold.
func unfit(n *jsondoc.Node, depth int) string {
	switch n.Kind {
	case jsondoc.Array:
		return "a list"
	case jsondoc.Object:
		if depth++; depth > maxNesting {
			return fmt.Sprintf("objects more than %d levels deep", maxNesting)
		}
		for _, m := range n.Members {
			if why := unfit(m.Value, depth); why != "" {
				return why
			}
		}
	}
	return ""
}

func clip(s string) string {
	if r := []rune(s); len(r) > 80 {
		return string(r[:80]) + "…"
	}
	return s
}
