// Package registrytest runs a real container registry for tests, and puts images into it.
package registrytest

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"
)

// Who may ask the registry.
const (
	User     = "contoso"
	Password = "s3cret"
)

// Start runs a real registry that asks for a password, at a free address unless one is given, and returns the address.
// The test is skipped where the program is not installed, unless everything is to be tested.
func Start(t *testing.T, address string) string {
	t.Helper()
	program, err := exec.LookPath("docker-registry")
	if err != nil {
		if os.Getenv("STOA_TEST_ALL") != "" {
			t.Fatal("docker-registry is not installed (Debian: docker-registry)")
		}
		t.Skip("docker-registry is not installed")
	}
	dir := t.TempDir()
	hash, err := bcrypt.GenerateFromPassword([]byte(Password), bcrypt.MinCost)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "users"), []byte(User+":"+string(hash)+"\n"), 0o600))
	if address == "" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		address = l.Addr().String()
		l.Close()
	}
	config := fmt.Sprintf("version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: %q}\nauth: {htpasswd: {realm: r, path: %s}}\n",
		filepath.Join(dir, "data"), address, filepath.Join(dir, "users"))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.yml"), []byte(config), 0o600))
	cmd := exec.Command(program, "serve", filepath.Join(dir, "config.yml"))
	cmd.Stdout, cmd.Stderr = io.Discard, io.Discard
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	require.Eventually(t, func() bool {
		resp, err := http.Get("http://" + address + "/v2/")
		if err == nil {
			resp.Body.Close()
		}
		return err == nil
	}, 20*time.Second, 20*time.Millisecond, "the registry does not answer")
	return address
}

// Push puts an image of a platform under a tag of the repository app.
func Push(t *testing.T, address, tag, arch string) v1.Image {
	t.Helper()
	image, err := random.Image(100, 1)
	require.NoError(t, err)
	config, err := image.ConfigFile()
	require.NoError(t, err)
	config.OS, config.Architecture = "linux", arch
	image, err = mutate.ConfigFile(image, config)
	require.NoError(t, err)
	ref, err := name.NewTag(address+"/app:"+tag, name.Insecure)
	require.NoError(t, err)
	require.NoError(t, remote.Write(ref, image, remote.WithAuth(&authn.Basic{Username: User, Password: Password})))
	return image
}

// PushList puts a manifest list of images, by their architecture, under tags.
func PushList(t *testing.T, address string, images map[string]v1.Image, tags ...string) {
	t.Helper()
	index := v1.ImageIndex(empty.Index)
	for arch, image := range images {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}})
	}
	for _, tag := range tags {
		ref, err := name.NewTag(address+"/app:"+tag, name.Insecure)
		require.NoError(t, err)
		require.NoError(t, remote.WriteIndex(ref, index, remote.WithAuth(&authn.Basic{Username: User, Password: Password})))
	}
}
