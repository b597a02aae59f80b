package publish_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/fault"
	"stoa/shared/offer"
	"stoa/shared/publish"
)

// states are ways to bring an offer to each state of its newest submission.
var states = []struct {
	name   string
	reach  func(t tb, b *bench)
	state  publish.State // of the newest submission
	status offer.Status
	// What the acts come to: "" is done, else the code of the refusal.
	publish, goLive, cancel, verdict string
}{
	{"never submitted", func(tb, *bench) {}, "", offer.StatusDraft,
		"", "InvalidOfferState", "CannotCancel", "InvalidOfferState"},
	{"submitted", func(t tb, b *bench) { b.publish(t) }, publish.Created, offer.StatusPublishInProgress,
		"OperationInProgress", "InvalidOfferState", "", "InvalidOfferState"},
	{"running", func(t tb, b *bench) {
		b.publish(t)
		require.NoError(t, b.RunStep(context.Background(), b.steps(t)[0]))
	}, publish.Running, offer.StatusPublishInProgress,
		"OperationInProgress", "InvalidOfferState", "", "InvalidOfferState"},
	{"blocked", func(t tb, b *bench) {
		b.ports.secrets = nil
		b.publish(t)
		b.run(t)
	}, publish.Blocked, offer.StatusAttentionNeeded,
		"", "InvalidOfferState", "", "InvalidOfferState"},
	{"waits for sign-off", func(t tb, b *bench) {
		b.publish(t)
		b.run(t)
	}, publish.WaitingForPublisher, offer.StatusPreview,
		"", "", "CannotCancel", "InvalidOfferState"},
	{"goes live", func(t tb, b *bench) {
		b.publish(t)
		b.run(t)
		b.goLive(t)
	}, publish.GoingLive, offer.StatusPublishInProgress,
		"OperationInProgress", "InvalidOfferState", "CannotCancel", "InvalidOfferState"},
	{"waits for a verdict", func(t tb, b *bench) {
		b.ports.result = publish.Pending
		b.publish(t)
		b.run(t)
		b.goLive(t)
		b.run(t)
	}, publish.GoingLive, offer.StatusPublishInProgress,
		"OperationInProgress", "InvalidOfferState", "CannotCancel", ""},
	{"live", func(t tb, b *bench) { b.live(t) }, publish.Succeeded, offer.StatusLive,
		"", "InvalidOfferState", "CannotCancel", "InvalidOfferState"},
	{"refused", func(t tb, b *bench) {
		b.ports.result = publish.Refused
		b.publish(t)
		b.run(t)
		b.goLive(t)
		b.run(t)
	}, publish.Failed, offer.StatusAttentionNeeded,
		"", "InvalidOfferState", "CannotCancel", "InvalidOfferState"},
	{"cancel asked for", func(t tb, b *bench) {
		b.publish(t)
		_, _, err := b.Cancel(context.Background(), request())
		require.NoError(t, err)
	}, publish.Canceling, offer.StatusPublishInProgress,
		"OperationInProgress", "InvalidOfferState", "repeated", "InvalidOfferState"},
	{"a newer one is cancelled, the preview waits", func(t tb, b *bench) {
		b.publish(t)
		b.run(t)
		b.publish(t)
		_, _, err := b.Cancel(context.Background(), request())
		require.NoError(t, err)
		b.run(t)
	}, publish.Canceled, offer.StatusPreview,
		"", "", "repeated", "InvalidOfferState"},
	{"a newer one is cancelled, the preview waits for a verdict", func(t tb, b *bench) {
		b.ports.result = publish.Pending
		b.publish(t)
		b.run(t)
		b.publish(t)
		_, _, err := b.Cancel(context.Background(), request())
		require.NoError(t, err)
		b.run(t)
		b.goLive(t)
		b.run(t)
	}, publish.Canceled, offer.StatusPublishInProgress,
		"OperationInProgress", "InvalidOfferState", "CannotCancel", ""},
	{"cancelled", func(t tb, b *bench) {
		b.publish(t)
		_, _, err := b.Cancel(context.Background(), request())
		require.NoError(t, err)
		b.run(t)
	}, publish.Canceled, offer.StatusDraft,
		"", "InvalidOfferState", "repeated", "InvalidOfferState"},
}

