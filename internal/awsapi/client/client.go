// Package client calls AWS's APIs by their models, as the SDKs do: any operation
// of the services that internal/api has, by its name, with parameters as JSON. It
// signs, finds the endpoint, repeats what was throttled or broke off, and answers
// JSON whatever the protocol. It speaks to AWS and to what speaks AWS's protocols
// alike. Streaming (PutMedia, GetMedia) is package kvs's.
package client

import (
	"context"
	"encoding/json"
	"net/http"

	"golang.org/x/sync/semaphore"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
)

// Client makes calls. Its fields are set before its first call; the zero value
// calls AWS itself. It is safe for concurrent use.
type Client struct {
	// Endpoint is the base URL of all services; "" stands for AWS's own.
	Endpoint string
	// Region is the one of calls that name none.
	Region string
	// Credentials are those of calls that bring none.
	Credentials sigv4.Credentials
	// HTTP makes the requests; nil stands for NewHTTP(nil, nil). It must not
	// follow redirects, which a signature does not survive.
	HTTP *http.Client
	// InFlight bounds the calls on their way at once, one of its units each; nil
	// stands for 16 of the client's own. A call keeps its unit while it pauses:
	// a service that throttles is not asked by ever more callers meanwhile.
	InFlight *semaphore.Weighted
	// Attempts is how often a call is tried at most; 0 stands for 10.
	Attempts int

	state state
}

// Call is one call of an operation.
type Call struct {
	Service   string // "iot", "iot-data" …: the AWS CLI's or our name
	Operation string // "CreateThing" or "createThing"
	// Params is a JSON object of the input's members by the model's names;
	// empty stands for {}. Blobs are base64, or an object or a list that is sent
	// as its JSON; timestamps are epoch seconds or ISO 8601.
	Params json.RawMessage
	// Credentials, Region and Endpoint stand in for the client's where they are set.
	Credentials sigv4.Credentials
	Region      string
	Endpoint    string
}

// Call calls an operation with the client's own credentials and region. params
// is nil or anything that marshals to a JSON object.
func (c *Client) Call(ctx context.Context, service, operation string, params any) (json.RawMessage, error) {
	var b []byte
	if params != nil {
		var err error
		if b, err = json.Marshal(params); err != nil {
			return nil, err
		}
	}
	return c.Do(ctx, Call{Service: service, Operation: operation, Params: b})
}
