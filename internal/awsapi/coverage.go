package awsapi

import (
	"bytes"
	"fmt"
	"strings"
)

// Coverage renders which operations of the APIs are served and what each is
// authorized on, in Markdown: from the tables that requests are served by, so
// that it cannot say otherwise than they do.
func Coverage(apis []*API) []byte {
	var b bytes.Buffer
	b.WriteString("# Coverage\n\n")
	b.WriteString("Generated from the operation tables; do not edit. An operation that is not implemented answers\n")
	b.WriteString("HTTP 501 `NotImplementedException` with its own name.\n\n")
	b.WriteString("| Service | Implemented | Operations |\n|---|---:|---:|\n")
	served, all := 0, 0
	for _, a := range apis {
		n := len(a.methods)
		served, all = served+n, all+len(a.Operations)
		fmt.Fprintf(&b, "| [%s](#%s) | %d | %d |\n", a.Title, a.Name, n, len(a.Operations))
	}
	fmt.Fprintf(&b, "| all | %d | %d |\n", served, all)
	for _, a := range apis {
		fmt.Fprintf(&b, "\n<a id=\"%s\"></a>\n## %s, %s\n\n", a.Name, a.Title, a.Version)
		fmt.Fprintf(&b, "%d of %d operations are implemented.\n\n", len(a.methods), len(a.Operations))
		b.WriteString("| Operation | State | Action | Authorized on |\n|---|---|---|---|\n")
		for _, op := range a.Operations {
			state := "501"
			if a.methods[op] != nil {
				state = "implemented"
			}
			fmt.Fprintf(&b, "| %s | %s | `%s` | %s |\n", op.Name, state, a.FullAction(op), a.authorizedOn(op))
		}
	}
	return b.Bytes()
}

// authorizedOn says in words what Operation.Resource says.
func (s *Service) authorizedOn(op *Operation) string {
	if noun, ok := strings.CutPrefix(op.Resource, "@"); ok && strings.Contains(noun, "/") {
		return "`" + strings.Join([]string{"arn:aws", s.ARNService, "REGION", "ACCOUNT", noun}, ":") + "`, with its tags"
	} else if ok && noun != "" {
		return "the " + strings.ReplaceAll(noun, "-", " ") + ", looked up"
	}
	switch op.Resource {
	case "":
		return "not said yet"
	case "*":
		return "`*`"
	case "@":
		return "what the request is about, looked up"
	case "-":
		return "the operation decides"
	}
	return "`" + strings.Join([]string{"arn:aws", s.ARNService, "REGION", "ACCOUNT", op.Resource}, ":") + "`"
}
