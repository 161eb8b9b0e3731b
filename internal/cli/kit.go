package cli

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/thingd/thingd/internal/api/thingd"
)

type kitCmd struct {
	target
	Thing        string   `required:"" placeholder:"NAME" help:"The thing that the device is."`
	Create       bool     `help:"Make the thing if it is not there."`
	Policy       []string `short:"P" sep:"none" placeholder:"NAME" help:"IoT policy to attach to the certificate; may be given ten times."`
	RoleAlias    string   `placeholder:"NAME" help:"Role alias that the device gets temporary credentials by."`
	Stream       string   `placeholder:"NAME" help:"Its Kinesis Video stream (the thing's name)."`
	PasswordFile string   `required:"" placeholder:"FILE" help:"File whose first line is the password for the kit's PKCS #12 file and Java key store, 8 characters or more; - is standard input."`
	Out          string   `short:"o" placeholder:"DIR|FILE.zip" help:"New or empty directory to put the files in, or name of the zip (a zip in this directory, named after the thing)."`
	JSON         bool     `name:"json" help:"Print JSON: ids and ARNs, and where the kit is."`
}

// Run makes the kit and writes it where nothing else is.
func (k *kitCmd) Run(ctx context.Context, c *CLI) error {
	r, err := k.find()
	if err != nil {
		return err
	}
	in := thingd.CreateDeviceKitRequest{ThingName: k.Thing, PolicyNames: k.Policy}
	if in.Password, err = readPassword(k.PasswordFile); err != nil {
		return err
	}
	if k.Create {
		in.CreateThing = &k.Create
	}
	if k.RoleAlias != "" {
		in.RoleAlias = &k.RoleAlias
	}
	if k.Stream != "" {
		in.StreamName = &k.Stream
	}
	// The key comes once: a place that cannot be written to is found out before.
	place, err := kitPlaceAt(k.Out)
	if err != nil {
		return err
	}
	api, err := newAPIClient(r)
	if err != nil {
		return errors.Join(err, place.giveUp())
	}
	answer, err := api.call(ctx, http.MethodPost, "/thingd/device-kits", in)
	if err != nil {
		err = errors.Join(err, place.giveUp())
		if isCode(err, "ResourceNotFoundException") && !k.Create {
			err = fmt.Errorf("%w\n--create makes a thing that is not there yet", err)
		}
		return err
	}
	var out thingd.CreateDeviceKitResponse
	if err := json.Unmarshal(answer, &out); err != nil {
		return fmt.Errorf("read the server's answer: %w", err)
	}
	at, err := place.write(&out)
	if err != nil {
		return fmt.Errorf("the kit was made but not written, and its key is lost: %w\n"+
			"end its certificate with: aws iot update-certificate --certificate-id %s --new-status REVOKED", err, out.CertificateId)
	}
	if k.JSON {
		text, err := json.Marshal(map[string]string{
			"ThingName": out.ThingName, "ThingArn": out.ThingArn, "CertificateId": out.CertificateId, "CertificateArn": out.CertificateArn, "Path": at,
		})
		if err != nil {
			return err
		}
		return c.printJSON(text)
	}
	return k.tell(c, &out, at)
}

// tell says what was made and what to do next.
func (k *kitCmd) tell(c *CLI, out *thingd.CreateDeviceKitResponse, at string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Certificate %s of thing %s is active.\n", out.CertificateId, out.ThingName)
	if len(k.Policy) == 0 {
		fmt.Fprintf(&b, "It has no policy yet, and so may do nothing: aws iot attach-policy --policy-name … --target %s\n", out.CertificateArn)
	}
	fmt.Fprintf(&b, "The kit is in %s. Its private key is nowhere else: take it to the device, and remove it here.\n", at)
	if strings.HasSuffix(at, ".zip") {
		fmt.Fprintf(&b, "Next, on the device: unzip %s, and read README.md\n", filepath.Base(at))
	} else {
		fmt.Fprintf(&b, "Next: read %s\n", filepath.Join(at, "README.md"))
	}
	_, err := io.WriteString(c.Stdout, b.String())
	return err
}

// readPassword reads the first line of a file, or of standard input.
func readPassword(file string) (string, error) {
	var text []byte
	var err error
	if file == "-" {
		text, err = io.ReadAll(io.LimitReader(os.Stdin, 4096))
	} else {
		text, err = os.ReadFile(file)
	}
	if err != nil {
		return "", fmt.Errorf("--password-file: %w", err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	if line = strings.TrimSuffix(line, "\r"); line == "" {
		return "", errors.New("--password-file: its first line is empty")
	}
	return line, nil
}

// kitPlace is where a kit goes: into a zip that is open already, into a
// directory, or into a zip that the server names.
type kitPlace struct {
	file *os.File
	dir  string
	made bool // the directory
}

func kitPlaceAt(out string) (*kitPlace, error) {
	if out == "" {
		return &kitPlace{}, nil
	}
	if strings.HasSuffix(out, ".zip") {
		f, err := os.OpenFile(out, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("%s is there already; it is left as it is", out)
		}
		return &kitPlace{file: f}, err
	}
	err := os.Mkdir(out, 0o700)
	if err == nil {
		return &kitPlace{dir: out, made: true}, nil
	}
	if !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	entries, err := os.ReadDir(out)
	if err != nil {
		return nil, err
	}
	if len(entries) > 0 {
		return nil, fmt.Errorf("%s is not empty; it is left as it is (choose a directory of its own for the kit)", out)
	}
	return &kitPlace{dir: out}, nil
}

// giveUp removes what was made for a kit that did not come.
func (p *kitPlace) giveUp() error {
	switch {
	case p.file != nil:
		return errors.Join(p.file.Close(), os.Remove(p.file.Name()))
	case p.made:
		return os.Remove(p.dir)
	}
	return nil
}

// write writes the kit, and returns where to.
func (p *kitPlace) write(out *thingd.CreateDeviceKitResponse) (at string, err error) {
	if p.dir != "" {
		return p.dir, unzip(out.Kit, p.dir)
	}
	if p.file == nil {
		if p.file, err = os.OpenFile(filepath.Base(out.FileName), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err != nil {
			return "", err
		}
	}
	_, err = p.file.Write(out.Kit)
	return p.file.Name(), errors.Join(err, p.file.Sync(), p.file.Close())
}

// unzip writes the files of a kit into a directory. They are never written over
// others.
func unzip(archive []byte, dir string) error {
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return err
	}
	for _, f := range z.File {
		if f.Name != filepath.Base(f.Name) || !filepath.IsLocal(f.Name) {
			return fmt.Errorf("the kit has a file of the name %q", f.Name)
		}
		if err := unzipFile(f, filepath.Join(dir, f.Name)); err != nil {
			return err
		}
	}
	return nil
}

func unzipFile(f *zip.File, path string) error {
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	w, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, io.LimitReader(r, maxAnswer))
	return errors.Join(err, w.Sync(), w.Close())
}
