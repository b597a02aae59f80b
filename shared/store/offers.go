package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/offer"
	"stoa/shared/publish"
	"stoa/shared/store/table"
)

// An offer is a partition of the table: its head, its draft, a row per plan, its submissions, its history and
// what is known of its packages. The head's ETag guards every write of the partition, so the other rows are
// written without their own. Two lists point at offers, one per publisher and one of what may be live; a row
// there is written before the offer it names and may outlive it, so readers look at the offer itself.
const (
	offersTable   = "offers"
	draftPrefix   = "a|"
	headKey       = "a|offer"
	draftKey      = "a|draft"
	planPrefix    = "a|plan|"
	eventPrefix   = "event|"
	packagePrefix = "package|"
	lastEvent     = 9_999_999_999
	rereads       = 10
	maxDraftPages = 30 // the platform ends a page after 4 MiB; a hundred plans with all their prices may have more
)

// Offers keeps offers, their submissions and their history: offer.Store, offer.Reader and publish.Store.
// Safe for concurrent use.
type Offers struct {
	db        *DB
	snapshots publish.Snapshots
}

// NewOffers makes the repository. Frozen contents are read from the snapshots.
func NewOffers(db *DB, snapshots publish.Snapshots) *Offers {
	return &Offers{db: db, snapshots: snapshots}
}

type headRow struct {
	PublisherID string               `json:"publisherId"`
	OfferID     string               `json:"offerId"`
	OfferType   string               `json:"offerType"`
	Alias       string               `json:"alias"`
	ProductID   string               `json:"productId"`
	Status      offer.Status         `json:"status"`
	Version     int                  `json:"version"`
	Notes       string               `json:"notes,omitempty"`
	CreatedAt   time.Time            `json:"createdAt"`
	ChangedAt   time.Time            `json:"changedAt"`
	Submission  int                  `json:"submission"`
	Preview     *offer.Frozen        `json:"preview,omitempty"`
	Production  *offer.Frozen        `json:"production,omitempty"`
	Published   *offer.Published     `json:"published,omitempty"`
	Withdrawn   bool                 `json:"withdrawn,omitempty"`
	Synced      map[string]time.Time `json:"synced,omitempty"`
	Events      int                  `json:"events"`
	Plans       []string             `json:"plans"`
	Parts       map[string]string    `json:"parts"` // fingerprint of each other row of the draft
}

// withdrawn reports whether what was live is not distributed any more. Rows from before that was noted have the status
// only.
func (h *headRow) withdrawn() bool { return h.Withdrawn || h.Status == offer.StatusNotAvailable }

func offerPartition(publisherID, offerID string) string { return table.Join(publisherID, offerID) }

func publisherList(publisherID string) string { return table.Join("list", "publisher", publisherID) }

var liveList = table.Join("list", "live", "all")

func planKey(id string) string { return planPrefix + table.Join(id) }

// toHead makes the head row and the rows of the draft. The draft's rows carry no ETag.
func toHead(o *offer.Offer) (headRow, map[string][]byte) {
	head := headRow{
		PublisherID: o.PublisherID, OfferID: o.OfferID, OfferType: o.OfferType, Alias: o.Alias, ProductID: o.ProductID,
		Status: o.Status, Version: o.Version, Notes: o.Notes, CreatedAt: o.CreatedAt, ChangedAt: o.ChangedAt,
		Submission: o.Submission, Preview: o.Preview, Production: o.Production, Published: o.Published, Events: o.Events,
		Withdrawn: o.Withdrawn, Synced: o.Synced, Parts: map[string]string{},
	}
	parts := map[string][]byte{}
	content := o.Content
	for _, p := range content.Plans {
		head.Plans = append(head.Plans, p.ID)
		parts[planKey(p.ID)] = encode(p)
	}
	content.Plans = nil
	parts[draftKey] = encode(content)
	for key, data := range parts {
		head.Parts[key] = offer.GUID(string(data))
		parts[key] = encode(partRow{Mark: head.Parts[key], Body: data})
	}
	return head, parts
}

// partRow is the document of a row of the draft. The mark says which state of the part it is, so that a reader
// sees whether it belongs to the head it has read.
type partRow struct {
	Mark string          `json:"mark"`
	Body json.RawMessage `json:"body"`
}

