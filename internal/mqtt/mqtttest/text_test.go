package mqtttest

import (
	"testing"

	"github.com/thingd/thingd/internal/mqtt"
)

func TestText(t *testing.T) {
	for _, line := range []string{
		"CONNECT v3.1 bridge id=a clean keepalive=30",
		`CONNECT v5 id="" user=u password="" session-expiry=4294967295 receive-maximum=1 maximum-packet-size=2 topic-alias-maximum=3 request-response-information=1 request-problem-information=0 auth-method=m auth-data="\x00" user-property=k:v user-property=k: will=t will-payload="by by" will-qos=2 will-retain will-delay=0 will-payload-format=1 will-message-expiry=9 will-content-type=c will-response-topic=r will-correlation=x will-user-property=a:b`,
		"CONNACK 0x00 session-present=1 receive-maximum=100 maximum-qos=1 retain-available=0",
		"CONNACK 0x87 reason-string=`no \"right\"`",
		`PUBLISH a/b "dup" qos=1 id=7 dup retain subscription-id=1 subscription-id=300 user-property="a b:c=d"`,
		`PUBLISH a/b "x"*65`,
		`PUBLISH "" "*" topic-alias=1`,
		"PUBLISH t/é {}",
		"PUBACK id=7", "PUBREC 0x97 id=7", "PUBREL 0x92 id=65535", "PUBCOMP id=1 reason-string=r",
		`SUBSCRIBE id=1 subscription-id=5 a/#:1,retain-handling=1 "b=c:2,no-local,retain-as-published,retain-handling=2" $share/g/+:0`,
		"SUBACK id=1 0x00 0x01 0x80",
		"UNSUBSCRIBE id=1 a b/+", "UNSUBACK id=1 0x11 0x00",
		"PINGREQ", "PINGRESP", "DISCONNECT", "DISCONNECT 0x04 session-expiry=0", "AUTH 0x18 auth-method=m",
	} {
		p, err := Parse(mqtt.V5, line)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if got := Format(p); got != line {
			t.Errorf("got  %s\nwant %s", got, line)
		}
	}
	for _, line := range []string{
		"", "HELLO", "CONNECT id=a b", "CONNECT qos=1", "PUBLISH", "PUBLISH a b c", "PUBLISH a qos=256", "PUBLISH a qos=x", "SUBSCRIBE id=1 a",
		"SUBSCRIBE a:5", "SUBSCRIBE a:1,what", "PUBACK 16", "PUBACK 0x00 0x00", "PINGREQ x", `PUBLISH "a`, `PUBLISH "a"b`, "CONNECT user-property=x",
	} {
		if p, err := Parse(mqtt.V5, line); err == nil {
			t.Errorf("%s: parsed as %s", line, Format(p))
		}
	}
}

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		want, got string
		ok        bool
	}{
		{"PINGRESP", "PINGRESP", true},
		{"PINGRESP", "PINGREQ", false},
		{"CONNACK 0x00", "CONNACK 0x00 receive-maximum=1", false},
		{"CONNACK 0x00 ...", "CONNACK 0x00 receive-maximum=1", true},
		{"CONNACK 0x00 session-present=0 ...", "CONNACK 0x00 session-present=1 receive-maximum=1", false},
		{"CONNACK 0x00 session-present=0 ...", "CONNACK 0x00 receive-maximum=1", true},
		{"CONNACK 0x00 maximum-qos=1 receive-maximum=*", "CONNACK 0x00 receive-maximum=1 maximum-qos=1", true},
		{"CONNACK 0x00 assigned-client-id=*", "CONNACK 0x00", false},
		{"CONNACK 0x00", "CONNACK 0x87", false},
		{"PUBACK id=1 0x00", "PUBACK id=1", true},
		{"PUBACK id=1 0x00", "PUBACK 0x87 id=1", false},
		{"PUBACK id=1", "PUBACK 0x87 id=1", false},
		{"SUBACK id=1 0x00", "SUBACK id=1", false},
		{"SUBACK id=1 0x01 0x00", "SUBACK id=1 0x00 0x01", false},
		{"PUBLISH * x", "PUBLISH a/b x", true},
		{"PUBLISH x *", "PUBLISH a/b x", false},
		{"PUBLISH a/b", "PUBLISH a/b x", false},
		{"PUBLISH a `{\"id\":\"…\",\"n\":1}`", "PUBLISH a `{\"id\":\"77\",\"n\":1}`", true},
		{"PUBLISH a `{\"id\":\"…\",\"n\":1}`", "PUBLISH a `{\"id\":\"77\",\"n\":2}`", false},
		{"PUBLISH a …b…d", "PUBLISH a abcd", true},
		{"PUBLISH a ab…bc", "PUBLISH a abc", false},
		{"...", "PINGRESP", true},
	} {
		if got := Match(tt.want, tt.got); got != tt.ok {
			t.Errorf("%s / %s: %v", tt.want, tt.got, got)
		}
	}
}
