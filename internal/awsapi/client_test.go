package awsapi_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/api/iotdata"
	"github.com/thingd/thingd/internal/api/kinesisvideo"
	"github.com/thingd/thingd/internal/awsapi"
)

// clientDiffers are the cases of which a client of ours makes something else,
// and why that is as good.
var clientDiffers = map[string]string{
	"output/rest-json.json: Ignores extra data #0":       "what the model does not know is left in",
	"output/rest-json.json: Ignores undefined output #0": "an operation without output has an empty result",
}

// TestProtocolsOfClients: the models' protocol tests, from the client's side.
func TestProtocolsOfClients(t *testing.T) {
	for _, suite := range protocolSuites {
		for i, c := range suite.Cases {
			name := fmt.Sprintf("%s #%d", suite.Name, i)
			t.Run(name, func(t *testing.T) {
				if suite.Input {
					testClientInput(t, suite, c)
				} else {
					testClientOutput(t, name, suite, c)
				}
			})
		}
	}
}

var madeUp = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

func testClientInput(t *testing.T, suite protocolSuite, c protocolCase) {
	s := suite.Service
	in, err := s.Input(c.Op, memberJSON(t, reflect.TypeOf(c.Op.New()).Elem(), parseJSON(t, c.Value)))
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Request(c.Op, in)
	if err != nil {
		t.Fatal(err)
	}
	if r.Method != c.Op.Method {
		t.Errorf("method %s, want %s", r.Method, c.Op.Method)
	}
	if got, want := sortedQuery(r.Target), sortedQuery(c.URI); got != want {
		t.Errorf("target %s, want %s", got, want)
	}
	for k, v := range c.Headers {
		if got := r.Header.Get(k); got != v {
			t.Errorf("header %s is %q, want %q", k, got, v)
		}
	}
	body := madeUp.ReplaceAllString(string(r.Body), "00000000-0000-4000-8000-000000000000")
	switch {
	case s.Protocol == awsapi.Query:
		if got, want := formOf(t, body), formOf(t, c.Body); !reflect.DeepEqual(got, want) {
			// The entries of a map have no order.
			post := httptest.NewRequest(http.MethodPost, "/", nil)
			a, aerr := s.Decode(c.Op, post, []byte(body))
			b, berr := s.Decode(c.Op, post, []byte(c.Body))
			if aerr != nil || berr != nil || !reflect.DeepEqual(a, b) || len(got) != len(want) {
				t.Errorf("\n got %v, %v\nwant %v, %v", got, aerr, want, berr)
			}
		}
	case strings.HasPrefix(c.Body, "{"):
		if got, want := show(parseJSON(t, body)), show(parseJSON(t, c.Body)); got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
	case body == "{}" && c.Body == "": // without members that are set; either will do
	default:
		if body != c.Body {
			t.Errorf("body %q, want %q", body, c.Body)
		}
	}
}

