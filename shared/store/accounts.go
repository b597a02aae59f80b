package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/store/table"
)

const accountsTable = "accounts"

// publisherKey is the row of the publisher itself, and of an index entry, in its partition.
const publisherKey = "publisher"

// Accounts keeps publishers: one partition for each, and one for each application and person that finds it.
// Index rows come before the publisher, so that a publisher that can be read can be found.
type Accounts struct {
	rows table.Table
}

// NewAccounts makes the store of publishers over the table "accounts".
func NewAccounts(tables func(string) table.Table) *Accounts {
	return &Accounts{rows: tables(accountsTable)}
}

// publisherRow is a publisher as it is stored.
type publisherRow struct {
	ID       string     `json:"id"`
	TenantID string     `json:"tenantId"`
	Name     string     `json:"name,omitempty"`
	Apps     []grantRow `json:"apps,omitempty"`
	Users    []grantRow `json:"users,omitempty"`
}

// grantRow is the access of an application or a person.
type grantRow struct {
	TenantID string   `json:"tenantId"`
	ID       string   `json:"id"`
	UPN      string   `json:"upn,omitempty"`
	Use      string   `json:"use,omitempty"`
	Roles    []string `json:"roles,omitempty"`
}

// finderRow leads from an application or person to its publisher.
type finderRow struct {
	PublisherID string `json:"publisherId"`
}

func toPublisherRow(p account.Publisher) publisherRow {
	row := publisherRow{ID: p.ID, TenantID: p.TenantID, Name: p.Name}
	for _, a := range p.Apps {
		row.Apps = append(row.Apps, grantRow{TenantID: a.TenantID, ID: a.AppID, Use: a.Use, Roles: a.Roles})
	}
	for _, u := range p.Users {
		row.Users = append(row.Users, grantRow{TenantID: u.TenantID, ID: u.ObjectID, UPN: u.UPN, Roles: u.Roles})
	}
	return row
}

func fromPublisherRow(row publisherRow) account.Publisher {
	p := account.Publisher{ID: row.ID, TenantID: row.TenantID, Name: row.Name}
	for _, a := range row.Apps {
		p.Apps = append(p.Apps, account.AppGrant{TenantID: a.TenantID, AppID: a.ID, Use: a.Use, Roles: a.Roles})
	}
	for _, u := range row.Users {
		p.Users = append(p.Users, account.UserGrant{TenantID: u.TenantID, ObjectID: u.ID, UPN: u.UPN, Roles: u.Roles})
	}
	return p
}

func publisherPartition(id string) string { return table.Join("publisher", id) }

func appPartition(tenantID, appID string) string { return table.Join("app", tenantID, appID) }

func userPartition(tenantID, objectID string) string { return table.Join("user", tenantID, objectID) }

// Publisher implements account.Store.
func (s *Accounts) Publisher(ctx context.Context, id string) (account.Publisher, error) {
	row, err := s.rows.Get(ctx, publisherPartition(id), publisherKey)
	if err != nil {
		return account.Publisher{}, fmt.Errorf("publisher %s: %w", id, err)
	}
	var p publisherRow
	if err := decode(row, &p); err != nil {
		return account.Publisher{}, fmt.Errorf("publisher %s: %w", id, err)
	}
	return fromPublisherRow(p), nil
}

// PublisherOfApp implements account.Store.
func (s *Accounts) PublisherOfApp(ctx context.Context, tenantID, appID string) (account.Publisher, error) {
	return s.find(ctx, appPartition(tenantID, appID))
}

// PublisherOfUser implements account.Store.
func (s *Accounts) PublisherOfUser(ctx context.Context, tenantID, objectID string) (account.Publisher, error) {
	return s.find(ctx, userPartition(tenantID, objectID))
}

func (s *Accounts) find(ctx context.Context, partition string) (account.Publisher, error) {
	id, err := s.finder(ctx, partition)
	if err != nil {
		return account.Publisher{}, err
	}
	return s.Publisher(ctx, id)
}

func (s *Accounts) finder(ctx context.Context, partition string) (string, error) {
	row, err := s.rows.Get(ctx, partition, publisherKey)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", partition, err)
	}
	var f finderRow
	if err := decode(row, &f); err != nil {
		return "", fmt.Errorf("find %s: %w", partition, err)
	}
	return f.PublisherID, nil
}

