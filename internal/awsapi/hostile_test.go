package awsapi_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/api/iotdata"
	"github.com/thingd/thingd/internal/api/kinesisvideo"
	"github.com/thingd/thingd/internal/api/sts"
	"github.com/thingd/thingd/internal/awsapi"
)

// operation finds a generated operation.
func operation(t testing.TB, s *awsapi.Service, name string) *awsapi.Operation {
	t.Helper()
	for _, op := range s.Operations {
		if op.Name == name {
			return op
		}
	}
	t.Fatalf("%s has no operation %s", s.Name, name)
	return nil
}

// mirror is an operation whose output is op's input.
func mirror(op *awsapi.Operation) *awsapi.Operation {
	return &awsapi.Operation{Name: op.Name, Method: op.Method, URI: "/", New: op.New, Out: op.New(), ResultWrapper: "Result"}
}

// fuzzedJSON are operations with every kind of member in their bodies.
func fuzzedJSON(t testing.TB) (ops []*awsapi.Operation) {
	for _, name := range []string{
		"CreateThing", "CreateThingType", "CreateDynamicThingGroup", "CreateJob", "CreateOTAUpdate", "CreateTopicRule",
		"CreateSecurityProfile", "UpdateIndexingConfiguration", "StartDetectMitigationActionsTask", "SearchIndex", "CreateStream",
	} {
		ops = append(ops, mirror(operation(t, iot.Service, name)))
	}
	return ops
}

var jsonSeeds = []string{
	``, `{}`, ` { } `, `[]`, `null`, `{"thingTypeName":null}`, `{"attributePayload":{"attributes":{"a":"b","":"\u0000"},"merge":true}}`,
	`{"thingTypeProperties":{"thingTypeDescription":"<>&/\u2028","searchableAttributes":["a","b",null]},"tags":[{"Key":"k","Value":"v"},{}]}`,
	`{"sql":"SELECT * FROM 'a'","actions":[{"s3":{"bucketName":"b","key":"k","roleArn":"r"}}],"errorAction":{}}`,
	`{"targets":["a"],"jobExecutionsRolloutConfig":{"maximumPerMinute":1e2,"exponentialRate":{"incrementFactor":1.50,"rateIncreaseCriteria":{"numberOfNotifiedThings":9007199254740993}}}}`,
	`{"behaviors":[{"name":"n","criteria":{"value":{"count":18446744073709551616,"number":-0.0e-0}}}]}`,
	`{"detectMitigationTaskTarget":{},"violationEventOccurrenceRange":{"startTime":1422172800.123,"endTime":"2015-01-25T08:00:00Z"}}`,
	`{"a":` + strings.Repeat(`[`, 70) + strings.Repeat(`]`, 70) + `}`,
	`{"tags":[],"tags":[{"Key":"k"}],"tags":null}`, `{"maxResults":"1"}`, `{"maxResults":1e999}`, `{"maxResults":-1.5}`,
	"{\"queryString\":\"\xff\xfe\"}", `{"queryString":"\ud800"}`, `{"queryString":"\ud83d\ude00"}`, `{"queryString":"\uZZZZ"}`,
	"{\"queryString\":\"\x00\"}", "\xef\xbb\xbf{}", `{"queryString":"a"} x`, `{"queryString":"a",}`, `{"queryString" "a"}`, `{"queryString":tru`,
	`{"code":{"roleArn":"a"},"files":[{"codeSigning":{"customCodeSigning":{"signature":{"inlineDocument":"Zm9v"}}},"attributes":{"k":"v"}}]}`,
}

