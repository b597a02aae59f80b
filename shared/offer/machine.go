package offer

import (
	"encoding/json"

	"stoa/shared/fault"
)

// Keys of a virtual machine's plan in its definition.
const (
	keyMachinePrice  = "virtualMachinePricing"
	keyMachineImages = "microsoft-azure-virtualmachines.vmImages"
)

// machinePlan is what publishing fixes of a virtual machine's plan.
type machinePlan struct {
	price  string // in one form, "" when there is none
	images int    // versions
}

// machinePlans reads the plans of a definition, by id. One that cannot be read has none.
func machinePlans(definition json.RawMessage) map[string]machinePlan {
	var read struct {
		Plans []map[string]any `json:"plans"`
	}
	if len(definition) == 0 || json.Unmarshal(definition, &read) != nil {
		return nil
	}
	out := map[string]machinePlan{}
	for _, plan := range read.Plans {
		id, _ := plan["planId"].(string)
		images, _ := plan[keyMachineImages].(map[string]any)
		m := machinePlan{images: len(images)}
		if price := plan[keyMachinePrice]; price != nil {
			m.price = GUID(canonical(price))
		}
		out[id] = m
	}
	return out
}

// checkMachine refuses another price of a published virtual machine's plan, and the loss of its last image (PUB-43,
// PUB-44).
func (was PublishedPlan) checkMachine(id string, is machinePlan) error {
	switch {
	case was.MachinePrice != "" && was.MachinePrice != is.price:
		return fault.New(fault.Invalid, "PublishedPriceLocked", "definition.plans", "The price of the published plan %s cannot change: hide the plan and add another.", id)
	case was.MachineImages && is.images == 0:
		return fault.New(fault.Invalid, "LastImageVersion", "definition.plans", "The published plan %s keeps at least one version of its image.", id)
	}
	return nil
}
