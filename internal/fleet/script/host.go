package script

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/thingd/thingd/internal/fleet/model"
)

// Info is what a device knows of itself and of its run. Maps and pointers in
// it are shared by all devices of a run and never written to.
type Info struct {
	// Client is the device's number: the run's offset and its index.
	Client int
	// Clients is how many devices the run has.
	Clients int
	// Index is the device's place in the run, from 0.
	Index int
	// RunID names the run: jobId() of scripts.
	RunID string
	// Seed is the run's. A device's values come of it and of Client.
	Seed uint64
	// Settings are the values of the model's settings by name; scripts read
	// those, and the defaults of the model where there is none.
	Settings map[string]string
	// Run are the settings of the run; nil are those of the model.
	Run *model.RunSettings
	// Environment are further values, such as region and endpoint: environment.NAME.
	Environment map[string]string
}

// Host is a device's surroundings: the engine. Its methods are called on the
// goroutine that called the Device, with a context that ends with that call's.
// While one runs, the script's clock stands still, and it may call Message of
// the same device on its own goroutine. What it returns as an error is an
// exception in the script, which the script may catch; errors of the context
// are none, they end the call.
type Host interface {
	// Now is the run's clock.
	Now() time.Time
	// Sleep waits on the run's clock and hands received messages to
	// Device.Message meanwhile.
	Sleep(ctx context.Context, d time.Duration) error
	// Receive waits until ctx ends, in real time whatever the run's clock is,
	// and hands received messages to Device.Message meanwhile. It returns nil
	// when ctx ends, and an error at once if no message can come any more, or
	// the connection breaks on which the last message was published.
	Receive(ctx context.Context) error

	// Publish sends a message; of QoS 1 and 2 it returns once that is
	// acknowledged. The payload is the host's from then on.
	Publish(ctx context.Context, m Message) error
	// Subscribe holds until Unsubscribe, also after a reconnection.
	Subscribe(ctx context.Context, filter string, qos byte) error
	Unsubscribe(ctx context.Context, filter string) error
	Connected() bool
	Connect(ctx context.Context) error
	Disconnect(ctx context.Context) error

	// AWS calls an operation of an AWS API. What AWS refuses is an *AWSError.
	AWS(ctx context.Context, c Call) (json.RawMessage, error)
	HTTP(ctx context.Context, r HTTPRequest) (*HTTPResponse, error)
	// PutMedia sends video to a stream of Kinesis Video; it answers with a
	// summary of the acknowledgements.
	PutMedia(ctx context.Context, m Media) (json.RawMessage, error)

	Glob() Glob
	// Log takes a line; level is "debug", "info", "warn" or "error".
	Log(level, text string)
	Metric(m Metric)
	// Once has do called by one device of the run for each name, and gives its
	// result to all; an error is given to all as well. It calls do on the
	// caller's goroutine.
	Once(ctx context.Context, name string, do func() (json.RawMessage, error)) (json.RawMessage, error)
}

// Glob is shared, durable storage: JSON values by key. A key has 1 to 512
// bytes, a value up to 256 KiB. It is safe for concurrent use.
type Glob interface {
	// Get tells by its second result whether there is such a key.
	Get(ctx context.Context, key string) (json.RawMessage, bool, error)
	Set(ctx context.Context, key string, value json.RawMessage) error
	// Delete of a key that is not there is no error.
	Delete(ctx context.Context, key string) error
	// List is up to limit keys with the prefix that come after the key after,
	// in order of their bytes.
	List(ctx context.Context, prefix, after string, limit int) ([]string, error)
}

// Message is an MQTT message.
type Message struct {
	Topic   string
	Payload []byte
	QoS     byte
	Retain  bool
	// Properties are user properties of MQTT 5, and by these names its own:
	// contentType, responseTopic, correlationData. Others' names win no meaning.
	Properties map[string]string
}

// Call is a call of an AWS API. Empty credentials, region and endpoint are the
// run's own.
type Call struct {
	Service   string // as AWS's endpoints spell it: iot, iam, sts, kinesisvideo, iot-data …
	Operation string // AWS's name: CreateThing
	Params    json.RawMessage

	AccessKeyID, SecretAccessKey, SessionToken string
	Region                                     string
	Endpoint                                   string // URL
}

// AWSError is a refusal of an AWS API. In scripts it is an exception with code,
// message and statusCode.
type AWSError struct {
	Code    string
	Message string
	Status  int
}

func (e *AWSError) Error() string {
	if e.Message == "" {
		return e.Code
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Message)
}

// HTTPRequest is a request of a script.
type HTTPRequest struct {
	Method  string
	URL     string
	Header  map[string]string
	Body    []byte
	Timeout time.Duration // 0: the host's
	// Certificate and Key authenticate the device, PEM.
	Certificate, Key string
}

// HTTPResponse is what came back; its body is bounded by the host.
type HTTPResponse struct {
	Status int
	Header map[string]string // names in lower case
	Body   []byte
}

// Media is video to be sent with PutMedia.
type Media struct {
	StreamName, StreamARN string
	// Body is the Matroska body; nil has the host make one.
	Body []byte
	// Duration, FPS, Bitrate (bits a second) and FragmentDuration are of video
	// that the host makes; 0 is the host's choice.
	Duration         time.Duration
	FPS              float64
	Bitrate          int
	FragmentDuration time.Duration

	AccessKeyID, SecretAccessKey, SessionToken string
	Region                                     string
	Endpoint                                   string // URL of Kinesis Video
}

// Metric is one value of a metric of the model's own.
type Metric struct {
	Name string
	// Kind is "counter" (Value is added), "gauge" (Value is it), "trend"
	// (Value is one sample) or "rate" (Value is 1 for yes, 0 for no).
	Kind  string
	Value float64
}