func formOf(t *testing.T, body string) url.Values {
	t.Helper()
	v, err := url.ParseQuery(body)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// sortedQuery is a target whose parameters are in the order of their names.
func sortedQuery(target string) string {
	path, query, _ := strings.Cut(target, "?")
	pairs := strings.Split(query, "&")
	slices.Sort(pairs)
	return path + "?" + strings.Join(pairs, "&")
}

func testClientOutput(t *testing.T, name string, suite protocolSuite, c protocolCase) {
	h := http.Header{}
	for k, v := range c.Headers {
		h.Set(k, v)
	}
	got, err := suite.Service.Result(c.Op, c.Status, h, []byte(c.Body))
	if err != nil {
		t.Fatal(err)
	}
	if why, ok := clientDiffers[name]; ok {
		t.Log(why)
		return
	}
	// As an input of the result's type, which knows all members' names.
	typ := reflect.TypeOf(c.New()).Elem()
	reader := &awsapi.Service{Protocol: suite.Service.Protocol, Shapes: suite.Service.Shapes}
	decode := func(b []byte) (any, error) {
		op := &awsapi.Operation{Name: "Result", New: c.New, Out: (*protocolNothing)(nil)}
		return reader.Input(op, b)
	}
	have, err := decode(got)
	if err != nil {
		t.Fatalf("%s: %v", got, err)
	}
	want, err := decode(memberJSON(t, typ, parseJSON(t, c.Value)))
	if err != nil {
		t.Fatal(err)
	}
	sameStreams(t, reflect.ValueOf(have).Elem(), reflect.ValueOf(want).Elem())
	if a, b := show(have), show(want); a != b {
		t.Errorf("%s\n got %s\nwant %s", got, a, b)
	}
}

// memberJSON makes a suite's value what clients are given: blobs as base64.
func memberJSON(t *testing.T, typ reflect.Type, v any) []byte {
	t.Helper()
	return []byte(show(base64Blobs(typ, v)))
}

func base64Blobs(typ reflect.Type, v any) any {
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	switch v := v.(type) {
	case string:
		if typ == reflect.TypeFor[[]byte]() || typ == reflect.TypeFor[io.ReadCloser]() || typ == reflect.TypeFor[awsapi.Stream]() {
			return base64.StdEncoding.EncodeToString([]byte(v))
		}
	case []any:
		if typ.Kind() == reflect.Slice {
			for i := range v {
				v[i] = base64Blobs(typ.Elem(), v[i])
			}
		}
	case map[string]any:
		for k := range v {
			switch typ.Kind() {
			case reflect.Map:
				v[k] = base64Blobs(typ.Elem(), v[k])
			case reflect.Struct:
				if f, ok := typ.FieldByName(strings.ToUpper(k[:1]) + k[1:]); ok {
					v[k] = base64Blobs(f.Type, v[k])
				}
			}
		}
	}
	return v
}

// What is wrong with parameters is named.
func TestClientParameters(t *testing.T) {
	for _, c := range []struct {
		s      *awsapi.Service
		op     string
		params string
		want   string
	}{
		{iot.Service, "CreateThing", `{"thingNme":"a"}`, "there is no parameter thingNme; there are attributePayload, billingGroupName, thingName, thingTypeName"},
		{iot.Service, "CreateThing", `{"thingName":5}`, "the parameter thingName is a number, not a string"},
		{iot.Service, "CreateThing", `{"thingName":"a","attributePayload":{"attributes":{"k":true}}}`, "the parameter attributePayload.attributes.k is true or false, not a string"},
		{iot.Service, "CreateThing", `{"thingName":"a","attributePayload":[]}`, "the parameter attributePayload is a list, not an object"},
		{iot.Service, "CreateThing", `{}`, "Value null at 'thingName' failed to satisfy constraint: Member must not be null"},
		{iot.Service, "CreateThing", ``, "Value null at 'thingName' failed to satisfy constraint: Member must not be null"},
		{iot.Service, "CreateThing", `{"thingName":null}`, "Value null at 'thingName' failed to satisfy constraint: Member must not be null"},
		{iot.Service, "CreateThing", `{"thingName":""}`, "Value '' at 'thingName' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{iot.Service, "CreateThingType", `{"thingTypeName":"a","tags":[{"Key":"k"},{"key":"k"}]}`, "there is no parameter tags[1].key; there are Key, Value"},
		{iot.Service, "CreateThingType", `{"thingTypeName":"a","tags":[{"Key":"k"},{}]}`, "Value null at 'tags.2.member.key' failed to satisfy constraint: Member must not be null"},
		{iot.Service, "ListThings", `{"maxResults":1.5}`, "the parameter maxResults: 1.5 is not an integer"},
		{iot.Service, "ListThings", `[]`, "the parameters are a list, not an object"},
		{iot.Service, "ListThings", `{`, "the parameters are not JSON: unexpected EOF"},
		{iot.Service, "ListThings", `{} {}`, "something stands after the parameters"},
		{iotdata.Service, "Publish", `{"topic":"t","payload":"{}"}`, "the parameter payload is text that is not base64"},
		{iotdata.Service, "Publish", `{"topic":"t","payload":1}`, "the parameter payload is a number, not base64, an object or a list"},
		{kinesisvideo.Service, "CreateStream", `{"streamName":"s"}`, "there is no parameter streamName; there are DataRetentionInHours, DeviceName, KmsKeyId, MediaType, StreamName"},
	} {
		_, err := c.s.Input(operation(t, c.s, c.op), []byte(c.params))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s:\n got %v\nwant %s", c.op, c.params, err, c.want)
		}
	}
}

// What clients send, servers read.
func TestClientRequests(t *testing.T) {
	for _, c := range []struct {
		s      *awsapi.Service
		op     string
		params string
		want   string // method, target, headers of its own, body
	}{
		{iot.Service, "CreateThing", `{"thingName":"a:b_c-d"}`, `POST /things/a%3Ab_c-d {}`},
		{iot.Service, "AttachThingPrincipal", `{"thingName":"t","principal":"arn:x"}`, `PUT /things/t/principals X-Amzn-Principal=arn:x `},
		{iot.Service, "ListThings", `{"maxResults":5,"thingTypeName":"a:b"}`, `GET /things?maxResults=5&thingTypeName=a%3Ab `},
		{iot.Service, "DescribeEndpoint", `{"endpointType":"iot:Data-ATS"}`, `GET /endpoint?endpointType=iot%3AData-ATS `},
		{iot.Service, "CreateKeysAndCertificate", `{"setAsActive":true}`, `POST /keys-and-certificate?setAsActive=true `},
		{iotdata.Service, "Publish", `{"topic":"a/b c","qos":1,"payload":{"x":[1,null]}}`, `POST /topics/a/b%20c?qos=1 {"x":[1,null]}`},
		{iotdata.Service, "Publish", `{"topic":"t","payload":"AAH/"}`, "POST /topics/t \x00\x01\xff"},
		{iotdata.Service, "GetThingShadow", `{"thingName":"t","shadowName":"s"}`, `GET /things/t/shadow?name=s `},
		{iotdata.Service, "Publish", `{"topic":"t","userProperties":[{"a":"b"}]}`, `POST /topics/t X-Amz-Mqtt5-User-Properties=W3siYSI6ImIifV0= `},
	} {
		op := operation(t, c.s, c.op)
		in, err := c.s.Input(op, []byte(c.params))
		if err != nil {
			t.Errorf("%s: %v", c.op, err)
			continue
		}
		r, err := c.s.Request(op, in)
		if err != nil {
			t.Errorf("%s: %v", c.op, err)
			continue
		}
		got := r.Method + " " + r.Target + " "
		for k := range r.Header {
			if k != "Content-Type" {
				got += k + "=" + r.Header.Get(k) + " "
			}
		}
		if got += string(r.Body); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.op, got, c.want)
		}
		back := httptest.NewRequest(r.Method, r.Target, nil)
		back.Header = r.Header
		read, err := c.s.Decode(op, back, r.Body)
		if err != nil || !reflect.DeepEqual(read, in) {
			t.Errorf("%s: the server reads %s, %v; want %s", c.op, show(read), err, show(in))
		}
	}
}

// FuzzClientAnswers: whatever comes, the result is JSON or an error.
func FuzzClientAnswers(f *testing.F) {
	for _, suite := range protocolSuites {
		for _, c := range suite.Cases {
			if !suite.Input {
				f.Add([]byte(c.Body))
			}
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, suite := range protocolSuites {
			if suite.Input {
				continue
			}
			for _, c := range suite.Cases {
				got, err := suite.Service.Result(c.Op, 200, http.Header{}, body)
				if err == nil && !json.Valid(got) {
					t.Fatalf("%s: %q makes %q", suite.Name, body, got)
				}
			}
		}
	})
}
