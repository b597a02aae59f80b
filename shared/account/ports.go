package account

import "context"

// Store keeps publishers. Tenant, application and object ids are GUIDs in lower case.
type Store interface {
	// Publisher reads one publisher; NotFound.
	Publisher(ctx context.Context, id string) (Publisher, error)
	// PublisherOfApp finds the one publisher that lists the application of that tenant; NotFound.
	PublisherOfApp(ctx context.Context, tenantID, appID string) (Publisher, error)
	// PublisherOfUser finds the publisher that lists the person; NotFound. Of several it is the first that
	// was registered.
	PublisherOfUser(ctx context.Context, tenantID, objectID string) (Publisher, error)
	// AddPublisher creates a publisher. Conflict "AlreadyExists" when another has its id, Conflict
	// "AppRegistrationInUse" when another lists one of its applications. Adding the same publisher again is
	// no error.
	AddPublisher(ctx context.Context, p Publisher) error
}
