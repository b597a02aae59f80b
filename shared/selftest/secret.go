package selftest

import (
	"fmt"
	"io"
	"strings"
)

// hidden stands where a secret would.
const hidden = "***"

// Secret is a password, or the PEM text of a private key. However it is printed, it reads *** (VMO-102).
type Secret struct{ text string }

// NewSecret wraps a text.
func NewSecret(text string) Secret { return Secret{text} }

// Reveal is the text itself, for the log-on.
func (s Secret) Reveal() string { return s.text }

// Key reports whether the secret is a private key and not a password.
func (s Secret) Key() bool { return strings.HasPrefix(strings.TrimSpace(s.text), "-----BEGIN ") }

// Format implements fmt.Formatter.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// MarshalText implements encoding.TextMarshaler.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// hide takes the secret out of what a machine said, which may repeat it.
func (s Secret) hide(text string) string {
	if s.text == "" {
		return text
	}
	return strings.ReplaceAll(text, s.text, hidden)
}
