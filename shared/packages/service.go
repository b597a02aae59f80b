package packages

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"stoa/shared/fault"
	"stoa/shared/packages/content"
	"stoa/shared/packages/dynamics"
	"stoa/shared/packages/finding"
)

// Upload is an uploaded package, open for reading.
type Upload struct {
	io.ReaderAt
	Size  int64
	ETag  string
	Close func() error
}

// Uploads opens uploaded packages. NotFound when it is gone. What is put is uploaded like what a publisher puts.
type Uploads interface {
	OpenPackage(ctx context.Context, name string) (Upload, error)
	PutPackage(ctx context.Context, name string, content []byte) error
}

// Reports keeps reports. Putting the same report again is no error.
type Reports interface {
	PutReport(ctx context.Context, name string, report []byte) error
	Report(ctx context.Context, name string) ([]byte, error)
}

// Store links packages to their offer.
type Store interface {
	SavePackage(ctx context.Context, r Record) error
	Package(ctx context.Context, publisherID, offerID, name string) (Record, error)
	// Packages are the records of an offer's packages, at most a few hundred.
	Packages(ctx context.Context, publisherID, offerID string) ([]Record, error)
}

// Processed keeps packages that were changed: stamped with the tracking ID of their offer. Putting the same again is no
// error.
type Processed interface {
	PutProcessed(ctx context.Context, name string, write func(io.Writer) error) error
}

// Scanner names the malware that a stream holds, empty for none. TooLarge when the stream is longer than it takes.
type Scanner interface {
	Scan(ctx context.Context, r io.Reader) (string, error)
}

// Offers knows of which type an offer is and, of an Azure application, its tracking ID. NotFound.
type Offers interface {
	PackageType(ctx context.Context, publisherID, offerID string) (offerType, trackingID string, err error)
}

// Service validates uploaded packages. Safe for concurrent use.
type Service struct {
	Uploads   Uploads
	Reports   Reports
	Store     Store
	Offers    Offers
	Processed Processed
	Secrets   Secrets
	Links     dynamics.Links
	Scanner   Scanner // nil: packages are not scanned, and their records say so
	Now       func() time.Time
}

// run is one validation.
type run struct {
	*Service
	blob    string // publisher/offer/name
	version string // of the blob, short
	upload  Upload
	report  *finding.Report
	subject Package // what is looked at: the upload, or what it leads to
	tree    *content.Tree
	record  Record
	beside  map[Slot]Package // other uploads of the offer that it is validated with
	opened  []Upload
}

// lastTry is which try is the last of a package whose validation fails for want of something else, and the code that it
// ends with: of Azure applications, and of all others.
func lastTry(offerType string) (int, string) {
	if offerType == AzureApplication {
		return 5, "PKG_PROCESSING_ERROR"
	}
	return 3, "PKG_INTERNAL"
}

// Run validates one upload, writes its report and links it to the offer. Again, it finds the same and writes the
// same: the names of what it writes are made of the blob's version. NotFound when the blob is gone. A package whose
// validation fails again and again is refused with a report that says so.
func (s *Service) Run(ctx context.Context, publisherID, offerID, name string) (Record, error) {
	r := &run{Service: s, blob: publisherID + "/" + offerID + "/" + name}
	record, err := r.whole(ctx, publisherID, offerID, name)
	if err == nil {
		return record, s.again(ctx, record)
	}
	if r.record.ETag == "" || ctx.Err() != nil || fault.Is(err, fault.StaleETag) { // the last: uploaded anew
		return record, err
	}
	return r.failed(ctx, err)
}

// again validates the packages whose verdict depends on this one. Each looks at the newest uploads, so one round
// is enough: a package that comes later looks for itself.
func (s *Service) again(ctx context.Context, of Record) error {
	dependents, err := s.dependents(ctx, of)
	if err != nil {
		return err
	}
	for _, d := range dependents {
		r := &run{Service: s, blob: d.PublisherID + "/" + d.OfferID + "/" + d.Name}
		if _, err := r.whole(ctx, d.PublisherID, d.OfferID, d.Name); err != nil && !fault.Is(err, fault.NotFound) {
			return fmt.Errorf("validate %s again: %w", r.blob, err)
		}
	}
	return nil
}

// failed counts a try that came to nothing. The last one is the end of it.
func (r *run) failed(ctx context.Context, why error) (Record, error) {
	before, err := r.Store.Package(ctx, r.record.PublisherID, r.record.OfferID, r.record.Name)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return Record{}, errors.Join(why, err)
	}
	if before.ETag == r.record.ETag {
		r.record.Tries = before.Tries
	}
	r.record.Tries++
	most, code := lastTry(r.record.Type)
	if r.record.Tries < most {
		counted := r.record
		counted.Report = "" // there is none yet
		return Record{}, errors.Join(why, r.Store.SavePackage(ctx, counted))
	}
	r.tree, r.report = nil, finding.New(r.record.Type)
	r.report.Add(code, finding.Place{}, "The package could not be validated %d times.", most)
	return r.record, r.save(ctx)
}

