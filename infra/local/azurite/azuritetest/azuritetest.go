// Package azuritetest gives the tests of a package one Azurite, started when the first of them asks for it.
//
// A package calls Main from its TestMain. Without the npm packages the tests that need Azurite are skipped and say
// why; with STOA_TEST_ALL=1 they fail instead.
package azuritetest

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"stoa/infra/local/azurite"
)

const startTimeout = 2 * time.Minute

var shared struct {
	once    sync.Once
	storage *azurite.Azurite
	err     error
}

// Main runs the tests, ends the Azurite they have used and exits.
func Main(m *testing.M) {
	code := m.Run()
	if shared.storage != nil {
		shared.storage.Stop()
	}
	os.Exit(code)
}

// Storage is the Azurite of this test binary.
func Storage(t testing.TB) *azurite.Azurite {
	t.Helper()
	shared.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		shared.storage, shared.err = azurite.Start(ctx, azurite.Options{})
	})
	if errors.Is(shared.err, azurite.ErrNotInstalled) && os.Getenv("STOA_TEST_ALL") != "1" {
		t.Skip(shared.err)
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.storage
}
