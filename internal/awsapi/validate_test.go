package awsapi_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/api/kinesisvideo"
	"github.com/thingd/thingd/internal/api/kvmedia"
	"github.com/thingd/thingd/internal/awsapi"
)

// decode decodes and validates; target is a path or, for Query, nothing.
func decode(t *testing.T, s *awsapi.Service, name, target, body string) (any, error) {
	t.Helper()
	op := operation(t, s, name)
	return s.Decode(op, httptest.NewRequest(op.Method, target, nil), []byte(body))
}

func TestValidation(t *testing.T) {
	const one = "1 validation error detected: "
	for _, c := range []struct {
		service          *awsapi.Service
		op, target, body string
		want             string // "" for none
	}{
		{iot.Service, "CreateThing", "/things/lamp", `{}`, ""},
		{iot.Service, "CreateThing", "/things/lamp", ``, ""},
		{iot.Service, "CreateThing", "/things/a%20b", ``,
			one + `Value 'a b' at 'thingName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9:_-]+`},
		{iot.Service, "CreateThing", "/things/" + strings.Repeat("a", 129), ``,
			one + `Value '` + strings.Repeat("a", 129) + `' at 'thingName' failed to satisfy constraint: Member must have length less than or equal to 128`},
		{iot.Service, "CreateThing", "/things/lamp%0A", ``,
			one + "Value 'lamp\n' at 'thingName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9:_-]+"},
		{iot.Service, "CreateThing", "/things/lamp", `{"attributePayload":{"attributes":{"a b":"c d"}}}`,
			`2 validation errors detected: Value 'a b' at 'attributePayload.attributes.key' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.,@/:#-]+; ` +
				`Value 'c d' at 'attributePayload.attributes.a b.member' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.,@/:#=\[\]-]*`},
		{iot.Service, "ListThings", "/things?maxResults=0", ``,
			one + `Value '0' at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 1`},
		{iot.Service, "ListThings", "/things?maxResults=251", ``,
			one + `Value '251' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 250`},
		{iot.Service, "ListThings", "/things?maxResults=", ``, `Bad value for maxResults:  is not an integer.`},
		{iot.Service, "UpdateCertificate", "/certificates/" + strings.Repeat("a", 64) + "?newStatus=ON", ``,
			one + `Value 'ON' at 'newStatus' failed to satisfy constraint: Member must satisfy enum value set: [ACTIVE, INACTIVE, REVOKED, PENDING_TRANSFER, REGISTER_INACTIVE, PENDING_ACTIVATION]`},

		// Absent is not the same as empty.
		{iot.Service, "UpdateCertificate", "/certificates/" + strings.Repeat("a", 64), ``, one + `Value null at 'newStatus' failed to satisfy constraint: Member must not be null`},
		{iot.Service, "CreatePolicy", "/policies/p", `{}`, one + `Value null at 'policyDocument' failed to satisfy constraint: Member must not be null`},
		{iot.Service, "CreatePolicy", "/policies/p", `{"policyDocument":null}`, one + `Value null at 'policyDocument' failed to satisfy constraint: Member must not be null`},
		{iot.Service, "CreatePolicy", "/policies/p", `{"policyDocument":"x","policyDocument":null}`, one + `Value null at 'policyDocument' failed to satisfy constraint: Member must not be null`},
		{iot.Service, "CreatePolicy", "/policies/p", `{"policyDocument":""}`, ""},
		{iot.Service, "SearchIndex", "/indices/search", `{"queryString":""}`, one + `Value '' at 'queryString' failed to satisfy constraint: Member must have length greater than or equal to 1`},
		{iot.Service, "CreateThingType", "/thing-types/t", `{"tags":[{"Key":"k"},{"Value":"v"},{"Key":""}]}`,
			`2 validation errors detected: Value null at 'tags.2.member.key' failed to satisfy constraint: Member must not be null; ` +
				`Value '' at 'tags.3.member.key' failed to satisfy constraint: Member must have length greater than or equal to 1`},
		{iot.Service, "CreateThingType", "/thing-types/t", `{"tags":[{}],"tags":[{"Key":"k"}]}`, ""},
		{iot.Service, "CreateThingType", "/thing-types/t", `{"tags":[{}],"tags":null}`, ""},
		{iot.Service, "SetLoggingOptions", "/loggingOptions", ``, one + `Value null at 'loggingOptionsPayload' failed to satisfy constraint: Member must not be null`},
		{iot.Service, "SetLoggingOptions", "/loggingOptions", `{"logLevel":"INFO"}`, one + `Value null at 'loggingOptionsPayload.roleArn' failed to satisfy constraint: Member must not be null`},
		{kvmedia.Service, "GetMedia", "/getMedia", `{}`, one + `Value null at 'startSelector' failed to satisfy constraint: Member must not be null`},
		{kvmedia.Service, "GetMedia", "/getMedia", `{"StartSelector":{}}`, one + `Value null at 'startSelector.startSelectorType' failed to satisfy constraint: Member must not be null`},
		{kvmedia.Service, "PutMedia", "/putMedia", ``, one + `Value null at 'fragmentTimecodeType' failed to satisfy constraint: Member must not be null`},
		{kinesisvideo.Service, "UpdateDataRetention", "/updateDataRetention", `{"CurrentVersion":"v","Operation":"INCREASE_DATA_RETENTION","StreamName":"s"}`,
			one + `Value null at 'dataRetentionChangeInHours' failed to satisfy constraint: Member must not be null`},
		{kinesisvideo.Service, "UpdateDataRetention", "/updateDataRetention", `{"CurrentVersion":"v","Operation":"INCREASE_DATA_RETENTION","StreamName":"s","DataRetentionChangeInHours":0}`,
			one + `Value '0' at 'dataRetentionChangeInHours' failed to satisfy constraint: Member must have value greater than or equal to 1`},
		{kinesisvideo.Service, "UntagStream", "/untagStream", `{"StreamName":"s"}`, one + `Value null at 'tagKeyList' failed to satisfy constraint: Member must not be null`},
		{kinesisvideo.Service, "UntagStream", "/untagStream", `{"StreamName":"s","TagKeyList":[]}`,
			one + `Value '[]' at 'tagKeyList' failed to satisfy constraint: Member must have length greater than or equal to 1`},

		{iam.Service, "CreateUser", "/", "UserName=alice", ""},
		{iam.Service, "CreateUser", "/", "", one + `Value null at 'userName' failed to satisfy constraint: Member must not be null`},
		{iam.Service, "CreateUser", "/", "UserName=a%2Fb",
			one + `Value 'a/b' at 'userName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]+`},
		{iam.Service, "CreateUser", "/", "UserName=" + strings.Repeat("%C3%BC", 65), `2 validation errors detected: ` +
			`Value '` + strings.Repeat("ü", 65) + `' at 'userName' failed to satisfy constraint: Member must have length less than or equal to 64; ` +
			`Value '` + strings.Repeat("ü", 65) + `' at 'userName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]+`},
		{iam.Service, "CreateUser", "/", "UserName=a&Tags.member.1.Key=k", one + `Value null at 'tags.1.member.value' failed to satisfy constraint: Member must not be null`},
		{iam.Service, "CreateUser", "/", "UserName=a&Tags.member.1.Key=k&Tags.member.1.Value=", ""},
		// What is secret is not said back.
		{iam.Service, "CreateLoginProfile", "/", "UserName=a&Password=%00", one + `Value at 'password' failed to satisfy constraint: Member must satisfy regular expression pattern: [\u0009\u000A\u000D\u0020-\u00FF]+`},
		{iam.Service, "UpdateAccessKey", "/", "AccessKeyId=x", `2 validation errors detected: ` +
			`Value 'x' at 'accessKeyId' failed to satisfy constraint: Member must have length greater than or equal to 16; ` +
			`Value null at 'status' failed to satisfy constraint: Member must not be null`},
	} {
		_, err := decode(t, c.service, c.op, c.target, c.body)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s %s %s:\n got %s\nwant %s", c.op, c.target, c.body, got, c.want)
		}
	}
}

