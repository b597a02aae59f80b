package dynamics

import (
	"net/url"
	"path"
	"strings"
	"time"

	"stoa/shared/packages/finding"
)

const (
	linkField = "packageLocationUrl"
	maxLink   = 8 << 10 // bytes; longer links are not looked at
)

// CheckLink looks at the link to a package without a call to anyone, and returns when it expires; the zero time when
// the link does not tell (DYN-37).
func CheckLink(link string, now time.Time, report *finding.Report) (expires time.Time) {
	at := finding.Place{File: linkField}
	u, values, why := parseLink(link)
	if why != "" {
		report.Add("CE_URL_INVALID", at, "The link %s.", why)
		return time.Time{}
	}
	checkGrant(u, values, at, report)
	if text := values.Get("st"); text != "" {
		switch start, err := parseTime(text); {
		case err != nil:
			report.Add("CE_URL_INVALID", at, "st is %s; a time has the form 2026-01-31T00:00:00Z, without seconds or without time of day if you like.", quoted(text))
		case start.After(now):
			report.Add("CE_SAS_NOT_YET_VALID", at, "The link is good from %s on; now it is %s.", text, now.UTC().Format(time.RFC3339))
		}
	}
	if text := values.Get("se"); text != "" {
		return checkExpiry(text, now, at, report)
	}
	if values.Get("si") != "" {
		report.Add("CE_SAS_EXPIRY_UNKNOWN", at, "The link expires as the stored access policy %s says, which cannot be seen.", quoted(values.Get("si")))
	}
	return time.Time{}
}

// parseLink reads an address of a blob, or says what is wrong with it. The signature is in no message.
func parseLink(link string) (u *url.URL, values url.Values, why string) {
	if len(link) > maxLink {
		return nil, nil, "is too long"
	}
	u, err := url.Parse(link)
	if err != nil {
		return nil, nil, "is no address"
	}
	values, err = url.ParseQuery(u.RawQuery)
	name := path.Base(u.Path)
	switch {
	case err != nil:
		return nil, nil, "has a query that cannot be read"
	case u.Scheme != "https" || u.Hostname() == "":
		return nil, nil, "is no absolute https address"
	case u.User != nil || u.Fragment != "":
		return nil, nil, "has a user or a fragment"
	case !strings.EqualFold(path.Ext(name), ".zip") || len(name) == len(".zip") || strings.HasSuffix(u.Path, "/"):
		return nil, nil, "leads to " + quoted(u.Path) + ", which is no blob whose name ends in .zip"
	}
	for _, name := range []string{"sig", "sp", "se", "st", "si", "sr"} {
		if len(values[name]) > 1 {
			return nil, nil, "has the parameter " + name + " more than once"
		}
	}
	return u, values, ""
}

// checkGrant looks at the signature and what it allows.
func checkGrant(u *url.URL, values url.Values, at finding.Place, report *finding.Report) {
	if values.Get("sig") == "" {
		report.Add("CE_SAS_MISSING", at, "The link to %s has no signature (sig).", quoted(u.Path))
	} else if values.Get("si") == "" { // a stored policy may hold the two
		if values.Get("se") == "" {
			report.Add("CE_SAS_MISSING", at, "The link has neither an expiry (se) nor a stored access policy (si).")
		}
		if !values.Has("sp") {
			report.Add("CE_SAS_MISSING", at, "The link has neither permissions (sp) nor a stored access policy (si).")
		}
	}
	if sp := values.Get("sp"); values.Has("sp") && sp != "r" {
		report.Add("CE_SAS_NOT_READ_ONLY", at, "sp is %s; it must be r.", quoted(sp))
	}
}

// checkExpiry looks at the time at which the link ends.
func checkExpiry(text string, now time.Time, at finding.Place, report *finding.Report) time.Time {
	expires, err := parseTime(text)
	switch {
	case err != nil:
		report.Add("CE_URL_INVALID", at, "se is %s; a time has the form 2026-01-31T00:00:00Z, without seconds or without time of day if you like.", quoted(text))
		return time.Time{}
	case !expires.After(now):
		report.Add("CE_SAS_EXPIRED", at, "The link expired at %s; now it is %s.", text, now.UTC().Format(time.RFC3339))
	case expires.Before(nextMonth(now)):
		report.Add("CE_SAS_EXPIRES_SOON", at, "The link expires at %s; one that is good until %s or later is advised.", text, nextMonth(now).Format(time.RFC3339))
	}
	return expires
}

// parseTime reads a time as links have it; a date alone is its midnight.
func parseTime(text string) (t time.Time, err error) {
	for _, form := range []string{"2006-01-02T15:04:05Z", "2006-01-02T15:04Z", time.DateOnly} {
		if t, err = time.Parse(form, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, err
}

// nextMonth is the same time a calendar month later, or on that month's last day.
func nextMonth(now time.Time) time.Time {
	now = now.UTC()
	next := now.AddDate(0, 1, 0)
	if next.Day() != now.Day() {
		return next.AddDate(0, 0, -next.Day())
	}
	return next
}
