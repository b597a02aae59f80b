package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/google/uuid"

	fulfillmentfn "stoa/functions/fulfillment"
	healthfn "stoa/functions/health"
	operatorfn "stoa/functions/operator"
	"stoa/shared/account"
	"stoa/shared/blobs"
	"stoa/shared/bus"
	"stoa/shared/fault"
	"stoa/shared/functionshost"
	"stoa/shared/identity"
	"stoa/shared/message"
	"stoa/shared/outbound"
	"stoa/shared/packages"
	"stoa/shared/queue"
	"stoa/shared/seal"
	"stoa/shared/store"
	"stoa/shared/store/table"
	"stoa/shared/web"
)

// adapters are the ways out into the world.
type adapters struct {
	tables   *table.Account
	files    *blobs.Account
	bus      *bus.Bus
	verifier *identity.Verifier
	signer   *identity.Signer
	calls    *outbound.Client
	box      *seal.Box
	db       *store.DB
}

// app is the wired handler.
type app struct {
	mux   *functionshost.Mux
	db    *store.DB
	usage *store.Usage
	queue *bus.Bus
}

// close lets the messages of finished acts go out and ends the connections.
func (a *app) close(ctx context.Context) error {
	return errors.Join(a.usage.Flush(ctx), a.db.Close(ctx), a.queue.Close(ctx))
}

// open reads the settings and wires everything. Nothing is called yet: the first request pays for connections.
func open(environ []string, log *slog.Logger) (*app, error) {
	c, err := parse(environ)
	if err != nil {
		return nil, err
	}
	a, err := openAdapters(c, log)
	if err != nil {
		return nil, err
	}
	w, err := mount(c, a, log)
	if err != nil {
		return nil, err
	}
	return &app{mux: w.mux, db: a.db, usage: w.usage, queue: a.bus}, nil
}

func openAdapters(c config, log *slog.Logger) (a adapters, err error) {
	credential, err := identityOf(c)
	if err != nil {
		return a, err
	}
	if a.tables, err = table.Open(table.Options{ConnectionString: c.storage, Endpoint: c.tableEndpoint, Credential: credential}); err != nil {
		return a, err
	}
	if a.files, err = blobs.Open(blobs.Options{ConnectionString: c.storage, Endpoint: c.blobEndpoint, Credential: credential}); err != nil {
		return a, err
	}
	if a.bus, err = bus.Open(bus.Options{ConnectionString: c.busKeys, Namespace: c.busNamespace, Credential: credential}); err != nil {
		return a, err
	}
	if a.verifier, err = identity.New(identity.Options{Authority: c.authority, Now: c.now, Log: log}); err != nil {
		return a, err
	}
	if a.signer, err = identity.NewSigner(c.signingKey, "", fulfillmentfn.WebhookIssuer(c.publicURL), c.now); err != nil {
		return a, fmt.Errorf("setting STOA_WEBHOOK_SIGNING_KEY: %w", err)
	}
	if a.box, err = seal.New(c.sealKeys, c.sealKey); err != nil {
		return a, fmt.Errorf("setting STOA_SECRETS_KEY: %w", err)
	}
	a.calls = outbound.New(outbound.Options{AllowLoopback: c.dev})
	a.db = store.New(store.Deps{Tables: a.tables.Table, Sender: a.bus, Now: c.now, NewID: uuid.NewString, Log: log})
	return a, nil
}

// identityOf is the app's own identity, needed when a connection has no keys.
func identityOf(c config) (azcore.TokenCredential, error) {
	if c.storage != "" && c.busKeys != "" {
		return nil, nil
	}
	options := &azidentity.ManagedIdentityCredentialOptions{}
	if c.clientID != "" {
		options.ID = azidentity.ClientID(c.clientID)
	}
	credential, err := azidentity.NewManagedIdentityCredential(options)
	if err != nil {
		return nil, fmt.Errorf("open the app's identity: %w", err)
	}
	return credential, nil
}

