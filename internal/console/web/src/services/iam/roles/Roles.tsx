import Button from "@cloudscape-design/components/button";
import Link from "@cloudscape-design/components/link";
import { to } from "../../../frame/route";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { DeletableList, type Deleting } from "../../../kit/DeletableList";
import { time } from "../../../kit/format";
import { useLoad } from "../../../kit/load";
import { decoded, deleteRole, listRoles } from "../api";
import { trusted } from "./trust";

/** Roles is the list of the account's roles. */
export function Roles() {
  const roles = useLoad(listRoles, [], 15_000);
  return (
    <DeletableList
      title="Roles"
      description="An IAM role is an identity you can create that has specific permissions with credentials that are valid for short durations. Roles can be assumed by entities that you trust."
      items={roles}
      id={(r) => r.RoleName ?? ""}
      columns={[
        { id: "name", header: "Role name", text: (r) => r.RoleName, cell: (r) => <Link href={to(["iam", "roles", "details", r.RoleName ?? ""])}>{r.RoleName}</Link> },
        { id: "trusted", header: "Trusted entities", text: (r) => trusted(decoded(r.AssumeRolePolicyDocument)).join(", ") },
        { id: "created", header: "Creation time", text: (r) => r.CreateDate, cell: (r) => time(r.CreateDate) },
        { id: "arn", header: "ARN", text: (r) => r.Arn },
      ]}
      filter="Search roles"
      empty={{ title: "No roles", text: "There are no roles in this account.", action: <Button href="#/iam/roles/create">Create role</Button> }}
      one="Role"
      create={{ href: "#/iam/roles/create", text: "Create role" }}
      confirm={(r, deleting) => <DeleteRole name={r.RoleName ?? ""} {...deleting} />}
    />
  );
}

export function DeleteRole({ name, onDismiss, onDeleted }: { name: string } & Deleting) {
  return (
    <ConfirmModal
      title={`Delete ${name}?`}
      verb="Delete"
      typed={name}
      onDismiss={onDismiss}
      onConfirm={async () => {
        await deleteRole(name);
        await onDeleted();
      }}
    >
      Its inline policies are deleted with it. Who has assumed the role is denied everything from now on. This cannot be undone.
    </ConfirmModal>
  );
}
