package policy

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/thingd/thingd/internal/arn"
)

// vectorFiles are the project's copy and, when the variable is set, a file of
// the same form from elsewhere.
func vectorFiles(own, env string) []string {
	files := []string{own}
	if f := os.Getenv(env); f != "" {
		files = append(files, f)
	}
	return files
}

func readVectors(t *testing.T, file string, into any) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

type iamVector struct {
	ID        string
	Note      string
	Principal map[string]string
	Request   struct{ Action, Resource, ResourceAccount string }
	Context   map[string]any
	Policies  struct {
		Identity []json.RawMessage
		Boundary json.RawMessage
		Session  *[]json.RawMessage
		Resource json.RawMessage
	}
	TrustPolicy bool
	Expect      string
}

type iamValidation struct {
	ID, Kind, Document, Expect string
}

func TestVectorsIAM(t *testing.T) {
	for _, file := range vectorFiles("testdata/iam-vectors.json", "THINGD_IAM_VECTORS") {
		var f struct {
			Decisions  []iamVector
			Validation []iamValidation
		}
		readVectors(t, file, &f)
		if len(f.Decisions) == 0 {
			t.Errorf("%s: no decisions", file)
		}
		for _, v := range f.Decisions {
			t.Run(v.ID, func(t *testing.T) { v.run(t) })
		}
		for _, v := range f.Validation {
			t.Run(v.ID, func(t *testing.T) { v.run(t) })
		}
	}
}

func (v *iamVector) run(t *testing.T) {
	in := v.input(t)
	req := Request{Action: v.Request.Action, Resource: v.Request.Resource, ResourceAccount: v.Request.ResourceAccount, Keys: contextKeys(v.Context)}
	d := in.Decide(&req)
	if d.Outcome.String() != v.Expect {
		t.Errorf("%s: %s (%s), want %s", v.Note, d.Outcome, d.Reason(req.Action), v.Expect)
	}
	if slow := slowDecide(in, &req); slow != d.Outcome {
		t.Errorf("%s: the slow evaluator says %s", v.Note, slow)
	}
}

func (v *iamVector) input(t *testing.T) *Input {
	p := v.Principal
	in := &Input{
		Principal: Principal{
			Type: vectorPrincipal(t, p), ARN: p["arn"], RoleARN: p["roleArn"],
			Account: p["account"], Service: p["service"], UserID: p["userId"], Provider: p["provider"],
		},
		Trust: v.TrustPolicy,
	}
	for k, s := range p {
		if k != "arn" && strings.Contains(s, ":user/") { // the caller of GetFederationToken
			in.Principal.UserARN = s
		}
	}
	in.Keys = in.Principal.Keys()
	for _, doc := range v.Policies.Identity {
		in.Identity = append(in.Identity, mustCompile(t, Identity, string(doc)))
	}
	if present(v.Policies.Boundary) {
		in.Boundary = mustCompile(t, Identity, string(v.Policies.Boundary))
	}
	if v.Policies.Session != nil {
		in.HasSession = true
		for _, doc := range *v.Policies.Session {
			in.Session = append(in.Session, mustCompile(t, Session, string(doc)))
		}
	}
	if present(v.Policies.Resource) {
		kind := Resource
		if v.TrustPolicy {
			kind = Trust
		}
		in.Resource = mustCompile(t, kind, string(v.Policies.Resource))
	}
	return in
}

func present(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }

// vectorPrincipal tells the type by its name, or by the ARN for names that the
// project's own vectors do not have.
func vectorPrincipal(t *testing.T, p map[string]string) PrincipalType {
	for _, tt := range []struct {
		name, arn string
		typ       PrincipalType
	}{
		{"user", ":user/", User}, {"role-session", ":assumed-role/", AssumedRole}, {"root", ":root", Root},
		{"federated-user", ":federated-user/", FederatedUser}, {"service", "", Service}, {"anonymous", "", Anonymous}, {"web-identity", "", WebIdentity},
	} {
		if p["type"] == tt.name || tt.arn != "" && strings.Contains(p["arn"], tt.arn) {
			return tt.typ
		}
	}
	t.Fatalf("principal type %q", p["type"])
	return 0
}

func contextKeys(context map[string]any) Keys {
	var ks Keys
	for name, v := range context {
		switch v := v.(type) {
		case []any:
			values := []string{}
			for _, item := range v {
				values = append(values, scalar(item))
			}
			ks = append(ks, Multi(name, values...))
		default:
			ks = append(ks, Single(name, scalar(v)))
		}
	}
	return ks
}

func scalar(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	b, _ := json.Marshal(v)
	return string(b)
}

func mustCompile(t testing.TB, kind Kind, doc string) *Policy {
	t.Helper()
	p, err := Compile(kind, doc)
	if err != nil {
		var se *SyntaxError
		errors.As(err, &se)
		t.Fatalf("%s\n%s", se.Explain(), doc)
	}
	return p
}

