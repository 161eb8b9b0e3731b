import Button from "@cloudscape-design/components/button";
import Link from "@cloudscape-design/components/link";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import { DeleteThingTypeCommand } from "@aws-sdk/client-iot";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { DeletableList, type Deleting } from "../../../kit/DeletableList";
import { time } from "../../../kit/format";
import { useLoad } from "../../../kit/load";
import { listTypes, send } from "../api";
import { typeLink } from "../columns";

/** Types is the list of the account's thing types. */
export function Types() {
  const types = useLoad(listTypes, [], 15_000);
  return (
    <DeletableList
      title="Thing types"
      description="Thing types simplify device management by providing consistent registry data for things that share a type."
      items={types}
      id={(t) => t.thingTypeName ?? ""}
      columns={[
        { id: "name", header: "Name", text: (t) => t.thingTypeName, cell: (t) => <Link href={typeLink(t.thingTypeName ?? "")}>{t.thingTypeName}</Link> },
        { id: "description", header: "Description", text: (t) => t.thingTypeProperties?.thingTypeDescription },
        { id: "status", header: "Status", text: (t) => (t.thingTypeMetadata?.deprecated ? "Deprecated" : "Active"), cell: (t) => <TypeStatus deprecated={t.thingTypeMetadata?.deprecated} />, width: 140 },
        { id: "created", header: "Created", text: (t) => t.thingTypeMetadata?.creationDate, cell: (t) => time(t.thingTypeMetadata?.creationDate), width: 310 },
      ]}
      filter="Search thing types"
      empty={{ title: "You don't have any thing types yet", text: "Types give things a description and attributes in common.", action: <Button href="#/iot/thing-types/create">Create a thing type</Button> }}
      one="Thing type"
      create={{ href: "#/iot/thing-types/create", text: "Create" }}
      confirm={(t, deleting) => <DeleteType name={t.thingTypeName ?? ""} {...deleting} />}
    />
  );
}

export function TypeStatus({ deprecated }: { deprecated?: boolean }) {
  return <StatusIndicator type={deprecated ? "stopped" : "success"}>{deprecated ? "Deprecated" : "Active"}</StatusIndicator>;
}

export function DeleteType({ name, onDismiss, onDeleted }: { name: string } & Deleting) {
  return (
    <ConfirmModal
      title={`Delete ${name}?`}
      verb="Delete"
      typed={name}
      onDismiss={onDismiss}
      onConfirm={async () => {
        await send(new DeleteThingTypeCommand({ thingTypeName: name }));
        await onDeleted();
      }}
    >
      A thing type can be deleted five minutes after it was deprecated. This cannot be undone.
    </ConfirmModal>
  );
}
