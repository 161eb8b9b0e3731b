import Checkbox from "@cloudscape-design/components/checkbox";
import Container from "@cloudscape-design/components/container";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Link from "@cloudscape-design/components/link";
import RadioGroup from "@cloudscape-design/components/radio-group";
import Select from "@cloudscape-design/components/select";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { DescribeCACertificateCommand, RegisterCertificateCommand, RegisterCertificateWithoutCACommand } from "@aws-sdk/client-iot";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go } from "../../../frame/route";
import { FormPage } from "../../../kit/FormPage";
import { useLoad } from "../../../kit/load";
import { listCAs, send } from "../api";
import { certificatePlaceholder, isPem, PemField } from "../PemField";

/** Register takes certificates that somebody else made, one or several in one text. */
export function Register() {
  const notify = useNotify();
  const [how, setHow] = useState("with");
  const [ca, setCa] = useState("");
  const [pem, setPem] = useState("");
  const [active, setActive] = useState(false);
  const [tried, setTried] = useState(false);
  const cas = useLoad(listCAs, []);
  const certificates = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  const fault = { ca: how === "with" && !ca ? "Choose the certificate authority." : undefined, pem: isPem(pem, "CERTIFICATE") ? undefined : "Enter certificates in PEM: each begins with -----BEGIN CERTIFICATE-----" };
  return (
    <FormPage
      title="Register certificates"
      description="Use certificates of your own: of a registered certificate authority, or of none."
      submit="Register certificates"
      onCancel={() => go("#/iot/certificates")}
      valid={() => {
        setTried(true);
        return !fault.ca && !fault.pem;
      }}
      onSubmit={async () => {
        const status = active ? "ACTIVE" : "INACTIVE";
        const caCertificatePem = how === "with" ? (await send(new DescribeCACertificateCommand({ certificateId: ca }))).certificateDescription?.certificatePem : undefined;
        for (const certificatePem of certificates) {
          if (how === "with") await send(new RegisterCertificateCommand({ certificatePem, caCertificatePem, status }));
          else await send(new RegisterCertificateWithoutCACommand({ certificatePem, status }));
        }
        notify({ type: "success", content: certificates.length === 1 ? "Certificate registered." : `${certificates.length} certificates registered.` });
        go("#/iot/certificates");
      }}
    >
      <Container header={<Header variant="h2">Certificate authority</Header>}>
        <SpaceBetween size="m">
          <FormField label="Who signed them">
            <RadioGroup
              value={how}
              onChange={({ detail }) => setHow(detail.value)}
              items={[
                { value: "with", label: "CA is registered with AWS IoT", description: "The certificates were signed by a certificate authority of this account." },
                { value: "without", label: "CA is not registered with AWS IoT", description: "The certificates stand for themselves." },
              ]}
            />
          </FormField>
          {how === "with" && (
            <FormField
              label="Registered CA"
              errorText={tried && fault.ca}
              description={
                <>
                  Or <Link href="#/iot/certificate-authorities/register">register a CA certificate</Link> first.
                </>
              }
            >
              <Select
                selectedOption={ca ? { value: ca, label: ca } : null}
                onChange={({ detail }) => setCa(detail.selectedOption.value ?? "")}
                options={(cas.data ?? []).map((c) => ({ value: c.certificateId, label: c.certificateId, description: c.status }))}
                placeholder="Choose a CA"
                empty="No certificate authorities are registered."
                statusType={cas.loading ? "loading" : "finished"}
                ariaLabel="Registered CA"
              />
            </FormField>
          )}
        </SpaceBetween>
      </Container>
      <Container header={<Header variant="h2">Certificates</Header>}>
        <SpaceBetween size="m">
          <PemField label="Certificates" description="One or several, one after the other." value={pem} onChange={setPem} error={tried ? fault.pem : undefined} placeholder={certificatePlaceholder} />
          <Checkbox checked={active} onChange={({ detail }) => setActive(detail.checked)} description="Devices can connect with them at once.">
            Activate them
          </Checkbox>
        </SpaceBetween>
      </Container>
    </FormPage>
  );
}
