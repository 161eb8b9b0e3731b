package app

import (
	"fmt"
	"net"
	"strconv"
)

// endpoints are the addresses that are handed out to clients: always the
// advertised name, never what a request's Host header says. Ports are known
// after listening, before the first request.
type endpoints struct {
	name       string
	region     string
	awsNames   bool
	apiPort    int
	devicePort int
	mqttPort   int // 0: not listened on
}

// VideoData is the base URL of Kinesis Video's data operations, in the scheme
// that the client came by.
func (e *endpoints) VideoData(secure bool) string {
	if e.awsNames {
		return "https://kinesisvideo." + e.region + ".amazonaws.com"
	}
	return e.apiURL(secure)
}

func (e *endpoints) apiURL(secure bool) string {
	scheme := "http"
	if secure {
		scheme = "https"
	}
	return fmt.Sprintf("%s://%s", scheme, net.JoinHostPort(e.name, strconv.Itoa(e.apiPort)))
}

// mqtt is where MQTT over TLS is, empty if it is off.
func (e *endpoints) mqtt() string {
	if e.mqttPort == 0 {
		return ""
	}
	return net.JoinHostPort(e.name, strconv.Itoa(e.mqttPort))
}

func (e *endpoints) device() string { return net.JoinHostPort(e.name, strconv.Itoa(e.devicePort)) }
