package publish_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/fault"
	"stoa/shared/offer"
	"stoa/shared/publish"
)

const (
	tenantA = "aaaaaaaa-0000-0000-0000-000000000001"
	tenantB = "aaaaaaaa-0000-0000-0000-000000000002"
	tenantC = "aaaaaaaa-0000-0000-0000-000000000003"
)

// exclusive is an offer with a public plan and two private ones.
func exclusive() offer.Content {
	c := plain()
	for _, id := range []string{"vip", "partner"} {
		p := c.Plans[0]
		p.ID, p.Name, p.Private, p.PrivateAudience = id, id, true, []string{tenantA, tenantB}
		c.Plans = append(c.Plans, p)
	}
	return c
}

func (b *bench) audience(t tb, plan string) []string {
	t.Helper()
	v, err := b.offers.Live(context.Background(), contoso, app)
	require.NoError(t, err)
	p, ok := v.Plan(plan)
	require.True(t, ok)
	return p.PrivateAudience
}

func (b *bench) invite(t tb, plan string, tenants ...string) {
	t.Helper()
	b.edit(t, func(c *offer.Content) {
		for i := range c.Plans {
			if c.Plans[i].ID == plan {
				c.Plans[i].PrivateAudience = tenants
			}
		}
	})
}

// A sync publishes audiences and nothing else, at once and without a submission (PUB-46, PUB-49, SAS-45).
func TestSyncOfPrivateAudiences(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create(t, exclusive())
	b.live(t)
	b.invite(t, "vip", tenantB, tenantC)
	b.invite(t, "partner", tenantC)
	b.edit(t, func(c *offer.Content) { c.Listing.Summary = "Another" })
	require.Equal(t, []string{tenantA, tenantB}, b.audience(t, "vip"))
	before, steps := b.offer(t), b.steps(t)
	require.Empty(t, steps)

	synced, err := b.SyncAudience(t.Context(), request(), []string{"vip"})
	require.NoError(t, err)
	require.Equal(t, []publish.Synced{{PlanID: "vip", Added: 1, Removed: 1}}, synced)
	require.Equal(t, []string{tenantB, tenantC}, b.audience(t, "vip"), "PUB-49 one is added, one is removed")
	require.Equal(t, []string{tenantA, tenantB}, b.audience(t, "partner"), "PUB-46 a plan that was not named")
	v, err := b.offers.Live(t.Context(), contoso, app)
	require.NoError(t, err)
	require.Equal(t, []any{"One line", before.Version}, []any{v.Listing.Summary, v.Number}, "SAS-45 no other change goes out")
	after := b.offer(t)
	require.Equal(t, []any{before.Status, before.Submission, before.Version, before.Tag()}, []any{after.Status, after.Submission, after.Version, after.Tag()}, "PUB-46 no submission")
	require.Empty(t, b.steps(t), "SAS-45 no certification")
	require.Equal(t, []any{offer.AudienceSynced, owner}, []any{last(b.history(t)).Kind, last(b.history(t)).By})

	synced, err = b.SyncAudience(t.Context(), request(), nil)
	require.NoError(t, err)
	require.Equal(t, []publish.Synced{{PlanID: "vip"}, {PlanID: "partner", Added: 1, Removed: 2}}, synced, "all that can be")
	again, err := b.SyncAudience(t.Context(), request(), nil)
	require.NoError(t, err)
	require.Equal(t, []publish.Synced{{PlanID: "vip"}, {PlanID: "partner"}}, again)
}

