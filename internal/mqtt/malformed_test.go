package mqtt_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/thingd/thingd/internal/mqtt"
)

const (
	v31  = mqtt.V31
	v311 = mqtt.V311
	v5   = mqtt.V5
)

// Every way to be wrong that the standards name, with the reason to answer and the clause that the error cites.
func TestMalformed(t *testing.T) {
	const (
		name = "00 04 4d 51 54 54 "             // MQTT
		con4 = name + "04 "                     // up to the flags
		con5 = name + "05 "                     //
		a    = "00 01 61 "                      // the string a
		t5   = con5 + "02 00 00 "               // up to the properties' length
		bad  = mqtt.MalformedPacket             //
		prot = mqtt.ProtocolError               //
		long = "00 00 00 01 00 00 00 01 00 00 " // bytes to spare
	)
	for _, tt := range []struct {
		what   string
		v      mqtt.Version
		first  byte
		body   string
		reason mqtt.Reason
		cites  string
	}{
		// 1.5.4: strings
		{"topic with U+0000", v5, 0x30, "00 03 61 00 62 00", bad, "[MQTT-1.5.4-2]"},
		{"topic with U+0000, 3.1.1", v311, 0x30, "00 03 61 00 62", bad, "[MQTT-1.5.4-2]"},
		{"topic with a surrogate", v5, 0x30, "00 03 ed a0 80 00", bad, "[MQTT-1.5.4-1]"},
		{"topic with an overlong form", v5, 0x30, "00 02 c0 80 00", bad, "[MQTT-1.5.4-1]"},
		{"topic cut inside a character", v5, 0x30, "00 01 c3 00", bad, "[MQTT-1.5.4-1]"},
		{"topic with 0xff after eight good bytes", v5, 0x30, "00 09 61 61 61 61 61 61 61 61 ff 00", bad, "[MQTT-1.5.4-1]"},
		{"topic with U+0000 among the first eight", v5, 0x30, "00 08 61 61 61 61 61 61 00 61 00", bad, "[MQTT-1.5.4-2]"},
		{"client id with U+0000", v5, 0x10, t5 + "00 00 02 61 00", bad, "[MQTT-1.5.4-2]"},
		{"client id not UTF-8", v311, 0x10, con4 + "02 00 00 00 01 ff", bad, "[MQTT-1.5.4-1]"},
		{"user name not UTF-8", v311, 0x10, con4 + "82 00 00 " + a + "00 01 ff", bad, "[MQTT-1.5.4-1]"},
		{"filter not UTF-8", v311, 0x82, "00 01 00 01 ff 00", bad, "[MQTT-1.5.4-1]"},
		{"filter of UNSUBSCRIBE not UTF-8", v311, 0xa2, "00 01 00 01 ff", bad, "[MQTT-1.5.4-1]"},
		{"string longer than the packet", v311, 0x30, "00 05 61", bad, "4.13.1"},
		// 1.5.5: variable byte integers
		{"property length of five bytes", v5, 0x30, a + "80 80 80 80 01 00", bad, "1.5.5"},
		{"property length not the shortest", v5, 0x30, a + "80 00", bad, "[MQTT-1.5.5-1]"},
		{"property length cut", v5, 0x30, a + "80", bad, "4.13.1"},
		{"property length over the end", v5, 0x30, a + "05 01 01", bad, "4.13.1"},
		{"property identifier not the shortest", v5, 0x30, a + "03 81 00 01", bad, "[MQTT-1.5.5-1]"},
		{"property identifier over 127", v5, 0x30, a + "03 80 01 01", bad, "2.2.2.2"},
		// 1.5.7, 2.2.2: properties
		{"user property name not UTF-8", v5, 0x30, a + "06 26 00 01 ff 00 00", bad, "[MQTT-1.5.4-1]"},
		{"user property value not UTF-8", v5, 0x30, a + "06 26 00 00 00 01 ff", bad, "[MQTT-1.5.4-1]"},
		{"user property cut", v5, 0x30, a + "04 26 00 01 6b", bad, "4.13.1"},
		{"unknown property", v5, 0x30, a + "02 7f 00", bad, "2.2.2.2"},
		{"no property length", v5, 0x30, a, bad, "4.13.1"},
		{"property of another packet: PUBLISH", v5, 0x30, a + "05 11 00 00 00 01", bad, "2.2.2.2"},
		{"property of another packet: CONNECT", v5, 0x10, t5 + "02 01 00 " + a, bad, "2.2.2.2"},
		{"property of another packet: will", v5, 0x10, con5 + "06 00 00 00 " + a + "03 21 00 01 " + a + "00 00", bad, "2.2.2.2"},
		{"property of another packet: CONNACK", v5, 0x20, "00 00 05 18 00 00 00 01", bad, "2.2.2.2"},
		{"property of another packet: PUBACK", v5, 0x40, "00 01 00 02 01 00", bad, "2.2.2.2"},
		{"property of another packet: SUBSCRIBE", v5, 0x82, "00 01 02 01 00 " + a + "00", bad, "2.2.2.2"},
		{"property of another packet: SUBACK", v5, 0x90, "00 01 02 0b 01 00", bad, "2.2.2.2"},
		{"property of another packet: UNSUBSCRIBE", v5, 0xa2, "00 01 02 0b 01 " + a, bad, "2.2.2.2"},
		{"property of another packet: UNSUBACK", v5, 0xb0, "00 01 02 0b 01 00", bad, "2.2.2.2"},
		{"property of another packet: DISCONNECT", v5, 0xe0, "00 03 23 00 01", bad, "2.2.2.2"},
		{"property of another packet: AUTH", v5, 0xf0, "18 02 01 00", bad, "2.2.2.2"},
		// twice
		{"session expiry twice", v5, 0x10, t5 + "0a 11 00 00 00 01 11 00 00 00 01 " + a, prot, "session expiry interval: is there more than once"},
		{"receive maximum twice", v5, 0x10, t5 + "06 21 00 01 21 00 01 " + a, prot, "more than once"},
		{"request problem information twice", v5, 0x10, t5 + "04 17 00 17 00 " + a, prot, "more than once"},
		{"authentication method twice", v5, 0x10, t5 + "06 15 00 00 15 00 00 " + a, prot, "more than once"},
		{"will delay twice", v5, 0x10, con5 + "06 00 00 00 " + a + "0a 18 00 00 00 00 18 00 00 00 00 " + a + "00 00", prot, "more than once"},
		{"payload format twice", v5, 0x30, a + "04 01 00 01 00", prot, "more than once"},
		{"empty content type twice", v5, 0x30, a + "06 03 00 00 03 00 00", prot, "more than once"},
		{"response topic twice", v5, 0x30, a + "06 08 00 00 08 00 00", prot, "more than once"},
		{"topic alias twice", v5, 0x30, a + "06 23 00 01 23 00 01", prot, "more than once"},
		{"reason string twice", v5, 0x40, "00 01 00 06 1f 00 00 1f 00 00", prot, "more than once"},
		{"subscription identifier twice", v5, 0x82, "00 01 04 0b 01 0b 01 " + a + "00", prot, "more than once"},
		{"server reference twice", v5, 0xe0, "9c 06 1c 00 00 1c 00 00", prot, "more than once"},
		// values
		{"receive maximum 0", v5, 0x10, t5 + "03 21 00 00 " + a, prot, "receive maximum: is 0"},
		{"maximum packet size 0", v5, 0x10, t5 + "05 27 00 00 00 00 " + a, prot, "maximum packet size: is 0"},
		{"request response information 2", v5, 0x10, t5 + "02 19 02 " + a, prot, "neither 0 nor 1"},
		{"authentication data without a method", v5, 0x10, t5 + "03 16 00 00 " + a, prot, "3.1.2.11.10"},
		{"payload format 2", v5, 0x30, a + "02 01 02", prot, "payload format indicator"},
		{"topic alias 0", v5, 0x30, a + "03 23 00 00", mqtt.TopicAliasInvalid, "[MQTT-3.3.2-8]"},
		{"response topic with a wildcard", v5, 0x30, a + "04 08 00 01 2b", mqtt.TopicNameInvalid, "response topic"},
		{"subscription identifier 0", v5, 0x82, "00 01 02 0b 00 " + a + "00", prot, "subscription identifier: is 0"},
		{"subscription identifier 0 in PUBLISH", v5, 0x30, a + "02 0b 00", prot, "subscription identifier: is 0"},
		{"maximum QoS 2", v5, 0x20, "00 00 02 24 02", prot, "maximum QoS"},

		// 2.1.3: flags of the fixed header
		{"flags of CONNECT", v311, 0x11, con4 + "02 00 00 " + a, bad, "[MQTT-2.1.3-1]"},
		{"flags of CONNACK", v311, 0x21, "00 00", bad, "[MQTT-2.1.3-1]"},
		{"flags of PUBACK", v311, 0x42, "00 01", bad, "[MQTT-2.1.3-1]"},
		{"flags of PUBREC", v5, 0x51, "00 01", bad, "[MQTT-2.1.3-1]"},
		{"flags of PUBREL", v311, 0x60, "00 01", bad, "[MQTT-2.1.3-1]"},
		{"flags of PUBREL, DUP in 3.1.1", v311, 0x6a, "00 01", bad, "[MQTT-2.1.3-1]"},
		{"flags of PUBCOMP", v5, 0x72, "00 01", bad, "[MQTT-2.1.3-1]"},
		{"flags of SUBSCRIBE", v311, 0x80, "00 01 " + a + "00", bad, "[MQTT-2.1.3-1]"},
		{"flags of SUBSCRIBE, 3.1", v31, 0x80, "00 01 " + a + "00", bad, "[MQTT-2.1.3-1]"},
		{"flags of SUBACK", v311, 0x92, "00 01 00", bad, "[MQTT-2.1.3-1]"},
		{"flags of UNSUBSCRIBE", v311, 0xa0, "00 01 " + a, bad, "[MQTT-2.1.3-1]"},
		{"flags of UNSUBACK", v311, 0xb2, "00 01", bad, "[MQTT-2.1.3-1]"},
		{"flags of PINGREQ", v311, 0xc1, "", bad, "[MQTT-2.1.3-1]"},
		{"flags of PINGRESP", v311, 0xd8, "", bad, "[MQTT-2.1.3-1]"},
		{"flags of DISCONNECT", v311, 0xe1, "", bad, "[MQTT-2.1.3-1]"},
		{"flags of AUTH", v5, 0xf2, "", bad, "[MQTT-2.1.3-1]"},

		// 2.2.1: packet identifiers
		{"PUBLISH with identifier 0", v311, 0x32, a + "00 00", prot, "[MQTT-2.2.1-3]"},
		{"PUBLISH without identifier", v311, 0x32, a, bad, "4.13.1"},
		{"PUBACK with identifier 0", v311, 0x40, "00 00", prot, "[MQTT-2.2.1-3]"},
		{"PUBREL with identifier 0", v5, 0x62, "00 00", prot, "[MQTT-2.2.1-3]"},
		{"SUBSCRIBE with identifier 0", v311, 0x82, "00 00 " + a + "00", prot, "[MQTT-2.2.1-3]"},
		{"UNSUBSCRIBE with identifier 0", v5, 0xa2, "00 00 00 " + a, prot, "[MQTT-2.2.1-3]"},

		// 3.1: CONNECT
		{"empty CONNECT", v311, 0x10, "", bad, "4.13.1"},
		{"another protocol", v311, 0x10, "00 04 48 54 54 50 04 02 00 00 " + a, mqtt.UnsupportedProtocolVersion, "[MQTT-3.1.2-2]"},
		{"protocol name in small letters", v311, 0x10, "00 04 6d 71 74 74 04 02 00 00 " + a, mqtt.UnsupportedProtocolVersion, "[MQTT-3.1.2-2]"},
		{"version 6", v5, 0x10, name + "06 02 00 00 00 " + a, mqtt.UnsupportedProtocolVersion, "[MQTT-3.1.2-2]"},
		{"version 3 of MQTT", v311, 0x10, name + "03 02 00 00 " + a, mqtt.UnsupportedProtocolVersion, "[MQTT-3.1.2-2]"},
		{"version 0x85", v311, 0x10, name + "85 02 00 00 00 " + a, mqtt.UnsupportedProtocolVersion, "[MQTT-3.1.2-2]"},
		{"version 4 of MQIsdp", v311, 0x10, "00 06 4d 51 49 73 64 70 04 02 00 00 " + a, mqtt.UnsupportedProtocolVersion, "[MQTT-3.1.2-2]"},
		{"reserved flag", v311, 0x10, con4 + "03 00 00 " + a, bad, "[MQTT-3.1.2-3]"},
		{"reserved flag, 5", v5, 0x10, con5 + "03 00 00 00 " + a, bad, "[MQTT-3.1.2-3]"},
		{"will QoS without a will", v311, 0x10, con4 + "0a 00 00 " + a, bad, "[MQTT-3.1.2-11]"},
		{"will retain without a will", v5, 0x10, con5 + "22 00 00 00 " + a, bad, "[MQTT-3.1.2-13]"},
		{"will QoS 3", v311, 0x10, con4 + "1e 00 00 " + a + a + a, bad, "[MQTT-3.1.2-12]"},
		{"will flag without a will", v311, 0x10, con4 + "06 00 00 " + a, bad, "4.13.1"},
		{"will without a payload", v311, 0x10, con4 + "06 00 00 " + a + a, bad, "4.13.1"},
		{"will topic with a wildcard", v311, 0x10, con4 + "06 00 00 " + a + "00 01 23 00 00", mqtt.TopicNameInvalid, "[MQTT-3.3.2-2]"},
		{"empty will topic", v5, 0x10, con5 + "06 00 00 00 " + a + "00 00 00 00 00", mqtt.TopicNameInvalid, "[MQTT-4.7.3-1]"},
		{"user name flag without a user name", v311, 0x10, con4 + "82 00 00 " + a, bad, "4.13.1"},
		{"user name without a flag", v311, 0x10, con4 + "02 00 00 " + a + a, bad, "4.13.1"},
		{"password flag without a password", v311, 0x10, con4 + "c2 00 00 " + a + a, bad, "4.13.1"},
		{"password without a user name", v311, 0x10, con4 + "42 00 00 " + a + a, bad, "3.1.1: [MQTT-3.1.2-22]"},
		{"password without a user name, 3.1", v31, 0x10, "00 06 4d 51 49 73 64 70 03 42 00 00 " + a + a, bad, "3.1.1: [MQTT-3.1.2-22]"},
		{"empty client id, session kept", v311, 0x10, con4 + "00 00 00 00 00", mqtt.ClientIdentifierNotValid, "[MQTT-3.1.3-8]"},
		{"empty client id, 3.1", v31, 0x10, "00 06 4d 51 49 73 64 70 03 02 00 00 00 00", mqtt.ClientIdentifierNotValid, "[MQTT-3.1.3-8]"},
		{"no client id", v311, 0x10, con4 + "02 00 00", bad, "4.13.1"},
		{"bytes after the end", v5, 0x10, t5 + "00 " + a + "00", bad, "4.13.1"},

		// 3.2: CONNACK
		{"reserved flags", v311, 0x20, "02 00", bad, "[MQTT-3.2.2-1]"},
		{"reserved return code", v311, 0x20, "00 06", prot, "3.2.2.3"},
		{"session present, refused", v311, 0x20, "01 05", prot, "[MQTT-3.2.2-6]"},
		{"reason of another packet", v5, 0x20, "00 8e 00", prot, "[MQTT-3.2.2-8]"},
		{"properties in 3.1.1", v311, 0x20, "00 00 00", bad, "4.13.1"},

		// 3.3: PUBLISH
		{"QoS 3", v311, 0x36, a + long, bad, "[MQTT-3.3.1-4]"},
		{"DUP with QoS 0", v311, 0x38, a, bad, "[MQTT-3.3.1-2]"},
		{"DUP with QoS 0, 5", v5, 0x38, a + "00", bad, "[MQTT-3.3.1-2]"},
		{"topic with +", v311, 0x30, "00 03 61 2f 2b", mqtt.TopicNameInvalid, "[MQTT-3.3.2-2]"},
		{"topic with # after a long prefix", v5, 0x30, "00 0b 61 61 61 61 61 61 61 61 61 2f 23 00", mqtt.TopicNameInvalid, "[MQTT-3.3.2-2]"},
		{"topic with + among the first eight", v5, 0x30, "00 08 61 61 61 61 2f 2b 2f 61 00", mqtt.TopicNameInvalid, "[MQTT-3.3.2-2]"},
		{"topic of another script with #", v5, 0x30, "00 03 c3 a9 23 00", mqtt.TopicNameInvalid, "[MQTT-3.3.2-2]"},
		{"empty topic", v311, 0x30, "00 00 68 69", prot, "[MQTT-4.7.3-1]"},
		{"empty topic without an alias", v5, 0x30, "00 00 00", prot, "[MQTT-4.7.3-1]"},
		{"no topic", v311, 0x30, "", bad, "4.13.1"},

		// 3.4 to 3.7
		{"PUBACK too long", v311, 0x40, "00 01 00", bad, "4.13.1"},
		{"PUBACK too short", v5, 0x40, "00", bad, "4.13.1"},
		{"reason of PUBACK", v5, 0x40, "00 01 92", prot, "2.4"},
		{"reason of PUBREC", v5, 0x50, "00 01 01", prot, "2.4"},
		{"reason of PUBREL", v5, 0x62, "00 01 80", prot, "2.4"},
		{"reason of PUBCOMP", v5, 0x70, "00 01 10", prot, "2.4"},

		// 3.8 to 3.11
		{"no filter", v311, 0x82, "00 01", prot, "[MQTT-3.8.3-2]"},
		{"no filter, 5", v5, 0x82, "00 01 00", prot, "[MQTT-3.8.3-2]"},
		{"filter without QoS", v311, 0x82, "00 01 " + a, bad, "4.13.1"},
		{"empty filter", v311, 0x82, "00 01 00 00 00", prot, "[MQTT-4.7.3-1]"},
		{"requested QoS 3", v311, 0x82, "00 01 " + a + "03", prot, "3.8.3.1"},
		{"reserved bits of QoS", v311, 0x82, "00 01 " + a + "04", bad, "[MQTT-3-8.3-4]"},
		{"reserved options", v5, 0x82, "00 01 00 " + a + "40", bad, "[MQTT-3.8.3-5]"},
		{"retain handling 3", v5, 0x82, "00 01 00 " + a + "30", prot, "3.8.3.1"},
		{"no local, shared", v5, 0x82, "00 01 00 00 0a 24 73 68 61 72 65 2f 67 2f 61 04", prot, "[MQTT-3.8.3-4]"},
		{"SUBACK without a reason", v5, 0x90, "00 01 00", prot, "[MQTT-3.8.4-6]"},
		{"reason of SUBACK", v5, 0x90, "00 01 00 03", prot, "2.4"},
		{"return code of SUBACK", v311, 0x90, "00 01 87", prot, "[MQTT-3.9.3-2]"},
		{"no filter in UNSUBSCRIBE", v311, 0xa2, "00 01", prot, "[MQTT-3.10.3-2]"},
		{"empty filter in UNSUBSCRIBE", v5, 0xa2, "00 01 00 00 00", prot, "[MQTT-4.7.3-1]"},
		{"reason of UNSUBACK", v5, 0xb0, "00 01 00 97", prot, "2.4"},
		{"UNSUBACK too long", v311, 0xb0, "00 01 00", bad, "4.13.1"},

		// 3.12 to 3.15
		{"PINGREQ with a body", v5, 0xc0, "00", bad, "4.13.1"},
		{"PINGRESP with a body", v311, 0xd0, "00", bad, "4.13.1"},
		{"DISCONNECT with a body in 3.1.1", v311, 0xe0, "00", bad, "4.13.1"},
		{"reason of DISCONNECT", v5, 0xe0, "10", prot, "2.4"},
		{"AUTH in 3.1.1", v311, 0xf0, "", bad, "2.1.2"},
		{"reason of AUTH", v5, 0xf0, "80 00", prot, "2.4"},
		{"AUTH without a method", v5, 0xf0, "18 00", prot, "3.15.2.2.2"},
	} {
		b, err := hex.DecodeString(strings.ReplaceAll(tt.body, " ", ""))
		if err != nil {
			t.Fatal(tt.what, err)
		}
		_, err = mqtt.Decode(tt.v, mqtt.Header{Type: mqtt.Type(tt.first >> 4), Flags: tt.first & 15, Remaining: len(b)}, b)
		if err == nil {
			t.Errorf("%s: decoded", tt.what)
			continue
		}
		if reason(err) != tt.reason || !strings.Contains(err.Error(), tt.cites) {
			t.Errorf("%s: %s (%s)\nwant %s … %s", tt.what, err, reason(err), tt.reason, tt.cites)
		}
		if !strings.HasPrefix(err.Error(), mqtt.Type(tt.first>>4).String()+": ") {
			t.Errorf("%s: %s does not begin with the packet's name", tt.what, err)
		}
	}
}

