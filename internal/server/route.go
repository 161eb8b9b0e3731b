package server

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/console"
)

// Router decides which service a request means, in this order: a root
// certificate's path; that of MQTT over WebSocket; the signing name in the
// credential scope; a role alias's credentials; a client certificate; where
// people sign in; the console's files; an STS action that needs no signature.
// Never the host name: SDK users set one endpoint URL for all services. It
// checks no signature and no certificate. Immutable.
type Router struct {
	// Services by signing name: iot, iotdata, iot-jobs-data, iam, sts,
	// kinesisvideo, thingd. A request whose Authorization cannot be read goes to the
	// one that it most looks like, to be refused in that one's words.
	Services map[string]http.Handler

	// WebSocket answers GET /mqtt; nil: it is answered as other paths are.
	WebSocket http.Handler

	// Credentials answers GET /role-aliases/{alias}/credentials, with a client
	// certificate or without.
	Credentials http.Handler

	// Device answers other requests that come with a client certificate and
	// no signature; nil: they are answered Not Found.
	Device http.Handler

	// SignIn answers /signin, /federation and /console, but not where devices
	// connect; nil: they are answered as other paths are.
	SignIn http.Handler

	// Console answers GET and HEAD of the console's own paths, but not where
	// devices connect; nil: they are answered as other paths are.
	Console http.Handler

	// RootPEM is the server root as it is now, for all who ask.
	RootPEM func() []byte

	// Refused is told of API calls that end here, before they are answered; may
	// be nil.
	Refused func(Refusal)
}

// ServeHTTP hands the request on.
func (rt *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if rootPath(r) != "" {
		rt.serveRoot(w, r)
		return
	}
	if rt.WebSocket != nil && isMQTTPath(r) {
		rt.WebSocket.ServeHTTP(w, r)
		return
	}
	signed, service := signingName(r)
	switch {
	case service != "":
		rt.serve(w, r, service)
	case signed:
		rt.serve(w, r, looksLike(r))
	case isCredentialsPath(requestPath(r)):
		if r.Method != http.MethodGet {
			w.Header().Set("Allow", http.MethodGet)
			answerJSON(w, http.StatusMethodNotAllowed, "MethodNotAllowedException", "Method Not Allowed", uuid.NewString(), true)
			return
		}
		rt.Credentials.ServeHTTP(w, r)
	case r.TLS != nil && len(r.TLS.PeerCertificates) > 0:
		if rt.Device == nil {
			answerJSON(w, http.StatusNotFound, "ResourceNotFoundException", "Not Found", uuid.NewString(), true)
			return
		}
		rt.Device.ServeHTTP(w, r)
	case onDevicePort(r):
		answerJSON(w, http.StatusForbidden, "ForbiddenException", "Forbidden", uuid.NewString(), true)
	case rt.SignIn != nil && isSignInPath(requestPath(r)):
		rt.SignIn.ServeHTTP(w, r)
	case rt.Console != nil && isConsole(r):
		rt.Console.ServeHTTP(w, r)
	default:
		rt.serveUnsigned(w, r)
	}
}

func (rt *Router) serveRoot(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-pem-file")
	root := rt.RootPEM()
	w.Header().Set("Content-Length", fmt.Sprint(len(root)))
	w.Header().Set("Cache-Control", "no-cache")
	if r.Method != http.MethodHead {
		_, _ = w.Write(root)
	}
}

// serve hands a request to the service that it is signed for.
func (rt *Router) serve(w http.ResponseWriter, r *http.Request, name string) {
	if name == "execute-api" { // what old SDKs sign iot with
		name = "iot"
	}
	h, ok := rt.Services[name]
	if !ok {
		why := fmt.Sprintf("thingd does not serve the service %.64q.", name)
		if action, _ := queryAction(r); action != "" { // its clients read XML
			answerXML(w, http.StatusNotImplemented, "", "NotImplementedException", why, rt.refused(r, name, action, "NotImplementedException", why))
			return
		}
		answerJSON(w, http.StatusNotImplemented, "NotImplementedException", why, rt.refused(r, name, "", "NotImplementedException", why), false)
		return
	}
	h.ServeHTTP(w, r)
}

// The XML namespaces of the two Query services, by API version.
var queryServices = map[string]struct{ name, namespace string }{
	"2010-05-08": {"iam", "https://iam.amazonaws.com/doc/2010-05-08/"},
	"2011-06-15": {"sts", "https://sts.amazonaws.com/doc/2011-06-15/"},
}

// unsignedActions are the STS actions that come without a signature (STS API
// reference: they "do not require the use of AWS security credentials").
var unsignedActions = map[string]bool{
	"AssumeRoleWithSAML":        true,
	"AssumeRoleWithWebIdentity": true,
}

