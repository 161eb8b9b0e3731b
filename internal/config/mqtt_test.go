package config

import (
	"reflect"
	"strings"
	"testing"
)

func TestMQTTOptions(t *testing.T) {
	clearEnv(t)
	const id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	for _, tt := range []struct {
		args []string
		want string // the fault; empty for none
	}{
		{[]string{"--plain-mqtt", "127.0.0.1:1883", "--plain-as", "tester"}, ""},
		{[]string{"--plain-mqtt", "[::1]:1883", "--plain-as", id}, ""},
		{[]string{"--plain-mqtt", "localhost:1883", "--plain-as", "tester"}, ""},
		{[]string{"--plain-mqtt", "off"}, ""},
		{[]string{"--plain-mqtt", ":1883", "--plain-as", "tester", "--insecure-mqtt"}, ""},
		{[]string{"--plain-mqtt", ":1883", "--plain-as", "tester"}, "--plain-mqtt: :1883 can be reached from other machines, without TLS: give 127.0.0.1 as the host, or --insecure-mqtt too"},
		{[]string{"--plain-mqtt", "broker.example:1883", "--plain-as", "tester"}, "--plain-mqtt: broker.example:1883 can be reached"},
		{[]string{"--plain-mqtt", "127.0.0.1:1883"}, "--plain-mqtt: say with --plain-as as whom its clients act"},
		{[]string{"--plain-mqtt", "1883", "--plain-as", "tester"}, `--plain-mqtt: "1883" is not an address`},
		{[]string{"--plain-mqtt", "127.0.0.1:4566", "--plain-as", "tester"}, "--ops: --api and --plain-mqtt are both 127.0.0.1:4566"},
		{[]string{"--plain-as", "tester"}, "--plain-as: is of use with --plain-mqtt only"},
		{[]string{"--plain-mqtt", "127.0.0.1:1883", "--plain-as", "a user"}, `--plain-as: "a user" is neither the name`},
		{[]string{"--limits", "mqtt,123456789012=aws"}, ""},
		{[]string{"--limits", "123456789012=none"}, `--limits: "none" is not one of aws, mqtt`},
		{[]string{"--limits", "aws,mqtt"}, `--limits: "mqtt" is not ACCOUNT=SET`},
		{[]string{"--limits", "aws,12=mqtt"}, `--limits: "12" is not the id of an account`},
		{[]string{"--limits", "123456789012=mqtt,123456789012=aws"}, `--limits: account 123456789012 is there twice`},
		{[]string{"--mqtt-max-keep-alive", "60", "--mqtt-reasons", "off"}, ""},
		{[]string{"--mqtt-max-keep-alive", "0"}, `--mqtt-max-keep-alive: "0" is not a number of seconds from 1 to 65535`},
		{[]string{"--mqtt-max-keep-alive", "65536"}, `--mqtt-max-keep-alive: "65536" is not`},
		{[]string{"--mqtt-reasons", "some"}, `--mqtt-reasons: "some" is not one of on, off`},
	} {
		c, err := parse(t, append(tt.args, "--data", t.TempDir())...)
		if err == nil {
			err = c.Finish(func(string) string { return "" })
		}
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%q: %v", tt.args, err)
		case tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.want)):
			t.Errorf("%q: %v, want %s", tt.args, err, tt.want)
		}
	}
}

func TestMQTTLimits(t *testing.T) {
	for text, want := range map[string]Limits{
		"":                           {Default: "aws"},
		"mqtt":                       {Default: "mqtt"},
		"123456789012=mqtt":          {Default: "aws", Accounts: map[string]string{"123456789012": "mqtt"}},
		"mqtt,123456789012=aws":      {Default: "mqtt", Accounts: map[string]string{"123456789012": "aws"}},
		"1=mqtt,2=mqtt":              {},
		"mqtt,111122223333=aws,mqtt": {},
	} {
		c := &Config{Limits: text}
		l, err := c.MQTTLimits()
		if want.Default == "" {
			if err == nil {
				t.Errorf("%q is taken: %+v", text, l)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(l, want) {
			t.Errorf("%q: %+v, %v", text, l, err)
		}
	}
	l := Limits{Default: "aws", Accounts: map[string]string{"123456789012": "mqtt"}}
	if l.Of("123456789012") != "mqtt" || l.Of("111122223333") != "aws" {
		t.Error("limits of accounts")
	}
}
