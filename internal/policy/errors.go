package policy

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// SyntaxError says why a document is refused. Message is AWS's own text, as
// the API answers it; Detail, Line and Column are ours and say what exactly is
// wrong and where. Lines and columns count from 1, columns in characters.
type SyntaxError struct {
	Message string
	Detail  string
	Line    int
	Column  int
	iot     bool
}

// Error is AWS's text. For IoT documents, where AWS's says nearly nothing,
// detail and place follow it.
func (e *SyntaxError) Error() string {
	if e.iot {
		return e.Full()
	}
	return e.Message
}

// Full is AWS's text with detail and place behind it: `Syntax errors in
// policy. Unknown element "Actoin" (line 4, column 7)`.
func (e *SyntaxError) Full() string {
	if strings.HasSuffix(e.Message, ".") {
		return e.Message + " " + e.Explain()
	}
	return e.Message + ": " + e.Explain()
}

// Explain is Detail with its place: `Unknown element "Actoin" (line 4, column 7)`.
func (e *SyntaxError) Explain() string {
	return fmt.Sprintf("%s (line %d, column %d)", e.Detail, e.Line, e.Column)
}

// Texts of MalformedPolicyDocument.
const (
	msgSyntax     = "Syntax errors in policy."
	msgTrustJSON  = "This policy contains invalid Json"
	msgPrincipal  = "Policy document should not specify a principal."
	msgVersion    = "Policy document must be version 2012-10-17 or greater."
	msgLegacy     = "The policy failed legacy parsing"
	msgSidUnique  = "Statement IDs (SID) in a single policy must be unique."
	msgSidPattern = "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
	msgNoActions  = "Policy statement must contain actions."
	msgNoResource = "Policy statement must contain resources."
	msgVendor     = "Resource vendor must be fully qualified and cannot contain regexes."
	msgIAMPath    = `IAM resource path must either be "*" or start with user/, federated-user/, role/, group/, instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, saml-provider/, oidc-provider/, report/, access-report/.`
	msgPrefix     = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
	msgOneColon   = "Actions/Condition can contain only one colon."
	msgTrustField = "Missing required field Principal"
	msgTrustVerb  = "Trust Policy statement actions can only be sts:AssumeRole, sts:AssumeRoleWithSAML, and sts:AssumeRoleWithWebIdentity"
	msgIoT        = "Policy document is Malformed: Invalid policy syntax."
)

// place finds line and column of a byte offset.
func place(text string, offset int) (line, column int) {
	before := text[:min(offset, len(text))]
	line = 1 + strings.Count(before, "\n")
	column = 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
	return line, column
}
