package container_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/packages/container"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/packagestest"
)

func codes(r *finding.Report) []string {
	out := []string{}
	for _, f := range r.Findings {
		out = append(out, f.Code)
	}
	return out
}

func numbered(n int) []string {
	out := []string{"latest"}
	for i := 1; i < n; i++ {
		out = append(out, fmt.Sprintf("1.0.%d", i))
	}
	return out
}

var covered = map[string]bool{}

func tags(t *testing.T) {
	good := []string{"latest", "1.0.1"}
	with := func(tags ...string) []string { return append(slices.Clone(good), tags...) }
	for _, row := range []struct {
		name string
		repo container.Repository
		want []string
	}{
		{"CON-30 bare name", container.Repository{Kind: container.Container, Registry: "contoso", Tags: good}, []string{}},
		{"CON-30 login server", container.Repository{Kind: container.Container, Registry: "contoso.azurecr.io", Tags: good}, []string{"RegistryNameIsLoginServer"}},
		{"CON-30 a path", container.Repository{Kind: container.Container, Registry: "contoso/x", Tags: good}, []string{"RegistryNameIsLoginServer"}},
		{"CON-34 none", container.Repository{Kind: container.Container}, []string{"TagCount"}},
		{"CON-34 sixteen", container.Repository{Kind: container.Container, Tags: numbered(16)}, []string{}},
		{"CON-34 seventeen", container.Repository{Kind: container.Container, Tags: numbered(17)}, []string{"TagCount"}},
		{"CON-34 syntax", container.Repository{Kind: container.Container, Tags: with("1.0 x")}, []string{"TagSyntax"}},
		{"CON-34 128 characters", container.Repository{Kind: container.Container, Tags: with("1.0-" + strings.Repeat("x", 124))}, []string{}},
		{"CON-34 129 characters", container.Repository{Kind: container.Container, Tags: with("1.0-" + strings.Repeat("x", 125))}, []string{"TagSyntax"}},
		{"CON-34 twice", container.Repository{Kind: container.Container, Tags: with("1.0.1")}, []string{"TagDuplicate"}},
		{"CON-35 no latest", container.Repository{Kind: container.Container, Tags: []string{"1.0"}}, []string{"TagLatestMissing"}},
		{"CON-35 no version", container.Repository{Kind: container.Container, Tags: []string{"latest"}}, []string{"TagVersionMissing"}},
		{"CON-36 forms that are right", container.Repository{Kind: container.Container, Tags: with("1.0", "1.0.1-linux-x64", "1.0-test")}, []string{}},
		{"CON-36 v1.0.1", container.Repository{Kind: container.Container, Tags: with("v1.0.1")}, []string{"TagFormat"}},
		{"CON-36 stable", container.Repository{Kind: container.Container, Tags: with("stable")}, []string{"TagFormat"}},
		{"CON-36 1", container.Repository{Kind: container.Container, Tags: with("1")}, []string{"TagFormat"}},
		{"CON-36 1.0.1.2", container.Repository{Kind: container.Container, Tags: with("1.0.1.2")}, []string{"TagFormat"}},
		{"CON-36 1.0.1_x", container.Repository{Kind: container.Container, Tags: with("1.0.1_x")}, []string{"TagFormat"}},
		{"IOT-8 login server", container.Repository{Kind: container.IoTEdge, Registry: "contoso.azurecr.io", Tags: good}, []string{"RegistryNameIsLoginServer"}},
		{"IOT-11 X.Y is no version tag", container.Repository{Kind: container.IoTEdge, Tags: []string{"latest", "1.0"}}, []string{"TagVersionMissing"}},
		{"IOT-11 no latest", container.Repository{Kind: container.IoTEdge, Tags: []string{"1.0.1"}}, []string{"TagLatestMissing"}},
		{"IOT-17 a published version is dropped", container.Repository{Kind: container.IoTEdge, Tags: good, Published: map[string]string{"1.0.0": "a", "1.0": "b", "latest": "c"}}, []string{"VersionTagDropped"}},
		{"CON-39 an app may drop it", container.Repository{Kind: container.Container, Tags: good, Published: map[string]string{"1.0.0": "a"}}, []string{}},
		{"IOT-18 a test tag", container.Repository{Kind: container.IoTEdge, Tags: with("nightly")}, []string{}},
		{"IOT-19 syntax", container.Repository{Kind: container.IoTEdge, Tags: with("-x")}, []string{"TagSyntax"}},
	} {
		report := finding.New("")
		row.repo.CheckTags(report)
		require.Equal(t, row.want, codes(report), row.name)
		for _, f := range report.Findings {
			covered[f.Code] = true
		}
	}
}

