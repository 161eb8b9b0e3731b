package credentials

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/explain"
)

// What is recorded of a request, by how far it came.
func TestRecord(t *testing.T) {
	now := time.Now()
	device := newDevice(t, now.Add(-time.Hour), now.Add(time.Hour))
	stranger := newDevice(t, now.Add(-time.Hour), now.Add(time.Hour))
	for name, tt := range map[string]struct {
		certs  []tls.Certificate
		path   string
		method string
		thing  string
		fault  error
		want   string
	}{
		"granted":      {certs: []tls.Certificate{device}, thing: "cam1", want: `lab-alias id registered thing=cam1 ` + aliasARN + ` ` + roleARN + ` "" ASIA4XMPLQ7N2HVK6RTB`},
		"unattached":   {certs: []tls.Certificate{device}, thing: "unattached", want: `lab-alias id registered thing=unattached   "AccessDeniedException" -`},
		"not allowed":  {certs: []tls.Certificate{device}, path: "/role-aliases/unallowed/credentials", want: `unallowed id registered thing=   "AccessDeniedException" -`},
		"unregistered": {certs: []tls.Certificate{stranger}, want: `lab-alias id unknown thing=   "AccessDeniedException" -`},
		"none":         {want: `lab-alias - unknown thing=   "AccessDeniedException" -`},
		"fault":        {certs: []tls.Certificate{device}, fault: io.ErrUnexpectedEOF, want: `lab-alias id registered thing=   "InternalFailureException" -`},
		"another path": {certs: []tls.Certificate{device}, path: "/x", want: ``},
		"POST":         {certs: []tls.Certificate{device}, method: "POST", want: ``},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(device)
			w.fault = tt.fault
			got := ""
			p := &Provider{Devices: w, Aliases: w, Roles: w, Refusals: &explain.Log{}, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Now: time.Now}
			answer := httptest.NewRecorder()
			var id string
			p.Record = func(o Outcome) {
				if got != "" || answer.Body.Len() > 0 {
					t.Error("recorded twice, or after the answer")
				}
				cert, known, key := "-", "unknown", "-"
				if o.CertificateID != "" {
					cert = "id"
				}
				if o.Certificate != nil {
					known = "registered"
				}
				if o.Credentials != nil {
					key = o.Credentials.AccessKeyID
				}
				id = o.RequestID
				got = fmt.Sprintf("%s %s %s thing=%s %s %s %q %s", o.Alias, cert, known, o.Thing, o.AliasARN, o.RoleARN, o.ErrorType, key)
			}
			path, method := tt.path, tt.method
			if path == "" {
				path = "/role-aliases/lab-alias/credentials"
			}
			if method == "" {
				method = http.MethodGet
			}
			r := httptest.NewRequest(method, path, nil)
			if tt.thing != "" {
				r.Header.Set("x-amzn-iot-thingname", tt.thing)
			}
			r.TLS = &tls.ConnectionState{}
			for _, c := range tt.certs {
				leaf, err := x509.ParseCertificate(c.Certificate[0])
				if err != nil {
					t.Fatal(err)
				}
				r.TLS.PeerCertificates = append(r.TLS.PeerCertificates, leaf)
			}
			p.ServeHTTP(answer, r)
			if got != tt.want {
				t.Errorf("%s\nwant %s", got, tt.want)
			}
			answered := ""
			for name, values := range answer.Header() { // in AWS's own spelling
				if strings.EqualFold(name, "x-amzn-RequestId") {
					answered = values[0]
				}
			}
			if tt.want != "" && answered != id {
				t.Errorf("recorded request %s, answered %s", id, answered)
			}
		})
	}
}
