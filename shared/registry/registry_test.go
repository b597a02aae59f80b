package registry_test

import (
	"net"
	"net/http"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/stretchr/testify/require"

	"stoa/shared/packages/container"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/packagestest"
	"stoa/shared/registry"
	"stoa/shared/registry/registrytest"
)

func open(address, pw string) *registry.Registry {
	return registry.New(registry.Options{Server: address, User: registrytest.User, Password: pw, Insecure: true})
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	address := registrytest.Start(t, "")
	amd, arm := registrytest.Push(t, address, "1.0.1-amd64", "amd64"), registrytest.Push(t, address, "1.0.1-arm64", "arm64")
	registrytest.PushList(t, address, map[string]v1.Image{"amd64": amd, "arm64": arm}, "1.0.1", "latest")
	from := open(address, registrytest.Password)

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
		name, repository, tag, pw, code string
	}{
		{"CON-31 another registrytest.Password", "app", "latest", "wrong", "RegistryAuthFailed"},
		{"CON-31 another repository", "other", "latest", registrytest.Password, "RepositoryNotFound"},
		{"CON-31 no such tag", "app", "2.0.0", registrytest.Password, "TagNotFound"},
		{"CON-31 no name", "App!", "latest", registrytest.Password, "RepositoryNotFound"},
	} {
		_, err := open(address, row.pw).Image(t.Context(), row.repository, row.tag)
		var refused *container.Refused
		require.ErrorAs(t, err, &refused, row.name)
		// A registry says MANIFEST_UNKNOWN for a repository that it does not know as well.
		require.Contains(t, []string{row.code, map[string]string{"RepositoryNotFound": "TagNotFound"}[row.code]}, refused.Code, row.name)
		require.NotContains(t, err.Error(), row.pw, "CON-32")
	}
}

// A whole offer: what was pushed is accepted; a version tag that moves is not.
func TestOffer(t *testing.T) {
	t.Parallel()
	address := registrytest.Start(t, "")
	amd, arm := registrytest.Push(t, address, "1.0.1-amd64", "amd64"), registrytest.Push(t, address, "1.0.1-arm64", "arm64")
	registrytest.PushList(t, address, map[string]v1.Image{"amd64": amd, "arm64": arm}, "1.0.1", "latest")
	repository := container.Repository{Kind: container.Container, Registry: "contoso", Name: "app", Tags: []string{"latest", "1.0.1", "1.0.1-amd64", "1.0.1-arm64"}}
	report := finding.New("AzureContainer")
	repository.CheckTags(report)
	digests, err := repository.CheckImages(t.Context(), open(address, registrytest.Password), report)
	require.NoError(t, err)
	require.Empty(t, report.Findings)
	require.Len(t, digests, 4)

	registrytest.Push(t, address, "1.0.1-amd64", "amd64")
	repository.Published = digests
	_, err = repository.CheckImages(t.Context(), open(address, registrytest.Password), report)
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
	_, err = open(l.Addr().String(), registrytest.Password).Image(t.Context(), "app", "latest")
	require.Error(t, err)
	require.NotErrorAs(t, err, &refused)
	server.Close()
	_, err = open(l.Addr().String(), registrytest.Password).Image(t.Context(), "app", "latest")
	require.Error(t, err)
	require.NotErrorAs(t, err, &refused)

	unknown := unknownHost{&net.DNSError{Err: "no such host", IsNotFound: true}}
	_, err = registry.New(registry.Options{Server: "contoso.example", Transport: unknown}).Image(t.Context(), "app", "latest")
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "RegistryNotFound", refused.Code, "CON-31")
}

type unknownHost struct{ err error }

func (u unknownHost) RoundTrip(*http.Request) (*http.Response, error) { return nil, u.err }
