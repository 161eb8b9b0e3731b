// Package e2e drives the built binary as its clients do: over sockets, with
// the AWS SDK, with bytes as kvssink sends them, and with kill -9.
package e2e

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/config"
)

// binary is the thingd under test, built by TestMain or named by THINGD_BINARY.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if binary = os.Getenv("THINGD_BINARY"); binary == "" {
		dir, err := os.MkdirTemp("", "thingd-e2e-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(dir) }()
		binary = filepath.Join(dir, "thingd")
		if out, err := exec.Command("go", "build", "-o", binary, "../cmd/thingd").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
			return 1
		}
	}
	return m.Run()
}

// server is one thingd with its data directory.
type server struct {
	t    testing.TB
	dir  string
	args []string
	wrap []string // a command that runs the server
	cmd  *exec.Cmd
	done chan error
	log  *logBuffer
	at   config.Endpoints
	root config.RootCredentials
}

// start runs a server on free ports and waits until it is ready; the test's
// end stops it.
func start(t testing.TB, args ...string) *server {
	t.Helper()
	s := &server{t: t, dir: t.TempDir(), args: args}
	s.start()
	t.Cleanup(func() {
		if s.cmd != nil {
			s.stop()
		}
		if t.Failed() {
			t.Logf("the server's log:\n%s", s.log)
		}
	})
	return s
}

// start runs the server (again) in its data directory.
func (s *server) start() {
	s.t.Helper()
	args := append([]string{"serve", "--data", s.dir, "--api", "127.0.0.1:0", "--device", "127.0.0.1:0", "--mqtt", "off", "--ops", "127.0.0.1:0"}, s.args...)
	line := append(append(slices.Clone(s.wrap), binary), args...)
	s.cmd = exec.Command(line[0], line[1:]...)
	s.log = &logBuffer{}
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.done = make(chan error, 1)
	cmd, done := s.cmd, s.done
	go func() { done <- cmd.Wait() }()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		if at, err := config.ReadEndpoints(s.dir); err == nil && at.PID == s.cmd.Process.Pid {
			if resp, err := http.Get("http://" + at.Ops + "/readyz"); err == nil {
				_ = resp.Body.Close()
				if resp.StatusCode == http.StatusOK {
					s.at = at
					break
				}
			}
		}
		select {
		case err := <-s.done:
			s.cmd = nil
			s.t.Fatalf("thingd ended at its start: %v\n%s", err, s.log)
		case <-ctx.Done():
			s.t.Fatalf("thingd was not ready in 30 s:\n%s", s.log)
		case <-time.After(5 * time.Millisecond):
		}
	}
	root, err := config.ReadRootCredentials(s.dir)
	if err != nil {
		s.t.Fatal(err)
	}
	s.root = root
}

// kill is kill -9.
func (s *server) kill() {
	s.t.Helper()
	if err := s.cmd.Process.Kill(); err != nil {
		s.t.Fatal(err)
	}
	<-s.done
	s.cmd = nil
}

// stop asks the server to end, and requires that it does so cleanly.
func (s *server) stop() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	select {
	case err := <-s.done:
		if err != nil {
			s.t.Errorf("thingd did not end cleanly: %v\n%s", err, s.log)
		}
	case <-time.After(20 * time.Second):
		_ = s.cmd.Process.Kill()
		s.t.Errorf("thingd did not end in 20 s:\n%s", s.log)
	}
	s.cmd = nil
}

// api is the base URL of the APIs on plain HTTP.
func (s *server) api() string {
	_, host, _ := strings.Cut(s.at.API, "://")
	return "http://" + host
}

// roots are what a client trusts that knows this server.
func (s *server) roots(t testing.TB) *x509.CertPool {
	t.Helper()
	root, err := os.ReadFile(filepath.Join(s.dir, config.ServerRootFile))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(root) {
		t.Fatal("no certificate in the server's root file")
	}
	return pool
}

// rootKey is the root account's access key.
func (s *server) rootKey() sigv4.Credentials {
	return sigv4.Credentials{AccessKeyID: s.root.AccessKeyID, SecretAccessKey: s.root.SecretAccessKey}
}

// sdk is a configuration for the AWS SDK with the root key.
func (s *server) sdk() aws.Config { return s.sdkAs(s.rootKey()) }

func (s *server) sdkAs(c sigv4.Credentials) aws.Config {
	return aws.Config{
		Region:           s.at.Region,
		BaseEndpoint:     aws.String(s.api()),
		Credentials:      credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken),
		RetryMaxAttempts: 1,
	}
}

// logBuffer keeps what the server says.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