func FuzzJSON(f *testing.F) {
	for _, s := range jsonSeeds {
		f.Add([]byte(s))
	}
	ops := fuzzedJSON(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, op := range ops {
			in, err := iot.Service.Decode(op, httptest.NewRequest("POST", "/", nil), body)
			if err != nil && !isInvalid(err) {
				t.Fatalf("%s: %v", op.Name, err)
			}
			if err != nil && !strings.Contains(err.Error(), "validation error") {
				continue // not decoded
			}
			if len(bytes.TrimSpace(body)) > 0 && !json.Valid(body) {
				t.Fatalf("%s took what is no JSON: %q", op.Name, body)
			}
			text, _, _, err := iot.Service.Encode(op, in, http.Header{})
			if err != nil {
				t.Fatal(err)
			}
			if len(text) > 0 && (!json.Valid(text) || !utf8.Valid(text)) {
				t.Fatalf("%s wrote %q", op.Name, text)
			}
			again, err := iot.Service.Decode(op, httptest.NewRequest("POST", "/", nil), text)
			if err != nil && !isInvalid(err) {
				t.Fatalf("%s: %q: %v", op.Name, text, err)
			}
			if !reflect.DeepEqual(in, again) {
				t.Fatalf("%s: %q is\n%s, written and read again\n%s", op.Name, body, show(in), show(again))
			}
		}
	})
}

// isInvalid says whether err is the client's fault.
func isInvalid(err error) bool {
	_, ok := errors.AsType[*awsapi.Error](err)
	return ok || awsapi.IsInvalid(err)
}

var formSeeds = []string{
	"", "Action=CreateUser&UserName=u", "&&&", "a=b;c=d", "Tags.member.1.Key=k&Tags.member.1.Value=v&Tags.member.7.Key=k7&Tags.member.7.Value=",
	"Tags=", "Tags.member=", "Tags.member.1=x", "Tags.member.0.Key=a", "Tags.member.-1.Key=a", "Tags.member.01.Key=a", "Tags.1.Key=a",
	"UserName=%ff", "UserName=%zz", "%=1", "UserName.x=1", "UserName=a&UserName=b", "DurationSeconds=1e3", "DurationSeconds=x",
	"ContextEntries.member.1.ContextKeyName=k&ContextEntries.member.1.ContextKeyValues.member.1=v&ContextEntries.member.1.ContextKeyType=string",
	"PolicyArns.member.1.arn=a&Tags.member.2.Key=-&Tags-=1&Tags.member.1.Key=b&Tags/=2", strings.Repeat("a.", 70) + "=1",
	"Tags.member.99999999999999999999.Key=a", "MaxItems=-1&RolloutConfig=%00",
}

func FuzzForm(f *testing.F) {
	for _, s := range formSeeds {
		f.Add("", []byte(s))
	}
	f.Add("Action=GetUser", []byte("Action=DeleteUser"))
	type target struct {
		s  *awsapi.Service
		op *awsapi.Operation
	}
	var targets []target
	for _, name := range []string{"CreateUser", "CreateRole", "SimulatePrincipalPolicy", "CreateOpenIDConnectProvider", "UpdateAccountPasswordPolicy"} {
		targets = append(targets, target{iam.Service, mirror(operation(f, iam.Service, name))})
	}
	for _, name := range []string{"AssumeRole", "GetFederationToken"} {
		targets = append(targets, target{sts.Service, mirror(operation(f, sts.Service, name))})
	}
	f.Fuzz(func(t *testing.T, query string, body []byte) {
		r := &http.Request{Method: "POST", URL: &url.URL{Path: "/", RawQuery: query}}
		// What net/url reads, we read alike.
		if a, err := url.ParseQuery(query); err == nil && !strings.ContainsRune(query+string(body), ';') {
			if b, err := url.ParseQuery(string(body)); err == nil {
				fs, err := awsapi.ParseForm(query, body)
				for name, values := range b {
					if err == nil && len(a[name]) == 0 && fs(name) != values[0] {
						t.Fatalf("%q is %q, want %q", name, fs(name), values[0])
					}
				}
				for name, values := range a {
					if err == nil && fs(name) != values[0] {
						t.Fatalf("%q is %q, want %q", name, fs(name), values[0])
					}
				}
			}
		}
		for _, x := range targets {
			in, err := x.s.Decode(x.op, r, body)
			if err != nil && !isInvalid(err) {
				t.Fatalf("%s: %v", x.op.Name, err)
			}
			if in == nil {
				continue
			}
			text, _, _, err := x.s.Encode(x.op, in, nil)
			if err != nil {
				t.Fatal(err)
			}
			for d := xml.NewDecoder(bytes.NewReader(text)); ; {
				if _, err := d.Token(); err == io.EOF {
					break
				} else if err != nil {
					t.Fatalf("%s: %v: %q", x.op.Name, err, text)
				}
			}
		}
	})
}

