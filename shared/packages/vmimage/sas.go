package vmimage

import (
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"

	"stoa/shared/packages/finding"
)

const (
	minValid = 21 * 24 * time.Hour // of a link after it was recorded (VMO-75)
	minSkew  = 24 * time.Hour      // of its start before that (VMO-76)
	maxLink  = 8 << 10             // bytes; longer ones are not looked at
)

// Link is a SAS link to a VHD.
type Link struct {
	URI      string
	Recorded time.Time // when this text was given; it stays when the same text is given again (VMO-75)
}

// Suffixes are the blob endpoints of clouds that links may lead to (VMO-77).
type Suffixes []string

// CheckLink looks at the form of a link, its permissions and its times, without a call to anyone (VMO-66 to
// VMO-79). File names the disk in the findings.
func (s Suffixes) CheckLink(file string, l Link, now time.Time, report *finding.Report) {
	at := finding.Place{File: file}
	text, query, found := strings.Cut(l.URI, "?")
	if !found || query == "" {
		report.Say("SAS-QUERY", at, "The link has no query.")
		return
	}
	u, err := url.Parse(text)
	values, queryErr := url.ParseQuery(query)
	if err != nil || queryErr != nil || len(l.URI) > maxLink {
		report.Say("SAS-HOST", at, "The link is no address that can be read.")
		return
	}
	s.checkHost(u, strings.Contains(query, "#"), at, report)
	checkName(u, at, report)
	for _, name := range []string{"sp", "se", "st", "sr", "sig"} {
		if len(values[name]) > 1 {
			report.Say("SAS-DATEFORM", at, "The parameter %s stands %d times.", name, len(values[name]))
			return
		}
	}
	checkTimes(values.Get("st"), values.Get("se"), l.Recorded, now, at, report)
	checkGrant(values, at, report)
}

// checkHost keeps links inside the storage of the clouds (VMO-77).
func (s Suffixes) checkHost(u *url.URL, fragment bool, at finding.Place, report *finding.Report) {
	if u.Scheme == "http" {
		report.Say("SAS-HTTP", at, "The scheme is http.")
	}
	account, suffix, _ := strings.Cut(strings.ToLower(u.Hostname()), ".")
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		report.Say("SAS-HOST", at, "The scheme is %q.", u.Scheme)
	case account == "" || !slices.Contains(s, suffix):
		report.Say("SAS-HOST", at, "The host is %q; it must be an account of %s.", u.Host, strings.Join(s, " or "))
	case u.User != nil || u.Fragment != "" || fragment || u.Port() != "" && u.Port() != map[string]string{"http": "80", "https": "443"}[u.Scheme]:
		report.Say("SAS-HOST", at, "The address has a user, a fragment or a port of its own.")
	}
}

// checkName looks at the container and the name of the file (VMO-69, VMO-74, VMO-78).
func checkName(u *url.URL, at finding.Place, report *finding.Report) {
	if strings.ContainsFunc(u.Path, unicode.IsSpace) {
		report.Say("SAS-SPACE", at, "The path is %q.", u.Path)
	}
	container, name, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	base := path.Base(name)
	if container == "" || !strings.EqualFold(path.Ext(name), ".vhd") || strings.EqualFold(base, ".vhd") {
		report.Say("SAS-VHDNAME", at, "The path is %q; it must be a container and a name that ends in .vhd.", u.Path)
	}
	if strings.ContainsAny(name, `%"`) || strings.ContainsFunc(name, unicode.IsControl) {
		report.Say("SAS-NAMECHARS", at, "The name is %q.", name)
	}
}

// checkGrant looks at what the link allows (VMO-68, VMO-72, VMO-73, VMO-79).
func checkGrant(values url.Values, at finding.Place, report *finding.Report) {
	granted := values.Get("sp")
	if !strings.Contains(granted, "r") || !strings.Contains(granted, "l") {
		report.Say("SAS-PERM", at, "sp is %q.", granted)
	}
	if more := strings.Trim(granted, "rl"); more != "" {
		report.Say("SAS-PERM-EXTRA", at, "sp is %q.", granted)
	}
	if values.Get("sr") != "c" || values.Has("ss") || values.Has("srt") {
		report.Say("SAS-CONTAINER", at, "sr is %q.", values.Get("sr"))
	}
	if values.Get("sv") == "" || values.Get("sig") == "" {
		report.Say("SAS-SIG", at, "sv or sig is missing.")
	}
}

// checkTimes looks at the times between which the link works (VMO-67, VMO-71, VMO-75, VMO-76).
func checkTimes(start, expiry string, recorded, now time.Time, at finding.Place, report *finding.Report) {
	if start == "" || expiry == "" {
		report.Say("SAS-TIMES", at, "st is %q and se is %q.", start, expiry)
		return
	}
	from, fromErr := parseTime(start)
	to, toErr := parseTime(expiry)
	if fromErr != nil || toErr != nil {
		report.Say("SAS-DATEFORM", at, "st is %q and se is %q; both have the form 2026-01-31T00:00:00Z.", start, expiry)
		return
	}
	if !to.After(from) {
		report.Say("SAS-ORDER", at, "se, %s, is not after st, %s.", expiry, start)
		return
	}
	switch {
	case !to.After(now):
		report.Say("SAS-EXPIRED", at, "The link expired at %s.", expiry)
	case to.Before(recorded.Add(minValid)):
		report.Say("SAS-EXPIRY", at, "The link expires at %s; it must be good until %s.", expiry, recorded.Add(minValid).UTC().Format(time.RFC3339))
	}
	switch {
	case from.After(now):
		report.Say("SAS-START", at, "The link is good from %s.", start)
	case from.After(recorded.Add(-minSkew)):
		report.Say("SAS-START-SKEW", at, "The link is good from %s.", start)
	}
}

// parseTime reads a full UTC date-time, seconds included.
func parseTime(text string) (time.Time, error) {
	return time.Parse("2006-01-02T15:04:05.999999999Z", text)
}
