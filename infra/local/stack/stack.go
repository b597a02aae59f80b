// Package stack starts the whole local stack as a library: storage, bus, issuer, sample publisher, the Functions
// host and under it the handler binary, all on loopback.
//
// It is for development and tests. `make run` and every stack test start the same thing; tests on free ports and
// in throw-away folders.
package stack

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"stoa/infra"
	"stoa/infra/local/azurite"
	"stoa/infra/local/bundle"
	"stoa/infra/local/faults"
	"stoa/infra/local/host"
	"stoa/infra/local/identity"
	"stoa/infra/local/sample"
	"stoa/infra/local/servicebus"
	"stoa/infra/local/tree"
	"stoa/shared/account"
	"stoa/shared/blobs"
	"stoa/shared/clock"
	"stoa/shared/store"
	"stoa/shared/store/table"
)

// Options of a stack.
type Options struct {
	Dir         string            // folder of its data; must exist
	Keep        bool              // keep the data of storage and bus in Dir, else they live in memory
	PortBase    int               // first port: host, issuer, sample (7071 …); 0 picks free ports for everything
	MaxRestarts int               // of the handler; 0 is the host's own limit of 3
	Settings    map[string]string // further app settings
	Log         io.Writer         // log lines of all parts, from several goroutines; nil is silent
	SkipHost    bool              // all but the Functions host, for `func`
	Faults      *faults.Script    // stands between the handler and its storage and bus; nil: nothing does
}

// Stack is a running local stack.
type Stack struct {
	Clock    *clock.Moved
	Storage  *azurite.Azurite
	Bus      *servicebus.Broker
	Identity *identity.Server
	Sample   *sample.Server
	Host     *host.Host
	Fixtures identity.Fixtures
	Settings map[string]string // the app settings of the handler
	Root     string            // the staged bundle

	storage, bus string // connection strings as the handler sees them
	proxies      []interface{ Stop() }
}

// The offsets from PortBase, and the fixed ports of storage and bus at PortBase 7071.
const (
	defaultBase = 7071
	blobPort    = 10000
	tablePort   = 10002
	busPort     = 5672
)

// Start runs every part in the order in which they need each other. When one fails, those before it are stopped.
func Start(ctx context.Context, o Options) (s *Stack, err error) {
	s = &Stack{Root: filepath.Join(o.Dir, "bundle")}
	defer func() {
		if err != nil {
			s.Stop()
			s = nil
		}
	}()
	root, err := tree.Root()
	if err != nil {
		return s, err
	}
	s.Clock = clock.NewMoved(filepath.Join(o.Dir, "clock.json"))
	staged := make(chan error, 1)
	go func() { staged <- bundle.Stage(ctx, bundle.Options{Root: root, Dir: s.Root, Local: true}) }()
	if err := s.startParts(ctx, o); err != nil {
		<-staged
		return s, err
	}
	if err := <-staged; err != nil {
		return s, err
	}
	if err := s.prepare(ctx); err != nil {
		return s, err
	}
	hostPort := port(o, 0, 0)
	if hostPort == 0 {
		if hostPort, err = freePort(); err != nil {
			return s, err
		}
	}
	s.Sample.Connect(s.marketplace(hostPort))
	if s.Settings, err = s.settings(o, hostPort); err != nil || o.SkipHost {
		return s, err
	}
	options := host.Options{ScriptRoot: s.Root, Port: hostPort, Settings: s.Settings, Now: s.Clock.Now, MaxRestarts: o.MaxRestarts}
	if o.Log != nil {
		options.Log = host.WriteLines(o.Log)
	}
	if s.Host, err = host.Start(ctx, options); err != nil {
		return s, fmt.Errorf("start the host: %w", err)
	}
	if o.Faults != nil {
		o.Faults.OnKill(s.Host.KillHandler)
	}
	return s, nil
}

// port is the port of a part: free when the stack has no base, else the base plus the part's offset, or for
// storage and bus the usual port moved by as much as the base is.
func port(o Options, offset, usual int) int {
	if o.PortBase == 0 {
		return 0
	}
	if usual != 0 {
		return usual + o.PortBase - defaultBase
	}
	return o.PortBase + offset
}

