package draft

import (
	"stoa/shared/dimension"
	"stoa/shared/offer"
)

// apply writes dimensions and meters back into the content.
func apply(c *offer.Content, from dimension.Offer) error {
	c.Dimensions = from.Dimensions
	for i := range c.Plans {
		plan, err := from.Plan(c.Plans[i].ID)
		if err != nil {
			return err
		}
		c.Plans[i].Meters = plan.Meters
	}
	return nil
}
