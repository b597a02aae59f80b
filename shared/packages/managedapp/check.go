package managedapp

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"stoa/shared/account"
	"stoa/shared/fault"
)

const (
	codeInvalid  = "InvalidValue"
	codeRequired = "Required"
	codeLimit    = "LimitExceeded"

	maxAuthorizations = 100
	maxPolicies       = 5
	maxPolicyName     = 50
	maxActions        = 100
	maxText           = 4096 // characters of an address, an action or the parameters of a policy
)

// Check says what can never be right in a configuration, whatever is still missing: each finding names the field below
// the configuration. The clouds are the plan's; a solution template has a version alone.
func (c *Configuration) Check(solutionTemplate bool, clouds []string) fault.Findings {
	var out fault.Findings
	if _, ok := ParseVersion(c.Version); c.Version != "" && !ok { // AZA-50
		out.Add("APP_VERSION_FORMAT", "version", "The version is three whole numbers without leading zeros, such as 1.0.2.")
	}
	if solutionTemplate {
		for _, field := range c.set() {
			out.Add("FieldNotAllowed", field, "A solution template has no %s.", field) // 6.2
		}
		return out
	}
	if c.DeploymentMode != "" && c.DeploymentMode != Complete && c.DeploymentMode != Incremental { // AZA-54
		out.Add(codeInvalid, "deploymentMode", "The mode is %s or %s.", Complete, Incremental)
	}
	c.checkEndpoint(&out)
	c.checkActions(&out)
	checkCloud(&out, "publicAzure", c.PublicTenantID, c.PublicAuthorizations, slices.Contains(clouds, Global))
	checkCloud(&out, "azureGovernment", c.GovernmentTenantID, c.GovernmentAuthorized, slices.Contains(clouds, Government))
	c.checkPolicies(&out)
	return out
}