func (s *Stack) startParts(ctx context.Context, o Options) (err error) {
	storage := azurite.Options{BlobPort: port(o, 0, blobPort), TablePort: port(o, 0, tablePort), Output: o.Log}
	broker := servicebus.Options{Port: port(o, 0, busPort), Output: o.Log}
	if o.Keep {
		storage.Dir, broker.DataFile = filepath.Join(o.Dir, "storage"), filepath.Join(o.Dir, "bus.jsonl")
		if err := os.MkdirAll(storage.Dir, 0o755); err != nil {
			return fmt.Errorf("start storage: %w", err)
		}
	}
	if s.Storage, err = azurite.Start(ctx, storage); err != nil {
		return fmt.Errorf("start storage: %w", err)
	}
	if s.Bus, err = servicebus.Start(ctx, broker); err != nil {
		return fmt.Errorf("start the bus: %w", err)
	}
	if err := s.startProxies(o.Faults); err != nil {
		return err
	}
	s.Identity, err = identity.Start(ctx, identity.Options{Port: port(o, 1, 0), Now: s.Clock.Now, KeyFile: filepath.Join(o.Dir, "issuer.pem")})
	if err != nil {
		return fmt.Errorf("start the issuer: %w", err)
	}
	if s.Sample, err = sample.Start(ctx, sample.Options{Port: port(o, 2, 0), Now: s.Clock.Now}); err != nil {
		return fmt.Errorf("start the sample publisher: %w", err)
	}
	s.Fixtures = identity.DevFixtures().WithURLs(s.Identity.URL(), s.Sample.URL())
	return nil
}

// startProxies lets the handler see storage and bus through the script's proxies, if there is one. The host and
// the preparation of the stack go past them.
func (s *Stack) startProxies(script *faults.Script) error {
	s.storage, s.bus = s.Storage.ConnectionString(), s.Bus.ConnectionString()
	if script == nil {
		return nil
	}
	var ports []int
	for _, port := range []int{s.Storage.BlobPort(), s.Storage.TablePort()} {
		p, err := faults.StartStorage(script, port)
		if err != nil {
			return err
		}
		s.proxies, ports = append(s.proxies, p), append(ports, p.Port())
	}
	p, err := faults.StartBus(script, s.Bus.Port())
	if err != nil {
		return err
	}
	s.proxies = append(s.proxies, p)
	s.storage, s.bus = azurite.ConnectionStringAt(ports[0], ports[1]), servicebus.ConnectionStringAt(p.Port())
	return nil
}

// prepare makes what the templates make on Azure, and registers the publishers of the fixtures.
func (s *Stack) prepare(ctx context.Context) error {
	tables, err := table.Open(table.Options{ConnectionString: s.Storage.ConnectionString()})
	if err != nil {
		return err
	}
	for _, name := range infra.All.Tables {
		if err := tables.Create(ctx, name); err != nil {
			return err
		}
	}
	files, err := blobs.Open(blobs.Options{ConnectionString: s.Storage.ConnectionString()})
	if err != nil {
		return err
	}
	for _, c := range infra.All.Containers {
		if err := files.Create(ctx, c.Name); err != nil {
			return err
		}
	}
	accounts, err := account.New(account.Deps{Store: store.NewAccounts(tables.Table), Now: s.Clock.Now})
	if err != nil {
		return err
	}
	for _, p := range s.Fixtures.Publishers {
		if err := accounts.Register(ctx, publisher(p)); err != nil {
			return fmt.Errorf("register %s: %w", p.PublisherID, err)
		}
	}
	return nil
}

func publisher(p identity.Publisher) account.Publisher {
	out := account.Publisher{ID: p.PublisherID, TenantID: p.TenantID, Name: p.PublisherID}
	for _, a := range p.Apps {
		out.Apps = append(out.Apps, account.AppGrant{AppID: a.AppID, Roles: a.Roles, Use: a.Use})
	}
	for _, u := range p.Users {
		out.Users = append(out.Users, account.UserGrant{ObjectID: u.ObjectID, UPN: u.UPN, Roles: u.Roles})
	}
	return out
}

