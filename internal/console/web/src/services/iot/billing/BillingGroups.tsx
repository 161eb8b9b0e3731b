import Button from "@cloudscape-design/components/button";
import { DeleteBillingGroupCommand, type GroupNameAndArn } from "@aws-sdk/client-iot";
import Link from "@cloudscape-design/components/link";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { List } from "../../../kit/ListPage";
import { useLoad } from "../../../kit/load";
import { listBillingGroups, send } from "../api";
import { billingLink } from "../columns";

/** BillingGroups is the list of the account's billing groups. */
export function BillingGroups() {
  const notify = useNotify();
  const groups = useLoad(listBillingGroups, [], 15_000);
  const [selected, select] = useState<GroupNameAndArn[]>([]);
  const [doomed, doom] = useState<string>();
  return (
    <>
      <List
        title="Billing groups"
        description="Billing groups tag things by what their costs belong to. Here they cost nothing: the groups are kept for programs that use them."
        items={groups}
        id={(g) => g.groupName ?? ""}
        columns={[
          { id: "name", header: "Name", text: (g) => g.groupName, cell: (g) => <Link href={billingLink(g.groupName ?? "")}>{g.groupName}</Link> },
          { id: "arn", header: "ARN", text: (g) => g.groupArn },
        ]}
        filter="Search billing groups"
        empty={{ title: "You don't have any billing groups yet", action: <Button href="#/iot/billing-groups/create">Create a billing group</Button> }}
        select="single"
        selected={selected}
        onSelect={select}
        actions={(still) => (
          <>
            <Button disabled={still.length === 0} onClick={() => doom(still[0]?.groupName)}>
              Delete
            </Button>
            <Button variant="primary" href="#/iot/billing-groups/create">
              Create
            </Button>
          </>
        )}
      />
      {doomed !== undefined && (
        <DeleteBillingGroup
          name={doomed}
          onDismiss={() => doom(undefined)}
          onDeleted={() => {
            select([]);
            notify({ type: "success", content: `Billing group ${doomed} deleted.` });
            return groups.reload();
          }}
        />
      )}
    </>
  );
}

export function DeleteBillingGroup({ name, onDismiss, onDeleted }: { name: string; onDismiss: () => void; onDeleted: () => void | Promise<void> }) {
  return (
    <ConfirmModal
      title={`Delete ${name}?`}
      verb="Delete"
      typed={name}
      onDismiss={onDismiss}
      onConfirm={async () => {
        await send(new DeleteBillingGroupCommand({ billingGroupName: name }));
        await onDeleted();
      }}
    >
      Its things stay, in no billing group. This cannot be undone.
    </ConfirmModal>
  );
}
