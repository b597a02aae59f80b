package selftest

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"stoa/shared/account"
	"stoa/shared/fault"
)

// Form is a request for a run, as it was sent.
type Form struct {
	DNSName, UserName, Password, OS, PortNo, CompanyName, AppID, TenantID string
}

// The lengths of a form's texts, in characters.
const (
	maxHost   = 253
	maxLabel  = 63
	maxName   = 256
	maxSecret = 16 << 10 // a private key of 16,384 bits has half of it
	maxShown  = 64       // of a value in a refusal
)

// target checks the form and says where to log on. All that is wrong is said at once.
func (f Form) target() (Target, error) {
	var found fault.Findings
	wrong := func(field, format string, args ...any) { found.Add(CodeArgument, field, field+" "+format, args...) }
	t := Target{Host: strings.ToLower(strings.TrimSuffix(strings.TrimSpace(f.DNSName), ".")), User: f.UserName, Secret: NewSecret(f.Password)}
	if why := hostFault(t.Host); why != "" {
		wrong("DNSName", "must be the fully qualified host name of the machine, such as myvm.westus.cloudapp.azure.com: %s, found %q", why, clip(f.DNSName))
	}
	if why := textFault(f.UserName, maxName); why != "" {
		wrong("UserName", "%s", why)
	}
	switch {
	case f.Password == "":
		wrong("Password", "is required: the password, or the private key in PEM")
	case len(f.Password) > maxSecret:
		wrong("Password", "may have %d bytes at most", maxSecret)
	case strings.ContainsAny(f.Password, "\r\n\x00") && !t.Secret.Key():
		wrong("Password", "must be one line, or a private key in PEM that begins with -----BEGIN")
	}
	if t.OS = familyOf(f.OS); t.OS == "" {
		wrong("OS", "must be Linux or Windows, found %q", clip(f.OS))
	}
	port, err := strconv.ParseUint(f.PortNo, 10, 16)
	if t.Port = uint16(port); err != nil || port == 0 {
		wrong("PortNo", "must be a number from 1 to 65535 as a string, such as 22 for SSH or 5986 for WinRM over HTTPS, found %q", clip(f.PortNo))
	}
	if why := textFault(f.CompanyName, maxName); why != "" {
		wrong("CompanyName", "%s", why)
	}
	if strings.TrimSpace(f.AppID) == "" {
		wrong("AppId", "is required: the client id that the access token was asked for with")
	}
	if strings.TrimSpace(f.TenantID) == "" {
		wrong("TenantId", "is required: the directory that the access token was asked of")
	}
	messages := make([]string, len(found))
	for i, d := range found {
		messages[i] = d.Message
	}
	return t, found.Err(fault.Invalid, CodeArgument, "%s", strings.Join(messages, "; "))
}

// of checks that the form speaks for the caller of the token (VMO-103).
func (f Form) of(c account.Caller) error {
	same := func(sent, token string) bool { return token != "" && strings.EqualFold(strings.TrimSpace(sent), token) }
	if !same(f.TenantID, c.TenantID) {
		return fault.New(fault.Forbidden, codeMismatch, "TenantId", "TenantId must be the directory of the access token, %s, found %q", c.TenantID, clip(f.TenantID))
	}
	if !same(f.AppID, c.AppID) {
		return fault.New(fault.Forbidden, codeMismatch, "AppId", "AppId must be the application of the access token, %s, found %q", c.AppID, clip(f.AppID))
	}
	return nil
}

func familyOf(text string) OS {
	for _, family := range []OS{Linux, Windows} {
		if strings.EqualFold(text, string(family)) {
			return family
		}
	}
	return ""
}

var label = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// hostFault says why a text is no fully qualified host name, empty when it is one (VMO-104). A last label of digits
// alone makes an address in one of its spellings.
func hostFault(host string) string {
	labels := strings.Split(host, ".")
	bare := strings.Trim(host, "[]")
	_, err := netip.ParseAddr(bare)
	wrongLabel := func(l string) bool { return len(l) > maxLabel || !label.MatchString(l) }
	switch {
	case host == "":
		return "it is required"
	case err == nil:
		return "an address is not allowed"
	case len(host) > maxHost:
		return "it may have " + strconv.Itoa(maxHost) + " characters at most"
	case slices.ContainsFunc(labels, wrongLabel):
		return "each part has 1 to " + strconv.Itoa(maxLabel) + " letters, digits and hyphens, with no hyphen at its ends"
	case len(labels) < 2:
		return "its domain is missing"
	case numeric(labels[len(labels)-1]):
		return "an address is not allowed"
	}
	return ""
}

// numeric reports whether a label is a number in any spelling that resolvers take for a part of an address.
func numeric(l string) bool {
	_, err := strconv.ParseUint(l, 0, 64)
	return err == nil || strings.Trim(l, "0123456789") == ""
}

// textFault says why a text is not acceptable as a name, empty when it is.
func textFault(text string, most int) string {
	switch {
	case strings.TrimSpace(text) == "":
		return "is required"
	case len([]rune(text)) > most:
		return "may have " + strconv.Itoa(most) + " characters at most, found " + strconv.Itoa(len([]rune(text)))
	case strings.ContainsFunc(text, unicode.IsControl):
		return "must have no control characters"
	}
	return ""
}

// clip shortens what a refusal shows.
func clip(text string) string {
	if r := []rune(text); len(r) > maxShown {
		return string(r[:maxShown]) + "…"
	}
	return text
}
