// Package seal encrypts the secrets that publishers give us, for rest in the store: AES-256-GCM boxes with the id
// of their key, so that keys can be rotated.
//
// A box opens only in the context it was sealed for, such as "lead destination|contoso|offer1": a box that is
// copied into another row is worth nothing. A Box is safe for concurrent use; it never logs and its errors hold
// no secret.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// KeySize is the bytes of a key.
const KeySize = 32

// version begins every sealed text: "v1.<key id>.<base64url of nonce and ciphertext>".
const version = "v1"

// ErrBroken says that a sealed text was changed, or is opened in another context than it was sealed in.
var ErrBroken = errors.New("the sealed text does not open here")

// Box seals and opens secrets with a set of keys.
type Box struct {
	keys    map[string]cipher.AEAD
	current string
}

// New makes a box. It seals with the current key and opens with all; the keys are KeySize bytes, their ids
// letters, digits, "-" and "_".
func New(keys map[string][]byte, current string) (*Box, error) {
	b := &Box{keys: make(map[string]cipher.AEAD, len(keys)), current: current}
	for id, key := range keys {
		if !validID(id) {
			return nil, fmt.Errorf("key id %q: letters, digits, - and _ are allowed", id)
		}
		if len(key) != KeySize {
			return nil, fmt.Errorf("key %s has %d bytes, %d are needed", id, len(key), KeySize)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", id, err)
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", id, err)
		}
		b.keys[id] = aead
	}
	if b.keys[current] == nil {
		return nil, fmt.Errorf("the current key %q is not among the keys", current)
	}
	return b, nil
}

func validID(id string) bool {
	for _, c := range id {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return id != ""
}

// Seal encrypts a secret for the context. Sealing it again gives another text.
func (b *Box) Seal(plain, context string) (string, error) {
	sealed := b.keys[b.current].Seal(nil, nil, []byte(plain), additional(b.current, context))
	return version + "." + b.current + "." + base64.RawURLEncoding.EncodeToString(sealed), nil
}

// Open decrypts what was sealed for the same context, with whichever of the keys it was sealed. The error is
// ErrBroken when the text was changed or the context is another.
func (b *Box) Open(sealed, context string) (string, error) {
	parts := strings.Split(sealed, ".")
	if len(parts) != 3 || parts[0] != version {
		return "", fmt.Errorf("open: not of the form %s.<key id>.<text>: %w", version, ErrBroken)
	}
	aead := b.keys[parts[1]]
	if aead == nil {
		return "", fmt.Errorf("open: the key %q is not known", parts[1])
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil {
		return "", fmt.Errorf("open: %w", ErrBroken)
	}
	plain, err := aead.Open(nil, nil, raw, additional(parts[1], context))
	if err != nil {
		return "", fmt.Errorf("open: %w", ErrBroken)
	}
	return string(plain), nil
}

// Stale reports whether a sealed text is not of the current key and should be sealed anew when it is next written.
func (b *Box) Stale(sealed string) bool {
	return !strings.HasPrefix(sealed, version+"."+b.current+".")
}

// additional binds version, key id and context to the box.
func additional(id, context string) []byte {
	return []byte(version + "." + id + "." + context)
}
