package sigv4

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

var (
	now  = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	long = Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
	temp = Credentials{AccessKeyID: "ASIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", SessionToken: "IQoJb3JpZ2luX2VjEXAMPLE/+token=="}
)

// received turns a client's request into what a server gets of it.
func received(r *http.Request) *http.Request {
	in := r.Clone(context.Background())
	in.RequestURI = r.URL.RequestURI()
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	return in
}

func verify(r *http.Request, payload Payload, at time.Time) error {
	s, err := Parse(r)
	if err != nil {
		return err
	}
	if s == nil {
		return NewError(MissingToken)
	}
	var keys KeyCache
	return s.Verify(r, keys.Get(s, long.SecretAccessKey), payload, at)
}

func request(tb testing.TB, method, target string, header ...string) *http.Request {
	tb.Helper()
	r, err := http.NewRequest(method, target, nil)
	if err != nil {
		tb.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

func check(t *testing.T, err error, kind Kind, message string) {
	t.Helper()
	if kind == 0 {
		if err != nil {
			t.Errorf("got %v", err)
		}
		return
	}
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Kind != kind || message != "" && e.Message != message {
		t.Errorf("got %#v,\nwant kind %d %q", err, kind, message)
	}
}

const mismatch = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."

// TestFaults takes a good request in the header form and spoils it.
func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		name    string
		spoil   func(r *http.Request)
		at      time.Time
		kind    Kind
		message string
	}{
		{name: "none", spoil: func(*http.Request) {}},
		{name: "no credentials", spoil: func(r *http.Request) { r.Header.Del("Authorization") }, kind: MissingToken},
		{name: "no spaces", spoil: edit(", ", ",")},
		{name: "more spaces", spoil: edit(", ", " ,   ")},
		{name: "bearer", spoil: set("Authorization", "Bearer abc"), kind: Malformed,
			message: "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with Base64): 'w1Xc6WwWEogNEZQP/dkBTThsJT4MNlKmzQanIm970rY='."},
		{name: "basic", spoil: set("Authorization", "Basic YTpiYw=="), kind: Malformed,
			message: "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. (Hashed with SHA-256 and encoded with Base64) Authorization=DsIYdLE4yX328i6fbk/x2oxWByHwosbDOQub9LjG8FA="},
		{name: "algorithm alone", spoil: set("Authorization", "AWS4-HMAC-SHA256"), kind: Malformed,
			message: "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. (Hashed with SHA-256 and encoded with Base64) Authorization=YI2YWea8FSxnksZL2ETHbs5elHm9HQufxTLK0W0ffV0="},
		{name: "nothing at all", spoil: func(r *http.Request) {
			r.Header = http.Header{"Authorization": {"AWS4-HMAC-SHA256"}}
		}, kind: Malformed,
			message: "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. (Hashed with SHA-256 and encoded with Base64) Authorization=YI2YWea8FSxnksZL2ETHbs5elHm9HQufxTLK0W0ffV0="},
		{name: "other algorithm", spoil: edit("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), kind: Malformed,
			message: "Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256'."},
		{name: "version 2", spoil: set("Authorization", "AWS AKIAIOSFODNN7EXAMPLE:frJIUN8DYpKDtOLCwo//yllqDzg="), kind: Malformed,
			message: "Unsupported AWS 'algorithm': 'AWS'."},
		{name: "two signatures", spoil: edit(", SignedHeaders", ", Signature=00, SignedHeaders"), kind: Malformed},
		{name: "two headers", spoil: func(r *http.Request) { r.Header.Add("Authorization", "AWS4-HMAC-SHA256 x=y") }, kind: Malformed,
			message: "The request has more than one 'Authorization' header."},
		{name: "two dates", spoil: func(r *http.Request) { r.Header.Add("X-Amz-Date", "20260115T120000Z") }, kind: Malformed},
		{name: "two tokens", spoil: func(r *http.Request) {
			r.Header["X-Amz-Security-Token"] = []string{"a", "b"}
		}, kind: Malformed},
		{name: "header and query", spoil: func(r *http.Request) { r.URL.RawQuery = "X-Amz-Signature=00" }, kind: Malformed},
		{name: "four elements", spoil: edit("/iot/", "/"), kind: Malformed,
			message: "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'AKIAIOSFODNN7EXAMPLE/20260115/us-east-1/aws4_request'"},
		{name: "six elements", spoil: edit("/iot/", "/iot/iot/"), kind: Malformed},
		{name: "empty region", spoil: edit("us-east-1", ""), kind: Malformed},
		{name: "terminator", spoil: edit("aws4_request", "aws5_request"), kind: Scope,
			message: "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5_request'."},
		{name: "endless key", spoil: edit("AKIAIOSFODNN7EXAMPLE", strings.Repeat("A", 129)), kind: UnknownKey,
			message: "The security token included in the request is invalid."},
		{name: "date format", spoil: set("X-Amz-Date", "2026-01-15T12:00:00Z"), kind: Malformed,
			message: "Date must be in ISO-8601 'basic format'. Got '2026-01-15T12:00:00Z'. See http://en.wikipedia.org/wiki/ISO_8601"},
		{name: "milliseconds", spoil: set("X-Amz-Date", "20260115T120000.5Z"), kind: Malformed},
		{name: "scope date", spoil: edit("/20260115/", "/20260114/"), kind: Scope,
			message: "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20260114' != '20260115', from '20260115T120000Z'."},
		{name: "host not signed", spoil: edit("host;", ""), kind: Mismatch,
			message: "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."},
		{name: "upper case", spoil: edit("host;", "Host;"), kind: Malformed},
		{name: "header twice", spoil: edit("host;", "host;host;"), kind: Malformed,
			message: "SignedHeaders names 'host' more than once."},
		{name: "no header name", spoil: edit("host;", "host;;"), kind: Malformed},
		{name: "many headers", spoil: edit("host;", "host;"+strings.Repeat("a;", 200)), kind: Malformed},
		{name: "region", spoil: edit("us-east-1", "us-east-2"), kind: Mismatch, message: mismatch},
		{name: "service", spoil: edit("/iot/", "/iotdata/"), kind: Mismatch, message: mismatch},
		{name: "signature digit", spoil: func(r *http.Request) {
			a := r.Header.Get("Authorization")
			r.Header.Set("Authorization", a[:len(a)-1]+string("01"[(a[len(a)-1]&1)^1]))
		}, kind: Mismatch, message: mismatch},
		{name: "short signature", spoil: func(r *http.Request) {
			a := r.Header.Get("Authorization")
			r.Header.Set("Authorization", a[:len(a)-2])
		}, kind: Mismatch, message: mismatch},
		{name: "method", spoil: func(r *http.Request) { r.Method = "PUT" }, kind: Mismatch, message: mismatch},
		{name: "path", spoil: func(r *http.Request) { r.RequestURI = "/things/y?a=b" }, kind: Mismatch, message: mismatch},
		{name: "query", spoil: func(r *http.Request) { r.URL.RawQuery = "a=c" }, kind: Mismatch, message: mismatch},
		{name: "broken query", spoil: func(r *http.Request) { r.URL.RawQuery = "a=%zz" }, kind: Malformed,
			message: "The query string is not percent-encoded, from 'a' on."},
		{name: "host", spoil: func(r *http.Request) { r.Host = "elsewhere" }, kind: Mismatch, message: mismatch},
		{name: "host with port", spoil: func(r *http.Request) { r.Host += ":443" }, kind: Mismatch, message: mismatch},
		{name: "signed header", spoil: set("Content-Type", "text/plain"), kind: Mismatch, message: mismatch},
		{name: "signed header gone", spoil: func(r *http.Request) { r.Header.Del("Content-Type") }, kind: Mismatch, message: mismatch},
		{name: "signed header doubled", spoil: func(r *http.Request) { r.Header.Add("Content-Type", "application/json") }, kind: Mismatch, message: mismatch},
		{name: "hash of another body", spoil: set("X-Amz-Content-Sha256", strings.Repeat("0", 64)), kind: Mismatch, message: mismatch},
		{name: "hash that is none", spoil: set("X-Amz-Content-Sha256", "abc"), kind: Malformed},
		{name: "unsigned payload", spoil: set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD"), kind: Mismatch},
		{name: "aws-chunked", spoil: set("X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), kind: Malformed},
		{name: "15 minutes old", spoil: func(*http.Request) {}, at: now.Add(Skew)},
		{name: "too old", spoil: func(*http.Request) {}, at: now.Add(Skew + time.Second), kind: Expired,
			message: "Signature expired: 20260115T120000Z is now earlier than 20260115T120001Z (20260115T121501Z - 15 min.)"},
		{name: "15 minutes ahead", spoil: func(*http.Request) {}, at: now.Add(-Skew)},
		{name: "too new", spoil: func(*http.Request) {}, at: now.Add(-Skew - time.Second), kind: Expired,
			message: "Signature not yet current: 20260115T120000Z is still later than 20260115T115959Z (20260115T114459Z + 15 min.)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body := []byte(`{"thingTypeName":"camera"}`)
			r := request(t, "POST", "https://iot.us-east-1.amazonaws.com/things/x?a=b", "Content-Type", "application/json")
			if err := Sign(r, body, long, "us-east-1", "iot", now); err != nil {
				t.Fatal(err)
			}
			in := received(r)
			tt.spoil(in)
			if tt.at.IsZero() {
				tt.at = now
			}
			check(t, verify(in, Body(body), tt.at), tt.kind, tt.message)
		})
	}
}

func edit(old, new string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("Authorization", strings.ReplaceAll(r.Header.Get("Authorization"), old, new))
	}
}

func set(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// TestPresignedFaults does the same in the query form.
func TestPresignedFaults(t *testing.T) {
	swap := func(old, new string) func(*http.Request) {
		return func(r *http.Request) {
			if !strings.Contains(r.URL.RawQuery, old) {
				panic("nothing to spoil: " + old)
			}
			r.URL.RawQuery = strings.Replace(r.URL.RawQuery, old, new, 1)
		}
	}
	for _, tt := range []struct {
		name    string
		spoil   func(r *http.Request)
		at      time.Time
		kind    Kind
		message string
	}{
		{name: "none", spoil: func(*http.Request) {}},
		{name: "no signature", spoil: swap("X-Amz-Signature=", "X="), kind: Malformed,
			message: "AWS query-string parameters must include 'X-Amz-Signature'. Re-examine the query-string parameters."},
		{name: "signature alone", spoil: func(r *http.Request) { r.URL.RawQuery = "X-Amz-Signature=00" }, kind: Malformed,
			message: "AWS query-string parameters must include 'X-Amz-Algorithm'. AWS query-string parameters must include 'X-Amz-Credential'. AWS query-string parameters must include 'X-Amz-SignedHeaders'. AWS query-string parameters must include 'X-Amz-Date'. Re-examine the query-string parameters."},
		{name: "case of the names", spoil: func(r *http.Request) { r.URL.RawQuery = strings.ToLower(r.URL.RawQuery) }, kind: MissingToken},
		{name: "algorithm", spoil: swap("HMAC-SHA256", "HMAC-SHA1"), kind: Malformed, message: "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA1'."},
		{name: "repeated", spoil: swap("X-Amz-Expires=60", "X-Amz-Expires=60&X-Amz-Expires=60"), kind: Malformed,
			message: "The query string has more than one 'X-Amz-Expires' parameter."},
		{name: "repeated in disguise", spoil: swap("X-Amz-Expires=60", "X-Amz-Expires=60&X-Amz%2DExpires=600"), kind: Malformed},
		{name: "expires 0", spoil: swap("Expires=60", "Expires=0"), kind: Malformed},
		{name: "expires negative", spoil: swap("Expires=60", "Expires=-60"), kind: Malformed},
		{name: "expires text", spoil: swap("Expires=60", "Expires=1h"), kind: Malformed, message: "X-Amz-Expires should be a number"},
		{name: "expires empty", spoil: swap("Expires=60", "Expires="), kind: Malformed},
		{name: "expires too long", spoil: swap("Expires=60", "Expires=604801"), kind: Malformed,
			message: "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds"},
		{name: "expires changed", spoil: swap("Expires=60", "Expires=604800"), kind: Mismatch, message: mismatch},
		{name: "token changed", spoil: swap("EXAMPLE%2F%2Btoken", "EXAMPLE%2F%2Bothers"), kind: Mismatch, message: mismatch},
		{name: "token elsewhere", spoil: set("X-Amz-Security-Token", "other"), kind: Malformed},
		{name: "RFC 1123", spoil: swap("X-Amz-Date=20260115T120000Z", "X-Amz-Date=Thu,%2015%20Jan%202026%2012:00:00%20GMT"), kind: Malformed},
		{name: "at its end", spoil: func(*http.Request) {}, at: now.Add(time.Minute)},
		{name: "past its end", spoil: func(*http.Request) {}, at: now.Add(61 * time.Second), kind: Expired,
			message: "Signature expired: 20260115T120000Z is now earlier than 20260115T120001Z (20260115T120101Z - 1 min.)"},
		{name: "before its time", spoil: func(*http.Request) {}, at: now.Add(-16 * time.Minute), kind: Expired},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := request(t, "GET", "https://sts.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15")
			if err := Presign(r, nil, temp, "us-east-1", "sts", time.Minute, now); err != nil {
				t.Fatal(err)
			}
			in := received(r)
			tt.spoil(in)
			if tt.at.IsZero() {
				tt.at = now
			}
			check(t, verify(in, Body(nil), tt.at), tt.kind, tt.message)
		})
	}
}

func TestScope(t *testing.T) {
	s := &Signature{Service: "iot", Region: "mars-1"}
	check(t, s.CheckService("iotdata", "iot"), 0, "")
	check(t, s.CheckService("iam"), Scope, "Credential should be scoped to correct service: 'iam'.")
}

// TestPathForms signs every form that clients make of a path on the wire.
func TestPathForms(t *testing.T) {
	for _, tt := range []struct {
		wire, canonical string
		kind            Kind
	}{
		{"/topics/a%2Fb%20c", "/topics/a%252Fb%2520c", 0}, // the SDKs
		{"/topics/a%2Fb%20c", "/topics/a%2Fb%20c", 0},     // signers written by hand
		{"/topics/a%2Fb%20c", "/topics/a/b c", Mismatch},
		{"/topics/a%252Fb", "/topics/a%25252Fb", 0},
		{"/topics/a%252Fb", "/topics/a%252Fb", Mismatch}, // signed by an SDK for /topics/a%2Fb
		{"/topics/a%2Fb%20c", "/topics/a/b%20c", Mismatch},
		{"//describeStream", "/describeStream", 0},
		{"//describeStream", "//describeStream", 0},
		{"/a/./b/../c", "/a/c", 0},
		{"/a/./b/../c", "/a/./b/../c", 0},
		{"/a/b/..", "/a/", 0},
		{"/../..", "/", 0},
		{"/policies/arn%3Aaws%3Aiot", "/policies/arn%253Aaws%253Aiot", 0},
		{"/role-aliases/a=b,c@d", "/role-aliases/a%3Db%2Cc%40d", 0},
		{"/role-aliases/a=b,c@d", "/role-aliases/a=b,c@d", 0},
		{"/é", "/%C3%A9", 0},
		{"", "/", 0},
	} {
		s := &Signature{
			AccessKeyID: long.AccessKeyID, Date: "20260115", Region: "us-east-1", Service: "iot",
			SignedHeaders: []string{"host"}, time: "20260115T120000Z", Time: now,
		}
		sum := sha256.Sum256([]byte("GET\n" + tt.canonical + "\n\nhost:h\n\nhost\n" + emptyHash))
		s.signature = hmacHex(SigningKey(long.SecretAccessKey, s.Date, s.Region, s.Service),
			"AWS4-HMAC-SHA256\n20260115T120000Z\n20260115/us-east-1/iot/aws4_request\n"+hex.EncodeToString(sum[:]))
		r := &http.Request{Method: "GET", Host: "h", RequestURI: tt.wire, URL: &url.URL{}, Header: http.Header{}}
		err := s.Verify(r, SigningKey(long.SecretAccessKey, s.Date, s.Region, s.Service), Body(nil), now)
		t.Run(tt.wire+" as "+tt.canonical, func(t *testing.T) { check(t, err, tt.kind, "") })
	}
}

// TestWebSocket covers what is special about iotdevicegateway.
func TestWebSocket(t *testing.T) {
	for _, tt := range []struct {
		name       string
		host, wire string // as signed, as received
		token      bool
		inside     bool // the token is in the canonical query
		expires    time.Duration
		at         time.Time
		kind       Kind
	}{
		{"plain", "h", "h", false, false, time.Hour, now.Add(time.Hour), 0},
		{"late token", "h", "h", true, false, time.Hour, now, 0},
		{"token inside", "h", "h", true, true, time.Hour, now, 0},
		{"signed with port", "h:443", "h", true, false, time.Hour, now, 0},
		{"sent with port", "h", "h:443", true, false, time.Hour, now, 0},
		{"our port", "h:8443", "h:8443", true, false, time.Hour, now, 0},
		{"another port", "h", "h:8443", true, false, time.Hour, now, Mismatch},
		{"IPv6", "[::1]:443", "[::1]", true, false, time.Hour, now, 0},
		{"no expiry", "h", "h", false, false, 0, now.Add(15 * time.Minute), 0},
		{"no expiry, too late", "h", "h", false, false, 0, now.Add(16 * time.Minute), Expired},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cred := long
			if tt.token {
				cred = temp
			}
			r := request(t, "GET", "wss://"+tt.host+"/mqtt")
			service := gateway
			if tt.inside {
				// Presign appends it late for this service: sign it by hand.
				r.URL.RawQuery = paramToken + "=" + encode(temp.SessionToken, 'a')
				cred.SessionToken = ""
			}
			if err := Presign(r, nil, cred, "us-east-1", service, tt.expires, now); err != nil {
				t.Fatal(err)
			}
			in := received(r)
			in.Host = tt.wire
			check(t, verify(in, Body(nil), tt.at), tt.kind, "")
		})
	}
}

