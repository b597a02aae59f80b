package managedapp

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Clouds that a plan may be offered in.
const (
	Global     = "AzureGlobal"
	Government = "AzureGovernment"
)

// Deployment modes (AZA-54).
const (
	Complete    = "Complete"
	Incremental = "Incremental"
)

// Configuration is the technical configuration of a plan, with the names of the submission API. A solution template has
// a version only; its package is named by the plan.
type Configuration struct {
	Version                string          `json:"version,omitempty"` // three whole numbers (AZA-50)
	AllowJIT               bool            `json:"allowJitAccess,omitempty"`
	DeploymentMode         string          `json:"deploymentMode,omitempty"`
	NotificationEndpoint   string          `json:"notificationEndpointUri,omitempty"` // without the /resource that is added (AZA-56)
	CustomerActions        bool            `json:"canEnableCustomerActions,omitempty"`
	AllowedCustomerActions Actions         `json:"allowedCustomerActions,omitempty"`
	AllowedDataActions     Actions         `json:"allowedDataActions,omitempty"`
	PublicTenantID         string          `json:"publicAzureTenantID,omitempty"`
	PublicAuthorizations   []Authorization `json:"publicAzureAuthorizations,omitempty"`
	GovernmentTenantID     string          `json:"azureGovernmentTenantID,omitempty"`
	GovernmentAuthorized   []Authorization `json:"azureGovernmentAuthorizations,omitempty"`
	Policies               []Policy        `json:"policies,omitempty"`
}

// Authorization gives a principal of the publisher's directory a role on the managed resource group.
type Authorization struct {
	PrincipalID string `json:"principalID"`
	Role        Role   `json:"roleDefinitionID"`
}

// Policy is a policy that is put on the managed resource group.
type Policy struct {
	Name       string `json:"policyName"`
	Definition string `json:"policyDefinitionID"`
	Parameters string `json:"policyParameters,omitempty"` // JSON
	SKU        string `json:"policySku"`
}

// Actions are what a customer may do to the managed resources. The form takes them as one text with semicolons; they are
// trimmed, and each stands once whatever its letter case (AZA-60).
type Actions []string

// UnmarshalJSON takes a list or a text.
func (a *Actions) UnmarshalJSON(raw []byte) error {
	var list []string
	if err := json.Unmarshal(raw, &list); err != nil {
		var text string
		if json.Unmarshal(raw, &text) != nil {
			return err
		}
		list = []string{text}
	}
	*a = nil
	for _, text := range list {
		for _, action := range strings.Split(text, ";") {
			action = strings.TrimSpace(action)
			same := func(other string) bool { return strings.EqualFold(action, other) }
			if action != "" && !slices.ContainsFunc(*a, same) {
				*a = append(*a, action)
			}
		}
	}
	return nil
}

// Role is the id of a role definition. It may be given by the role's name (AZA-62).
type Role string

// UnmarshalJSON takes an id or a name.
func (r *Role) UnmarshalJSON(raw []byte) error {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return err
	}
	*r = Role(text)
	for _, known := range tables.Roles {
		if strings.EqualFold(text, known.Name) || strings.EqualFold(text, known.ID) {
			*r = Role(known.ID)
		}
	}
	return nil
}

//go:embed managedapp.json
var tablesJSON []byte

type roleForm struct {
	Name string `json:"name"`
	ID   string `json:"id"`
}

type policyForm struct {
	ID         string `json:"id"`
	Label      string `json:"label"`
	Parameters bool   `json:"parameters"` // required; others take none (AZA-65)
	Audit      bool   `json:"audit"`      // needs the Standard SKU (AZA-66)
}

var tables = func() (t struct {
	Roles    []roleForm   `json:"roles"`
	Policies []policyForm `json:"policies"`
	SKUs     []string     `json:"skus"`
}) {
	if err := json.Unmarshal(tablesJSON, &t); err != nil {
		panic(fmt.Sprintf("managedapp.json: %v", err))
	}
	return t
}()

// ParseVersion reads the three whole numbers of a version, without leading zeros (AZA-50).
func ParseVersion(text string) (version [3]uint64, ok bool) {
	parts := strings.Split(text, ".")
	if len(parts) != len(version) {
		return version, false
	}
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 63)
		if err != nil || strconv.FormatUint(n, 10) != part {
			return version, false
		}
		version[i] = n
	}
	return version, true
}

// Above reports whether a version is greater than another, number by number (AZA-51). What is no version is above
// nothing.
func Above(version, other string) bool {
	v, ok := ParseVersion(version)
	o, otherOK := ParseVersion(other)
	return ok && otherOK && slices.Compare(v[:], o[:]) > 0
}

// SameBut reports whether two configurations are the same but for their versions.
func (c *Configuration) SameBut(other *Configuration) bool {
	a, b := *c, *other
	a.Version, b.Version = "", ""
	return reflect.DeepEqual(a, b)
}
