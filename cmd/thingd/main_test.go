package main

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/thingd/thingd/internal/config"
)

func TestMain(m *testing.M) {
	// Scripts wait, for servers and for time to pass, as much as they compute.
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){"thingd": main, "aws": runAWS})
}

// TestScripts runs testdata/script: the seeds' labs and the command's own
// behaviour, each against a server of its own.
//
//	serve [flags]   starts a server on free ports and waits until it is ready
//	stop            ends it by SIGTERM; it must end cleanly
//	crash           ends it by SIGKILL
func TestScripts(t *testing.T) {
	readme, err := filepath.Abs("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	media, err := filepath.Abs("../../internal/mkv/testdata")
	if err != nil {
		t.Fatal(err)
	}
	clients, err := filepath.Abs("../../e2e/clients/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	cli := startAWSCLI(t)
	servers := &serverTable{m: map[*testscript.TestScript]*running{}}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			home := filepath.Join(e.WorkDir, "home")
			e.Setenv("HOME", home)
			e.Setenv("THINGD_DATA", filepath.Join(e.WorkDir, "data"))
			e.Setenv("README", readme)
			e.Setenv("MEDIA", media)
			e.Setenv("CLIENTS", clients)
			e.Setenv("AWS_PAGER", "")
			e.Setenv(awsReal, cli.real)
			e.Setenv(awsSocket, cli.socket)
			e.Setenv("AWS_EC2_METADATA_DISABLED", "true")
			// Tool versions chosen by the developer's shell, such as pyenv's.
			for _, k := range []string{"PYENV_ROOT", "PYENV_VERSION"} {
				e.Setenv(k, os.Getenv(k))
			}
			return os.MkdirAll(home, 0o700)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": servers.serve,
			"stop":  servers.stop,
			"crash": servers.crash,
		},
	})
}

// running is a script's server.
type running struct {
	cmd  *exec.Cmd
	done chan error
	log  strings.Builder
}

// servers holds each script's server; scripts run side by side.
type serverTable struct {
	mu sync.Mutex
	m  map[*testscript.TestScript]*running
}

func (t *serverTable) set(ts *testscript.TestScript, r *running) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.m[ts] = r
}

func (t *serverTable) get(ts *testscript.TestScript) *running {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.m[ts]
}

func (t *serverTable) serve(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("serve cannot be negated; use ! exec thingd serve")
	}
	data := ts.Getenv("THINGD_DATA")
	r := &running{done: make(chan error, 1)}
	r.cmd = exec.Command("thingd", append([]string{"serve", "--data", data, "--api", "127.0.0.1:0", "--device", "127.0.0.1:0", "--mqtt", "off", "--ops", "127.0.0.1:0"}, args...)...)
	for _, k := range []string{"PATH", "HOME"} {
		r.cmd.Env = append(r.cmd.Env, k+"="+ts.Getenv(k))
	}
	bin, err := lookPath("thingd", ts.Getenv("PATH"))
	ts.Check(err)
	r.cmd.Path, r.cmd.Err = bin, nil
	r.cmd.Stdout, r.cmd.Stderr = &r.log, &r.log
	ts.Check(r.cmd.Start())
	go func() { r.done <- r.cmd.Wait() }()
	ts.Defer(func() {
		if r.cmd != nil {
			_ = r.cmd.Process.Kill()
			<-r.done
			ts.Logf("server: %s", r.log.String())
		}
	})
	t.set(ts, r)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		if at, err := config.ReadEndpoints(data); err == nil && at.PID == r.cmd.Process.Pid {
			check := exec.CommandContext(ctx, bin, "healthcheck", "--data", data)
			if check.Run() == nil {
				ts.Setenv("API", at.API)
				ts.Setenv("API_ADDRESS", strings.TrimPrefix(at.API, "http://"))
				ts.Setenv("DEVICE", at.Device)
				ts.Setenv("MQTT", at.MQTT)
				ts.Setenv("OPS", at.Ops)
				return
			}
		}
		select {
		case err := <-r.done:
			r.cmd = nil
			ts.Fatalf("the server ended: %v\n%s", err, r.log.String())
		case <-ctx.Done():
			ts.Fatalf("the server was not ready in 30 s")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (t *serverTable) stop(ts *testscript.TestScript, neg bool, args []string) {
	r := t.get(ts)
	if neg || r == nil || len(args) > 0 {
		ts.Fatalf("usage: stop, after serve")
	}
	ts.Check(r.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case err := <-r.done:
		if err != nil {
			ts.Fatalf("the server did not end cleanly: %v\n%s", err, r.log.String())
		}
	case <-time.After(20 * time.Second):
		ts.Fatalf("the server did not end in 20 s")
	}
	r.cmd = nil
}

func (t *serverTable) crash(ts *testscript.TestScript, neg bool, args []string) {
	r := t.get(ts)
	if neg || r == nil || len(args) > 0 {
		ts.Fatalf("usage: crash, after serve")
	}
	ts.Check(r.cmd.Process.Kill())
	<-r.done
	r.cmd = nil
}

func lookPath(name, path string) (string, error) {
	for _, dir := range filepath.SplitList(path) {
		p := filepath.Join(dir, name)
		if info, err := os.Stat(p); err == nil && info.Mode()&0o111 != 0 {
			return p, nil
		}
	}
	return "", exec.ErrNotFound
}
