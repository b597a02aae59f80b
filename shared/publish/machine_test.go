package publish_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"stoa/shared/fault"
	"stoa/shared/offer"
	"stoa/shared/publish"
	"stoa/shared/store/storetest"
)

// frozen is one content under every name.
type frozen struct{ content offer.Content }

func (f frozen) Freeze(context.Context, string, offer.Content) error { return nil }

func (f frozen) Frozen(context.Context, string) (offer.Content, error) { return f.content, nil }

var running = []publish.State{publish.Created, publish.Running, publish.Blocked, publish.GoingLive, publish.Canceling}

// walker drives an offer at random and remembers what it has seen.
type walker struct {
	*bench
	queue   []publish.StepMessage // messages that may come, again and in any order
	history []offer.Event
	edits   int
}

// refused says that an act was out of turn, which is an answer and changes nothing.
func (w *walker) act(t *rapid.T, err error) {
	if err != nil {
		require.True(t, fault.Is(err, fault.Conflict), "%v", err)
	}
	w.queue = append(w.queue, w.steps(t)...)
}

func (w *walker) actions() map[string]func(*rapid.T) {
	ctx := context.Background()
	return map[string]func(*rapid.T){
		"": w.check,
		"edit": func(t *rapid.T) {
			w.edits++
			w.edit(t, func(c *offer.Content) { c.Listing.Summary = fmt.Sprint("edit ", w.edits) })
		},
		"publish": func(t *rapid.T) { _, err := w.Publish(ctx, request()); w.act(t, err) },
		"go live": func(t *rapid.T) { _, err := w.GoLive(ctx, request()); w.act(t, err) },
		"cancel":  func(t *rapid.T) { _, _, err := w.Cancel(ctx, request()); w.act(t, err) },
		"verdict": func(t *rapid.T) {
			report := publish.Report{Result: publish.Passed}
			if rapid.Bool().Draw(t, "refuse") {
				report = publish.Report{Result: publish.Refused, FailedPolicies: []publish.FailedPolicy{{ID: "1"}}}
			}
			_, err := w.Verdict(ctx, contoso, app, report)
			w.act(t, err)
		},
		"certifier": func(t *rapid.T) {
			w.ports.result = rapid.SampledFrom([]publish.Result{publish.Passed, publish.Refused, publish.Pending}).Draw(t, "result")
		},
		"secrets": func(t *rapid.T) {
			w.ports.secrets = nil
			if rapid.Bool().Draw(t, "known") {
				w.ports.secrets = map[string]string{"sealed-url": "https://contoso.com/leads"}
			}
		},
		"deliver": func(t *rapid.T) {
			if len(w.queue) == 0 {
				t.Skip("nothing to deliver")
			}
			require.NoError(t, w.RunStep(ctx, rapid.SampledFrom(w.queue).Draw(t, "message")))
			w.queue = append(w.queue, w.steps(t)...)
		},
		"deliver the newest": func(t *rapid.T) {
			if len(w.queue) == 0 {
				t.Skip("nothing to deliver")
			}
			require.NoError(t, w.RunStep(ctx, w.queue[len(w.queue)-1]))
			w.queue = append(w.queue, w.steps(t)...)
		},
	}
}

// check is what holds whatever happens.
func (w *walker) check(t *rapid.T) {
	o := w.bench.offer(t)
	subs, err := w.offers.Submissions(context.Background(), contoso, app, 0, 1000)
	require.NoError(t, err)
	succeeded, busy := 0, 0
	for _, sub := range subs {
		if slices.Contains(running, sub.State) {
			busy++
		}
		if sub.State == publish.Succeeded {
			succeeded++
		}
		checkSteps(t, &sub)
	}
	require.LessOrEqual(t, busy, 1, "PUB-8")
	require.Equal(t, succeeded, o.Version, "PUB-32")
	if o.Production != nil {
		live := subs[len(subs)-o.Production.Submission]
		require.Equal(t, publish.Succeeded, live.State)
		require.Equal(t, live.Snapshot, o.Production.Snapshot, "PUB-29")
	}
	if o.Preview != nil {
		require.Equal(t, publish.Complete, step(subs[len(subs)-o.Preview.Submission], "previewCreation").Status)
	}
	if len(subs) > 0 {
		underway, err := w.Underway(context.Background(), &o)
		require.NoError(t, err)
		w.checkStatus(t, &o, &underway)
	}
	events := w.bench.history(t)
	require.GreaterOrEqual(t, len(events), len(w.history))
	for i, e := range w.history {
		require.Equal(t, e, events[i], "PUB-59 events are append-only")
	}
	w.history = events
}

// checkSteps: what is complete comes first, one step is under way, nothing behind it has begun (PUB-12).
func checkSteps(t *rapid.T, sub *publish.Submission) {
	at := slices.IndexFunc(sub.Steps, func(s publish.Step) bool { return s.Status != publish.Complete })
	if at < 0 {
		require.Equal(t, publish.Succeeded, sub.State)
		return
	}
	require.NotEqual(t, publish.Succeeded, sub.State)
	for _, s := range sub.Steps[at+1:] {
		require.Equal(t, publish.NotStarted, s.Status, "PUB-12 %s", s.ID)
	}
}

