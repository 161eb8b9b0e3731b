import Button from "@cloudscape-design/components/button";
import Link from "@cloudscape-design/components/link";
import { DeleteRoleAliasCommand } from "@aws-sdk/client-iot";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { to } from "../../../frame/route";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { List } from "../../../kit/ListPage";
import { useLoad } from "../../../kit/load";
import { listAliases, send } from "../api";

export const aliasLink = (name: string) => to(["iot", "role-aliases", "details", name]);

/** RoleAliases is the list of the account's role aliases. */
export function RoleAliases() {
  const notify = useNotify();
  const aliases = useLoad(listAliases, [], 15_000);
  const [selected, select] = useState<string[]>([]);
  const [doomed, doom] = useState<string>();
  return (
    <>
      <List
        title="Role aliases"
        description="A role alias lets devices take a role by their certificate, and so get temporary credentials for other services."
        items={aliases}
        id={(a) => a}
        columns={[{ id: "name", header: "Role alias", text: (a) => a, cell: (a) => <Link href={aliasLink(a)}>{a}</Link> }]}
        filter="Search role aliases"
        empty={{ title: "You don't have any role aliases yet", text: "With one, devices need no access keys.", action: <Button href="#/iot/role-aliases/create">Create a role alias</Button> }}
        select="single"
        selected={selected}
        onSelect={select}
        actions={(still) => (
          <>
            <Button disabled={still.length === 0} onClick={() => doom(still[0])}>
              Delete
            </Button>
            <Button variant="primary" href="#/iot/role-aliases/create">
              Create
            </Button>
          </>
        )}
      />
      {doomed !== undefined && (
        <DeleteAlias
          name={doomed}
          onDismiss={() => doom(undefined)}
          onDeleted={() => {
            select([]);
            notify({ type: "success", content: `Role alias ${doomed} deleted.` });
            return aliases.reload();
          }}
        />
      )}
    </>
  );
}

export function DeleteAlias({ name, onDismiss, onDeleted }: { name: string; onDismiss: () => void; onDeleted: () => void | Promise<void> }) {
  return (
    <ConfirmModal
      title={`Delete ${name}?`}
      verb="Delete"
      typed={name}
      onDismiss={onDismiss}
      onConfirm={async () => {
        await send(new DeleteRoleAliasCommand({ roleAlias: name }));
        await onDeleted();
      }}
    >
      Devices get no more credentials by it. Those that they have stay valid until they expire.
    </ConfirmModal>
  );
}