func (v *iamValidation) run(t *testing.T) {
	kind, ok := map[string]Kind{
		"identity": Identity, "managed": Identity, "inline": Identity, "boundary": Identity,
		"trust": Trust, "resource": Resource, "session": Session, "iot": IoT,
	}[v.Kind]
	if !ok {
		t.Fatalf("kind %q", v.Kind)
	}
	_, err := Parse(kind, v.Document)
	got := "ok"
	if err != nil {
		got = err.Error()
		var se *SyntaxError
		if !errors.As(err, &se) || se.Line < 1 || se.Column < 1 || se.Detail == "" {
			t.Errorf("error %#v says not where and why", err)
		}
	}
	if got != v.Expect {
		t.Errorf("%s\n got %s\nwant %s", v.Document, got, v.Expect)
	}
}

type iotVector struct {
	ID     string
	Note   string
	Device struct {
		Certificate map[string]any
		Things      []struct {
			Name       string
			Type       string
			Attributes map[string]string
			Exclusive  bool
			Groups     []string
		}
	}
	Request struct {
		Protocol, ClientID, Action, Resource, DomainName, LastWillTopic, SourceIP string
		ConnectAttributes                                                         []string
		Retain                                                                    bool
	}
	Policies      []json.RawMessage
	GroupPolicies map[string][]json.RawMessage
	Expect        string
}

func TestVectorsIoT(t *testing.T) {
	for _, file := range vectorFiles("testdata/iot-vectors.json", "THINGD_IOT_VECTORS") {
		var f struct {
			Account, Region string
			Vectors         []iotVector
		}
		readVectors(t, file, &f)
		if len(f.Vectors) == 0 {
			t.Errorf("%s: no vectors", file)
		}
		for _, v := range f.Vectors {
			t.Run(v.ID, func(t *testing.T) { v.run(t, f.Region, f.Account) })
		}
	}
}

func (v *iotVector) run(t *testing.T, region, account string) {
	if got := v.decide(t, region, account); got != v.Expect {
		t.Errorf("%s: %s, want %s", v.Note, got, v.Expect)
	}
}

// decide does what broker, HTTPS publish and credentials provider do around
// DecideIoT.
func (v *iotVector) decide(t *testing.T, region, account string) string {
	if v.Device.Certificate["status"] != "ACTIVE" {
		return "REJECTED_BEFORE_POLICY"
	}
	var policies []*Policy
	for _, doc := range v.Policies {
		policies = append(policies, mustCompile(t, IoT, string(doc)))
	}
	name := func(resource string) string { return arn.New("iot", region, account, resource) }
	keys := certificateVectorKeys(v.Device.Certificate)
	r := &v.Request
	for k, value := range map[string]string{"iot:DomainName": r.DomainName, "aws:SourceIp": r.SourceIP} {
		if value != "" {
			keys = append(keys, Single(k, value))
		}
	}
	if r.LastWillTopic != "" {
		keys = append(keys, Single("iot:LastWillTopic", name("topic/"+r.LastWillTopic)))
	}
	keys = append(keys, Multi("iot:ConnectAttributes", r.ConnectAttributes...))
	if r.Protocol != "https" && r.Protocol != "credentials" {
		keys = append(keys, Single("iot:ClientId", r.ClientID))
		attached := "false"
		for _, thing := range v.Device.Things {
			if !thing.Exclusive && thing.Name != r.ClientID {
				continue
			}
			attached = "true"
			keys = append(keys, Single("iot:Connection.Thing.ThingName", thing.Name))
			if thing.Type != "" {
				keys = append(keys, Single("iot:Connection.Thing.ThingTypeName", thing.Type))
			}
			for k, a := range thing.Attributes {
				keys = append(keys, Single("iot:Connection.Thing.Attributes["+k+"]", a))
			}
			for _, g := range thing.Groups {
				for _, doc := range v.GroupPolicies[g] {
					policies = append(policies, mustCompile(t, IoT, string(doc)))
				}
			}
			break
		}
		keys = append(keys, Single("iot:Connection.Thing.IsAttached", attached))
	}
	resource := r.Resource
	if resource != "*" {
		resource = name(resource)
	}
	req := Request{Action: r.Action, Resource: resource, Keys: keys}
	d := DecideIoT(policies, &req)
	if r.Retain && d.Outcome == Allowed {
		req.Action = "iot:RetainPublish"
		d = DecideIoT(policies, &req)
	}
	if slow := slowDecideIoT(policies, &req); slow != d.Outcome {
		t.Errorf("%s: the slow evaluator says %s", v.Note, slow)
	}
	return map[Outcome]string{Allowed: "ALLOWED", ExplicitDeny: "EXPLICIT_DENY", ImplicitDeny: "IMPLICIT_DENY"}[d.Outcome]
}

func certificateVectorKeys(c map[string]any) Keys {
	names := func(v any) CertificateNames {
		out := CertificateNames{}
		flatten(out, "", v)
		return out
	}
	id, _ := c["id"].(string)
	serial, _ := c["SerialNumber"].(string)
	return CertificateKeys(id, serial, names(c["Subject"]), names(c["Issuer"]))
}

func flatten(out CertificateNames, prefix string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, item := range v {
			flatten(out, strings.TrimPrefix(prefix+"."+k, "."), item)
		}
	case []any:
		for _, item := range v {
			out[prefix] = append(out[prefix], scalar(item))
		}
	case string:
		out[prefix] = append(out[prefix], v)
	}
}
