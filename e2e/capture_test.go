package e2e

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
)

// TestCapturedSignature takes a signature that Kinesis Video's Java producer
// might have made, over UNSIGNED-PAYLOAD, and tries what else it is good for.
func TestCapturedSignature(t *testing.T) {
	s := start(t)
	createStream(t, s, "cam")
	const user = "Action=CreateUser&Version=2010-05-08&UserName=intruder"
	const describe = `{"StreamName":"cam"}`
	signed := func(path, service string) *http.Request {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.api()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		g := sigv4.Signer{Credentials: s.rootKey(), Region: s.at.Region, Service: service, Payload: "UNSIGNED-PAYLOAD", Headers: []string{"x-amz-date"}}
		r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
		if err := g.Sign(r, nil, time.Now()); err != nil {
			t.Fatal(err)
		}
		return r
	}
	presigned := func(path, service string) *http.Request {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.api()+path+"?X-Amz-Content-Sha256=UNSIGNED-PAYLOAD", nil)
		if err != nil {
			t.Fatal(err)
		}
		g := sigv4.Signer{Credentials: s.rootKey(), Region: s.at.Region, Service: service, Payload: "UNSIGNED-PAYLOAD"}
		if err := g.Presign(r, nil, time.Hour, time.Now()); err != nil {
			t.Fatal(err)
		}
		return r
	}
	disguise := func(r *http.Request) *http.Request {
		r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), " Credential=",
			" X-Credential="+s.root.AccessKeyID+"/20260101/us-east-1/iam/aws4_request, Credential=", 1))
		return r
	}
	escape := func(r *http.Request) *http.Request {
		r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "X-Amz-Credential", "X%2DAmz-Credential", 1)
		return r
	}
	for _, tt := range []struct {
		name string
		r    *http.Request
		body string
		ok   bool
	}{
		{"iam, another scope named first", disguise(signed("/", "kinesisvideo")), user, false},
		{"iam, parameter disguised", escape(presigned("/", "kinesisvideo")), user, false},
		{"iam", signed("/", "kinesisvideo"), user, false},
		{"iam, body not signed", signed("/", "iam"), user, false},
		{"body exchanged", signed("/describeStream", "kinesisvideo"), describe, false},
		{"body exchanged, presigned", presigned("/getMedia", "kinesisvideo"), `{"StreamName":"cam","StartSelector":{"StartSelectorType":"EARLIEST"}}`, false},
		{"as the producer does", signed("/getMedia", "kinesisvideo"), `{"StreamName":"cam","StartSelector":{"StartSelectorType":"EARLIEST"}}`, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.r.Body = http.NoBody
			r := tt.r.Clone(t.Context())
			r.Body, r.ContentLength = readCloser(tt.body), int64(len(tt.body))
			if strings.HasPrefix(tt.body, "Action") {
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			if ok := resp.StatusCode == http.StatusOK; ok != tt.ok || !ok && resp.StatusCode/100 != 4 {
				t.Errorf("answered %s", resp.Status)
			}
		})
	}
}

func readCloser(s string) io.ReadCloser { return io.NopCloser(strings.NewReader(s)) }