// marketplace is what the sample publisher knows: where the marketplace will be, and the application of each publisher.
func (s *Stack) marketplace(hostPort int) sample.Marketplace {
	m := sample.Marketplace{
		URL: fmt.Sprintf("http://127.0.0.1:%d", hostPort), TokenURL: s.Identity.URL() + "/{tenantId}/oauth2/token", Resource: s.Fixtures.Resource,
	}
	for _, p := range s.Fixtures.Publishers {
		m.Apps = append(m.Apps, sample.App{PublisherID: p.PublisherID, TenantID: p.TenantID, AppID: p.Apps[0].AppID, Secret: p.Apps[0].Secret})
	}
	return m
}

// freePort is known before the host starts, because the handler's own address is one of its settings.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func (s *Stack) settings(o Options, hostPort int) (map[string]string, error) {
	keys, err := secrets(filepath.Join(o.Dir, "secrets.json"))
	if err != nil {
		return nil, err
	}
	operators := ""
	for _, a := range s.Fixtures.Operators {
		operators += a.TenantID + ":" + a.AppID + ","
	}
	settings := map[string]string{
		"FUNCTIONS_WORKER_RUNTIME": "custom",
		"AzureWebJobsStorage":      s.Storage.ConnectionString(),
		"Storage":                  s.Storage.ConnectionString(),
		"Bus":                      s.Bus.ConnectionString(),
		"STOA_DEV":                 "true",
		"STOA_CLOCK_FILE":          filepath.Join(o.Dir, "clock.json"),
		"STOA_STORAGE":             s.storage,
		"STOA_BUS":                 s.bus,
		"STOA_AUTHORITY":           s.Identity.URL(),
		"STOA_PUBLIC_URL":          fmt.Sprintf("http://127.0.0.1:%d", hostPort),
		"STOA_SECRETS_KEY":         keys.SealKey,
		"STOA_SECRETS_KEY_ID":      "local-1",
		"STOA_WEBHOOK_SIGNING_KEY": keys.SigningKey,
		"STOA_OPERATORS":           operators,
		"GOMAXPROCS":               "1", // as on an instance of 2,048 MB, which has one core
	}
	for name, value := range o.Settings {
		settings[name] = value
	}
	return settings, nil
}

// localSecrets are made once for a folder, so that sealed data can still be opened after a restart.
type localSecrets struct{ SealKey, SigningKey string }

func secrets(path string) (localSecrets, error) {
	var keys localSecrets
	data, err := os.ReadFile(path)
	if err == nil {
		return keys, json.Unmarshal(data, &keys)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return keys, fmt.Errorf("read local secrets: %w", err)
	}
	sealKey := make([]byte, 32)
	if _, err := rand.Read(sealKey); err != nil {
		return keys, fmt.Errorf("make local secrets: %w", err)
	}
	signing, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return keys, fmt.Errorf("make local secrets: %w", err)
	}
	keys.SealKey = base64.StdEncoding.EncodeToString(sealKey)
	keys.SigningKey = string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(signing)}))
	if data, err = json.Marshal(keys); err != nil {
		return keys, fmt.Errorf("make local secrets: %w", err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return keys, fmt.Errorf("keep local secrets: %w", err)
	}
	return keys, nil
}

// URL is where the marketplace answers.
func (s *Stack) URL() string { return "http://" + s.Host.Addr() }

// Stop ends all parts, the host first, so that work in flight can finish.
func (s *Stack) Stop() {
	if s.Host != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		// A host that does not end in time is ended with its handler; there is nothing to add.
		_ = s.Host.Stop(ctx)
	}
	if s.Sample != nil {
		s.Sample.Stop()
	}
	if s.Identity != nil {
		s.Identity.Stop()
	}
	for _, p := range s.proxies {
		p.Stop()
	}
	if s.Bus != nil {
		s.Bus.Stop()
	}
	if s.Storage != nil {
		s.Storage.Stop()
	}
}