func newRouter(c config, a adapters, log *slog.Logger) (*web.Router, *account.Service, error) {
	accounts, err := account.New(account.Deps{Store: store.NewAccounts(a.db.Table), Operators: c.operators, Now: c.now})
	if err != nil {
		return nil, nil, err
	}
	router, err := web.New(web.Deps{Verifier: a.verifier, Accounts: accounts, Now: c.now, NewID: uuid.NewString, Log: log})
	return router, accounts, err
}

// caused gives an invocation the ids of the request that caused it, for logs and further messages (FUL-8).
func caused(ctx context.Context, in functionshost.Invocation) context.Context {
	return message.WithCause(ctx, queue.CauseOf(in))
}

// uploads opens packages in their container.
type uploads struct{ files *blobs.Account }

// OpenPackage implements packages.Uploads.
func (u uploads) OpenPackage(ctx context.Context, name string) (packages.Upload, error) {
	blob, err := u.files.Open(ctx, "packages", name)
	if err != nil {
		return packages.Upload{}, err
	}
	return packages.Upload{ReaderAt: blob, Size: blob.Size, ETag: blob.ETag, Close: blob.Close}, nil
}

// PutPackage implements packages.Uploads.
func (u uploads) PutPackage(ctx context.Context, name string, content []byte) error {
	return u.files.Put(ctx, "packages", name, bytes.NewReader(content), "application/octet-stream")
}

// contacts finds the people to mail about a publisher's offers: its owners (PUB-64).
type contacts struct{ accounts *account.Service }

// Recipients implements publish.Contacts.
func (c contacts) Recipients(ctx context.Context, publisherID string) ([]string, error) {
	p, err := c.accounts.Publisher(ctx, publisherID)
	if err != nil {
		return nil, err
	}
	var mails []string
	for _, u := range p.Users {
		for _, role := range u.Roles {
			if strings.EqualFold(role, "Owner") {
				mails = append(mails, u.UPN)
				break
			}
		}
	}
	return mails, nil
}

// deadLetters shows the store's dead letters to staff.
type deadLetters struct{ *store.DeadLetters }

// List implements operator.DeadLetters.
func (d deadLetters) List(ctx context.Context, queue, after string, limit int) ([]operatorfn.DeadLetter, string, error) {
	kept, next, err := d.DeadLetters.List(ctx, store.DeadLetterPage{Queue: queue, Limit: limit, After: after})
	shown := make([]operatorfn.DeadLetter, len(kept))
	for i, l := range kept {
		shown[i] = operatorfn.DeadLetter(l)
	}
	return shown, next, err
}

// Replay implements operator.DeadLetters.
func (d deadLetters) Replay(ctx context.Context, id string) (operatorfn.DeadLetter, error) {
	l, err := d.DeadLetters.Replay(ctx, id)
	return operatorfn.DeadLetter(l), err
}

// checks are what the health of the handler depends on.
func (w *wiring) checks() map[string]healthfn.Pinger {
	absent := func(err error) error {
		if fault.Is(err, fault.NotFound) {
			return nil // it answered
		}
		return err
	}
	return map[string]healthfn.Pinger{
		"table": healthfn.PingFunc(func(ctx context.Context) error {
			_, err := w.tables.Table("accounts").Get(ctx, "health", "health")
			return absent(err)
		}),
		"blob": healthfn.PingFunc(func(ctx context.Context) error {
			_, err := w.files.Read(ctx, "media", "health", 1)
			return absent(err)
		}),
		"bus": healthfn.PingFunc(func(ctx context.Context) error { return w.bus.Check(ctx, message.Notifications) }),
	}
}

// upkeep is what the agenda does: due work, and what dead processes left of acts and of usage.
type upkeep struct {
	*store.DB
	usage *store.Usage
}

// Sweep implements agenda.Due.
func (u upkeep) Sweep(ctx context.Context) (int, error) {
	acts, err := u.DB.Sweep(ctx)
	usages, usageErr := u.usage.SweepUsage(ctx)
	return acts + usages, errors.Join(err, usageErr)
}
