import Checkbox from "@cloudscape-design/components/checkbox";
import Container from "@cloudscape-design/components/container";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import RadioGroup from "@cloudscape-design/components/radio-group";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { GetRegistrationCodeCommand, RegisterCACertificateCommand } from "@aws-sdk/client-iot";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go } from "../../../frame/route";
import { Copy, CopyButton } from "../../../kit/Copy";
import { Part } from "../../../kit/DetailPage";
import { FormPage } from "../../../kit/FormPage";
import { useLoad } from "../../../kit/load";
import { tagFault, TagsSection, type Tag } from "../../../kit/Tags";
import { send } from "../api";
import { authorityLink } from "../columns";
import { certificatePlaceholder, isPem, PemField } from "../PemField";

const commands = (code: string) => `openssl genrsa -out verificationCert.key 2048
openssl req -new -key verificationCert.key -subj "/CN=${code}" -out verificationCert.csr
openssl x509 -req -in verificationCert.csr -CA rootCA.pem -CAkey rootCA.key -CAcreateserial -out verificationCert.pem -days 500 -sha256`;

/** AuthorityRegister registers a certificate authority, whose key its owner proves to have. */
export function AuthorityRegister() {
  const notify = useNotify();
  const code = useLoad(async () => (await send(new GetRegistrationCodeCommand({}))).registrationCode ?? "", []);
  const [mode, setMode] = useState<"DEFAULT" | "SNI_ONLY">("DEFAULT");
  const [ca, setCa] = useState("");
  const [verification, setVerification] = useState("");
  const [active, setActive] = useState(true);
  const [auto, setAuto] = useState(false);
  const [tags, setTags] = useState<Tag[]>([]);
  const [tried, setTried] = useState(false);
  const alone = mode === "DEFAULT";
  const fault = {
    ca: isPem(ca, "CERTIFICATE") ? undefined : "Enter the CA certificate in PEM.",
    verification: !alone || isPem(verification, "CERTIFICATE") ? undefined : "Enter the verification certificate in PEM.",
  };
  return (
    <FormPage
      title="Register CA certificate"
      submit="Register"
      onCancel={() => go("#/iot/certificate-authorities")}
      valid={() => {
        setTried(true);
        return !fault.ca && !fault.verification && !tagFault(tags);
      }}
      onSubmit={async () => {
        const made = await send(
          new RegisterCACertificateCommand({
            caCertificate: ca,
            verificationCertificate: alone ? verification : undefined,
            certificateMode: mode,
            setAsActive: active,
            allowAutoRegistration: auto,
            tags: tags.length ? tags : undefined,
          }),
        );
        notify({ type: "success", content: "CA certificate registered." });
        go(authorityLink(made.certificateId ?? ""));
      }}
    >
      <Container header={<Header variant="h2">CA certificate</Header>}>
        <SpaceBetween size="m">
          <FormField label="CA registration options">
            <RadioGroup
              value={mode}
              onChange={({ detail }) => setMode(detail.value as typeof mode)}
              items={[
                { value: "DEFAULT", label: "Register CA in Single-account mode", description: "You prove that you have its key. Devices need to send no server name." },
                { value: "SNI_ONLY", label: "Register CA in Multi-account mode", description: "Without a proof. Devices have to send the server's name (SNI)." },
              ]}
            />
          </FormField>
          {alone && (
            <FormField label="Registration code" description="It is the common name of the verification certificate, which the CA signs:" stretch>
              <Part of={code}>
                {(c) => (
                  <SpaceBetween size="s">
                    <span className="words">
                      <Copy text={c} what="Registration code" />
                    </span>
                    <pre className="preserve">{commands(c)}</pre>
                    <CopyButton text={commands(c)} what="Commands" />
                  </SpaceBetween>
                )}
              </Part>
            </FormField>
          )}
          <PemField label="CA certificate" value={ca} onChange={setCa} error={tried ? fault.ca : undefined} placeholder={certificatePlaceholder} />
          {alone && <PemField label="Verification certificate" value={verification} onChange={setVerification} error={tried ? fault.verification : undefined} placeholder={certificatePlaceholder} />}
          <Checkbox checked={active} onChange={({ detail }) => setActive(detail.checked)} description="Certificates that it signed can be registered.">
            Active
          </Checkbox>
          <Checkbox checked={auto} onChange={({ detail }) => setAuto(detail.checked)} description="Certificates that it signed are registered, pending activation, when a device first connects.">
            Automatic certificate registration
          </Checkbox>
        </SpaceBetween>
      </Container>
      <TagsSection tags={tags} onChange={setTags} />
    </FormPage>
  );
}
