package offer

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// EventKind is a user event of the history, an id of historyevents.json; step events bear the step's id.
type EventKind string

// The user events.
const (
	OfferCreated           EventKind = "offerCreated"
	PlanCreated            EventKind = "planCreated"
	PlanDeleted            EventKind = "planDeleted"
	SubmittedToPreview     EventKind = "submittedToPreview"
	PreviewCancelInitiated EventKind = "previewCancelInitiated"
	PreviewCanceled        EventKind = "previewCanceled"
	SignedOff              EventKind = "signedOff"
	PlanStopInitiated      EventKind = "planStopInitiated"
	PlanResumed            EventKind = "planResumed"
	AudienceSynced         EventKind = "privateAudienceSynced"
	OfferStopped           EventKind = "offerStopped"
)

// Event is one entry of an offer's history (3.7). Events are append-only; saving a draft makes none (PUB-1).
type Event struct {
	Kind       EventKind `json:"eventId"`
	Label      string    `json:"label"`
	By         string    `json:"initiatedBy"` // the caller's name or id; empty for steps (PUB-60)
	At         time.Time `json:"at"`
	Completion string    `json:"completion,omitempty"` // of a step: completed, failed, warning, canceled
	Pages      []string  `json:"pages,omitempty"`      // of submittedToPreview: the changed pages
	Submission int       `json:"submission,omitempty"`
}

//go:embed historyevents.json
var historyJSON []byte

var labels = loadLabels(historyJSON)

func loadLabels(raw []byte) map[EventKind]string {
	var file struct {
		Events []struct {
			ID    EventKind `json:"id"`
			Label string    `json:"label"`
		} `json:"events"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		panic(fmt.Sprintf("historyevents.json: %v", err))
	}
	out := map[EventKind]string{}
	for _, e := range file.Events {
		out[e.ID] = e.Label
	}
	return out
}

// NewEvent makes a user event with its label; plan is the plan's name where the label has one.
func NewEvent(kind EventKind, by, plan string, at time.Time) Event {
	label, ok := labels[kind]
	if !ok {
		panic(fmt.Sprintf("historyevents.json: no event %q", kind))
	}
	return Event{Kind: kind, Label: strings.ReplaceAll(label, "{planName}", plan), By: by, At: at.UTC()}
}

// HistoryFilter chooses events: what is set must hold together, of several values in one any may (PUB-61). The zero
// value chooses all.
type HistoryFilter struct {
	Events []EventKind
	Users  []string
	From   time.Time // inclusive
	To     time.Time // inclusive
	Pages  []string  // submissions to preview that changed one of the pages, and no other events (PUB-62)
}

// Matches reports whether the filter chooses an event.
func (f *HistoryFilter) Matches(e Event) bool {
	switch {
	case len(f.Events) > 0 && !slices.Contains(f.Events, e.Kind),
		len(f.Users) > 0 && !slices.ContainsFunc(f.Users, func(u string) bool { return strings.EqualFold(u, e.By) }),
		!f.From.IsZero() && e.At.Before(f.From),
		!f.To.IsZero() && e.At.After(f.To):
		return false
	case len(f.Pages) == 0:
		return true
	}
	return e.Kind == SubmittedToPreview && slices.ContainsFunc(f.Pages, func(p string) bool { return slices.Contains(e.Pages, p) })
}
