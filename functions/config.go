package main

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"stoa/shared/account"
	"stoa/shared/clock"
	"stoa/shared/metering"
	"stoa/shared/seal"
)

// config is everything the handler is told by its app settings. Nothing below main reads the environment.
type config struct {
	dev           bool                // STOA_DEV: the local stack; mounts /dev and allows calls to loopback
	now           func() time.Time    // the clock
	moved         *clock.Moved        // STOA_CLOCK_FILE: the moved clock of the local stack, else nil
	storage       string              // STOA_STORAGE: connection string with keys, for the local stack
	tableEndpoint string              // STOA_TABLE_ENDPOINT: with the app's identity, when there is no STOA_STORAGE
	blobEndpoint  string              // STOA_BLOB_ENDPOINT: same
	busKeys       string              // STOA_BUS: connection string with keys, for the local stack
	busNamespace  string              // STOA_BUS_NAMESPACE: host name, with the app's identity
	clientID      string              // AZURE_CLIENT_ID: of a user-assigned identity; empty takes the system's
	authority     string              // STOA_AUTHORITY: issuer of tokens; empty takes Entra ID's
	audiences     []string            // STOA_AUDIENCES: accepted besides those of the public contracts
	publicURL     string              // STOA_PUBLIC_URL: how callers reach us, without a closing slash; required
	profile       string              // STOA_FULFILLMENT_PROFILE: guide (default) or current
	pendingLife   time.Duration       // STOA_PENDING_DAYS: a purchase that is not activated ends then (30 by default), never: it waits
	meteringPace  metering.Pace       // STOA_METERING_RATE: requests per second and at once of one caller, such as 5000/10000
	operators     []account.Principal // STOA_OPERATORS: tenant:application pairs of staff
	sealKeys      map[string][]byte   // STOA_SECRETS_KEY: base64 of 32 bytes; required
	sealKey       string              // STOA_SECRETS_KEY_ID: its name; required
	signingKey    []byte              // STOA_WEBHOOK_SIGNING_KEY: RSA key in PEM, or base64 of that; required
	staff         []string            // STOA_STAFF_MAIL: addresses where staff is told of what needs them; empty sends no such mail
	registry      string              // STOA_REGISTRY: host:port that stands for every container registry, over http; the local stack only
	clouds        []string            // STOA_BLOB_SUFFIXES: host names that links to disks may end in; those of the public clouds by default
	tier1         []string            // STOA_TIER1_PLATFORMS: platforms that IoT Edge modules have to cover (IOT-20)
	clamd         string              // STOA_CLAMD_ADDRESS: host:port or socket of a ClamAV daemon; empty leaves packages unscanned
	smtp          string              // STOA_SMTP: host:port of the mail relay; empty keeps mail in the table
}

// parse reads the settings. An error names the setting and what is allowed; secrets are never repeated.
func parse(environ []string) (config, error) {
	env := map[string]string{}
	for _, line := range environ {
		name, value, _ := strings.Cut(line, "=")
		env[name] = value
	}
	c := config{
		dev: strings.EqualFold(env["STOA_DEV"], "true"), now: clock.System,
		storage: env["STOA_STORAGE"], tableEndpoint: env["STOA_TABLE_ENDPOINT"], blobEndpoint: env["STOA_BLOB_ENDPOINT"],
		busKeys: env["STOA_BUS"], busNamespace: env["STOA_BUS_NAMESPACE"], clientID: env["AZURE_CLIENT_ID"],
		authority: strings.TrimRight(env["STOA_AUTHORITY"], "/"), publicURL: strings.TrimRight(env["STOA_PUBLIC_URL"], "/"),
		profile: env["STOA_FULFILLMENT_PROFILE"], smtp: env["STOA_SMTP"], clamd: env["STOA_CLAMD_ADDRESS"],
	}
	if c.dev && env["STOA_CLOCK_FILE"] != "" {
		c.moved = clock.NewMoved(env["STOA_CLOCK_FILE"])
		c.now = c.moved.Now
	}
	if c.dev {
		c.registry = env["STOA_REGISTRY"]
	}
	c.staff, c.audiences = list(env["STOA_STAFF_MAIL"]), list(env["STOA_AUDIENCES"])
	c.clouds = list(cmp.Or(env["STOA_BLOB_SUFFIXES"], "blob.core.windows.net,blob.core.usgovcloudapi.net"))
	c.tier1 = list(cmp.Or(env["STOA_TIER1_PLATFORMS"], "linux/amd64,linux/arm/v7"))
	var paceErr error
	if c.meteringPace, paceErr = metering.ParsePace(env["STOA_METERING_RATE"]); paceErr != nil {
		paceErr = fmt.Errorf("setting STOA_METERING_RATE: %w", paceErr)
	}
	return c, errors.Join(c.require(), paceErr, c.parsePending(env["STOA_PENDING_DAYS"]), c.parseKeys(env), c.parseOperators(env))
}

