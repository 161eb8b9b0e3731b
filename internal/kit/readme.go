package kit

import (
	"bytes"
	_ "embed"
	"text/template"
)

//go:embed readme.md.tmpl
var readmeText string

// readmeTemplate is read once; its values are of the alphabets of AWS's names,
// none of which shells or Markdown take for more than themselves.
var readmeTemplate = template.Must(template.New("README.md").Option("missingkey=error").Parse(readmeText))

// readme fills in the README. No secret is in it.
func (d *Device) readme() ([]byte, error) {
	var b bytes.Buffer
	err := readmeTemplate.Execute(&b, struct {
		*Device
		Files Files
		Alias string
	}{d, d.files(), Alias})
	return b.Bytes(), err
}