func (w *walker) checkStatus(t *rapid.T, o *offer.Offer, underway *publish.Submission) {
	want := map[publish.State]offer.Status{
		publish.Created: offer.StatusPublishInProgress, publish.Running: offer.StatusPublishInProgress, publish.GoingLive: offer.StatusPublishInProgress,
		publish.Canceling: offer.StatusPublishInProgress, publish.WaitingForPublisher: offer.StatusPreview, publish.Succeeded: offer.StatusLive,
		publish.Blocked: offer.StatusAttentionNeeded, publish.Failed: offer.StatusAttentionNeeded, publish.Canceled: underway.PreviousStatus,
	}[underway.State]
	if underway.State == publish.Canceling && o.Status == offer.StatusAttentionNeeded {
		return // a blocked one is being cancelled
	}
	require.Equal(t, want, o.Status, "%s", underway.State)
	if o.Status == offer.StatusPreview { // what is offered can be done
		waits := w.submission(t, o.Preview.Submission)
		require.Equal(t, publish.WaitingForPublisher, waits.State)
	}
}

// Acts, edits and messages in any order, twice and late: PUB-8, PUB-12, PUB-29, PUB-32, PUB-36, PUB-59.
func TestMachine(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := &walker{bench: newBench(t)}
		content := saas(false) // certified after sign-off
		if rapid.Bool().Draw(rt, "certified before the preview") {
			content = machine()
		}
		w.create(rt, content)
		rt.Repeat(w.actions())
	})
}

// scenario publishes and goes live; after each harm another process sweeps and goes on.
func scenario(t *testing.T, b *bench, restart func()) {
	t.Helper()
	until := func(act func() error, done func() bool) {
		for range 20 {
			err := act()
			_ = b.db.Flush(context.Background())
			if err == nil && !b.crash.Dead() && done() {
				return
			}
			restart() // also the timer's sweep, for a message that the bus has refused
			if done() {
				return
			}
		}
		t.Fatal("the act never comes to an end")
	}
	state := func(want ...publish.State) func() bool {
		return func() bool {
			o := b.offer(t)
			return o.Submission > 0 && slices.Contains(want, b.submission(t, o.Submission).State)
		}
	}
	work := func() error {
		for msgs := b.steps(t); len(msgs) > 0; msgs = b.steps(t) {
			for _, m := range msgs {
				for try := 0; ; try++ { // the queue brings back what fails
					err := b.RunStep(context.Background(), m)
					_ = b.db.Flush(context.Background())
					if err == nil && !b.crash.Dead() {
						break
					}
					require.Less(t, try, 5)
					restart()
				}
			}
		}
		return nil
	}
	until(func() error { _, err := b.Publish(context.Background(), request()); return err },
		state(publish.Created, publish.Running))
	until(work, state(publish.WaitingForPublisher))
	until(func() error { _, err := b.GoLive(context.Background(), request()); return err }, state(publish.GoingLive))
	until(work, state(publish.Succeeded))
}

// The process dies, or the store fails, at every operation in turn between submit and live: the offer goes live
// once, with the same history, and each mail is sent.
func TestCrashBetweenSteps(t *testing.T) {
	t.Parallel()
	calm := newBench(t)
	calm.create(t, saas(false))
	calm.crash.Arm(storetest.None, 0)
	scenario(t, calm, func() { t.Fatal("nothing has come to harm") })
	require.NoError(t, calm.db.Flush(t.Context()))
	n := calm.crash.Operations()
	require.Greater(t, n, 40)
	want := kinds(calm.history(t))
	// To die before an operation leaves what dying after the one before it leaves.
	for _, harm := range []storetest.Harm{storetest.DieLate, storetest.Refuse, storetest.Lose} {
		t.Run(fmt.Sprint("harm ", harm), func(t *testing.T) {
			t.Parallel()
			for k := 1; k <= n; k++ {
				b := newBench(t)
				b.create(t, saas(false))
				b.crash.Arm(harm, k)
				lives := 1
				scenario(t, b, func() {
					lives++
					b.crash.Arm(storetest.None, 0)
					b.open(fmt.Sprint("life", lives))
					b.advance(31 * time.Second)
					_, err := b.db.Sweep(context.Background())
					require.NoError(t, err)
				})
				name := fmt.Sprintf("harm %d at operation %d of %d", harm, k, n)
				b.crash.Arm(storetest.None, 0)
				b.advance(31 * time.Second)
				_, err := b.db.Sweep(t.Context())
				require.NoError(t, err, name)
				o := b.offer(t)
				require.Equal(t, []any{offer.StatusLive, 1, 1}, []any{o.Status, o.Version, o.Submission}, name)
				require.Equal(t, want, kinds(b.history(t)), name)
				require.ElementsMatch(t, calm.mails(t), b.mails(t), name)
				live, _, err := b.offers.LiveOffers(t.Context(), "", 10)
				require.NoError(t, err)
				require.Len(t, live, 1, name)
			}
		})
	}
}

func kinds(events []offer.Event) []offer.EventKind {
	var out []offer.EventKind
	for _, e := range events {
		out = append(out, e.Kind)
	}
	return out
}
