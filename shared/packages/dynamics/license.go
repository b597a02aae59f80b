package dynamics

import (
	"regexp"
	"slices"
	"strings"

	"stoa/shared/packages/archive"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/xmldoc"
)

// metadata is the license metadata of the anchor solution. Its XML has no published form, so that it is read by
// value: an entry is about the plan whose Service ID is one of its values, letter case aside (LIC-9).
type metadata struct {
	*solutions
	plans    []*xmldoc.Element // entries that define plans
	mappings []*xmldoc.Element // entries that map a plan to an app
	present  map[string]bool   // Service IDs in lower case
	mapped   map[string]bool   // Service IDs that are mapped, in lower case
	licensed map[string]bool   // apps that are mapped, in lower case
}

// checkLicense compares the plans of the offer with those in the package (LIC-10, LIC-11).
func (s *solutions) checkLicense(facts *Package) {
	slices.Sort(s.modules)
	facts.AppModules = slices.Compact(s.modules)
	if !s.anchorRead {
		return // what is wrong with the anchor is found already
	}
	m := &metadata{solutions: s, present: map[string]bool{}, mapped: map[string]bool{}, licensed: map[string]bool{}}
	m.plans, m.mappings = m.entries(planSet), m.entries(mappingSet)
	for _, e := range m.plans {
		if id := serviceID(e); id != "" {
			facts.ServiceIDs = append(facts.ServiceIDs, id)
		}
	}
	license := s.options.License
	if license == nil {
		if len(m.plans) > 0 {
			m.add("LIC_METADATA_UNEXPECTED", s.customizations, spot{element: m.plans[0]}, "The package has %d service plans, though license management is off.", len(m.plans))
		}
		return
	}
	m.checkPlans(license.ServiceIDs)
	m.checkMappings(license.ServiceIDs, facts.AppModules)
	if left := m.unlicensed(facts.AppModules); license.InstallWithout && left == 0 { // LIC-11
		m.say("LIC_PACKAGE_REQUIRES_LICENSE", mappingSet, "Customers may install without a license, and none of the %d apps of the package is without a plan.", len(facts.AppModules))
	}
}

// entries are what stands in the sets of a name.
func (m *metadata) entries(name string) []*xmldoc.Element {
	var out []*xmldoc.Element
	if m.customizations == nil {
		return nil
	}
	for _, set := range m.customizations.Root.Children {
		if strings.EqualFold(set.Name, name) {
			out = append(out, set.Children...)
		}
	}
	return out
}

// checkPlans looks whether each plan of the offer has a service plan and each service plan is one of the offer's.
func (m *metadata) checkPlans(ids []string) {
	known := folded(ids)
	for _, e := range m.plans {
		isKnown := false
		for _, value := range e.Values() {
			if id := strings.ToLower(value); known[id] {
				m.present[id], isKnown = true, true
			}
		}
		if !isKnown {
			m.add("LIC_SERVICE_ID_UNKNOWN", m.customizations, spot{element: e}, "The service plan %s is no plan of the offer; its Service IDs are %s.", quoted(serviceID(e)), listed(ids))
		}
	}
	for _, id := range ids {
		if !m.present[strings.ToLower(id)] {
			m.say("LIC_SERVICE_ID_MISSING", planSet, "The plan %s has no service plan in the anchor solution.", id)
		}
	}
}

// checkMappings looks whether each service plan of the offer is mapped to an app.
func (m *metadata) checkMappings(ids, modules []string) {
	known, apps := folded(ids), folded(modules)
	for _, e := range m.mappings {
		var of, to []string
		for _, value := range e.Values() {
			value = strings.ToLower(value)
			if known[value] {
				of = append(of, value)
			}
			if apps[value] {
				to = append(to, value)
			}
		}
		for _, id := range of {
			m.mapped[id] = m.mapped[id] || len(to) > 0
		}
		for _, app := range to {
			m.licensed[app] = m.licensed[app] || len(of) > 0
		}
	}
	for _, id := range ids {
		if id := strings.ToLower(id); m.present[id] && !m.mapped[id] {
			m.say("LIC_PLAN_NOT_MAPPED", mappingSet, "The plan %s is mapped to none of the apps of the package: %s.", id, listed(modules))
		}
	}
}

// unlicensed counts the apps without a plan.
func (m *metadata) unlicensed(modules []string) int {
	n := 0
	for _, name := range modules {
		if !m.licensed[strings.ToLower(name)] {
			n++
		}
	}
	return n
}

// say records a finding at the first set of a name, or at the anchor when it has none.
func (m *metadata) say(code, set, format string, args ...any) {
	if m.customizations == nil {
		m.report.Add(code, finding.Place{File: archive.Join(m.solutions.box.path, m.anchor.Name)}, format, args...)
		return
	}
	at := spot{}
	if i := slices.IndexFunc(m.customizations.Root.Children, func(e *xmldoc.Element) bool { return strings.EqualFold(e.Name, set) }); i >= 0 {
		at.element = m.customizations.Root.Children[i]
	}
	m.add(code, m.customizations, at, format, args...)
}

// serviceIDForm is publisher, offer and plan.
var serviceIDForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}\.[A-Za-z0-9_-]{1,50}\.[A-Za-z0-9_-]{1,50}$`)

// serviceID is the first value of an entry that looks like a Service ID, or its first value.
func serviceID(e *xmldoc.Element) string {
	values := e.Values()
	for _, value := range values {
		if serviceIDForm.MatchString(value) {
			return value
		}
	}
	if len(values) > 0 {
		return values[0]
	}
	return ""
}

func folded(names []string) map[string]bool {
	out := make(map[string]bool, len(names))
	for _, name := range names {
		out[strings.ToLower(name)] = true
	}
	return out
}
