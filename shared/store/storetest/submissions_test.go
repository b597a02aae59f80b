package storetest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/offer"
	"stoa/shared/publish"
	"stoa/shared/store"
)

func TestSubmissions(t *testing.T) {
	t.Parallel()
	both(t, map[string]func(t *testing.T, b *backing){
		"what is committed is read":               submissionsRoundTrip,
		"a commit is all or nothing":              submissionsAtomic,
		"lists are the newest first, below a one": submissionsLists,
		"the messages of a commit go out once":    submissionsMessages,
	})
}

func submission(b *backing, number int) publish.Submission {
	content := draft(b, "contoso", "app", 1).Content
	return publish.Submission{
		ID: offer.GUID("s", fmt.Sprint(number)), Number: number, PublisherID: "contoso", OfferID: "app", OfferType: "SaaS", Snapshot: "snapshot",
		ChangedPages: []string{"offerSetup"}, InitiatedBy: "ö", State: publish.Running, Steps: publish.StepsFor(&content), PreviousStatus: offer.StatusDraft,
		CreatedAt: b.now(), ChangedAt: b.now(), Packages: map[string]string{"plan0": "v1"},
		Certification: &publish.Report{Result: publish.Refused, FailedPolicies: []publish.FailedPolicy{{ID: "1", Description: "d"}}, At: b.now()},
	}
}

// created makes the offer and reads it.
func created(t *testing.T, b *backing, s *store.Offers) offer.Offer {
	t.Helper()
	require.NoError(t, s.Create(t.Context(), draft(b, "contoso", "app", 1)))
	return reread(t, s)
}

func reread(t *testing.T, s *store.Offers) offer.Offer {
	t.Helper()
	o, err := s.Offer(t.Context(), "contoso", "app")
	require.NoError(t, err)
	return o
}

func submissionsRoundTrip(t *testing.T, b *backing) {
	s := repository(b)
	o := created(t, b, s)
	_, err := s.Submission(t.Context(), "contoso", "app", 1)
	requireKind(t, err, fault.NotFound)
	want := submission(b, 1)
	o.Submission, o.Status = 1, offer.StatusPublishInProgress
	require.NoError(t, s.Commit(t.Context(), publish.Change{Offer: o, Submissions: []publish.Submission{want},
		Events: []offer.Event{offer.NewEvent(offer.SubmittedToPreview, "ö", "", b.now())}}))
	got, err := s.Submission(t.Context(), "contoso", "app", 1)
	require.NoError(t, err)
	require.NotEmpty(t, got.Lock)
	want.Lock = got.Lock
	require.Equal(t, want, got)
	require.Equal(t, []any{1, offer.StatusPublishInProgress, 1}, []any{reread(t, s).Submission, reread(t, s).Status, reread(t, s).Events})
}

func submissionsAtomic(t *testing.T, b *backing) {
	s := repository(b)
	o := created(t, b, s)
	first := submission(b, 1)
	o.Submission = 1
	require.NoError(t, s.Commit(t.Context(), publish.Change{Offer: o, Submissions: []publish.Submission{first}}))
	read, err := s.Submission(t.Context(), "contoso", "app", 1)
	require.NoError(t, err)
	note := message.New("never", message.PublishSteps, 1)
	event := offer.NewEvent(offer.PlanCreated, "o", "never", b.now())
	current := reread(t, s)
	current.Notes = "never"
	stale := read
	stale.Lock = "W/\"datetime'2000-01-01T00%3A00%3A00.0000000Z'\""
	for name, subs := range map[string][]publish.Submission{
		"a submission that was saved in between": {stale},
		"a number that is taken":                 {first},
		"one of two":                             {submission(b, 2), stale},
	} {
		err := s.Commit(t.Context(), publish.Change{Offer: current, Submissions: subs, Events: []offer.Event{event}, Messages: []message.Message{note}})
		require.Truef(t, fault.Is(err, fault.StaleETag), "%s: %v", name, err)
	}
	read.State = publish.Canceled
	require.NoError(t, s.Commit(t.Context(), publish.Change{Offer: current, Submissions: []publish.Submission{read}}))
	requireKind(t, s.Commit(t.Context(), publish.Change{Offer: o, Submissions: []publish.Submission{submission(b, 2)}, Messages: []message.Message{note}}), fault.StaleETag)
	_, err = s.Submission(t.Context(), "contoso", "app", 2)
	requireKind(t, err, fault.NotFound)
	events, _, err := s.History(t.Context(), "contoso", "app", "", 10)
	require.NoError(t, err)
	require.Empty(t, events)
	require.NoError(t, b.Flush(t.Context()))
	require.Empty(t, b.outbox.Messages(message.PublishSteps))
}

func submissionsLists(t *testing.T, b *backing) {
	s := repository(b)
	o := created(t, b, s)
	for n := 1; n <= 12; n++ {
		o.Submission = n
		require.NoError(t, s.Commit(t.Context(), publish.Change{Offer: o, Submissions: []publish.Submission{submission(b, n)}}))
		o = reread(t, s)
	}
	numbers := func(below, limit int) []int {
		subs, err := s.Submissions(t.Context(), "contoso", "app", below, limit)
		require.NoError(t, err)
		var out []int
		for _, sub := range subs {
			require.NotEmpty(t, sub.Lock)
			out = append(out, sub.Number)
		}
		return out
	}
	require.Equal(t, []int{12, 11, 10, 9, 8}, numbers(0, 5))
	require.Equal(t, []int{7, 6, 5, 4, 3}, numbers(8, 5))
	require.Equal(t, []int{2, 1}, numbers(3, 5))
	require.Empty(t, numbers(1, 5))
}

func submissionsMessages(t *testing.T, b *backing) {
	s := repository(b)
	o := created(t, b, s)
	o.Submission = 1
	now := message.New("step", message.PublishSteps, 1)
	later := message.New("later", message.PublishSteps, 2).At(b.now().Add(time.Hour))
	require.NoError(t, s.Commit(t.Context(), publish.Change{Offer: o, Submissions: []publish.Submission{submission(b, 1)}, Messages: []message.Message{now, later}}))
	require.NoError(t, b.Flush(t.Context()))
	require.Len(t, b.outbox.Messages(message.PublishSteps), 1)
	b.advance(time.Hour)
	n, err := b.Release(t.Context(), b.now(), 10)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.NoError(t, b.Flush(t.Context()))
	require.Len(t, b.outbox.Messages(message.PublishSteps), 2)
	require.Equal(t, 1, reread(t, s).Submission, "the outbox rows are no part of the draft")
}
