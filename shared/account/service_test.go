package account_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"stoa/shared/account"
	"stoa/shared/fault"
)

// shelf is a store that counts its reads.
type shelf struct {
	publishers []account.Publisher
	reads      int
	broken     error
}

func (s *shelf) find(match func(account.Publisher) bool) (account.Publisher, error) {
	s.reads++
	if s.broken != nil {
		return account.Publisher{}, s.broken
	}
	for _, p := range s.publishers {
		if match(p) {
			return p, nil
		}
	}
	return account.Publisher{}, fault.New(fault.NotFound, "NotFound", "", "none")
}

func (s *shelf) Publisher(_ context.Context, id string) (account.Publisher, error) {
	return s.find(func(p account.Publisher) bool { return p.ID == id })
}

func (s *shelf) PublisherOfApp(_ context.Context, tenantID, appID string) (account.Publisher, error) {
	return s.find(func(p account.Publisher) bool {
		for _, a := range p.Apps {
			if a.TenantID == tenantID && a.AppID == appID {
				return true
			}
		}
		return false
	})
}

func (s *shelf) PublisherOfUser(_ context.Context, tenantID, objectID string) (account.Publisher, error) {
	return s.find(func(p account.Publisher) bool {
		for _, u := range p.Users {
			if u.TenantID == tenantID && u.ObjectID == objectID {
				return true
			}
		}
		return false
	})
}

func (s *shelf) AddPublisher(_ context.Context, p account.Publisher) error {
	s.publishers = append(s.publishers, p)
	return s.broken
}

type world struct {
	shelf   shelf
	now     time.Time
	service *account.Service
}

func newWorld(t require.TestingT) *world {
	w := &world{now: time.Date(2021, 10, 31, 9, 0, 0, 0, time.UTC)}
	service, err := account.New(account.Deps{
		Store: &w.shelf, Now: func() time.Time { return w.now },
		Operators: []account.Principal{{TenantID: "T0", AppID: "Op"}},
	})
	require.NoError(t, err)
	w.service = service
	require.NoError(t, service.Register(context.Background(), account.Publisher{
		ID: "contoso", TenantID: "T1", Name: "Contoso",
		Apps: []account.AppGrant{
			{AppID: "A1", Roles: []string{"Manager"}, Use: "Production"},
			{AppID: "a2", Roles: []string{"marketer"}},
			{TenantID: "t9", AppID: "a9", Roles: []string{"developer"}},
		},
		Users: []account.UserGrant{
			{ObjectID: "O1", Roles: []string{"owner"}},
			{ObjectID: "o2", Roles: []string{"FinancialContributor"}},
			{ObjectID: "o3", Roles: []string{"developer", "financialContributor"}},
			{ObjectID: "o4"},
		},
	}))
	require.NoError(t, service.Register(context.Background(), account.Publisher{
		ID: "fabrikam", TenantID: "t2", Apps: []account.AppGrant{{AppID: "f1", Roles: []string{"owner"}}},
	}))
	return w
}

func app(tenant, id string) account.Caller {
	return account.Caller{Kind: account.App, TenantID: tenant, AppID: id, ObjectID: "sp"}
}

func user(tenant, id string) account.Caller {
	return account.Caller{Kind: account.User, TenantID: tenant, AppID: "portal", ObjectID: id}
}

