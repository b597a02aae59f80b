package publish

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"stoa/shared/fault"
	"stoa/shared/offer"
)

// Synced says what a sync has changed for a plan.
type Synced struct {
	PlanID  string `json:"planId"`
	Added   int    `json:"added"`
	Removed int    `json:"removed"`
}

// SyncAudience publishes the private audiences of live private plans as the draft has them, and nothing else of the
// draft: without certification, at once (PUB-46, SAS-45). No plans named means all that can be synced. Conflict when
// there is none, or when a plan that is named cannot be (PUB-47); NotFound for a plan there is none of.
func (s *Service) SyncAudience(ctx context.Context, r Request, plans []string) ([]Synced, error) {
	var out []Synced
	err := retry(func() error {
		o, err := s.offer(ctx, r)
		if err != nil {
			return err
		}
		chosen, err := syncable(&o, plans)
		if err != nil {
			return err
		}
		live, err := s.Snapshots.Frozen(ctx, o.Production.Snapshot)
		if err != nil {
			return fmt.Errorf("sync audience of %s: %w", o.OfferID, err)
		}
		next, changes := withAudiences(live, &o.Content, chosen)
		out = changes
		now := s.Now().UTC()
		production := *o.Production
		if production.Snapshot, err = s.freeze(ctx, production.Submission, next); err != nil {
			return err
		}
		o.Production, o.Synced = &production, maps.Clone(o.Synced)
		if o.Synced == nil {
			o.Synced = map[string]time.Time{}
		}
		for _, c := range changes {
			o.Synced[c.PlanID] = now
		}
		o.Published.Pages = offer.Fingerprints(&next)
		event := offer.NewEvent(offer.AudienceSynced, r.By, "", now)
		return s.Store.Commit(ctx, Change{Offer: o, Events: []offer.Event{event}})
	})
	return out, err
}

// syncable are the plans to sync.
func syncable(o *offer.Offer, named []string) ([]string, error) {
	can := func(p offer.Plan) bool { return slices.Contains(o.PlanActions(p), offer.ActionSync) }
	var out []string
	if len(named) == 0 {
		for _, p := range o.Plans {
			if can(p) {
				out = append(out, p.ID)
			}
		}
	}
	for _, id := range named {
		p, ok := o.Plan(id)
		if !ok {
			return nil, fault.New(fault.NotFound, "NotFound", "planIds", "The offer has no plan %s.", id)
		}
		if !can(p) {
			return nil, fault.New(fault.Conflict, "InvalidPlanState", "planIds", "The plan %s is not a private plan that is live.", id)
		}
		out = append(out, id)
	}
	if len(out) == 0 || o.Production == nil {
		return nil, fault.New(fault.Conflict, "InvalidPlanState", "planIds", "The offer has no private plan that is live.")
	}
	return out, nil
}

// withAudiences is a content with the audiences of another for some plans, and what that changes. A plan that is not
// private in both keeps what it has.
func withAudiences(c offer.Content, from *offer.Content, plans []string) (offer.Content, []Synced) {
	c.Plans = slices.Clone(c.Plans) // a frozen content is shared
	var out []Synced
	for i, was := range c.Plans {
		p, ok := from.Plan(was.ID)
		if !ok || !p.Private || !was.Private || !slices.Contains(plans, was.ID) {
			continue
		}
		c.Plans[i].PrivateAudience = slices.Clone(p.PrivateAudience)
		out = append(out, Synced{PlanID: was.ID, Added: missing(p.PrivateAudience, was.PrivateAudience), Removed: missing(was.PrivateAudience, p.PrivateAudience)})
	}
	return c, out
}

// missing counts what of one list is not in the other.
func missing(of, in []string) int {
	known := make(map[string]bool, len(in))
	for _, id := range in {
		known[id] = true
	}
	n := 0
	for _, id := range of {
		if !known[id] {
			n++
		}
	}
	return n
}

// settleAudiences is the content that goes live and its name: that of the submission, but for audiences that were
// synced after it was submitted (PUB-48).
func (t *transition) settleAudiences(ctx context.Context) (offer.Content, string, error) {
	var later []string
	for id, at := range t.offer.Synced {
		if at.After(t.sub.CreatedAt) {
			later = append(later, id)
		}
	}
	if t.offer.Production == nil || len(later) == 0 {
		return t.content, t.sub.Snapshot, nil
	}
	live, err := t.service.Snapshots.Frozen(ctx, t.offer.Production.Snapshot)
	if err != nil {
		return offer.Content{}, "", fmt.Errorf("audiences of %s: %w", t.offer.OfferID, err)
	}
	next, _ := withAudiences(t.content, &live, later)
	name, err := t.service.freeze(ctx, t.sub.Number, next)
	return next, name, err
}
