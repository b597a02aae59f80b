package publish_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/offer"
	"stoa/shared/publish"
)

// withImages is the machine with other images of its plan.
func withImages(images string) offer.Content {
	c := machine()
	c.Definition = json.RawMessage(`{"offer":{"microsoft-azure-marketplace.title":"T","microsoft-azure-marketplace.summary":"S","microsoft-azure-marketplace.categoryMap":[1]},
		"plans":[{"planId":"basic","virtualMachinePricing":{"isByol":true},"microsoft-azure-virtualmachines.operatingSystemFamily":"Linux",
			"microsoft-azure-virtualmachines.vmImages":` + images + `}]}`)
	return c
}

// image is a version with the system's disk and data disks.
func image(version, system string, data ...string) string {
	var disks []string
	for i, name := range data {
		disks = append(disks, fmt.Sprintf(`{"lun":%d,"vhdUrl":%q}`, i, disk(name)))
	}
	return fmt.Sprintf(`%q:{"osVhdUrl":%q,"lunVhdDetails":[%s]}`, version, disk(system), strings.Join(disks, ","))
}

func TestMachineImages(t *testing.T) {
	t.Parallel()
	expired := strings.ReplaceAll(image("1.0.0", "os"), "se=2028", "se=2025")
	for _, row := range []struct {
		name, images string
		code, field  string
	}{
		{"clean", `{` + image("1.0.0", "os", "a", "b") + `}`, "", ""},
		{"VMO-61 none", `{}`, "CFG-NOIMAGE", "plans[basic]"},
		{"another shape", `[]`, "InvalidValue", "definition"},
		{"VMO-81 a link that ran out", `{` + expired + `}`, "SAS-ORDER", "plans[basic].images[1.0.0].os"},
		{"VMO-51 two new versions", `{` + image("1.0.0", "os") + `,` + image("1.0.1", "os1") + `}`, "CFG-NEWVERSION", "plans[basic].images[1.0.1].os"},
		{"VMO-89 a blob twice", `{` + image("1.0.0", "os", "os") + `}`, "CFG-REUSE", "plans[basic].images[1.0.0].dataDisks[0]"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.create(t, withImages(row.images))
			b.publish(t)
			b.run(t)
			if row.code == "" {
				require.Equal(t, publish.WaitingForPublisher, b.newest(t).State)
				return
			}
			found := step(b.newest(t), "technicalValidation").Messages[0]
			require.Equal(t, []string{row.code, row.field}, []string{found.Code, found.Field})
			require.NotContains(t, found.HTML, "sig=", "VMO-62")
			require.Equal(t, publish.Blocked, b.newest(t).State)
		})
	}
}

// Chapter 03, walk 4: another version has as many disks as the live one, whose links are not looked at again.
func TestMachineImagesBesideLiveOnes(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, images, code string }{
		{"VMO-52 three disks", `{` + image("1.0.0", "os", "a", "b") + `,` + image("1.0.1", "os1", "c", "d", "e") + `}`, "CFG-DISKCOUNT"},
		{"VMO-52 two", `{` + image("1.0.0", "os", "a", "b") + `,` + image("1.0.1", "os1", "c", "d") + `}`, ""},
		{"VMO-101 the live one's link ran out", `{` + strings.ReplaceAll(image("1.0.0", "os", "a", "b"), "se=2028", "se=2025") + `,` + image("1.0.1", "os1", "c", "d") + `}`, ""},
	} {
		b := newBench(t)
		b.create(t, withImages(`{`+image("1.0.0", "os", "a", "b")+`}`))
		b.live(t)
		b.edit(t, func(c *offer.Content) { c.Definition = withImages(row.images).Definition })
		b.publish(t)
		b.run(t)
		if row.code == "" {
			require.Equal(t, publish.WaitingForPublisher, b.newest(t).State, row.name)
			continue
		}
		require.Equal(t, row.code, step(b.newest(t), "technicalValidation").Messages[0].Code, row.name)
	}
}
