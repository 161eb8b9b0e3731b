// Package app is the wiring: it builds every part of a server in start order,
// hands each what it needs of the others, and closes them in reverse. It knows
// all packages and decides nothing: what a request means, who may do what and
// what is stored is theirs.
package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/thingd/thingd/internal/api/fleet"
	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/api/iotdata"
	"github.com/thingd/thingd/internal/api/iotjobs"
	"github.com/thingd/thingd/internal/api/kinesisvideo"
	"github.com/thingd/thingd/internal/api/kvarchive"
	"github.com/thingd/thingd/internal/api/kvmedia"
	"github.com/thingd/thingd/internal/api/sts"
	"github.com/thingd/thingd/internal/api/thingd"
	"github.com/thingd/thingd/internal/audit"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/blob"
	"github.com/thingd/thingd/internal/broker"
	"github.com/thingd/thingd/internal/config"
	"github.com/thingd/thingd/internal/console"
	"github.com/thingd/thingd/internal/credentials"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/explain"
	simulator "github.com/thingd/thingd/internal/fleet"
	"github.com/thingd/thingd/internal/identity"
	"github.com/thingd/thingd/internal/iotlog"
	"github.com/thingd/thingd/internal/msglog"
	"github.com/thingd/thingd/internal/registry"
	"github.com/thingd/thingd/internal/seal"
	"github.com/thingd/thingd/internal/server"
	"github.com/thingd/thingd/internal/shadow"
	"github.com/thingd/thingd/internal/signin"
	"github.com/thingd/thingd/internal/video"
)

// Run builds a server, tells out where it is, and serves until ctx ends.
// Errors are one line for the user.
func Run(ctx context.Context, cfg *config.Config, log *slog.Logger, out io.Writer) error {
	spareMemory()
	a, err := New(ctx, cfg, log)
	if err != nil {
		return err
	}
	if err := a.announce(ctx, out); err != nil {
		return errors.Join(err, a.Close())
	}
	err = a.server.Serve(ctx)
	return errors.Join(err, a.Close())
}

// App is one server, built and listening.
type App struct {
	cfg *config.Config
	log *slog.Logger
	now func() time.Time

	metrics   *prometheus.Registry
	pki       *server.PKI
	box       *seal.Box
	db        *db.DB
	audit     *audit.Trail // nil: off
	devices   *iotlog.Log
	identity  *identity.Service
	registry  *registry.Service
	shadows   *shadow.Service
	video     *video.Service
	fleet     *simulator.Service
	blobs     *blob.Files
	server    *server.Server
	endpoints *endpoints
	root      config.RootCredentials
	firstRun  bool
	console   bool                          // is built in
	broker    atomic.Pointer[broker.Broker] // another one after a reset
	messages  *msglog.Log
	names     []string // under which this server is known
	ending    atomic.Bool
	resetting sync.Mutex

	closers []func() error // in start order
}

