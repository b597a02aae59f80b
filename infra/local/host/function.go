package host

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"time"
)

// The trigger types the stand-in knows.
const (
	triggerHTTP       = "httptrigger"
	triggerTimer      = "timertrigger"
	triggerServiceBus = "servicebustrigger"
	triggerBlob       = "blobtrigger"
)

// function is one function.json, its %SETTING%s replaced.
type function struct {
	name     string
	bindings []binding
	trigger  binding
	retry    *retryPolicy
	disabled bool
}

// binding is one element of a function.json's bindings.
type binding struct {
	Type      string `json:"type"`
	Direction string `json:"direction"`
	Name      string `json:"name"`
	DataType  string `json:"dataType"`

	Route     *string  `json:"route"`
	Methods   []string `json:"methods"`
	AuthLevel string   `json:"authLevel"`

	Connection        string `json:"connection"`
	QueueName         string `json:"queueName"`
	TopicName         string `json:"topicName"`
	SubscriptionName  string `json:"subscriptionName"`
	IsSessionsEnabled bool   `json:"isSessionsEnabled"`

	Path   string `json:"path"`
	Source string `json:"source"`

	Schedule     string `json:"schedule"`
	RunOnStartup bool   `json:"runOnStartup"`
	UseMonitor   *bool  `json:"useMonitor"`
}

// kind returns the binding's type in one spelling: the host compares types without case.
func (b binding) kind() string { return strings.ToLower(b.Type) }

func (b binding) isTrigger() bool { return strings.HasSuffix(b.kind(), "trigger") }

func (b binding) isOutput() bool {
	return strings.EqualFold(b.Direction, "out") || strings.EqualFold(b.Direction, "inout")
}

// forwarded tells whether the function gets raw requests: exactly one httpTrigger and one http output (HST-10).
func (f function) forwarded() bool {
	if len(f.bindings) != 2 || f.trigger.kind() != triggerHTTP {
		return false
	}
	for _, b := range f.bindings {
		if b.kind() == "http" && b.isOutput() {
			return true
		}
	}
	return false
}

// retryPolicy is a function.json's retry object.
type retryPolicy struct {
	Strategy        string `json:"strategy"`
	MaxRetryCount   int    `json:"maxRetryCount"`
	DelayInterval   string `json:"delayInterval"`
	MinimumInterval string `json:"minimumInterval"`
	MaximumInterval string `json:"maximumInterval"`

	first, most time.Duration
}

func (r *retryPolicy) check() error {
	var err error
	switch strings.ToLower(r.Strategy) {
	case "fixeddelay":
		r.first, err = parseTimeSpan(r.DelayInterval)
		r.most = r.first
	case "exponentialbackoff":
		if r.first, err = parseTimeSpan(r.MinimumInterval); err == nil {
			r.most, err = parseTimeSpan(r.MaximumInterval)
		}
	default:
		err = fmt.Errorf("strategy %q is neither fixedDelay nor exponentialBackoff", r.Strategy)
	}
	return err
}

// delay returns the wait before retry n (from 1).
func (r *retryPolicy) delay(n int) time.Duration {
	d := r.first
	for ; n > 1 && d < r.most; n-- {
		d *= 2
	}
	return min(d, r.most)
}

