package cli

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/config"
)

// apiClient speaks to a running server's own API, as the root user of its first
// account unless it was given another key.
type apiClient struct {
	server  *config.Running
	http    http.Client
	key     sigv4.Credentials
	keyFrom string // for errors
}

const (
	apiTimeout = 30 * time.Second
	maxAnswer  = 16 << 20
)

func newAPIClient(r *config.Running) (*apiClient, error) {
	// No proxy: the server is on this machine.
	t := &http.Transport{DisableKeepAlives: true}
	file := filepath.Join(r.Dir, config.ServerRootFile)
	root, err := os.ReadFile(file)
	if err == nil {
		t.TLSClientConfig = &tls.Config{RootCAs: x509.NewCertPool()}
		if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(root) {
			return nil, fmt.Errorf("no certificate in %s", file)
		}
	}
	return &apiClient{
		server: r, http: http.Client{Transport: t, Timeout: apiTimeout},
		key:     sigv4.Credentials{AccessKeyID: r.Credentials.AccessKeyID, SecretAccessKey: r.Credentials.SecretAccessKey},
		keyFrom: "the root access key in " + filepath.Join(r.Dir, config.RootCredentialsFile),
	}, nil
}

// apiError is a refusal of the server's.
type apiError struct {
	Code    string
	Message string `json:"message"`
}

func (e *apiError) Error() string { return e.Message }

// call runs one operation. in is nil or becomes the body; the answer is
// returned as it came.
func (c *apiClient) call(ctx context.Context, method, path string, in any) ([]byte, error) {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, c.server.Endpoints.API+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	err = sigv4.Sign(req, body, c.key, c.server.Credentials.Region, "thingd", time.Now())
	if err != nil {
		return nil, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("the server does not answer: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("read the server's answer: %w", err)
	}
	if res.StatusCode == http.StatusOK {
		return answer, nil
	}
	refused := &apiError{Code: res.Header.Get("X-Amzn-Errortype")}
	if err := json.Unmarshal(answer, refused); err != nil || refused.Message == "" {
		return nil, fmt.Errorf("%s answered %s", c.server.Endpoints.API, res.Status)
	}
	switch refused.Code {
	case "UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException":
		return nil, fmt.Errorf("the server does not take %s: %w", c.keyFrom, refused)
	}
	return nil, refused
}

// isCode reports whether the server answered an error with a code.
func isCode(err error, code string) bool {
	e, ok := errors.AsType[*apiError](err)
	return ok && e.Code == code
}

// printJSON writes an answer of the server's with indents.
func (c *CLI) printJSON(answer []byte) error {
	var b bytes.Buffer
	if err := json.Indent(&b, answer, "", "  "); err != nil {
		return fmt.Errorf("read the server's answer: %w", err)
	}
	b.WriteByte('\n')
	_, err := c.Stdout.Write(b.Bytes())
	return err
}
