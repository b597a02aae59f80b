package identity

import (
	"crypto/rand"
	"encoding/base64"
	"strings"
	"time"
)

// life is how long every token is good (FUL-1).
const life = time.Hour

// localClient is the public client that people sign in with.
const localClient = "stoa-local"

// version tells the two generations of endpoints and tokens apart.
type version int

const (
	v1 version = 1
	v2 version = 2
)

// issuer is the iss claim of a directory's tokens; it does not depend on where the stand-in listens.
func (v version) issuer(tenant string) string {
	if v == v1 {
		return "https://sts.windows.net/" + tenant + "/"
	}
	return "https://login.microsoftonline.com/" + tenant + "/v2.0"
}

// subject is who a token is for.
type subject struct {
	tenant   string
	client   string // appid or azp
	object   string // oid
	roles    []string
	user     *User
	resource string // ARM id of a managed identity's resource
}

// claims are what the directory says of the subject, for one audience.
func (v version) claims(s subject, audience string, now time.Time) map[string]any {
	c := map[string]any{
		"aud": audience, "iss": v.issuer(s.tenant), "idp": v.issuer(s.tenant), "tid": s.tenant, "oid": s.object,
		"sub": s.object, "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(life).Unix(), "uti": unique(),
	}
	proof := "1" // by secret
	switch {
	case s.user != nil:
		proof = "0" // a public client proves nothing
		c["sub"] = derived("subject", s.object, s.client)
		c["upn"] = s.user.UPN
		c["name"] = displayName(s.user.UPN)
		c["scp"] = "user_impersonation"
	case s.resource != "":
		proof = "2" // by certificate
		c["xms_mirid"] = s.resource
	}
	if len(s.roles) > 0 {
		c["roles"] = s.roles
	}
	if v == v1 {
		c["ver"], c["appid"], c["appidacr"] = "1.0", s.client, proof
		if s.user != nil {
			c["unique_name"] = s.user.UPN
		}
		return c
	}
	c["ver"], c["azp"], c["azpacr"] = "2.0", s.client, proof
	if s.user != nil {
		c["preferred_username"] = s.user.UPN
	}
	return c
}

// displayName makes a name of a user principal name: olga.owner@contoso.example is Olga Owner.
func displayName(upn string) string {
	local, _, _ := strings.Cut(upn, "@")
	words := strings.FieldsFunc(local, func(r rune) bool { return r == '.' || r == '_' || r == '-' })
	for n, w := range words {
		words[n] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, " ")
}

// unique makes two tokens of the same second different ones.
func unique() string {
	var raw [16]byte
	rand.Read(raw[:]) // never fails: crypto/rand ends the process instead
	return base64.RawURLEncoding.EncodeToString(raw[:])
}
