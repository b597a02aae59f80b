package publish

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"stoa/shared/account"
	"stoa/shared/offer"
)

//go:embed settings.json
var settingsJSON []byte

// setting is one value a publisher configures, kept as text.
type setting struct {
	Key    string   `json:"key"`
	Secret bool     `json:"secret"`
	Format string   `json:"format"`
	Values []string `json:"values"`
	When   *struct {
		Key string `json:"key"`
		Is  string `json:"is"`
	} `json:"when"`
	Pattern string `json:"pattern"`

	pattern *regexp.Regexp
}

type destinationForm struct {
	ID     string    `json:"id"`
	Fields []setting `json:"fields"`
}

type testDriveForm struct {
	ID         string    `json:"id"`
	Aliases    []string  `json:"aliases"`
	OfferTypes []string  `json:"offerTypes"`
	Runs       bool      `json:"runs"`   // whether sessions of the kind are run here
	Pooled     bool      `json:"pooled"` // has a number of concurrent sessions
	Timed      bool      `json:"timed"`  // has a duration
	Access     bool      `json:"access"` // tells the customer how to get in
	Fields     []setting `json:"fields"`
}

type settingsBook struct {
	Destinations []destinationForm `json:"leadDestinations"`
	TestDrives   []testDriveForm   `json:"testDrives"`
}

var forms = loadForms(settingsJSON)

func loadForms(raw []byte) settingsBook {
	var book settingsBook
	if err := json.Unmarshal(raw, &book); err != nil {
		panic(fmt.Sprintf("settings.json: %v", err))
	}
	var lists [][]setting
	for _, d := range book.Destinations {
		lists = append(lists, d.Fields)
	}
	for _, t := range book.TestDrives {
		lists = append(lists, t.Fields)
	}
	for _, fields := range lists {
		for i := range fields {
			if fields[i].Pattern != "" {
				fields[i].pattern = regexp.MustCompile(fields[i].Pattern)
			}
			if f := fields[i].Format; f != "" && formats[f] == nil {
				panic(fmt.Sprintf("settings.json: no format %q", f))
			}
		}
	}
	return book
}

func (b *settingsBook) destination(id string) *destinationForm {
	at := slices.IndexFunc(b.Destinations, func(d destinationForm) bool { return d.ID == id })
	if at < 0 {
		return nil
	}
	return &b.Destinations[at]
}

func (b *settingsBook) testDrive(kind string) *testDriveForm {
	at := slices.IndexFunc(b.TestDrives, func(t testDriveForm) bool {
		return strings.EqualFold(t.ID, kind) || slices.ContainsFunc(t.Aliases, func(a string) bool { return strings.EqualFold(a, kind) })
	})
	if at < 0 {
		return nil
	}
	return &b.TestDrives[at]
}

// check says what is wrong with the settings; stored tells of a secret whether there is one and, when it could be
// opened, what it is.
func checkSettings(fields []setting, settings map[string]string, stored func(key string) (there bool, plain string)) []finding {
	var out []finding
	for _, f := range fields {
		if f.When != nil && settings[f.When.Key] != f.When.Is {
			continue
		}
		value, there := settings[f.Key], settings[f.Key] != ""
		if f.Secret {
			there, value = stored(f.Key)
		}
		switch {
		case !there:
			out = append(out, finding{code: offer.CodeRequired, field: f.Key, text: "The setting " + f.Key + " is missing."})
		case value != "" && f.wrong(value) != "":
			out = append(out, finding{code: offer.CodeInvalid, field: f.Key, text: "The setting " + f.Key + " " + f.wrong(value) + "."})
		}
	}
	return out
}

// wrong says what is wrong with a value, never repeating it: it may be a secret.
func (f *setting) wrong(value string) string {
	switch {
	case len(f.Values) > 0 && !slices.Contains(f.Values, value):
		return "must be one of " + strings.Join(f.Values, ", ")
	case f.pattern != nil && !f.pattern.MatchString(value):
		return "does not have the required form"
	case f.Format != "":
		return formats[f.Format](value)
	}
	return ""
}

// formats say what is wrong with a text of a known form.
var formats = map[string]func(string) string{
	"guid": func(s string) string {
		if account.GUID(s) == "" {
			return "is not a GUID" // LED-26, TDR-15
		}
		return ""
	},
	"email": func(s string) string {
		if !account.IsMail(s) {
			return "is not an e-mail address"
		}
		return ""
	},
	"https":          checkHTTPS,
	"dynamics":       checkDynamics,
	"storageAccount": checkStorageAccount,
}

// checkHTTPS wants an absolute https address without user info (LED-27). The local machine's may be http; whether
// it may be called is decided at each call.
func checkHTTPS(s string) string {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.User != nil:
		return "is not an absolute https address"
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return ""
	}
	return "is not an absolute https address"
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// checkDynamics wants an instance of the online service (LED-25).
func checkDynamics(s string) string {
	if words := checkHTTPS(s); words != "" {
		return words
	}
	u, err := url.Parse(s)
	if err != nil || !strings.HasSuffix(strings.ToLower(u.Hostname()), ".dynamics.com") {
		return "is not an address of Dynamics 365 online"
	}
	return ""
}

// checkStorageAccount wants a connection string with the account's name and key (LED-24).
func checkStorageAccount(s string) string {
	parts := map[string]string{}
	for _, part := range strings.Split(strings.TrimSuffix(s, ";"), ";") {
		key, value, found := strings.Cut(part, "=")
		if !found || key == "" {
			return "is not a connection string of a storage account"
		}
		parts[strings.ToLower(key)] = value
	}
	if parts["accountname"] == "" || parts["accountkey"] == "" {
		return "must name the account and its key"
	}
	table, err := url.Parse(parts["tableendpoint"])
	if strings.EqualFold(parts["defaultendpointsprotocol"], "http") && (err != nil || !isLoopback(table.Hostname())) {
		return "must ask for https"
	}
	return ""
}
