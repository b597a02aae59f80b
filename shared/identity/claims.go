package identity

import (
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"stoa/shared/account"
)

// claims are the claims of an access token that we read. Those of v1 and v2 tokens differ in names only.
type claims struct {
	jwt.RegisteredClaims
	TenantID        string  `json:"tid"`
	AppID           string  `json:"appid"` // v1
	AuthorizedParty string  `json:"azp"`   // v2
	ObjectID        string  `json:"oid"`
	UPN             string  `json:"upn"`
	PreferredName   string  `json:"preferred_username"` // v2
	Name            string  `json:"name"`
	Scope           *string `json:"scp"`       // only in tokens of people, be it empty (FUL-2)
	ResourceID      string  `json:"xms_mirid"` // only in tokens of managed identities
}

// consistent checks what must hold between the claims: the issuer is the one of the token's own directory, an
// application is named, and a person has an id (FUL-2).
func (c *claims) consistent(issuers []string) error {
	tenant := strings.ToLower(c.TenantID)
	switch {
	case tenant == "":
		return refused("tid: expected the GUID of a directory, found none")
	case account.GUID(tenant) != tenant:
		return refused("tid: expected the GUID of a directory, found %s", shown(c.TenantID))
	case !slices.Contains(ofTenant(issuers, tenant), c.Issuer):
		return refused("iss: expected one of %s, found %s", shownAll(ofTenant(issuers, tenant)), shown(c.Issuer))
	case c.AppID == "" && c.AuthorizedParty == "":
		return refused("appid: expected the id of an application there or in azp, found none")
	case c.AppID != "" && c.AuthorizedParty != "" && !strings.EqualFold(c.AppID, c.AuthorizedParty):
		return refused("azp: expected the same as appid, %s, found %s", shown(c.AppID), shown(c.AuthorizedParty))
	case c.Scope != nil && c.ObjectID == "":
		return refused("oid: expected the id of a person in a token with scp, found none")
	}
	return nil
}

// caller says who the claims speak for. Ids come in lower case, so that they compare.
func (c *claims) caller() account.Caller {
	who := account.Caller{
		Kind: account.App, TenantID: strings.ToLower(c.TenantID), AppID: strings.ToLower(c.AppID),
		ObjectID: strings.ToLower(c.ObjectID),
	}
	if who.AppID == "" {
		who.AppID = strings.ToLower(c.AuthorizedParty)
	}
	switch {
	case c.Scope != nil:
		who.Kind, who.UPN, who.Name = account.User, c.UPN, c.Name
		if who.UPN == "" {
			who.UPN = c.PreferredName
		}
	case c.ResourceID != "":
		who.Kind, who.ResourceID = account.ManagedIdentity, c.ResourceID
	}
	return who
}

// ofTenant are the issuers that are accepted for the directory.
func ofTenant(templates []string, tenant string) []string {
	var all []string
	for _, t := range templates {
		if issuer := strings.ReplaceAll(t, "{tid}", tenant); !slices.Contains(all, issuer) {
			all = append(all, issuer)
		}
	}
	return all
}
