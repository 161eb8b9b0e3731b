package samples_test

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/thingd/thingd/internal/fleet/model"
	"github.com/thingd/thingd/internal/fleet/report"
	"github.com/thingd/thingd/internal/fleet/samples"
)

var (
	five   = model.RunSettings{Clients: 5, Iterations: 5}
	things = []string{"iotify_0", "iotify_1", "iotify_2", "iotify_3", "iotify_4"}
)

// made holds what there is against seeds/004, and answers the certificates by
// the number of their client.
func (r *rig) made() map[int]string {
	r.t.Helper()
	if got := texts(r.call("iot", "ListThings", map[string]any{"thingTypeName": "iotify_type"})["things"], "thingName"); !slices.Equal(got, things) {
		r.t.Errorf("things %v", got)
	}
	if got := texts(r.call("iot", "ListThingsInThingGroup", map[string]any{"thingGroupName": "iotify"})["things"], ""); !slices.Equal(got, things) {
		r.t.Errorf("things of the group %v", got)
	}
	certificates := map[int]string{}
	for i, thing := range things {
		principals := texts(r.call("iot", "ListThingPrincipals", map[string]any{"thingName": thing})["principals"], "")
		if len(principals) != 1 {
			r.t.Fatalf("%s has the principals %v", thing, principals)
		}
		certificates[i] = principals[0]
		about := r.call("iot", "DescribeCertificate", map[string]any{"certificateId": strings.Split(principals[0], "/")[1]})["certificateDescription"].(map[string]any)
		if about["status"] != "ACTIVE" || about["certificatePem"] != r.text(fmt.Sprintf("aws_iotify_%d_cert", i)) {
			r.t.Errorf("%s: %v", thing, about)
		}
		if got := texts(r.call("iot", "ListAttachedPolicies", map[string]any{"target": principals[0]})["policies"], "policyName"); !slices.Equal(got, []string{"IOTIFY_AUTOMATED_POLICY"}) {
			r.t.Errorf("%s: policies %v", thing, got)
		}
		if _, err := r.pair(i); err != nil {
			r.t.Errorf("%s: %v", thing, err)
		}
	}
	if n := len(slices.Compact(slices.Sorted(maps.Values(certificates)))); n != 5 {
		r.t.Errorf("%d certificates for 5 things", n)
	}
	if got := len(texts(r.call("iot", "ListCertificates", nil)["certificates"], "certificateId")); got != 5 {
		r.t.Errorf("%d certificates in the account", got)
	}
	if got := r.text("aws_iot_endpoint"); got != r.call("iot", "DescribeEndpoint", map[string]any{"endpointType": "iot:Data-ATS"})["endpointAddress"] {
		r.t.Errorf("endpoint %s", got)
	}
	return certificates
}

// pair is the certificate and key of a client: it fails if they do not fit.
func (r *rig) pair(client int) (tls.Certificate, error) {
	return tls.X509KeyPair([]byte(r.text(fmt.Sprintf("aws_iotify_%d_cert", client))), []byte(r.text(fmt.Sprintf("aws_iotify_%d_key", client))))
}

