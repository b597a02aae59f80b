package vmimage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"stoa/shared/packages/finding"
)

// maxDataDisks is how many data disks an image may have (VMO-52).
const maxDataDisks = 16

// Image is one image of a plan: a disk with an operating system, and data disks.
type Image struct {
	Generation   int
	Version      string
	Gallery      string // resource id of a gallery's image version; the links are empty then
	OS           Link
	Data         []DataDisk
	ApprovedBase bool
	Published    bool // in an earlier submission
}

// DataDisk is a data disk at its place.
type DataDisk struct {
	LUN int
	Link
}

// Plan is the images of a plan, published ones included.
type Plan struct {
	ID     string
	Family Family
	Images []Image
}

// name is how findings name a disk: lun below 0 is the disk with the operating system.
func (p *Plan) name(i *Image, lun int) string {
	if lun < 0 {
		return fmt.Sprintf("plans[%s].images[%s].os", p.ID, i.Version)
	}
	return fmt.Sprintf("plans[%s].images[%s].dataDisks[%d]", p.ID, i.Version, lun)
}

// CheckDisks looks at the set of disks of a plan (VMO-52 to VMO-54, VMO-61, VMO-89).
func (p *Plan) CheckDisks(report *finding.Report) {
	plan := finding.Place{File: fmt.Sprintf("plans[%s]", p.ID)}
	if len(p.Images) == 0 {
		c, _ := finding.Lookup("CFG-NOIMAGE")
		report.Put(finding.Finding{Code: c.Code, File: plan.File, Message: strings.ReplaceAll(c.Message, "{planId}", p.ID)})
		return
	}
	for n := range p.Images {
		i := &p.Images[n]
		if len(i.Data) > maxDataDisks {
			report.Say("CFG-DISKMAX", plan, "The image %s has %d data disks.", i.Version, len(i.Data))
		}
		if len(i.Data) != len(p.Images[0].Data) {
			report.Say("CFG-DISKCOUNT", plan, "The image %s has %d data disks, the image %s has %d.", p.Images[0].Version, len(p.Images[0].Data), i.Version, len(i.Data))
		}
		p.checkPlaces(i, report)
	}
}

// checkPlaces looks at the places of the disks of one image.
func (p *Plan) checkPlaces(i *Image, report *finding.Report) {
	used := map[string]string{}
	p.use(i, -1, i.OS.URI, used, report)
	for n, d := range i.Data {
		at := finding.Place{File: p.name(i, d.LUN)}
		if d.LUN != n {
			report.Say("CFG-LUN", at, "The disk at the place %d has the number %d.", n, d.LUN)
		}
		if (i.Gallery != "") != (d.URI == "") {
			report.Say("CFG-SOURCE", at, "The disk with the operating system comes %s.", map[bool]string{true: "from a gallery", false: "by a link"}[i.Gallery != ""])
		}
		p.use(i, d.LUN, d.URI, used, report)
	}
}

// use notes that a disk is made of a blob, which no other disk of the image may be (VMO-89).
func (p *Plan) use(i *Image, lun int, uri string, used map[string]string, report *finding.Report) {
	u, err := url.Parse(uri)
	if uri == "" || err != nil {
		return
	}
	blob := strings.ToLower(u.Host) + u.Path
	if other := used[blob]; other != "" {
		report.Say("CFG-REUSE", finding.Place{File: p.name(i, lun)}, "%s is made of the same file.", other)
		return
	}
	used[blob] = p.name(i, lun)
}

// Blob is a file in blob storage, read by ranges.
type Blob struct {
	io.ReaderAt
	Length   int64
	PageBlob bool
}

// Refused is why storage did not give a blob, as a code of the table. It is the link's fault, and final.
type Refused struct{ Code string }

// Error implements error.
func (r *Refused) Error() string { return "storage refuses the blob: " + r.Code }

// Storage opens blobs by their link. A *Refused error says that the link is to blame; any other is storage's own
// and may pass.
type Storage interface {
	OpenLink(ctx context.Context, uri string) (Blob, error)
}

// CheckLinks looks at the form of every link of the plan (VMO-81: when a draft is saved, and again at publish), but for
// images that were published (VMO-101).
func (p *Plan) CheckLinks(s Suffixes, now time.Time, report *finding.Report) {
	for n := range p.Images {
		i := &p.Images[n]
		if i.Published {
			continue
		}
		if i.Gallery == "" {
			s.CheckLink(p.name(i, -1), i.OS, now, report)
		}
		for _, d := range i.Data {
			if d.URI != "" {
				s.CheckLink(p.name(i, d.LUN), d.Link, now, report) // VMO-80
			}
		}
	}
}

// CheckFiles opens every disk of the image and looks at it (VMO-70, VMO-82 to VMO-88). The error is storage's own.
func (p *Plan) CheckFiles(ctx context.Context, from Storage, i *Image, report *finding.Report) error {
	if i.Gallery == "" {
		d := Disk{Family: p.Family, Generation: i.Generation, ApprovedBase: i.ApprovedBase}
		if err := checkFile(ctx, from, p.name(i, -1), i.OS.URI, d, report); err != nil {
			return err
		}
	}
	for _, disk := range i.Data {
		if disk.URI == "" {
			continue
		}
		if err := checkFile(ctx, from, p.name(i, disk.LUN), disk.URI, Disk{Data: true}, report); err != nil {
			return err
		}
	}
	return nil
}

func checkFile(ctx context.Context, from Storage, name, uri string, d Disk, report *finding.Report) error {
	at := finding.Place{File: name}
	blob, err := from.OpenLink(ctx, uri)
	var refused *Refused
	switch {
	case errors.As(err, &refused):
		code := refused.Code
		if d.Data && code == "DL-NOTFOUND" {
			code = "DL-DATADISK"
		}
		report.Say(code, at, "")
		return nil
	case err != nil:
		return fmt.Errorf("open %s: %w", name, err)
	case !blob.PageBlob:
		report.Say("DL-BLOBTYPE", at, "The blob is no page blob.")
		return nil
	}
	return CheckVHD(name, blob, blob.Length, d, report)
}