func TestPayloads(t *testing.T) {
	body := []byte("body")
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	for _, tt := range []struct {
		service, signed string // the payload line that the client signed
		header          string // X-Amz-Content-Sha256
		payload         Payload
		kind            Kind
	}{
		{"iot", hash, "", Body(body), 0},
		{"iot", hash, hash, Body(body), 0},
		{"iot", emptyHash, "", Body(body), Mismatch},
		{"iot", emptyHash, "", Body(nil), 0},
		{"iot", unsignedPayload, unsignedPayload, Body(body), Mismatch},
		{"iot", unsignedPayload, unsignedPayload, Body(nil), 0},
		{"kinesisvideo", unsignedPayload, unsignedPayload, UnsignedBody(body), 0},
		{"kinesisvideo", unsignedPayload, unsignedPayload, Body(body), Mismatch},
		{"kinesisvideo", unsignedPayload, "", Body(body), Mismatch},
		{"kinesisvideo", streamingPayload, streamingPayload, Body(body), Malformed},
		{"kinesisvideo", streamingPayload, streamingPayload, Streaming(), 0},
		{"kinesisvideo", unsignedPayload, unsignedPayload, Streaming(), 0},
		{"kinesisvideo", emptyHash, "", Streaming(), 0},
		{"kinesisvideo", hash, hash, Streaming(), 0},
		{"kinesisvideo", hash, "", Streaming(), Mismatch},
		{"kinesisvideo", "x", "x", Streaming(), Malformed},
		{"kinesisvideo", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", Streaming(), Malformed},
	} {
		for _, signed := range []bool{true, false} {
			t.Run(fmt.Sprint(tt.service, tt.header, tt.payload.streaming, signed), func(t *testing.T) {
				g := Signer{Credentials: temp, Region: "us-east-1", Service: tt.service, Payload: tt.signed, UnsignedToken: !signed}
				r := request(t, "POST", "https://h/putMedia", "X-Amzn-Stream-Name", "s")
				if signed && tt.header != "" {
					r.Header.Set("X-Amz-Content-Sha256", tt.header)
				}
				if err := g.Sign(r, nil, now); err != nil {
					t.Fatal(err)
				}
				if tt.header != "" {
					r.Header.Set("X-Amz-Content-Sha256", tt.header)
				}
				s, err := Parse(received(r))
				if err != nil {
					t.Fatal(err)
				}
				if s.Token != temp.SessionToken || s.Signed("X-Amz-Security-Token") != signed || !s.Signed("x-amzn-stream-name") {
					t.Errorf("token %q, signed headers %v", s.Token, s.SignedHeaders)
				}
				check(t, verify(received(r), tt.payload, now), tt.kind, "")
			})
		}
	}
}

// TestDateHeader signs with Date in place of X-Amz-Date.
func TestDateHeader(t *testing.T) {
	for _, date := range []string{now.Format(http.TimeFormat), "20260115T120000Z"} {
		r := request(t, "GET", "https://h/", "Date", date)
		g := Signer{Credentials: long, Region: "us-east-1", Service: "iot", Headers: []string{"host", "date"}}
		if err := g.Sign(r, nil, now); err != nil {
			t.Fatal(err)
		}
		r.Header.Del("X-Amz-Date")
		check(t, verify(received(r), Body(nil), now), 0, "")
	}
}

// TestProducer sends the headers of kvssink through a real server: net/http
// takes some of the signed ones out of the map.
func TestProducer(t *testing.T) {
	errs := make(chan error, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		errs <- verify(r, Streaming(), now)
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	defer server.Close()
	const signed = "connection;host;transfer-encoding;user-agent;x-amz-date;x-amzn-fragment-acknowledgment-required;x-amzn-fragment-timecode-type;x-amzn-producer-start-timestamp;x-amzn-stream-name"
	for _, connection := range []string{"keep-alive", "close"} {
		canonical := "POST\n/putMedia\n\nconnection:" + connection + "\nhost:localhost\ntransfer-encoding:chunked\nuser-agent:AWS-SDK-KVS/3.6.0 GCC/12.2.0 Linux/6.1 x86_64\nx-amz-date:20260115T120000Z\nx-amzn-fragment-acknowledgment-required:1\nx-amzn-fragment-timecode-type:ABSOLUTE\nx-amzn-producer-start-timestamp:1795303731.355\nx-amzn-stream-name:http35\n\n" + signed + "\n" + emptyHash
		sum := sha256.Sum256([]byte(canonical))
		signature := hmacHex(SigningKey(long.SecretAccessKey, "20260115", "us-east-1", "kinesisvideo"),
			"AWS4-HMAC-SHA256\n20260115T120000Z\n20260115/us-east-1/kinesisvideo/aws4_request\n"+hex.EncodeToString(sum[:]))
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST /putMedia HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n"+
			"Authorization: AWS4-HMAC-SHA256 Credential=ASIAIOSFODNN7EXAMPLE/20260115/us-east-1/kinesisvideo/aws4_request, SignedHeaders=%s, Signature=%s\r\n"+
			"connection: %s\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\nuser-agent: AWS-SDK-KVS/3.6.0 GCC/12.2.0 Linux/6.1 x86_64\r\n"+
			"X-Amz-Date: 20260115T120000Z\r\nx-amz-security-token: token\r\nx-amzn-fragment-acknowledgment-required: 1\r\nx-amzn-fragment-timecode-type: ABSOLUTE\r\n"+
			"x-amzn-producer-start-timestamp: 1795303731.355\r\nx-amzn-stream-name: http35\r\nExpect: 100-continue\r\n\r\n3\r\nabc\r\n0\r\n\r\n", signed, signature, connection)
		if err := <-errs; err != nil {
			t.Errorf("connection %s: %v", connection, err)
			if e, ok := errors.AsType[*Error](err); ok {
				t.Logf("signed:\n%s\ncalculated:\n%s", canonical, e.CanonicalRequest)
			}
		}
		if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil {
			t.Error(err)
		}
	}
}

// TestSDK has requests signed by AWS's own signer verified by ours, and ours
// compared with it.
func TestSDK(t *testing.T) {
	body := []byte(`{"a":1}`)
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	for _, cred := range []Credentials{long, temp} {
		theirs := aws.Credentials{AccessKeyID: cred.AccessKeyID, SecretAccessKey: cred.SecretAccessKey, SessionToken: cred.SessionToken}
		for _, target := range []string{
			"https://iam.amazonaws.com/",
			"https://localhost:4566/things/x",
			"https://localhost:4566/topics/a%2Fb%20c?qos=1",
			"https://localhost:4566/attached-policies/arn%3Aaws%3Aiot%3Aus-east-1%3A123456789012%3Acert%2Fabc",
			"https://localhost:4566/role-aliases/a%3Db%2Cc%40d?x=%2F&x=&B=~&b=1%2B1&a%20b=c%20d",
			"https://localhost:4566/topics/a//b/../c",
			"https://localhost:4566/%C3%A9/%E2%98%83",
			"http://[::1]:4566/x?" + strings.Repeat("tag=a%26b&", 50) + "z=1",
		} {
			for _, header := range []http.Header{
				{},
				{"Content-Type": {"application/json"}, "X-Amzn-Stream-Name": {"a  b   c "}, "X-Amz-Multi": {"b", " a"}, "Amz-Sdk-Request": {"attempt=1; max=3"}, "User-Agent": {"aws-sdk-go-v2"}},
				{"X-Amz-Content-Sha256": {hash}},
			} {
				t.Run(cred.AccessKeyID+" "+target, func(t *testing.T) {
					fresh := func() *http.Request {
						r, err := http.NewRequest("POST", target, bytes.NewReader(body))
						if err != nil {
							t.Fatal(err)
						}
						maps.Copy(r.Header, header)
						return r
					}
					signer := v4.NewSigner()
					r := fresh()
					if err := signer.SignHTTP(t.Context(), theirs, r, hash, "iot", "us-east-1", now); err != nil {
						t.Fatal(err)
					}
					check(t, verify(received(r), Body(body), now), 0, "")
					check(t, verify(received(r), Body([]byte("other")), now), Mismatch, mismatch)

					r = fresh()
					signed, extra, err := signer.PresignHTTP(t.Context(), theirs, r, hash, "iot", "us-east-1", now)
					if err != nil {
						t.Fatal(err)
					}
					in := httptest.NewRequest("POST", signed, nil)
					in.Header = extra
					in.Host = r.URL.Host
					in.ContentLength = int64(len(body))
					check(t, verify(in, Body(body), now.Add(5*time.Minute)), 0, "")

					r = fresh()
					if err := Sign(r, body, cred, "us-east-1", "iot", now); err != nil {
						t.Fatal(err)
					}
					check(t, verify(received(r), Body(body), now), 0, "")
					r = fresh()
					if err := Presign(r, body, cred, "us-east-1", "iot", time.Hour, now); err != nil {
						t.Fatal(err)
					}
					check(t, verify(received(r), Body(body), now), 0, "")
				})
			}
		}
	}
}

func TestKeyCache(t *testing.T) {
	var c KeyCache
	a := c.Get(&Signature{AccessKeyID: "a", Date: "20260115", Region: "r", Service: "s"}, "secret")
	if want := SigningKey("secret", "20260115", "r", "s"); !bytes.Equal(a, want) {
		t.Errorf("got %x, want %x", a, want)
	}
	if b := c.Get(&Signature{AccessKeyID: "a", Date: "20260115", Region: "r", Service: "s"}, "changed"); bytes.Equal(a, b) {
		t.Error("a changed secret has the old key")
	}
	for i := range 3 * keysKept {
		c.Get(&Signature{AccessKeyID: fmt.Sprint(i), Date: "20260115", Region: "r", Service: "s"}, "secret")
		if again := c.Get(&Signature{AccessKeyID: "a", Date: "20260115", Region: "r", Service: "s"}, "secret"); &again[0] != &a[0] {
			t.Fatalf("a key in use was forgotten after %d others", i)
		}
	}
	if n := len(c.keys) + len(c.old); n > 2*keysKept {
		t.Errorf("%d keys kept", n)
	}
}

func hmacHex(key []byte, text string) string {
	return hex.EncodeToString(hmacSHA256(key, text))
}

func FuzzParse(f *testing.F) {
	for _, v := range vectors(f) {
		u, err := url.Parse(v.Request.URL)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(u.EscapedPath(), u.RawQuery, v.Request.Headers["Authorization"], v.Request.Headers["X-Amz-Date"], v.SessionToken, v.Request.Headers["x-amz-content-sha256"])
	}
	f.Fuzz(func(t *testing.T, path, query, authorization, date, token, hash string) {
		r := &http.Request{Method: "POST", Host: "h", RequestURI: "/" + path, URL: &url.URL{Path: "/", RawQuery: query}, Header: http.Header{}}
		for name, value := range map[string]string{"Authorization": authorization, "X-Amz-Date": date, "X-Amz-Security-Token": token, "X-Amz-Content-Sha256": hash} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		s, err := Parse(r)
		if err != nil {
			if e, ok := errors.AsType[*Error](err); !ok || e.Kind == 0 || e.Message == "" || len(e.Message) > 4096 {
				t.Fatalf("%#v", err)
			}
			return
		}
		if s == nil {
			return
		}
		if s.AccessKeyID == "" || len(s.SignedHeaders) == 0 || len(s.time) != len(timeFormat) {
			t.Fatalf("%#v", s)
		}
		for _, p := range []Payload{Body([]byte("x")), Streaming()} {
			if err := s.Verify(r, []byte("no such key"), p, s.Time); err == nil {
				t.Fatal("verified")
			}
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	body := []byte(`{"thingTypeName":"camera"}`)
	r := request(b, "POST", "https://localhost:4566/things/camera-00000001?a=b", "Content-Type", "application/json", "Amz-Sdk-Request", "attempt=1; max=3")
	if err := Sign(r, body, temp, "us-east-1", "iot", now); err != nil {
		b.Fatal(err)
	}
	in := received(r)
	var keys KeyCache
	b.ReportAllocs()
	for b.Loop() {
		s, err := Parse(in)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Verify(in, keys.Get(s, temp.SecretAccessKey), Body(body), now); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSigningKey(b *testing.B) {
	for b.Loop() {
		SigningKey(long.SecretAccessKey, "20260115", "us-east-1", "iot")
	}
}
