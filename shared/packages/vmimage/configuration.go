package vmimage

import (
	"fmt"
	"regexp"
	"strings"

	"stoa/shared/packages/finding"
)

// maxSizes is how many sizes of machines a plan may recommend (VMO-60).
const maxSizes = 6

// Configuration is what a plan says of its machines beside the disks.
type Configuration struct {
	RecommendedSizes []string
	Generations      []Generation
	Hotpatch         bool
	CustomTemplate   bool // machines need the publisher's own template
	TemplateAttached bool // to the notes for certification
}

// Generation is a generation of machines that a plan offers.
type Generation struct {
	Type int
	SKU  string
}

var skuForm = regexp.MustCompile(`^[a-z0-9_-]{1,50}$`)

// CheckConfiguration looks at what the plan says of its machines (VMO-50, VMO-59, VMO-60).
func (p *Plan) CheckConfiguration(c Configuration, report *finding.Report) {
	at := finding.Place{File: fmt.Sprintf("plans[%s]", p.ID)}
	offered := map[int]bool{}
	for n, g := range c.Generations {
		if offered[g.Type] || g.Type != 1 && g.Type != 2 {
			report.Say("CFG-GENERATIONS", at, "The generation %d stands at the place %d.", g.Type, n)
		}
		if offered[g.Type] = true; n > 0 && !skuForm.MatchString(g.SKU) {
			report.Say("CFG-SKU", at, "The generation %d has the SKU ID %.60q.", g.Type, g.SKU)
		}
	}
	if c.Hotpatch && p.Family != Windows { // VMO-59, as what follows
		report.Say("CFG-HOTPATCH", at, "The family of the plan is %s.", p.Family)
	}
	if c.CustomTemplate && !c.TemplateAttached {
		report.Say("CFG-TEMPLATE", at, "")
	}
	recommended := map[string]bool{}
	for _, size := range c.RecommendedSizes {
		recommended[strings.ToLower(size)] = true
	}
	if n := len(c.RecommendedSizes); n > maxSizes || len(recommended) < n {
		report.Say("CFG-SIZES", at, "The plan recommends %d sizes, %d of them different.", n, len(recommended))
	}
}

// CheckNew looks at the images of a plan that a submission brings for the first time: they have one version, and each
// generation has it once (VMO-51).
func (p *Plan) CheckNew(report *finding.Report) {
	var first *Image
	generations := map[int]bool{}
	for n := range p.Images {
		i := &p.Images[n]
		if i.Published {
			continue
		}
		if first == nil {
			first = i
		}
		if i.Version != first.Version || generations[i.Generation] {
			report.Say("CFG-NEWVERSION", finding.Place{File: p.name(i, -1)}, "The versions %s and %s are new, the latter for the generation %d.", first.Version, i.Version, i.Generation)
		}
		generations[i.Generation] = true
	}
}
