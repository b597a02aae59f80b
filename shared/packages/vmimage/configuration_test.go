package vmimage_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/packages/finding"
	"stoa/shared/packages/vmimage"
)

func configurations(t *testing.T) {
	sizes := func(list string) vmimage.Configuration {
		return vmimage.Configuration{RecommendedSizes: strings.Fields(list)}
	}
	generations := func(list ...vmimage.Generation) vmimage.Configuration {
		return vmimage.Configuration{Generations: list}
	}
	for _, row := range []struct {
		name   string
		family vmimage.Family
		c      vmimage.Configuration
		want   []string
	}{
		{"nothing", vmimage.Linux, vmimage.Configuration{}, []string{}},
		{"VMO-50 both", vmimage.Linux, generations(vmimage.Generation{Type: 2}, vmimage.Generation{Type: 1, SKU: "gold-1"}), []string{}},
		{"VMO-50 one twice", vmimage.Linux, generations(vmimage.Generation{Type: 1}, vmimage.Generation{Type: 1, SKU: "gold-1"}), []string{"CFG-GENERATIONS"}},
		{"VMO-50 a third", vmimage.Linux, generations(vmimage.Generation{Type: 3}), []string{"CFG-GENERATIONS"}},
		{"VMO-50 no SKU ID", vmimage.Linux, generations(vmimage.Generation{Type: 1}, vmimage.Generation{Type: 2}), []string{"CFG-SKU"}},
		{"VMO-50 a SKU ID of 50", vmimage.Linux, generations(vmimage.Generation{Type: 1}, vmimage.Generation{Type: 2, SKU: strings.Repeat("a", 50)}), []string{}},
		{"VMO-50 a SKU ID of 51", vmimage.Linux, generations(vmimage.Generation{Type: 1}, vmimage.Generation{Type: 2, SKU: strings.Repeat("a", 51)}), []string{"CFG-SKU"}},
		{"VMO-50 a capital", vmimage.Linux, generations(vmimage.Generation{Type: 1}, vmimage.Generation{Type: 2, SKU: "Gold"}), []string{"CFG-SKU"}},
		{"VMO-59 hotpatch on Windows", vmimage.Windows, vmimage.Configuration{Hotpatch: true}, []string{}},
		{"VMO-59 hotpatch on Linux", vmimage.Linux, vmimage.Configuration{Hotpatch: true}, []string{"CFG-HOTPATCH"}},
		{"VMO-59 a template", vmimage.Linux, vmimage.Configuration{CustomTemplate: true, TemplateAttached: true}, []string{}},
		{"VMO-59 no template", vmimage.Linux, vmimage.Configuration{CustomTemplate: true}, []string{"CFG-TEMPLATE"}},
		{"VMO-60 six", vmimage.Linux, sizes("a b c d e f"), []string{}},
		{"VMO-60 seven", vmimage.Linux, sizes("a b c d e f g"), []string{"CFG-SIZES"}},
		{"VMO-60 one twice", vmimage.Linux, sizes("a0-basic A0-Basic"), []string{"CFG-SIZES"}},
	} {
		report := finding.New("")
		(&vmimage.Plan{ID: "gold", Family: row.family}).CheckConfiguration(row.c, report)
		require.Equal(t, row.want, codes(report), row.name)
		require.Equal(t, len(row.want) > 0 && row.want[0] != "CFG-TEMPLATE", report.Blocking, "VMO-59: a missing template is warned of only")
	}
}

func newImages(t *testing.T) {
	image := func(version string, generation int, published bool) vmimage.Image {
		return vmimage.Image{Version: version, Generation: generation, Published: published}
	}
	for _, row := range []struct {
		name   string
		images []vmimage.Image
		want   []string
	}{
		{"VMO-51 one beside published ones", []vmimage.Image{image("1.0.0", 1, true), image("1.0.1", 1, true), image("1.0.2", 1, false)}, []string{}},
		{"VMO-51 one version for both generations", []vmimage.Image{image("1.0.2", 1, false), image("1.0.2", 2, false)}, []string{}},
		{"VMO-51 nothing new", []vmimage.Image{image("1.0.0", 1, true)}, []string{}},
		{"VMO-51 two versions", []vmimage.Image{image("1.0.1", 1, false), image("1.0.2", 2, false)}, []string{"CFG-NEWVERSION"}},
		{"VMO-51 a generation twice", []vmimage.Image{image("1.0.1", 1, false), image("1.0.1", 1, false)}, []string{"CFG-NEWVERSION"}},
	} {
		report := finding.New("")
		(&vmimage.Plan{ID: "gold", Images: row.images}).CheckNew(report)
		require.Equal(t, row.want, codes(report), row.name)
	}
}
