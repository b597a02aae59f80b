package selftest

import (
	"context"
	"regexp"
	"strings"
)

var (
	releaseCommand = shell(`cat /etc/os-release 2>/dev/null || cat /usr/lib/os-release 2>/dev/null; ` +
		`cat /etc/centos-release 2>/dev/null || cat /etc/redhat-release 2>/dev/null || cat /etc/system-release 2>/dev/null || true`)
	kernelCommand     = shell(`uname -r`)
	kernelFullCommand = shell(`cat /proc/version`)
)

// distribution is a Linux distribution and its release.
type distribution struct {
	id      string // as in os-release: ubuntu, rhel, sles
	name    string // Ubuntu
	version string // 18.04
	pretty  string // Ubuntu 18.04.5 LTS
}

// title is the name with the release.
func (d distribution) title() string { return strings.TrimSpace(d.name + " " + d.version) }

// major is the release without what follows its first dot.
func (d distribution) major() string {
	major, _, _ := strings.Cut(d.version, ".")
	return major
}

// kernel is the running kernel.
type kernel struct {
	release string // 5.4.0-1023-azure
	full    string // the line of /proc/version
}

// linux asks what the machine runs.
func (s *session) linux(ctx context.Context) (distribution, kernel, error) {
	release, err := s.ask(ctx, releaseCommand)
	if err != nil {
		return distribution{}, kernel{}, err
	}
	short, err := s.ask(ctx, kernelCommand)
	if err != nil {
		return distribution{}, kernel{}, err
	}
	full, err := s.ask(ctx, kernelFullCommand)
	return parseDistribution(release.Text), kernel{release: strings.TrimSpace(short.Text), full: full.Text}, err
}

// releaseLine is what the Red Hat family writes: "CentOS Linux release 7.7.1908 (Core)".
var releaseLine = regexp.MustCompile(`^(\S+).* release (\d+(?:\.\d+)?)`)

// parseDistribution reads os-release, and the one line of the Red Hat family, which alone knows the minor release of
// CentOS and is all there is on releases before 7.
func parseDistribution(text string) distribution {
	var d distribution
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if m := releaseLine.FindStringSubmatch(line); m != nil {
			d = d.refined(line, m[1], m[2])
			continue
		}
		name, value, _ := strings.Cut(line, "=")
		value = strings.Trim(value, `"'`)
		switch name {
		case "ID":
			d.id = value
		case "NAME":
			d.name = value
		case "VERSION_ID":
			d.version = value
		case "PRETTY_NAME":
			d.pretty = value
		}
	}
	return d
}

// refined takes the release from the line of the Red Hat family, and the rest where os-release did not tell it.
func (d distribution) refined(line, word, release string) distribution {
	if d.id == "" {
		d.id = map[string]string{"red": "rhel", "oracle": "ol"}[strings.ToLower(word)]
		if d.id == "" {
			d.id = strings.ToLower(word)
		}
		d.name, _, _ = strings.Cut(line, " release ")
		d.pretty = line
	}
	// The line of another family, such as Oracle's copy of Red Hat's, has the same release.
	if d.version == "" || strings.HasPrefix(release, d.version+".") {
		d.version = release
	}
	return d
}
