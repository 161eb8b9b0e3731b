package cli

import (
	"context"
	"io"
	"log/slog"
	"os"

	"github.com/thingd/thingd/internal/config"
)

type serveCmd struct {
	config.Config `embed:""`
}

// Run checks the configuration and hands it to the server.
func (s *serveCmd) Run(ctx context.Context, c *CLI) error {
	if err := s.Finish(os.Getenv); err != nil {
		return err
	}
	return c.Serve(ctx, &s.Config, logger(&s.Config, c.Stderr), c.Stdout)
}

// logger makes the process's logger as the configuration says.
func logger(cfg *config.Config, w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	o := &slog.HandlerOptions{Level: level}
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
