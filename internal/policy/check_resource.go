package policy

import "strings"

// legacyResources makes the checks of ARNs that AWS makes first and words in
// one way. A resource whose form resourceForms refuses ends them: that fault
// comes later and is worded better.
func (c *checker) legacyResources() *SyntaxError {
	for i := range c.statements {
		for _, r := range c.statements[i].resources.items {
			if r.s == "*" {
				continue
			}
			if strings.HasPrefix(r.s, "arn:") && strings.Count(r.s, ":") < 5 && strings.Contains(r.s, "::") {
				return c.fault(r.pos, msgLegacy, "ARN %q has too few parts", r.s)
			}
			if c.resource(r) != nil {
				return nil
			}
			parts := strings.SplitN(r.s, ":", 6)
			for j := 2; j < min(len(parts), 5); j++ {
				if strings.Contains(parts[j], "${") {
					return c.fault(r.pos, msgLegacy, "Variables can stand only after the fifth colon of ARN %q", r.s)
				}
			}
			if parts[2] == "" {
				return c.fault(r.pos, msgLegacy, "ARN %q names no service", r.s)
			}
		}
	}
	return nil
}

func (c *checker) resourceForms() *SyntaxError {
	for i := range c.statements {
		for _, r := range c.statements[i].resources.items {
			if err := c.resource(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// resource holds a resource to the form of an ARN.
func (c *checker) resource(r text) *SyntaxError {
	if r.s == "*" {
		return nil
	}
	parts := strings.SplitN(r.s, ":", 6)
	if len(parts) == 1 {
		return c.fault(r.pos, "Resource "+r.s+` must be in ARN format or "*".`, "Resource %q is not an ARN, arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE", r.s)
	}
	if !validPartition(parts[1]) {
		shown := [4]string{"*", "*", "*", "*"}
		copy(shown[:], parts[2:])
		name := "arn:" + parts[1] + ":" + strings.Join(shown[:], ":")
		detail := "The partition of a resource is aws, aws-cn or aws-us-gov"
		if parts[0] != "arn" {
			detail = "A resource begins with arn:"
		}
		return c.fault(r.pos, `Partition "`+parts[1]+`" is not valid for resource "`+name+`".`, "%s", detail)
	}
	if len(parts) == 2 {
		return c.fault(r.pos, msgVendor, "Resource %q names no service", r.s)
	}
	if len(parts) > 3 && parts[3] != "" {
		switch parts[2] {
		case "iam":
			return c.fault(r.pos, "IAM resource "+r.s+" cannot contain region information.", "The fourth part of %q must be empty", r.s)
		case "s3":
			return c.fault(r.pos, "Resource "+r.s+" can not contain region information.", "The fourth part of %q must be empty", r.s)
		}
	}
	if parts[2] == "iam" && len(parts) == 6 && !validIAMPath(parts[5]) {
		return c.fault(r.pos, msgIAMPath, "%q is not a resource of IAM", parts[5])
	}
	return nil
}

func validPartition(s string) bool {
	switch s {
	case "aws", "aws-cn", "aws-us-gov":
		return true
	}
	return false
}

// validIAMPath reports whether s can be the last part of an IAM ARN: one of
// the types of AWS's message, or the root that sts:AssumeRoot is about.
func validIAMPath(s string) bool {
	for _, typ := range [...]string{
		"user/", "federated-user/", "role/", "group/", "instance-profile/", "mfa/", "server-certificate/", "policy/",
		"sms-mfa/", "saml-provider/", "oidc-provider/", "report/", "access-report/",
	} {
		if strings.HasPrefix(s, typ) {
			return true
		}
	}
	return s == "*" || s == "root"
}

func (c *checker) iotResources() *SyntaxError {
	for i := range c.statements {
		for _, r := range c.statements[i].resources.items {
			if r.s != "*" && (!strings.HasPrefix(r.s, "arn:") || strings.Count(r.s, ":") < 2) {
				e := c.fault(r.pos, "", "Resource %q is not an ARN, arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE", r.s)
				e.Message = "Policy document is Malformed: The following resources are invalid : " + r.s + "."
				return e
			}
		}
	}
	return nil
}
