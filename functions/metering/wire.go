package metering

import (
	"encoding/json"
	"strings"

	"stoa/shared/metering"
)

// wireEvent is an event as it arrives. Members stay as they are sent, for the answer (MTR-62); their names are
// matched without case (MTR-23).
type wireEvent struct {
	ResourceID     json.RawMessage `json:"resourceId"`
	ResourceURI    json.RawMessage `json:"resourceUri"`
	Quantity       json.RawMessage `json:"quantity"`
	Dimension      json.RawMessage `json:"dimension"`
	EffectiveStart json.RawMessage `json:"effectiveStartTime"`
	PlanID         json.RawMessage `json:"planId"`
}

// event is the domain's view. A member of the wrong type is named, not guessed at (MTR-48).
func (e wireEvent) event() metering.Event {
	out := metering.Event{}
	text := func(name string, raw json.RawMessage) string {
		var s *string
		if len(raw) > 0 && json.Unmarshal(raw, &s) != nil {
			out.Malformed = append(out.Malformed, name)
		}
		if s == nil {
			return ""
		}
		return *s
	}
	out.ResourceID = text("resourceId", e.ResourceID)
	out.ResourceURI = text("resourceUri", e.ResourceURI)
	out.Dimension = text("dimension", e.Dimension)
	out.EffectiveStart = text("effectiveStartTime", e.EffectiveStart)
	out.PlanID = text("planId", e.PlanID)
	switch number := string(e.Quantity); {
	case number == "" || number == "null":
	case strings.ContainsRune("-0123456789", rune(number[0])):
		out.Quantity = number
	default:
		out.Malformed = append(out.Malformed, "quantity")
	}
	return out
}

// wireItem is an event in an answer.
type wireItem struct {
	UsageEventID   string          `json:"usageEventId,omitempty"`
	Status         metering.Status `json:"status"`
	MessageTime    string          `json:"messageTime"`
	Error          *wireError      `json:"error,omitempty"`
	ResourceID     json.RawMessage `json:"resourceId,omitempty"`
	ResourceURI    json.RawMessage `json:"resourceUri,omitempty"`
	Quantity       json.RawMessage `json:"quantity,omitempty"`
	Dimension      json.RawMessage `json:"dimension,omitempty"`
	EffectiveStart json.RawMessage `json:"effectiveStartTime,omitempty"`
	PlanID         json.RawMessage `json:"planId,omitempty"`
}

// messageTimeLayout has seven fractional digits (3.5).
const messageTimeLayout = "2006-01-02T15:04:05.0000000Z"

// echo repeats the members of the request.
func (e wireEvent) echo() wireItem {
	return wireItem{
		MessageTime: metering.NoTime(), ResourceID: e.ResourceID, ResourceURI: e.ResourceURI, Quantity: e.Quantity,
		Dimension: e.Dimension, EffectiveStart: e.EffectiveStart, PlanID: e.PlanID,
	}
}

// accepted is the answer for an accepted event.
func (e wireEvent) accepted(r metering.Result) wireItem {
	item := e.echo()
	item.Status, item.UsageEventID = r.Status, r.Usage.EventID
	item.MessageTime = r.Usage.AcceptedAt.UTC().Format(messageTimeLayout)
	if !sent(item.ResourceID) { // MTR-37
		item.ResourceID = quoted(r.Usage.ResourceID)
	}
	if !sent(item.ResourceURI) && r.Usage.ResourceURI != "" {
		item.ResourceURI = quoted(r.Usage.ResourceURI)
	}
	return item
}

// sent reports whether a member has a value.
func sent(raw json.RawMessage) bool {
	text := string(raw)
	return text != "" && text != "null" && text != `""`
}

// item is the answer for one event of a batch.
func (e wireEvent) item(r metering.Result) wireItem {
	if r.Status == metering.Accepted {
		return e.accepted(r)
	}
	item := e.echo()
	body := errorOf(r)
	item.Status, item.Error = r.Status, &body
	return item
}

// wireBatch is the answer to a batch: a result for each event, in the order of the request (MTR-57).
type wireBatch struct {
	Count  int        `json:"count"`
	Result []wireItem `json:"result"`
}

// quoted is a text as JSON.
func quoted(text string) json.RawMessage {
	raw, err := json.Marshal(text)
	if err != nil {
		panic("a string did not encode: " + err.Error())
	}
	return raw
}

// acceptedMessage is the event that stands in the way of a duplicate (MTR-52).
func acceptedMessage(u metering.Usage) *wireItem {
	item := &wireItem{
		UsageEventID: u.EventID, Status: metering.Duplicate, MessageTime: u.AcceptedAt.UTC().Format(messageTimeLayout),
		ResourceID: quoted(u.ResourceID), Quantity: json.RawMessage(u.Quantity), Dimension: quoted(u.Dimension),
		EffectiveStart: quoted(u.EffectiveStart), PlanID: quoted(u.PlanID),
	}
	if u.ResourceURI != "" {
		item.ResourceURI = quoted(u.ResourceURI)
	}
	return item
}
