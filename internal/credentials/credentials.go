// Package credentials is AWS IoT's credentials provider: it gives a device
// temporary credentials of a role for its X.509 certificate. It judges the
// request by what the registry knows of the certificate and by the
// certificate's IoT policies, and has the role assumed by who keeps roles; it
// stores nothing and decides everything anew at each request.
package credentials

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/thingd/thingd/internal/explain"
	"github.com/thingd/thingd/internal/policy"
)

// Certificate is what is registered of a certificate in one account and
// region.
type Certificate struct {
	Account, Region string
	ID, ARN         string
	Active          bool        // and not PENDING_…, INACTIVE or REVOKED
	Keys            policy.Keys // policy variables that it makes
}

// Thing is what is known of a thing that a device says it is.
type Thing struct {
	Attached bool   // to the certificate; false also when there is no such thing
	TypeName string // empty without a type
}

// Alias is a role alias.
type Alias struct {
	ARN      string
	RoleARN  string
	Duration time.Duration
}

// Devices answers questions about certificates. Its answers are of this
// moment: a status that changed counts from the next request on.
type Devices interface {
	// Certificate finds a certificate by its id and the server name that the
	// device asked for, which decides where several accounts have it. ok is
	// false when there is none, or none that belongs to the name.
	Certificate(ctx context.Context, id, serverName string) (c Certificate, ok bool, err error)
	// Thing finds a thing of the certificate's account and region.
	Thing(ctx context.Context, c *Certificate, name string) (Thing, error)
	// Policies are the IoT policies of the certificate.
	Policies(ctx context.Context, c *Certificate) ([]*policy.Policy, error)
}

// Aliases finds role aliases of a certificate's account and region. ok is
// false when there is none of that name.
type Aliases interface {
	RoleAlias(ctx context.Context, c *Certificate, name string) (a Alias, ok bool, err error)
}

// Roles assumes roles for the service credentials.iot.amazonaws.com. Errors
// are ErrCannotAssume, ErrDurationExceeds, or faults of the server.
type Roles interface {
	AssumeRole(ctx context.Context, s Session) (Credentials, error)
}

// Session is what a role is assumed with.
type Session struct {
	Account   string
	RoleARN   string
	Service   string // that the role has to trust
	Name      string // role session name: the certificate's id
	Duration  time.Duration
	Keys      map[string]string // context keys of all requests of the session
	SourceARN string            // of the role alias
	RequestID string            // under which a refusal is kept
}

// Credentials are temporary credentials.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string
	Expiration      time.Time
}

// Why a role is not assumed.
var (
	// ErrCannotAssume says that the role does not exist or does not trust the
	// service.
	ErrCannotAssume = errors.New("the role does not exist or does not trust " + ServiceName)
	// ErrDurationExceeds says that the role allows only shorter sessions.
	ErrDurationExceeds = errors.New("the duration exceeds the role's MaxSessionDuration")
)

// ServiceName is the principal that roles of role aliases have to trust.
const ServiceName = "credentials.iot.amazonaws.com"

// Provider is the http.Handler of GET /role-aliases/{alias}/credentials. Set
// all fields. It is safe for concurrent use.
type Provider struct {
	Devices  Devices
	Aliases  Aliases
	Roles    Roles
	Refusals *explain.Log // takes what registered devices are refused, for their accounts; Roles may add to it
	Log      *slog.Logger
	Now      func() time.Time
	Record   func(Outcome) // called once a request for an alias, before it is answered; may be nil
}

// Outcome is what becomes of a request for credentials, for records.
type Outcome struct {
	RequestID string
	HTTP      *http.Request

	Alias         string       // as asked for
	CertificateID string       // of the certificate that the client proved to have; empty without one
	Certificate   *Certificate // nil unless it is registered
	Thing         string       // that the client says it is

	AliasARN string // empty if it did not come to that, as the next one
	RoleARN  string

	ErrorType   string // empty on success
	Message     string // as answered
	Reason      string // more than is answered
	Credentials *Credentials
}
