package account

import (
	"regexp"
	"slices"
	"strings"

	"stoa/shared/facts"
	"stoa/shared/fault"
)

// Permission is something that may be done in a publisher account: an id of facts/roles.json, "offer.edit".
type Permission string

// Known reports whether the permission is one of the table. An unknown one is never granted.
func (p Permission) Known() bool { return facts.PermissionKnown(string(p)) }

// Publisher is a selling identity and who has access to it.
type Publisher struct {
	ID       string // permanent, unique over all accounts
	TenantID string // directory of its people and, unless they say otherwise, of its applications
	Name     string // shown with every offer
	Apps     []AppGrant
	Users    []UserGrant
}

// AppGrant gives an application access to a publisher.
type AppGrant struct {
	TenantID string // directory of the application; empty means that of the publisher
	AppID    string
	Roles    []string // role ids of facts/roles.json, in any case of letters
	Use      string   // "Production" or "Test"
}

// UserGrant gives a person access to a publisher.
type UserGrant struct {
	TenantID string // directory of the person; empty means that of the publisher
	ObjectID string
	UPN      string
	Roles    []string
}

// publisherID is the form of a publisher id; without a dot, because offers are named publisher.offer.
var publisherID = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{1,49}$`)

// normal returns the publisher with its GUIDs lowered and its tenant in every grant.
func (p Publisher) normal() Publisher {
	p.TenantID = strings.ToLower(p.TenantID)
	p.Apps = slices.Clone(p.Apps)
	for i := range p.Apps {
		p.Apps[i].AppID = strings.ToLower(p.Apps[i].AppID)
		p.Apps[i].TenantID = or(strings.ToLower(p.Apps[i].TenantID), p.TenantID)
		p.Apps[i].Roles = slices.Clone(p.Apps[i].Roles)
	}
	p.Users = slices.Clone(p.Users)
	for i := range p.Users {
		p.Users[i].ObjectID = strings.ToLower(p.Users[i].ObjectID)
		p.Users[i].TenantID = or(strings.ToLower(p.Users[i].TenantID), p.TenantID)
		p.Users[i].Roles = slices.Clone(p.Users[i].Roles)
	}
	return p
}

func or(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// check collects what is wrong with a publisher that is to be registered.
func (p Publisher) check() error {
	var found fault.Findings
	if !publisherID.MatchString(p.ID) {
		found.Add("InvalidValue", "publisherId", "must be 2 to 50 lower-case letters, digits, dashes or underscores and begin with a letter or digit")
	}
	if p.TenantID == "" {
		found.Add("MissingValue", "tenantId", "is required")
	}
	for _, a := range p.Apps {
		if a.AppID == "" {
			found.Add("MissingValue", "apps.appId", "is required")
		}
		checkRoles(&found, "apps.roles", a.Roles)
	}
	for _, u := range p.Users {
		if u.ObjectID == "" {
			found.Add("MissingValue", "users.objectId", "is required")
		}
		checkRoles(&found, "users.roles", u.Roles)
	}
	return found.Err(fault.Invalid, "InvalidPublisher", "the publisher is not acceptable")
}

func checkRoles(found *fault.Findings, target string, ids []string) {
	for _, id := range ids {
		if _, known := facts.RoleByID(id); !known {
			found.Add("InvalidValue", target, "%q is not a role", id)
		}
	}
}

// rolesOf are the roles the caller holds in the publisher, and whether the publisher lists the caller at all.
// A publisher that is stored is normal, and so are the ids of a caller.
func (p Publisher) rolesOf(c Caller) (roles []string, listed bool) {
	switch c.Kind {
	case App:
		for _, a := range p.Apps {
			if same(a.AppID, c.AppID) && same(or(a.TenantID, p.TenantID), c.TenantID) {
				roles, listed = append(roles, a.Roles...), true
			}
		}
	case User:
		for _, u := range p.Users {
			if same(u.ObjectID, c.ObjectID) && same(or(u.TenantID, p.TenantID), c.TenantID) {
				roles, listed = append(roles, u.Roles...), true
			}
		}
	}
	return roles, listed
}

// same compares two GUIDs; an empty one equals nothing.
func same(a, b string) bool { return a != "" && strings.EqualFold(a, b) }
