package e2e

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
)

// TestHostileBodies sends what no client would: each body is answered with a
// modelled error, the server's memory stays bounded, and it serves on.
func TestHostileBodies(t *testing.T) {
	s := start(t)
	createStream(t, s, "cam")
	noise := make([]byte, 64<<10)
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	video := media(t)
	deep := func(open, inner, end string) string {
		return strings.Repeat(open, 20_000) + inner + strings.Repeat(end, 20_000)
	}
	form := "Action=CreateRole&Version=2010-05-08&RoleName=r&AssumeRolePolicyDocument="
	iotJSON := func(name, value string) string { return `{"` + name + `":` + value + `}` }
	quoted := func(text string) string {
		b, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for _, tt := range []struct {
		name, method, path, service, body string
		status                            int
		codes                             string // any of
	}{
		{"truncated JSON", "POST", "/things/x", "iot", `{"attributePayload":{"attributes":{"a":"b`, 400, "InvalidRequestException"},
		{"random JSON", "POST", "/things/x", "iot", string(noise), 400, "InvalidRequestException"},
		{"deep JSON", "POST", "/things/x", "iot", deep(`{"attributePayload":`, "1", "}"), 400, "InvalidRequestException"},
		{"deep unknown JSON", "POST", "/things/x", "iot", `{"x":` + deep("[", "", "]") + "}", 400, "InvalidRequestException"},
		{"large JSON", "POST", "/things/x", "iot", `{"x":"` + strings.Repeat("a", 3<<20) + `"}`, 413, "RequestEntityTooLargeException"},
		{"many members", "POST", "/things/x", "iot", `{"attributePayload":{"attributes":{` + strings.TrimSuffix(strings.Repeat(`"k":"v",`, 100_000), ",") + `}}}`, 0, "InvalidRequestException"},
		{"wrong type", "POST", "/things/x", "iot", `{"attributePayload":[1,2,3]}`, 400, "InvalidRequestException"},
		{"JSON for kinesisvideo", "POST", "/createStream", "kinesisvideo", `{"StreamName":`, 400, "InvalidArgumentException"},
		{"random form", "POST", "/", "iam", string(noise), 400, "ValidationError InvalidAction MalformedQueryString"},
		{"form bomb", "POST", "/", "iam", "Action=CreateUser&Version=2010-05-08&UserName=u" + strings.Repeat("&Tags.member.1.Key=a", 20_000), 400, "ValidationError"},
		{"deep form", "POST", "/", "iam", "Action=CreateUser&Version=2010-05-08&UserName=u&Tags" + strings.Repeat(".member.1", 1000) + "=x", 400, "ValidationError"},
		{"large form", "POST", "/", "iam", form + strings.Repeat("a", 5<<20), 413, "RequestEntityTooLarge"},
		{"deep policy", "POST", "/", "iam", form + deep("[", "", "]"), 400, "MalformedPolicyDocument"},
		{"random policy", "POST", "/", "iam", form + "%00%01%02%7B", 400, "MalformedPolicyDocument ValidationError"},
		{"wildcard policy", "POST", "/", "iam", form + "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%5D%7D", 400, "MalformedPolicyDocument"},
		{"deep IoT policy", "POST", "/policies/p", "iot", iotJSON("policyDocument", quoted(deep(`{"Statement":`, "1", "}"))), 400, "MalformedPolicyException InvalidRequestException"},
		{"random certificate", "POST", "/certificate/register-no-ca", "iot", iotJSON("certificatePem", quoted("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")), 400, "CertificateValidationException InvalidRequestException"},
		{"no certificate", "POST", "/certificate/register-no-ca", "iot", iotJSON("certificatePem", quoted(strings.Repeat("-", 60_000))), 400, "CertificateValidationException InvalidRequestException"},
		{"not a path", "GET", "/things/%ff%fe", "iot", "", 400, "InvalidRequestException"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, code := s.hostile(t, tt.method, tt.path, tt.service, []byte(tt.body))
			if tt.status != 0 && status != tt.status || !contains(strings.Fields(tt.codes), code) {
				t.Errorf("answered %d %s, want %d %s", status, code, tt.status, tt.codes)
			}
		})
	}
	for name, body := range map[string][]byte{
		"truncated video":      video[:len(video)/2+7],
		"random video":         noise,
		"video, then noise":    append(bytes.Clone(video[:200_000]), noise...),
		"endless element":      append(bytes.Clone(video[:45]), 0x15, 0x49, 0xA9, 0x66, 0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE),
		"huge block":           append(bytes.Clone(video[:354]), 0xA3, 0x01, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF),
		"a million Void":       append(bytes.Clone(video[:45]), bytes.Repeat([]byte{0xEC, 0x80}, 1_000_000)...),
		"nested masters":       append(bytes.Clone(video[:45]), bytes.Repeat([]byte{0x16, 0x54, 0xAE, 0x6B, 0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, 100_000)...),
		"nothing":              nil,
		"headers without ends": bytes.Repeat(video[:336], 500),
	} {
		t.Run(name, func(t *testing.T) {
			for _, a := range s.sendHostile(t, body) {
				if a.EventType == "ERROR" && a.ErrorId == 0 {
					t.Errorf("an ERROR ack without an id")
				}
			}
		})
	}

	// Many at once, and then: still here, still small.
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			body := []byte(`{"attributePayload":{"attributes":{` + strings.TrimSuffix(strings.Repeat(`"k":"v",`, 100_000), ",") + `}}}`)
			_, _ = s.hostile(t, "POST", "/things/x", "iot", body)
		})
	}
	wg.Wait()
	if mb := s.peakMemory(t); mb > 400 {
		t.Errorf("the server used %d MB at its peak", mb)
	}
	if status, _ := s.hostile(t, "POST", "/things/good", "iot", []byte("{}")); status != http.StatusOK {
		t.Errorf("a good request is answered %d afterwards", status)
	}
}

