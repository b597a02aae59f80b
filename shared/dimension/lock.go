package dimension

import (
	"fmt"
	"maps"
	"slices"

	"stoa/shared/fault"
)

// Published is what of an offer has been live and so is fixed: its dimensions, and the meters of each plan.
type Published struct {
	Dimensions []Dimension
	Plans      map[string]map[string]Lock // by plan, also those without meters, and dimension
}

func (p *Published) dimension(id string) (Dimension, bool) {
	for _, d := range p.Dimensions {
		if d.ID == id {
			return d, true
		}
	}
	return Dimension{}, false
}

func lockedDimension(id string) error {
	return fault.New(fault.Conflict, CodeDimensionLocked, "dimensionId",
		"The offer was published with the dimension %s. Its ID, name and unit cannot change, and it cannot be removed.", id)
}

// CheckLocks refuses a draft that changes what has been live: a dimension (MTR-11, MTR-17), or the price, the included
// quantities or the enabling of one on a plan that was published (MTR-12, MTR-13). A fee is changed by a new plan
// (MTR-18). Prices of markets that a plan gained since are no change.
func (p *Published) CheckLocks(dimensions []Dimension, plans []Plan) error {
	for _, was := range p.Dimensions {
		next := Published{Dimensions: dimensions}
		if is, ok := next.dimension(was.ID); !ok || is != was {
			return lockedDimension(was.ID)
		}
	}
	for _, plan := range plans {
		live, ok := p.Plans[plan.ID]
		if !ok {
			continue
		}
		if err := checkMeters(plan.ID, live, plan.Meters); err != nil {
			return err
		}
		for _, id := range slices.Sorted(maps.Keys(live)) {
			if _, still := plan.Meter(id); !still && live[id].Enabled {
				return lockedMeter(plan.ID, id, "removed")
			}
		}
	}
	return nil
}

// checkMeters refuses meters that say something else than what was live on the plan.
func checkMeters(planID string, live map[string]Lock, meters []Meter) error {
	for _, m := range meters {
		was, ok := live[m.DimensionID]
		switch {
		case !ok && m.Enabled: // MTR-13
			return lockedMeter(planID, m.DimensionID, "enabled")
		case ok && !was.holds(m): // MTR-12
			return lockedMeter(planID, m.DimensionID, "changed")
		}
	}
	return nil
}

func lockedMeter(planID, dimensionID, how string) error {
	return fault.New(fault.Conflict, CodePriceLocked, fmt.Sprintf("plans.%s.meters.%s", planID, dimensionID),
		"The plan %s is published, so the dimension %s cannot be %s on it. Stop its distribution and publish a new plan.", planID, dimensionID, how)
}

// Locked reports whether a dimension has been live.
func (o *Offer) Locked(dimensionID string) bool {
	_, ok := o.Published.dimension(dimensionID)
	return ok
}

// PlanLocked reports whether a plan has been live, so that its meters cannot change.
func (o *Offer) PlanLocked(planID string) bool {
	_, ok := o.Published.Plans[planID]
	return ok
}
