package awsapi_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/awsapi"
)

// protocolSuite is a suite of the models' protocol tests, in
// protocol_gen_test.go.
type protocolSuite struct {
	Name    string
	Input   bool
	Service *awsapi.Service
	Cases   []protocolCase
}

// protocolCase is a request and what it says, or an answer and what it is of.
type protocolCase struct {
	Op      *awsapi.Operation
	URI     string
	New     func() any // the output
	Value   string     // JSON of the parameters or the result
	Status  int
	Headers map[string]string
	Body    string
}

// protocolNothing is the input or output of operations without one.
type protocolNothing struct{}

// forClients are the cases that ask something else of a client than of a
// server, with what the server makes of them. They run too.
var forClients = map[string]struct{ why, value, body string }{
	"input/query.json: Idempotency token auto fill #1": {
		why: "the client fills the token in; to the server it is one like any other", value: `{"Token":"00000000-0000-4000-8000-000000000000"}`},
	"input/rest-json.json: Idempotency token auto fill #1": {
		why: "the client fills the token in; to the server it is one like any other", value: `{"Token":"00000000-0000-4000-8000-000000000000"}`},
	"output/rest-json.json: Scalar members #0": {
		why:  "a client also reads an ISO timestamp in JSON; the server writes the protocol's own form, epoch seconds",
		body: `{"Str":"myname","Num":123,"FalseBool":false,"TrueBool":true,"Float":1.2,"Double":1.3,"Long":200,"Char":"a","Timestamp":1422172800,"Blob":"aGVsbG8="}`},
	"output/rest-json.json: Ignores extra data #0": {
		why: "a client skips members that it does not know; the server sends none", body: `{}`},
	"output/rest-json.json: Ignores undefined output #0": {
		why: "a client ignores a body where there is no output; the server sends none", body: ``},
	"output/rest-json.json: Enum #1": {
		why: "the case has an input where the output should be", body: ``},
}

// hostless are the cases of which only the host is interesting. A server has
// the members in the body and leaves the host to routing.
var hostless = "Endpoint host trait"

// invalid are the cases that clients send and a server refuses, by the error.
var invalid = map[string]string{
	"input/query.json: Enum #0":     "enum value set: [foo, bar]",
	"input/rest-json.json: Enum #0": "enum value set: [foo, bar, 0, 1]",
}

func TestProtocols(t *testing.T) {
	used := map[string]bool{}
	for _, suite := range protocolSuites {
		for i, c := range suite.Cases {
			name := fmt.Sprintf("%s #%d", suite.Name, i)
			t.Run(name, func(t *testing.T) {
				if other, ok := forClients[name]; ok {
					used[name] = true
					t.Log(other.why)
					if suite.Input {
						c.Value = other.value
					} else {
						c.Body = other.body
					}
				}
				if strings.HasSuffix(suite.Name, hostless) {
					t.Log("the host prefix is routing's business")
				}
				if suite.Input {
					testProtocolInput(t, name, suite.Service, c)
				} else {
					testProtocolOutput(t, suite, c)
				}
			})
		}
	}
	for name := range forClients {
		if !used[name] {
			t.Errorf("no case is called %q", name)
		}
	}
}

func testProtocolInput(t *testing.T, name string, s *awsapi.Service, c protocolCase) {
	r := httptest.NewRequest(c.Op.Method, c.URI, strings.NewReader(c.Body))
	for k, v := range c.Headers {
		r.Header.Set(k, v)
	}
	if s.Protocol == awsapi.RESTJSON {
		one := &awsapi.Service{Protocol: awsapi.RESTJSON, Operations: []*awsapi.Operation{{Name: c.Op.Name, Method: c.Op.Method, URI: c.Op.URI, Bind: bindNothing}}}
		if one.Bind().Route(c.Op.Method, r.URL.EscapedPath()) == nil {
			t.Errorf("%s %s is not routed to %s", c.Op.Method, c.URI, c.Op.URI)
		}
	}
	got, err := s.Decode(c.Op, r, []byte(c.Body))
	if text, bad := invalid[name]; bad {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("validation says %v, want %q", err, text)
		}
	} else if err != nil {
		t.Fatal(err)
	}
	want := c.Op.New()
	fill(t, reflect.ValueOf(want).Elem(), parseJSON(t, c.Value))
	sameStreams(t, reflect.ValueOf(got).Elem(), reflect.ValueOf(want).Elem())
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s\n%s\n got %s\nwant %s", c.URI, c.Body, show(got), show(want))
	}
}

func bindNothing(any) awsapi.Method { return nil }