func contains(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}

// hostile sends a signed request and returns the answer's status and code.
func (s *server) hostile(t *testing.T, method, path, service string, body []byte) (int, string) {
	r, err := http.NewRequestWithContext(t.Context(), method, s.api()+path, bytes.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	r.Header.Set("Content-Type", map[string]string{"iam": "application/x-www-form-urlencoded"}[service])
	if err := sigv4.Sign(r, body, s.rootKey(), s.at.Region, service, time.Now()); err != nil {
		t.Error(err)
		return 0, ""
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		// A server may close on a body that it refuses to read.
		if len(body) > 1<<20 {
			return http.StatusRequestEntityTooLarge, map[string]string{"iam": "RequestEntityTooLarge"}[service] + map[string]string{"iot": "RequestEntityTooLargeException"}[service]
		}
		t.Error(err)
		return 0, ""
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	if service == "iam" {
		var e struct{ Error struct{ Code string } }
		if err := xml.Unmarshal(b, &e); err != nil && resp.StatusCode != http.StatusOK {
			t.Errorf("the error is not XML: %v: %.200s", err, b)
		}
		return resp.StatusCode, e.Error.Code
	}
	return resp.StatusCode, resp.Header.Get("x-amzn-ErrorType")
}

// sendHostile sends a body that the server may cut off at any point.
func (s *server) sendHostile(t *testing.T, body []byte) []ack {
	p, err := s.putMedia(t.Context(), s.rootKey(), "cam")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.conn.Close() }()
	_ = p.conn.SetDeadline(time.Now().Add(30 * time.Second))
	go func() {
		if _, err := p.w.Write(body); len(body) == 0 || err == nil {
			_ = p.end()
		}
	}()
	if err := p.answer(); err != nil {
		t.Fatal(err)
	}
	var acks []ack
	for {
		var a ack
		if err := p.acks.Decode(&a); err != nil {
			if err != io.EOF && !strings.Contains(err.Error(), "reset") && !strings.Contains(err.Error(), "EOF") {
				t.Errorf("the answer ends with %v", err)
			}
			return acks
		}
		acks = append(acks, a)
	}
}

// peakMemory is the server's largest resident set so far, in MB.
func (s *server) peakMemory(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		t.Skip("no /proc")
	}
	for line := range strings.Lines(string(b)) {
		if kb, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.Atoi(strings.Fields(kb)[0])
			if err != nil {
				t.Fatal(err)
			}
			return n >> 10
		}
	}
	t.Fatal("no VmHWM")
	return 0
}