func FuzzRoute(f *testing.F) {
	for _, s := range []string{
		"/", "", "//", "/things/a", "/things//a", "/things/a%2Fb", "/things/%", "/jobs/%24next", "/authorizers", "/authorizers/", "/topics/a//b", "/topics/",
		"//describeStream", "/policies/p/version/1", "/destinations/arn%3Aaws/x/y", strings.Repeat("/", 300), "/things/a/jobs/b/", "/thing-groups/\x80",
	} {
		f.Add("GET", s)
		f.Add("POST", s)
	}
	apis := []*awsapi.API{iot.Service.Bind(), iotdata.Service.Bind(), kinesisvideo.Service.Bind()}
	f.Fuzz(func(t *testing.T, method, path string) {
		for _, a := range apis {
			op := a.Route(method, path)
			if op == nil {
				continue
			}
			if op.Method != method {
				t.Fatalf("%s %q went to %s %s", method, path, op.Method, op.URI)
			}
			values, err := awsapi.Labels(op.URI, path)
			if err != nil {
				if _, ok := errors.AsType[url.EscapeError](err); !ok {
					t.Fatal(err)
				}
				continue
			}
			// The path that a client makes of the labels goes to the same place.
			made := op.URI
			for name, v := range values {
				if v == "" && !strings.Contains(op.URI, "{"+name+"+}") {
					t.Fatalf("%q: label %s of %s is empty", path, name, op.URI)
				}
				made = strings.ReplaceAll(made, "{"+name+"}", url.PathEscape(v))
				made = strings.ReplaceAll(made, "{"+name+"+}", url.PathEscape(v))
			}
			if strings.Count(op.URI, "{") != len(values) {
				t.Fatalf("%s has labels %v", op.URI, values)
			}
			for _, v := range values {
				// A label's value may be another route's literal.
				if again := a.Route(method, made); again == nil || again != op && !strings.Contains(again.URI, "/"+v) {
					t.Fatalf("%s %q went to %s, %q to %v", method, path, op.URI, made, again)
				}
			}
		}
	})
}

