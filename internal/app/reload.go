package app

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// watchKeys has the server's root and certificates read anew when their files
// change, and on SIGHUP.
func (a *App) watchKeys(ctx context.Context) error {
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.pki.Watch(watching, asked)
	}()
	a.onClose(func() error {
		signal.Stop(asked)
		stop()
		<-done
		return nil
	})
	return nil
}
