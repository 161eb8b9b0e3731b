import Button from "@cloudscape-design/components/button";
import { DeleteBillingGroupCommand } from "@aws-sdk/client-iot";
import Link from "@cloudscape-design/components/link";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { DeletableList, type Deleting } from "../../../kit/DeletableList";
import { useLoad } from "../../../kit/load";
import { listBillingGroups, send } from "../api";
import { billingLink } from "../columns";

/** BillingGroups is the list of the account's billing groups. */
export function BillingGroups() {
  const groups = useLoad(listBillingGroups, [], 15_000);
  return (
    <DeletableList
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
      one="Billing group"
      create={{ href: "#/iot/billing-groups/create", text: "Create" }}
      confirm={(g, deleting) => <DeleteBillingGroup name={g.groupName ?? ""} {...deleting} />}
    />
  );
}

export function DeleteBillingGroup({ name, onDismiss, onDeleted }: { name: string } & Deleting) {
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
