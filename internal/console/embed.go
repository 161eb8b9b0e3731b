// Package console serves the web console: its files, and nothing else. What the
// console shows, the browser asks of the AWS APIs with signed requests, and of
// the sign-in endpoints; no data comes from here.
//
// The files are built from web by make (scripts/console.sh) into dist, each
// compressed, and not committed. A binary that was built without them serves a
// page that says so.
package console

import "embed"

//go:embed all:dist
var files embed.FS

//go:embed placeholder.html
var placeholder []byte
