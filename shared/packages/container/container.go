// Package container validates the images that an offer brings by tags in a registry: Azure Container offers (rules
// CON-30 to CON-41) and IoT Edge modules (IOT-8 to IOT-20).
//
// The registry is asked through a port. What it answers is compared by digest; a tag is never trusted to stay.
package container

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"stoa/shared/packages/finding"
)

// Kind is an offer type that brings images.
type Kind string

// The kinds.
const (
	Container Kind = "AzureContainer"
	IoTEdge   Kind = "IoTEdgeModule"
)

const (
	maxTags     = 16
	latest      = "latest"
	loginServer = "azurecr.io"
)

// Repository is where the images are and which of them are offered.
type Repository struct {
	Kind      Kind
	Registry  string // bare name
	Name      string
	Tags      []string
	Published map[string]string // digest of each tag that was published (CON-38, IOT-16)
	Platforms []string          // of IoT Edge modules: those to cover (IOT-20)
	AnyOne    bool              // one of Platforms is enough
}

// Image is what a tag names.
type Image struct {
	Digest    string
	Known     bool // a manifest of a known media type (CON-41)
	List      bool // a manifest list or an image index
	Platform  string
	Children  []Child // of a list
	Different bool    // the bytes have another digest than the registry says
}

// Child is an image of a manifest list. Attestations and the like have no platform and are left out.
type Child struct{ Digest, Platform string }

// Refused is why the registry gives nothing, as a code of the table; the publisher's fault, and final.
type Refused struct{ Code string }

// Error implements error.
func (r *Refused) Error() string { return "the registry refuses: " + r.Code }

// Registry looks up images. A *Refused error says that the settings are to blame; any other is the registry's own
// failure and may pass.
type Registry interface {
	Image(ctx context.Context, repository, tag string) (Image, error)
}

// check is one run over a repository.
type check struct {
	Repository
	report *finding.Report
	images map[string]Image // by tag, those that were found
}

// CheckTags looks at the settings alone, without the registry (CON-30, CON-34 to CON-36, IOT-8, IOT-11, IOT-14,
// IOT-17, IOT-19).
func (r Repository) CheckTags(report *finding.Report) {
	c := check{Repository: r, report: report}
	if strings.ContainsAny(r.Registry, "./") || strings.Contains(r.Registry, loginServer) {
		c.add("RegistryNameIsLoginServer", "registryName", "The registry is %q.", r.Registry)
	}
	if len(r.Tags) == 0 || len(r.Tags) > maxTags {
		c.add("TagCount", "imageTags", "The plan has %d tags.", len(r.Tags))
		return
	}
	c.checkForms()
	if !slices.Contains(r.Tags, latest) {
		c.add("TagLatestMissing", "imageTags", "The tags are %s.", strings.Join(r.Tags, ", "))
	}
	if !slices.ContainsFunc(r.Tags, c.isVersion) {
		c.add("TagVersionMissing", "imageTags", "The tags are %s.", strings.Join(r.Tags, ", "))
	}
	if r.Kind != IoTEdge {
		return
	}
	for _, tag := range slices.Sorted(maps.Keys(r.Published)) {
		if frozen(tag) && !slices.Contains(r.Tags, tag) {
			c.add("VersionTagDropped", "imageTags", "The tag %s is published.", tag)
		}
	}
}

var (
	tagSyntax   = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)
	versionForm = regexp.MustCompile(`^\d+\.\d+(\.\d+)?(-.*)?$`)
	exactForm   = regexp.MustCompile(`^\d{1,9}\.\d{1,9}\.\d{1,9}$`)
	frozenForm  = regexp.MustCompile(`^\d+\.\d+\.\d+(-.*)?$`)
)

// isVersion reports whether a tag is the version tag that a plan needs: of a module X.Y.Z, else X.Y as well.
func (c *check) isVersion(tag string) bool {
	if c.Kind == IoTEdge {
		return exactForm.MatchString(tag)
	}
	return versionForm.MatchString(tag)
}

