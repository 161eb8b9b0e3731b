import Button from "@cloudscape-design/components/button";
import ButtonDropdown from "@cloudscape-design/components/button-dropdown";
import SpaceBetween from "@cloudscape-design/components/space-between";
import type { Certificate } from "@aws-sdk/client-iot";
import { useState } from "react";
import { go } from "../../../frame/route";
import { List } from "../../../kit/ListPage";
import { useMany } from "../../../kit/many";
import { pageOfCertificates } from "../api";
import { certificateColumns } from "../columns";
import { actionItems, CertificateAction, type ActionId } from "./actions";

/** Certificates is the list of the account's device certificates. */
export function Certificates() {
  const certificates = useMany(pageOfCertificates, [], "certificates", 15_000);
  const [selected, select] = useState<Certificate[]>([]);
  const [action, act] = useState<ActionId>();
  return (
    <>
      <List
        title="Certificates"
        description={<SpaceBetween size="xxs">{["X.509 certificates authenticate device and client connections.", certificates.note]}</SpaceBetween>}
        items={certificates}
        id={(c) => c.certificateId ?? ""}
        columns={certificateColumns}
        filter="Search certificates"
        empty={{ title: "You don't have any certificates yet", text: "X.509 certificates authenticate device and client connections.", action: <Button href="#/iot/certificates/create">Create a certificate</Button> }}
        select="multi"
        selected={selected}
        onSelect={select}
        actions={(still) => (
          <>
            <ButtonDropdown disabled={still.length === 0} items={actionItems(still.map((c) => c.status))} onItemClick={({ detail }) => act(detail.id as ActionId)}>
              Actions
            </ButtonDropdown>
            <ButtonDropdown
              variant="primary"
              mainAction={{ text: "Create", onClick: () => go("#/iot/certificates/create") }}
              ariaLabel="More ways to add a certificate"
              items={[
                { id: "create", text: "Create certificate" },
                { id: "register", text: "Register certificates" },
              ]}
              onItemClick={({ detail }) => go(`#/iot/certificates/${detail.id}`)}
            />
          </>
        )}
      />
      {action && (
        <CertificateAction
          id={action}
          of={selected.map((c) => ({ id: c.certificateId ?? "", arn: c.certificateArn ?? "" }))}
          onDismiss={() => act(undefined)}
          onDone={async () => {
            if (action === "delete") select([]);
            await certificates.reload();
          }}
        />
      )}
    </>
  );
}