func testProtocolOutput(t *testing.T, suite protocolSuite, c protocolCase) {
	out := c.New()
	fill(t, reflect.ValueOf(out).Elem(), parseJSON(t, c.Value))
	h := http.Header{}
	body, status, _, err := suite.Service.Encode(c.Op, out, h)
	if err != nil {
		t.Fatal(err)
	}
	if status != 0 && status != c.Status {
		t.Errorf("status %d, want %d", status, c.Status)
	}
	for k, v := range c.Headers {
		if h.Get(k) != v {
			t.Errorf("header %s is %q, want %q", k, h.Get(k), v)
		}
	}
	var got, want string
	switch {
	case suite.Service.Protocol == awsapi.Query:
		// The entries of a map have no order.
		unordered := strings.Contains(strings.ToLower(suite.Name), "map")
		got, want = canonicalXML(t, body, unordered), canonicalXML(t, []byte(c.Body), unordered)
	case strings.HasPrefix(c.Body, "{"):
		got, want = show(parseJSON(t, string(body))), show(parseJSON(t, c.Body))
		if ct := h.Get("Content-Type"); ct != "application/json" {
			t.Errorf("Content-Type %q", ct)
		}
	default:
		got, want = string(body), c.Body
	}
	if got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

func parseJSON(t *testing.T, s string) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return v
}

func show(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%+v", v)
	}
	return string(b)
}

// fill puts the suites' JSON into generated types: members by their names,
// blobs as text, timestamps as epoch seconds, jsonvalues as what they hold.
func fill(t *testing.T, dst reflect.Value, v any) {
	t.Helper()
	switch {
	case v == nil:
		return
	case dst.Type() == reflect.TypeFor[time.Time]():
		n, _ := v.(json.Number).Int64()
		dst.Set(reflect.ValueOf(time.Unix(n, 0).UTC()))
		return
	case dst.Type() == reflect.TypeFor[io.ReadCloser]():
		dst.Set(reflect.ValueOf(io.NopCloser(strings.NewReader(v.(string)))))
		return
	}
	switch dst.Kind() {
	case reflect.Pointer:
		dst.Set(reflect.New(dst.Type().Elem()))
		fill(t, dst.Elem(), v)
	case reflect.Struct:
		for name, member := range v.(map[string]any) {
			f := dst.FieldByName(strings.ToUpper(name[:1]) + name[1:])
			if !f.IsValid() {
				t.Fatalf("%s has no member %s", dst.Type(), name)
			}
			fill(t, f, member)
		}
	case reflect.Map:
		dst.Set(reflect.MakeMap(dst.Type()))
		for k, member := range v.(map[string]any) {
			item := reflect.New(dst.Type().Elem()).Elem()
			fill(t, item, member)
			dst.SetMapIndex(reflect.ValueOf(k), item)
		}
	case reflect.Slice:
		if s, ok := v.(string); ok {
			dst.SetBytes([]byte(s))
			return
		}
		list := v.([]any)
		dst.Set(reflect.MakeSlice(dst.Type(), len(list), len(list)))
		for i := range list {
			fill(t, dst.Index(i), list[i])
		}
	case reflect.String:
		s, ok := v.(string)
		if !ok {
			s = show(v)
		}
		dst.SetString(s)
	case reflect.Bool:
		dst.SetBool(v.(bool))
	case reflect.Int64:
		n, err := v.(json.Number).Int64()
		if err != nil {
			t.Fatal(err)
		}
		dst.SetInt(n)
	case reflect.Float64:
		n, err := v.(json.Number).Float64()
		if err != nil {
			t.Fatal(err)
		}
		dst.SetFloat(n)
	default:
		t.Fatalf("cannot fill a %s", dst.Type())
	}
}

// sameStreams compares the streams of two inputs and takes them out.
func sameStreams(t *testing.T, got, want reflect.Value) {
	t.Helper()
	for i := range got.NumField() {
		if got.Field(i).Type() != reflect.TypeFor[io.ReadCloser]() {
			continue
		}
		var text [2]string
		for j, v := range []reflect.Value{got, want} {
			if r, ok := v.Field(i).Interface().(io.Reader); ok {
				b, err := io.ReadAll(r)
				if err != nil {
					t.Fatal(err)
				}
				text[j] = string(b)
			}
			v.Field(i).SetZero()
		}
		if text[0] != text[1] {
			t.Errorf("the payload is %q, want %q", text[0], text[1])
		}
	}
}

// canonicalXML writes a document without what its meaning does not hang on:
// namespaces, the request's id, space between elements, the order of unlike
// elements and, if unordered, of all.
func canonicalXML(t *testing.T, doc []byte, unordered bool) string {
	t.Helper()
	type element struct {
		name, text string
		children   []string
	}
	d := xml.NewDecoder(bytes.NewReader(doc))
	stack := []*element{{}}
	for {
		tok, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%s: %v", doc, err)
		}
		top := stack[len(stack)-1]
		switch tok := tok.(type) {
		case xml.StartElement:
			stack = append(stack, &element{name: tok.Name.Local})
		case xml.CharData:
			top.text += string(tok)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
			if top.name == "ResponseMetadata" || top.name == "RequestId" {
				continue
			}
			if len(top.children) > 0 {
				top.text = ""
			}
			slices.SortStableFunc(top.children, func(a, b string) int {
				if !unordered {
					a, _, _ = strings.Cut(a, ">")
					b, _, _ = strings.Cut(b, ">")
				}
				return strings.Compare(a, b)
			})
			up := stack[len(stack)-1]
			up.children = append(up.children, "<"+top.name+">"+top.text+strings.Join(top.children, "")+"</>")
		}
	}
	return strings.Join(stack[0].children, "")
}
