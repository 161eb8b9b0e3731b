package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/thingd/thingd/internal/config"
)

type healthcheckCmd struct {
	target
	Ops string `placeholder:"ADDR" env:"THINGD_OPS" help:"Ops address of the server (that of the running one)."`
}

// Run asks /readyz once.
func (h *healthcheckCmd) Run(ctx context.Context, _ *CLI) error {
	addr := h.Ops
	if addr == "" || strings.HasSuffix(addr, ":0") {
		r, err := config.FindServer(h.Data, h.Dev, os.Getenv) // the root credentials are not its business
		if err != nil {
			return err
		}
		addr = r.Endpoints.Ops
	}
	return ready(ctx, addr)
}

// ready asks the ops address whether the server is ready.
func ready(ctx context.Context, addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("ops address %s: %w", addr, err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return err
	}
	t := &http.Transport{Proxy: nil, DisableKeepAlives: true}
	resp, err := t.RoundTrip(req)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("not ready: no answer from %s", addr)
		}
		return fmt.Errorf("not ready: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: %s", strings.TrimSpace(string(body)))
	}
	return nil
}
