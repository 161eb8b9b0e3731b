import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import type { ReactNode } from "react";
import { useState } from "react";
import { ErrorBox } from "../../../kit/ErrorBox";
import { useAction } from "../../../kit/load";
import { isPem, PemField } from "../PemField";
import { issue, issueFor, type Issued } from "./issue";

interface Props {
  onIssued: (made: Issued) => void;
  /** Where a certificate of one's own is taken. */
  onOwn: () => void;
  more?: ReactNode;
}

/** Choice offers the ways to a certificate: one click, a signing request, one's own. */
export function Choice({ onIssued, onOwn, more }: Props) {
  const click = useAction();
  const sign = useAction();
  const [open, setOpen] = useState(false);
  const [csr, setCsr] = useState("");
  const [tried, setTried] = useState(false);
  const fault = isPem(csr, "CERTIFICATE REQUEST") || isPem(csr, "NEW CERTIFICATE REQUEST") ? undefined : "Enter a certificate signing request in PEM: it begins with -----BEGIN CERTIFICATE REQUEST-----";
  return (
    <SpaceBetween size="l">
      <Container
        header={
          <Header
            variant="h2"
            description="This will generate a certificate, public key, and private key using AWS IoT's certificate authority."
            actions={
              <Button variant="primary" loading={click.busy} onClick={() => void click.run(async () => onIssued(await issue()))}>
                Create certificate
              </Button>
            }
          >
            One-click certificate creation (recommended)
          </Header>
        }
      >
        <ErrorBox error={click.error} />
      </Container>
      <Container
        header={
          <Header
            variant="h2"
            description="Upload your own certificate signing request (CSR) based on a private key you own. The key stays where it is."
            actions={<Button onClick={() => setOpen(!open)}>Create with CSR</Button>}
          >
            Create with CSR
          </Header>
        }
      >
        {open && (
          <SpaceBetween size="m">
            <PemField label="Certificate signing request" value={csr} onChange={setCsr} error={tried ? fault : undefined} placeholder="-----BEGIN CERTIFICATE REQUEST-----" />
            <ErrorBox error={sign.error} />
            <Button
              loading={sign.busy}
              onClick={() => {
                setTried(true);
                if (!fault) void sign.run(async () => onIssued(await issueFor(csr)));
              }}
            >
              Sign the request
            </Button>
          </SpaceBetween>
        )}
      </Container>
      <Container header={<Header variant="h2" description="Register your CA certificate or use your own certificates for one or many devices." actions={<Button onClick={onOwn}>Get started</Button>}>Use my certificate</Header>} />
      {more}
    </SpaceBetween>
  );
}
