// Package awsapi is the server's side of the AWS API protocols. Generated
// packages (internal/api/...) describe services as tables of operations;
// awsapi routes a request to its operation, has its caller authenticated and
// authorized, decodes and validates the input, calls the one method that
// serves it, and encodes the answer or the error as AWS would. It knows the
// wire and the order of things, and leaves meaning to the domains.
package awsapi

import (
	"context"
	"fmt"
	"io"
	"reflect"
	"sync"
	"time"
)

// Protocol is one of AWS's wire protocols.
type Protocol int

// The protocols of the services that thingd serves.
const (
	RESTJSON Protocol = iota // REST paths, JSON bodies
	Query                    // form-encoded requests, XML answers
)

// Service describes one AWS API. Generated; immutable but
// for the codec's plans, which are made as they are needed.
type Service struct {
	Name        string // package name: "iot"
	Title       string // AWS's full name
	SigningName string // service part of the credential scope
	Version     string // API version, "2015-05-28"
	Protocol    Protocol
	Namespace   string // XML namespace of Query answers

	ActionPrefix string // "iot" in iot:CreateThing
	ARNService   string // service part of its resource ARNs
	InvalidCode  string // error code of a request that fails validation
	InternalCode string // error code of our own faults
	MaxBodyBytes int64  // larger bodies are refused with 413

	Shapes     Shapes
	Operations []*Operation

	planner planner
}

// Operation describes one operation. Generated; immutable but for the codec
// plan, which is made at its first use.
type Operation struct {
	Name          string
	Method, URI   string        // HTTP form, as in the model
	Resource      string        // what it is authorized on; see Operation.authorization
	Action        string        // IAM action where it is not prefix:Name
	Status        int           // HTTP status of success; 0 is 200
	ResultWrapper string        // Query: element around the result
	Unsigned      bool          // may come without a signature
	UnsignedBody  bool          // clients sign UNSIGNED-PAYLOAD in place of the body's hash
	RefusalDelay  time.Duration // errors are answered no sooner
	Errors        []string      // that AWS documents, by the names of their shapes

	New  func() any       // a fresh *Input
	Out  any              // a nil *Output, for its type
	Bind func(any) Method // the method of an implementation, or nil
	once sync.Once
	in   *structPlan
	out  *structPlan
	err  error
}

// Method is an operation's implementation behind its types.
type Method func(ctx context.Context, in any) (any, error)

// Call makes a Method of an implementation's method.
func Call[I, O any](f func(context.Context, *I) (*O, error)) Method {
	return func(ctx context.Context, in any) (any, error) {
		out, err := f(ctx, in.(*I))
		if err != nil {
			return nil, err
		}
		return out, nil
	}
}

// Stream is the payload of a streaming answer: the runtime sends the header
// and then runs it. What it returns after its first byte can only be logged.
type Stream func(w *StreamWriter) error

// Resolver is implemented by a domain with operations whose resource one ARN
// template cannot say (Resource "@"). Resolve looks up once what the request
// is about; the method acts on exactly that, by Target(ctx).
type Resolver interface {
	Resolve(ctx context.Context, op *Operation, in any) (*Resolution, error)
}

// Resolution is what a request needs to be allowed, and what it is about.
type Resolution struct {
	Checks []Check // all must be allowed; at least one
	Target any     // handed to the method
}

// Check is one question to the authorizer.
type Check struct {
	Action   string              // "iot:CreateThing"; empty means the operation's own
	Resource string              // an ARN, or "*"
	Keys     map[string][]string // condition keys of this check
}

// API is a service with its implementations bound to it.
type API struct {
	*Service
	methods   map[*Operation]Method
	resolvers map[*Operation]Resolver
	routes    *routeTree            // RESTJSON
	byAction  map[string]*Operation // Query
}

// Bind gives each operation the one implementation that has its method; the
// others answer 501. Two owners of an operation, a method with an operation's
// name and another signature, an owned operation without a resource, or a
// resource that is to be resolved without a Resolver are programmer's
// mistakes: Bind panics.
func (s *Service) Bind(impls ...any) *API {
	a := &API{Service: s, methods: map[*Operation]Method{}, resolvers: map[*Operation]Resolver{}, byAction: map[string]*Operation{}}
	if s.Protocol == RESTJSON {
		a.routes = newRouteTree(s)
	}
	for _, op := range s.Operations {
		a.byAction[op.Name] = op
		for _, impl := range impls {
			m := op.Bind(impl)
			if m == nil {
				if _, has := reflect.TypeOf(impl).MethodByName(op.Name); has {
					panic(fmt.Sprintf("awsapi: %T.%s does not have the signature of %s's operation", impl, op.Name, s.Name))
				}
				continue
			}
			if a.methods[op] != nil {
				panic(fmt.Sprintf("awsapi: two implementations of %s.%s, the second is %T", s.Name, op.Name, impl))
			}
			a.methods[op] = m
			switch {
			case op.Resource == "":
				panic(fmt.Sprintf("awsapi: %s.%s is served but internal/api/overlay/%s.json does not say on what it is authorized", s.Name, op.Name, s.Name))
			case op.Resource[0] == '@':
				r, ok := impl.(Resolver)
				if !ok {
					panic(fmt.Sprintf("awsapi: %T serves %s.%s, whose resource is to be resolved, without a Resolve method", impl, s.Name, op.Name))
				}
				a.resolvers[op] = r
			}
		}
	}
	return a
}

// Implemented says whether an operation is served.
func (a *API) Implemented(name string) bool {
	op := a.byAction[name]
	return op != nil && a.methods[op] != nil
}

// FullAction is the IAM action of an operation: "iot:CreateThing".
func (s *Service) FullAction(op *Operation) string {
	if op.Action != "" {
		return op.Action
	}
	return s.ActionPrefix + ":" + op.Name
}

// Shapes are the constraints of a service's shapes, by name.
type Shapes map[string]Shape

// Shape is what Go's types cannot say of a shape.
type Shape struct {
	Min, Max                        *float64 // of a length, of a number of items, or of a number
	Pattern                         string   // as AWS spells it, whole value
	Regexp                          string   // the same for Go, where it differs
	Enum                            []string
	Sensitive, Flattened, JSONValue bool
	Time                            string // iso8601, unixTimestamp, rfc822
	Member, MemberName              string // of a list
	Key, KeyName, Value, ValueName  string // of a map
}

// Limit is for shape tables.
func Limit(n float64) *float64 { return &n }

var _ io.Writer = (*StreamWriter)(nil)
