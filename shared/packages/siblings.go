package packages

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"stoa/shared/fault"
)

// siblings opens the uploads of the offer that the package is validated together with: the newest of each slot it
// needs.
func (r *run) siblings(ctx context.Context) error {
	needs := slots[slotOf(r.record.Name)].needs
	if len(needs) == 0 {
		return nil
	}
	records, err := r.Store.Packages(ctx, r.record.PublisherID, r.record.OfferID)
	if err != nil {
		return fmt.Errorf("packages beside %s: %w", r.blob, err)
	}
	for _, slot := range needs {
		newest, found := newestOf(records, slot)
		if !found {
			continue
		}
		upload, err := r.Uploads.OpenPackage(ctx, newest.PublisherID+"/"+newest.OfferID+"/"+newest.Name)
		if fault.Is(err, fault.NotFound) {
			continue // deleted in between
		}
		if err != nil {
			return fmt.Errorf("open %s beside %s: %w", newest.Name, r.blob, err)
		}
		r.opened = append(r.opened, upload)
		if r.beside == nil {
			r.beside = map[Slot]Package{}
		}
		r.beside[slot] = Package{Name: fileNameOf(newest.Name), Bytes: upload, Size: upload.Size}
		r.record.Beside = append(r.record.Beside, upload.ETag)
	}
	return nil
}

// newestOf is the record of the last upload to a slot.
func newestOf(records []Record, slot Slot) (Record, bool) {
	var newest Record
	for _, r := range records {
		if slotOf(r.Name) == slot && r.Report != "" && !r.At.Before(newest.At) {
			newest = r
		}
	}
	return newest, newest.Name != ""
}

// close ends the reading of all uploads.
func (r *run) close() error {
	var errs []error
	for _, upload := range r.opened {
		errs = append(errs, upload.Close())
	}
	return errors.Join(errs...)
}

// fingerprint names what was looked at: the upload and those beside it.
func (r *run) fingerprint() string {
	h := sha256.New()
	for _, tag := range append([]string{r.record.ETag}, r.record.Beside...) {
		fmt.Fprintf(h, "%d %s", len(tag), tag)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// dependents are the packages of the offer whose verdict may be another one now that this one was validated: those that
// need its slot, and itself when what it needs has changed since it looked.
func (s *Service) dependents(ctx context.Context, of Record) ([]Record, error) {
	slot := slotOf(of.Name)
	if slot == "" {
		return nil, nil
	}
	records, err := s.Store.Packages(ctx, of.PublisherID, of.OfferID)
	if err != nil {
		return nil, fmt.Errorf("packages beside %s: %w", of.Name, err)
	}
	var out []Record
	for _, r := range records {
		if r.Report == "" {
			continue
		}
		var tags []string
		for _, need := range slots[slotOf(r.Name)].needs {
			if newest, found := newestOf(records, need); found {
				tags = append(tags, newest.ETag)
			}
		}
		concerned := r.Name == of.Name || slices.Contains(slots[slotOf(r.Name)].needs, slot)
		if concerned && !slices.Equal(tags, r.Beside) {
			out = append(out, r)
		}
	}
	return out, nil
}
