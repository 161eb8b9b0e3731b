package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/thingd/thingd/internal/api/thingd"
	"github.com/thingd/thingd/internal/explain"
)

type explainCmd struct {
	target
	signer
	ID   string `arg:"" optional:"" help:"Id of the refusal (the answer's X-Thingd-Explain header, or in an MQTT 5 reason); without one, the latest."`
	List bool   `help:"List the latest refusals, one a line."`
	Max  int    `default:"20" placeholder:"N" help:"How many to list."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// Run explains one refusal, or lists the latest.
func (e *explainCmd) Run(ctx context.Context, c *CLI) error {
	if e.List && e.ID != "" {
		return errors.New("--list takes no request id")
	}
	if e.Max < 1 || e.Max > maxListed {
		return fmt.Errorf("--max: 1 to %d is wanted", maxListed)
	}
	r, err := e.find()
	if err != nil {
		return err
	}
	api, err := e.client(r)
	if err != nil {
		return err
	}
	if e.List {
		return e.list(ctx, c, api)
	}
	if e.ID == "" {
		if e.ID, err = latest(ctx, api); err != nil {
			return err
		}
	}
	answer, err := api.call(ctx, http.MethodGet, "/thingd/refusals/"+url.PathEscape(e.ID), nil)
	if isCode(err, "ResourceNotFoundException") {
		return fmt.Errorf("%w\nlist the latest with: thingd explain --list", err)
	}
	if err != nil {
		return err
	}
	if e.JSON {
		return c.printJSON(answer)
	}
	var out struct{ Refusal explain.Report }
	if err := json.Unmarshal(answer, &out); err != nil {
		return fmt.Errorf("read the server's answer: %w", err)
	}
	return writeRefusal(c.Stdout, &out.Refusal)
}

// maxListed is the most that the server gives at once.
const maxListed = 250

func (e *explainCmd) list(ctx context.Context, c *CLI, api *apiClient) error {
	answer, err := api.call(ctx, http.MethodGet, "/thingd/refusals?maxResults="+strconv.Itoa(e.Max), nil)
	if err != nil {
		return err
	}
	if e.JSON {
		return c.printJSON(answer)
	}
	var out thingd.ListRefusalsResponse
	if err := json.Unmarshal(answer, &out); err != nil {
		return fmt.Errorf("read the server's answer: %w", err)
	}
	return writeRefusals(c.Stdout, out.Refusals)
}

// latest is the request id of the latest refusal.
func latest(ctx context.Context, api *apiClient) (string, error) {
	answer, err := api.call(ctx, http.MethodGet, "/thingd/refusals?maxResults=1", nil)
	if err != nil {
		return "", err
	}
	var out thingd.ListRefusalsResponse
	if err := json.Unmarshal(answer, &out); err != nil {
		return "", fmt.Errorf("read the server's answer: %w", err)
	}
	if len(out.Refusals) == 0 {
		return "", errors.New("nothing was refused since the server started")
	}
	return out.Refusals[0].RequestId, nil
}
