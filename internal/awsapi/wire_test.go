package awsapi_test

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/api/iotdata"
	"github.com/thingd/thingd/internal/api/kinesisvideo"
	"github.com/thingd/thingd/internal/awsapi"
)

// Only what JSON demands is escaped: the KVS producer knows no escapes.
func TestJSONStrings(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", `""`},
		{"https://a.b/c?d=e&f=<g>'h'", `"https://a.b/c?d=e&f=<g>'h'"`},
		{"\"\\\n\r\t", `"\"\\\n\r\t"`},
		{"\x00\x1f\x7f", "\"\\u0000\\u001f\x7f\""},
		{"ü😀\u2028\u2029", "\"ü😀\u2028\u2029\""},
		{"a\xffb\xc3", "\"a\uFFFDb\uFFFD\""},
		{"\uFFFD", "\"\uFFFD\""},
	} {
		got := string(awsapi.AppendJSONString(nil, c.in))
		if got != c.want {
			t.Errorf("%q: %s, want %s", c.in, got, c.want)
		}
		var back string
		if err := json.Unmarshal([]byte(got), &back); err != nil || back != strings.ToValidUTF8(c.in, "\uFFFD") {
			t.Errorf("%q: reads as %q, %v", c.in, back, err)
		}
	}
}

func TestXMLText(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"a", "a"},
		{`<a b="c">&'`, `&lt;a b=&quot;c&quot;&gt;&amp;'`},
		{"a\tb\nc\r", "a\tb\nc&#xD;"},
		{"\x00x\x1f", "\uFFFDx\uFFFD"},
		{"ü\xff\xc3\uFFFD\uFFFF\uFFFEz", "ü\uFFFD\uFFFD\uFFFD\uFFFD\uFFFDz"},
	} {
		got := string(awsapi.AppendXMLText(nil, c.in))
		if got != c.want {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
		var back string
		if err := xml.Unmarshal([]byte("<x>"+got+"</x>"), &back); err != nil {
			t.Errorf("%q: %v", c.in, err)
		}
	}
}

func TestTimes(t *testing.T) {
	at := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		t      time.Time
		format string
		want   string
	}{
		{at, "iso8601", "2026-01-15T12:00:00Z"},
		{at.Add(time.Millisecond), "iso8601", "2026-01-15T12:00:00Z"},
		{at.In(time.FixedZone("", 3600)), "iso8601", "2026-01-15T12:00:00Z"},
		{at, "rfc822", "Thu, 15 Jan 2026 12:00:00 GMT"},
		{at, "unixTimestamp", "1768478400"},
		{at.Add(120 * time.Millisecond), "unixTimestamp", "1768478400.120"},
		{at.Add(999999 * time.Microsecond), "unixTimestamp", "1768478400.999"},
		{time.UnixMilli(-1500), "unixTimestamp", "-1.500"},
		{time.Unix(0, 0), "unixTimestamp", "0"},
	} {
		if got := awsapi.FormatTime(c.t, c.format); got != c.want {
			t.Errorf("%v as %s: %s, want %s", c.t, c.format, got, c.want)
		}
	}
	for _, c := range []struct {
		in   string
		want time.Time
	}{
		{"1768478400", at}, {"1768478400.12", at.Add(120 * time.Millisecond)}, {"1.7684784E9", at},
		{"2026-01-15T12:00:00Z", at}, {"2026-01-15T13:00:00+01:00", at}, {"2026-01-15T12:00:00.5Z", at.Add(500 * time.Millisecond)},
		{"Thu, 15 Jan 2026 12:00:00 GMT", at}, {"2026-01-15", at.Add(-12 * time.Hour)},
	} {
		if got, err := awsapi.ParseTime(c.in); err != nil || !got.Equal(c.want) {
			t.Errorf("%s is %v, %v; want %v", c.in, got, err, c.want)
		}
	}
	for _, in := range []string{"", "x", "NaN", "Inf", "1e300", "-1e300", "0x10", "2026-13-01", strings.Repeat("9", 10_000)} {
		if got, err := awsapi.ParseTime(in); err == nil {
			t.Errorf("%.40q is %v", in, got)
		}
	}
}

func TestAnswers(t *testing.T) {
	at := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	const envelope = "<ResponseMetadata><RequestId>requestid</RequestId></ResponseMetadata>\n"
	for _, c := range []struct {
		service     *awsapi.Service
		op          string
		out         any
		want        string
		contentType string
	}{
		// A required list is there, empty or not; an optional one only if set.
		{iam.Service, "ListUsers", &iam.ListUsersResponse{},
			`<ListUsersResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">` + "\n<ListUsersResult><Users></Users></ListUsersResult>\n" + envelope + "</ListUsersResponse>\n", ""},
		{iam.Service, "ListUsers", &iam.ListUsersResponse{IsTruncated: new(false), Users: []iam.User{{UserName: new("a&b"), Path: new("/"), Arn: "arn", UserId: "AIDA", CreateDate: at, Tags: []iam.Tag{}}}},
			`<ListUsersResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">` + "\n<ListUsersResult><IsTruncated>false</IsTruncated><Users><member><Arn>arn</Arn><CreateDate>2026-01-15T12:00:00Z</CreateDate>" +
				"<Path>/</Path><Tags></Tags><UserId>AIDA</UserId><UserName>a&amp;b</UserName></member></Users></ListUsersResult>\n" + envelope + "</ListUsersResponse>\n", ""},
		{iam.Service, "DeleteUser", &iam.DeleteUserResponse{},
			`<DeleteUserResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">` + "\n" + envelope + "</DeleteUserResponse>\n", ""},

		{iot.Service, "ListPolicies", &iot.ListPoliciesResponse{}, `{}`, "application/json"},
		{iot.Service, "ListPolicies", &iot.ListPoliciesResponse{Policies: []iot.Policy{}}, `{"policies":[]}`, "application/json"},
		{iot.Service, "DescribeThing", &iot.DescribeThingResponse{Attributes: map[string]string{"b": "2", "a": "1"}, ThingName: new("t"), Version: new(int64(9007199254740993))},
			`{"attributes":{"a":"1","b":"2"},"thingName":"t","version":9007199254740993}`, "application/json"},
		{iot.Service, "DeleteThing", &iot.DeleteThingResponse{}, ``, ""},
		{iotdata.Service, "GetThingShadow", &iotdata.GetThingShadowResponse{Payload: []byte(`{"state":1}`)}, `{"state":1}`, "application/octet-stream"},
		{kinesisvideo.Service, "DescribeStream", &kinesisvideo.DescribeStreamOutput{StreamInfo: &kinesisvideo.StreamInfo{CreationTime: new(at.Add(5 * time.Millisecond)), MediaType: new("video/h264")}},
			`{"StreamInfo":{"CreationTime":1768478400.005,"MediaType":"video/h264"}}`, "application/json"},
	} {
		h := http.Header{}
		body, _, _, err := c.service.Encode(operation(t, c.service, c.op), c.out, h)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(body); got != c.want || h.Get("Content-Type") != c.contentType {
			t.Errorf("%s:\n got %s, %s\nwant %s, %s", c.op, h.Get("Content-Type"), got, c.contentType, c.want)
		}
	}
}
