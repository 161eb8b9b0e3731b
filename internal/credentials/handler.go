package credentials

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/thingd/thingd/internal/policy"
)

// expirationFormat is the one form that the Kinesis Video C SDK reads: twenty
// characters, in UTC.
const expirationFormat = "2006-01-02T15:04:05Z"

// answer is the body of a success. Clients scan it for the keys at any depth:
// it has no others (credentials-provider.md §2).
type answer struct {
	Credentials struct {
		AccessKeyID     string `json:"accessKeyId"`
		SecretAccessKey string `json:"secretAccessKey"`
		SessionToken    string `json:"sessionToken"`
		Expiration      string `json:"expiration"`
	} `json:"credentials"`
}

// refusal is an answer other than credentials.
type refusal struct {
	status  int
	errType string // x-amzn-ErrorType
	message string
	reason  string                    // for the log: what exactly was wrong
	explain func() policy.Explanation // where policies decided
}

// The refusals, in the order of the checks (credentials-provider.md §3).
func refuseCertificate(reason string) *refusal {
	return &refusal{status: http.StatusForbidden, errType: "AccessDeniedException", message: "Certificate is invalid on this endpoint", reason: reason}
}

func refuseThing(reason string) *refusal {
	return &refusal{status: http.StatusForbidden, errType: "AccessDeniedException", message: "Invalid thing name passed", reason: reason}
}

func refuseAccess(reason string) *refusal {
	return &refusal{status: http.StatusForbidden, errType: "AccessDeniedException", message: "Access Denied", reason: reason}
}

func refuseAlias() *refusal {
	return &refusal{status: http.StatusNotFound, errType: "ResourceNotFoundException", message: "Role alias does not exist", reason: "no such role alias"}
}

func refuseRole() *refusal {
	return &refusal{status: http.StatusBadRequest, errType: "InvalidRequestException", message: "Unable to assume the role, or the role to assume does not exist", reason: ErrCannotAssume.Error()}
}

func refuseDuration() *refusal {
	return &refusal{status: http.StatusBadRequest, errType: "InvalidRequestException", message: "The requested CredentialDurationSeconds exceeds the MaxSessionDuration set for the role", reason: ErrDurationExceeds.Error()}
}

// ServeHTTP answers with credentials or with the refusal that AWS gives.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := uuid.NewString()
	h := w.Header()
	h["x-amzn-RequestId"] = []string{id} // in AWS's own spelling
	alias, ok := aliasOf(r.URL)
	if !ok {
		p.write(w, http.StatusNotFound, trace{Message: "Not Found", TraceID: id})
		return
	}
	if r.Method != http.MethodGet {
		h.Set("Allow", http.MethodGet)
		p.write(w, http.StatusMethodNotAllowed, trace{Message: "Method Not Allowed", TraceID: id})
		return
	}
	req := &request{Request: r, provider: p, alias: alias, number: id}
	creds, no, err := req.decide(r.Context())
	switch {
	case err != nil && r.Context().Err() != nil:
		p.Log.Debug("credentials request given up", "request", id, "err", err)
		return
	case err != nil:
		p.Log.Error("credentials request failed", "request", id, "alias", clip(alias), "certificate", req.id, "err", err)
		no = &refusal{status: http.StatusInternalServerError, errType: "InternalFailureException", message: "Internal Failure"}
		req.record(id, nil, no)
		h["x-amzn-ErrorType"] = []string{no.errType}
		p.write(w, no.status, message{no.message})
	case no != nil:
		req.log(no)
		if req.note(no) {
			h.Set("X-Thingd-Explain", id)
		}
		req.record(id, nil, no)
		h["x-amzn-ErrorType"] = []string{no.errType}
		p.write(w, no.status, message{no.message})
	default:
		req.record(id, creds, nil)
		var a answer
		a.Credentials.AccessKeyID = creds.AccessKeyID
		a.Credentials.SecretAccessKey = creds.SecretAccessKey
		a.Credentials.SessionToken = creds.SessionToken
		a.Credentials.Expiration = creds.Expiration.UTC().Truncate(time.Second).Format(expirationFormat)
		h.Set("Cache-Control", "no-store")
		p.write(w, http.StatusOK, a)
	}
}

type message struct {
	Message string `json:"message"`
}

type trace struct {
	Message string `json:"message"`
	TraceID string `json:"traceId"`
}

// write sends JSON. Secrets and tokens are not escaped as for HTML: clients
// cut them out of the text as they stand.
func (p *Provider) write(w http.ResponseWriter, status int, body any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		p.Log.Error("encode answer", "err", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	text := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_, _ = w.Write(text) // the client is gone
}

// aliasOf takes the role alias out of the path, as escaped on the wire: an
// escaped slash belongs to the name. ok is false for any other path.
func aliasOf(u *url.URL) (alias string, ok bool) {
	alias, ok = strings.CutPrefix(u.EscapedPath(), "/role-aliases/")
	if !ok {
		return "", false
	}
	if alias, ok = strings.CutSuffix(alias, "/credentials"); !ok || alias == "" || strings.Contains(alias, "/") {
		return "", false
	}
	alias, err := url.PathUnescape(alias)
	return alias, err == nil
}
