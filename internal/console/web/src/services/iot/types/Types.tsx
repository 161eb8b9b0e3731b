import Button from "@cloudscape-design/components/button";
import Link from "@cloudscape-design/components/link";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import { DeleteThingTypeCommand, type ThingTypeDefinition } from "@aws-sdk/client-iot";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { time } from "../../../kit/format";
import { List } from "../../../kit/ListPage";
import { useLoad } from "../../../kit/load";
import { listTypes, send } from "../api";
import { typeLink } from "../columns";

/** Types is the list of the account's thing types. */
export function Types() {
  const notify = useNotify();
  const types = useLoad(listTypes, [], 15_000);
  const [selected, select] = useState<ThingTypeDefinition[]>([]);
  const [doomed, doom] = useState<string>();
  return (
    <>
      <List
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
        select="single"
        selected={selected}
        onSelect={select}
        actions={(still) => (
          <>
            <Button disabled={still.length === 0} onClick={() => doom(still[0]?.thingTypeName)}>
              Delete
            </Button>
            <Button variant="primary" href="#/iot/thing-types/create">
              Create
            </Button>
          </>
        )}
      />
      {doomed !== undefined && (
        <DeleteType
          name={doomed}
          onDismiss={() => doom(undefined)}
          onDeleted={() => {
            select([]);
            notify({ type: "success", content: `Thing type ${doomed} deleted.` });
            return types.reload();
          }}
        />
      )}
    </>
  );
}

export function TypeStatus({ deprecated }: { deprecated?: boolean }) {
  return <StatusIndicator type={deprecated ? "stopped" : "success"}>{deprecated ? "Deprecated" : "Active"}</StatusIndicator>;
}

export function DeleteType({ name, onDismiss, onDeleted }: { name: string; onDismiss: () => void; onDeleted: () => void | Promise<void> }) {
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
