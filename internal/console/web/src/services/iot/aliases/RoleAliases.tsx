import Button from "@cloudscape-design/components/button";
import Link from "@cloudscape-design/components/link";
import { DeleteRoleAliasCommand } from "@aws-sdk/client-iot";
import { to } from "../../../frame/route";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { DeletableList, type Deleting } from "../../../kit/DeletableList";
import { useLoad } from "../../../kit/load";
import { listAliases, send } from "../api";

export const aliasLink = (name: string) => to(["iot", "role-aliases", "details", name]);

/** RoleAliases is the list of the account's role aliases. */
export function RoleAliases() {
  const aliases = useLoad(listAliases, [], 15_000);
  return (
    <DeletableList
      title="Role aliases"
      description="A role alias lets devices take a role by their certificate, and so get temporary credentials for other services."
      items={aliases}
      id={(a) => a}
      columns={[{ id: "name", header: "Role alias", text: (a) => a, cell: (a) => <Link href={aliasLink(a)}>{a}</Link> }]}
      filter="Search role aliases"
      empty={{ title: "You don't have any role aliases yet", text: "With one, devices need no access keys.", action: <Button href="#/iot/role-aliases/create">Create a role alias</Button> }}
      one="Role alias"
      create={{ href: "#/iot/role-aliases/create", text: "Create" }}
      confirm={(a, deleting) => <DeleteAlias name={a} {...deleting} />}
    />
  );
}

export function DeleteAlias({ name, onDismiss, onDeleted }: { name: string } & Deleting) {
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
