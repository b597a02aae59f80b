package identity

import (
	"crypto/subtle"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxForm bounds the body of a token request.
const maxForm = 64 << 10

// token serves a token endpoint.
func (i *Issuer) token(v version) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		form, no := readForm(w, r)
		if no != nil {
			i.writeRefusal(w, r, no)
			return
		}
		tenant, no := i.directory(r.PathValue("tenant"))
		if no != nil {
			i.writeRefusal(w, r, no)
			return
		}
		who, audience, no := i.grant(v, tenant, form)
		if no != nil {
			i.writeRefusal(w, r, no)
			return
		}
		i.answer(w, r, v, who, audience)
	}
}

// fields are the parameters of a token request by lower-case name.
type fields map[string]string

// readForm reads the parameters; their names are matched without case (MTR-26). The first of several counts.
func readForm(w http.ResponseWriter, r *http.Request) (fields, *refusal) {
	if r.Method != http.MethodPost {
		return nil, refuse("invalid_request", 900561,
			"The endpoint only accepts POST requests. Received a %s request.", quoted(r.Method))
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" {
		return nil, missing("grant_type")
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return nil, refuse("invalid_request", 90014, "The request body is not a readable form.")
	}
	form := fields{}
	for _, name := range slices.Sorted(maps.Keys(r.PostForm)) {
		lower := strings.ToLower(name)
		if _, seen := form[lower]; !seen {
			form[lower] = strings.TrimSpace(r.PostForm[name][0])
		}
	}
	if id, secret, ok := r.BasicAuth(); ok {
		form["client_id"], form["client_secret"] = unescaped(id), unescaped(secret)
	}
	return form, nil
}

// unescaped undoes the form encoding that OAuth puts on ids and secrets in a Basic header.
func unescaped(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}

// grant decides whom a token is for and for which audience.
func (i *Issuer) grant(v version, tenant string, form fields) (subject, string, *refusal) {
	switch kind := form["grant_type"]; kind {
	case "client_credentials":
		return i.clientCredentials(v, tenant, form)
	case "password":
		return i.password(v, tenant, form)
	case "":
		return subject{}, "", missing("grant_type")
	default:
		return subject{}, "", refuse("unsupported_grant_type", 70003,
			"The app requested an unsupported grant type '%s'.", quoted(kind))
	}
}

// clientCredentials proves an application by its secret.
func (i *Issuer) clientCredentials(v version, tenant string, form fields) (subject, string, *refusal) {
	id := form["client_id"]
	if id == "" {
		return subject{}, "", missing("client_id")
	}
	if tenant == "" {
		return subject{}, "", refuse("invalid_request", 50059, "No tenant-identifying information found in either "+
			"the request or implied by any provided credentials.")
	}
	app, ok := i.options.Fixtures.app(tenant, id)
	if !ok {
		return subject{}, "", unknownApp(id, tenant)
	}
	secret := form["client_secret"]
	if secret == "" {
		return subject{}, "", refuse("invalid_client", 7000216, "'client_assertion', 'client_secret' or 'request' is "+
			"required for the 'client_credentials' grant type.")
	}
	if !same(secret, app.Secret) {
		return subject{}, "", refuse("invalid_client", 7000215, "Invalid client secret provided. Ensure the secret "+
			"being sent in the request is the client secret value, not the client secret ID, for a secret added to "+
			"app '%s'.", app.AppID)
	}
	audience, no := i.audience(v, tenant, form, true)
	if no != nil {
		return subject{}, "", no
	}
	id = strings.ToLower(app.AppID)
	return subject{tenant: tenant, client: id, object: ServicePrincipalID(tenant, id), roles: app.Roles}, audience, nil
}

// password proves a person by name and password.
func (i *Issuer) password(v version, tenant string, form fields) (subject, string, *refusal) {
	for _, name := range []string{"client_id", "username", "password"} {
		if form[name] == "" {
			return subject{}, "", missing(name)
		}
	}
	if !strings.EqualFold(form["client_id"], localClient) {
		return subject{}, "", unknownApp(form["client_id"], tenant)
	}
	user, home, ok := i.options.Fixtures.user(tenant, form["username"])
	if !ok {
		return subject{}, "", refuse("invalid_grant", 50034, "The user account {EmailHidden} does not exist in the %s "+
			"directory. To sign into this application, the account must be added to the directory.", tenant)
	}
	if !same(form["password"], user.Password) {
		return subject{}, "", refuse("invalid_grant", 50126,
			"Error validating credentials due to invalid username or password.")
	}
	audience, no := i.audience(v, home, form, false)
	if no != nil {
		return subject{}, "", no
	}
	return subject{tenant: home, client: localClient, object: strings.ToLower(user.ObjectID), user: &user}, audience, nil
}