// TestConnector: seeds/004 with the shipped policy, again and again.
func TestConnector(t *testing.T) {
	r := newRig(t)
	r.user("IoTIFY", samples.Policy("aws-iot-connector"))
	run, _ := r.succeed("aws-iot-connector", five, nil)
	first := r.made()
	pair, err := r.pair(0)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := pair.PrivateKey.(*rsa.PrivateKey); !ok {
		t.Errorf("AWS made a %T", pair.PrivateKey)
	}
	// Results show names, and no secrets.
	status, ok := run.Device(3)
	if want := `{"thingName":"iotify_3","certificateArn":"` + first[3] + `"}`; !ok || string(status.State) != want {
		t.Errorf("state %s, want %s", status.State, want)
	}

	// What is there stays, and devices can connect with it.
	before := maps.Clone(r.glob.m)
	r.succeed("aws-iot-connector", five, nil)
	if again := r.made(); !maps.Equal(again, first) {
		t.Errorf("%v became %v", first, again)
	}
	if !maps.EqualFunc(before, r.glob.m, func(a, b json.RawMessage) bool { return string(a) == string(b) }) {
		t.Error("the glob has changed")
	}
	_, result := r.succeed("aws-iot-device", model.RunSettings{Clients: 5, Iterations: 3}, nil)
	if n := metric(result, "publishes"); n != 15 {
		t.Errorf("%v messages", n)
	}

	// A lost key, a certificate that somebody turned off, a thing that somebody
	// took away: each gets what is missing, and nothing old is left.
	delete(r.glob.m, "aws_iotify_1_key")
	r.call("iot", "UpdateCertificate", map[string]any{"certificateId": strings.Split(first[2], "/")[1], "newStatus": "INACTIVE"})
	r.call("iot", "DetachThingPrincipal", map[string]any{"thingName": "iotify_3", "principal": first[3]})
	r.call("iot", "DeleteThing", map[string]any{"thingName": "iotify_3"})
	r.succeed("aws-iot-connector", five, map[string]string{"keys": "device"})
	second := r.made()
	for i := range 5 {
		if replaced := i == 1 || i == 2; replaced == (first[i] == second[i]) {
			t.Errorf("client %d had %s and has %s", i, first[i], second[i])
		}
	}
	if pair, err = r.pair(1); err != nil {
		t.Fatal(err)
	}
	if _, ok := pair.PrivateKey.(*ecdsa.PrivateKey); !ok {
		t.Errorf("the device made a %T", pair.PrivateKey)
	}
	r.succeed("aws-iot-device", model.RunSettings{Clients: 5, Iterations: 1}, nil)

	// Somebody else's certificate of the thing is none of the connector's business.
	theirs := r.call("iot", "CreateKeysAndCertificate", map[string]any{"setAsActive": true})["certificateArn"].(string)
	r.call("iot", "AttachThingPrincipal", map[string]any{"thingName": "iotify_0", "principal": theirs})
	r.succeed("aws-iot-connector", five, nil)
	if got := texts(r.call("iot", "ListThingPrincipals", map[string]any{"thingName": "iotify_0"})["principals"], ""); !slices.Contains(got, theirs) || len(got) != 2 {
		t.Errorf("%v", got)
	}
	r.call("iot", "DetachThingPrincipal", map[string]any{"thingName": "iotify_0", "principal": theirs})
	r.call("iot", "UpdateCertificate", map[string]any{"certificateId": strings.Split(theirs, "/")[1], "newStatus": "INACTIVE"})
	r.call("iot", "DeleteCertificate", map[string]any{"certificateId": strings.Split(theirs, "/")[1], "forceDelete": true})

	// The clean-up leaves nothing, and may run again; so may the connector.
	r.cleanUp(5)
	r.cleanUp(5)
	r.succeed("aws-iot-connector", five, map[string]string{"keys": "device"})
	r.made()
}

// cleanUp runs the clean-up and holds it against its promise.
func (r *rig) cleanUp(clients int) {
	r.t.Helper()
	r.succeed("aws-iot-connector-cleanup", model.RunSettings{Clients: clients, Iterations: 1}, nil)
	for _, list := range []struct{ operation, member string }{{"ListThings", "things"}, {"ListCertificates", "certificates"}, {"ListPolicies", "policies"}, {"ListThingGroups", "thingGroups"}} {
		if got, _ := r.call("iot", list.operation, nil)[list.member].([]any); len(got) > 0 {
			r.t.Errorf("%s: left %v", list.operation, got)
		}
	}
	for _, typ := range r.call("iot", "ListThingTypes", nil)["thingTypes"].([]any) {
		if typ.(map[string]any)["thingTypeMetadata"].(map[string]any)["deprecated"] != true {
			r.t.Errorf("left %v", typ)
		}
	}
	if len(r.glob.m) > 0 {
		r.t.Errorf("left %v in the glob", slices.Sorted(maps.Keys(r.glob.m)))
	}
}

