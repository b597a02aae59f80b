package facts

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
)

//go:embed roles.json
var rolesJSON []byte

// Role is a named set of permissions of a publisher account (ACC-52).
type Role struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// permission is one thing that may be done and the ids of the roles that grant it.
type permission struct {
	ID        string   `json:"id"`
	GrantedTo []string `json:"grantedTo"`
}

var roles = mustReadRoles(rolesJSON)

type roleTable struct {
	list   []Role
	byID   map[string]Role            // by lower-cased id
	grants map[string]map[string]bool // permission → lower-cased role id
}

func mustReadRoles(data []byte) roleTable {
	var file struct {
		Roles       []Role
		Permissions []permission
	}
	if err := json.Unmarshal(data, &file); err != nil {
		panic(fmt.Sprintf("roles.json: %v", err))
	}
	t := roleTable{list: file.Roles, byID: map[string]Role{}, grants: map[string]map[string]bool{}}
	for _, r := range file.Roles {
		t.byID[strings.ToLower(r.ID)] = r
	}
	for _, p := range file.Permissions {
		t.grants[p.ID] = map[string]bool{}
		for _, id := range p.GrantedTo {
			key := strings.ToLower(id)
			if _, known := t.byID[key]; !known {
				panic(fmt.Sprintf("roles.json: permission %s is granted to %q, which is no role", p.ID, id))
			}
			t.grants[p.ID][key] = true
		}
	}
	return t
}

// RoleByID finds a role by its id, in any case of letters.
func RoleByID(id string) (Role, bool) {
	r, ok := roles.byID[strings.ToLower(id)]
	return r, ok
}

// Roles are all roles, in the order of the table. The caller may keep the list.
func Roles() []Role { return append([]Role(nil), roles.list...) }

// PermissionKnown reports whether the id names a permission.
func PermissionKnown(id string) bool {
	_, ok := roles.grants[id]
	return ok
}

// RoleGrants reports whether the role grants the permission. An unknown role or permission grants nothing
// (ACC-50).
func RoleGrants(roleID, permissionID string) bool {
	return roles.grants[permissionID][strings.ToLower(roleID)]
}
