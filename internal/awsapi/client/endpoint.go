package client

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/awsapi/sigv4"
)

// partition is what a region's name says of AWS's host names.
type partition struct {
	suffix    string
	iam       string // IAM is one for all regions, under this host
	iamRegion string // and signed for this one
}

func partitionOf(region string) partition {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return partition{"amazonaws.com.cn", "iam.cn-north-1.amazonaws.com.cn", "cn-north-1"}
	case strings.HasPrefix(region, "us-gov-"):
		return partition{"amazonaws.com", "iam.us-gov.amazonaws.com", "us-gov-west-1"}
	}
	return partition{"amazonaws.com", "iam.amazonaws.com", "us-east-1"}
}

// A region becomes part of a host name.
var regionName = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)

// endpoints remembers endpoints that a service was asked for. The zero value is
// ready to use. It is safe for concurrent use.
type endpoints struct {
	mu    sync.Mutex
	known map[endpointOf]string
}

type endpointOf struct{ accessKeyID, region, stream, what string }

const maxEndpoints = 4096

func (e *endpoints) get(of endpointOf) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.known[of]
}

func (e *endpoints) set(of endpointOf, url string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.known == nil || len(e.known) >= maxEndpoints {
		e.known = map[endpointOf]string{}
	}
	e.known[of] = url
}

// awsEndpoint is AWS's own base URL for a call: by service and region, or the
// one that the account or the stream was given.
func (c *Client) awsEndpoint(ctx context.Context, s *awsapi.Service, op *awsapi.Operation, params []byte, region string, cred sigv4.Credentials) (string, error) {
	p := partitionOf(region)
	of := endpointOf{accessKeyID: cred.AccessKeyID, region: region}
	switch s.Name {
	case "iam":
		return "https://" + p.iam, nil
	case "iotdata":
		of.what = "iot:Data-ATS"
	case "iotjobs":
		of.what = "iot:Jobs"
	case "kvmedia", "kvarchive":
		return c.streamEndpoint(ctx, op, params, of, cred)
	default:
		return "https://" + s.Name + "." + region + "." + p.suffix, nil
	}
	if known := c.state.endpoints.get(of); known != "" {
		return known, nil
	}
	var out struct {
		EndpointAddress string `json:"endpointAddress"`
	}
	if err := c.ask(ctx, "iot", "DescribeEndpoint", map[string]string{"endpointType": of.what}, region, cred, &out); err != nil {
		return "", err
	}
	if out.EndpointAddress == "" {
		return "", fmt.Errorf("DescribeEndpoint answered no address for %s", of.what)
	}
	c.state.endpoints.set(of, "https://"+out.EndpointAddress)
	return "https://" + out.EndpointAddress, nil
}

// streamEndpoint asks where an API of a stream is.
func (c *Client) streamEndpoint(ctx context.Context, op *awsapi.Operation, params []byte, of endpointOf, cred sigv4.Credentials) (string, error) {
	var stream struct{ StreamName, StreamARN string }
	if err := json.Unmarshal(params, &stream); err != nil {
		return "", err
	}
	in := map[string]string{"APIName": apiName(op.Name)}
	if stream.StreamARN != "" {
		in["StreamARN"] = stream.StreamARN
	} else {
		in["StreamName"] = stream.StreamName
	}
	of.stream, of.what = stream.StreamName+"|"+stream.StreamARN, in["APIName"]
	if known := c.state.endpoints.get(of); known != "" {
		return known, nil
	}
	var out struct{ DataEndpoint string }
	if err := c.ask(ctx, "kinesisvideo", "GetDataEndpoint", in, of.region, cred, &out); err != nil {
		return "", err
	}
	if out.DataEndpoint == "" {
		return "", fmt.Errorf("GetDataEndpoint answered none")
	}
	c.state.endpoints.set(of, out.DataEndpoint)
	return out.DataEndpoint, nil
}

// apiName is an operation's name as GetDataEndpoint has it:
// GetHLSStreamingSessionURL is GET_HLS_STREAMING_SESSION_URL.
func apiName(operation string) string {
	var b []byte
	upper := func(i int) bool {
		return i >= 0 && i < len(operation) && operation[i] >= 'A' && operation[i] <= 'Z'
	}
	for i := range len(operation) {
		// A capital begins a word after a small letter, or before one.
		if i > 0 && upper(i) && (!upper(i-1) || i+1 < len(operation) && !upper(i+1)) {
			b = append(b, '_')
		}
		b = append(b, operation[i])
	}
	return strings.ToUpper(string(b))
}

func (c *Client) ask(ctx context.Context, service, operation string, in map[string]string, region string, cred sigv4.Credentials, out any) error {
	params, err := json.Marshal(in)
	if err != nil {
		return err
	}
	answer, err := c.Do(ctx, Call{Service: service, Operation: operation, Params: params, Region: region, Credentials: cred})
	if err != nil {
		return err
	}
	return json.Unmarshal(answer, out)
}
