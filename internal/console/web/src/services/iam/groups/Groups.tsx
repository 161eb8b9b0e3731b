import Button from "@cloudscape-design/components/button";
import Link from "@cloudscape-design/components/link";
import type { Group } from "@aws-sdk/client-iam";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { to } from "../../../frame/route";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { time } from "../../../kit/format";
import { List } from "../../../kit/ListPage";
import { useLoad } from "../../../kit/load";
import { deleteGroup, listGroups } from "../api";

/** Groups is the list of the account's groups of users. */
export function Groups() {
  const notify = useNotify();
  const groups = useLoad(listGroups, [], 15_000);
  const [selected, select] = useState<Group[]>([]);
  const [doomed, doom] = useState<Group>();
  return (
    <>
      <List
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
        select="single"
        selected={selected}
        onSelect={select}
        actions={(still) => (
          <>
            <Button disabled={still.length === 0} onClick={() => doom(still[0])}>
              Delete
            </Button>
            <Button variant="primary" href="#/iam/groups/create">
              Create group
            </Button>
          </>
        )}
      />
      {doomed && (
        <DeleteGroup
          name={doomed.GroupName ?? ""}
          onDismiss={() => doom(undefined)}
          onDeleted={() => {
            select([]);
            notify({ type: "success", content: `Group ${doomed.GroupName} deleted.` });
            return groups.reload();
          }}
        />
      )}
    </>
  );
}

export function DeleteGroup({ name, onDismiss, onDeleted }: { name: string; onDismiss: () => void; onDeleted: () => void | Promise<void> }) {
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
