package model

import "regexp"

// Limits of a model. They keep what is stored, sent to a worker and parsed small.
const (
	maxDocument    = 2 << 20 // bytes of a model's JSON
	maxCode        = 256 << 10
	maxStages      = 64
	maxSequence    = 1024
	maxSettings    = 64
	maxDefault     = 32 << 10 // as values have at most
	maxTemplate    = 64 << 10 // of a certificate, a payload
	maxSubscribe   = 50
	maxDescription = 2028
	maxLabel       = 256
	maxThresholds  = 64
	maxThreshold   = 256
)

var (
	nameForm  = regexp.MustCompile(`^[a-zA-Z0-9:_-]{1,128}$`)
	identForm = regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$]{0,63}$`)
)

// reserved are words that no function can be named.
var reserved = map[string]bool{
	"await": true, "break": true, "case": true, "catch": true, "class": true, "const": true, "continue": true, "debugger": true,
	"default": true, "delete": true, "do": true, "else": true, "enum": true, "export": true, "extends": true, "false": true,
	"finally": true, "for": true, "function": true, "if": true, "implements": true, "import": true, "in": true, "instanceof": true,
	"interface": true, "let": true, "model": true, "new": true, "null": true, "package": true, "private": true, "protected": true,
	"public": true, "return": true, "static": true, "super": true, "switch": true, "this": true, "throw": true, "true": true,
	"try": true, "typeof": true, "var": true, "void": true, "while": true, "with": true, "yield": true,
	// The folder form keeps the script in lib.js.
	"lib": true, "script": true,
}
