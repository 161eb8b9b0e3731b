package server

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func named(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s", name, r.URL.EscapedPath(), b)
	})
}

func testRouter() *Router {
	services := map[string]http.Handler{}
	for _, s := range []string{"iot", "iotdata", "iot-jobs-data", "iam", "sts", "kinesisvideo", "thingd"} {
		services[s] = named(s)
	}
	return &Router{Services: services, Credentials: named("credentials"), SignIn: named("signin"), RootPEM: func() []byte { return []byte("PEM\n") }}
}

const scope = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260115/us-east-1/%s/aws4_request, SignedHeaders=host, Signature=00"

func TestRoute(t *testing.T) {
	auth := func(service string) http.Header {
		return http.Header{"Authorization": {fmt.Sprintf(scope, service)}}
	}
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}}
	badForm := form.Clone()
	badForm.Set("Authorization", "AWS4-HMAC-SHA256 Signature=00")
	uuid := `"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"`
	for _, tt := range []struct {
		name, method, target string
		header               http.Header
		body                 string
		cert                 bool
		status               int
		want                 string // a regular expression of the whole body
	}{
		{"by scope", "GET", "/things/cam", auth("iot"), "", false, 200, `iot /things/cam `},
		{"same path, other scope", "GET", "/things/cam/jobs", auth("iot-jobs-data"), "", false, 200, `iot-jobs-data /things/cam/jobs `},
		{"execute-api is iot", "GET", "/things", auth("execute-api"), "", false, 200, `iot /things `},
		{"scope without spaces", "GET", "/things", http.Header{"Authorization": {strings.ReplaceAll(fmt.Sprintf(scope, "iot"), ", ", ",")}}, "", false, 200, `iot /things `},
		{"form by scope", "POST", "/", auth("iam"), "Action=ListUsers", false, 200, `iam / Action=ListUsers`},
		{"presigned", "GET", "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA%2F20260115%2Fus-east-1%2Fsts%2Faws4_request&X-Amz-Signature=00", nil, "", false, 200, `sts / `},
		{"escaped path stays", "POST", "/topics/a%2F%2Fb?qos=1", auth("iotdata"), "", false, 200, `iotdata /topics/a%2F%2Fb `},
		{"doubled slash", "POST", "//describeStream", auth("kinesisvideo"), "{}", false, 200, `kinesisvideo //describeStream \{\}`},
		{"our own", "GET", "/thingd/accounts", auth("thingd"), "", false, 200, `thingd /thingd/accounts `},
		{"our own, unreadable scope", "GET", "/thingd/accounts", http.Header{"Authorization": {"Bearer x"}}, "", false, 200, `thingd /thingd/accounts `},
		{"other service", "GET", "/bucket", auth("s3"), "", false, 501, `\{"message":"thingd does not serve the service \\"s3\\"."\}`},
		{"signature wins over certificate", "GET", "/things", auth("iot"), "", true, 200, `iot /things `},

		{"unreadable scope, form", "POST", "/", badForm, "Action=ListUsers&Version=2010-05-08", false, 200, `iam / Action=ListUsers&Version=2010-05-08`},
		{"unreadable scope, video", "POST", "/describeStream", http.Header{"Authorization": {"AWS4-HMAC-SHA256 Credential=a/b"}}, "", false, 200, `kinesisvideo /describeStream `},
		{"unreadable scope, iot", "GET", "/things", http.Header{"Authorization": {"Bearer x"}}, "", false, 200, `iot /things `},
		{"presigned, unreadable", "GET", "/things?X-Amz-Credential=%zz", nil, "", false, 200, `iot /things `},
		{"presigned, no credential", "GET", "/things?X-Amz-Signature=00", nil, "", false, 200, `iot /things `},

		{"credentials", "GET", "/role-aliases/Alias/credentials", nil, "", true, 200, `credentials /role-aliases/Alias/credentials `},
		{"credentials, no certificate", "GET", "/role-aliases/Alias/credentials", nil, "", false, 200, `credentials /role-aliases/Alias/credentials `},
		{"credentials, escaped alias", "GET", "//role-aliases/a%2Fb%40c/credentials", nil, "", true, 200, `credentials //role-aliases/a%2Fb%40c/credentials `},
		{"credentials, POST", "POST", "/role-aliases/Alias/credentials", nil, "", true, 405, `\{"message":"Method Not Allowed","traceId":` + uuid + `\}`},
		{"credentials, two segments", "GET", "/role-aliases/a/b/credentials", nil, "", true, 404, `\{"message":"Not Found","traceId":` + uuid + `\}`},
		{"credentials, no alias", "GET", "/role-aliases//credentials", nil, "", true, 404, `\{"message":"Not Found",.*\}`},
		{"signed role alias", "GET", "/role-aliases/Alias", auth("iot"), "", false, 200, `iot /role-aliases/Alias `},
		{"device, other path", "GET", "/things", nil, "", true, 404, `\{"message":"Not Found","traceId":` + uuid + `\}`},

		{"sign-in", "POST", "/signin", nil, "{}", false, 200, `signin /signin \{\}`},
		{"sign-in, session", "GET", "/signin/session", nil, "", false, 200, `signin /signin/session `},
		{"federation", "GET", "/federation?Action=login", nil, "", false, 200, `signin /federation `},
		{"federation, form", "POST", "/federation", form, "Action=login", false, 200, `signin /federation Action=login`},
		{"sign-in URL", "GET", "/console/", nil, "", false, 200, `signin /console/ `},
		{"signed sign-in", "POST", "/signin", auth("iot"), "", false, 200, `iot /signin `},
		{"sign-in with a certificate", "POST", "/signin", nil, "", true, 404, `\{"message":"Not Found","traceId":` + uuid + `\}`},
		{"no sign-in", "GET", "/signing", nil, "", false, 403, `\{"message":"Missing Authentication Token"\}`},
		{"root", "GET", "/repository/SFSRootCAG2.pem", nil, "", false, 200, "PEM\n"},
		{"root, second name", "GET", "/repository/AmazonRootCA1.pem", nil, "", true, 200, "PEM\n"},
		{"root, symantec", "GET", "/content/en/us/enterprise/verisign/roots/VeriSign-Class%203-Public-Primary-Certification-Authority-G5.pem", nil, "", false, 200, "PEM\n"},
		{"root, HEAD", "HEAD", "/repository/SFSRootCAG2.pem", nil, "", false, 200, ""},
		{"root, POST", "POST", "/repository/SFSRootCAG2.pem", nil, "", false, 403, `\{"message":"Missing Authentication Token"\}`},
		{"root, unescaped", "GET", "/repository/../repository/SFSRootCAG2.pem", nil, "", false, 403, `\{"message":"Missing Authentication Token"\}`},

		{"unsigned STS", "POST", "/", form, "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=x", false, 200, `sts / Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=x`},
		{"unsigned STS, GET", "GET", "/?Action=AssumeRoleWithSAML&Version=2011-06-15", nil, "", false, 200, `sts / `},
		{"nothing, JSON", "POST", "/describeStream", http.Header{"Content-Type": {"application/json"}}, `{}`, false, 403, `\{"message":"Missing Authentication Token"\}`},
		{"nothing, IAM", "POST", "/", form, "Action=ListUsers&Version=2010-05-08", false, 403, `(?s).*xmlns="https://iam.amazonaws.com/doc/2010-05-08/".*<Code>MissingAuthenticationToken</Code>.*`},
		{"nothing, STS", "POST", "/", form, "Version=2011-06-15&Action=GetCallerIdentity", false, 403, `(?s).*xmlns="https://sts.amazonaws.com/doc/2011-06-15/".*`},
		{"form without action", "POST", "/", form, "a=b", false, 403, `\{"message":"Missing Authentication Token"\}`},
		{"big form", "POST", "/", form, "Action=AssumeRoleWithSAML&SAMLAssertion=" + strings.Repeat("x", 3*maxActionBytes), false, 200, `sts / Action=AssumeRoleWithSAML&SAMLAssertion=x{196608}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, tt.target, strings.NewReader(tt.body))
			if tt.header != nil {
				r.Header = tt.header
			}
			r.TLS = nil
			if tt.cert {
				r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{}}}
			}
			w := httptest.NewRecorder()
			testRouter().ServeHTTP(w, r)
			if w.Code != tt.status {
				t.Errorf("status %d, want %d", w.Code, tt.status)
			}
			// Go's regexp repeats 1000 times at most.
			body := strings.ReplaceAll(w.Body.String(), strings.Repeat("x", 196608), "x{196608}")
			want := strings.ReplaceAll(tt.want, "x{196608}", `x\{196608\}`)
			if !regexp.MustCompile(`^(?:`+want+`)$`).MatchString(body) && body != tt.want {
				t.Errorf("body %s, want %s", body, tt.want)
			}
			if w.Code >= 400 {
				checkEnvelope(t, w)
			}
		})
	}
}

// checkEnvelope parses an error as a client would.
func checkEnvelope(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	if w.Header().Get("x-amzn-RequestId") == "" {
		t.Error("no x-amzn-RequestId")
	}
	if strings.HasPrefix(w.Header().Get("Content-Type"), "text/xml") {
		var e struct {
			Type      string `xml:"Error>Type"`
			Code      string `xml:"Error>Code"`
			RequestID string `xml:"RequestId"`
		}
		if err := xml.Unmarshal(w.Body.Bytes(), &e); err != nil {
			t.Error(err)
		}
		if e.Type != "Sender" || e.Code == "" || e.RequestID != w.Header().Get("x-amzn-RequestId") {
			t.Errorf("envelope %+v", e)
		}
		return
	}
	var e struct{ Message, TraceID string }
	if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil {
		t.Error(err)
	}
	if e.Message == "" || w.Header().Get("x-amzn-ErrorType") == "" {
		t.Errorf("envelope %+v, type %q", e, w.Header().Get("x-amzn-ErrorType"))
	}
}

// The same through real sockets, where the ports differ.
func TestRouteOnPorts(t *testing.T) {
	s := start(t, &Server{Handler: testRouter()})
	bare := clientOf(t, &tls.Config{RootCAs: roots(s.PKI)})
	device := clientOf(t, &tls.Config{RootCAs: roots(s.PKI), Certificates: []tls.Certificate{deviceCert(t)}})
	for _, tt := range []struct {
		name   string
		client *http.Client
		url    string
		status int
		want   string
	}{
		{"camera", device, s.url("https", Device, "/role-aliases/A/credentials"), 200, "credentials "},
		{"no certificate", bare, s.url("https", Device, "/role-aliases/A/credentials"), 200, "credentials "},
		{"device path", device, s.url("https", Device, "/other"), 404, "Not Found"},
		{"no certificate, other path", bare, s.url("https", Device, "/other"), 403, `"Forbidden"`},
		{"certificate on the API port", device, s.url("https", API, "/other"), 403, "Missing Authentication Token"},
		{"root by plain HTTP", bare, s.url("http", API, "/repository/AmazonRootCA1.pem"), 200, "PEM"},
		{"root on the device port", bare, s.url("https", Device, "/repository/AmazonRootCA1.pem"), 200, "PEM"},
	} {
		if status, body := get(t, tt.client, tt.url); status != tt.status || !strings.Contains(body, tt.want) {
			t.Errorf("%s: %d %s, want %d %s", tt.name, status, body, tt.status, tt.want)
		}
	}
}

func FuzzRoute(f *testing.F) {
	f.Add("POST", "/?Action=x", fmt.Sprintf(scope, "iot"), "application/x-www-form-urlencoded", []byte("Action=ListUsers&Version=2010-05-08"))
	f.Add("GET", "/?X-Amz-Credential=a%2Fb%2Fc%2Fiot%2Fd", "", "", []byte(nil))
	f.Add("GET", "//role-aliases/a%2f/credentials", "Credential=", "", []byte("%"))
	rt := testRouter()
	f.Fuzz(func(t *testing.T, method, target, auth, contentType string, body []byte) {
		r, err := http.NewRequest(method, "http://h"+target, strings.NewReader(string(body)))
		if err != nil {
			return
		}
		r.Header.Set("Authorization", auth)
		r.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		rt.ServeHTTP(w, r)
		// Whoever serves it sees the body as it came.
		if s := w.Body.String(); w.Code == 200 && rootPath(r) == "" && !strings.HasSuffix(s, string(body)) {
			t.Errorf("body %q became %q", body, s)
		}
	})
}

// What the router answers by itself it tells of, with the answer's request id.
func TestRefused(t *testing.T) {
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	for _, tt := range []struct {
		method, target string
		header         http.Header
		body           string
		want           string
	}{
		{"POST", "/", form, "Action=ListUsers&Version=2010-05-08", "iam ListUsers MissingAuthenticationToken"},
		{"POST", "/", form, "Action=Fly", "sts Fly MissingAuthenticationToken"},
		{"GET", "/things", nil, "", "iot  MissingAuthenticationTokenException"},
		{"POST", "/describeStream", nil, "{}", "kinesisvideo  MissingAuthenticationTokenException"},
		{"GET", "/bucket", http.Header{"Authorization": {fmt.Sprintf(scope, "s3")}}, "", "s3  NotImplementedException"},
		{"GET", "/?Action=X", http.Header{"Authorization": {fmt.Sprintf(scope, "sqs")}}, "", "sqs X NotImplementedException"},
		{"GET", "/things", http.Header{"Authorization": {fmt.Sprintf(scope, "iot")}}, "", ""},
		{"GET", "/repository/SFSRootCAG2.pem", nil, "", ""},
		{"POST", "/", form, "Action=AssumeRoleWithWebIdentity&Version=2011-06-15", ""},
	} {
		r := httptest.NewRequest(tt.method, tt.target, strings.NewReader(tt.body))
		if tt.header != nil {
			r.Header = tt.header
		}
		r.TLS = nil
		w := httptest.NewRecorder()
		router, got, id := testRouter(), "", ""
		router.Refused = func(f Refusal) {
			got, id = f.Service+" "+f.Action+" "+f.Code, f.ID
			if f.HTTP == nil || f.Message == "" || w.Body.Len() > 0 {
				t.Errorf("%+v", f)
			}
		}
		router.ServeHTTP(w, r)
		if got != tt.want || got != "" && w.Header().Get("x-amzn-RequestId") != id {
			t.Errorf("%s %s: %q %s, want %q", tt.method, tt.target, got, id, tt.want)
		}
	}
}
