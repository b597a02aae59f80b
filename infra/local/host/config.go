package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// hostConfig is what the stand-in reads of host.json, with the host's defaults.
type hostConfig struct {
	executable     string
	arguments      []string
	forwardHTTP    bool
	stderrIsErrors bool
	routePrefix    string
	timeout        time.Duration // 0 is unbounded
	bus            busConfig
	blobTries      int
}

type busConfig struct {
	concurrent   int
	autoComplete bool
	autoRenewal  time.Duration
}

// hostFile is the shape of host.json.
type hostFile struct {
	Version       string `json:"version"`
	CustomHandler struct {
		Description struct {
			DefaultExecutablePath string   `json:"defaultExecutablePath"`
			Arguments             []string `json:"arguments"`
		} `json:"description"`
		EnableForwardingHTTPRequest    bool `json:"enableForwardingHttpRequest"`
		UseStdErrorStreamForErrorsOnly bool `json:"useStdErrorStreamForErrorsOnly"`
	} `json:"customHandler"`
	FunctionTimeout string `json:"functionTimeout"`
	Extensions      struct {
		HTTP struct {
			RoutePrefix *string `json:"routePrefix"`
		} `json:"http"`
		ServiceBus struct {
			MaxConcurrentCalls         int    `json:"maxConcurrentCalls"`
			AutoCompleteMessages       *bool  `json:"autoCompleteMessages"`
			MaxAutoLockRenewalDuration string `json:"maxAutoLockRenewalDuration"`
		} `json:"serviceBus"`
		Blobs struct {
			PoisonBlobThreshold int `json:"poisonBlobThreshold"`
		} `json:"blobs"`
	} `json:"extensions"`
}

// defaultTimeout is the functionTimeout of a Consumption plan, the shortest of all plans.
const defaultTimeout = 5 * time.Minute

func readHostConfig(root string) (hostConfig, error) {
	path := filepath.Join(root, "host.json")
	raw, err := os.ReadFile(path)
	if err != nil {
		return hostConfig{}, fmt.Errorf("read host.json: %w", err)
	}
	var f hostFile
	if err := json.Unmarshal(raw, &f); err != nil {
		return hostConfig{}, fmt.Errorf("parse %s: %w", path, err)
	}
	if f.Version != "2.0" {
		return hostConfig{}, fmt.Errorf("%s: version is %q, only \"2.0\" is known", path, f.Version)
	}
	cfg := hostConfig{
		arguments:      f.CustomHandler.Description.Arguments,
		forwardHTTP:    f.CustomHandler.EnableForwardingHTTPRequest,
		stderrIsErrors: true,
		routePrefix:    "api",
		blobTries:      5,
		bus:            busConfig{concurrent: 16, autoComplete: true, autoRenewal: 5 * time.Minute},
	}
	if p := f.Extensions.HTTP.RoutePrefix; p != nil {
		cfg.routePrefix = strings.Trim(*p, "/")
	}
	if n := f.Extensions.Blobs.PoisonBlobThreshold; n > 0 {
		cfg.blobTries = n
	}
	if err := cfg.readBus(f); err != nil {
		return hostConfig{}, fmt.Errorf("%s: %w", path, err)
	}
	if cfg.timeout, err = readTimeout(f.FunctionTimeout); err != nil {
		return hostConfig{}, fmt.Errorf("%s: functionTimeout: %w", path, err)
	}
	cfg.executable, err = executablePath(root, f.CustomHandler.Description.DefaultExecutablePath)
	if err != nil {
		return hostConfig{}, fmt.Errorf("%s: customHandler.description.defaultExecutablePath: %w", path, err)
	}
	return cfg, nil
}

func (c *hostConfig) readBus(f hostFile) error {
	bus := f.Extensions.ServiceBus
	if bus.MaxConcurrentCalls > 0 {
		c.bus.concurrent = bus.MaxConcurrentCalls
	}
	if bus.AutoCompleteMessages != nil {
		c.bus.autoComplete = *bus.AutoCompleteMessages
	}
	if bus.MaxAutoLockRenewalDuration != "" {
		d, err := parseTimeSpan(bus.MaxAutoLockRenewalDuration)
		if err != nil {
			return fmt.Errorf("extensions.serviceBus.maxAutoLockRenewalDuration: %w", err)
		}
		c.bus.autoRenewal = d
	}
	return nil
}

func readTimeout(text string) (time.Duration, error) {
	switch text {
	case "":
		return defaultTimeout, nil
	case "-1":
		return 0, nil
	}
	d, err := parseTimeSpan(text)
	if err == nil && d <= 0 {
		err = fmt.Errorf("%q is not above zero", text)
	}
	return d, err
}

// executablePath resolves the handler's path against the script root and refuses what cannot run.
func executablePath(root, path string) (string, error) {
	if path == "" {
		return "", errors.New("it is empty")
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(root, path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.IsDir() || info.Mode().Perm()&0o111 == 0 {
		return "", fmt.Errorf("%s is no executable file", path)
	}
	return path, nil
}

var timeSpan = regexp.MustCompile(`^(?:(\d+)\.)?(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,7}))?)?$`)

// parseTimeSpan reads a .NET time span, [d.]hh:mm[:ss[.fffffff]].
func parseTimeSpan(text string) (time.Duration, error) {
	m := timeSpan.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("%q is no time span hh:mm:ss", text)
	}
	var n [5]int
	for i, part := range m[1:] {
		if i == 4 && part != "" {
			part = (part + "0000000")[:7]
		}
		n[i], _ = strconv.Atoi(part)
	}
	if n[1] > 23 || n[2] > 59 || n[3] > 59 {
		return 0, fmt.Errorf("%q is no time span hh:mm:ss", text)
	}
	return time.Duration(n[0]*24+n[1])*time.Hour + time.Duration(n[2])*time.Minute +
		time.Duration(n[3])*time.Second + time.Duration(n[4])*100, nil
}
