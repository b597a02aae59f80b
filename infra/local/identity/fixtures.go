package identity

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/uuid"
)

//go:embed fixtures.json
var fixturesFile []byte

// Fixtures are the people and applications that the stand-in issues tokens for.
type Fixtures struct {
	Comment       string            `json:"comment,omitempty"`
	Authority     string            `json:"authority"` // base URL of the issuer
	Resource      string            `json:"resource"`  // audience of the marketplace APIs
	Publishers    []Publisher       `json:"publishers"`
	Operators     []Operator        `json:"operators"`
	Customers     []Customer        `json:"customers"`
	TokenRequests map[string]string `json:"tokenRequests,omitempty"` // how to ask, by kind, for people to read
}

// Publisher is a publisher account with its directory.
type Publisher struct {
	PublisherID    string `json:"publisherId"`
	TenantID       string `json:"tenantId"`
	Apps           []App  `json:"apps"`
	Users          []User `json:"users"`
	LandingPageURL string `json:"landingPageUrl"`
	WebhookURL     string `json:"webhookUrl"`
}

// App is an application of a publisher with the secret it proves itself by.
type App struct {
	AppID  string   `json:"appId"`
	Secret string   `json:"secret"`
	Use    string   `json:"use"`
	Roles  []string `json:"roles"`
}

// User is a person with a password. Roles are those in the publisher account, empty for customers.
type User struct {
	UPN      string   `json:"upn"`
	ObjectID string   `json:"objectId"`
	Password string   `json:"password"`
	Roles    []string `json:"roles,omitempty"`
}

// Operator is an application of the marketplace's own staff.
type Operator struct {
	AppID    string `json:"appId"`
	TenantID string `json:"tenantId"`
	Secret   string `json:"secret"`
}

// Customer is a buying organisation with its directory.
type Customer struct {
	TenantID string `json:"tenantId"`
	Name     string `json:"name"`
	Market   string `json:"market"`
	Currency string `json:"currency"`
	Users    []User `json:"users"`
}

// The addresses that stand in fixtures.json; ports move, so WithURLs replaces them.
const (
	fileAuthority = "http://127.0.0.1:7072"
	fileSample    = "http://127.0.0.1:7073"
)

// DevFixtures are the people and applications of fixtures.json, a fresh copy for every caller. They panic when
// the embedded file is broken.
func DevFixtures() Fixtures {
	var f Fixtures
	if err := json.Unmarshal(fixturesFile, &f); err != nil {
		panic(fmt.Sprintf("fixtures.json: %v", err))
	}
	return f
}

// WithURLs returns the fixtures with the base URLs of the issuer and of the sample publisher put in. An empty
// URL leaves what is there.
func (f Fixtures) WithURLs(authority, sample string) Fixtures {
	if authority != "" {
		f.Authority = strings.TrimSuffix(authority, "/")
	}
	publishers := append([]Publisher(nil), f.Publishers...)
	for i := range publishers {
		if sample == "" {
			break
		}
		base := strings.TrimSuffix(sample, "/")
		publishers[i].LandingPageURL = moved(publishers[i].LandingPageURL, base)
		publishers[i].WebhookURL = moved(publishers[i].WebhookURL, base)
	}
	f.Publishers = publishers
	return f
}

func moved(url, base string) string {
	if path, ok := strings.CutPrefix(url, fileSample); ok {
		return base + path
	}
	return url
}

// Publisher finds a publisher by its id.
func (f Fixtures) Publisher(id string) (Publisher, bool) {
	for _, p := range f.Publishers {
		if p.PublisherID == id {
			return p, true
		}
	}
	return Publisher{}, false
}

// tenants lists every directory of the fixtures, in lower case.
func (f Fixtures) tenants() map[string]bool {
	known := map[string]bool{}
	for _, p := range f.Publishers {
		known[strings.ToLower(p.TenantID)] = true
	}
	for _, o := range f.Operators {
		known[strings.ToLower(o.TenantID)] = true
	}
	for _, c := range f.Customers {
		known[strings.ToLower(c.TenantID)] = true
	}
	return known
}

// app finds an application in its directory.
func (f Fixtures) app(tenant, appID string) (App, bool) {
	for _, p := range f.Publishers {
		if !strings.EqualFold(p.TenantID, tenant) {
			continue
		}
		for _, a := range p.Apps {
			if strings.EqualFold(a.AppID, appID) {
				return a, true
			}
		}
	}
	for _, o := range f.Operators {
		if strings.EqualFold(o.TenantID, tenant) && strings.EqualFold(o.AppID, appID) {
			return App{AppID: o.AppID, Secret: o.Secret}, true
		}
	}
	return App{}, false
}

// user finds a person by name, in one directory or, with an empty tenant, in all; it says which one it was.
func (f Fixtures) user(tenant, upn string) (User, string, bool) {
	find := func(home string, users []User) (User, bool) {
		if tenant != "" && !strings.EqualFold(tenant, home) {
			return User{}, false
		}
		for _, u := range users {
			if strings.EqualFold(u.UPN, upn) {
				return u, true
			}
		}
		return User{}, false
	}
	for _, p := range f.Publishers {
		if u, ok := find(p.TenantID, p.Users); ok {
			return u, strings.ToLower(p.TenantID), true
		}
	}
	for _, c := range f.Customers {
		if u, ok := find(c.TenantID, c.Users); ok {
			return u, strings.ToLower(c.TenantID), true
		}
	}
	return User{}, "", false
}

// ServicePrincipalID is the local object id of an application in a directory (CPP-5): another one than the
// application's id, and the same in every run.
func ServicePrincipalID(tenantID, appID string) string {
	return derived("service principal", tenantID, appID)
}

// ManagedIdentityAppID is the client id of the managed identity of an Azure resource, the same in every run.
func ManagedIdentityAppID(tenantID, resourceID string) string {
	return derived("managed identity", tenantID, resourceID)
}

func derived(parts ...string) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte(strings.ToLower(strings.Join(parts, "|")))).String()
}