// AddPublisher implements account.Store. When it is refused it takes back the index rows it made; when the
// process dies in between, adding the publisher again finishes the act.
func (s *Accounts) AddPublisher(ctx context.Context, p account.Publisher) error {
	old, err := s.Publisher(ctx, p.ID)
	if err == nil {
		return sameOrTaken(old, p)
	}
	if !fault.Is(err, fault.NotFound) {
		return err
	}
	var made []string
	for _, a := range p.Apps {
		fresh, err := s.claim(ctx, appPartition(a.TenantID, a.AppID), p.ID)
		if fresh {
			made = append(made, appPartition(a.TenantID, a.AppID))
		}
		if err != nil {
			return errors.Join(err, s.takeBack(ctx, made))
		}
	}
	for _, u := range p.Users {
		// A person may work for several publishers; the first one stays the one that finds them.
		fresh, err := s.claim(ctx, userPartition(u.TenantID, u.ObjectID), p.ID)
		if fresh {
			made = append(made, userPartition(u.TenantID, u.ObjectID))
		}
		if err != nil && !fault.Is(err, fault.Conflict) {
			return errors.Join(err, s.takeBack(ctx, made))
		}
	}
	return s.insertPublisher(ctx, p, made)
}

func (s *Accounts) insertPublisher(ctx context.Context, p account.Publisher, made []string) error {
	_, err := s.rows.Apply(ctx, table.Op{Action: table.Insert, Row: table.Row{
		Partition: publisherPartition(p.ID), Key: publisherKey, Data: encode(toPublisherRow(p)),
	}})
	if err == nil || !fault.Is(err, fault.Conflict) {
		return err // of an unknown outcome the index rows stay: they harm nobody, and the next try needs them
	}
	old, err := s.Publisher(ctx, p.ID)
	if err != nil {
		return err
	}
	refused := sameOrTaken(old, p)
	if refused == nil {
		return nil
	}
	// Two were added under one id at once: what the other one lists as well is its own now.
	made = slices.DeleteFunc(made, func(partition string) bool { return slices.Contains(finders(old), partition) })
	return errors.Join(refused, s.takeBack(ctx, made))
}

// finders are the partitions of the index rows of a publisher.
func finders(p account.Publisher) []string {
	var partitions []string
	for _, a := range p.Apps {
		partitions = append(partitions, appPartition(a.TenantID, a.AppID))
	}
	for _, u := range p.Users {
		partitions = append(partitions, userPartition(u.TenantID, u.ObjectID))
	}
	return partitions
}

// claim makes the index row of an application or person. Fresh tells that it was not there before. A row of
// another publisher is Conflict "AppRegistrationInUse".
func (s *Accounts) claim(ctx context.Context, partition, publisherID string) (fresh bool, err error) {
	_, err = s.rows.Apply(ctx, table.Op{Action: table.Insert, Row: table.Row{
		Partition: partition, Key: publisherKey, Data: encode(finderRow{PublisherID: publisherID}),
	}})
	if !fault.Is(err, fault.Conflict) {
		return err == nil, err
	}
	owner, err := s.finder(ctx, partition)
	if err != nil {
		return false, err
	}
	if owner != publisherID {
		return false, fault.New(fault.Conflict, "AppRegistrationInUse", "apps", "an application belongs to one publisher only, and another has it")
	}
	return false, nil
}

// takeBack removes the index rows of a publisher that was refused. It goes on when the caller has hung up.
func (s *Accounts) takeBack(ctx context.Context, partitions []string) error {
	ctx = context.WithoutCancel(ctx)
	var failed error
	for _, partition := range partitions {
		_, err := s.rows.Apply(ctx, table.Op{Action: table.Remove, Row: table.Row{Partition: partition, Key: publisherKey}})
		if err != nil && !fault.Is(err, fault.NotFound) {
			failed = errors.Join(failed, fmt.Errorf("take back %s: %w", partition, err))
		}
	}
	return failed
}

// sameOrTaken is nil when a publisher that is there already is the one that is to be added.
func sameOrTaken(old, p account.Publisher) error {
	a, b := toPublisherRow(old), toPublisherRow(p)
	if a.ID == b.ID && a.TenantID == b.TenantID && a.Name == b.Name &&
		slices.EqualFunc(a.Apps, b.Apps, sameGrant) && slices.EqualFunc(a.Users, b.Users, sameGrant) {
		return nil
	}
	return fault.New(fault.Conflict, "AlreadyExists", "publisherId", "the publisher id is taken")
}

func sameGrant(a, b grantRow) bool {
	return a.TenantID == b.TenantID && a.ID == b.ID && a.UPN == b.UPN && a.Use == b.Use && slices.Equal(a.Roles, b.Roles)
}