// What 3.1 allows and its successors do not, and what only looks wrong.
func TestTolerated(t *testing.T) {
	const isdp, a = "00 06 4d 51 49 73 64 70 03 ", "00 01 61 "
	for _, tt := range []struct {
		what  string
		v     mqtt.Version
		first byte
		body  string
	}{
		{"3.1: DUP in SUBSCRIBE", v31, 0x8a, "00 01 " + a + "00"},
		{"3.1: DUP in UNSUBSCRIBE", v31, 0xaa, "00 01 " + a},
		{"3.1: DUP in PUBREL", v31, 0x6a, "00 01"},
		{"3.1: DUP with QoS 0", v31, 0x38, a},
		{"3.1: reserved bits of the requested QoS", v31, 0x82, "00 01 " + a + "fd"},
		{"3.1: reserved connect flag", v31, 0x10, isdp + "03 00 00 " + a},
		{"3.1: will QoS without a will", v31, 0x10, isdp + "0a 00 00 " + a},
		{"3.1: user name flag, and no user name", v31, 0x10, isdp + "c2 00 00 " + a},
		{"3.1: reserved byte of CONNACK", v31, 0x20, "01 00"},
		{"a client id of more than 23 characters", v311, 0x10, "00 04 4d 51 54 54 04 02 00 00 00 18" + strings.Repeat("61", 24)},
		{"control characters, which should not be sent (1.5.4)", v311, 0x30, "00 02 01 7f"},
		{"a non-character", v311, 0x30, "00 03 ef bf bf"},
		{"a topic alias beside a topic", v5, 0x30, a + "03 23 00 01"},
		{"a wildcard in a filter", v311, 0x82, "00 01 00 01 23 00"},
		{"no local that is not shared", v5, 0x82, "00 01 00 00 06 24 73 68 61 72 65 04"},
		{"no properties after the reason of AUTH's kin", v5, 0xe0, "00"},
	} {
		b, err := hex.DecodeString(strings.ReplaceAll(tt.body, " ", ""))
		if err != nil {
			t.Fatal(tt.what, err)
		}
		if _, err = mqtt.Decode(tt.v, mqtt.Header{Type: mqtt.Type(tt.first >> 4), Flags: tt.first & 15, Remaining: len(b)}, b); err != nil {
			t.Errorf("%s: %v", tt.what, err)
		}
	}
}

