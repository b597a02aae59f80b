package subscription_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/message"
	"stoa/shared/subscription"
	"stoa/shared/subscription/subscriptiontest"
)

// How long a purchase waits for its activation is a setting (FUL-93).
func TestThePendingLifeIsASetting(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, tc := range []struct {
		name    string
		setting time.Duration
		waits   time.Duration // and not an instant longer
		mail    string
	}{
		{"the default is 30 days", 0, 30 * day, "It ends on 2019-06-30 unless"},
		{"a week", 7 * day, 7 * day, "It ends on 2019-06-07 unless"},
		{"two months", 60 * day, 60 * day, "It ends on 2019-07-30 unless"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := subscriptiontest.New(t, subscription.Guide, func(d *subscription.Deps) { d.PendingLife = tc.setting })
			sub := w.Buy("silver", 20)
			require.Contains(t, string(w.Outbox.Messages(message.Notifications)[0].Body), tc.mail)
			w.Advance(tc.waits - 1)
			require.Equal(t, subscription.PendingFulfillmentStart, w.Read(sub.ID).Status)
			w.Advance(1)
			require.Equal(t, subscription.Unsubscribed, w.Read(sub.ID).Status)
			require.Empty(t, w.Hook.Calls(), "the publisher is not called")
			require.Empty(t, terms(t, w), "nothing is charged")
		})
	}
}

func TestAPurchaseMayWaitForEver(t *testing.T) { // FUL-93
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide, func(d *subscription.Deps) { d.PendingLife = -1 })
	sub := w.Buy("silver", 20)
	w.Advance(10 * 365 * 24 * time.Hour)
	sent, err := w.Service.CatchUp(ctx, 1000)
	require.NoError(t, err)
	require.Zero(t, sent, "nothing is overdue")
	require.NoError(t, w.Service.Work(ctx, subscription.Work{SubscriptionID: sub.ID, Kind: subscription.PendingEnd}))
	require.Equal(t, subscription.PendingFulfillmentStart, w.Read(sub.ID).Status)
	require.Equal(t, subscription.Subscribed, w.Activate(sub.ID).Status)
}

// A lost message is made up for, by the life the purchase was made with (FUL-93).
func TestAMissedPendingEndIsCaughtUp(t *testing.T) {
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide, func(d *subscription.Deps) { d.PendingLife = 7 * 24 * time.Hour })
	sub := w.Buy("silver", 20)
	for after, want := range []int{0, 1} {
		w.SetClock(sub.CreatedAt.Add(7*24*time.Hour + subscription.Lateness + time.Duration(after)))
		sent, err := w.Service.CatchUp(ctx, 1000)
		require.NoError(t, err)
		require.Equal(t, want, sent)
	}
	w.Work()
	require.Equal(t, subscription.Unsubscribed, w.Read(sub.ID).Status)
}
