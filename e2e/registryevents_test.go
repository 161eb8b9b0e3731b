package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"

	"github.com/thingd/thingd/internal/mqtt"
)

// TestRegistryEventsArrive has what happens in the registry told over MQTT: a
// thing that is created and deleted, once that is switched on, and a device that
// its account's own CA registers at its first connection, is refused as long as it
// waits, and taken when somebody who heard of it has activated it.
func TestRegistryEventsArrive(t *testing.T) {
	s := mqttServer(t, "--limits", "mqtt")
	r := &vectorRig{server: s, iot: iot.NewFromConfig(s.sdk())}
	admin := s.newDevice(t, "admin", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}`)
	pair, err := tls.LoadX509KeyPair(admin.cert, admin.key)
	r.ok(t, err)
	watch := r.dial(t, pair, "localhost")
	watch.Connect("v5 id=admin clean keepalive=60")
	watch.Say("SUBSCRIBE id=1 $aws/events/thing/#:0 $aws/events/certificates/registered/#:0")
	watch.Expect("SUBACK id=1 0x00 0x00")
	next := func(topic string, parts ...string) {
		t.Helper()
		e := watch.Next()
		p, ok := e.Packet.(*mqtt.Publish)
		if !ok || string(p.Topic) != topic {
			t.Fatalf("got %s, want a message on %s", e, topic)
		}
		for _, part := range parts {
			if !strings.Contains(string(p.Payload), part) {
				t.Errorf("%s lacks %s: %s", topic, part, p.Payload)
			}
		}
	}

	_, err = r.iot.CreateThing(t.Context(), &iot.CreateThingInput{ThingName: aws.String("quiet")})
	r.ok(t, err)
	_, err = r.iot.UpdateEventConfigurations(t.Context(), &iot.UpdateEventConfigurationsInput{EventConfigurations: map[string]types.Configuration{"THING": {Enabled: true}}})
	r.ok(t, err)
	_, err = r.iot.CreateThing(t.Context(), &iot.CreateThingInput{ThingName: aws.String("loud")})
	r.ok(t, err)
	next("$aws/events/thing/loud/created", `"eventType":"THING_EVENT"`, `"operation":"CREATED"`, `"accountId":"`+s.root.AccountID+`"`, `"versionNumber":1`)
	_, err = r.iot.DeleteThing(t.Context(), &iot.DeleteThingInput{ThingName: aws.String("loud")})
	r.ok(t, err)
	next("$aws/events/thing/loud/deleted", `"operation":"DELETED"`)

	caKey, ca := r.authority(t)
	authorities, err := r.iot.ListCACertificates(t.Context(), &iot.ListCACertificatesInput{})
	r.ok(t, err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	r.ok(t, err)
	der, err := x509.CreateCertificate(rand.Reader, certificateFor(t, pkix.Name{CommonName: "first"}), ca, &key.PublicKey, caKey)
	r.ok(t, err)
	id := idOf(der)
	own := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	early := r.dial(t, own, "localhost")
	early.Say("CONNECT v5 id=first clean")
	early.Expect("CONNACK 0x87 ...", "close")
	next("$aws/events/certificates/registered/"+*authorities.Certificates[0].CertificateId, `"certificateId":"`+id+`"`, `"certificateStatus":"PENDING_ACTIVATION"`)
	_, err = r.iot.AttachPolicy(t.Context(), &iot.AttachPolicyInput{PolicyName: aws.String("admin"), Target: aws.String("arn:aws:iot:" + s.at.Region + ":" + s.root.AccountID + ":cert/" + id)})
	r.ok(t, err)
	_, err = r.iot.UpdateCertificate(t.Context(), &iot.UpdateCertificateInput{CertificateId: &id, NewStatus: types.CertificateStatusActive})
	r.ok(t, err)
	r.dial(t, own, "localhost").Connect("v5 id=first clean keepalive=60")
}
