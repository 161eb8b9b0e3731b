import ButtonDropdown from "@cloudscape-design/components/button-dropdown";
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import { DescribeCACertificateCommand, ListCertificatesByCACommand, UpdateCACertificateCommand } from "@aws-sdk/client-iot";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go } from "../../../frame/route";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { Copy, CopyButton } from "../../../kit/Copy";
import { DetailPage } from "../../../kit/DetailPage";
import { time } from "../../../kit/format";
import { List } from "../../../kit/ListPage";
import { useLoad } from "../../../kit/load";
import { useMany, type Page } from "../../../kit/many";
import type { Params } from "../../service";
import { send } from "../api";
import type { Certificate } from "@aws-sdk/client-iot";
import { certificateColumns, Status } from "../columns";
import { ResourceTags } from "../ResourceTags";
import { DeleteAuthority } from "./Authorities";

type Ask = "activate" | "deactivate" | "auto" | "manual" | "delete";

const questions: Record<Exclude<Ask, "delete">, { verb: string; text: string; change: { newStatus?: "ACTIVE" | "INACTIVE"; newAutoRegistrationStatus?: "ENABLE" | "DISABLE" } }> = {
  activate: { verb: "Activate", text: "Certificates that it signed can be registered.", change: { newStatus: "ACTIVE" } },
  deactivate: { verb: "Deactivate", text: "New certificates that it signed are not taken. Registered ones stay as they are.", change: { newStatus: "INACTIVE" } },
  auto: { verb: "Turn on automatic registration", text: "Certificates that it signed are registered, pending activation, when a device first connects.", change: { newAutoRegistrationStatus: "ENABLE" } },
  manual: { verb: "Turn off automatic registration", text: "Certificates that it signed have to be registered before a device can connect.", change: { newAutoRegistrationStatus: "DISABLE" } },
};

/** AuthorityDetail is the screen of a certificate authority. */
export function AuthorityDetail({ params: { id = "" } }: { params: Params }) {
  const notify = useNotify();
  const ca = useLoad(() => send(new DescribeCACertificateCommand({ certificateId: id })).then((p) => p.certificateDescription), [id], 15_000);
  const [asking, ask] = useState<Ask>();
  const active = ca.data?.status === "ACTIVE";
  const auto = ca.data?.autoRegistrationStatus === "ENABLE";
  return (
    <>
      <DetailPage
        title={id}
        of={ca}
        summaryTitle="Details"
        summary={(c) => [
          { label: "Status", value: <Status of={c.status} /> },
          { label: "CA certificate ARN", value: <Copy text={c.certificateArn ?? ""} what="CA certificate ARN" /> },
          { label: "Mode", value: c.certificateMode },
          { label: "Automatic registration", value: auto ? "On" : "Off" },
          { label: "Registered", value: time(c.creationDate) },
          { label: "Expires", value: time(c.validity?.notAfter) },
        ]}
        actions={() => (
          <ButtonDropdown
            items={[
              { id: "activate", text: "Activate", disabled: active },
              { id: "deactivate", text: "Deactivate", disabled: !active },
              auto ? { id: "manual", text: "Turn off automatic registration" } : { id: "auto", text: "Turn on automatic registration" },
              { id: "delete", text: "Delete" },
            ]}
            onItemClick={({ detail }) => ask(detail.id as Ask)}
          >
            Actions
          </ButtonDropdown>
        )}
        tabs={(c) => [
          { id: "certificates", label: "Certificates", content: <Signed id={id} /> },
          {
            id: "pem",
            label: "Certificate (PEM)",
            content: (
              <Container header={<Header variant="h2" actions={<CopyButton text={c.certificatePem ?? ""} what="CA certificate" />}>PEM</Header>}>
                <pre className="preserve">{c.certificatePem}</pre>
              </Container>
            ),
          },
          { id: "tags", label: "Tags", content: <ResourceTags arn={c.certificateArn ?? ""} /> },
        ]}
      />
      {asking === "delete" && (
        <DeleteAuthority
          id={id}
          active={active}
          onDismiss={() => ask(undefined)}
          onDeleted={() => {
            notify({ type: "success", content: "CA certificate deleted." });
            go("#/iot/certificate-authorities");
          }}
        />
      )}
      {asking && asking !== "delete" && (
        <ConfirmModal
          title={`${questions[asking].verb}?`}
          verb={questions[asking].verb}
          onDismiss={() => ask(undefined)}
          onConfirm={async () => {
            await send(new UpdateCACertificateCommand({ certificateId: id, ...questions[asking].change }));
            await ca.reload();
          }}
        >
          {questions[asking].text}
        </ConfirmModal>
      )}
    </>
  );
}

async function pageOfSigned(caCertificateId: string, marker?: string): Promise<Page<Certificate>> {
  const p = await send(new ListCertificatesByCACommand({ caCertificateId, marker, pageSize: 250 }));
  return { items: p.certificates ?? [], next: p.nextMarker };
}

function Signed({ id }: { id: string }) {
  const certificates = useMany((next) => pageOfSigned(id, next), [id], "certificates", 15_000);
  return (
    <List
      variant="container"
      title="Certificates"
      description={certificates.note}
      items={certificates}
      id={(c) => c.certificateId ?? ""}
      columns={certificateColumns}
      filter="Search certificates"
      empty={{ title: "No certificates", text: "No certificates of this authority are registered." }}
      page={20}
    />
  );
}