// list is a setting that is a list of texts with commas between them.
func list(text string) []string {
	var out []string
	for _, item := range strings.Split(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}

func (c *config) require() error {
	var missing []error
	need := func(ok bool, what string) {
		if !ok {
			missing = append(missing, errors.New("setting "+what))
		}
	}
	need(c.storage != "" || c.tableEndpoint != "" && c.blobEndpoint != "", "STOA_TABLE_ENDPOINT and STOA_BLOB_ENDPOINT, or STOA_STORAGE, are required")
	need(c.busKeys != "" || c.busNamespace != "", "STOA_BUS_NAMESPACE or STOA_BUS is required")
	need(c.publicURL != "", "STOA_PUBLIC_URL is required: the base URL callers use")
	if c.profile == "" {
		c.profile = "guide"
	}
	need(c.profile == "guide" || c.profile == "current", "STOA_FULFILLMENT_PROFILE must be guide or current")
	return errors.Join(missing...)
}

// parsePending reads how long purchases wait for their activation (FUL-93).
func (c *config) parsePending(text string) error {
	const most = 3650
	switch days, err := strconv.Atoi(text); {
	case text == "":
		c.pendingLife = 0 // the default of the contract
	case strings.EqualFold(text, "never"):
		c.pendingLife = -1
	case err != nil || days < 1 || days > most:
		return fmt.Errorf("setting STOA_PENDING_DAYS must be a whole number of days from 1 to %d, or never", most)
	default:
		c.pendingLife = time.Duration(days) * 24 * time.Hour
	}
	return nil
}

func (c *config) parseKeys(env map[string]string) error {
	key, err := base64.StdEncoding.DecodeString(env["STOA_SECRETS_KEY"])
	if err != nil || len(key) != seal.KeySize {
		return fmt.Errorf("setting STOA_SECRETS_KEY must be the base64 of %d bytes", seal.KeySize)
	}
	c.sealKey = env["STOA_SECRETS_KEY_ID"]
	if c.sealKey == "" {
		return errors.New("setting STOA_SECRETS_KEY_ID is required: the name of the key, kept with what it seals")
	}
	c.sealKeys = map[string][]byte{c.sealKey: key}
	pem := env["STOA_WEBHOOK_SIGNING_KEY"]
	if !strings.HasPrefix(pem, "-----BEGIN") {
		decoded, err := base64.StdEncoding.DecodeString(pem)
		if err != nil || len(decoded) == 0 {
			return errors.New("setting STOA_WEBHOOK_SIGNING_KEY must be an RSA key in PEM, or the base64 of one")
		}
		pem = string(decoded)
	}
	c.signingKey = []byte(pem)
	return nil
}

func (c *config) parseOperators(env map[string]string) (err error) {
	if c.operators, err = account.ParseOperators(env["STOA_OPERATORS"]); err != nil {
		return fmt.Errorf("setting STOA_OPERATORS: %w", err)
	}
	return nil
}
