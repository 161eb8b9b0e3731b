package app

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"net/netip"
	"os"
	"strings"
	"testing"

	iotsdk "github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/broker"
	"github.com/thingd/thingd/internal/config"
	"github.com/thingd/thingd/internal/db"
)

// iotVector is one of the policy vectors.
type iotVector struct {
	ID, Note string
	Device   struct {
		Certificate struct {
			ID, Status string
			Subject    map[string]any
		}
		Things []struct {
			Name, Type string
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

// TestMQTTVectors has the policy vectors decided by what the broker, and those
// who serve devices over HTTPS, ask: certificates, things, groups and policies
// are registered, and looked up anew for each.
func TestMQTTVectors(t *testing.T) {
	g := newDeviceRig(t, nil)
	files := []string{"../policy/testdata/iot-vectors.json"}
	if f := os.Getenv("THINGD_IOT_VECTORS"); f != "" {
		files = append(files, f)
	}
	for _, file := range files {
		var set struct {
			Account, Region string
			Vectors         []iotVector
		}
		text, err := os.ReadFile(file)
		g.must(err)
		g.must(json.Unmarshal(text, &set))
		if len(set.Vectors) == 0 || set.Account != config.DevAccountID || set.Region != g.cfg.Region {
			t.Fatalf("%s: %d vectors of account %s in %s", file, len(set.Vectors), set.Account, set.Region)
		}
		for _, v := range set.Vectors {
			g.must(g.reset(t.Context()))
			// The id of a certificate of ours cannot be chosen.
			c := g.register(subjectOf(t, v.Device.Certificate.Subject))
			g.vector(&v, c)
			own := func(s string) string { return strings.ReplaceAll(s, v.Device.Certificate.ID, c.id) }
			var got string
			if v.Request.Protocol == "mqtt" {
				got = g.decideMQTT(&v, c, own)
			} else {
				got = g.decideHTTP(&v, c, own)
			}
			want := v.Expect
			if want != "ALLOWED" && want != "REJECTED_BEFORE_POLICY" {
				want = "DENIED"
			}
			if got != want {
				t.Errorf("%s %s: %s, want %s", v.ID, v.Note, got, v.Expect)
			}
		}
	}
}

func subjectOf(t *testing.T, names map[string]any) []pkix.AttributeTypeAndValue {
	t.Helper()
	var out []pkix.AttributeTypeAndValue
	for name, v := range names {
		values, ok := v.([]any)
		if !ok {
			values = []any{v}
		}
		oid, ok := map[string]asn1.ObjectIdentifier{"CommonName": {2, 5, 4, 3}, "Organization": {2, 5, 4, 10}, "SerialNumber": {2, 5, 4, 5}}[name]
		if !ok {
			t.Fatalf("attribute %s", name)
		}
		for _, v := range values {
			out = append(out, pkix.AttributeTypeAndValue{Type: oid, Value: v.(string)})
		}
	}
	return out
}

// vector registers what a vector says of the device, which has a certificate.
func (g *deviceRig) vector(v *iotVector, c certificate) {
	g.t.Helper()
	document := func(raw json.RawMessage) string {
		return strings.ReplaceAll(string(raw), v.Device.Certificate.ID, c.id)
	}
	for i, p := range v.Policies {
		name := "p" + string(rune('a'+i))
		g.policy(name, document(p))
		g.must(g.attach(name, c.arn))
	}
	for group, policies := range v.GroupPolicies {
		out, err := g.iot.CreateThingGroup(g.t.Context(), &iotsdk.CreateThingGroupInput{ThingGroupName: &group})
		g.must(err)
		for i, p := range policies {
			name := group + string(rune('a'+i))
			g.policy(name, document(p))
			g.must(g.attach(name, *out.ThingGroupArn))
		}
	}
	for _, thing := range v.Device.Things {
		in := &iotsdk.CreateThingInput{ThingName: &thing.Name, AttributePayload: &types.AttributePayload{Attributes: thing.Attributes}}
		if thing.Type != "" {
			g.must(second(g.iot.CreateThingType(g.t.Context(), &iotsdk.CreateThingTypeInput{ThingTypeName: &thing.Type})))
			in.ThingTypeName = &thing.Type
		}
		g.must(second(g.iot.CreateThing(g.t.Context(), in)))
		attach := &iotsdk.AttachThingPrincipalInput{ThingName: &thing.Name, Principal: &c.arn}
		if thing.Exclusive {
			attach.ThingPrincipalType = types.ThingPrincipalTypeExclusiveThing
		}
		g.must(second(g.iot.AttachThingPrincipal(g.t.Context(), attach)))
		for _, group := range thing.Groups {
			g.must(second(g.iot.AddThingToThingGroup(g.t.Context(), &iotsdk.AddThingToThingGroupInput{ThingName: &thing.Name, ThingGroupName: &group})))
		}
	}
	if status := v.Device.Certificate.Status; status != iot.CertificateStatusActive {
		g.must(g.db.Write(g.t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec(g.t.Context(), `UPDATE iot_certificates SET status = $1 WHERE id = $2`, status, c.id)
			return err
		}))
		g.registry.Invalidate()
	}
}

// decideMQTT asks as the broker does.
func (g *deviceRig) decideMQTT(v *iotVector, c certificate, own func(string) string) string {
	g.t.Helper()
	a := &authority{registry: g.registry, identity: g.identity, log: g.log, now: g.now}
	cert, ok, err := g.registry.CertificateByID(g.t.Context(), c.id, "")
	g.must(err)
	who, err := a.admitCertificate(cert, ok, true, "")
	if err != nil {
		return "REJECTED_BEFORE_POLICY"
	}
	r := &v.Request
	info := &broker.ConnectInfo{ClientID: r.ClientID, ServerName: r.DomainName}
	if r.SourceIP != "" {
		info.Source = netip.AddrPortFrom(netip.MustParseAddr(r.SourceIP), 4711)
	}
	for _, attribute := range r.ConnectAttributes {
		switch attribute {
		case "PersistentConnect":
			info.Persistent = true
		case "LastWill":
			if info.WillTopic = r.LastWillTopic; info.WillTopic == "" {
				info.WillTopic = "will"
			}
		}
	}
	kind, resource, _ := strings.Cut(own(r.Resource), "/")
	var action broker.Action
	for action = broker.Connect; action.String() != r.Action; action++ {
	}
	if action == broker.Subscribe && strings.HasPrefix(resource, "$share/") {
		info.Shared = resource
		resource = strings.SplitN(resource, "/", 3)[2]
	}
	actions := []broker.Action{action}
	if r.Retain {
		actions = append(actions, broker.RetainPublish)
	}
	for i, action := range actions {
		before := who.Version()
		d := who.Decide(g.t.Context(), action, resource, info)
		if again := who.Decide(g.t.Context(), action, resource, info); again != d {
			g.t.Errorf("%s: %+v, and then %+v", v.ID, d, again)
		}
		if now := who.Version(); i == 0 && now == before || now != who.Version() {
			g.t.Errorf("%s: the version stays before the first decision, or changes after it", v.ID)
		}
		if !d.Allowed {
			if !strings.Contains(d.Why, action.String()) || !strings.Contains(d.Why, kind+"/"+resource) && info.Shared == "" {
				g.t.Errorf("%s: why: %s", v.ID, d.Why)
			}
			return "DENIED"
		}
	}
	return "ALLOWED"
}

// decideHTTP asks as the gateway for devices does.
func (g *deviceRig) decideHTTP(v *iotVector, c certificate, own func(string) string) string {
	g.t.Helper()
	d := &deviceIdentity{registry: g.registry, refusals: g.identity.Refusals, now: g.now}
	cert, ok, err := g.registry.CertificateByID(g.t.Context(), c.id, "")
	g.must(err)
	if !ok || !cert.Active(g.now()) {
		return "REJECTED_BEFORE_POLICY"
	}
	req := &awsapi.Request{
		ID: "id", Time: g.now(), SourceIP: v.Request.SourceIP, Region: cert.Region,
		Caller: &awsapi.Caller{Account: cert.Account, Identity: &deviceCaller{cert, v.Request.DomainName}},
	}
	resource := own(v.Request.Resource)
	if resource != "*" {
		resource = "arn:aws:iot:" + cert.Region + ":" + cert.Account + ":" + resource
	}
	err = d.Authorize(awsapi.WithRequest(g.t.Context(), req), req, []awsapi.Check{{Action: v.Request.Action, Resource: resource}})
	if err != nil {
		return "DENIED"
	}
	return "ALLOWED"
}