var functionName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,127}$`)

// readFunctions reads every direct child folder of root that has a function.json. Like the host it
// leaves a function in error out and goes on; the errors are returned by function name.
func readFunctions(root string, settings map[string]string) ([]function, map[string]error, error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, nil, fmt.Errorf("read script root: %w", err)
	}
	var functions []function
	faults := map[string]error{}
	for _, e := range entries {
		raw, err := os.ReadFile(filepath.Join(root, e.Name(), "function.json"))
		if err != nil {
			continue // no function.json, no function
		}
		f, err := parseFunction(e.Name(), raw, settings)
		if err != nil {
			faults[e.Name()] = fmt.Errorf("%s/function.json: %w", e.Name(), err)
			continue
		}
		functions = append(functions, f)
	}
	sort.Slice(functions, func(i, j int) bool { return functions[i].name < functions[j].name })
	return functions, faults, nil
}

func parseFunction(name string, raw []byte, settings map[string]string) (function, error) {
	f := function{name: name}
	if !functionName.MatchString(name) {
		return f, fmt.Errorf("%q is not a valid function name", name)
	}
	var file struct {
		Bindings []map[string]any `json:"bindings"`
		Disabled bool             `json:"disabled"`
		Retry    *retryPolicy     `json:"retry"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		return f, err
	}
	for i, properties := range file.Bindings {
		b, err := parseBinding(properties, settings)
		if err != nil {
			return f, fmt.Errorf("binding %d: %w", i, err)
		}
		f.bindings = append(f.bindings, b)
		if !b.isTrigger() {
			continue
		}
		if f.trigger.Type != "" {
			return f, fmt.Errorf("bindings %s and %s are both triggers", f.trigger.Name, b.Name)
		}
		f.trigger = b
	}
	if file.Retry != nil {
		if err := file.Retry.check(); err != nil {
			return f, fmt.Errorf("retry: %w", err)
		}
		f.retry = file.Retry
	}
	f.disabled = file.Disabled || isTrue(settings, "AzureWebJobs."+name+".Disabled")
	return f, checkTrigger(f.trigger)
}

func parseBinding(properties map[string]any, settings map[string]string) (binding, error) {
	var b binding
	for key, value := range properties {
		text, ok := value.(string)
		if !ok {
			continue
		}
		resolved, err := resolve(text, settings)
		if err != nil {
			return b, fmt.Errorf("%s: %w", key, err)
		}
		properties[key] = resolved
	}
	raw, err := json.Marshal(properties)
	if err != nil {
		return b, err
	}
	if err := json.Unmarshal(raw, &b); err != nil {
		return b, err
	}
	if b.Type == "" || b.Name == "" {
		return b, fmt.Errorf("type and name are required")
	}
	return b, nil
}

// checkTrigger refuses a trigger the stand-in could not run.
func checkTrigger(t binding) error {
	switch t.kind() {
	case "":
		return fmt.Errorf("no trigger binding is specified")
	case triggerHTTP:
		switch strings.ToLower(t.AuthLevel) {
		case "", "anonymous", "function", "admin":
			return nil
		}
		return fmt.Errorf("authLevel %q is unknown", t.AuthLevel)
	case triggerTimer:
		_, err := parseSchedule(t.Schedule)
		return err
	case triggerServiceBus:
		if t.QueueName == "" && (t.TopicName == "" || t.SubscriptionName == "") {
			return fmt.Errorf("queueName, or topicName and subscriptionName, are required")
		}
		if t.IsSessionsEnabled {
			return fmt.Errorf("isSessionsEnabled is not supported by the stand-in")
		}
		return nil
	case triggerBlob:
		if strings.EqualFold(t.Source, "EventGrid") {
			return fmt.Errorf("source EventGrid is not supported by the stand-in")
		}
		_, err := parseBlobPath(t.Path)
		return err
	default:
		return fmt.Errorf("the binding type %q is not registered", t.Type)
	}
}

var settingReference = regexp.MustCompile(`%[^%]+%`)

// resolve replaces each %SETTING% in text by the app setting of that name.
func resolve(text string, settings map[string]string) (string, error) {
	var missing error
	out := settingReference.ReplaceAllStringFunc(text, func(ref string) string {
		name := strings.Trim(ref, "%")
		value, ok := setting(settings, name)
		if !ok {
			missing = fmt.Errorf("%s does not resolve to a value", ref)
		}
		return value
	})
	return out, missing
}

// setting looks an app setting up by name, in any case, as .NET configuration does.
func setting(settings map[string]string, name string) (string, bool) {
	if v, ok := settings[name]; ok {
		return v, true
	}
	for k, v := range settings {
		if strings.EqualFold(k, name) {
			return v, true
		}
	}
	return "", false
}

func isTrue(settings map[string]string, name string) bool {
	v, _ := setting(settings, name)
	return strings.EqualFold(v, "true") || v == "1"
}

// connectionString returns the value of the app setting a binding's connection names.
func connectionString(settings map[string]string, name, fallback string) (string, error) {
	if name == "" {
		name = fallback
	}
	for _, key := range []string{name, "AzureWebJobs" + name} {
		if v, ok := setting(settings, key); ok && v != "" {
			return v, nil
		}
	}
	return "", fmt.Errorf("the app setting %s holds no connection string", name)
}
