import Button from "@cloudscape-design/components/button";
import Link from "@cloudscape-design/components/link";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { DeleteCACertificateCommand, UpdateCACertificateCommand, type CACertificate } from "@aws-sdk/client-iot";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import type { Deleting } from "../../../kit/DeletableList";
import { time } from "../../../kit/format";
import { List } from "../../../kit/ListPage";
import { useLoad } from "../../../kit/load";
import { listCAs, send } from "../api";
import { authorityLink, Status } from "../columns";

/** Authorities is the list of the account's certificate authorities. */
export function Authorities() {
  const notify = useNotify();
  const cas = useLoad(listCAs, [], 15_000);
  const [selected, select] = useState<CACertificate[]>([]);
  const [doomed, doom] = useState<string>();
  return (
    <>
      <List
        title="Certificate authorities"
        description="With its certificate authority registered, certificates of devices that you signed yourself are taken."
        items={cas}
        id={(c) => c.certificateId ?? ""}
        columns={[
          {
            id: "id",
            header: "CA certificate ID",
            text: (c) => c.certificateId,
            cell: (c) => (
              <Link href={authorityLink(c.certificateId ?? "")}>
                <span className="words">{c.certificateId}</span>
              </Link>
            ),
          },
          { id: "status", header: "Status", text: (c) => c.status, cell: (c) => <Status of={c.status} />, width: 140 },
          { id: "created", header: "Registered", text: (c) => c.creationDate, cell: (c) => time(c.creationDate), width: 310 },
        ]}
        filter="Search authorities"
        empty={{ title: "You don't have any certificate authorities yet", action: <Button href="#/iot/certificate-authorities/register">Register a CA certificate</Button> }}
        select="single"
        selected={selected}
        onSelect={select}
        actions={(still) => (
          <>
            <Button disabled={still.length === 0} onClick={() => doom(still[0]?.certificateId)}>
              Delete
            </Button>
            <Button variant="primary" href="#/iot/certificate-authorities/register">
              Register CA certificate
            </Button>
          </>
        )}
      />
      {doomed !== undefined && (
        <DeleteAuthority
          id={doomed}
          active={selected[0]?.status === "ACTIVE"}
          onDismiss={() => doom(undefined)}
          onDeleted={() => {
            select([]);
            notify({ type: "success", content: "CA certificate deleted." });
            return cas.reload();
          }}
        />
      )}
    </>
  );
}

export function DeleteAuthority({ id, active, onDismiss, onDeleted }: { id: string; active: boolean } & Deleting) {
  return (
    <ConfirmModal
      title={`Delete CA certificate ${id.slice(0, 10)}…?`}
      verb="Delete"
      typed="delete"
      onDismiss={onDismiss}
      onConfirm={async () => {
        if (active) await send(new UpdateCACertificateCommand({ certificateId: id, newStatus: "INACTIVE" }));
        await send(new DeleteCACertificateCommand({ certificateId: id }));
        await onDeleted();
      }}
    >
      <SpaceBetween size="xs">Certificates that it signed and that are registered stay. New ones are not taken.</SpaceBetween>
    </ConfirmModal>
  );
}