// TestHostileBodies holds what a megabyte may cost, whatever is in it.
func TestHostileBodies(t *testing.T) {
	const size = 1 << 20
	list := func(head, item, tail string) string {
		return head + strings.Repeat(item+",", (size-len(head)-len(tail))/(len(item)+1)-1) + item + tail
	}
	rep := func(s string) string { return strings.Repeat(s, size/len(s)) }
	form := func(item string) string { return strings.Repeat(item+"&", size/(len(item)+1)) }
	numbered := func(format string) string {
		var b strings.Builder
		for i := 1; b.Len() < size-100 && i < 9000; i++ {
			b.WriteString(strings.ReplaceAll(format, "#", strconv.Itoa(i)) + "&")
		}
		return b.String()
	}
	for _, c := range []struct {
		name string
		s    *awsapi.Service
		op   string
		body string
	}{
		{"structures", iot.Service, "CreateThingType", list(`{"tags":[`, `{}`, `]}`)},
		{"large structures", iot.Service, "CreateSecurityProfile", list(`{"behaviors":[`, `{}`, `]}`)},
		{"pointers", iot.Service, "CreateSecurityProfile", list(`{"behaviors":[`, `{"criteria":{"value":{}}}`, `]}`)},
		{"actions", iot.Service, "CreateTopicRule", list(`{"actions":[`, `{"s3":{},"http":{},"kafka":{},"sns":{}}`, `]}`)},
		{"strings", iot.Service, "CreateJob", list(`{"targets":[`, `""`, `]}`)},
		{"nulls", iot.Service, "CreateJob", list(`{"targets":[`, `null`, `]}`)},
		{"map entries", iot.Service, "CreateThing", list(`{"attributePayload":{"attributes":{`, `"a":"b"`, `}}}`)},
		{"equal keys", iot.Service, "CreateThing", list(`{`, `"attributePayload":{"attributes":{"a":"b"}}`, `}`)},
		{"equal keys with faults", iot.Service, "CreateThingType", list(`{"tags":[{},{},{},{},{},{},{},{}],`, `"tags":[{}]`, `}`)},
		{"unknown members", iot.Service, "CreateThing", list(`{`, `"x":[{}]`, `}`)},
		{"unknown lists", iot.Service, "CreateThing", list(`{"x":[`, `0`, `]}`)},
		{"open brackets", iot.Service, "CreateThing", `{"x":` + rep(`[`)},
		{"open braces", iot.Service, "CreateThing", rep(`{"x":`)},
		{"digits", iot.Service, "ListThings", `{"x":` + rep(`9`) + `}`},
		{"a long number", iot.Service, "SearchIndex", `{"queryString":"q","maxResults":` + rep(`9`) + `}`},
		{"a long exponent", iot.Service, "SearchIndex", `{"queryString":"q","maxResults":1e` + rep(`9`) + `}`},
		{"escapes", iot.Service, "SearchIndex", `{"queryString":"` + rep(`\u2028`) + `"}`},
		{"bad UTF-8", iot.Service, "SearchIndex", `{"queryString":"` + rep("\xff") + `"}`},
		{"quotes", iot.Service, "SearchIndex", rep(`"`)},
		{"a long string that is invalid", iot.Service, "SearchIndex", `{"queryString":"q","indexName":"` + rep(` `) + `"}`},
		{"form fields", iam.Service, "CreateUser", form("a=b")},
		{"equal form fields", iam.Service, "CreateUser", form("Tags.member.1.Key=" + strings.Repeat("k", 100))},
		{"form items", iam.Service, "CreateUser", numbered("Tags.member.#.Key=k")},
		{"deep form names", iam.Service, "CreateUser", numbered(strings.Repeat("a.", 45) + "#=1")},
		{"deep distinct form names", iam.Service, "CreateUser", numbered(strings.Repeat("#.", 20) + "=1")},
		{"nested form lists", iam.Service, "SimulatePrincipalPolicy", numbered("ContextEntries.member.#.ContextKeyValues.member.#=v")},
		{"a long form value", iam.Service, "CreateUser", "UserName=" + rep("%41")},
		{"a long form name", iam.Service, "CreateUser", rep("a.")},
	} {
		t.Run(c.name, func(t *testing.T) {
			op := operation(t, c.s, c.op)
			r := httptest.NewRequest(op.Method, "/", nil)
			if _, err := c.s.Decode(op, r, nil); err != nil && !isInvalid(err) {
				t.Fatal(err) // and the plan is made
			}
			body := []byte(c.body)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := c.s.Decode(op, r, body)
			runtime.ReadMemStats(&after)
			if err != nil && !isInvalid(err) {
				t.Errorf("answered %v", err)
			} else if err != nil && len(err.Error()) > 10_000 {
				t.Errorf("the refusal is %d bytes long", len(err.Error()))
			}
			// What lived and what became garbage.
			if used := int(after.TotalAlloc - before.TotalAlloc); used > 12<<20 {
				t.Errorf("a body of 1 MiB made %d MiB", used>>20)
			} else {
				t.Logf("%d KiB, %.100v", used>>10, err)
			}
		})
	}
}