// Every act in every state: PUB-8, PUB-9, PUB-29, PUB-33, PUB-34, PUB-38. A refusal changes nothing.
func TestActsInStates(t *testing.T) {
	t.Parallel()
	acts := map[string]func(ctx context.Context, b *bench) (string, error){
		"publish": func(ctx context.Context, b *bench) (string, error) {
			_, err := b.Publish(ctx, request())
			return "", err
		},
		"go live": func(ctx context.Context, b *bench) (string, error) {
			_, err := b.GoLive(ctx, request())
			return "", err
		},
		"cancel": func(ctx context.Context, b *bench) (string, error) {
			_, repeated, err := b.Cancel(ctx, request())
			if repeated {
				return "repeated", err
			}
			return "", err
		},
		"verdict": func(ctx context.Context, b *bench) (string, error) {
			_, err := b.Verdict(ctx, contoso, app, publish.Report{Result: publish.Passed})
			return "", err
		},
	}
	for _, row := range states {
		for act, want := range map[string]string{"publish": row.publish, "go live": row.goLive, "cancel": row.cancel, "verdict": row.verdict} {
			t.Run(row.name+"/"+act, func(t *testing.T) {
				t.Parallel()
				b := newBench(t)
				b.create(t, saas(true))
				row.reach(t, b)
				o := b.offer(t)
				require.Equal(t, row.status, o.Status)
				if row.state != "" {
					require.Equal(t, row.state, b.newest(t).State)
				}
				said, err := acts[act](t.Context(), b)
				if want == "" || want == "repeated" {
					require.NoError(t, err)
					require.Equal(t, want, said)
				} else {
					requireFault(t, err, fault.Conflict, want)
				}
				if want != "" {
					require.Equal(t, o, b.offer(t), "nothing was changed")
				}
			})
		}
	}
}

// A test offer reaches sign-off, where its preview can be bought, and no further (SAS-57).
func TestTestOfferNeverGoesLive(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	c := saas(false)
	c.TestOffer = true
	b.create(t, c)
	b.publish(t)
	b.run(t)
	_, err := b.GoLive(t.Context(), request())
	requireFault(t, err, fault.Conflict, "TestOfferCannotGoLive") // SAS-57
	require.Equal(t, offer.StatusPreview, b.offer(t).Status)
	v, err := b.offers.InPreview(t.Context(), contoso, app)
	require.NoError(t, err)
	require.False(t, v.Plans[0].Stopped, "SAS-57 it can be bought in preview")
}

// Publishing over what is blocked ends it, and over a preview supersedes that one when the new preview is there.
func TestPublishOverAnother(t *testing.T) {
	t.Parallel()
	t.Run("PUB-8 a blocked one ends", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		b.create(t, saas(false))
		secrets := b.ports.secrets
		b.ports.secrets = nil
		b.publish(t)
		b.run(t)
		require.Equal(t, publish.Blocked, b.submission(t, 1).State)
		b.ports.secrets = secrets
		b.publish(t)
		require.Equal(t, publish.Failed, b.submission(t, 1).State)
		b.run(t)
		require.Equal(t, offer.StatusPreview, b.offer(t).Status)
	})
	t.Run("PUB-9 the old preview stays until the new one is there", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		b.create(t, saas(false))
		b.publish(t)
		b.run(t)
		b.edit(t, func(c *offer.Content) { c.Listing.Summary = "Another" })
		b.publish(t)
		for {
			v, err := b.offers.InPreview(t.Context(), contoso, app)
			require.NoError(t, err)
			if old := b.submission(t, 1).State; old == publish.Superseded {
				require.Equal(t, "Another", v.Listing.Summary)
				break
			}
			require.Equal(t, "One line", v.Listing.Summary)
			for _, m := range b.steps(t) {
				require.NoError(t, b.RunStep(t.Context(), m))
			}
		}
		b.run(t)
		require.Equal(t, publish.WaitingForPublisher, b.submission(t, 2).State)
	})
	t.Run("PUB-10 the same content again", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		b.create(t, saas(false))
		for range 3 {
			b.live(t)
		}
		o := b.offer(t)
		require.Equal(t, []int{3, 3}, []int{o.Version, o.Submission})
	})
}