// TestPartOfAFleet: a clean-up of some leaves the others all that they need.
func TestPartOfAFleet(t *testing.T) {
	r := newRig(t)
	r.succeed("aws-iot-connector", model.RunSettings{Clients: 3, Iterations: 5}, map[string]string{"keys": "device"})
	r.succeed("aws-iot-connector-cleanup", model.RunSettings{Clients: 2, Iterations: 1}, nil)
	r.succeed("aws-iot-device", model.RunSettings{Clients: 1, Iterations: 1, Offset: 2}, nil)
	_, result := r.do("aws-iot-device", model.RunSettings{Clients: 1, Iterations: 1}, nil, nil)
	if result.Outcome != report.Failed || !strings.Contains(fmt.Sprint(result.Errors), "the glob has no key for client 0: run aws-iot-connector") {
		t.Errorf("%s: %v", result.Outcome, result.Errors)
	}
	r.succeed("aws-iot-connector-cleanup", model.RunSettings{Clients: 1, Iterations: 1, Offset: 2}, nil)
	r.cleanUp(1)
}

// TestRenamed: the name in createThing is there to be edited.
func TestRenamed(t *testing.T) {
	r := newRig(t)
	r.user("IoTIFY", samples.Policy("aws-iot-connector"))
	rename := func(m *model.Model) {
		m.Stages["createThing"] = strings.Replace(m.Stages["createThing"], "`iotify_${client()}`", "`pump-${client()}`", 1)
	}
	for range 2 {
		if _, result := r.do("aws-iot-connector", model.RunSettings{Clients: 2, Iterations: 5}, map[string]string{"keys": "device"}, rename); result.Outcome != report.Succeeded {
			t.Fatalf("%s %v", result.Reason, result.Errors)
		}
		if got := texts(r.call("iot", "ListThings", nil)["things"], "thingName"); !slices.Equal(got, []string{"pump-0", "pump-1"}) {
			t.Errorf("things %v", got)
		}
	}
	r.cleanUp(2)
}

// TestPolicy: the connector does all with the policy beside it, and without any
// one action it is refused, with a message that names the action.
func TestPolicy(t *testing.T) {
	r := newRig(t)
	root := r.keys
	whole := samples.Policy("aws-iot-connector")
	r.user("IoTIFY", whole)
	user := r.keys
	// All that it ever does: keys of AWS, keys of the device after these were lost, the clean-up.
	all := func() string {
		r.keys = user
		var faults []string
		for _, step := range []struct{ sample, keys string }{{"aws-iot-connector", "aws"}, {"aws-iot-connector", "aws"}, {"aws-iot-connector", "device"}, {"aws-iot-connector-cleanup", ""}} {
			if step.keys == "device" {
				delete(r.glob.m, "aws_iotify_0_key")
			}
			settings := map[string]string{}
			if step.keys != "" {
				settings["keys"] = step.keys
			}
			_, result := r.do(step.sample, model.RunSettings{Clients: 1, Iterations: 5}, settings, nil)
			if result.Outcome != report.Succeeded {
				faults = append(faults, fmt.Sprint(result.Reason, " ", result.Errors))
			}
		}
		// What a refusal left.
		r.keys = root
		r.cleanUp(1)
		return strings.Join(faults, "\n")
	}
	if faults := all(); faults != "" {
		t.Fatalf("with the whole policy: %s", faults)
	}
	for _, action := range actions(t, whole) {
		r.allow("IoTIFY", without(t, whole, action))
		want := fmt.Sprintf("is not authorized to perform: %s on resource", action)
		if faults := all(); !strings.Contains(faults, want) || !strings.Contains(faults, "AccessDenied") {
			t.Errorf("without %s: %q", action, faults)
		}
	}
}

// document is a policy as far as the test reads it.
type document struct {
	Version   string
	Statement []struct {
		Sid, Effect string
		Action      []string
		Resource    any
	}
}

func parse(t *testing.T, policy []byte) *document {
	t.Helper()
	var d document
	if err := json.Unmarshal(policy, &d); err != nil {
		t.Fatal(err)
	}
	return &d
}

// actions are those of a policy, each once.
func actions(t *testing.T, policy []byte) []string {
	var all []string
	for _, s := range parse(t, policy).Statement {
		all = append(all, s.Action...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func without(t *testing.T, policy []byte, action string) []byte {
	d := parse(t, policy)
	for i := range d.Statement {
		d.Statement[i].Action = slices.DeleteFunc(d.Statement[i].Action, func(a string) bool { return a == action })
	}
	b, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
