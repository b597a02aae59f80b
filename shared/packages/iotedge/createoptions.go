package iotedge

import (
	"strings"
	"unicode/utf8"

	"stoa/shared/packages/jsondoc"
)

// CreateOptions is the text as it is stored: a bare list of members gets its braces (IOT-27).
func CreateOptions(text string) string {
	if trimmed := strings.TrimSpace(text); strings.HasPrefix(trimmed, `"`) {
		return "{" + trimmed + "}"
	}
	return text
}

// createOptions looks at the options a container is created with (IOT-27 to IOT-29).
func (c check) createOptions(at, text string) {
	if text == "" {
		return
	}
	if n := utf8.RuneCountInString(text); n > maxText {
		c.add("IOT_SETTING_LENGTH", at, "The text has %d characters; at most %d are allowed.", n, maxText)
		return
	}
	root, problems := jsondoc.Parse([]byte(CreateOptions(text)))
	if root == nil || len(problems) > 0 || root.Kind != jsondoc.Object || strings.Contains(text, `\"`) {
		c.add("IOT_CREATE_OPTIONS", at, "The options are no JSON object that could be used as it stands.")
		return
	}
	c.placeholders(at, text)
	host := root.Get("HostConfig")
	if p := host.Get("Privileged"); p.Is(jsondoc.Bool) && p.Text == "true" {
		c.add("IOT_PRIVILEGED", at, "The module runs privileged.")
	}
	for _, what := range hostAccess(host) {
		c.add("IOT_HOST_ACCESS", at, "The module has %s.", what)
	}
}

// hostAccess lists what a module reaches of its host.
func hostAccess(host *jsondoc.Node) (found []string) {
	if caps := host.Get("CapAdd"); caps.Is(jsondoc.Array) && len(caps.Items) > 0 {
		found = append(found, "further capabilities (CapAdd)")
	}
	for key, what := range map[string]string{"NetworkMode": "the host's network", "PidMode": "the host's processes"} {
		if mode := host.Get(key); mode.Is(jsondoc.String) && strings.EqualFold(mode.Text, "host") {
			found = append(found, what)
		}
	}
	if binds := host.Get("Binds"); binds.Is(jsondoc.Array) {
		for _, b := range binds.Items {
			if source, _, _ := strings.Cut(b.Text, ":"); source == "/" {
				found = append(found, "the root of the host's files")
			}
		}
	}
	return found
}
