package server

import (
	"net/http"
	"strings"
)

// rootPaths are where devices and their instructions fetch AWS's root
// certificates: www.amazontrust.com, and www.symantec.com of older days. Here
// they all answer the server root.
var rootPaths = []string{
	"/repository/SFSRootCAG2.pem",
	"/repository/AmazonRootCA1.pem",
	"/content/en/us/enterprise/verisign/roots/VeriSign-Class%203-Public-Primary-Certification-Authority-G5.pem",
}

// rootPath answers which of rootPaths a request is for, or nothing.
func rootPath(r *http.Request) string {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return ""
	}
	path := requestPath(r)
	for _, p := range rootPaths {
		if path == p {
			return p
		}
	}
	return ""
}

// requestPath is the path by which a request is routed: escaped as it came,
// uncleaned but for slashes doubled at its start. A client that joins an
// endpoint URL ending in a slash with a path asks for //describeStream.
func requestPath(r *http.Request) string {
	return "/" + strings.TrimLeft(r.URL.EscapedPath(), "/")
}
