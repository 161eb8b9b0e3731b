// Command awsgen turns AWS's API models into Go: for each service of the
// table below it reads api-2.json from the pinned module
// github.com/aws/aws-sdk-go, merges internal/api/overlay/<package>.json over
// it, and writes internal/api/<package>/api_gen.go. A service without a model
// of AWS is ours: there the overlay is the whole of it. From the same module's
// protocol tests it makes internal/awsapi/protocol_gen_test.go. Run it by
// `make generate`.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const modelModule = "github.com/aws/aws-sdk-go"

// services names every generated package and the model it comes from.
var services = []struct{ pkg, model string }{
	{"iot", "iot/2015-05-28"},
	{"iotdata", "iot-data/2015-05-28"},
	{"iotjobs", "iot-jobs-data/2017-09-29"},
	{"iam", "iam/2010-05-08"},
	{"sts", "sts/2011-06-15"},
	{"kinesisvideo", "kinesisvideo/2017-09-30"},
	{"kvmedia", "kinesis-video-media/2017-09-30"},
	{"kvarchive", "kinesis-video-archived-media/2017-09-30"},
	{"thingd", ""},
	{"fleet", ""},
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("awsgen: ")
	root := "../internal/api"
	if len(os.Args) > 1 {
		root = os.Args[1]
	}
	models, err := modelDir()
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range services {
		if err := generate(models, root, s.pkg, s.model); err != nil {
			log.Fatalf("%s: %v", s.pkg, err)
		}
	}
	if err := generateProtocolTests(models, filepath.Join(root, "..", "awsapi", "protocol_gen_test.go")); err != nil {
		log.Fatal(err)
	}
}

// modelDir asks the go command where the pinned models lie.
func modelDir() (string, error) {
	if out, err := exec.Command("go", "mod", "download", modelModule).CombinedOutput(); err != nil {
		return "", fmt.Errorf("go mod download %s: %w\n%s", modelModule, err, out)
	}
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", modelModule).Output()
	if err != nil {
		return "", fmt.Errorf("go list %s: %w", modelModule, err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "models"), nil
}

func generate(models, root, pkg, model string) error {
	doc := map[string]any{}
	if model == "" {
		model = "internal/api/overlay/" + pkg + ".json"
	} else {
		var err error
		if doc, err = readJSON(filepath.Join(models, "apis", model, "api-2.json")); err != nil {
			return err
		}
	}
	over, err := readJSON(filepath.Join(root, "overlay", pkg+".json"))
	if err != nil {
		return err
	}
	merge(doc, over)
	raw, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	var api API
	if err := json.Unmarshal(raw, &api); err != nil {
		return err
	}
	src, err := (&generator{pkg: pkg, model: model, api: &api}).source()
	if err != nil {
		return err
	}
	dir := filepath.Join(root, pkg)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "api_gen.go"), src, 0o644)
}

func readJSON(file string) (map[string]any, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var doc map[string]any
	if err := json.Unmarshal(b, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return doc, nil
}

// merge lays over on doc: objects are merged key by key, null removes a key,
// everything else replaces.
func merge(doc, over map[string]any) {
	for k, v := range over {
		if v == nil {
			delete(doc, k)
			continue
		}
		if o, ok := v.(map[string]any); ok {
			if d, ok := doc[k].(map[string]any); ok {
				merge(d, o)
				continue
			}
		}
		doc[k] = v
	}
}
