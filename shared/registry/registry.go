// Package registry looks up container images in a publisher's registry, over the registry protocol (rules CON-31,
// CON-41, IOT-9).
package registry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"stoa/shared/packages/container"
)

// maxChildren bounds what a manifest list may name.
const maxChildren = 100

// Options say which registry, and as whom.
type Options struct {
	Server    string // host, and port when it is not the usual one
	User      string
	Password  string
	Transport http.RoundTripper // keeps names away from addresses inside; nil is the default one
	Insecure  bool              // over http; for a registry on this machine
}

// Registry is one registry. Safe for concurrent use.
type Registry struct{ options Options }

// New is the registry of the options.
func New(o Options) *Registry {
	if o.Transport == nil {
		o.Transport = http.DefaultTransport
	}
	return &Registry{options: o}
}

// Image implements container.Registry.
func (r *Registry) Image(ctx context.Context, repository, tag string) (container.Image, error) {
	var how []name.Option
	if r.options.Insecure {
		how = append(how, name.Insecure)
	}
	ref, err := name.NewTag(r.options.Server+"/"+repository+":"+tag, how...)
	if err != nil {
		return container.Image{}, &container.Refused{Code: "RepositoryNotFound"} // no name that a registry could have
	}
	d, err := remote.Get(ref, remote.WithContext(ctx), remote.WithTransport(r.options.Transport),
		remote.WithAuth(&authn.Basic{Username: r.options.User, Password: r.options.Password}))
	if err != nil {
		return container.Image{}, refused(ref, err)
	}
	return describe(d)
}

// describe reads what the library, which has compared the digest with the bytes, has got.
func describe(d *remote.Descriptor) (container.Image, error) {
	out := container.Image{Digest: d.Digest.String()}
	switch d.MediaType {
	case types.OCIImageIndex, types.DockerManifestList:
		index, err := d.ImageIndex()
		if err != nil {
			return out, fmt.Errorf("read the manifest list %s: %w", d.Digest, err)
		}
		list, err := index.IndexManifest()
		if err != nil || len(list.Manifests) > maxChildren {
			return out, nil // of a known type, and not to be read
		}
		out.Known, out.List = true, true
		for _, m := range list.Manifests {
			if m.Platform != nil && m.Platform.OS != "unknown" { // attestations name an unknown platform
				out.Children = append(out.Children, container.Child{Digest: m.Digest.String(), Platform: platform(m.Platform)})
			}
		}
	case types.OCIManifestSchema1, types.DockerManifestSchema2:
		image, err := d.Image()
		if err != nil {
			return out, fmt.Errorf("read the image %s: %w", d.Digest, err)
		}
		config, err := image.ConfigFile()
		var refused *transport.Error
		switch {
		case errors.As(err, &refused) && !refused.Temporary() || err != nil && !isNetwork(err) && refused == nil:
			return out, nil // the configuration is gone or is no configuration
		case err != nil:
			return out, fmt.Errorf("read the configuration of %s: %w", d.Digest, err)
		}
		out.Known, out.Platform = true, platform(config.Platform())
	}
	return out, nil
}

// platform is os/architecture and, where there is one, /variant.
func platform(p *v1.Platform) string {
	if p == nil {
		return ""
	}
	out := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		out += "/" + p.Variant
	}
	return out
}

// refused turns a registry's refusal into the code of a check.
func refused(ref name.Tag, err error) error {
	var answer *transport.Error
	if !errors.As(err, &answer) {
		var dns *net.DNSError
		if errors.As(err, &dns) && dns.IsNotFound {
			return &container.Refused{Code: "RegistryNotFound"}
		}
		return fmt.Errorf("call the registry %s: %w", ref.RegistryStr(), err)
	}
	for _, d := range answer.Errors {
		switch d.Code {
		case transport.NameUnknownErrorCode:
			return &container.Refused{Code: "RepositoryNotFound"}
		case transport.ManifestUnknownErrorCode:
			return &container.Refused{Code: "TagNotFound"}
		}
	}
	switch answer.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		return &container.Refused{Code: "RegistryAuthFailed"}
	case http.StatusNotFound:
		return &container.Refused{Code: "TagNotFound"}
	}
	return fmt.Errorf("the registry %s answers %d: %w", ref.RegistryStr(), answer.StatusCode, err)
}

func isNetwork(err error) bool {
	var n net.Error
	return errors.As(err, &n) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
