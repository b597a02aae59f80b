package identity_test

import (
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"stoa/shared/fault"
	"stoa/shared/identity"
)

// A refusal names the claim or the part that failed, with what was expected and what was found, and never the token.
func TestRefusalsNameWhatFailed(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	v := a.verifier(t)
	const graph, elsewhere = "https://graph.microsoft.com", "https://sts.example/"
	parts := strings.Split(a.sign(t), ".")
	kid := map[string]any{"kid": a.KeyID()}
	for name, row := range map[string]struct {
		token string
		words []string
	}{
		"audience":        {a.sign(t, "aud", graph), []string{"aud:", resource, graph}},
		"two audiences":   {a.sign(t, "aud", []string{graph, "b"}), []string{"aud:", resource, graph, `"b"`}},
		"no audience":     {a.sign(t, "aud", nil), []string{"aud:", resource, "found none"}},
		"issuer":          {a.sign(t, "iss", elsewhere), []string{"iss:", v1Issuer, a.url + "/" + tenant + "/v2.0", elsewhere}},
		"no issuer":       {a.sign(t, "iss", nil), []string{"iss:", v1Issuer, `""`}},
		"expired":         {a.sign(t, "exp", a.clock.unix(-time.Hour)), []string{"exp:", "2021-11-22T10:00:00Z", "2021-11-22T09:00:00Z"}},
		"no exp":          {a.sign(t, "exp", nil), []string{"exp:", "found none"}},
		"early":           {a.sign(t, "nbf", a.clock.unix(time.Hour)), []string{"nbf:", "2021-11-22T10:00:00Z", "2021-11-22T11:00:00Z"}},
		"no nbf":          {a.sign(t, "nbf", nil), []string{"nbf:", "found none"}},
		"no tid":          {a.sign(t, "tid", nil), []string{"tid:", "GUID", "found none"}},
		"tid is a name":   {a.sign(t, "tid", "contoso"), []string{"tid:", "GUID", `"contoso"`}},
		"no application":  {a.sign(t, "appid", nil), []string{"appid:", "azp", "found none"}},
		"two":             {a.sign(t, "azp", "x"), []string{"azp:", app, `"x"`}},
		"a person":        {a.sign(t, "scp", "", "oid", nil), []string{"oid:", "scp"}},
		"tid of no text":  {a.sign(t, "tid", 7), []string{"tid:", "string", "number"}},
		"another key":     {forge(t, jwt.SigningMethodRS256, otherKey(), a.claims(), kid), []string{"signature", a.KeyID()}},
		"changed":         {parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])), []string{"signature", a.KeyID()}},
		"unknown key":     {forge(t, jwt.SigningMethodRS256, otherKey(), a.claims(), map[string]any{"kid": "nobody"}), []string{"kid:", `"nobody"`}},
		"no kid":          {forge(t, jwt.SigningMethodRS256, otherKey(), a.claims(), nil), []string{"kid:", "found none"}},
		"algorithm":       {forge(t, jwt.SigningMethodHS256, []byte("secret"), a.claims(), kid), []string{"alg:", `"RS256"`, `"HS256"`}},
		"no algorithm":    {"e30." + parts[1] + ".", []string{"alg:", `"RS256"`, `""`}},
		"malformed":       {"garbage", []string{"malformed", "three parts"}},
		"two parts":       {parts[0] + "." + parts[1], []string{"malformed", "three parts"}},
		"empty":           {"", []string{"found 0"}},
		"a very long one": {strings.Repeat("a", 17<<10), []string{"16384", "17408"}},
		"a long claim":    {a.sign(t, "iss", elsewhere+strings.Repeat("x", 5000)), []string{"iss:", elsewhere}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := v.Verify(t.Context(), row.token, wanted)
			requireRefused(t, err)
			text := fault.As(err).Message
			for _, w := range row.words {
				require.Contains(t, text, w)
			}
			require.Less(t, len(text), 600)
			for _, part := range strings.Split(row.token, ".") {
				if len(part) > 20 {
					require.NotContains(t, text, part[:20], "never the token")
				}
			}
		})
	}
}

// A token that verified before is refused in the same words when its time is over, and on a route it is not meant for.
func TestRefusalsOfTokensThatAreKnown(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	v := a.verifier(t)
	token := a.sign(t)
	refusal := func(audience string) string {
		_, err := v.Verify(t.Context(), token, []string{audience})
		requireRefused(t, err)
		return fault.As(err).Message
	}
	_, err := v.Verify(t.Context(), token, wanted)
	require.NoError(t, err)
	require.Contains(t, refusal("another"), `aud: expected one of "another", found "`+resource)
	a.clock.move(61 * time.Minute)
	over := refusal(resource)
	require.Contains(t, over, "after 2021-11-22T11:01:00Z, found 2021-11-22T11:00:00Z")
	fresh := a.verifier(t)
	_, err = fresh.Verify(t.Context(), token, wanted)
	require.Equal(t, over, fault.As(err).Message)
	a.clock.move(-2 * time.Hour)
	_, err = a.verifier(t, func(o *identity.Options) { o.Skew = time.Second }).Verify(t.Context(), token, wanted)
	require.Contains(t, fault.As(err).Message, "nbf:")
}
