// Package tracking looks after the tracking ID of an Azure application offer in its templates, by which usage of what
// customers deploy is attributed (rules CUA-3 to CUA-9): it makes the ID, checks the resources that carry IDs, and
// inserts the one that is missing without disturbing anything else.
package tracking

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"stoa/shared/packages/armexpr"
	"stoa/shared/packages/content"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/jsondoc"
)

const (
	suffix      = "-partnercenter"
	maxName     = 64 // of a deployment
	deployments = "Microsoft.Resources/deployments"
	singular    = "Microsoft.Resources/deployment"
)

// ID is the tracking ID of an offer. Taken reports whether another offer has an ID, since IDs of publishers and offers
// hold hyphens themselves (CUA-3).
func ID(publisherID, offerID string, taken func(id string) bool) string {
	plain := "pid-" + publisherID + "-" + offerID + suffix
	if len(plain) <= maxName && !taken(plain) {
		return plain
	}
	return "pid-" + uuid.NewSHA1(uuid.NameSpaceURL, []byte(publisherID+"/"+offerID)).String() + suffix
}

// Options are what is known beside the templates.
type Options struct {
	ID         string                           // the offer's tracking ID
	Registered func(guid string) bool           // whether the publisher has registered a GUID; nil takes all
	Fold       func(text string) (string, bool) // the constant that an expression of the main template stands for; nil knows none
}

// check is one run.
type check struct {
	Options
	report *finding.Report
	found  bool // a resource carries the tracking ID
	other  bool // deployments of another purpose
}

// Check looks at the main template and at the others of the package. It reports whether the main template lacks the
// tracking resource and may be stamped with it (CUA-4).
func Check(main *content.Document, others []*content.Document, o Options, report *finding.Report) bool {
	c := &check{Options: o, report: report}
	c.resources(main, main.Root.Get("resources"), "/resources", false)
	for _, d := range others {
		c.resources(d, d.Root.Get("resources"), "/resources", true)
	}
	if !c.found && c.other { // CUA-6
		report.Add("APP_TRACKING_ID_MISSING", main.Place("/resources", main.Root.Get("resources")),
			"The template deploys templates of its own, and no resource is called %s.", o.ID)
	}
	return !c.found && !c.other
}

// resources looks at the resources of a template, which is the main one's own unless it is nested.
func (c *check) resources(d *content.Document, list *jsondoc.Node, at string, nested bool) {
	if list == nil {
		return
	}
	for i, r := range list.Items {
		c.resource(d, r, at+"/"+strconv.Itoa(i), nested)
	}
	for _, m := range list.Members {
		c.resource(d, m.Value, at+"/"+content.Pointer(m.Key), nested)
	}
}

func (c *check) resource(d *content.Document, r *jsondoc.Node, at string, nested bool) {
	kind, name := text(r, "type"), text(r, "name")
	inner := r.Get("properties").Get("template")
	switch {
	case strings.EqualFold(kind, singular) && strings.HasPrefix(strings.ToLower(name), "pid-"): // CUA-5
		c.report.Add("APP_TRACKING_TYPE", d.Place(at+"/type", r.Get("type")), "The resource %s has the type %s.", name, kind)
	case strings.EqualFold(kind, deployments):
		c.deployment(d, r, at, nested)
	}
	c.resources(d, inner.Get("resources"), at+"/properties/template/resources", true)
	c.resources(d, r.Get("resources"), at+"/resources", true)
}

func text(n *jsondoc.Node, key string) string {
	if v := n.Get(key); v.Is(jsondoc.String) {
		return v.Text
	}
	return ""
}

// carrier reports whether a deployment has the form of one that only carries an ID: incremental, with an inline template
// without resources.
func carrier(r *jsondoc.Node) bool {
	p := r.Get("properties")
	list := p.Get("template").Get("resources")
	return strings.EqualFold(text(p, "mode"), "Incremental") && list != nil && len(list.Items)+len(list.Members) == 0
}

func (c *check) deployment(d *content.Document, r *jsondoc.Node, at string, nested bool) {
	name, place := text(r, "name"), d.Place(at+"/name", r.Get("name"))
	if armexpr.Is(name) {
		if !carrier(r) {
			c.other = c.other || !nested
			return
		}
		c.expression(name, place, nested)
		return
	}
	name = armexpr.Literal(name)
	switch {
	case !strings.HasPrefix(strings.ToLower(name), "pid-"):
		c.other = c.other || !nested
	case nested: // CUA-8
		c.report.Add("APP_TRACKING_ID_NESTED", place, "The tracking resource %s stands in a nested or linked template.", name)
	default:
		c.identifier(name, place)
	}
}

// expression looks at a tracking resource whose name is computed (CUA-5).
func (c *check) expression(name string, place finding.Place, nested bool) {
	if nested {
		return // what only carries an ID there is none of ours unless its name says so
	}
	f := finding.Finding{Code: "APP_TRACKING_ID_VARIABLE", File: place.File, Path: place.Path, Line: place.Line, Column: place.Column,
		Message: fmt.Sprintf("The name of the tracking resource is the expression %s.", name)}
	if c.Fold != nil {
		if folded, ok := c.Fold(name); ok && strings.EqualFold(folded, c.ID) {
			c.found = true
			f.Severity = finding.Warning
		}
	}
	c.report.Put(f)
}

var guid = regexp.MustCompile(`^(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// identifier looks at a literal name that begins with pid- (CUA-7, CUA-9).
func (c *check) identifier(name string, place finding.Place) {
	rest := name[len("pid-"):]
	switch {
	case strings.EqualFold(name, c.ID):
		c.found = true
	case strings.HasSuffix(strings.ToLower(name), suffix):
		c.report.Add("APP_TRACKING_ID_FOREIGN", place, "%s is the tracking ID of another offer; that of this one is %s.", name, c.ID)
	case !guid.MatchString(rest):
		c.report.Add("APP_TRACKING_GUID_FORMAT", place, "%q is no GUID of 32 digits.", rest)
	case c.Registered != nil && !c.Registered(strings.ToLower(rest)):
		c.report.Add("APP_TRACKING_GUID_UNREGISTERED", place, "The GUID %s is not registered.", rest)
	}
}
