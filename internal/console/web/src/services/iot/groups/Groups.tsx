import Button from "@cloudscape-design/components/button";
import { DeleteThingGroupCommand } from "@aws-sdk/client-iot";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { DeletableList, type Deleting } from "../../../kit/DeletableList";
import { useLoad } from "../../../kit/load";
import { listGroups, send } from "../api";
import { groupColumns } from "../columns";

/** Groups is the list of the account's thing groups. */
export function Groups() {
  const groups = useLoad(() => listGroups(), [], 15_000);
  return (
    <DeletableList
      title="Thing groups"
      description="Thing groups allow you to manage several things at once by categorizing them into groups. Groups can hold groups; a policy of a group holds for all things in it and below."
      items={groups}
      id={(g) => g.groupName ?? ""}
      columns={groupColumns}
      filter="Search thing groups"
      empty={{ title: "You don't have any thing groups yet", text: "A group categorizes things, and gives them policies.", action: <Button href="#/iot/thing-groups/create">Create a thing group</Button> }}
      one="Thing group"
      create={{ href: "#/iot/thing-groups/create", text: "Create" }}
      confirm={(g, deleting) => <DeleteGroup name={g.groupName ?? ""} {...deleting} />}
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
        await send(new DeleteThingGroupCommand({ thingGroupName: name }));
        await onDeleted();
      }}
    >
      Its things stay, without the policies that they have through it. A group that holds groups cannot be deleted.
    </ConfirmModal>
  );
}