// New builds a server and binds its addresses. It serves after Serve, or
// releases everything at Close.
func New(ctx context.Context, cfg *config.Config, log *slog.Logger) (_ *App, err error) {
	a := &App{cfg: cfg, log: log, now: time.Now, metrics: prometheus.NewRegistry()}
	defer func() {
		if err != nil {
			_ = a.Close() // err is what the user needs
		}
	}()
	a.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	a.endpoints = &endpoints{name: cfg.Name(), region: cfg.Region, awsNames: cfg.AWSNames}
	for _, step := range []func(context.Context) error{
		a.bind, a.openData, a.openAudit, a.openKeys, a.startIdentity, a.startRegistry, a.startShadows, a.startBroker, a.startVideo, a.startFleet, a.listen, a.watchKeys, a.tell,
	} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// Close ends everything in reverse start order.
func (a *App) Close() error {
	var errs []error
	for i := len(a.closers) - 1; i >= 0; i-- {
		errs = append(errs, a.closers[i]())
	}
	a.closers = nil
	return errors.Join(errs...)
}

func (a *App) onClose(f func() error) { a.closers = append(a.closers, f) }

func (a *App) logger(component string) *slog.Logger { return a.log.With("component", component) }

// bind takes the addresses, before anything is made for a server that cannot
// have them.
func (a *App) bind(context.Context) error {
	a.server = &server.Server{
		APIAddress: a.cfg.API, DeviceAddress: a.cfg.Device, OpsAddress: a.cfg.Ops, InsecureHTTP: a.cfg.InsecureHTTP,
		MQTTAddress: unlessOff(a.cfg.MQTT), PlainMQTTAddress: unlessOff(a.cfg.PlainMQTT),
	}
	if a.cfg.AWSNames {
		a.server.AWSAddress = ":443"
		if a.cfg.Dev { // whose keys are public
			a.server.AWSAddress = "127.0.0.1:443"
		}
	}
	err := a.server.Bind()
	if errors.Is(err, server.ErrPortInUse) && dataLocked(a.cfg.Data) {
		return fmt.Errorf("another thingd runs on the data directory %s: stop it, or choose another with --data, and other ports (%w)", a.cfg.Data, err)
	}
	if err != nil {
		return err
	}
	a.onClose(func() error { a.server.Close(); return nil })
	return nil
}

func unlessOff(address string) string {
	if address == config.Off {
		return ""
	}
	return address
}

// openData takes the data directory for this process and opens the database.
func (a *App) openData(ctx context.Context) error {
	if err := a.cfg.Prepare(); err != nil {
		return err
	}
	unlock, err := lockData(a.cfg.Data)
	if err != nil {
		return err
	}
	a.onClose(unlock)
	a.db, err = db.Open(ctx, a.cfg.Database, db.Options{Sync: !a.cfg.Dev, Logger: a.logger("db")})
	if err != nil {
		return err
	}
	a.onClose(a.db.Close)
	return nil
}

// openKeys loads or makes the master key and the server's root and certificate.
func (a *App) openKeys(context.Context) error {
	keys := a.cfg.DataFile("keys")
	if err := os.MkdirAll(keys, 0o700); err != nil {
		return err
	}
	box, err := seal.LoadOrCreate(filepath.Join(keys, "master.key"))
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "" // the certificate does without
	}
	a.box = box
	a.names = server.CertificateNames(a.cfg.Advertise, host, a.cfg.AWSNames, a.cfg.Region)
	a.pki, err = server.OpenPKI(a.cfg.Data, box, a.names, a.now, a.logger("pki"))
	if err != nil {
		return err
	}
	a.identity = &identity.Service{DB: a.db, Seal: box, Log: a.logger("identity"), Now: a.now, Region: a.cfg.Region, Refusals: &explain.Log{}}
	a.registry = &registry.Service{DB: a.db, Log: a.logger("registry"), Now: a.now}
	a.registry.Issuer = &registry.Issuer{Dir: keys, Seal: box, Now: a.now, Log: a.logger("issuer")}
	return nil
}

// startIdentity makes the root account, once, and begins to write last uses.
func (a *App) startIdentity(ctx context.Context) error {
	if err := a.bootstrap(ctx); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- a.identity.Run(ctx) }()
	a.onClose(func() error { stop(); return <-done })
	return nil
}

func (a *App) startRegistry(ctx context.Context) error {
	a.devices = &iotlog.Log{Levels: a.registry, Now: a.now, Logger: a.logger("iotlog")}
	size, keep := a.cfg.AuditLimits()
	a.devices.Open(a.cfg.DataFile(config.DeviceLogDir), size, keep)
	a.onClose(a.devices.Close)
	a.registry.Devices = a.devices
	if err := a.registry.Start(ctx); err != nil {
		return fmt.Errorf("start the registry: %w", err)
	}
	a.onClose(a.registry.Close)
	return nil
}

func (a *App) startShadows(ctx context.Context) error {
	a.shadows = &shadow.Service{DB: a.db, Log: a.logger("shadow"), Now: a.now, Devices: a.devices, Registerer: a.metrics, Limits: a.shadowLimits(), Bus: bus{a.broker.Load}}
	if err := a.shadows.Start(ctx); err != nil {
		return fmt.Errorf("start the shadows: %w", err)
	}
	a.onClose(a.shadows.Close)
	return nil
}

func (a *App) startVideo(ctx context.Context) error {
	var err error
	a.blobs, err = blob.Open(a.cfg.DataFile(videoDir), blob.Options{Sync: !a.cfg.Dev})
	if err != nil {
		return fmt.Errorf("open the video store: %w", err)
	}
	a.onClose(a.blobs.Close)
	a.video = &video.Service{DB: a.db, Blobs: a.blobs, Log: a.logger("video"), Now: a.now, Endpoints: a.endpoints, Registerer: a.metrics}
	if sets, err := a.cfg.MQTTLimits(); err == nil && sets.Default == config.LimitsMQTT {
		a.video.Limits = video.Unlimited()
	}
	if a.shared() { // chunks are in the data directory
		id, err := nodeID(a.cfg.Data)
		if err != nil {
			return err
		}
		a.video.Node = id
	}
	if err := a.video.Start(ctx); err != nil {
		return err
	}
	a.onClose(a.video.Close)
	return nil
}

// APIs binds the domains to the services that they serve. docs/COVERAGE.md is
// made from it.
func APIs(id *identity.Service, reg *registry.Service, msg *broker.Service, sh *shadow.Service, vid *video.Service, sim *simulator.Service) []*awsapi.API {
	return []*awsapi.API{
		iot.Service.Bind(reg, msg),
		iotdata.Service.Bind(msg, sh),
		iotjobs.Service.Bind(),
		iam.Service.Bind(id),
		sts.Service.Bind(id),
		kinesisvideo.Service.Bind(vid),
		kvmedia.Service.Bind(vid),
		kvarchive.Service.Bind(vid),
		thingd.Service.Bind(id, reg),
		fleet.Service.Bind(sim),
	}
}

