package app

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/config"
	"github.com/thingd/thingd/internal/server"
)

// tell writes endpoints.json, by which thingd's own commands find this server.
func (a *App) tell(context.Context) error {
	e := config.Endpoints{
		API: a.apiURL(), Device: a.endpoints.device(), MQTT: a.endpoints.mqtt(),
		Ops: a.server.Addr(server.Ops).String(), Region: a.cfg.Region, Names: a.cfg.Advertise, Dev: a.cfg.Dev, PID: os.Getpid(),
	}
	if err := e.Write(a.cfg.Data); err != nil {
		return err
	}
	a.onClose(func() error { return e.Remove(a.cfg.Data) })
	return nil
}

// apiURL is where clients reach the APIs: by plain HTTP where it is served.
func (a *App) apiURL() string {
	return a.endpoints.apiURL(!loopback(a.server.Addr(server.API)) && !a.cfg.InsecureHTTP)
}

func loopback(a net.Addr) bool {
	t, ok := a.(*net.TCPAddr)
	return ok && t.IP.IsLoopback()
}

// announce says where things are and how to go on. It ends in journals: no
// secret is in it.
func (a *App) announce(ctx context.Context, out io.Writer) error {
	e, err := config.ReadEndpoints(a.cfg.Data)
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "thingd is ready.\n")
	if a.firstRun {
		fmt.Fprintf(&b, "  First start: made the account %s; its root access key, e-mail address and password are in %s\n", a.root.AccountID, a.cfg.DataFile(config.RootCredentialsFile))
	}
	plain := " (plain HTTP and TLS)"
	if strings.HasPrefix(e.API, "https:") {
		plain = " (TLS; plain HTTP from this machine alone)"
	}
	fmt.Fprintf(&b, "  AWS APIs      %s%s\n", e.API, plain)
	if a.console {
		fmt.Fprintf(&b, "  Console       %s\n", a.apiURL())
	}
	fmt.Fprintf(&b, "  Devices       https://%s (credentials provider, shadows and publishing; MQTT by ALPN)\n", e.Device)
	ways := []string{strings.Replace(e.API, "http", "ws", 1) + "/mqtt (WebSocket, signed)"}
	if e.MQTT != "" {
		ways = append([]string{"mqtts://" + e.MQTT}, ways...)
	}
	if plain := a.server.Addr(server.PlainMQTT); plain != nil {
		ways = append(ways, fmt.Sprintf("mqtt://%s (without TLS; clients act as %s)", plain, a.cfg.PlainAs))
	}
	fmt.Fprintf(&b, "  MQTT          %s\n", strings.Join(ways, "\n                "))
	fmt.Fprintf(&b, "  Health        http://%s/readyz, /metrics\n", e.Ops)
	fmt.Fprintf(&b, "  Region        %s\n", e.Region)
	fmt.Fprintf(&b, "  CA            %s\n", a.cfg.DataFile(config.ServerRootFile))
	if a.root.AccessKeyID == "" {
		fmt.Fprintf(&b, "The file %s is missing, without which thingd env and thingd configure have no key to give.\n", a.cfg.DataFile(config.RootCredentialsFile))
		fmt.Fprintf(&b, "Stop the server and run: thingd reset-root%s    # makes a new root access key\n", a.dataOption(os.Getenv))
	} else {
		fmt.Fprintf(&b, "Next, in another terminal:\n")
		fmt.Fprintf(&b, "  eval \"$(thingd env%s)\" && aws sts get-caller-identity\n", a.dataOption(os.Getenv))
		fmt.Fprintf(&b, "  thingd configure%s --profile thingd     # an AWS CLI profile\n", a.dataOption(os.Getenv))
	}
	if a.cfg.AWSNames {
		endpoints, err := a.accountEndpoints(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "Clients that cannot be told an endpoint need these lines in their hosts file (with this machine's address, on others):\n%s",
			server.HostsLines("127.0.0.1", a.cfg.Region, endpoints))
	}
	for _, w := range a.warnings() {
		fmt.Fprintf(&b, "WARNING: %s\n", w)
	}
	_, err = io.WriteString(out, b.String())
	return err
}

// dataOption is by which option thingd's other commands find this server.
func (a *App) dataOption(getenv func(string) string) string {
	switch {
	case a.cfg.Dev && a.cfg.Data == config.DevDirs(getenv)[0]:
		return " --dev"
	case a.cfg.Data == config.DefaultDataDir(getenv), !a.cfg.Dev && getenv("THINGD_DATA") != "":
		return ""
	}
	return " --data " + config.ShellQuote(a.cfg.Data)
}

// warnings are what a user may not have meant.
func (a *App) warnings() []string {
	var w []string
	if !a.console {
		w = append(w, "this thingd was built without the console: make build, with Node.js 20.19 or newer installed, builds it in.")
	}
	open := !loopback(a.server.Addr(server.API))
	if a.cfg.Dev && open {
		w = append(w, "the keys of --dev are public, and --api "+a.cfg.API+" lets other machines use them.")
	}
	if open && len(a.cfg.Advertise) == 0 {
		w = append(w, "other machines can connect, but the endpoints and the certificate say localhost: give this machine's name with --advertise.")
	}
	return w
}

// accountEndpoints are the host names of the root account's own endpoints: a
// hosts file knows no wildcards.
func (a *App) accountEndpoints(ctx context.Context) ([]string, error) {
	ctx = awsapi.WithRequest(ctx, &awsapi.Request{Caller: &awsapi.Caller{Account: a.root.AccountID}, Region: a.cfg.Region})
	var names []string
	for _, kind := range []string{"iot:Data", "iot:Data-ATS", "iot:CredentialProvider", "iot:Jobs"} {
		out, err := a.registry.DescribeEndpoint(ctx, &iot.DescribeEndpointRequest{EndpointType: &kind})
		if err != nil {
			return nil, err
		}
		names = append(names, *out.EndpointAddress)
	}
	return names, nil
}
