package account

// CallerKind tells an application from a person.
type CallerKind string

// The kinds of caller. The zero value is an anonymous caller.
const (
	Anonymous       CallerKind = ""
	App             CallerKind = "app"
	User            CallerKind = "user"
	ManagedIdentity CallerKind = "managedIdentity"
)

// Caller is who a verified token speaks for. It says nothing of what the caller may do.
type Caller struct {
	Kind       CallerKind
	TenantID   string // directory of the caller, GUID in lower case
	AppID      string // client id of the application (appid or azp), GUID in lower case
	ObjectID   string // object id of the user or service principal in its tenant
	UPN        string // user principal name of a person
	Name       string // display name of a person
	ResourceID string // ARM id of the resource a managed identity belongs to, else empty
}