// images is a registry whose tags name the images.
type images map[string]container.Image

func (m images) Image(_ context.Context, _, tag string) (container.Image, error) {
	i, found := m[tag]
	switch {
	case !found:
		return i, &container.Refused{Code: "TagNotFound"}
	case i.Digest == "":
		return i, &container.Refused{Code: i.Platform}
	}
	return i, nil
}

func image(digest, platform string) container.Image {
	return container.Image{Digest: digest, Known: true, Platform: platform}
}

func list(digest string, children ...string) container.Image {
	i := container.Image{Digest: digest, Known: true, List: true}
	for _, c := range children {
		i.Children = append(i.Children, container.Child{Digest: c, Platform: map[string]string{"amd": "linux/amd64", "arm": "linux/arm/v7"}[c[:3]]})
	}
	return i
}

// with is the registry with some tags replaced.
func (m images) with(more images) images {
	out := maps.Clone(m)
	maps.Copy(out, more)
	return out
}

func imagesOfTags(t *testing.T) {
	two := images{"latest": list("L", "amd1", "arm1"), "1.0.1": list("V", "amd1", "arm1"), "1.0.1-amd64": image("amd1", "linux/amd64"), "1.0.1-arm": image("arm1", "linux/arm/v7")}
	single := images{"latest": image("amd1", "linux/amd64"), "1.0.1": image("amd1", "linux/amd64")}
	both := []string{"linux/amd64", "linux/arm/v7"}
	for _, row := range []struct {
		name string
		kind container.Kind
		from images
		repo container.Repository
		want []string
	}{
		{"CON-37 complete", container.Container, two, container.Repository{}, []string{}},
		{"CON-31 no access", container.Container, images{"latest": {Platform: "RegistryAuthFailed"}, "1.0.1": {Platform: "RegistryAuthFailed"}}, container.Repository{}, []string{"RegistryAuthFailed"}},
		{"IOT-9 no access", container.IoTEdge, images{"latest": {Platform: "RegistryAuthFailed"}, "1.0.1": {Platform: "RegistryAuthFailed"}}, container.Repository{}, []string{"RegistryAccessDenied"}},
		{"CON-31 no registry", container.Container, images{"latest": {Platform: "RegistryNotFound"}}, container.Repository{}, []string{"RegistryNotFound"}},
		{"CON-31 no repository", container.Container, images{"latest": {Platform: "RepositoryNotFound"}}, container.Repository{}, []string{"RepositoryNotFound"}},
		{"CON-31 a tag is missing", container.Container, single, container.Repository{Tags: []string{"1.0.1", "2.0.0", "latest"}}, []string{"TagNotFound"}},
		{"CON-37 an image is not listed", container.Container, two, container.Repository{Tags: []string{"1.0.1", "1.0.1-amd64", "latest"}}, []string{"TagNotListed"}},
		{"CON-38 the same digest", container.Container, two, container.Repository{Published: map[string]string{"1.0.1": "V", "latest": "old"}}, []string{}},
		{"CON-38 a version tag moved", container.Container, two, container.Repository{Published: map[string]string{"1.0.1": "old"}}, []string{"VersionTagMoved"}},
		{"CON-38 with a suffix as well", container.Container, two, container.Repository{Published: map[string]string{"1.0.1-arm": "old"}}, []string{"VersionTagMoved"}},
		{"CON-38 X.Y may move", container.Container, single.with(images{"1.0": image("amd1", "linux/amd64")}), container.Repository{Published: map[string]string{"1.0": "old"}}, []string{}},
		{"CON-41 an unknown manifest", container.Container, single.with(images{"latest": {Digest: "x"}}), container.Repository{}, []string{"ManifestUnknown"}},
		{"CON-41 other bytes", container.Container, single.with(images{"latest": {Digest: "x", Known: true, Different: true}}), container.Repository{}, []string{"ImageSignatureInvalid"}},
		{"IOT-12 one platform, plain images", container.IoTEdge, single, container.Repository{}, []string{}},
		{"IOT-12 two platforms, a plain version", container.IoTEdge, two.with(images{"1.0.1": image("amd1", "linux/amd64")}), container.Repository{}, []string{"TagNotManifest", "TagLatestDiffers"}},
		{"IOT-13 an image is not listed", container.IoTEdge, two, container.Repository{Tags: []string{"1.0.1", "1.0.1-arm", "latest"}}, []string{"TagNotListed"}},
		{"IOT-14 a manifest tag of another form", container.IoTEdge, two.with(images{"nightly": list("N", "amd1")}), container.Repository{}, []string{"TagFormat"}},
		{"IOT-18 a plain one of another form", container.IoTEdge, two.with(images{"nightly": image("amd1", "linux/amd64")}), container.Repository{}, []string{}},
		{"IOT-15 latest is the highest by number", container.IoTEdge, two.with(images{"1.0.9": list("O", "amd1"), "1.0.10": list("P", "amd1", "arm1"), "1.0.1": list("V", "arm1")}), container.Repository{}, []string{}},
		{"IOT-15 latest is an older one", container.IoTEdge, two.with(images{"1.0.9": list("O", "amd1", "arm1"), "1.0.10": list("P", "amd1")}), container.Repository{}, []string{"TagLatestDiffers"}},
		{"IOT-16 moved", container.IoTEdge, two, container.Repository{Published: map[string]string{"1.0.1": "old"}}, []string{"VersionTagMoved"}},
		{"IOT-20 all", container.IoTEdge, two, container.Repository{Platforms: both}, []string{}},
		{"IOT-20 one is missing", container.IoTEdge, single, container.Repository{Platforms: both}, []string{"PlatformMissing"}},
		{"IOT-20 one of them is enough", container.IoTEdge, single, container.Repository{Platforms: both, AnyOne: true}, []string{}},
		{"IOT-20 none of them", container.IoTEdge, single, container.Repository{Platforms: []string{"windows/amd64"}, AnyOne: true}, []string{"PlatformMissing"}},
	} {
		r := row.repo
		r.Kind, r.Registry, r.Name = row.kind, "contoso", "app"
		if r.Tags == nil {
			r.Tags = slices.Sorted(maps.Keys(row.from))
		}
		report := finding.New("")
		_, err := r.CheckImages(t.Context(), row.from, report)
		require.NoError(t, err)
		require.ElementsMatch(t, row.want, codes(report), "%s: %+v", row.name, report.Findings)
		for _, f := range report.Findings {
			covered[f.Code] = true
		}
	}
}

