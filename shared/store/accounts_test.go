package store_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/store"
	"stoa/shared/store/table"
	"stoa/shared/store/table/tabletest"
)

var _ account.Store = (*store.Accounts)(nil)

func publisher(id, app, user string) account.Publisher {
	return account.Publisher{
		ID: id, TenantID: "t-" + id, Name: "The " + id,
		Apps:  []account.AppGrant{{TenantID: "t-" + id, AppID: app, Roles: []string{"manager"}, Use: "Production"}},
		Users: []account.UserGrant{{TenantID: "t", ObjectID: user, UPN: user + "@x.example", Roles: []string{"owner"}}},
	}
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	accounts := store.NewAccounts(new(tabletest.Account).Table)
	contoso := publisher("contoso", "a1", "olga")
	require.NoError(t, accounts.AddPublisher(ctx, contoso))
	require.NoError(t, accounts.AddPublisher(ctx, contoso), "again")
	for name, find := range map[string]func() (account.Publisher, error){
		"by id":   func() (account.Publisher, error) { return accounts.Publisher(ctx, "contoso") },
		"by app":  func() (account.Publisher, error) { return accounts.PublisherOfApp(ctx, "t-contoso", "a1") },
		"by user": func() (account.Publisher, error) { return accounts.PublisherOfUser(ctx, "t", "olga") },
	} {
		got, err := find()
		require.NoError(t, err, name)
		require.Equal(t, contoso, got, name)
	}
	for name, find := range map[string]func() (account.Publisher, error){
		"id":                  func() (account.Publisher, error) { return accounts.Publisher(ctx, "fabrikam") },
		"app, another tenant": func() (account.Publisher, error) { return accounts.PublisherOfApp(ctx, "t", "a1") },
		"an app is no user":   func() (account.Publisher, error) { return accounts.PublisherOfUser(ctx, "t-contoso", "a1") },
	} {
		_, err := find()
		require.True(t, fault.Is(err, fault.NotFound), name)
	}
}

func TestAccountsConflicts(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	accounts := store.NewAccounts(new(tabletest.Account).Table)
	require.NoError(t, accounts.AddPublisher(ctx, publisher("contoso", "a1", "olga")))

	err := accounts.AddPublisher(ctx, publisher("contoso", "a2", "olga"))
	require.Equal(t, "AlreadyExists", fault.As(err).Code)
	_, err = accounts.PublisherOfApp(ctx, "t-contoso", "a2")
	require.True(t, fault.Is(err, fault.NotFound), "nothing is left of the refused one")

	thief := publisher("thief", "own", "theo")
	thief.Apps = append(thief.Apps, account.AppGrant{TenantID: "t-contoso", AppID: "a1"})
	err = accounts.AddPublisher(ctx, thief)
	require.Equal(t, "AppRegistrationInUse", fault.As(err).Code, "ACC-62")
	_, err = accounts.Publisher(ctx, "thief")
	require.True(t, fault.Is(err, fault.NotFound))
	require.NoError(t, accounts.AddPublisher(ctx, account.Publisher{
		ID: "heir", TenantID: "t-thief", Apps: []account.AppGrant{{TenantID: "t-thief", AppID: "own"}},
	}), "the refused one holds on to nothing")

	require.NoError(t, accounts.AddPublisher(ctx, publisher("fabrikam", "f1", "olga")), "a person may work for two")
	p, err := accounts.PublisherOfUser(ctx, "t", "olga")
	require.NoError(t, err)
	require.Equal(t, "contoso", p.ID, "the first one")
}

// dying applies some operations, then dies as a process would.
type dying struct {
	table.Table
	left int
}

func (d *dying) Apply(ctx context.Context, ops ...table.Op) ([]string, error) {
	if d.left--; d.left < 0 {
		return nil, fault.New(fault.Unavailable, "Gone", "", "gone")
	}
	return d.Table.Apply(ctx, ops...)
}

func TestAccountsAfterACrash(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for writes := range 3 {
		var twin tabletest.Account
		p := publisher("contoso", "a1", "olga")
		dead := store.NewAccounts(func(name string) table.Table { return &dying{twin.Table(name), writes} })
		require.Error(t, dead.AddPublisher(ctx, p))
		alive := store.NewAccounts(twin.Table)
		_, err := alive.PublisherOfApp(ctx, "t-contoso", "a1")
		require.True(t, fault.Is(err, fault.NotFound), "half a publisher is none")
		require.NoError(t, alive.AddPublisher(ctx, p))
		got, err := alive.PublisherOfApp(ctx, "t-contoso", "a1")
		require.NoError(t, err)
		require.Equal(t, p, got)
	}
}

// overtaken lets another add its publisher just before ours is inserted.
type overtaken struct {
	table.Table
	other func()
}

func (o *overtaken) Apply(ctx context.Context, ops ...table.Op) ([]string, error) {
	if ops[0].Row.Partition == "publisher|contoso" {
		o.other()
	}
	return o.Table.Apply(ctx, ops...)
}

func TestAccountsTwoUnderOneID(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	var twin tabletest.Account
	winner := publisher("contoso", "a1", "olga")
	loser := publisher("contoso", "a1", "theo")
	accounts := store.NewAccounts(twin.Table)
	slow := store.NewAccounts(func(name string) table.Table {
		return &overtaken{twin.Table(name), func() { require.NoError(t, accounts.AddPublisher(ctx, winner)) }}
	})
	require.Equal(t, "AlreadyExists", fault.As(slow.AddPublisher(ctx, loser)).Code)
	got, err := accounts.PublisherOfApp(ctx, "t-contoso", "a1")
	require.NoError(t, err, "the winner is still found by what both list")
	require.Equal(t, winner, got)
	_, err = accounts.PublisherOfUser(ctx, "t", "theo")
	require.True(t, fault.Is(err, fault.NotFound), "the loser leaves nothing")
}

// Whatever stands in a publisher comes back as it was, under any names.
func TestAccountsRoundTrip(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	word := rapid.StringMatching(`[a-z0-9#/?|%~'ü ]{1,8}`)
	rapid.Check(t, func(t *rapid.T) {
		accounts := store.NewAccounts(new(tabletest.Account).Table)
		p := publisher(word.Draw(t, "id"), word.Draw(t, "app"), word.Draw(t, "user"))
		p.Name = rapid.String().Draw(t, "name")
		p.Apps[0].Roles = rapid.SliceOfN(word, 1, 3).Draw(t, "roles")
		require.NoError(t, accounts.AddPublisher(ctx, p))
		got, err := accounts.PublisherOfApp(ctx, p.Apps[0].TenantID, p.Apps[0].AppID)
		require.NoError(t, err)
		require.Equal(t, p, got)
	})
}
