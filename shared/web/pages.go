package web

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"stoa/shared/fault"
)

const (
	maxPageToken = 4096 // characters of a continuation that is looked at
	macSize      = 16   // bytes of the signature; a guess is one in 2^128
)

// Pages makes the continuation tokens of lists: opaque, signed, bound to the list they continue, and good across
// restarts as long as the key is the same.
type Pages struct {
	Key   []byte // secret, 16 bytes or more
	Param string // what the API calls the token; empty takes continuation
}

// Page is the answer of a list: a page of it, and the token of the next one.
type Page[T any] struct {
	Value        []T    `json:"value"`
	Continuation string `json:"continuation,omitempty"`
}

// Encode makes the token of the page that inner continues. The scope names the list and all that selects its
// rows, such as the publisher; a token is good for its own scope only. The end of the list, an empty inner, is
// an empty token.
func (p Pages) Encode(scope, inner string) string {
	if inner == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(append(p.sign(scope, inner), inner...))
}

// Decode gives the inner continuation of a token. An empty token is the first page. A token that was not made
// here, for this scope, is Invalid "InvalidContinuation".
func (p Pages) Decode(scope, token string) (string, error) {
	if token == "" {
		return "", nil
	}
	foreign := fault.New(fault.Invalid, "InvalidContinuation", cmp.Or(p.Param, "continuation"), "use the token of the page before, unchanged and for the same list")
	if len(token) > maxPageToken {
		return "", foreign
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) <= macSize {
		return "", foreign
	}
	inner := string(raw[macSize:])
	if !hmac.Equal(raw[:macSize], p.sign(scope, inner)) {
		return "", foreign
	}
	return inner, nil
}

func (p Pages) sign(scope, inner string) []byte {
	if len(p.Key) < 16 {
		panic("continuation tokens: the key is shorter than 16 bytes")
	}
	mac := hmac.New(sha256.New, p.Key)
	// The length keeps scope and inner apart.
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(scope))))
	mac.Write([]byte(scope))
	mac.Write([]byte(inner))
	return mac.Sum(nil)[:macSize]
}
