package offer

import (
	"strings"

	"stoa/shared/fault"
)

const pageSetup = "offerSetup"

// Objects that hold fields of several pages, with how deep a page's part of them lies. What is not here belongs to
// a page as a whole, members without a field included: the sealed secrets of a lead destination are its page's.
var (
	savedByField  = map[string]int{"listing": 2}
	mergedByField = map[string]int{"listing": 2, "definition": 3}
)

// owned is the member that a page owns because of a field: a whole one, or the part of a shared object.
func owned(path string, shared map[string]int) []string {
	segments := strings.Split(firstSegments(path), "/")
	depth := max(shared[segments[0]], 1)
	return segments[:min(depth, len(segments))]
}

// members are what a page takes along when it is published, and what tells whether it changed.
func (p *page) members() [][]string {
	var out [][]string
	seen := map[string]bool{}
	add := func(segments ...string) {
		if key := strings.Join(segments, "/"); !seen[key] {
			seen[key] = true
			out = append(out, segments)
		}
	}
	for _, f := range p.Fields {
		add(owned(f.Path, mergedByField)...)
	}
	if p.ID == pageSetup { // it turns the test drive on
		add("testDrive", "enabled")
		add("isTestOffer")
	}
	return out
}

// Merge is the content of base with the given pages of the draft (PUB-6). Invalid for a page there is none of.
func Merge(base, draft Content, pages []string) (Content, error) {
	doc, from := document(&base), document(&draft)
	for _, id := range pages {
		p := rules.page(id)
		if p == nil {
			return Content{}, fault.New(fault.Invalid, CodeInvalid, "pages", "There is no page %s.", id)
		}
		for _, segments := range p.members() {
			setMember(doc, from, segments)
		}
	}
	return decodeContent(doc)
}

// setMember makes a member of into what it is in from, also when it is not there.
func setMember(into, from map[string]any, segments []string) {
	v, ok := from[segments[0]]
	switch {
	case !ok:
		delete(into, segments[0])
	case len(segments) == 1:
		into[segments[0]] = v
	default:
		below, _ := into[segments[0]].(map[string]any)
		source, _ := v.(map[string]any)
		if below == nil {
			below = map[string]any{}
			into[segments[0]] = below
		}
		setMember(below, source, segments[1:])
	}
}

// fingerprint tells whether a page changed.
func fingerprint(p *page, doc map[string]any) string {
	parts := map[string]any{}
	for _, segments := range p.members() {
		root := strings.Join(segments, "/")
		parts[root] = lookup(doc, root)
	}
	return GUID(canonical(parts))
}
