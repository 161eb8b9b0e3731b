package policy

import (
	"slices"
	"strings"
	"testing"
)

func TestDecideIoT(t *testing.T) {
	const prefix = "arn:aws:iot:us-east-1:123456789012:"
	doc := func(effect, action, resource string) string {
		return stmt(effect, `"Action":"`+action+`","Resource":"`+prefix+resource+`"`)
	}
	tests := []struct {
		name             string
		policies         []string
		action, resource string
		want             Outcome
	}{
		{"none", nil, "iot:Publish", "topic/a", ImplicitDeny},
		{"allow", []string{doc("Allow", "iot:Publish", "topic/*")}, "iot:Publish", "topic/a", Allowed},
		{"deny wins", []string{doc("Allow", "iot:Publish", "topic/*"), doc("Deny", "iot:*", "topic/a")}, "iot:Publish", "topic/a", ExplicitDeny},
		{"shared by plain filter", []string{doc("Allow", "iot:Subscribe", "topicfilter/a/#")}, "iot:Subscribe", "topicfilter/$share/g/a/#", Allowed},
		{"shared by its own form", []string{doc("Allow", "iot:Subscribe", "topicfilter/$share/g/*")}, "iot:Subscribe", "topicfilter/$share/g/a/#", Allowed},
		{"shared, plain denied", []string{doc("Allow", "iot:Subscribe", "topicfilter/$share/*"), doc("Deny", "iot:Subscribe", "topicfilter/a/*")}, "iot:Subscribe", "topicfilter/$share/g/a/#", ExplicitDeny},
		{"shared, its own form denied", []string{doc("Allow", "iot:Subscribe", "topicfilter/a/#"), doc("Deny", "iot:Subscribe", "topicfilter/$share/*")}, "iot:Subscribe", "topicfilter/$share/g/a/#", ExplicitDeny},
		{"shared, neither", []string{doc("Allow", "iot:Subscribe", "topicfilter/b")}, "iot:Subscribe", "topicfilter/$share/g/a", ImplicitDeny},
		{"shared without filter", []string{doc("Allow", "iot:Subscribe", "topicfilter/a")}, "iot:Subscribe", "topicfilter/$share/a", ImplicitDeny},
		{"share is nothing to others", []string{doc("Allow", "iot:Receive", "topic/a")}, "iot:Receive", "topic/$share/g/a", ImplicitDeny},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var policies []*Policy
			for _, d := range tt.policies {
				policies = append(policies, mustCompile(t, IoT, d))
			}
			req := &Request{Action: tt.action, Resource: prefix + tt.resource}
			d := DecideIoT(policies, req)
			if d.Outcome != tt.want || d.Source != SourceIoT {
				t.Errorf("%+v, want %s", d, tt.want)
			}
			if slow := slowDecideIoT(policies, req); slow != tt.want {
				t.Errorf("the slow evaluator says %s", slow)
			}
			x := ExplainIoT(policies, req)
			if x.Decision != d {
				t.Errorf("Explain decides %+v", x.Decision)
			}
			if d.Outcome == ImplicitDeny {
				more := mustCompile(t, IoT, `{"Version":"2012-10-17","Statement":[`+x.Suggestion+`]}`)
				if DecideIoT(append(policies, more), req).Outcome != Allowed {
					t.Errorf("suggestion does not help: %s", x.Suggestion)
				}
			}
		})
	}
}

func TestCertificateKeys(t *testing.T) {
	id := strings.Repeat("a1", 32)
	keys := CertificateKeys(id, "0102", CertificateNames{
		"CommonName":              {"dev", "Administrator"},
		"Organization":            {`Example, "Corp" \ a+b=c<d>e;f`},
		"OrganizationalUnit":      {"1", "2", "3", "4", "5", "6"},
		"AlternativeName.DNSName": {"cam.example"},
		"Unheard":                 {"x"},
	}, CertificateNames{"Country": {"NO"}})
	for name, want := range map[string][]string{
		"iot:CertificateId":                                                 {id},
		"iot:Certificate.SerialNumber":                                      {"0102"},
		"iot:certificate.subject.commonname":                                {"dev"},
		"iot:Certificate.Subject.CommonName.1":                              {"Administrator"},
		"iot:Certificate.Subject.CommonName.2":                              nil,
		"iot:Certificate.Subject.CommonName.List":                           {"dev", "Administrator"},
		"iot:Certificate.Subject.Organization":                              {`Example\, \"Corp\" \\ a\+b\=c\<d\>e\;f`},
		"iot:Certificate.Subject.OrganizationalUnit.4":                      {"5"},
		"iot:Certificate.Subject.OrganizationalUnit.5":                      nil,
		"iot:Certificate.Subject.OrganizationalUnit.List":                   {"1", "2", "3", "4", "5"},
		"iot:Certificate.Subject.AlternativeName.DNSName":                   {"cam.example"},
		"iot:Certificate.Issuer.Country":                                    {"NO"},
		"iot:Certificate.Subject.Unheard":                                   nil,
		"iot:Certificate.Subject.AlternativeName.UniformResourceIdentifier": nil,
	} {
		k, ok := keys.Lookup(name)
		if ok != (want != nil) || ok && !slices.Equal(k.Values(), want) {
			t.Errorf("%s = %v, want %v", name, k.Values(), want)
		}
	}
	available, _ := keys.Lookup("iot:Certificate.AvailableKeys")
	for _, name := range []string{"iot:Certificate.SerialNumber", "iot:Certificate.Subject.CommonName", "iot:Certificate.Subject.CommonName.1", "iot:Certificate.Issuer.Country.List"} {
		if !slices.Contains(available.Values(), name) {
			t.Errorf("AvailableKeys lacks %s", name)
		}
	}
	if !available.multi {
		t.Error("AvailableKeys is not multivalued")
	}
	if keys := CertificateKeys("", "", nil, nil); len(keys) != 0 {
		t.Errorf("keys of nothing: %v", keys)
	}
}

func TestCertificateVariables(t *testing.T) {
	p := mustCompile(t, IoT, stmt("Allow", `"Action":"iot:Publish","Resource":"arn:aws:iot:r:1:topic/${iot:Certificate.Subject.CommonName}/x"`))
	for cn, want := range map[string]Outcome{
		"dev": Allowed, "a*": ImplicitDeny, "a$": ImplicitDeny, "a+b": ImplicitDeny, "a?": ImplicitDeny, "a#": ImplicitDeny,
		strings.Repeat("x", 1024): Allowed, strings.Repeat("x", 1025): ImplicitDeny, `a,b`: Allowed,
	} {
		keys := CertificateKeys("", "", CertificateNames{"CommonName": {cn}}, nil)
		k, _ := keys.Lookup("iot:Certificate.Subject.CommonName")
		req := &Request{Action: "iot:Publish", Resource: "arn:aws:iot:r:1:topic/" + k.Values()[0] + "/x", Keys: keys}
		if d := DecideIoT([]*Policy{p}, req); d.Outcome != want {
			t.Errorf("%.20q: %s", cn, d.Outcome)
		}
	}
}