func TestAllow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const foreign, denied = "Forbidden", "PermissionDenied"
	for _, row := range []struct {
		name       string
		caller     account.Caller
		publisher  string
		permission account.Permission
		code       string
	}{
		{"a manager's application", app("t1", "a1"), "contoso", "offer.edit", ""},
		{"letter case of the token", app("T1", "A1"), "contoso", "offer.edit", ""},
		{"ACC-52 no tax for a manager", app("t1", "a1"), "contoso", "tax.manage", denied},
		{"ACC-51 a role without effect", app("t1", "a2"), "contoso", "offer.read", denied},
		{"an application of another directory", app("t9", "a9"), "contoso", "offer.edit", ""},
		{"the same application in the wrong directory", app("t1", "a9"), "contoso", "offer.edit", foreign},
		{"the owner", user("t1", "o1"), "contoso", "tax.manage", ""},
		{"the owner in another directory", user("t2", "o1"), "contoso", "tax.manage", foreign},
		{"a financial contributor reads payouts", user("t1", "o2"), "contoso", "payoutReports.read", ""},
		{"a financial contributor edits no offer", user("t1", "o2"), "contoso", "offer.edit", denied},
		{"ACC-50 the union of two roles, first", user("t1", "o3"), "contoso", "offer.edit", ""},
		{"ACC-50 the union of two roles, second", user("t1", "o3"), "contoso", "payoutReports.read", ""},
		{"a person without roles", user("t1", "o4"), "contoso", "offer.read", denied},
		{"CPP-5 another publisher's application", app("t2", "f1"), "contoso", "offer.read", foreign},
		{"CPP-6 an unknown publisher", app("t1", "a1"), "nobody", "offer.read", foreign},
		{"a publisher id that cannot be", app("t1", "a1"), "Con/toso", "offer.read", foreign},
		{"nobody", account.Caller{}, "contoso", "offer.read", foreign},
		{"a managed identity with the id of an application", account.Caller{Kind: account.ManagedIdentity, TenantID: "t1", AppID: "a1"}, "contoso", "offer.read", foreign},
		{"a person through the application's id", account.Caller{Kind: account.User, TenantID: "t1", AppID: "a1"}, "contoso", "offer.read", foreign},
		{"an operator is no publisher", app("t0", "op"), "contoso", "offer.read", foreign},
		{"an unknown permission", user("t1", "o1"), "contoso", "offer.paint", denied},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := w.service.Allow(context.Background(), row.caller, row.publisher, row.permission)
			if row.code == "" {
				require.NoError(t, err)
				return
			}
			require.Equal(t, fault.Forbidden, fault.As(err).Kind)
			require.Equal(t, row.code, fault.As(err).Code)
		})
	}
}

// A caller that no grant names is never allowed anything, whatever it is called.
func TestNoGrantNoAccess(t *testing.T) {
	t.Parallel()
	id := rapid.SampledFrom([]string{"", "t1", "t2", "t9", "a1", "a2", "a9", "f1", "o1", "o2", "o3", "x"})
	permission := rapid.SampledFrom([]account.Permission{"offer.read", "offer.edit", "tax.manage", "payoutReports.read", ""})
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		caller := account.Caller{
			Kind:     rapid.SampledFrom([]account.CallerKind{account.Anonymous, account.App, account.User, account.ManagedIdentity}).Draw(t, "kind"),
			TenantID: id.Draw(t, "tenant"), AppID: id.Draw(t, "app"), ObjectID: id.Draw(t, "object"),
		}
		granted := false
		for _, a := range []string{"t1 a1", "t1 a2", "t9 a9"} {
			granted = granted || caller.Kind == account.App && a == caller.TenantID+" "+caller.AppID
		}
		for _, o := range []string{"t1 o1", "t1 o2", "t1 o3", "t1 o4"} {
			granted = granted || caller.Kind == account.User && o == caller.TenantID+" "+caller.ObjectID
		}
		err := w.service.Allow(context.Background(), caller, "contoso", permission.Draw(t, "permission"))
		if !granted {
			require.True(t, fault.Is(err, fault.Forbidden))
			require.Equal(t, "Forbidden", fault.As(err).Code)
		}
		of, err := w.service.OfCaller(context.Background(), caller)
		if err == nil {
			require.True(t, granted || of == "fabrikam" && caller.AppID == "f1" && caller.TenantID == "t2")
		}
	})
}

func TestOfCaller(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, row := range []struct {
		name   string
		caller account.Caller
		want   string
	}{
		{"application", app("T1", "A1"), "contoso"},
		{"application of another directory", app("t9", "a9"), "contoso"},
		{"person", user("t1", "o4"), "contoso"},
		{"other publisher", app("t2", "f1"), "fabrikam"},
		{"unknown", app("t2", "a1"), ""},
		{"nobody", account.Caller{}, ""},
		{"no directory", app("", "a1"), ""},
		{"managed identity", account.Caller{Kind: account.ManagedIdentity, TenantID: "t1", AppID: "a1"}, ""},
	} {
		got, err := w.service.OfCaller(context.Background(), row.caller)
		require.Equal(t, row.want, got, row.name)
		require.Equal(t, row.want == "", fault.Is(err, fault.Forbidden), row.name)
	}
}

