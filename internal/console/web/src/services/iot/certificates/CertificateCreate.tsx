import Alert from "@cloudscape-design/components/alert";
import Button from "@cloudscape-design/components/button";
import ContentLayout from "@cloudscape-design/components/content-layout";
import Header from "@cloudscape-design/components/header";
import Box from "@cloudscape-design/components/box";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go } from "../../../frame/route";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { useLoad } from "../../../kit/load";
import { AttachPolicies } from "../AttachedPolicies";
import { policiesOf } from "../api";
import { certificateLink } from "../columns";
import { Choice } from "./Choice";
import { Downloads } from "./Downloads";
import type { Issued } from "./issue";

/** CertificateCreate makes a certificate, and hands out its keys once. */
export function CertificateCreate() {
  const [made, setMade] = useState<Issued>();
  if (made) return <Created made={made} />;
  return (
    <ContentLayout header={<Header variant="h1" description="A certificate is used to authenticate your device's connection to AWS IoT.">Create a certificate</Header>}>
      <Choice onIssued={setMade} onOwn={() => go("#/iot/certificates/register")} />
    </ContentLayout>
  );
}

function Created({ made }: { made: Issued }) {
  const notify = useNotify();
  const [active, setActive] = useState(false);
  const [saved, setSaved] = useState(!made.privateKey);
  const [leaving, leave] = useState(false);
  const [attaching, attach] = useState(false);
  const policies = useLoad(() => policiesOf(made.arn), [made.arn]);
  const done = () => {
    notify({ type: "success", content: `Certificate ${made.id.slice(0, 10)}… created${active ? "" : ". It is inactive"}.`, action: <Button href={certificateLink(made.id)}>View certificate</Button> });
    go("#/iot/certificates");
  };
  return (
    <ContentLayout header={<Header variant="h1">Certificate created!</Header>}>
      <SpaceBetween size="l">
        <Downloads of={made} active={active} onActive={() => setActive(true)} onSaved={() => setSaved(true)} />
        {policies.data && policies.data.length > 0 && <Alert type="success">Attached: {policies.data.map((p) => p.policyName).join(", ")}</Alert>}
        <Box float="right">
          <SpaceBetween direction="horizontal" size="xs">
            <Button onClick={() => attach(true)}>Attach a policy</Button>
            <Button variant="primary" onClick={() => (saved ? done() : leave(true))}>
              Done
            </Button>
          </SpaceBetween>
        </Box>
      </SpaceBetween>
      {attaching && <AttachPolicies target={made.arn} has={policies.data ?? []} onDismiss={() => attach(false)} onDone={policies.reload} />}
      {leaving && <WithoutKey verb="Leave without it" onDismiss={() => leave(false)} onConfirm={done} />}
    </ContentLayout>
  );
}

/** WithoutKey asks whether a page may be left whose private key nobody has saved. */
export function WithoutKey({ verb, onConfirm, onDismiss }: { verb: string; onConfirm: () => void | Promise<void>; onDismiss: () => void }) {
  return (
    <ConfirmModal title="The private key is not downloaded" verb={verb} onDismiss={onDismiss} onConfirm={async () => onConfirm()}>
      It cannot be had after this page. Without it nothing can connect with this certificate.
    </ConfirmModal>
  );
}
