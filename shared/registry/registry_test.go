package registry_test

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

	"stoa/shared/packages/container"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/packagestest"
	"stoa/shared/registry"
)

const (
	user     = "contoso"
	password = "s3cret"
)

// start runs a real registry that asks for a password, and gives its address.
func start(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("docker-registry")
	if err != nil {
		if os.Getenv("STOA_TEST_ALL") != "" {
			t.Fatal("docker-registry is not installed (Debian: docker-registry)")
		}
		t.Skip("docker-registry is not installed")
	}
	dir := t.TempDir()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "users"), []byte(user+":"+string(hash)+"\n"), 0o600))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	l.Close()
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

// pushed puts an image of a platform under a tag.
func pushed(t *testing.T, address, tag, arch string) v1.Image {
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
	require.NoError(t, remote.Write(ref, image, remote.WithAuth(&authn.Basic{Username: user, Password: password})))
	return image
}

// pushedList puts a manifest list of images under tags.
func pushedList(t *testing.T, address string, images map[string]v1.Image, tags ...string) {
	t.Helper()
	index := v1.ImageIndex(empty.Index)
	for arch, image := range images {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}})
	}
	for _, tag := range tags {
		ref, err := name.NewTag(address+"/app:"+tag, name.Insecure)
		require.NoError(t, err)
		require.NoError(t, remote.WriteIndex(ref, index, remote.WithAuth(&authn.Basic{Username: user, Password: password})))
	}
}

func open(address, password string) *registry.Registry {
	return registry.New(registry.Options{Server: address, User: user, Password: password, Insecure: true})
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	address := start(t)
	amd, arm := pushed(t, address, "1.0.1-amd64", "amd64"), pushed(t, address, "1.0.1-arm64", "arm64")
	pushedList(t, address, map[string]v1.Image{"amd64": amd, "arm64": arm}, "1.0.1", "latest")
	from := open(address, password)

	one, err := from.Image(t.Context(), "app", "1.0.1-amd64")
	require.NoError(t, err)
	digest, err := amd.Digest()
	require.NoError(t, err)
	require.Equal(t, container.Image{Digest: digest.String(), Known: true, Platform: "linux/amd64"}, one, "CON-41")
	list, err := from.Image(t.Context(), "app", "latest")
	require.NoError(t, err)
	require.True(t, list.Known && list.List)
	require.Len(t, list.Children, 2)

	for _, row := range []struct {
		name, repository, tag, password, code string
	}{
		{"CON-31 another password", "app", "latest", "wrong", "RegistryAuthFailed"},
		{"CON-31 another repository", "other", "latest", password, "RepositoryNotFound"},
		{"CON-31 no such tag", "app", "2.0.0", password, "TagNotFound"},
		{"CON-31 no name", "App!", "latest", password, "RepositoryNotFound"},
	} {
		_, err := open(address, row.password).Image(t.Context(), row.repository, row.tag)
		var refused *container.Refused
		require.ErrorAs(t, err, &refused, row.name)
		// A registry says MANIFEST_UNKNOWN for a repository that it does not know as well.
		require.Contains(t, []string{row.code, map[string]string{"RepositoryNotFound": "TagNotFound"}[row.code]}, refused.Code, row.name)
		require.NotContains(t, err.Error(), row.password, "CON-32")
	}
}

// A whole offer: what was pushed is accepted; a version tag that moves is not.
func TestOffer(t *testing.T) {
	t.Parallel()
	address := start(t)
	amd, arm := pushed(t, address, "1.0.1-amd64", "amd64"), pushed(t, address, "1.0.1-arm64", "arm64")
	pushedList(t, address, map[string]v1.Image{"amd64": amd, "arm64": arm}, "1.0.1", "latest")
	repository := container.Repository{Kind: container.Container, Registry: "contoso", Name: "app", Tags: []string{"latest", "1.0.1", "1.0.1-amd64", "1.0.1-arm64"}}
	report := finding.New("AzureContainer")
	repository.CheckTags(report)
	digests, err := repository.CheckImages(t.Context(), open(address, password), report)
	require.NoError(t, err)
	require.Empty(t, report.Findings)
	require.Len(t, digests, 4)

	pushed(t, address, "1.0.1-amd64", "amd64")
	repository.Published = digests
	_, err = repository.CheckImages(t.Context(), open(address, password), report)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"VersionTagMoved imageTags[1.0.1-amd64]", "TagNotListed imageTags[latest]"}, packagestest.Described(report), "CON-37, CON-38")
}

// A registry that fails, or does not listen, is nobody's fault; a name that nobody has is the publisher's.
func TestFailingRegistry(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotImplemented) })}
	go func() { _ = server.Serve(l) }()
	var refused *container.Refused
	_, err = open(l.Addr().String(), password).Image(t.Context(), "app", "latest")
	require.Error(t, err)
	require.NotErrorAs(t, err, &refused)
	server.Close()
	_, err = open(l.Addr().String(), password).Image(t.Context(), "app", "latest")
	require.Error(t, err)
	require.NotErrorAs(t, err, &refused)

	unknown := unknownHost{&net.DNSError{Err: "no such host", IsNotFound: true}}
	_, err = registry.New(registry.Options{Server: "contoso.example", Transport: unknown}).Image(t.Context(), "app", "latest")
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "RegistryNotFound", refused.Code, "CON-31")
}

type unknownHost struct{ err error }

func (u unknownHost) RoundTrip(*http.Request) (*http.Response, error) { return nil, u.err }