// Only private plans that are live have an audience to sync (PUB-47).
func TestWhatCannotBeSynced(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create(t, exclusive())
	sync := func(plans ...string) error { _, err := b.SyncAudience(t.Context(), request(), plans); return err }
	requireFault(t, sync(), fault.Conflict, "InvalidPlanState")      // PUB-47 never live
	requireFault(t, sync("vip"), fault.Conflict, "InvalidPlanState") // PUB-47
	b.live(t)
	requireFault(t, sync("basic"), fault.Conflict, "InvalidPlanState") // PUB-47 public
	requireFault(t, sync("nothing"), fault.NotFound, "NotFound")
	r := request()
	r.IfMatch = `W/"other"`
	_, err := b.SyncAudience(t.Context(), r, nil)
	requireFault(t, err, fault.StaleETag, offer.CodeDraftChanged)
	other := newBench(t)
	other.create(t, machine())
	other.live(t)
	_, err = other.SyncAudience(t.Context(), request(), nil)
	requireFault(t, err, fault.Conflict, "InvalidPlanState") // PUB-47 no private plan
}

// What was synced while a submission was on its way stays when that goes live; other audiences are its own (PUB-48).
func TestSyncWhileASubmissionRuns(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create(t, exclusive())
	b.live(t)
	b.invite(t, "vip", tenantB)
	b.invite(t, "partner", tenantB)
	b.publish(t)
	b.run(t)
	b.invite(t, "vip", tenantC)
	b.goLive(t)
	_, err := b.SyncAudience(t.Context(), request(), []string{"vip"})
	require.NoError(t, err)
	require.Equal(t, []string{tenantC}, b.audience(t, "vip"))
	b.run(t)
	require.Equal(t, offer.StatusLive, b.offer(t).Status)
	require.Equal(t, []string{tenantC}, b.audience(t, "vip"), "PUB-48 the newer one stays")
	require.Equal(t, []string{tenantB}, b.audience(t, "partner"), "PUB-48 that of the submission")
	b.invite(t, "vip", tenantA)
	b.publish(t)
	b.run(t)
	b.goLive(t)
	b.run(t)
	require.Equal(t, []string{tenantA}, b.audience(t, "vip"), "PUB-48 a submission after the sync")
}

// release sends what is due by now.
func (b *bench) release(t tb) {
	t.Helper()
	_, err := b.db.Release(context.Background(), b.clock(), 100)
	require.NoError(t, err)
}

// A stopped offer leaves the storefronts after some hours, is kept for those who bought it, and comes back by being
// published again (PUB-50, PUB-53, PUB-54, SAS-48).
func TestStopOfAnOffer(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create(t, plain())
	_, err := b.Stop(t.Context(), request())
	requireFault(t, err, fault.Conflict, "InvalidOfferState") // PUB-50 it was never live
	b.live(t)
	found := func() int {
		live, _, err := b.offers.LiveOffers(t.Context(), "", 10)
		require.NoError(t, err)
		return len(live)
	}
	stop := func() {
		o, err := b.Stop(t.Context(), request())
		require.NoError(t, err)
		require.Equal(t, offer.StatusPendingStopDistribution, o.Status, "PUB-50 at once")
		require.Equal(t, []any{offer.OfferStopped, owner}, []any{last(b.history(t)).Kind, last(b.history(t)).By})
		require.Equal(t, 1, found())
		_, err = b.Stop(t.Context(), request())
		requireFault(t, err, fault.Conflict, "InvalidOfferState")
		_, err = b.Publish(t.Context(), request())
		requireFault(t, err, fault.Conflict, "InvalidOfferState")
		require.NoError(t, b.db.Flush(t.Context()))
		b.advance(4*time.Hour - time.Minute)
		b.release(t)
		require.Empty(t, b.steps(t), "PUB-50 not before four hours")
		b.advance(time.Minute)
		b.release(t)
		b.run(t)
		require.Equal(t, offer.StatusNotAvailable, b.offer(t).Status, "PUB-50")
	}
	stop()
	require.Equal(t, "publish.stopped", newest(b.mails(t)), "PUB-68")
	require.Zero(t, found(), "PUB-53 nobody finds it")
	v, err := b.offers.Live(t.Context(), contoso, app)
	require.NoError(t, err, "PUB-53 who bought it keeps it")
	require.True(t, v.Withdrawn)
	require.True(t, v.Plans[0].Stopped, "PUB-53 SAS-48 nobody buys it")
	require.Len(t, v.Plans[0].Terms, 1)

	b.ports.result = publish.Refused
	b.publish(t)
	b.run(t)
	b.goLive(t)
	b.run(t)
	require.Equal(t, offer.StatusAttentionNeeded, b.offer(t).Status)
	require.Zero(t, found(), "PUB-54 not before it is live again")
	b.ports.result = publish.Passed
	b.publish(t)
	_, _, err = b.Cancel(t.Context(), request())
	require.NoError(t, err)
	b.run(t)
	require.Equal(t, offer.StatusNotAvailable, b.offer(t).Status, "PUB-37 PUB-54")
	b.live(t)
	require.Equal(t, 1, found(), "PUB-54")
	v, err = b.offers.Live(t.Context(), contoso, app)
	require.NoError(t, err)
	require.False(t, v.Withdrawn || v.Plans[0].Stopped, "PUB-54")
	stop() // and once more
}