type away struct{}

func (away) Image(context.Context, string, string) (container.Image, error) {
	return container.Image{}, errors.New("away")
}

func TestRegistryAway(t *testing.T) {
	report := finding.New("")
	_, err := container.Repository{Tags: []string{"latest"}}.CheckImages(t.Context(), away{}, report)
	require.ErrorContains(t, err, "away")
	require.Empty(t, report.Findings)
}

// TestRepository goes through the tables above, in which every code is found.
func TestRepository(t *testing.T) {
	t.Run("tags", tags)
	t.Run("images", imagesOfTags)
	packagestest.Covers(t, []packagestest.Case{{}}, func(c finding.Code) bool {
		return !strings.Contains(c.Code, "_") && (strings.HasPrefix(c.Rule, "CON-") || strings.HasPrefix(c.Rule, "IOT-"))
	}, slices.Collect(maps.Keys(covered))...)
}

// FuzzTags: any tags give findings and no panic, whatever the registry has under them.
func FuzzTags(f *testing.F) {
	f.Add("latest", "1.0.1", "1.0.1-linux-x64", "sha256:a")
	f.Add("latest", "999999999.0.0", "1.0", "")
	f.Fuzz(func(t *testing.T, one, two, three, digest string) {
		for _, kind := range []container.Kind{container.Container, container.IoTEdge} {
			r := container.Repository{
				Kind: kind, Registry: one, Name: two, Tags: []string{one, two, three}, Published: map[string]string{three: digest, one: digest}, Platforms: []string{three},
			}
			report := finding.New("")
			r.CheckTags(report)
			from := images{one: list("L", "amd"+digest, "arm"+digest), two: image("d"+digest, three), three: list("d"+digest, "amd1")}
			_, err := r.CheckImages(t.Context(), from, report)
			require.NoError(t, err)
		}
	})
}
