package anomaly_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/anomaly"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
)

// The process dies at every operation of a run of three pages in turn, with every kind of harm; another goes on. Every
// day is flagged once, every mail is sent once, and the run comes to its end.
func TestRunWhateverHappens(t *testing.T) {
	t.Parallel()
	for _, harm := range []storetest.Harm{storetest.Die, storetest.DieLate, storetest.Refuse, storetest.Lose} {
		t.Run(fmt.Sprint(harm), func(t *testing.T) {
			t.Parallel()
			for k := 1; ; k++ {
				w := newWorld(t)
				w.usage.perPage = 1
				for _, customer := range []string{"a", "b", "c"} {
					w.usage.add(customer, 60, "1000")
				}
				whole := w.db
				crash := storetest.NewCrash(whole.Table, w.outbox)
				w.open(store.New(store.Deps{Tables: crash.Table, Sender: crash, Now: w.clock, NewID: storetest.Counter("first")}))
				crash.Arm(harm, k)
				failed := w.Train(t.Context())
				back := w.deliver(crash)
				require.NoError(t, w.db.Flush(t.Context()))
				operations := crash.Operations()

				w.open(store.New(store.Deps{Tables: whole.Table, Sender: w.outbox, Now: w.clock, NewID: storetest.Counter("second")}))
				if failed != nil {
					require.NoError(t, w.Train(t.Context()), "the timer's next run")
				}
				for range 2 {
					w.set(w.clock().Add(10 * time.Minute))
					_, err := w.db.Sweep(t.Context())
					require.NoError(t, err)
					for _, work := range back {
						require.NoError(t, w.Handle(t.Context(), work))
					}
					require.Empty(t, w.deliver(nil))
				}
				r, err := w.store.Run(t.Context(), "2026-03-09")
				require.NoError(t, err)
				require.False(t, r.EndedAt.IsZero(), "harm at %d", k)
				require.Equal(t, []int{3, 3}, []int{r.Page, r.Series}, "harm at %d", k)
				require.Len(t, w.all(), 3)
				require.NoError(t, w.db.Flush(t.Context()))
				sent := map[string]bool{}
				for _, id := range w.mails("usage.anomaly") {
					sent[id] = true
				}
				require.Len(t, sent, 3, "harm at %d", k)
				if k > operations {
					require.Greater(t, k, 10)
					return
				}
			}
		})
	}
}

// deliver does what the queue brings until nothing is left or the process is dead, and returns what comes back.
func (w *world) deliver(crash *storetest.Crash) (back []anomaly.Work) {
	w.t.Helper()
	for {
		require.NoError(w.t, w.db.Flush(w.t.Context()))
		batch := w.outbox.Take(message.UsageReviews)
		if len(batch) == 0 {
			return back
		}
		for _, m := range batch {
			var work anomaly.Work
			require.NoError(w.t, json.Unmarshal(m.Body, &work))
			if err := w.Handle(w.t.Context(), work); err != nil {
				require.True(w.t, fault.As(err).Kind.Transient(), "%v", err)
				back = append(back, work)
			}
		}
		if crash != nil && crash.Dead() {
			return back
		}
	}
}
