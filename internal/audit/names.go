package audit

import (
	"crypto/tls"
	"strings"

	"github.com/thingd/thingd/internal/arn"
)

// readVerbs begin the names of operations that change nothing. All others are
// taken for ones that do.
var readVerbs = []string{"Get", "List", "Describe", "Search", "Simulate", "Test", "Validate", "Decode", "Generate", "Explain"}

// issuers are operations that CloudTrail records as reading, with what they
// hand out in responseElements all the same.
var issuers = map[string]bool{
	"AssumeRole": true, "AssumeRoleWithSAML": true, "AssumeRoleWithWebIdentity": true, "AssumeRoot": true,
	"GetSessionToken": true, "GetFederationToken": true,
}

// UnknownOperation is the eventName of calls that name no operation.
const UnknownOperation = "UnknownOperation"

// ReadOnly says whether CloudTrail records an operation as one that reads.
func ReadOnly(operation string) bool {
	for _, verb := range readVerbs {
		if strings.HasPrefix(operation, verb) {
			return true
		}
	}
	return issuers[operation]
}

// sources are the eventSources of services; of the others it is their signing
// name.
var sources = map[string]string{
	"iot": "iot.amazonaws.com", "iotdata": "iotdata.amazonaws.com", "iotjobs": "iotjobsdata.amazonaws.com",
	"iam": "iam.amazonaws.com", "sts": "sts.amazonaws.com",
	"thingd": "thingd.amazonaws.com", "fleet": "fleet.amazonaws.com",
	"kinesisvideo": "kinesisvideo.amazonaws.com", "kvmedia": "kinesisvideo.amazonaws.com", "kvarchive": "kinesisvideo.amazonaws.com",
}

// dataPlane are the services whose calls CloudTrail knows as data events.
var dataPlane = map[string]bool{"iotdata": true, "iotjobs": true, "kvmedia": true, "kvarchive": true}

// types are CloudTrail's types of resources, by service and by the first word
// of the ARN's resource.
var types = map[string]string{
	"iam:user": "AWS::IAM::User", "iam:group": "AWS::IAM::Group", "iam:role": "AWS::IAM::Role", "iam:policy": "AWS::IAM::Policy",
	"iam:instance-profile": "AWS::IAM::InstanceProfile", "iam:mfa": "AWS::IAM::VirtualMFADevice",
	"iam:oidc-provider": "AWS::IAM::OIDCProvider", "iam:saml-provider": "AWS::IAM::SAMLProvider",
	"iam:server-certificate": "AWS::IAM::ServerCertificate", "iam:root": "AWS::Account",
	"sts:assumed-role": "AWS::STS::AssumedRole", "sts:federated-user": "AWS::STS::FederatedUser",
	"iot:thing": "AWS::IoT::Thing", "iot:thingtype": "AWS::IoT::ThingType", "iot:thinggroup": "AWS::IoT::ThingGroup",
	"iot:billinggroup": "AWS::IoT::BillingGroup", "iot:cert": "AWS::IoT::Certificate", "iot:cacert": "AWS::IoT::CACertificate",
	"iot:policy": "AWS::IoT::Policy", "iot:rolealias": "AWS::IoT::RoleAlias", "iot:rule": "AWS::IoT::TopicRule",
	"iot:ruledestination": "AWS::IoT::TopicRuleDestination", "iot:job": "AWS::IoT::Job", "iot:jobtemplate": "AWS::IoT::JobTemplate",
	"iot:authorizer": "AWS::IoT::Authorizer", "iot:provisioningtemplate": "AWS::IoT::ProvisioningTemplate",
	"iot:domainconfiguration": "AWS::IoT::DomainConfiguration", "iot:dimension": "AWS::IoT::Dimension",
	"iot:custommetric": "AWS::IoT::CustomMetric", "iot:securityprofile": "AWS::IoT::SecurityProfile",
	"iot:mitigationaction": "AWS::IoT::MitigationAction", "iot:scheduledaudit": "AWS::IoT::ScheduledAudit",
	"iot:fleetmetric": "AWS::IoT::FleetMetric", "iot:topic": "AWS::IoT::Topic",
	"kinesisvideo:stream": "AWS::KinesisVideo::Stream", "kinesisvideo:channel": "AWS::KinesisVideo::SignalingChannel",
	"fleet:test": "Thingd::Fleet::Test", "fleet:run-setting": "Thingd::Fleet::RunSetting", "fleet:run": "Thingd::Fleet::Run", "fleet:glob": "Thingd::Fleet::GlobValue",
}

// describe finds the account and the type in an ARN; empty if it does not say.
func describe(name string) (account, kind string) {
	part, ok := arn.Split(name)
	if !ok {
		return "", ""
	}
	word, _, _ := strings.Cut(part[5], "/")
	word, _, _ = strings.Cut(word, ":")
	if account = part[4]; len(account) != 12 {
		account = ""
	}
	return account, types[part[2]+":"+word]
}

// tlsVersions and cipherSuites are in CloudTrail's spelling, which is
// OpenSSL's.
var (
	tlsVersions = map[uint16]string{
		tls.VersionTLS10: "TLSv1", tls.VersionTLS11: "TLSv1.1", tls.VersionTLS12: "TLSv1.2", tls.VersionTLS13: "TLSv1.3",
	}
	cipherSuites = map[uint16]string{
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256:         "ECDHE-RSA-AES128-GCM-SHA256",
		tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384:         "ECDHE-RSA-AES256-GCM-SHA384",
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256:       "ECDHE-ECDSA-AES128-GCM-SHA256",
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384:       "ECDHE-ECDSA-AES256-GCM-SHA384",
		tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256:   "ECDHE-RSA-CHACHA20-POLY1305",
		tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: "ECDHE-ECDSA-CHACHA20-POLY1305",
	}
)
