package identity

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"stoa/shared/fault"
)

// refused is the answer to a token that is not accepted: the claim or the part that failed, with what was expected and
// what was found. Of the token it shows single claims, and never its text. The reason is the cause too, for the log.
func refused(format string, args ...any) *fault.Error {
	why := fmt.Errorf(format, args...)
	return fault.New(fault.Unauthenticated, "InvalidToken", "authorization", "The access token is refused: %v.", why).Because(why)
}

// maxShown is how much of a claim a refusal shows.
const maxShown = 100

// shown is a claim as a refusal shows it.
func shown(claim string) string {
	if r := []rune(claim); len(r) > maxShown {
		claim = string(r[:maxShown]) + "…"
	}
	return strconv.Quote(claim)
}

// shownAll are claims as a refusal shows them, the first few.
func shownAll(claims []string) string {
	const most = 5
	if len(claims) == 0 {
		return "none"
	}
	all := make([]string, 0, most)
	for _, c := range claims[:min(len(claims), most)] {
		all = append(all, shown(c))
	}
	if len(claims) > most {
		all = append(all, "…")
	}
	return strings.Join(all, ", ")
}

func instant(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// expired and early refuse a token outside of its life.
func expired(at, now time.Time) error {
	return refused("exp: it has expired, expected an instant after %s, found %s", instant(now), instant(at))
}

func early(at, now time.Time) error {
	return refused("nbf: it is not good yet, expected an instant not after %s, found %s", instant(now), instant(at))
}

// explain says why the library does not take a token. A refusal of our own in between stays what it is.
func (v *Verifier) explain(t *jwt.Token, c *claims, err error) error {
	var own *fault.Error
	if errors.As(err, &own) {
		return own
	}
	alg := ""
	if t != nil {
		alg, _ = t.Header["alg"].(string)
	}
	var typed *json.UnmarshalTypeError
	switch {
	case errors.As(err, &typed) && typed.Field != "":
		return refused("%s: expected a %s, found a %s", typed.Field, typed.Type, typed.Value)
	case errors.Is(err, jwt.ErrTokenMalformed) && t != nil && t.Method != nil:
		return refused("it is malformed: expected claims of the standard types")
	case errors.Is(err, jwt.ErrTokenMalformed):
		return refused("it is malformed: expected a JSON Web Token, three parts in base64 with dots between them")
	case alg != algorithm:
		return refused("alg: expected %q, found %s", algorithm, shown(alg))
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		kid, _ := t.Header["kid"].(string)
		return refused("the signature does not verify with the published key %s", shown(kid))
	case errors.Is(err, jwt.ErrTokenInvalidClaims) && c.ExpiresAt == nil:
		return refused("exp: expected an instant, found none")
	case errors.Is(err, jwt.ErrTokenInvalidClaims) && c.NotBefore == nil:
		return refused("nbf: expected an instant, found none")
	case errors.Is(err, jwt.ErrTokenExpired):
		return expired(c.ExpiresAt.Time, v.now())
	case errors.Is(err, jwt.ErrTokenNotValidYet):
		return early(c.NotBefore.Time, v.now())
	}
	return refused("it is malformed").Because(err)
}