// part reads a row of the draft into v; errTorn when it is not the state the head names.
func part(rows map[string]table.Row, key, mark string, v any) error {
	row, ok := rows[key]
	if !ok {
		return errTorn
	}
	var p partRow
	if err := decode(row, &p); err != nil {
		return err
	}
	if p.Mark != mark {
		return errTorn
	}
	return decode(table.Row{Partition: row.Partition, Key: row.Key, Data: p.Body}, v)
}

func fromHead(h headRow) offer.Offer {
	return offer.Offer{
		Content:   offer.Content{PublisherID: h.PublisherID, OfferID: h.OfferID, OfferType: h.OfferType, Alias: h.Alias},
		ProductID: h.ProductID, Status: h.Status, Version: h.Version, Notes: h.Notes, CreatedAt: h.CreatedAt, ChangedAt: h.ChangedAt,
		Submission: h.Submission, Preview: h.Preview, Production: h.Production, Published: h.Published, Events: h.Events, Saved: h.Parts,
		Withdrawn: h.withdrawn(), Synced: h.Synced,
	}
}

// Create inserts an offer. Conflict AlreadyExists when the publisher has one of that id.
func (s *Offers) Create(ctx context.Context, o offer.Offer, events ...offer.Event) error {
	// The list first: an offer that is on no list would be lost, a list row without an offer is skipped. Last
	// wins because the row says nothing but its key.
	entry := table.Row{Partition: publisherList(o.PublisherID), Key: table.Join(o.OfferID), Data: encode(listRow{o.PublisherID, o.OfferID})}
	if _, err := s.db.Table(offersTable).Apply(ctx, table.Op{Action: table.Upsert, Row: entry}); err != nil {
		return fmt.Errorf("create offer %s: %w", o.OfferID, err)
	}
	ops, err := offerOps(&o, events)
	if err != nil {
		return err
	}
	if _, err := s.db.Commit(ctx, offersTable, ops); err != nil {
		if fault.Is(err, fault.Conflict) {
			return fault.New(fault.Conflict, "AlreadyExists", "offerId", "There is an offer %s.", o.OfferID).Because(err)
		}
		return fmt.Errorf("create offer %s: %w", o.OfferID, err)
	}
	return nil
}

type listRow struct {
	PublisherID string `json:"publisherId"`
	OfferID     string `json:"offerId"`
}

// Save replaces an offer that was read before. StaleETag when it was saved in between.
func (s *Offers) Save(ctx context.Context, o offer.Offer, events ...offer.Event) error {
	return s.commit(ctx, o, events, nil, nil)
}

func (s *Offers) commit(ctx context.Context, o offer.Offer, events []offer.Event, more []table.Op, msgs []message.Message) error {
	if o.Lock == "" {
		return fmt.Errorf("save offer %s: it was never read, it has no lock", o.OfferID)
	}
	ops, err := offerOps(&o, events)
	if err != nil {
		return err
	}
	ops = append(ops, more...)
	if len(ops) >= table.MaxOps {
		return fault.New(fault.Invalid, offer.CodeLimit, "plans", "At most %d plans can be changed at once.", table.MaxOps-10)
	}
	if _, err := s.db.Commit(ctx, offersTable, ops, msgs...); err != nil {
		if fault.Is(err, fault.Conflict) || fault.Is(err, fault.NotFound) {
			// A row that two acts add or take away at once: the head has moved on, read again.
			return fault.New(fault.StaleETag, "PreconditionFailed", "", "The offer was saved in between.").Because(err)
		}
		return fmt.Errorf("save offer %s: %w", o.OfferID, err)
	}
	return nil
}

