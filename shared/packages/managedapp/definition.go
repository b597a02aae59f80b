package managedapp

import (
	"encoding/json"
	"strings"
)

// Definition is the application definition that customers in one cloud deploy from, with the property names of the
// Resource Manager (3.5).
type Definition struct {
	DisplayName        string                    `json:"displayName"`
	Description        string                    `json:"description"`
	Enabled            bool                      `json:"isEnabled"`
	LockLevel          string                    `json:"lockLevel"`
	PackageFileURI     string                    `json:"packageFileUri"` // below the blob endpoint; who deploys gets a right to read it
	Authorizations     []DefinitionAuthorization `json:"authorizations"`
	DeploymentPolicy   DeploymentPolicy          `json:"deploymentPolicy"`
	LockingPolicy      LockingPolicy             `json:"lockingPolicy"`
	ManagementPolicy   ManagementPolicy          `json:"managementPolicy"`
	NotificationPolicy NotificationPolicy        `json:"notificationPolicy"`
	Policies           []DefinitionPolicy        `json:"policies"`
}

// DefinitionAuthorization is an Authorization by its ids.
type DefinitionAuthorization struct {
	PrincipalID      string `json:"principalId"`
	RoleDefinitionID string `json:"roleDefinitionId"`
}

// DeploymentPolicy says what a redeployment does to resources that the template does not name.
type DeploymentPolicy struct {
	Mode string `json:"deploymentMode"`
}

// LockingPolicy lists what customers may do despite the lock.
type LockingPolicy struct {
	Actions     []string `json:"allowedActions"`
	DataActions []string `json:"allowedDataActions"`
}

// ManagementPolicy says who manages the resources.
type ManagementPolicy struct {
	Mode string `json:"mode"`
}

// NotificationPolicy says who is told of instances: at most one.
type NotificationPolicy struct {
	Endpoints []Endpoint `json:"notificationEndpoints"`
}

// Endpoint is an address as the publisher gave it; who calls adds /resource to its path (AZA-56).
type Endpoint struct {
	URI string `json:"uri"`
}

// DefinitionPolicy is a policy with its parameters as JSON.
type DefinitionPolicy struct {
	Name       string          `json:"name"`
	Parameters json.RawMessage `json:"parameters,omitempty"`
	Definition string          `json:"policyDefinitionId"`
}

// readAction is what customers may always do (AZA-59).
const readAction = "*/read"

// Plan is what a definition says of the plan.
type Plan struct {
	Name        string
	Description string
	Package     string // where the package's bytes are
}

// Define makes the definition of a plan for a cloud (AZA-68). The configuration must be complete.
func (c *Configuration) Define(p Plan, cloud string) Definition {
	authorizations := c.PublicAuthorizations
	if cloud == Government {
		authorizations = c.GovernmentAuthorized
	}
	d := Definition{
		DisplayName: p.Name, Description: p.Description, Enabled: true, LockLevel: "ReadOnly", PackageFileURI: p.Package,
		Authorizations: make([]DefinitionAuthorization, len(authorizations)), DeploymentPolicy: DeploymentPolicy{c.DeploymentMode},
		LockingPolicy:      LockingPolicy{append([]string{readAction}, c.AllowedCustomerActions...), append([]string{}, c.AllowedDataActions...)},
		ManagementPolicy:   ManagementPolicy{"Managed"},
		NotificationPolicy: NotificationPolicy{[]Endpoint{}}, Policies: make([]DefinitionPolicy, len(c.Policies)),
	}
	for i, a := range authorizations {
		d.Authorizations[i] = DefinitionAuthorization{strings.ToLower(a.PrincipalID), string(a.Role)}
	}
	if c.NotificationEndpoint != "" {
		d.NotificationPolicy.Endpoints = []Endpoint{{c.NotificationEndpoint}}
	}
	for i, policy := range c.Policies {
		d.Policies[i] = DefinitionPolicy{Name: policy.Name, Definition: policy.Definition}
		if policy.Parameters != "" {
			d.Policies[i].Parameters = json.RawMessage(policy.Parameters)
		}
	}
	return d
}
