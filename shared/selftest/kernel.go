package selftest

import (
	_ "embed"
	"regexp"
	"slices"
	"strings"
)

//go:embed baselines.json
var baselinesJSON []byte

// baselines say which releases are known to be vulnerable, and from which kernel on they are patched.
var baselines = func() (file struct {
	Ghost []releases   `json:"ghost"`
	Sack  []kernelLine `json:"sack"`
}) {
	mustRead(baselinesJSON, &file)
	return file
}()

// releases are some of the releases of distributions.
type releases struct {
	IDs      []string `json:"ids"`
	Releases []string `json:"releases"`
}

// kernelLine is the first patched kernel of releases.
type kernelLine struct {
	releases
	MinKernel string `json:"minKernel"`
	Flavour   string `json:"flavour"` // of SUSE's kernels: azure or default; empty is any
}

// ghosted reports whether the release came with the vulnerable C library of CVE-2015-0235.
func ghosted(d distribution) bool {
	return slices.ContainsFunc(baselines.Ghost, func(r releases) bool {
		return slices.Contains(r.IDs, d.id) && (slices.Contains(r.Releases, d.version) || slices.Contains(r.Releases, d.major()))
	})
}

// sackPatched reports whether the kernel has the patches for CVE-2019-11477, -11478 and -11479. Unknown is a release
// without a line.
func sackPatched(d distribution, k kernel) (known, patched bool) {
	running := k.running(d)
	var lines []version
	for _, l := range baselines.Sack {
		if slices.Contains(l.IDs, d.id) && slices.Contains(l.Releases, d.version) && (l.Flavour == "" || strings.HasSuffix(k.release, "-"+l.Flavour)) {
			lines = append(lines, l.minimum(d))
		}
	}
	if len(lines) == 0 || len(running) == 0 {
		return false, false
	}
	slices.SortFunc(lines, version.compare)
	applies := lines[0]
	for _, l := range lines {
		if l.series().compare(running.series()) <= 0 {
			applies = l
		}
	}
	return true, running.compare(applies) >= 0
}

// minimum is the kernel of the line as the running one writes itself: SUSE's leaves out the number of the rebuild.
func (l kernelLine) minimum(d distribution) version {
	v := parseVersion(l.MinKernel)
	if strings.HasPrefix(d.id, "sles") {
		return v[:len(v)-1]
	}
	return v
}

var (
	// leading are the numbers in front of a kernel's release, without what tells its flavour: 3.10.0-957.21.3.el7.
	leading = regexp.MustCompile(`^\d+(?:[.-]\d+)*(?:[.-]|$)`)
	// package version of Debian's kernels, which their release does not have. Its compiler's looks like it and stands before.
	debianKernel = regexp.MustCompile(`Debian (\d[^\s)]*)`)
)

// running is the version of the kernel, in the form that the table has for the distribution.
func (k kernel) running(d distribution) version {
	if d.id != "debian" {
		return parseVersion(leading.FindString(k.release))
	}
	found := debianKernel.FindAllStringSubmatch(k.full, -1)
	if len(found) == 0 {
		return nil
	}
	return parseVersion(found[len(found)-1][1])
}

// series is the line of development a kernel belongs to: its first two numbers, and three in the days of 2.6.
func (v version) series() version {
	if v.part(0) == 2 {
		return v[:min(3, len(v))]
	}
	return v[:min(2, len(v))]
}
