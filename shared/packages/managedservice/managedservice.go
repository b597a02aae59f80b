// Package managedservice validates the manifest of a managed service's plan: who of the provider may do what in the
// customer's subscription (rules MSO-12 to MSO-23).
//
// The manifest is JSON with the property names of the public ManagedServices resource. Whether a principal is a
// group, a user or a service principal is known to the directory alone and is not looked at here.
package managedservice

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"stoa/shared/packages/content"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/jsondoc"
)

// Options are what is known beside the manifest.
type Options struct {
	Published string // version of the plan's last published manifest, empty when there is none
}

const (
	maxAuthorizations = 20
	maxApprovers      = 10
	deleteRole        = "91c1777a-f3dc-4fae-b103-61d183457e46"
	accessRole        = "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"
)

// role is a built-in role as roles.json has it.
type role struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Supported  bool   `json:"supported"`
	Eligible   bool   `json:"eligibleAllowed"`
	Assignable bool   `json:"assignable"`
}

//go:embed roles.json
var rolesJSON []byte

var roles = loadRoles()

func loadRoles() map[string]role {
	var file struct {
		Roles []role `json:"roles"`
	}
	if err := json.Unmarshal(rolesJSON, &file); err != nil {
		panic(fmt.Sprintf("roles.json: %v", err))
	}
	out := map[string]role{}
	for _, r := range file.Roles {
		out[strings.ToLower(r.ID)] = r
	}
	return out
}

// manifest is the document under inspection.
type manifest struct {
	*content.Document
	report *finding.Report
}

// Validate looks at a manifest.
func Validate(doc *content.Document, o Options, report *finding.Report) {
	m := manifest{doc, report}
	if !doc.Root.Is(jsondoc.Object) {
		m.add("MSO_MANIFEST_INVALID", "", doc.Root, "The manifest is no object.")
		return
	}
	m.checkHead(o)
	active := m.list("authorizations")
	eligible := m.list("eligibleAuthorizations")
	if n := len(active) + len(eligible); n > maxAuthorizations || len(active) == 0 { // MSO-14
		m.add("MSO_AUTHORIZATION_COUNT", "/authorizations", doc.Root.Get("authorizations"), "The manifest has %d active and %d eligible authorizations.", len(active), len(eligible))
	}
	m.checkActive(active)
	m.checkEligible(eligible, active)
	for _, list := range [][]authorization{active, eligible} {
		m.checkRepeated(list)
	}
	for _, a := range active {
		if a.role == deleteRole {
			return
		}
	}
	m.add("MSO_NO_DELETE_ROLE", "/authorizations", doc.Root.Get("authorizations"), "Delegations can be ended from the customer's side only.") // MSO-23
}

func (m manifest) add(code, pointer string, n *jsondoc.Node, format string, args ...any) {
	m.report.Add(code, m.Place(pointer, n), format, args...)
}

// text is a member that is a string, "" otherwise.
func text(n *jsondoc.Node, key string) string {
	if v := n.Get(key); v.Is(jsondoc.String) {
		return v.Text
	}
	return ""
}

func isGUID(s string) bool {
	_, err := uuid.Parse(s)
	return err == nil && len(s) == 36
}

// checkHead looks at version and tenant (MSO-12).
func (m manifest) checkHead(o Options) {
	version, tenant := m.Root.Get("version"), m.Root.Get("managedByTenantId")
	v, ok := parseVersion(text(m.Root, "version"))
	last, published := parseVersion(o.Published)
	switch {
	case !ok:
		m.add("MSO_VERSION_FORMAT", "/version", version, "The version is %q.", text(m.Root, "version"))
	case published && !last.below(v):
		m.add("MSO_VERSION_NOT_INCREASING", "/version", version, "The version is %s; %s is published.", version.Text, o.Published)
	}
	if !isGUID(text(m.Root, "managedByTenantId")) {
		m.add("MSO_TENANT_ID", "/managedByTenantId", tenant, "The tenant is %q.", text(m.Root, "managedByTenantId"))
	}
}

// authorization is one entry of a list whose fields are well formed.
type authorization struct {
	at        string // pointer
	node      *jsondoc.Node
	principal string // lower case
	role      string // lower case

}

// list reads the authorizations of a list; those that lack a field are found and still count.
func (m manifest) list(key string) []authorization {
	n := m.Root.Get(key)
	if n != nil && n.Kind != jsondoc.Array {
		m.add("MSO_MANIFEST_INVALID", "/"+key, n, "%s is no list.", key)
		return nil
	}
	if n == nil {
		return nil
	}
	out := make([]authorization, len(n.Items))
	for i, item := range n.Items {
		a := authorization{
			at: fmt.Sprintf("/%s/%d", key, i), node: item,
			principal: strings.ToLower(text(item, "principalId")), role: strings.ToLower(text(item, "roleDefinitionId")),
		}
		out[i] = a
		if !isGUID(a.principal) || text(item, "principalIdDisplayName") == "" || a.role == "" {
			m.add("MSO_AUTHORIZATION_FIELDS", a.at, item, "principalId is %q, principalIdDisplayName is %q, roleDefinitionId is %q.",
				text(item, "principalId"), text(item, "principalIdDisplayName"), text(item, "roleDefinitionId"))
			continue
		}
		if !roles[a.role].Supported { // MSO-16
			m.add("MSO_ROLE_UNSUPPORTED", a.at+"/roleDefinitionId", item.Get("roleDefinitionId"), "The role is %q.", text(item, "roleDefinitionId"))
		}
	}
	return out
}

// checkActive looks at what belongs to active authorizations alone (MSO-17, MSO-19).
func (m manifest) checkActive(list []authorization) {
	for _, a := range list {
		if p := a.node.Get("justInTimeAccessPolicy"); p != nil {
			m.add("MSO_ACTIVE_POLICY", a.at+"/justInTimeAccessPolicy", p, "An active authorization has no policy.")
		}
		m.checkAssignable(a)
	}
}

// checkAssignable looks at the roles that User Access Administrator may assign (MSO-17).
func (m manifest) checkAssignable(a authorization) {
	at, n := a.at+"/delegatedRoleDefinitionIds", a.node.Get("delegatedRoleDefinitionIds")
	count := 0
	if n.Is(jsondoc.Array) {
		count = len(n.Items)
	}
	if (a.role == accessRole) != (count > 0) || n != nil && n.Kind != jsondoc.Array {
		m.add("MSO_ASSIGNABLE_ROLES", at, n, "The role %s has %d assignable roles.", a.role, count)
		return
	}
	for i := range count {
		if item := n.Items[i]; !item.Is(jsondoc.String) || !roles[strings.ToLower(item.Text)].Assignable {
			m.add("MSO_ASSIGNABLE_ROLE_UNSUPPORTED", fmt.Sprintf("%s/%d", at, i), item, "The role is %q.", item.Text)
		}
	}
}

// checkRepeated finds the same principal with the same role twice (MSO-15).
func (m manifest) checkRepeated(list []authorization) {
	seen := map[string]bool{}
	for _, a := range list {
		key := a.principal + " " + a.role
		if a.role != "" && seen[key] {
			m.add("MSO_AUTHORIZATION_DUPLICATE", a.at, a.node, "The principal %s has the role twice.", a.principal)
		}
		seen[key] = true
	}
}
