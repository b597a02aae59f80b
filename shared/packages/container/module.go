package container

import (
	"errors"
	"maps"
	"slices"
	"strings"
)

// refusal is the code of a refusal. A registry that does not let us in has a code of its own where a module is asked
// for (IOT-9).
func (c *check) refusal(err error) (string, bool) {
	var r *Refused
	switch {
	case !errors.As(err, &r):
		return "", false
	case c.Kind == IoTEdge && r.Code == "RegistryAuthFailed":
		return "RegistryAccessDenied", true
	}
	return r.Code, true
}

// checkModule looks at what holds for IoT Edge modules alone.
func (c *check) checkModule() {
	platforms := c.platforms()
	if len(platforms) > 1 { // IOT-12
		for _, tag := range c.Tags {
			if image, found := c.images[tag]; found && !image.List && (tag == latest || exactForm.MatchString(tag)) {
				c.add("TagNotManifest", at(tag), "The tag %s names one image; the module has the platforms %s.", tag, strings.Join(platforms, ", "))
			}
		}
	}
	c.checkPlatforms(platforms)
	c.checkLatest()
}

// platforms are those of all images, sorted.
func (c *check) platforms() []string {
	all := map[string]bool{}
	for _, image := range c.images {
		if image.Platform != "" {
			all[image.Platform] = true
		}
		for _, child := range image.Children {
			all[child.Platform] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// checkPlatforms compares with what the chosen option asks for (IOT-20).
func (c *check) checkPlatforms(have []string) {
	var missing []string
	for _, want := range c.Platforms {
		if !slices.Contains(have, want) {
			missing = append(missing, want)
		}
	}
	if len(missing) == 0 || c.AnyOne && len(missing) < len(c.Platforms) {
		return
	}
	c.add("PlatformMissing", "imageTags", "There is no image for %s; found %s.", strings.Join(missing, ", "), strings.Join(have, ", "))
}

// checkLatest compares latest with the highest version (IOT-15).
func (c *check) checkLatest() {
	highest := ""
	for _, tag := range c.Tags {
		_, found := c.images[tag]
		if found && exactForm.MatchString(tag) && (highest == "" || slices.Compare(parts(tag), parts(highest)) > 0) {
			highest = tag
		}
	}
	newest, found := c.images[latest]
	if highest == "" || !found {
		return
	}
	if !slices.Equal(children(newest), children(c.images[highest])) {
		c.add("TagLatestDiffers", at(latest), "The tag latest names other images than %s.", highest)
	}
}

// children are the digests of the images of a tag, sorted: its own when it is one.
func children(i Image) []string {
	if !i.List {
		return []string{i.Digest}
	}
	out := make([]string, len(i.Children))
	for n, child := range i.Children {
		out[n] = child.Digest
	}
	slices.Sort(out)
	return out
}
