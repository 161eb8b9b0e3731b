package app

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"

	simulator "github.com/thingd/thingd/internal/fleet"
	"github.com/thingd/thingd/internal/fleet/samples"
	"github.com/thingd/thingd/internal/fleet/worker"
	"github.com/thingd/thingd/internal/server"
)

// startFleet makes the fleet simulator. Runs begin when requests come.
func (a *App) startFleet(ctx context.Context) error {
	name, err := node(a.cfg.Data)
	if err != nil {
		return err
	}
	memory, longest, atOnce := a.cfg.FleetLimits()
	a.fleet = &simulator.Service{
		DB: a.db, Seal: a.box, Log: a.logger("fleet"), Now: a.now, Node: name, Off: atOnce == 0,
		Shared: a.shared(),
		Limits: simulator.Limits{Time: longest, AtOnce: atOnce},
	}
	a.fleet.Workers.Memory = memory
	for _, name := range samples.Names() {
		m, err := samples.Model(name)
		if err != nil {
			return err
		}
		a.fleet.Samples = append(a.fleet.Samples, simulator.Sample{Model: m, Policy: string(samples.Policy(name))})
	}
	if err := a.fleet.Start(ctx); err != nil {
		return fmt.Errorf("start the fleet: %w", err)
	}
	a.onClose(a.fleet.Close)
	return nil
}

// placeFleet tells the fleet where this installation is, once that is known,
// and how its workers are started: as this program itself.
func (a *App) placeFleet() error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program, which fleet runs are done by: %w", err)
	}
	w := &a.fleet.Workers
	w.Procs = max(1, runtime.GOMAXPROCS(0)-1) // one stays the server's
	w.Path, w.Args = program, []string{os.Args[0], "fleet", "worker"}
	w.Endpoint, w.MQTT, w.Roots = a.endpoints.apiURL(true), a.endpoints.mqtt(), a.pki.RootPEM
	w.Egress = a.fleetEgress()
	return nil
}

// fleetEgress is where fleet runs may connect to. The ops address is none of
// it, nor is MQTT without TLS: whoever reaches that is the principal of
// --plain-as, and a run is on this machine whoever started it.
func (a *App) fleetEgress() worker.Egress {
	e := worker.Egress{Names: slices.Clone(a.names), Listeners: map[int]string{}, Standard: map[int]string{}, Allow: a.cfg.FleetAllow}
	everywhere := false
	for _, l := range []struct {
		name     string
		standard int
	}{{server.API, 0}, {server.Device, 8443}, {server.AWS, 443}, {server.MQTT, 8883}} {
		at, ok := a.server.Addr(l.name).(*net.TCPAddr)
		if !ok {
			continue
		}
		host := at.IP.String()
		if at.IP.IsUnspecified() {
			host, everywhere = "127.0.0.1", true
		}
		address := net.JoinHostPort(host, strconv.Itoa(at.Port))
		e.Listeners[at.Port] = address
		if l.standard != 0 {
			e.Standard[l.standard] = address
		}
	}
	if everywhere { // under the addresses of this machine too
		if addresses, err := net.InterfaceAddrs(); err == nil {
			for _, x := range addresses {
				if ip, ok := x.(*net.IPNet); ok && !ip.IP.IsLinkLocalUnicast() {
					e.Names = append(e.Names, ip.IP.String())
				}
			}
		}
	}
	return e
}