// frozen reports whether a published tag may never move: all but latest and X.Y (CON-38, IOT-16).
func frozen(tag string) bool { return frozenForm.MatchString(tag) }

// checkForms looks at each tag (CON-34, CON-36, IOT-19).
func (c *check) checkForms() {
	seen := map[string]bool{}
	for _, tag := range c.Tags {
		switch {
		case !tagSyntax.MatchString(tag):
			c.add("TagSyntax", at(tag), "The tag is %q.", tag)
		case seen[tag]:
			c.add("TagDuplicate", at(tag), "The tag %s stands twice.", tag)
		case c.Kind == Container && tag != latest && !versionForm.MatchString(tag):
			c.add("TagFormat", at(tag), "The tag is %q.", tag)
		}
		seen[tag] = true
	}
}

func (c *check) add(code, at, format string, args ...any) {
	c.report.Add(code, finding.Place{File: at}, format, args...)
}

func at(tag string) string { return fmt.Sprintf("imageTags[%s]", tag) }

// CheckImages asks the registry for every tag and compares what they name (CON-31, CON-37, CON-38, CON-41, IOT-12 to
// IOT-16, IOT-20). It returns the digest of each tag, for the next publish. The error is the registry's own.
func (r Repository) CheckImages(ctx context.Context, from Registry, report *finding.Report) (map[string]string, error) {
	c := check{Repository: r, report: report, images: map[string]Image{}}
	digests := map[string]string{}
	for _, tag := range r.Tags {
		image, err := from.Image(ctx, r.Name, tag)
		if code, is := c.refusal(err); is {
			c.add(code, at(tag), "The registry %s has no %s:%s for us.", r.Registry, r.Name, tag)
			if code != "TagNotFound" {
				return nil, nil // what holds for one tag holds for all
			}
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look up %s:%s: %w", r.Name, tag, err)
		}
		c.images[tag], digests[tag] = image, image.Digest
		c.checkImage(tag, image)
	}
	c.checkChildren()
	if r.Kind == IoTEdge {
		c.checkModule()
	}
	return digests, nil
}

// checkImage looks at what one tag names.
func (c *check) checkImage(tag string, image Image) {
	switch {
	case image.Different:
		c.add("ImageSignatureInvalid", at(tag), "The manifest of %s is not what the digest %s says.", tag, image.Digest)
	case !image.Known:
		c.add("ManifestUnknown", at(tag), "The tag %s names no image manifest.", tag)
	}
	if before := c.Published[tag]; frozen(tag) && before != "" && before != image.Digest {
		c.add("VersionTagMoved", at(tag), "The tag %s was published as %s and is now %s.", tag, before, image.Digest)
	}
	if c.Kind == IoTEdge && image.List && tag != latest && !versionForm.MatchString(tag) { // IOT-14, IOT-18
		c.add("TagFormat", at(tag), "The tag %q names a manifest list.", tag)
	}
}

// checkChildren compares by digest: what a manifest list names must be listed itself (CON-37, IOT-13).
func (c *check) checkChildren() {
	listed := map[string]bool{}
	for _, image := range c.images {
		listed[image.Digest] = true
	}
	told := map[string]bool{}
	for _, tag := range c.Tags {
		for _, child := range c.images[tag].Children {
			if !listed[child.Digest] && !told[child.Digest] {
				told[child.Digest] = true
				c.add("TagNotListed", at(tag), "No listed tag names %s (%s), which %s holds.", child.Digest, child.Platform, tag)
			}
		}
	}
}

// parts of a version, to compare 1.10.0 with 1.9.3.
func parts(tag string) []int {
	out := make([]int, 3)
	for i, part := range strings.SplitN(tag, ".", 3) {
		out[i], _ = strconv.Atoi(part) // exactForm: digits, at most nine
	}
	return out
}