// set are the fields beside the version that have a value.
func (c *Configuration) set() []string {
	only := *c
	only.Version = ""
	raw, err := json.Marshal(only)
	if err != nil {
		return nil // strings, flags and lists of them always marshal
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil {
		return nil
	}
	out := make([]string, 0, len(fields))
	for name := range fields {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// checkEndpoint looks at the address that is told of instances (AZA-55).
func (c *Configuration) checkEndpoint(out *fault.Findings) {
	const field = "notificationEndpointUri"
	if c.NotificationEndpoint == "" {
		return
	}
	u, err := url.Parse(c.NotificationEndpoint)
	switch {
	case err != nil || len(c.NotificationEndpoint) > maxText || u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Contains(c.NotificationEndpoint, "#"):
		out.Add(codeInvalid, field, "The value is an absolute https address without a fragment and a user.")
	case strings.HasSuffix(strings.ToLower(strings.TrimSuffix(u.Path, "/")), "/resource"):
		out.Add("NotificationEndpointSuffix", field, "Leave /resource out at the end: it is added when the address is called.")
	}
}

// action is Provider.Namespace/…/verb, or holds an asterisk (AZA-60).
var action = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*(\.[A-Za-z0-9]+)+(/[A-Za-z0-9.*_-]+){2,}$`)

// checkActions looks at what customers may do (AZA-59, AZA-60).
func (c *Configuration) checkActions(out *fault.Findings) {
	lists := []struct {
		field   string
		actions Actions
	}{{"allowedCustomerActions", c.AllowedCustomerActions}, {"allowedDataActions", c.AllowedDataActions}}
	given := len(c.AllowedCustomerActions)+len(c.AllowedDataActions) > 0
	if c.CustomerActions != given {
		out.Add("CustomerActionsRequired", "canEnableCustomerActions", "Customers get further actions when the flag is set and one of the lists has some; otherwise both are empty.")
	}
	for _, l := range lists {
		if len(l.actions) > maxActions {
			out.Add(codeLimit, l.field, "At most %d actions are allowed.", maxActions)
		}
		for _, a := range l.actions {
			if len(a) > maxText || !action.MatchString(a) && !strings.Contains(a, "*") {
				out.Add("InvalidAction", l.field, "An action is written like Microsoft.Compute/virtualMachines/restart/action.")
				break
			}
		}
	}
}

// checkCloud looks at the directory and the authorizations of one cloud (AZA-61 to AZA-63).
func checkCloud(out *fault.Findings, cloud, tenant string, authorizations []Authorization, used bool) {
	list := cloud + "Authorizations"
	if !used {
		if tenant != "" || len(authorizations) > 0 {
			out.Add("FieldNotAllowed", list, "The plan is not offered in this cloud.")
		}
		return
	}
	if tenant != "" && account.GUID(tenant) == "" {
		out.Add(codeInvalid, cloud+"TenantID", "The tenant is a GUID.")
	}
	if len(authorizations) > maxAuthorizations {
		out.Add(codeLimit, list, "At most %d authorizations are allowed.", maxAuthorizations)
		return
	}
	seen := map[string]bool{}
	for i, a := range authorizations {
		at := list + "[" + strconv.Itoa(i) + "]."
		id := account.GUID(a.PrincipalID)
		switch {
		case id == "":
			out.Add(codeInvalid, at+"principalID", "The principal is a GUID: the object id of a user, a group or an application.")
		case seen[id]: // AZA-63
			out.Add("DuplicatePrincipal", at+"principalID", "The principal stands twice.")
		}
		seen[id] = true
		if !slices.ContainsFunc(tables.Roles, func(r roleForm) bool { return r.ID == string(a.Role) }) {
			out.Add("RoleNotAllowed", at+"roleDefinitionID", "The role is Owner or Contributor.") // AZA-62
		}
	}
}

// checkPolicies looks at the policies (AZA-64 to AZA-66).
func (c *Configuration) checkPolicies(out *fault.Findings) {
	if len(c.Policies) > maxPolicies {
		out.Add(codeLimit, "policies", "At most %d policies are allowed.", maxPolicies)
		return
	}
	names, definitions := map[string]bool{}, map[string]bool{}
	for i, p := range c.Policies {
		at := "policies[" + strconv.Itoa(i) + "]."
		if n := utf8.RuneCountInString(p.Name); n == 0 || n > maxPolicyName || names[strings.ToLower(p.Name)] {
			out.Add(codeInvalid, at+"policyName", "The name has 1 to %d characters and stands once.", maxPolicyName)
		}
		names[strings.ToLower(p.Name)] = true
		form := slices.IndexFunc(tables.Policies, func(f policyForm) bool {
			return strings.EqualFold(f.ID, p.Definition) || strings.EqualFold(f.Label, p.Definition)
		})
		if form < 0 || definitions[tables.Policies[form].ID] {
			out.Add(codeInvalid, at+"policyDefinitionID", "The policy is one of %s, each once.", strings.Join(policyNames(), ", "))
			continue
		}
		definitions[tables.Policies[form].ID] = true
		tables.Policies[form].check(p, at, out)
	}
}

func (f policyForm) check(p Policy, at string, out *fault.Findings) {
	switch {
	case !f.Parameters && p.Parameters != "":
		out.Add(codeInvalid, at+"policyParameters", "The policy %s takes no parameters.", f.Label)
	case f.Parameters && (len(p.Parameters) > maxText || !json.Valid([]byte(p.Parameters))):
		out.Add(codeRequired, at+"policyParameters", "The policy %s needs parameters, as JSON of at most %d bytes.", f.Label, maxText)
	}
	switch {
	case !slices.Contains(tables.SKUs, p.SKU):
		out.Add(codeInvalid, at+"policySku", "The SKU is %s.", strings.Join(tables.SKUs, " or "))
	case f.Audit && p.SKU != "Standard":
		out.Add("StandardSkuRequired", at+"policySku", "An audit policy needs the SKU Standard.")
	}
}

func policyNames() []string {
	out := make([]string, len(tables.Policies))
	for i, f := range tables.Policies {
		out[i] = f.ID
	}
	return out
}

// Missing says what a configuration lacks before it can be published (3.3, AZA-61).
func (c *Configuration) Missing(solutionTemplate bool, clouds []string) fault.Findings {
	var out fault.Findings
	need := func(there bool, field, what string) {
		if !there {
			out.Add(codeRequired, field, "%s is missing.", what)
		}
	}
	need(c.Version != "", "version", "The version")
	if solutionTemplate {
		return out
	}
	need(c.DeploymentMode != "", "deploymentMode", "The deployment mode")
	if slices.Contains(clouds, Global) {
		need(c.PublicTenantID != "", "publicAzureTenantID", "The tenant of the authorizations in Azure")
		need(len(c.PublicAuthorizations) > 0, "publicAzureAuthorizations", "An authorization in Azure")
	}
	if slices.Contains(clouds, Government) {
		need(c.GovernmentTenantID != "", "azureGovernmentTenantID", "The tenant of the authorizations in Azure Government")
		need(len(c.GovernmentAuthorized) > 0, "azureGovernmentAuthorizations", "An authorization in Azure Government")
	}
	return out
}