func TestOperator(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	require.True(t, w.service.Operator(app("t0", "op")))
	require.False(t, w.service.Operator(app("t1", "op")))
	require.False(t, w.service.Operator(app("t1", "a1")))
	require.False(t, w.service.Operator(account.Caller{Kind: account.User, TenantID: "t0", AppID: "op"}), "a person through the staff's application")
	require.False(t, w.service.Operator(account.Caller{}))
}

func TestMemory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	allow := func() error { return w.service.Allow(ctx, app("t1", "a1"), "contoso", "offer.read") }
	for range 100 {
		require.NoError(t, allow())
	}
	require.Equal(t, 1, w.shelf.reads, "a hot path reads once")
	w.shelf.publishers[0].Apps = nil
	w.now = w.now.Add(3*time.Second - 1)
	require.NoError(t, allow(), "remembered")
	w.now = w.now.Add(1)
	require.Error(t, allow(), "a withdrawn grant ends")

	p, err := w.service.Publisher(ctx, "contoso")
	require.NoError(t, err)
	p.Users[0].ObjectID = "o9"
	require.NoError(t, w.service.Allow(ctx, user("t1", "o1"), "contoso", "offer.read"), "a caller of Publisher gets a copy")

	_, err = w.service.Publisher(ctx, "adatum")
	require.True(t, fault.Is(err, fault.NotFound))
	require.NoError(t, w.service.Register(ctx, account.Publisher{ID: "adatum", TenantID: "t3"}))
	_, err = w.service.Publisher(ctx, "adatum")
	require.NoError(t, err, "what was not there is not remembered")
}

// A store that is away is not a refusal.
func TestStoreAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.shelf.broken = errors.New("away")
	ctx := context.Background()
	require.False(t, fault.Is(w.service.Allow(ctx, app("t1", "a1"), "contoso", "offer.read"), fault.Forbidden))
	_, err := w.service.OfCaller(ctx, app("t1", "a1"))
	require.Error(t, err)
	require.False(t, fault.Is(err, fault.Forbidden))
	require.ErrorIs(t, w.service.Register(ctx, account.Publisher{ID: "adatum", TenantID: "t"}), w.shelf.broken)
}

func TestRegisterRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := account.Publisher{ID: "p1", TenantID: "t"}
	for _, row := range []struct {
		name, target string
		change       func(*account.Publisher)
	}{
		{"a short id", "publisherId", func(p *account.Publisher) { p.ID = "p" }},
		{"a dot", "publisherId", func(p *account.Publisher) { p.ID = "con.toso" }},
		{"a capital", "publisherId", func(p *account.Publisher) { p.ID = "Contoso" }},
		{"no tenant", "tenantId", func(p *account.Publisher) { p.TenantID = "" }},
		{"an application without id", "apps.appId", func(p *account.Publisher) { p.Apps = []account.AppGrant{{}} }},
		{"a person without id", "users.objectId", func(p *account.Publisher) { p.Users = []account.UserGrant{{}} }},
		{"an unknown role", "apps.roles", func(p *account.Publisher) { p.Apps = []account.AppGrant{{AppID: "a", Roles: []string{"root"}}} }},
	} {
		p := good
		row.change(&p)
		f := fault.As(w.service.Register(context.Background(), p))
		require.Equal(t, fault.Invalid, f.Kind, row.name)
		require.Equal(t, row.target, f.Target, row.name)
	}
}

func TestParseOperators(t *testing.T) {
	t.Parallel()
	list, err := account.ParseOperators("t0:a0, t1:a1")
	require.NoError(t, err)
	require.Equal(t, []account.Principal{{TenantID: "t0", AppID: "a0"}, {TenantID: "t1", AppID: "a1"}}, list)
	list, err = account.ParseOperators("")
	require.NoError(t, err)
	require.Empty(t, list)
	for _, text := range []string{"t0", "t0:", ":a0", "t0:a0:x"} {
		_, err = account.ParseOperators(text)
		require.Error(t, err, text)
	}
	_, err = account.New(account.Deps{})
	require.Error(t, err)
	_, err = account.New(account.Deps{Store: &shelf{}, Now: time.Now, Operators: []account.Principal{{}}})
	require.Error(t, err)
}