// The status after a cancel is the one before: PUB-37.
func TestStatusAfterCancel(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		before func(t tb, b *bench)
		want   offer.Status
	}{
		{"PUB-37 never published", func(tb, *bench) {}, offer.StatusDraft},
		{"PUB-37 a preview waits", func(t tb, b *bench) { b.publish(t); b.run(t) }, offer.StatusPreview},
		{"PUB-37 live", func(t tb, b *bench) { b.live(t) }, offer.StatusLive},
		{"PUB-37 live, and a newer preview waits", func(t tb, b *bench) { b.live(t); b.publish(t); b.run(t) }, offer.StatusPreview},
		{"PUB-37 the preview was refused behind sign-off", func(t tb, b *bench) {
			b.ports.result = publish.Refused
			b.publish(t)
			b.run(t)
			b.goLive(t)
			b.run(t)
		}, offer.StatusDraft},
		{"PUB-37 live, and the newer preview was refused", func(t tb, b *bench) {
			b.live(t)
			b.ports.result = publish.Refused
			b.publish(t)
			b.run(t)
			b.goLive(t)
			b.run(t)
		}, offer.StatusLive},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.create(t, saas(false))
			row.before(t, b)
			b.publish(t)
			_, repeated, err := b.Cancel(t.Context(), request())
			require.NoError(t, err)
			require.False(t, repeated)
			b.run(t)
			require.Equal(t, row.want, b.offer(t).Status)
			_, err = b.Publish(t.Context(), request())
			require.NoError(t, err, "PUB-37 publishing starts over")
			require.Equal(t, publish.InProgress, b.newest(t).Steps[0].Status)
		})
	}
}

// PUB-36: no step starts after the request, and the result of the running one is dropped.
func TestCancelDropsTheRunningStep(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create(t, saas(false))
	b.publish(t)
	first := b.steps(t)
	sub, _, err := b.Cancel(t.Context(), request())
	require.NoError(t, err)
	require.Equal(t, offer.PreviewCancelInitiated, last(b.history(t)).Kind)
	for _, m := range first { // its result comes late
		require.NoError(t, b.RunStep(t.Context(), m))
	}
	require.Equal(t, publish.InProgress, b.newest(t).Steps[0].Status)
	b.run(t)
	done := b.newest(t)
	require.Equal(t, publish.Canceled, done.State)
	require.Equal(t, publish.StepCanceled, done.Steps[0].Status)
	for _, s := range done.Steps[1:] {
		require.Equal(t, publish.NotStarted, s.Status)
	}
	require.Equal(t, []any{offer.PreviewCanceled, owner}, []any{last(b.history(t)).Kind, last(b.history(t)).By})
	again, repeated, err := b.Cancel(t.Context(), request())
	require.NoError(t, err)
	require.True(t, repeated)
	require.Equal(t, sub.ID, again.ID, "PUB-38 the same operation")
}

// A cancel and a verdict at the same time: the one that came second is refused, and not dropped in silence.
func TestVerdictAfterCancel(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.ports.result = publish.Pending
	b.create(t, machine()) // certified before the preview
	b.publish(t)
	b.run(t)
	require.Equal(t, publish.Running, b.newest(t).State)
	_, _, err := b.Cancel(t.Context(), request())
	require.NoError(t, err)
	_, err = b.Verdict(t.Context(), contoso, app, publish.Report{Result: publish.Passed})
	requireFault(t, err, fault.Conflict, "InvalidOfferState")
}

func last(events []offer.Event) offer.Event { return events[len(events)-1] }

// meanwhile does something else while a content is being read.
type meanwhile struct {
	publish.Snapshots
	do func()
}

func (m *meanwhile) Frozen(ctx context.Context, name string) (offer.Content, error) {
	if do := m.do; do != nil {
		m.do = nil
		do()
	}
	return m.Snapshots.Frozen(ctx, name)
}

func TestTwoVerdictsAtTheSameTime(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.ports.result = publish.Pending
	b.create(t, saas(false))
	b.publish(t)
	b.run(t)
	b.goLive(t)
	b.run(t)
	between := &meanwhile{Snapshots: b.Snapshots}
	between.do = func() {
		_, err := b.Verdict(context.Background(), contoso, app, publish.Report{Result: publish.Refused, FailedPolicies: []publish.FailedPolicy{{ID: "1"}}})
		require.NoError(t, err)
	}
	b.Snapshots = between
	_, err := b.Verdict(t.Context(), contoso, app, publish.Report{Result: publish.Passed})
	requireFault(t, err, fault.Conflict, "InvalidOfferState")
	require.Equal(t, publish.Refused, b.newest(t).Certification.Result)
}
