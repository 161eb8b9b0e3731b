package kvs

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
)

// Device gets temporary credentials with a device's certificate from the IoT credentials provider, and keeps them while
// they are good. It is safe for concurrent use.
type Device struct {
	Host      string // of the provider, with its port unless that is 443
	RoleAlias string
	Thing     string       // thing name, or ""
	HTTP      *http.Client // with the device's certificate

	mu      sync.Mutex
	have    sigv4.Credentials
	expires time.Time
}

// fresh is how much longer credentials have to be good for to be used again.
const fresh = 5 * time.Minute

// Credentials are of the role that the alias names.
func (d *Device) Credentials(ctx context.Context) (sigv4.Credentials, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if time.Until(d.expires) > fresh {
		return d.have, nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+d.Host+"/role-aliases/"+url.PathEscape(d.RoleAlias)+"/credentials", nil)
	if err != nil {
		return d.have, err
	}
	if d.Thing != "" {
		req.Header.Set("X-Amzn-Iot-Thingname", d.Thing)
	}
	res, err := d.HTTP.Do(req)
	if err != nil {
		return d.have, fmt.Errorf("credentials provider: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return d.have, refusal("credentials provider", res)
	}
	var out struct {
		Credentials struct {
			AccessKeyID     string `json:"accessKeyId"`
			SecretAccessKey string `json:"secretAccessKey"`
			SessionToken    string `json:"sessionToken"`
			Expiration      time.Time
		}
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 64<<10)).Decode(&out); err != nil {
		return d.have, fmt.Errorf("read the answer of the credentials provider: %w", err)
	}
	c := out.Credentials
	d.have = sigv4.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}
	d.expires = c.Expiration
	return d.have, nil
}
