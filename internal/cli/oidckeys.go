package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/thingd/thingd/internal/api/thingd"
)

// maxKeySet is the longest key set that the server takes.
const maxKeySet = 64 << 10

type oidcKeysCmd struct {
	target
	signer
	Provider string `arg:"" name:"provider-arn" help:"ARN of the OpenID Connect provider."`
	File     string `arg:"" help:"Its JSON web key set, public keys only; - for the standard input."`
}

// Run gives the keys to the server.
func (o *oidcKeysCmd) Run(ctx context.Context, c *CLI) error {
	keys, err := readKeySet(o.File)
	if err != nil {
		return err
	}
	r, err := o.find()
	if err != nil {
		return err
	}
	api, err := o.client(r)
	if err != nil {
		return err
	}
	answer, err := api.call(ctx, http.MethodPut, "/thingd/oidc-provider-keys", map[string]string{"OpenIDConnectProviderArn": o.Provider, "Keys": keys})
	if isCode(err, "ResourceNotFoundException") {
		return fmt.Errorf("%w\nsee the providers with: aws iam list-open-id-connect-providers", err)
	}
	if err != nil {
		return err
	}
	var out thingd.PutOpenIDConnectProviderKeysResponse
	if err := json.Unmarshal(answer, &out); err != nil {
		return fmt.Errorf("read the server's answer: %w", err)
	}
	_, err = fmt.Fprintf(c.Stdout, "%s has %d %s now to verify tokens by.\n", clean(o.Provider), out.KeyCount, oneOr(int(out.KeyCount), "key", "keys"))
	return err
}

// readKeySet reads a key set from a file, or from the standard input.
func readKeySet(file string) (string, error) {
	in := os.Stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxKeySet+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("read the key set: %w", err)
	case len(text) > maxKeySet:
		return "", fmt.Errorf("the key set is longer than %d bytes", maxKeySet)
	case len(text) == 0:
		return "", errors.New("the key set is empty")
	}
	return string(text), nil
}
