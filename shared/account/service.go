package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"stoa/shared/facts"
	"stoa/shared/fault"
)

// Principal is an application in a directory.
type Principal struct{ TenantID, AppID string }

// Deps are what the service needs. Store and Now are required.
type Deps struct {
	Store     Store
	Operators []Principal      // the applications of marketplace staff
	Now       func() time.Time // the clock the memory of publishers ages by
	Life      time.Duration    // how long a publisher is remembered; 0 takes 3 seconds
}

// Service answers who may do what.
type Service struct {
	store     Store
	operators map[Principal]bool
	memory    *memory
}

// New makes the service.
func New(d Deps) (*Service, error) {
	if d.Store == nil || d.Now == nil {
		return nil, errors.New("account service: Deps.Store and Deps.Now are required")
	}
	if d.Life == 0 {
		d.Life = 3 * time.Second
	}
	s := &Service{store: d.Store, operators: map[Principal]bool{}, memory: newMemory(d.Now, d.Life)}
	for _, o := range d.Operators {
		if o.TenantID == "" || o.AppID == "" {
			return nil, fmt.Errorf("account service: operator %v needs a tenant and an application", o)
		}
		s.operators[Principal{strings.ToLower(o.TenantID), strings.ToLower(o.AppID)}] = true
	}
	return s, nil
}

// ParseOperators reads pairs "tenant:application", separated by commas or spaces. Empty text is none.
func ParseOperators(text string) ([]Principal, error) {
	var list []Principal
	for _, pair := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		tenant, app, _ := strings.Cut(pair, ":")
		if tenant == "" || app == "" || strings.Contains(app, ":") {
			return nil, fmt.Errorf("operator %q: must be tenant:application", pair)
		}
		list = append(list, Principal{tenant, app})
	}
	return list, nil
}

// Publisher reads one publisher, as it was a few seconds ago at most. NotFound.
func (s *Service) Publisher(ctx context.Context, id string) (Publisher, error) {
	p, err := s.publisher(ctx, id)
	if err != nil {
		return Publisher{}, err
	}
	return p.normal(), nil // a copy, the memory keeps its own
}

func (s *Service) publisher(ctx context.Context, id string) (Publisher, error) {
	if !publisherID.MatchString(id) {
		return Publisher{}, fault.New(fault.NotFound, "NotFound", "publisherId", "there is no such publisher")
	}
	return s.memory.get("id|"+id, func() (Publisher, error) { return s.store.Publisher(ctx, id) })
}

// Allow is nil when the caller holds the permission in the publisher account. Else it is Forbidden: "Forbidden"
// for an unknown publisher and for one that does not list the caller, which look alike (CPP-6), and
// "PermissionDenied" with the permission as target for a caller whose roles do not grant it (ACC-57).
func (s *Service) Allow(ctx context.Context, caller Caller, publisherID string, p Permission) error {
	publisher, err := s.publisher(ctx, publisherID)
	if fault.Is(err, fault.NotFound) {
		return foreign()
	}
	if err != nil {
		return fmt.Errorf("allow %s in %s: %w", p, publisherID, err)
	}
	roles, listed := publisher.rolesOf(caller)
	if !listed {
		return foreign()
	}
	granted := slices.ContainsFunc(roles, func(id string) bool { return facts.RoleGrants(id, string(p)) }) // ACC-50
	if !granted {
		return fault.New(fault.Forbidden, "PermissionDenied", string(p), "the permission %s is needed", p)
	}
	return nil
}

func foreign() error {
	return fault.New(fault.Forbidden, "Forbidden", "", "the caller has no access to this publisher")
}

// OfCaller is the id of the publisher that lists the caller. Forbidden when none does.
func (s *Service) OfCaller(ctx context.Context, caller Caller) (string, error) {
	var (
		p      Publisher
		err    error
		tenant = strings.ToLower(caller.TenantID)
	)
	switch {
	case tenant == "":
		return "", foreign()
	case caller.Kind == App && caller.AppID != "":
		app := strings.ToLower(caller.AppID)
		p, err = s.memory.get("app|"+tenant+"|"+app, func() (Publisher, error) {
			return s.store.PublisherOfApp(ctx, tenant, app)
		})
	case caller.Kind == User && caller.ObjectID != "":
		object := strings.ToLower(caller.ObjectID)
		p, err = s.memory.get("user|"+tenant+"|"+object, func() (Publisher, error) {
			return s.store.PublisherOfUser(ctx, tenant, object)
		})
	default:
		return "", foreign()
	}
	if fault.Is(err, fault.NotFound) {
		return "", foreign()
	}
	if err != nil {
		return "", fmt.Errorf("publisher of the caller: %w", err)
	}
	if _, listed := p.rolesOf(caller); !listed {
		return "", foreign()
	}
	return p.ID, nil
}

// Operator reports whether the caller is an application of the marketplace's staff.
func (s *Service) Operator(caller Caller) bool {
	return caller.Kind == App &&
		s.operators[Principal{strings.ToLower(caller.TenantID), strings.ToLower(caller.AppID)}]
}

// Register creates a publisher. Invalid with findings for what is wrong with it, Conflict "AlreadyExists" when
// its id is taken, Conflict "AppRegistrationInUse" when another publisher lists one of its applications.
// Registering the same publisher again changes nothing.
func (s *Service) Register(ctx context.Context, p Publisher) error {
	p = p.normal()
	if err := p.check(); err != nil {
		return err
	}
	if err := s.store.AddPublisher(ctx, p); err != nil {
		return fmt.Errorf("register publisher %s: %w", p.ID, err)
	}
	s.memory.clear()
	return nil
}