// serveUnsigned answers a request without any credentials.
func (rt *Router) serveUnsigned(w http.ResponseWriter, r *http.Request) {
	action, version := queryAction(r)
	if action != "" {
		if unsignedActions[action] && rt.Services["sts"] != nil {
			rt.Services["sts"].ServeHTTP(w, r)
			return
		}
		q, ok := queryServices[version]
		if !ok {
			q = queryServices["2011-06-15"]
		}
		const code, why = "MissingAuthenticationToken", "Request is missing Authentication Token"
		answerXML(w, http.StatusForbidden, q.namespace, code, why, rt.refused(r, q.name, action, code, why))
		return
	}
	const code, why = "MissingAuthenticationTokenException", "Missing Authentication Token"
	answerJSON(w, http.StatusForbidden, code, why, rt.refused(r, looksLike(r), "", code, why), false)
}

// Refusal is an API call that no service was asked about.
type Refusal struct {
	HTTP          *http.Request
	ID            string // of the request
	Service       string // as the client says, or as its request looks
	Action        string // Query's, as the client says; empty for other protocols
	Code, Message string
}

// refused tells of a refusal before it is answered, and makes its request id.
func (rt *Router) refused(r *http.Request, service, action, code, message string) (id string) {
	id = uuid.NewString()
	if rt.Refused != nil {
		rt.Refused(Refusal{HTTP: r, ID: id, Service: service, Action: action, Code: code, Message: message})
	}
	return id
}

// signingName reads the service from a request's credential scope, as those
// who verify it will. signed says that the request has credentials of some
// kind, readable or not.
func signingName(r *http.Request) (signed bool, service string) {
	sig, err := sigv4.Parse(r)
	switch {
	case err != nil: // it will be refused, in the words of the service it names
		return true, namedService(r)
	case sig == nil:
		return false, ""
	}
	return true, sig.Service
}

// namedService looks for a credential scope in a signature that is faulty.
func namedService(r *http.Request) string {
	_, credential, ok := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	if !ok {
		credential = r.URL.Query().Get("X-Amz-Credential")
	}
	if i := strings.IndexAny(credential, ", "); i >= 0 {
		credential = credential[:i]
	}
	if parts := strings.Split(credential, "/"); len(parts) == 5 {
		return parts[3]
	}
	return ""
}

// looksLike guesses the service of a request whose scope cannot be read.
func looksLike(r *http.Request) string {
	if action, version := queryAction(r); action != "" {
		if q, ok := queryServices[version]; ok {
			return q.name
		}
		return "sts"
	}
	if strings.HasPrefix(requestPath(r), "/thingd/") {
		return "thingd"
	}
	if strings.HasPrefix(requestPath(r), "/fleet/") {
		return "fleet"
	}
	host, _, _ := strings.Cut(r.Host, ".")
	switch host {
	case "iam", "sts", "kinesisvideo":
		return host
	}
	if p := requestPath(r); r.Method == http.MethodPost && strings.Count(p, "/") == 1 && strings.ContainsAny(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		return "kinesisvideo" // /describeStream; the others have paths of nouns
	}
	return "iot"
}

// maxActionBytes is how much of a form is looked at for its Action, which
// clients send first.
const maxActionBytes = 64 << 10

// queryAction answers the Action and Version of a Query request, from the URL
// or the form in the body, which is left to be read again. Empty if it is not
// a Query request.
func queryAction(r *http.Request) (action, version string) {
	if strings.Contains(r.URL.RawQuery, "Action=") {
		q := r.URL.Query()
		return q.Get("Action"), q.Get("Version")
	}
	if r.Method != http.MethodPost || r.Body == nil {
		return "", ""
	}
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/x-www-form-urlencoded" {
		return "", ""
	}
	body := r.Body
	head, err := io.ReadAll(io.LimitReader(body, maxActionBytes))
	rest := io.Reader(body)
	if err != nil {
		rest = failing{err}
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), rest), body}
	for pair := range bytes.SplitSeq(head, []byte("&")) {
		k, v, _ := strings.Cut(string(pair), "=")
		if k != "Action" && k != "Version" {
			continue
		}
		v, err := url.QueryUnescape(v)
		if err != nil {
			continue
		}
		if k == "Action" {
			action = v
		} else {
			version = v
		}
	}
	return action, version
}

// failing is a body that could not be read on.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// isSignInPath recognizes the paths by which people sign in.
func isSignInPath(path string) bool {
	switch path {
	case "/signin", "/federation", "/console", "/console/":
		return true
	}
	return strings.HasPrefix(path, "/signin/")
}

// isConsole recognizes requests for the console's files. Query requests have the
// console's path, and an Action.
func isConsole(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && console.Serves(requestPath(r)) && !r.URL.Query().Has("Action")
}

// isCredentialsPath recognizes /role-aliases/{alias}/credentials.
func isCredentialsPath(path string) bool {
	rest, ok := strings.CutPrefix(path, "/role-aliases/")
	if !ok {
		return false
	}
	alias, ok := strings.CutSuffix(rest, "/credentials")
	return ok && alias != "" && !strings.Contains(alias, "/")
}