// offerOps are the operations that write the head, the parts of the draft that changed, and new events.
func offerOps(o *offer.Offer, events []offer.Event) ([]table.Op, error) {
	partition := offerPartition(o.PublisherID, o.OfferID)
	row := func(key string, data []byte) table.Row { return table.Row{Partition: partition, Key: key, Data: data} }
	before := o.Events
	o.Events += len(events)
	head, parts := toHead(o)
	ops := []table.Op{{Action: table.Insert, Row: row(headKey, encode(head))}}
	if o.Lock != "" {
		ops[0].Action, ops[0].Row.ETag = table.Replace, o.Lock
	}
	for _, key := range slices.Sorted(maps.Keys(head.Parts)) {
		if o.Saved[key] != head.Parts[key] {
			// The head's ETag guards the part: who writes it has read it.
			ops = append(ops, table.Op{Action: table.Upsert, Row: row(key, parts[key])})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(o.Saved)) {
		if _, still := head.Parts[key]; !still {
			ops = append(ops, table.Op{Action: table.Remove, Row: row(key, nil)})
		}
	}
	for i, e := range events {
		key := fmt.Sprintf("%s%010d", eventPrefix, lastEvent-(before+i))
		ops = append(ops, table.Op{Action: table.Insert, Row: row(key, encode(e))})
	}
	if len(ops) > table.MaxOps {
		return nil, fault.New(fault.Invalid, offer.CodeLimit, "plans", "At most %d plans can be changed at once.", table.MaxOps-10)
	}
	return ops, nil
}

// errTorn says that the rows of a draft were read while they were being written.
var errTorn = errors.New("the rows of the draft do not belong together")

// Offer reads an offer with its draft. NotFound.
func (s *Offers) Offer(ctx context.Context, publisherID, offerID string) (offer.Offer, error) {
	var err error
	for range rereads {
		var o offer.Offer
		if o, err = s.read(ctx, publisherID, offerID); !errors.Is(err, errTorn) {
			return o, err
		}
	}
	return offer.Offer{}, fault.New(fault.Unavailable, "Busy", "", "The offer is being changed by others. Try again.").Because(err)
}

func (s *Offers) read(ctx context.Context, publisherID, offerID string) (offer.Offer, error) {
	q := table.Query{Partition: offerPartition(publisherID, offerID), From: draftPrefix, Until: table.PrefixEnd(draftPrefix), WithETags: true}
	rows := map[string]table.Row{}
	for range maxDraftPages {
		page, err := s.db.Table(offersTable).Query(ctx, q)
		if err != nil {
			return offer.Offer{}, fmt.Errorf("read offer %s: %w", offerID, err)
		}
		for _, row := range page.Rows {
			rows[row.Key] = row
		}
		if q.After = page.Next; page.Next == "" {
			break
		}
	}
	if q.After != "" {
		return offer.Offer{}, fmt.Errorf("read offer %s: its draft has more than %d pages", offerID, maxDraftPages)
	}
	if _, ok := rows[headKey]; !ok {
		return offer.Offer{}, noOffer(offerID)
	}
	return assemble(rows)
}

func noOffer(offerID string) error {
	return fault.New(fault.NotFound, "NotFound", "offerId", "There is no offer %s.", offerID)
}

func assemble(rows map[string]table.Row) (offer.Offer, error) {
	var head headRow
	if err := decode(rows[headKey], &head); err != nil {
		return offer.Offer{}, err
	}
	o := fromHead(head)
	o.Lock = rows[headKey].ETag
	var content offer.Content
	if err := part(rows, draftKey, head.Parts[draftKey], &content); err != nil {
		return o, err
	}
	for _, id := range head.Plans {
		var p offer.Plan
		if err := part(rows, planKey(id), head.Parts[planKey(id)], &p); err != nil {
			return o, err
		}
		content.Plans = append(content.Plans, p)
	}
	if len(rows) != len(head.Parts)+1 {
		return o, errTorn
	}
	o.Content = content
	return o, nil
}

// Offers lists a publisher's offers by id, without their drafts: ids, alias, type and what is known of their
// publications.
func (s *Offers) Offers(ctx context.Context, publisherID, after string, limit int) ([]offer.Offer, string, error) {
	heads, next, err := s.listed(ctx, publisherList(publisherID), after, limit)
	if err != nil {
		return nil, "", fmt.Errorf("list offers of %s: %w", publisherID, err)
	}
	out := make([]offer.Offer, len(heads))
	for i, h := range heads {
		out[i] = fromHead(h)
	}
	return out, next, nil
}

// LiveOffers lists what is live, by publisher and offer id. A page may be shorter than the limit and not the
// last.
func (s *Offers) LiveOffers(ctx context.Context, after string, limit int) ([]offer.Version, string, error) {
	heads, next, err := s.listed(ctx, liveList, after, limit)
	if err != nil {
		return nil, "", fmt.Errorf("list live offers: %w", err)
	}
	var out []offer.Version
	for _, h := range heads {
		if h.Production == nil || h.withdrawn() {
			continue
		}
		v, err := s.version(ctx, offer.Production, h.Production)
		if err != nil {
			return nil, "", err
		}
		out = append(out, v)
	}
	return out, next, nil
}

// listed reads the heads a page of a list points at, a few at once. Rows without an offer are skipped.
func (s *Offers) listed(ctx context.Context, list, after string, limit int) ([]headRow, string, error) {
	page, err := s.db.Table(offersTable).Query(ctx, table.Query{Partition: list, Limit: limit, After: after})
	if err != nil {
		return nil, "", err
	}
	heads, errs := make([]*headRow, len(page.Rows)), make([]error, len(page.Rows))
	var wait sync.WaitGroup
	busy := make(chan struct{}, 8)
	for i, row := range page.Rows {
		busy <- struct{}{}
		wait.Go(func() {
			defer func() { <-busy }()
			var entry listRow
			if errs[i] = decode(row, &entry); errs[i] != nil {
				return
			}
			head, err := s.head(ctx, entry.PublisherID, entry.OfferID)
			switch {
			case err == nil:
				heads[i] = &head
			case !fault.Is(err, fault.NotFound):
				errs[i] = err
			}
		})
	}
	wait.Wait()
	var out []headRow
	for _, h := range heads {
		if h != nil {
			out = append(out, *h)
		}
	}
	return out, page.Next, errors.Join(errs...)
}

func (s *Offers) head(ctx context.Context, publisherID, offerID string) (headRow, error) {
	var head headRow
	row, err := s.db.Table(offersTable).Get(ctx, offerPartition(publisherID, offerID), headKey)
	if fault.Is(err, fault.NotFound) {
		return head, noOffer(offerID)
	}
	if err != nil {
		return head, fmt.Errorf("read offer %s: %w", offerID, err)
	}
	return head, decode(row, &head)
}

// Live reads the version customers see. NotFound when nothing is live. The version may not be changed.
func (s *Offers) Live(ctx context.Context, publisherID, offerID string) (offer.Version, error) {
	return s.slot(ctx, publisherID, offerID, offer.Production)
}

// InPreview reads the version the preview audience sees. NotFound when there is none. The version may not be
// changed.
func (s *Offers) InPreview(ctx context.Context, publisherID, offerID string) (offer.Version, error) {
	return s.slot(ctx, publisherID, offerID, offer.Preview)
}

func (s *Offers) slot(ctx context.Context, publisherID, offerID string, slot offer.Slot) (offer.Version, error) {
	head, err := s.head(ctx, publisherID, offerID)
	if err != nil {
		return offer.Version{}, err
	}
	frozen := head.Production
	if slot == offer.Preview {
		frozen = head.Preview
	}
	if frozen == nil {
		return offer.Version{}, fault.New(fault.NotFound, "NotFound", "slot", "The slot %s of the offer %s is empty.", slot, offerID)
	}
	v, err := s.version(ctx, slot, frozen)
	if err == nil && slot == offer.Production && head.withdrawn() {
		v = withdrawn(v)
	}
	return v, err
}

// withdrawn is a version that nobody new may buy, for those who did (PUB-53).
func withdrawn(v offer.Version) offer.Version {
	v.Withdrawn, v.Plans = true, slices.Clone(v.Plans)
	for i := range v.Plans {
		v.Plans[i].Stopped = true
	}
	return v
}

func (s *Offers) version(ctx context.Context, slot offer.Slot, f *offer.Frozen) (offer.Version, error) {
	content, err := s.snapshots.Frozen(ctx, f.Snapshot)
	if err != nil {
		return offer.Version{}, fmt.Errorf("read %s of %s: %w", slot, strings.TrimSuffix(f.Snapshot, ".json"), err)
	}
	return offer.Version{Slot: slot, Number: f.Version, Submission: f.SubmissionID, PublishedAt: f.At, Content: content}, nil
}
