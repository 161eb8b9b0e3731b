package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/config"
)

// server is a thingd under measurement.
type server struct {
	binary string
	cmd    *exec.Cmd
	args   []string // of its own
	dir    string
	at     config.Endpoints
	root   config.RootCredentials
	out    bytes.Buffer
}

// start runs the binary in a fresh data directory and waits until it is ready.
func start(args ...string) (*server, error) { return startOf(*binary, args...) }

// startOf is start of another binary.
func startOf(path string, args ...string) (*server, error) {
	dir, err := os.MkdirTemp("", "thingd-bench-")
	if err != nil {
		return nil, err
	}
	s := &server{binary: path, dir: dir, args: args}
	if err := s.run(); err != nil {
		return nil, err
	}
	if s.root, err = config.ReadRootCredentials(dir); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *server) run() error {
	s.cmd = exec.Command(s.binary, append([]string{"serve", "--data", s.dir, "--api", "127.0.0.1:0", "--device", "127.0.0.1:0", "--mqtt", "off", "--ops", "127.0.0.1:0"}, s.args...)...)
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.out
	if err := s.cmd.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		if at, err := config.ReadEndpoints(s.dir); err == nil && at.PID == s.cmd.Process.Pid {
			if resp, err := http.Get("http://" + at.Ops + "/readyz"); err == nil {
				_ = resp.Body.Close()
				if resp.StatusCode == http.StatusOK {
					s.at = at
					return nil
				}
			}
		}
		select {
		case <-ctx.Done():
			_ = s.cmd.Process.Kill()
			return fmt.Errorf("thingd was not ready in 30 s:\n%s", s.out.String())
		case <-time.After(time.Millisecond):
		}
	}
}

func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	_ = s.cmd.Wait()
	_ = os.RemoveAll(s.dir)
}

// again ends the process and starts another one with the same data.
func (s *server) again() error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	_ = s.cmd.Wait()
	return s.run()
}

// settle waits until the server has done what it does after its start, such as making keys in advance.
func (s *server) settle() error {
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		before, err := s.used()
		if err != nil {
			return err
		}
		time.Sleep(500 * time.Millisecond)
		after, err := s.used()
		if err != nil || after-before < 25*time.Millisecond {
			return err
		}
	}
	return errors.New("the server does not come to rest")
}

// apiHost is the address of the APIs.
func (s *server) apiHost() string {
	_, host, _ := strings.Cut(s.at.API, "://")
	return host
}

func (s *server) credentials() sigv4.Credentials {
	return sigv4.Credentials{AccessKeyID: s.root.AccessKeyID, SecretAccessKey: s.root.SecretAccessKey}
}

// startup measures the time from exec to a 200 of /readyz: the first start,
// which makes roots and database, and a later one.
func startup() (row, error) {
	var first, again []time.Duration
	for range *rounds {
		begin := time.Now()
		s, err := start()
		if err != nil {
			return row{}, err
		}
		first = append(first, time.Since(begin))
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		_ = s.cmd.Wait()
		begin = time.Now()
		if err := s.run(); err != nil {
			return row{}, err
		}
		again = append(again, time.Since(begin))
		s.stop()
	}
	mid := func(d []time.Duration) time.Duration {
		slices.Sort(d)
		return d[len(d)/2].Round(time.Millisecond)
	}
	return row{"ready after (first start / later start)", fmt.Sprintf("%v / %v", mid(first), mid(again)), "", "200 ms"}, nil
}

// idleMemory reads the resident set some seconds after the start.
func idleMemory(s *server) (row, error) {
	time.Sleep(3 * time.Second)
	n, err := s.resident()
	return row{"idle memory (RSS)", fmt.Sprintf("%.0f MB", float64(n)/(1<<20)), "", "50 MB"}, err
}

func (s *server) resident() (int, error) { return resident(s.cmd.Process.Pid) }

// resident is a process's resident set, in bytes.
func resident(pid int) (int, error) {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if kb, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.Atoi(strings.Fields(kb)[0])
			return n << 10, err
		}
	}
	return 0, errors.New("no VmRSS in /proc")
}
