package offer

import (
	"encoding/json"
	"fmt"
	"time"
)

// MachinePlan is what a virtual machine's plan says of its images (03, 6.3).
type MachinePlan struct {
	ID               string                         `json:"planId"`
	Family           string                         `json:"microsoft-azure-virtualmachines.operatingSystemFamily"`
	Generation       int                            `json:"microsoft-azure-virtualmachines.x-generation"`
	Versions         map[string]MachineImageVersion `json:"microsoft-azure-virtualmachines.vmImages"`
	RecommendedSizes []string                       `json:"microsoft-azure-virtualmachines.recommendedVMSizes"`
	Hotpatch         bool                           `json:"microsoft-azure-virtualmachines.x-supportsHotpatch"`
	CustomTemplate   bool                           `json:"microsoft-azure-virtualmachines.isCustomArmTemplateRequired"`
}

// MachineImageVersion is the disks of a version.
type MachineImageVersion struct {
	OS   string        `json:"osVhdUrl"`
	Data []MachineDisk `json:"lunVhdDetails"`
}

// MachineDisk is a data disk.
type MachineDisk struct {
	LUN int    `json:"lun"`
	URL string `json:"vhdUrl"`
}

// MachinePlans reads the plans of a virtual machine's definition. An error says which of them is of another shape.
func (c *Content) MachinePlans() ([]MachinePlan, error) {
	var definition struct {
		Plans []json.RawMessage `json:"plans"`
	}
	if err := json.Unmarshal(c.Definition, &definition); err != nil {
		return nil, fmt.Errorf("the definition: %w", err)
	}
	out := make([]MachinePlan, len(definition.Plans))
	for i, raw := range definition.Plans {
		if err := json.Unmarshal(raw, &out[i]); err != nil {
			return nil, fmt.Errorf("definition.plans[%d]: %w", i, err)
		}
	}
	return out, nil
}

// recordLinks notes when each link to a disk was first given: the time stays while the text does (VMO-75). What cannot
// be read has no links yet.
func (c *Content) recordLinks(before map[string]time.Time, now time.Time) {
	plans, err := c.MachinePlans()
	if err != nil || c.OfferType != TypeVirtualMachine {
		c.LinksRecorded = nil
		return
	}
	c.LinksRecorded = map[string]time.Time{}
	for _, p := range plans {
		for _, v := range p.Versions {
			for _, url := range append([]string{v.OS}, urls(v.Data)...) {
				key := linkKey(url)
				if at, known := before[key]; known {
					c.LinksRecorded[key] = at
				} else if url != "" {
					c.LinksRecorded[key] = now.UTC()
				}
			}
		}
	}
}

func urls(disks []MachineDisk) []string {
	out := make([]string, len(disks))
	for i, d := range disks {
		out[i] = d.URL
	}
	return out
}

// linkKey names a link without its signature.
func linkKey(url string) string { return GUID("link", url) }

// LinkRecorded is when a link was first given in the draft.
func (c *Content) LinkRecorded(url string) time.Time { return c.LinksRecorded[linkKey(url)] }