// A length in more bytes than it needs is malformed in version 5 only, where a CONNECT says itself which it is.
func TestPadded(t *testing.T) {
	for _, tt := range []struct {
		v     mqtt.Version
		bytes string
		bad   bool
	}{
		{v311, "c0 80 00", false},
		{v5, "c0 80 00", true},
		{0, "10 8d 00 00 04 4d 51 54 54 04 02 00 1e 00 01 61", false},
		{0, "10 8e 00 00 04 4d 51 54 54 05 02 00 1e 00 00 01 61", true},
	} {
		b, _ := hex.DecodeString(strings.ReplaceAll(tt.bytes, " ", ""))
		_, err := decode(tt.v, b)
		if (err != nil) != tt.bad || tt.bad && !strings.Contains(err.Error(), "[MQTT-1.5.5-1]") {
			t.Errorf("%s: %v", tt.bytes, err)
		}
	}
}

// The version in which a CONNECT of an unknown one is answered; 0: not at all.
func TestConnectAnswer(t *testing.T) {
	for _, tt := range []struct {
		body string
		want mqtt.Version
	}{
		{"00 04 4d 51 54 54 06", v5},
		{"00 04 4d 51 54 54 03", v311},
		{"00 04 4d 51 54 54 00", v311},
		{"00 06 4d 51 49 73 64 70 04", v311},
		{"00 04 48 54 54 50 04", 0},
		{"00 04 4d 51", 0},
		{"00 04 4d 51 54 54 05 01 00 00 00", v5},
	} {
		b, _ := hex.DecodeString(strings.ReplaceAll(tt.body, " ", ""))
		c := mqtt.Connect{Version: 77}
		if err := c.Decode(0, 0, b); err == nil || c.Version != tt.want {
			t.Errorf("%s: version %d, %v", tt.body, c.Version, err)
		}
	}
}

func TestNames(t *testing.T) {
	for v := range 256 {
		if s := mqtt.Type(v).String(); (v > 0 && v < 16) == strings.HasPrefix(s, "packet type") {
			t.Errorf("type %d: %s", v, s)
		}
		if got := mqtt.New(mqtt.Type(v)); (got != nil) != (v > 0 && v < 16) || got != nil && got.Type() != mqtt.Type(v) {
			t.Errorf("New(%d) = %v", v, got)
		}
	}
	named := 0
	for v := range 256 {
		if !strings.HasPrefix(mqtt.Reason(v).String(), "reason 0x") {
			named++
		}
	}
	if named != 43 { // table 2-6
		t.Errorf("%d reasons have names", named)
	}
	if !mqtt.NotAuthorized.Failed() || mqtt.GrantedQoS2.Failed() || mqtt.Version(9).String() != "version 9" {
		t.Error("names")
	}
}
