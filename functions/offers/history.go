package offers

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"stoa/shared/fault"
	"stoa/shared/offer"
	"stoa/shared/web"
)

const (
	historyPage  = 100 // events of one answer
	historyReads = 10  // pages that are looked through for them
)

// history lists events, the newest first (PUB-59), those that a filter chooses (PUB-61, PUB-62). A page may have
// fewer events than there is room for, and still not be the last.
func (h *Handler) history(w http.ResponseWriter, r *http.Request) error {
	publisherID, offerID := r.PathValue("publisherId"), r.PathValue("offerId")
	filter, err := historyFilter(r.URL.Query())
	if err != nil {
		return err
	}
	scope := "portal/history/" + publisherID + "/" + offerID
	after, err := h.deps.Pages.Decode(scope, r.URL.Query().Get("continuation"))
	if err != nil {
		return err
	}
	if _, err := h.deps.Catalogue.Offer(r.Context(), publisherID, offerID); err != nil {
		return err
	}
	items := []offer.Event{}
	for range historyReads {
		events, next, err := h.deps.Catalogue.History(r.Context(), publisherID, offerID, after, historyPage-len(items))
		if err != nil {
			return err
		}
		for _, e := range events {
			if filter.Matches(e) {
				items = append(items, e)
			}
		}
		if after = next; after == "" || len(items) == historyPage {
			break
		}
	}
	return web.WriteJSON(w, http.StatusOK, listing[offer.Event]{Items: items, Continuation: h.deps.Pages.Encode(scope, after)})
}

// historyFilter reads events, users and pages, each a list with commas, and from and to, each a day or a time.
func historyFilter(query url.Values) (offer.HistoryFilter, error) {
	var f offer.HistoryFilter
	for _, id := range listed(query, "events") {
		f.Events = append(f.Events, offer.EventKind(id))
	}
	f.Users, f.Pages = listed(query, "users"), listed(query, "pages")
	var err error
	if f.From, err = instant(query, "from", 0); err != nil {
		return f, err
	}
	f.To, err = instant(query, "to", 24*time.Hour-time.Nanosecond)
	return f, err
}

func listed(query url.Values, name string) []string {
	var out []string
	for _, text := range query[name] {
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				out = append(out, part)
			}
		}
	}
	return out
}

// instant reads a time; a day means its time of that length.
func instant(query url.Values, name string, within time.Duration) (time.Time, error) {
	text := query.Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t.Add(within), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fault.New(fault.Invalid, offer.CodeInvalid, name, "The value must be a day or a time, such as 2026-01-31 or 2026-01-31T10:00:00Z.")
	}
	return t, nil
}