func newest(kinds []string) string { return kinds[len(kinds)-1] }

// A running submission comes first; a preview that waits goes with the offer.
func TestStopBesideASubmission(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create(t, plain())
	b.live(t)
	b.publish(t)
	_, err := b.Stop(t.Context(), request())
	requireFault(t, err, fault.Conflict, "OperationInProgress")
	b.run(t)
	_, err = b.Stop(t.Context(), request())
	require.NoError(t, err)
	require.Equal(t, publish.Superseded, b.newest(t).State)
	_, err = b.GoLive(t.Context(), request())
	requireFault(t, err, fault.Conflict, "InvalidOfferState")
}

// A plan's stop takes effect when the offer goes live the next time, not before (PUB-51, SAS-48).
func TestStopOfAPlan(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create(t, exclusive())
	b.live(t)
	plans := &offer.Service{Store: b.offers, Now: b.clock}
	_, err := plans.StopPlan(t.Context(), offer.DraftRef{PublisherID: contoso, OfferID: app, By: owner}, "basic")
	require.NoError(t, err)
	stopped := func() bool {
		v, err := b.offers.Live(t.Context(), contoso, app)
		require.NoError(t, err)
		p, _ := v.Plan("basic")
		return p.Stopped
	}
	require.False(t, stopped(), "PUB-51")
	b.publish(t)
	b.run(t)
	require.False(t, stopped(), "PUB-51 the offer has to be live again")
	b.goLive(t)
	b.run(t)
	require.True(t, stopped(), "PUB-51 SAS-48")
}

// Of a single page everything is published, its secrets too, and nothing that a page which is left out needs (PUB-6).
func TestSelectionTakesSecretsAlong(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create(t, plain())
	b.live(t)
	b.ports.secrets["sealed-new"] = "https://contoso.com/other"
	b.edit(t, func(c *offer.Content) {
		c.LeadDestination.SealedSecrets = map[string]string{"httpsEndpointUrl": "sealed-new"}
		c.Listing.Summary = "Another"
	})
	r := request()
	r.Pages = []string{"offerSetup"}
	_, err := b.Publish(t.Context(), r)
	require.NoError(t, err)
	b.run(t)
	b.goLive(t)
	b.run(t)
	v, err := b.offers.Live(t.Context(), contoso, app)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"httpsEndpointUrl": "sealed-new"}, v.LeadDestination.SealedSecrets, "PUB-6")
	require.Equal(t, "One line", v.Listing.Summary, "PUB-6")
	b.edit(t, func(c *offer.Content) { c.TestDrive = saas(true).TestDrive })
	_, err = b.Publish(t.Context(), r)
	requireFault(t, err, fault.NotReady, "PageNotSelected") // PUB-6 a new page has to come along
	r.Pages = append(r.Pages, "testDrive")
	_, err = b.Publish(t.Context(), r)
	require.NoError(t, err)
}