// listen builds the edge on the bound addresses.
func (a *App) listen(context.Context) error {
	observe, err := newObserver(a.metrics, a.logger("api"))
	if err != nil {
		return err
	}
	gateway := &awsapi.Gateway{Identity: a.identity, Log: a.logger("api"), Now: a.now, Observe: observe, Refused: a.identity.KeepRefusal}
	lookup := devices{a.registry, a.now}
	apis := APIs(a.identity, a.registry, a.messaging(), a.shadows, a.video, a.fleet)
	provider := &credentials.Provider{
		Devices: lookup, Aliases: lookup, Roles: roles{a.identity}, Refusals: a.identity.Refusals, Log: a.logger("credentials"), Now: a.now,
	}
	people := &signin.Handler{
		Passwords: signIns{a.identity}, Sessions: signIns{a.identity}, Federation: signIns{a.identity},
		Region: a.cfg.Region, Log: a.logger("signin"), Now: a.now,
	}
	screens, err := console.New(a.logger("console"))
	if err != nil {
		return err
	}
	a.console = screens.Built()
	router := &server.Router{Services: gateway.Handlers(apis), Credentials: provider, SignIn: people, Console: screens, RootPEM: a.pki.RootPEM}
	router.WebSocket = &server.WebSocket{Identity: a.identity, MQTT: a.serveWebSocket, Log: a.logger("server"), Now: a.now}
	router.Device = a.deviceGateway(observe).Handler(dataAPIs(apis)...)
	provider.Record = issuing{a.audit, a.devices, a.registry}.record
	if a.audit != nil {
		gateway.Record = a.audit.Call
		router.Refused = newEdge(a.audit, apis).record
		people.Recorder = signInEvents{a.audit}
	}
	guard := server.NewGuard(a.names)
	ops := &server.OpsHandler{Gatherer: a.metrics, Ready: a.ready, Guard: guard, Log: a.logger("ops")}
	a.server.PKI, a.server.Handler, a.server.OnShutdown = a.pki, router, a.shutdown
	a.server.Registerer, a.server.Log = a.metrics, a.logger("server")
	a.server.MQTT, a.server.Raw = a.serveMQTT, func(c *net.TCPConn) net.Conn { return broker.Socket(c) }
	if a.cfg.Dev {
		// Its keys are public: no web page may use them from a browser.
		a.server.Handler = guard.Wrap(router)
		ops.Reset = a.reset
	}
	a.server.OpsHandler = ops.Handler()
	if err := a.server.Listen(); err != nil {
		return err
	}
	a.endpoints.apiPort = port(a.server.Addr(server.API))
	a.endpoints.devicePort = port(a.server.Addr(server.Device))
	a.endpoints.mqttPort = port(a.server.Addr(server.MQTT))
	a.registry.Endpoints = registry.Endpoints{
		Host: a.cfg.Name(), DevicePort: a.endpoints.devicePort, AWSNames: a.cfg.AWSNames,
		MQTT: a.endpoints.mqttPort > 0, MQTTPort: cmp.Or(a.endpoints.mqttPort, a.cfg.MQTTPort()), API: a.apiURL(), Root: a.pki.RootPEM,
	}
	return a.placeFleet()
}

func port(a net.Addr) int {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.Port
	}
	return 0
}

// shutdown is called when the server begins to end: it is not ready any more,
// and requests that never end by themselves are ended.
func (a *App) shutdown() {
	a.ending.Store(true)
	a.video.Interrupt()
}

// ready says whether requests can be served.
func (a *App) ready(ctx context.Context) error {
	if a.ending.Load() {
		return errors.New("the server is ending")
	}
	var one int64
	return a.db.QueryRow(ctx, "SELECT 1").Scan(&one)
}

// reset is --dev's POST /reset: an empty database, the same roots and keys.
func (a *App) reset(ctx context.Context) error {
	a.resetting.Lock() // two at once would each start video anew
	defer a.resetting.Unlock()
	if err := a.video.Close(); err != nil {
		return err
	}
	if err := a.closeBroker(); err != nil {
		return err
	}
	if err := a.fleet.Close(); err != nil {
		return err
	}
	if err := a.db.Reset(ctx); err != nil {
		return err
	}
	if err := a.blobs.RemoveAll(""); err != nil {
		return err
	}
	if a.audit != nil {
		a.audit.Rotate()
	}
	a.devices.Rotate()
	a.identity.Invalidate()
	a.registry.Invalidate()
	a.shadows.Invalidate()
	if err := a.bootstrap(ctx); err != nil {
		return err
	}
	if err := a.openBroker(ctx); err != nil {
		return err
	}
	if err := a.fleet.Start(ctx); err != nil {
		return err
	}
	return a.video.Start(ctx)
}
