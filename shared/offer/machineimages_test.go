package offer_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/offer"
)

// The time of a link's recording stays while its text does (VMO-75).
func TestLinksAreRecorded(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	o, err := offer.New(offer.NewOffer{PublisherID: "contoso", OfferID: "vm", OfferType: "VirtualMachine", Alias: "VM"}, now)
	require.NoError(t, err)
	save := func(at time.Time, system, data string) {
		_, err := o.Edit(at, func(c *offer.Content) error {
			c.Plans = []offer.Plan{{ID: "gold"}}
			c.Definition = json.RawMessage(`{"plans":[{"planId":"gold","microsoft-azure-virtualmachines.vmImages":{"1.0.0":{"osVhdUrl":"` + system + `","lunVhdDetails":[{"lun":0,"vhdUrl":"` + data + `"}]}}}]}`)
			return nil
		})
		require.NoError(t, err)
	}
	save(now, "https://a/os.vhd?sig=1", "https://a/d.vhd?sig=1")
	save(now.Add(time.Hour), "https://a/os.vhd?sig=1", "https://a/d.vhd?sig=2")
	require.Equal(t, now, o.LinkRecorded("https://a/os.vhd?sig=1"))
	require.Equal(t, now.Add(time.Hour), o.LinkRecorded("https://a/d.vhd?sig=2"))
	require.Zero(t, o.LinkRecorded("https://a/d.vhd?sig=1"))
	plans, err := o.MachinePlans()
	require.NoError(t, err)
	require.Equal(t, "https://a/os.vhd?sig=1", plans[0].Versions["1.0.0"].OS)
}