// Only the first faults of a request are told, and all are counted.
func TestValidationOfMany(t *testing.T) {
	_, err := decode(t, iot.Service, "CreateThingType", "/thing-types/t", `{"tags":[`+strings.Repeat(`{},`, 40)+`{}]}`)
	if err == nil || !strings.HasPrefix(err.Error(), "41 validation errors detected: Value null at 'tags.1.member.key' ") ||
		strings.Count(err.Error(), ";") != 9 {
		t.Error(err)
	}
}

func TestJSONFaults(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{`{`, "expected a member name (line 1, column 2)"},
		{`[]`, "expected an object (line 1, column 1)"},
		{`null`, "expected an object (line 1, column 1)"},
		{`{} {}`, "unexpected text after the JSON document (line 1, column 4)"},
		{"{\n \"maxResults\": \"1\"}", "STRING_VALUE can not be converted to a Number (line 2, column 16)"},
		{`{"queryString":1}`, "can not be converted to a String"},
		{`{"queryString":{}}`, "START_OBJECT can not be converted to a String"},
		{`{"queryString":"a`, "a string does not end"},
		{`{"queryString":"\x"}`, "a bad escape"},
		{"{\"queryString\":\"\t\"}", "a control character in a string"},
		{"{\"queryString\":\"\xc3\"}", "a string is not valid UTF-8"},
		{`{"maxResults":01}`, "expected ',' or '}'"},
		{`{"maxResults":1.}`, "a number does not end"},
		{`{"maxResults":1.5}`, "1.5 is not an integer"},
		{`{"maxResults":9223372036854775808}`, "is not an integer"},
		{`{"x":` + strings.Repeat("[", awsapi.MaxDepth+1), "nested too deeply"},
	} {
		_, err := decode(t, iot.Service, "SearchIndex", "/indices/search", c.body)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "Could not parse request body into json: ") {
			t.Errorf("%s: %v, want %q", c.body, err, c.want)
		}
	}
}

func TestJSONReads(t *testing.T) {
	in, err := decode(t, iot.Service, "SearchIndex", "/indices/search",
		" {\"x\":[{\"y\":null}],\"maxResults\" : 1.0e2 ,\n\"queryString\":\"\\u00fc\\ud83d\\ude00\\ud800-\\/\\b\\f\\n\\r\\t\\\"\\\\ü\", \"nextToken\":\"a\",\"nextToken\":\"b\"} ")
	if err != nil {
		t.Fatal(err)
	}
	got := in.(*iot.SearchIndexRequest)
	if *got.MaxResults != 100 || got.QueryString != "ü😀\uFFFD-/\b\f\n\r\t\"\\ü" || *got.NextToken != "b" || got.IndexName != nil {
		t.Errorf("%+v", got)
	}
}
