package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/thingd/thingd/internal/config"
)

// watchEvery is how often the files are looked at. There are four.
const watchEvery = 2 * time.Second

// Reload reads the root and the server certificates anew, after their files
// were exchanged. A server certificate that is missing, or of another root, is
// made; a file that cannot be read leaves everything as it is. Handshakes from then on see the new ones, and
// connections that are there stay.
func (p *PKI) Reload() error {
	p.reloading.Lock()
	defer p.reloading.Unlock()
	r, err := p.loadRoot() // none is made: perhaps it is just being exchanged
	if err != nil {
		return fmt.Errorf("server root: %w", err)
	}
	old := p.root.Swap(r)
	var fresh [2]*tls.Certificate
	leaves := [...]*leaf{&p.ec, &p.rsa}
	for i, l := range leaves {
		if fresh[i], err = p.reread(l); err != nil {
			p.root.Store(old)
			return fmt.Errorf("server certificate: %w", err)
		}
	}
	for i, l := range leaves {
		if c := fresh[i]; c != nil {
			l.current.Store(c)
		}
	}
	if !old.cert.Equal(r.cert) {
		p.log.Info("server root exchanged", "subject", r.cert.Subject.CommonName, "expires", r.cert.NotAfter)
	}
	return nil
}

// reread answers the leaf that is on disk, or a new one where that is missing,
// or not of this root and for these names. nil leaves one that nobody has asked
// for yet.
func (p *PKI) reread(l *leaf) (*tls.Certificate, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	current := l.current.Load()
	if current == nil {
		return nil, nil
	}
	c, err := p.loadLeaf(l)
	if err != nil {
		return nil, err
	}
	if c == nil || !p.good(c) || !p.ours(c.Leaf) {
		return p.issue(l)
	}
	if !c.Leaf.Equal(current.Leaf) {
		p.log.Info("server certificate exchanged", "kind", l.file, "expires", c.Leaf.NotAfter)
	}
	return c, nil
}

// Watch reloads whenever one of the files has changed, or when asked, until ctx
// ends.
func (p *PKI) Watch(ctx context.Context, asked <-chan os.Signal) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	seen := p.files()
	for {
		select {
		case <-ctx.Done():
			return
		case <-asked:
		case <-tick.C:
			if p.files() == seen {
				continue
			}
		}
		if err := p.Reload(); err != nil {
			// Perhaps one file of two is there yet: it is tried again when the
			// other comes.
			p.log.Error("the server's root and certificates are left as they were", "error", err)
		}
		seen = p.files()
	}
}

// files tells the state of the files from another one.
func (p *PKI) files() (state [4]struct {
	size     int64
	modified int64
}) {
	for i, name := range [...]string{config.ServerRootFile, rootKeyFile, ecLeafFile, rsaLeafFile} {
		if info, err := os.Stat(filepath.Join(p.dir, name)); err == nil {
			state[i].size, state[i].modified = info.Size(), info.ModTime().UnixNano()
		}
	}
	return state
}