func unknownApp(id, tenant string) *refusal {
	return refuse("unauthorized_client", 700016, "Application with identifier '%s' was not found in the directory "+
		"'%s'. This can happen if the application has not been installed by the administrator of the tenant or "+
		"consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.",
		quoted(id), tenant)
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// audience finds the resource of a request: field resource at the v1 endpoint, the scope at the v2 endpoint.
func (i *Issuer) audience(v version, tenant string, form fields, app bool) (string, *refusal) {
	if v == v1 {
		if form["resource"] == "" {
			return "", missing("resource")
		}
		return i.resource(form["resource"], tenant)
	}
	if form["scope"] == "" {
		return "", missing("scope")
	}
	var resources []string
	for _, scope := range strings.Fields(form["scope"]) {
		if slices.Contains([]string{"openid", "profile", "email", "offline_access"}, scope) && !app {
			continue
		}
		cut := strings.LastIndexByte(scope, '/')
		if cut <= 0 || app && scope[cut:] != "/.default" {
			return "", refuse("invalid_scope", 1002012, "The provided value for scope %s is not valid. Client "+
				"credential flows must have a scope value with /.default suffixed to the resource identifier "+
				"(application ID URI).", quoted(scope))
		}
		if !slices.Contains(resources, scope[:cut]) {
			resources = append(resources, scope[:cut])
		}
	}
	if len(resources) != 1 {
		return "", refuse("invalid_scope", 70011, "The provided request must include a 'scope' input parameter. The "+
			"provided value for the input parameter 'scope' is not valid. The scope %s must name one resource.",
			quoted(form["scope"]))
	}
	return i.resource(resources[0], tenant)
}

// answerV1 is the answer of the v1 endpoint: all values are strings (MTR-27).
type answerV1 struct {
	TokenType    string `json:"token_type"`
	Scope        string `json:"scope,omitempty"`
	ExpiresIn    string `json:"expires_in"`
	ExtExpiresIn string `json:"ext_expires_in"`
	ExpiresOn    string `json:"expires_on"`
	NotBefore    string `json:"not_before"`
	Resource     string `json:"resource"`
	AccessToken  string `json:"access_token"`
	ClientID     string `json:"client_id,omitempty"` // the managed-identity endpoint says it
}

// answerV2 is the answer of the v2 endpoint: seconds are numbers.
type answerV2 struct {
	TokenType    string `json:"token_type"`
	Scope        string `json:"scope,omitempty"`
	ExpiresIn    int64  `json:"expires_in"`
	ExtExpiresIn int64  `json:"ext_expires_in"`
	AccessToken  string `json:"access_token"`
}

// answer signs the token and sends it.
func (i *Issuer) answer(w http.ResponseWriter, r *http.Request, v version, who subject, audience string) {
	now := i.options.Now()
	signed, err := i.Sign(v.claims(who, audience, now))
	if err != nil {
		i.options.Log.ErrorContext(r.Context(), "token not signed", "error", err)
		writeJSON(w, http.StatusInternalServerError, map[string]string{"error": "server_error"})
		return
	}
	i.options.Log.InfoContext(r.Context(), "token issued", "tenant", who.tenant, "client", who.client, "audience", audience)
	scope := ""
	if who.user != nil {
		scope = "user_impersonation"
	}
	seconds := int64(life / time.Second)
	if v == v2 {
		if scope != "" {
			scope = audience + "/" + scope
		}
		writeJSON(w, http.StatusOK, answerV2{TokenType: "Bearer", Scope: scope, ExpiresIn: seconds,
			ExtExpiresIn: seconds, AccessToken: signed})
		return
	}
	body := answerV1{
		TokenType: "Bearer", Scope: scope, ExpiresIn: strconv.FormatInt(seconds, 10), ExtExpiresIn: "0",
		ExpiresOn: unix(now.Add(life)), NotBefore: unix(now), Resource: audience, AccessToken: signed,
	}
	if who.resource != "" {
		body.ClientID = who.client
	}
	writeJSON(w, http.StatusOK, body)
}

func unix(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }
