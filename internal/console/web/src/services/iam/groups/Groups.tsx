import Button from "@cloudscape-design/components/button";
import Link from "@cloudscape-design/components/link";
import { to } from "../../../frame/route";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { DeletableList, type Deleting } from "../../../kit/DeletableList";
import { time } from "../../../kit/format";
import { useLoad } from "../../../kit/load";
import { deleteGroup, listGroups } from "../api";

/** Groups is the list of the account's groups of users. */
export function Groups() {
  const groups = useLoad(listGroups, [], 15_000);
  return (
    <DeletableList
      title="User groups"
      description="A user group is a collection of IAM users. Use groups to specify permissions for a collection of users."
      items={groups}
      id={(g) => g.GroupName ?? ""}
      columns={[
        { id: "name", header: "Group name", text: (g) => g.GroupName, cell: (g) => <Link href={to(["iam", "groups", "details", g.GroupName ?? ""])}>{g.GroupName}</Link> },
        { id: "path", header: "Path", text: (g) => g.Path },
        { id: "created", header: "Creation time", text: (g) => g.CreateDate, cell: (g) => time(g.CreateDate) },
        { id: "arn", header: "ARN", text: (g) => g.Arn },
      ]}
      filter="Search groups"
      empty={{ title: "No user groups", text: "There are no user groups in this account.", action: <Button href="#/iam/groups/create">Create group</Button> }}
      one="Group"
      create={{ href: "#/iam/groups/create", text: "Create group" }}
      confirm={(g, deleting) => <DeleteGroup name={g.GroupName ?? ""} {...deleting} />}
    />
  );
}

export function DeleteGroup({ name, onDismiss, onDeleted }: { name: string } & Deleting) {
  return (
    <ConfirmModal
      title={`Delete ${name}?`}
      verb="Delete"
      typed={name}
      onDismiss={onDismiss}
      onConfirm={async () => {
        await deleteGroup(name);
        await onDeleted();
      }}
    >
      Its users stay, without the permissions that they have through it. This cannot be undone.
    </ConfirmModal>
  );
}
