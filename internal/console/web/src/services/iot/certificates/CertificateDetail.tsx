import ButtonDropdown from "@cloudscape-design/components/button-dropdown";
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import Link from "@cloudscape-design/components/link";
import { DescribeCertificateCommand } from "@aws-sdk/client-iot";
import { useState } from "react";
import { go } from "../../../frame/route";
import { Copy, CopyButton } from "../../../kit/Copy";
import { DetailPage } from "../../../kit/DetailPage";
import { download } from "../../../kit/download";
import { time } from "../../../kit/format";
import { useLoad } from "../../../kit/load";
import type { Params } from "../../service";
import { detachThing, never, send, thingsOf } from "../api";
import { Attached } from "../Attached";
import { AttachedPolicies, usePoliciesOf } from "../AttachedPolicies";
import { authorityLink, nameColumn, Status, thingLink } from "../columns";
import { fileNames } from "../names";
import { actionItems, CertificateAction, type ActionId } from "./actions";

/** CertificateDetail is the screen of a device certificate. */
export function CertificateDetail({ params: { id = "" } }: { params: Params }) {
  const certificate = useLoad(async () => (await send(new DescribeCertificateCommand({ certificateId: id }))).certificateDescription, [id], 15_000);
  const [action, act] = useState<ActionId>();
  const arn = certificate.data?.certificateArn ?? "";
  const policies = usePoliciesOf(arn);
  const things = useLoad(() => (arn ? thingsOf(arn) : never), [arn], 15_000);
  return (
    <>
      <DetailPage
        title={id}
        of={certificate}
        summaryTitle="Details"
        actions={(c) => (
          <ButtonDropdown
            items={actionItems([c.status], true)}
            onItemClick={({ detail }) => (detail.id === "download" ? download(fileNames(id).certificate, c.certificatePem ?? "", "application/x-pem-file") : act(detail.id as ActionId))}
          >
            Actions
          </ButtonDropdown>
        )}
        summary={(c) => [
          { label: "Status", value: <Status of={c.status} /> },
          { label: "Certificate ARN", value: <Copy text={arn} what="Certificate ARN" /> },
          { label: "Mode", value: c.certificateMode },
          { label: "Created", value: time(c.creationDate) },
          { label: "Valid from", value: time(c.validity?.notBefore) },
          { label: "Expires", value: time(c.validity?.notAfter) },
          { label: "Last updated", value: time(c.lastModifiedDate) },
          { label: "Certificate authority", value: c.caCertificateId ? <Link href={authorityLink(c.caCertificateId)}>{c.caCertificateId.slice(0, 10)}…</Link> : "Of AWS IoT, or not registered" },
        ]}
        tabs={(c) => [
          { id: "policies", label: "Policies", content: <AttachedPolicies target={arn} policies={policies} whose="this certificate" /> },
          {
            id: "things",
            label: "Things",
            content: (
              <Attached
                title="Things"
                items={things}
                id={(t) => t}
                columns={[nameColumn("Name", thingLink)]}
                one="thing"
                whose="this certificate"
                empty="No things are attached to this certificate."
                attach="Attach to things"
                onAttach={() => act("thing")}
                onDetach={(t) => detachThing(t, arn)}
                warning="Who connects with this certificate is no longer taken for the thing."
              />
            ),
          },
          {
            id: "pem",
            label: "Certificate (PEM)",
            content: (
              <Container header={<Header variant="h2" actions={<CopyButton text={c.certificatePem ?? ""} what="Certificate" />}>PEM</Header>}>
                <pre className="preserve">{c.certificatePem}</pre>
              </Container>
            ),
          },
        ]}
      />
      {action && (
        <CertificateAction
          key={action}
          id={action}
          of={[{ id, arn }]}
          onDismiss={() => act(undefined)}
          onDone={async () => {
            if (action === "delete") go("#/iot/certificates");
            else await Promise.all([certificate.reload(), policies.reload(), things.reload()]);
          }}
        />
      )}
    </>
  );
}