// whole is one try.
func (r *run) whole(ctx context.Context, publisherID, offerID, name string) (Record, error) {
	s := r.Service
	offerType, trackingID, err := s.Offers.PackageType(ctx, publisherID, offerID)
	if err != nil && !fault.Is(err, fault.NotFound) { // one that is created later finds the report
		return Record{}, fmt.Errorf("offer of package %s: %w", r.blob, err)
	}
	if r.upload, err = s.Uploads.OpenPackage(ctx, r.blob); err != nil {
		return Record{}, fmt.Errorf("open package %s: %w", r.blob, err)
	}
	r.opened = append(r.opened, r.upload)
	defer r.close()
	r.record = Record{PublisherID: publisherID, OfferID: offerID, Name: name, ETag: r.upload.ETag, At: s.Now().UTC(), Type: kindOf(offerType, slotOf(name), name).name}
	if strings.HasSuffix(name, linkEnding) {
		r.record.Type = customerEngagement
	}
	if err := r.siblings(ctx); err != nil {
		return Record{}, err
	}
	r.version = r.fingerprint()
	r.record.Report = r.blob + "/" + r.version + ".json"
	var found looked
	if strings.HasSuffix(name, linkEnding) {
		err = r.follow(ctx)
	} else {
		r.subject = Package{Name: fileNameOf(name), Slot: slotOf(name), Bytes: r.upload, Size: r.upload.Size}
		r.report, found, err = validate(ctx, offerType, r.subject, Options{Now: s.Now(), Beside: r.beside, TrackingID: trackingID})
		r.tree = found.tree
	}
	if err != nil {
		return Record{}, fmt.Errorf("validate package %s: %w", r.blob, err)
	}
	for _, step := range []func(context.Context) error{r.scan, func(ctx context.Context) error { return r.stamp(ctx, trackingID, found.facts) }, r.save} {
		if err := step(ctx); err != nil {
			return Record{}, fmt.Errorf("package %s: %w", r.blob, err)
		}
	}
	return r.record, nil
}

// save writes the report and the record.
func (r *run) save(ctx context.Context) error {
	r.report.Sort()
	var body bytes.Buffer
	out := json.NewEncoder(&body)
	out.SetEscapeHTML(false)
	if err := out.Encode(Stored{Report: *r.report, Entries: entriesOf(r.tree)}); err != nil {
		return fmt.Errorf("write its report: %w", err)
	}
	r.record.Blocking = r.report.Blocking
	r.record.Errors, r.record.Warnings = r.report.Count(finding.Error), r.report.Count(finding.Warning)
	if err := r.Reports.PutReport(ctx, r.record.Report, body.Bytes()); err != nil {
		return fmt.Errorf("keep its report: %w", err)
	}
	return r.Store.SavePackage(ctx, r.record)
}

// Record reads what validation came to. NotFound when the package was not validated yet.
func (s *Service) Record(ctx context.Context, publisherID, offerID, name string) (Record, error) {
	record, err := s.Store.Package(ctx, publisherID, offerID, name)
	if err == nil && record.Report == "" {
		err = fault.New(fault.NotFound, "NotFound", "name", "The package %s was not validated yet.", name)
	}
	return record, err
}

// Report reads the record and the report of a package. NotFound when it was not validated yet.
func (s *Service) Report(ctx context.Context, publisherID, offerID, name string) (Record, Stored, error) {
	record, err := s.Record(ctx, publisherID, offerID, name)
	if err != nil {
		return record, Stored{}, err
	}
	raw, err := s.Reports.Report(ctx, record.Report)
	if err != nil {
		return record, Stored{}, fmt.Errorf("report on package %s: %w", name, err)
	}
	var report Stored
	if err := json.Unmarshal(raw, &report); err != nil {
		return record, Stored{}, fmt.Errorf("report on package %s: %w", name, err)
	}
	return record, report, nil
}

// Accepted gives the record of a package that was validated without an error, or why it may not be published. A package
// that was uploaded again since it was validated waits for its next validation.
func (s *Service) Accepted(ctx context.Context, publisherID, offerID, name string) (record Record, why string, err error) {
	record, err = s.Record(ctx, publisherID, offerID, name)
	switch {
	case fault.Is(err, fault.NotFound):
		return record, "it was not validated yet", nil
	case err != nil:
		return record, "", err
	case record.Blocking:
		return record, fmt.Sprintf("validation found %d errors", record.Errors), nil
	}
	upload, err := s.Uploads.OpenPackage(ctx, publisherID+"/"+offerID+"/"+name)
	if fault.Is(err, fault.NotFound) {
		return record, "it is gone", nil
	}
	if err != nil {
		return record, "", fmt.Errorf("open package %s: %w", name, err)
	}
	defer upload.Close()
	if upload.ETag != record.ETag {
		return record, "it was uploaded again and is not validated yet", nil
	}
	return record, "", nil
}
