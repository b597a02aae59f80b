package identity

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// keyBits is the size of the signing keys.
const keyBits = 2048

// signingKey is one RSA key; the key that signs now has no retirement.
type signingKey struct {
	id      string
	private *rsa.PrivateKey
	until   time.Time // published until then; zero for the key that signs
}

// keyring holds the key that signs and those that signed before and are still published.
type keyring struct {
	now     func() time.Time
	overlap time.Duration
	file    string

	mu   sync.RWMutex
	keys []signingKey // the first signs
}

// newKeyring reads the ring from its file, or makes a key when there is none.
func newKeyring(file string, overlap time.Duration, now func() time.Time) (*keyring, error) {
	k := &keyring{now: now, overlap: overlap, file: file}
	if err := k.load(); err != nil {
		return nil, err
	}
	if len(k.keys) > 0 {
		return k, nil
	}
	if err := k.rotate(); err != nil {
		return nil, err
	}
	return k, nil
}

// current is the key that signs.
func (k *keyring) current() signingKey {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.keys[0]
}

// rotate makes a new signing key; the old one stays published for the overlap.
func (k *keyring) rotate() error {
	private, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return fmt.Errorf("make a signing key: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	next := []signingKey{{id: keyID(&private.PublicKey), private: private}}
	for _, old := range k.keys {
		if old.until.IsZero() {
			old.until = now.Add(k.overlap)
		}
		if old.until.After(now) {
			next = append(next, old)
		}
	}
	return k.replace(next)
}

// withdraw stops publishing every key but the one that signs.
func (k *keyring) withdraw() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.replace(k.keys[:1:1])
}

// replace saves the ring and then uses it, so that a restart never finds fewer keys than have signed.
func (k *keyring) replace(keys []signingKey) error {
	if err := k.save(keys); err != nil {
		return err
	}
	k.keys = keys
	return nil
}

// jwk is one published key. Issuer is set in the v2.0 set only.
type jwk struct {
	Kty    string `json:"kty"`
	Use    string `json:"use"`
	Kid    string `json:"kid"`
	X5t    string `json:"x5t"`
	N      string `json:"n"`
	E      string `json:"e"`
	Issuer string `json:"issuer,omitempty"`
}

// published is the key set that verifiers see.
func (k *keyring) published(issuer string) []jwk {
	k.mu.RLock()
	defer k.mu.RUnlock()
	now := k.now()
	var set []jwk
	for _, key := range k.keys {
		if !key.until.IsZero() && !key.until.After(now) {
			continue
		}
		public := key.private.PublicKey
		set = append(set, jwk{
			Kty: "RSA", Use: "sig", Kid: key.id, X5t: key.id,
			N: base64.RawURLEncoding.EncodeToString(public.N.Bytes()), E: exponent(public.E), Issuer: issuer,
		})
	}
	return set
}

func exponent(e int) string {
	var raw [8]byte
	binary.BigEndian.PutUint64(raw[:], uint64(e))
	first := 0
	for first < len(raw)-1 && raw[first] == 0 {
		first++
	}
	return base64.RawURLEncoding.EncodeToString(raw[first:])
}

// keyID names a key by the SHA-1 of its public part, which has the look of the directory's thumbprints.
func keyID(public *rsa.PublicKey) string {
	sum := sha1.Sum(x509.MarshalPKCS1PublicKey(public))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// storedKey is the form of a key in the key file.
type storedKey struct {
	Private string    `json:"private"` // PEM, PKCS #1
	Until   time.Time `json:"until,omitzero"`
}

func (k *keyring) load() error {
	if k.file == "" {
		return nil
	}
	raw, err := os.ReadFile(k.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the key file: %w", err)
	}
	var stored []storedKey
	if err := json.Unmarshal(raw, &stored); err != nil {
		return fmt.Errorf("read the key file %s: %w", k.file, err)
	}
	for i, s := range stored {
		block, _ := pem.Decode([]byte(s.Private))
		if block == nil {
			return fmt.Errorf("read the key file %s: key %d is no PEM block", k.file, i)
		}
		private, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			return fmt.Errorf("read the key file %s: key %d: %w", k.file, i, err)
		}
		k.keys = append(k.keys, signingKey{id: keyID(&private.PublicKey), private: private, until: s.Until})
	}
	return nil
}

func (k *keyring) save(keys []signingKey) error {
	if k.file == "" {
		return nil
	}
	stored := make([]storedKey, 0, len(keys))
	for _, key := range keys {
		block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key.private)}
		stored = append(stored, storedKey{Private: string(pem.EncodeToMemory(block)), Until: key.until})
	}
	raw, err := json.MarshalIndent(stored, "", "  ")
	if err != nil {
		return fmt.Errorf("save the key file: %w", err)
	}
	temp, err := os.CreateTemp(filepath.Dir(k.file), ".keys-*") // created with mode 0600
	if err != nil {
		return fmt.Errorf("save the key file: %w", err)
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(raw)
	if err := errors.Join(err, temp.Close()); err != nil {
		return fmt.Errorf("save the key file: %w", err)
	}
	if err := os.Rename(temp.Name(), k.file); err != nil {
		return fmt.Errorf("save the key file: %w", err)
	}
	return nil
}
