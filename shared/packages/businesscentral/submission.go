package businesscentral

import (
	"fmt"
	"slices"
	"strings"
)

// checkOffer compares the main extension with the offer (DYN-54). Texts are compared with their letter case and
// without blanks at the ends.
func (v *validation) checkOffer(a *app) {
	for _, row := range []struct{ code, attr, has, wants, where string }{
		{"BC_NAME_MISMATCH", "Name", a.Name, v.options.Name, "the listing has"},
		{"BC_PUBLISHER_MISMATCH", "Publisher", a.Publisher, v.options.Publisher, "the publisher is displayed as"},
		{"BC_VERSION_MISMATCH", "Version", a.Version, v.options.AppVersion, "the page Properties has"},
	} {
		if wants := strings.TrimSpace(row.wants); wants != "" && wants != row.has {
			a.add(v.report, row.code, a.property(row.attr), "The extension has the %s %s; %s %s.", strings.ToLower(row.attr), quoted(row.has), row.where, quoted(wants))
		}
	}
	if live, ok := guid(v.options.LiveID); ok && live != a.ID {
		a.add(v.report, "BC_APP_ID_CHANGED", a.property("Id"), "The id is %s; the live extension of the offer has %s.", a.ID, live)
	}
}

// checkSubmission looks at all extensions that customers get, and how they fit together.
func (v *validation) checkSubmission(all []*app) error {
	live := v.published()
	submitted := map[string]*app{}
	for _, a := range all {
		if other := submitted[a.ID]; other != nil {
			a.add(v.report, "AVS0103", a.property("Id"), "The id %s is that of %s as well.", a.ID, other.File)
			continue
		}
		submitted[a.ID] = a
	}
	for _, a := range all {
		if isMicrosoft(a.Publisher) && !isMicrosoft(v.options.Publisher) {
			a.add(v.report, "BC_MICROSOFT_EXTENSION", a.property("Publisher"), "The extension %s is one of Microsoft.", quoted(a.Name))
		}
		if err := v.checkPublished(a, live[a.ID]); err != nil {
			return err
		}
		v.checkDependencies(a, submitted, live)
	}
	return nil
}

func isMicrosoft(publisher string) bool {
	return strings.EqualFold(strings.TrimSpace(publisher), "Microsoft")
}

// release is a live version of an extension.
type release struct {
	Published
	version version
}

// published are the live versions of extensions by id. Those that cannot be read are left out.
func (v *validation) published() map[string][]release {
	out := map[string][]release{}
	for _, p := range v.options.Published {
		id, isID := guid(p.ID)
		number, isVersion := parseVersion(p.Version)
		if isID && isVersion {
			out[id] = append(out[id], release{p, number})
		}
	}
	return out
}

// checkPublished compares an extension with what is live under its id.
func (v *validation) checkPublished(a *app, live []release) error {
	var highest *release
	for i, r := range live {
		if r.Foreign {
			a.add(v.report, "BC_APP_ID_TAKEN", a.property("Id"), "The id %s belongs to an extension of another publisher.", a.ID)
			return nil
		}
		if highest == nil || highest.version.below(r.version) {
			highest = &live[i]
		}
	}
	if highest == nil {
		return nil
	}
	if a.version.below(highest.version) {
		a.add(v.report, "BC_VERSION_LOWER", a.property("Version"), "The version is %s; %s is live.", a.Version, highest.Version)
	}
	for _, r := range live {
		both := common(r.Markets, v.options.Markets)
		if r.version != a.version || len(both) == 0 {
			continue
		}
		digest, err := a.digest()
		if err != nil {
			return err
		}
		if !strings.EqualFold(digest, r.SHA256) {
			a.add(v.report, "AVS0107", a.property("Version"), "The version %s with other content is live in %s.", a.Version, strings.Join(both, ", "))
			return nil
		}
	}
	return nil
}

// common are the markets of both lists.
func common(a, b []string) []string {
	var out []string
	for _, m := range a {
		if slices.ContainsFunc(b, func(o string) bool { return strings.EqualFold(m, o) }) {
			out = append(out, m)
		}
	}
	return out
}

// checkDependencies looks whether customers can get all that the extension needs (DYN-52).
func (v *validation) checkDependencies(a *app, submitted map[string]*app, live map[string][]release) {
	for i, d := range a.Dependencies {
		least, _ := parseVersion(d.MinVersion) // it was read
		if _, base := baseApplications[d.ID]; base {
			continue
		}
		other, inside := submitted[d.ID]
		if inside && !other.version.below(least) {
			continue
		}
		if slices.ContainsFunc(live[d.ID], func(r release) bool { return !r.version.below(least) }) {
			continue
		}
		if v.unread && !inside && len(live[d.ID]) == 0 {
			continue // it may be the one that cannot be read
		}
		why := "is neither submitted nor published"
		switch {
		case inside:
			why = "is submitted with the version " + other.Version
		case len(live[d.ID]) > 0:
			why = "is published in a lower version only"
		}
		a.add(v.report, "AVS0108", spot{element: a.needs[i]}, "The extension needs %s %s of %s, which %s.", quoted(d.Name), d.MinVersion, quoted(d.Publisher), why)
	}
}

// facts are what the extensions say of themselves. The minimum release is the highest that one of them asks for.
func facts(all []*app) Facts {
	var out Facts
	var highest version
	for _, a := range all {
		out.Extensions = append(out.Extensions, a.Extension)
		asks := []string{a.Application}
		for _, d := range a.Dependencies {
			if _, base := baseApplications[d.ID]; base {
				asks = append(asks, d.MinVersion)
			}
		}
		for _, text := range asks {
			if number, ok := parseVersion(text); ok && highest.below(number) {
				highest = number
			}
		}
	}
	if highest != (version{}) {
		out.MinimumRelease = fmt.Sprintf("%d.%d", highest[0], highest[1])
	}
	return out
}
